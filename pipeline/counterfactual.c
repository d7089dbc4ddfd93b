/* Counterfactuals. Called by `scorer score` and the HTTP service for one row on request; allocates, so never by the
 * score loop.
 *
 * All values worth trying are gathered first, then scored from the cheapest on, in batches, until one crosses.
 * Categories: each. Integers of a small range: each. Other numbers: a tree's score changes only where a node's
 * comparison does, so the two neighbours of each such place, found by bisection, are all there is to try; a linear
 * score is monotone in the column, so on either side the first value that crosses is found by bisection. Both kinds of
 * bisection end at neighbouring values of the column's type, so no closer value is missed. They suppose that features
 * rise or fall with their column, as shifted and scaled numbers do. */
#include "pipeline/counterfactual.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pipeline/trees.h"
#include "pipeline/trees_program.h"

enum { EACH_WHOLE_MOST = 1024, BATCH = 64 };
static const double OPEN_RANGE = 1e6;

struct candidate {
    uint32_t column;
    struct cell value;
    double cost;
};

/* Where a tree compares a number. */
struct split {
    uint32_t feature;
    double threshold;
};

struct search {
    const struct pipeline *pipeline;
    const struct trees *trees;
    const struct column *columns;
    size_t column_count;
    const struct rule *rules;
    size_t rule_count;
    const struct cell *row;
    struct cell *changed; /* a copy of the row to put values into */
    bool positive;        /* what the row itself is predicted as */
    bool *each;           /* by column: tried value by value, or not at all */
    struct candidate *candidates;
    size_t count, capacity;
};

/* The values a number may take: the schema's range within what the rules allow. */
struct bounds {
    double low, high;
};

static bool crosses(const struct search *search, const struct score *score)
{
    return isfinite(score->probability) && isfinite(score->margin) &&
           (score->probability >= pipeline_threshold(search->pipeline)) != search->positive;
}

static void candidate_add(struct search *search, uint32_t column, struct cell value, double cost)
{
    search->candidates = mem_grow(search->candidates, &search->capacity, search->count + 1, sizeof *search->candidates);
    search->candidates[search->count++] = (struct candidate){column, value, cost};
}

/* What one unit of cost is in the column's own unit. */
static double unit_of(const struct search *search, uint32_t column)
{
    const struct column *schema = &search->columns[column];
    double width = schema->high - schema->low;
    if (isfinite(width) && width > 0)
        return width;
    return fmax(1, fabs(search->row[column].number));
}

static void search_add_number(struct search *search, uint32_t column, double number)
{
    const struct cell *now = &search->row[column];
    bool missing = now->code == CELL_MISSING;
    if (missing || number != now->number)
        candidate_add(search, column, cell_number(number),
                      missing ? 1 : fabs(number - now->number) / unit_of(search, column));
}

static struct bounds bounds_of(const struct search *search, uint32_t column)
{
    const struct column *schema = &search->columns[column];
    const struct cell *row = search->row;
    double now = row[column].code == CELL_MISSING ? 0 : row[column].number;
    double most = fmin(column_most(schema), schema->type == COLUMN_FLOAT ? (double)FLT_MAX : DBL_MAX);
    double reach = OPEN_RANGE * fmax(1, fabs(now));
    struct bounds bounds = {isfinite(schema->low) ? schema->low : fmax(-most, now - reach),
                            isfinite(schema->high) ? schema->high : fmin(most, now + reach)};
    for (size_t r = 0; r < search->rule_count; r++) {
        const struct rule *rule = &search->rules[r];
        if (rule->left == column && rule->right != column && row[rule->right].code != CELL_MISSING)
            bounds.high = fmin(bounds.high, row[rule->right].number);
        if (rule->right == column && rule->left != column && row[rule->left].code != CELL_MISSING)
            bounds.low = fmax(bounds.low, row[rule->left].number);
    }
    if (column_is_whole(schema))
        bounds = (struct bounds){ceil(bounds.low), floor(bounds.high)};
    return bounds;
}

/* Between the two, or one of them where nothing of the column's type lies between. */
static double middle_of(const struct column *column, double a, double b)
{
    double middle = a / 2 + b / 2;
    if (column_is_whole(column))
        return floor(middle);
    return column->type == COLUMN_FLOAT ? (double)(float)middle : middle;
}

