/* Nodes that ask whether x is one of some numbers (BRANCH_EQ, BRANCH_NEQ, BRANCH_MEMBER: categories of LightGBM and
 * others). Called by ensemble.c, at load only. Each different question becomes an input of its own, 1 or 0, so that
 * the walk compares as ever; the player of its reasons stays the operator's input. */
#include "pipeline/ensemble_reading.h"

#include <math.h>
#include <stdlib.h>

struct question {
    uint32_t feature;
    bool missing; /* yes for NaN, too */
    struct node_set set;
    uint32_t node;
};

static int question_order(const void *a, const void *b)
{
    const struct question *left = a, *right = b;
    if (left->feature != right->feature)
        return left->feature < right->feature ? -1 : 1;
    if (left->missing != right->missing)
        return left->missing ? 1 : -1;
    if (left->set.count != right->set.count)
        return left->set.count < right->set.count ? -1 : 1;
    for (size_t v = 0; v < left->set.count; v++)
        if (left->set.values[v] != right->set.values[v])
            return left->set.values[v] < right->set.values[v] ? -1 : 1;
    return 0;
}

static bool asks_for_set(const struct reading *reading, size_t n)
{
    return reading->modes[n] >= NODE_EQ && reading->modes[n] <= NODE_MEMBER;
}

/* The node that n's chain goes on with, or count. */
static size_t chain_next(const struct reading *reading, size_t n)
{
    size_t next = reading->modes[n] == NODE_EQ ? ensemble_node_find(reading, reading->trees[n], reading->falses[n])
                                               : reading->count;
    bool goes_on = next < reading->count && reading->modes[next] == NODE_EQ &&
                   reading->features[next] == reading->features[n] && reading->trues[next] == reading->trues[n];
    return goes_on ? next : reading->count;
}

/* Lists of `kept` nodes, without what chains absorb. */
static void merged_make(struct expr_pool *pool, size_t kept, struct node_lists *out)
{
    int64_t **const LISTS[] = {&out->trees, &out->ids, &out->features, &out->trues, &out->falses, &out->missing};
    for (size_t l = 0; l < sizeof LISTS / sizeof *LISTS; l++)
        *LISTS[l] = expr_pool_take(pool, kept, sizeof **LISTS[l]);
    out->modes = expr_pool_take(pool, kept, sizeof *out->modes);
    out->thresholds = expr_pool_take(pool, kept, sizeof *out->thresholds);
    out->sets = expr_pool_take(pool, kept, sizeof *out->sets);
}

/* Node n and all that its chain goes on with, as one; *values, which it moves past them, takes what they ask for. */
static void merged_add(const struct reading *reading, const size_t *next, size_t n, struct node_lists *out,
                       double **values)
{
    size_t at = out->count++;
    bool missing = reading->missing && reading->missing[n];
    out->trees[at] = reading->trees[n];
    out->ids[at] = reading->ids[n];
    out->features[at] = reading->features[n];
    out->trues[at] = reading->trues[n];
    out->modes[at] = reading->modes[n];
    out->thresholds[at] = number_list_at(&reading->thresholds, n);
    out->sets[at] = reading->sets ? reading->sets[n] : (struct node_set){0};
    if (next[n] < reading->count) {
        out->modes[at] = NODE_MEMBER;
        out->sets[at].values = *values;
        *(*values)++ = out->thresholds[at];
        for (out->sets[at].count = 1; next[n] < reading->count; out->sets[at].count++) {
            n = next[n];
            missing |= reading->missing && reading->missing[n];
            *(*values)++ = number_list_at(&reading->thresholds, n);
        }
    }
    out->falses[at] = reading->falses[n];
    out->missing[at] = missing;
}

/* next[n]: chain_next; absorbed[n]: some node's. */
static enum status chains_find(struct reading *reading, size_t *next, bool *absorbed, size_t *count)
{
    for (size_t n = 0; n < reading->count; n++) {
        next[n] = chain_next(reading, n);
        if (next[n] == reading->count)
            continue;
        bool root = next[n] == 0 || reading->trees[next[n] - 1] != reading->trees[next[n]];
        if (absorbed[next[n]] || root)
            return operation_invalid(reading->operation, "a loop, or a node with two parents");
        absorbed[next[n]] = true;
        ++*count;
    }
    return STATUS_OK;
}

enum status ensemble_chains_merge(struct reading *reading, bool *merged)
{
    struct expr_pool *pool = reading->operation->pool;
    size_t *next = mem_zeroed(reading->count, sizeof *next), absorbed_count = 0;
    bool *absorbed = mem_zeroed(reading->count, sizeof *absorbed);
    struct node_lists lists = {0};
    enum status status = chains_find(reading, next, absorbed, &absorbed_count);
    *merged = status == STATUS_OK && absorbed_count > 0 &&
              expr_pool_room(pool, reading->count, 10 * sizeof(int64_t)); /* else reported by the caller */
    if (*merged) {
        merged_make(pool, reading->count - absorbed_count, &lists);
        double *values = expr_pool_take(pool, reading->count, sizeof *values);
        for (size_t n = 0; n < reading->count; n++)
            if (!absorbed[n])
                merged_add(reading, next, n, &lists, &values);
        ensemble_nodes_take(reading, &lists);
    }
    free(next);
    free(absorbed);
    return status;
}

