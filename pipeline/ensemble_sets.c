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
        if (reading->features[n] < 0 || (uint64_t)reading->features[n] >= reading->feature_count ||
            (!member && isnan(thresholds[n])))
            return error_set(reading->operation->err, STATUS_INVALID,
                             "node %lld of tree %lld reads feature %lld of %zu, or compares with no number: export "
                             "the model again",
                             (long long)reading->ids[n], (long long)reading->trees[n], (long long)reading->features[n],
                             reading->feature_count);
        bool tracks_true = reading->missing && reading->missing[n];
        questions[q++] = (struct question){.feature = (uint32_t)reading->features[n],
                                           .missing = tracks_true && !other, /* NaN ≠ x anyway */
                                           .set = member ? reading->sets[n] : (struct node_set){&thresholds[n], 1},
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
    uint32_t *inputs = expr_pool_take(pool, most, sizeof *inputs), *players = expr_pool_take(pool, most, sizeof *inputs);
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