/* x ≤ the threshold, of a node that reads this column. */
static bool goes_left(const struct search *search, const struct split *split, uint32_t column, double number)
{
    search->changed[column] = cell_number(number);
    return features_value(search->trees->features, split->feature, search->changed) <= split->threshold;
}

static bool row_crosses(const struct search *search, uint32_t column, double number)
{
    struct score score;
    search->changed[column] = cell_number(number);
    pipeline_score(search->pipeline, search->changed, 1, 0, &score, NULL);
    return crosses(search, &score);
}

/* The split's comparison, or without one the prediction. */
static bool answer_at(const struct search *search, const struct split *split, uint32_t column, double number)
{
    return split ? goes_left(search, split, column, number) : row_crosses(search, column, number);
}

/* Neighbouring values between which the answer changes, which it does between *from and *to. */
static void narrow(const struct search *search, const struct split *split, uint32_t column, double *from, double *to)
{
    bool first = answer_at(search, split, column, *from);
    for (;;) {
        double middle = middle_of(&search->columns[column], fmin(*from, *to), fmax(*from, *to));
        if (middle <= fmin(*from, *to) || middle >= fmax(*from, *to))
            return;
        *(answer_at(search, split, column, middle) == first ? from : to) = middle;
    }
}

static void split_add(struct search *search, const struct split *split, uint32_t column, struct bounds bounds)
{
    double from = bounds.low, to = bounds.high;
    if (goes_left(search, split, column, from) != goes_left(search, split, column, to)) {
        narrow(search, split, column, &from, &to);
        search_add_number(search, column, from);
        search_add_number(search, column, to);
    }
    search->changed[column] = search->row[column];
}

/* From where the number is now towards one end. */
static void side_add(struct search *search, uint32_t column, double from, double to)
{
    if (!row_crosses(search, column, from) && row_crosses(search, column, to))
        narrow(search, NULL, column, &from, &to);
    search_add_number(search, column, to);
    search->changed[column] = search->row[column];
}

static void linear_add(struct search *search, uint32_t column, struct bounds bounds)
{
    const struct cell *now = &search->row[column];
    double from = now->code == CELL_MISSING ? bounds.low : fmin(fmax(now->number, bounds.low), bounds.high);
    search_add_number(search, column, from);
    side_add(search, column, from, bounds.low);
    side_add(search, column, from, bounds.high);
}

/* Numbers of trees are gathered by splits_add instead, all columns at once. */
static void number_gather(struct search *search, uint32_t column)
{
    struct bounds bounds = bounds_of(search, column);
    search->each[column] = true;
    if (!(bounds.low <= bounds.high))
        return;
    if (column_is_whole(&search->columns[column]) && bounds.high - bounds.low < EACH_WHOLE_MOST) {
        for (double number = bounds.low; number <= bounds.high; number++)
            search_add_number(search, column, number);
        return;
    }
    search_add_number(search, column, bounds.low);
    search_add_number(search, column, bounds.high);
    search->each[column] = !search->trees;
    if (!search->trees)
        linear_add(search, column, bounds);
}

static void nominal_gather(struct search *search, uint32_t column)
{
    const struct column *schema = &search->columns[column];
    for (size_t v = 0; v < schema->value_count; v++)
        if (search->row[column].code != (int32_t)v)
            candidate_add(search, column,
                          (struct cell){.text = schema->values[v].data,
                                        .text_bytes = (uint32_t)schema->values[v].bytes,
                                        .code = (int32_t)v},
                          1);
}

static int split_order(const void *a, const void *b)
{
    const struct split *left = a, *right = b;
    if (left->feature != right->feature)
        return left->feature < right->feature ? -1 : 1;
    return (left->threshold > right->threshold) - (left->threshold < right->threshold);
}