/* Whether x is in the set, as an expression. */
static uint32_t answer_make(struct expr_pool *pool, enum dtype dtype, uint32_t x, const struct question *question)
{
    size_t count = question->set.count;
    struct expr_map *map = expr_pool_take(pool, 1, sizeof *map);
    double *keys = expr_pool_take(pool, count, sizeof *keys), *ones = expr_pool_take(pool, count, sizeof *ones);
    for (size_t v = 0; v < count; v++) {
        keys[v] = question->set.values[v];
        ones[v] = 1;
    }
    *map = (struct expr_map){.count = count, .number_keys = keys, .number_values = ones};
    uint32_t in = expr_encode(pool, dtype, x, map);
    if (!question->missing || pool->overflow)
        return in;
    uint32_t missing = expr_unary(pool, EXPR_IS_NAN, DTYPE_BOOL, x), one = expr_number(pool, dtype, 1);
    return pool->overflow ? 0 : expr_where(pool, missing, one, in);
}

static enum status questions_gather(struct reading *reading, const double *thresholds, struct question *questions)
{
    size_t q = 0;
    for (size_t n = 0; n < reading->count; n++) {
        if (!asks_for_set(reading, n))
            continue;
        bool member = reading->modes[n] == NODE_MEMBER, other = reading->modes[n] == NODE_NEQ;
        struct node_set set = member ? reading->sets[n] : (struct node_set){&thresholds[n], 1};
        bool numbers = true;
        for (size_t v = 0; v < set.count; v++)
            numbers &= !isnan(set.values[v]);
        if (!numbers || reading->features[n] < 0 || (uint64_t)reading->features[n] >= reading->feature_count)
            return error_set(reading->operation->err, STATUS_INVALID,
                             "node %lld of tree %lld reads feature %lld of %zu, or compares with no number: export "
                             "the model again",
                             ensemble_node_name(reading, n), (long long)reading->trees[n],
                             (long long)reading->features[n], reading->feature_count);
        bool tracks_true = reading->missing && reading->missing[n];
        questions[q++] = (struct question){.feature = (uint32_t)reading->features[n],
                                           .missing = tracks_true && !other, /* NaN ≠ x anyway */
                                           .set = set,
                                           .node = (uint32_t)n};
    }
    return STATUS_OK;
}

/* The sorted questions' inputs behind the operator's own. */
static void inputs_add(struct reading *reading, const struct question *questions, size_t count, uint32_t *features)
{
    struct ensemble *ensemble = reading->ensemble;
    struct expr_pool *pool = reading->operation->pool;
    size_t most = reading->feature_count + count, at = reading->feature_count;
    uint32_t *inputs = expr_pool_take(pool, most, sizeof *inputs),
             *players = expr_pool_take(pool, most, sizeof *inputs);
    for (uint32_t f = 0; f < reading->feature_count; f++) {
        inputs[f] = ensemble->inputs[f];
        players[f] = f;
    }
    for (size_t q = 0; q < count && !pool->overflow; q++) {
        if (q == 0 || question_order(&questions[q - 1], &questions[q]) != 0) {
            players[at] = questions[q].feature;
            inputs[at++] = answer_make(pool, ensemble->dtype, inputs[questions[q].feature], &questions[q]);
        }
        features[questions[q].node] = (uint32_t)at - 1;
    }
    ensemble->inputs = inputs;
    ensemble->players = players;
    ensemble->input_count = at;
    reading->set_features = features;
}

enum status ensemble_sets_add(struct reading *reading)
{
    struct expr_pool *pool = reading->operation->pool;
    size_t count = 0, values = 0;
    for (size_t n = 0; n < reading->count; n++)
        if (asks_for_set(reading, n)) {
            count++;
            values += reading->modes[n] == NODE_MEMBER ? reading->sets[n].count : 1;
        }
    if (count == 0)
        return STATUS_OK;
    if (!expr_pool_room(pool, reading->count + 2 * (reading->feature_count + count), sizeof(uint32_t)) ||
        !expr_pool_room(pool, count * sizeof(struct expr_map) + values * 2 * sizeof(double), 1))
        return STATUS_OK; /* reported by the caller */
    struct question *questions = mem_zeroed(count, sizeof *questions);
    double *thresholds = mem_zeroed(reading->count, sizeof *thresholds);
    for (size_t n = 0; n < reading->count; n++)
        thresholds[n] = number_list_at(&reading->thresholds, n);
    enum status status = questions_gather(reading, thresholds, questions);
    if (status == STATUS_OK) {
        qsort(questions, count, sizeof *questions, question_order);
        inputs_add(reading, questions, count, expr_pool_take(pool, reading->count, sizeof(uint32_t)));
    }
    free(questions);
    free(thresholds);
    return status;
}