static void splits_gather(struct search *search)
{
    const struct ensemble *ensemble = search->trees->ensemble;
    struct split *splits = mem_zeroed(ensemble->node_count, sizeof *splits);
    size_t count = 0;
    for (size_t n = 0; n < ensemble->node_count; n++) {
        const struct tree_node *node = &ensemble->nodes[n];
        int32_t column = node->left ? features_column(search->trees->features, node->feature) : -1;
        if (column >= 0 && search->columns[column].kind != COLUMN_NOMINAL && !search->each[column])
            splits[count++] = (struct split){node->feature, node->threshold};
    }
    qsort(splits, count, sizeof *splits, split_order);
    for (size_t s = 0; s < count; s++) {
        uint32_t column = (uint32_t)features_column(search->trees->features, splits[s].feature);
        if (s == 0 || split_order(&splits[s], &splits[s - 1]) != 0)
            split_add(search, &splits[s], column, bounds_of(search, column));
    }
    free(splits);
}

/* Of one column and code are numbers alone. */
static int candidate_order(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    if (left->cost != right->cost)
        return left->cost < right->cost ? -1 : 1;
    if (left->column != right->column)
        return left->column < right->column ? -1 : 1;
    if (left->value.code != right->value.code)
        return left->value.code < right->value.code ? -1 : 1;
    return (left->value.number > right->value.number) - (left->value.number < right->value.number);
}

static void candidates_gather(struct search *search)
{
    const struct pipeline_input *inputs;
    size_t count = pipeline_inputs(search->pipeline, &inputs);
    for (size_t i = 0; i < count; i++) {
        if (!inputs[i].used)
            continue;
        if (search->columns[inputs[i].column].kind == COLUMN_NOMINAL)
            nominal_gather(search, inputs[i].column);
        else
            number_gather(search, inputs[i].column);
    }
    if (search->trees)
        splits_gather(search);
    if (search->count)
        qsort(search->candidates, search->count, sizeof *search->candidates, candidate_order);
}

static double past_threshold(const struct search *search, double probability)
{
    return fabs(probability - pipeline_threshold(search->pipeline));
}

/* Keeps the better of *out and this one; false: this one is dearer, and so are all that follow. */
static bool consider(const struct search *search, const struct candidate *candidate, const struct score *score,
                     bool *found, struct counterfactual *out)
{
    if (*found && candidate->cost > out->cost)
        return false;
    if (!crosses(search, score) ||
        (*found && past_threshold(search, score->probability) <= past_threshold(search, out->probability)))
        return true;
    *out = (struct counterfactual){candidate->column, candidate->value, candidate->cost, score->probability};
    *found = true;
    return true;
}

/* The first of the sorted candidates that crosses, and the best of those that cost as little. */
static bool candidates_try(const struct search *search, struct counterfactual *out)
{
    struct cell *cells = mem_zeroed(BATCH * search->column_count, sizeof *cells);
    struct score scores[BATCH];
    bool found = false, more = true;
    for (size_t at = 0; at < search->count && more; at += BATCH) {
        size_t count = search->count - at < BATCH ? search->count - at : BATCH;
        for (size_t c = 0; c < count; c++) {
            struct cell *row = cells + c * search->column_count;
            memcpy(row, search->row, search->column_count * sizeof *row);
            row[search->candidates[at + c].column] = search->candidates[at + c].value;
        }
        pipeline_score(search->pipeline, cells, count, 0, scores, NULL);
        for (size_t c = 0; c < count && more; c++)
            more = consider(search, &search->candidates[at + c], &scores[c], &found, out);
    }
    free(cells);
    return found;
}

bool pipeline_counterfactual(const struct pipeline *pipeline, const struct rule *rules, size_t rule_count,
                             const struct cell *row, struct counterfactual *out)
{
    struct search search = {.pipeline = pipeline, .rules = rules, .rule_count = rule_count, .row = row};
    struct score score;
    pipeline_score(pipeline, row, 1, 0, &score, NULL);
    if (!isfinite(score.probability) || !isfinite(score.margin) || pipeline_kind(pipeline) == PIPELINE_STEPS)
        return false; /* of steps nothing says where they change */
    search.positive = score.probability >= pipeline_threshold(pipeline);
    search.trees = pipeline_trees(pipeline);
    search.columns = pipeline_columns(pipeline, &search.column_count);
    search.changed = mem_zeroed(search.column_count, sizeof *search.changed);
    memcpy(search.changed, row, search.column_count * sizeof *row);
    search.each = mem_zeroed(search.column_count, sizeof *search.each);
    candidates_gather(&search);
    bool found = candidates_try(&search, out);
    free(search.changed);
    free(search.each);
    free(search.candidates);
    return found;
}
