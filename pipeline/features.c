/* Cells → the floats that trees compare. features_compile is called by trees_compile.c at load; features_write by
 * trees.c for every row on any thread, and must not allocate.
 *
 * A nominal column's features are tabulated (tabulation.h). A number's are a formula where they are one, else evaluated
 * expression by expression.
 *
 * Nodes compare floats whatever the graph's type. Float graphs: the values themselves. Double graphs with thresholds
 * that are floats: x rounded up to a float, since then x ≤ t exactly where up(x) ≤ t. Other double graphs: the number
 * of the feature's thresholds below x, against the position of the threshold. All three decide as the doubles would. */
#include "pipeline/features.h"

#include <math.h>
#include <stdlib.h>

#include "base/order.h"
#include "pipeline/expr_shapes.h"
#include "pipeline/tabulation.h"

enum conversion { CONVERT_FLOAT, CONVERT_UP, CONVERT_RANK };

struct feature {
    struct feature_slot at;
    double *ranks; /* CONVERT_RANK: its thresholds, ascending, each once */
    size_t rank_count;
};

struct number_feature {
    struct formula formula;
    uint32_t feature;
    bool to_float; /* rounded once more at the end */
    float missing; /* the value of a missing cell */
};

/* All slots of a nominal column, side by side. */
struct text_features {
    struct text_rows texts;
    uint32_t first_slot, count;
    const float *rows; /* [row × count] */
};

struct mixed_feature {
    uint32_t feature, expr;
};

struct features {
    const struct expr_pool *pool;
    const struct ensemble *ensemble;
    struct arena arena;
    size_t bytes, column_count, slot_count;
    enum conversion conversion;
    struct feature *list; /* by feature */
    struct number_feature *numbers;
    struct text_features *texts;
    struct mixed_feature *mixed;
    size_t number_count, text_count, mixed_count;
    uint32_t *given; /* features that are read, where their values are given */
    size_t given_count;
};

struct feature_fold {
    struct features *features;
    struct tabulation tabulation;
    uint32_t mixed_cost;
    struct error *err;
};

static void *features_take(struct features *features, size_t count, size_t size)
{
    features->bytes += count * size;
    return arena_zeroed(&features->arena, count, size);
}

static float round_up(double number)
{
    float near = (float)number;
    return (double)near < number ? nextafterf(near, INFINITY) : near;
}

/* How many thresholds are below x. */
static float feature_rank_of(const struct feature *feature, double x)
{
    size_t low = 0, high = feature->rank_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (feature->ranks[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return isnan(x) ? NAN : (float)low;
}

static inline float convert(const struct features *features, uint32_t feature, double number)
{
    if (features->conversion == CONVERT_FLOAT)
        return (float)number;
    return features->conversion == CONVERT_UP ? round_up(number) : feature_rank_of(&features->list[feature], number);
}

float features_threshold(const struct features *features, uint32_t feature, double threshold)
{
    if (features->conversion != CONVERT_RANK)
        return (float)threshold;
    return feature_rank_of(&features->list[feature], threshold);
}

static void ranks_gather(struct features *features)
{
    const struct ensemble *ensemble = features->ensemble;
    for (size_t n = 0; n < ensemble->node_count; n++)
        if (ensemble->nodes[n].left)
            features->list[ensemble->nodes[n].feature].rank_count++;
    for (size_t f = 0; f < ensemble->input_count; f++) {
        struct feature *feature = &features->list[f];
        feature->ranks = features_take(features, feature->rank_count, sizeof *feature->ranks);
        feature->rank_count = 0;
    }
    for (size_t n = 0; n < ensemble->node_count; n++) {
        const struct tree_node *node = &ensemble->nodes[n];
        struct feature *feature = node->left ? &features->list[node->feature] : NULL;
        if (feature)
            feature->ranks[feature->rank_count++] = node->threshold;
    }
    for (size_t f = 0; f < ensemble->input_count; f++) {
        struct feature *feature = &features->list[f];
        size_t kept = 0;
        if (feature->rank_count)
            qsort(feature->ranks, feature->rank_count, sizeof *feature->ranks, order_doubles);
        for (size_t r = 0; r < feature->rank_count; r++)
            if (kept == 0 || feature->ranks[r] > feature->ranks[kept - 1])
                feature->ranks[kept++] = feature->ranks[r];
        feature->rank_count = kept;
    }
}

static void conversion_choose(struct features *features)
{
    const struct ensemble *ensemble = features->ensemble;
    if (ensemble->dtype == DTYPE_FLOAT)
        return;
    features->conversion = CONVERT_UP;
    for (size_t n = 0; n < ensemble->node_count; n++)
        if (ensemble->nodes[n].left && (double)(float)ensemble->nodes[n].threshold != ensemble->nodes[n].threshold)
            features->conversion = CONVERT_RANK;
    if (features->conversion == CONVERT_RANK)
        ranks_gather(features);
}

/* Which features are read, and how: marks slots with 1 until they are numbered. */
static void slots_mark(struct features *features)
{
    const struct ensemble *ensemble = features->ensemble;
    for (size_t n = 0; n < ensemble->node_count; n++) {
        const struct tree_node *node = &ensemble->nodes[n];
        if (!node->left)
            continue;
        struct feature_slot *at = &features->list[node->feature].at;
        *(node->missing_left ? &at->low : &at->slot) = 1;
    }
}

static enum status slots_number(struct feature_fold *fold, uint32_t feature)
{
    struct features *features = fold->features;
    struct feature_slot *at = &features->list[feature].at;
    if (at->slot)
        at->slot = (uint32_t)features->slot_count++;
    if (at->low)
        at->low = (uint32_t)features->slot_count++;
    if (features->slot_count > FEATURE_MAX_SLOTS)
        return error_set(fold->err, STATUS_LIMIT, "the trees read more than %d features", FEATURE_MAX_SLOTS);
    return STATUS_OK;
}

static bool feature_read(const struct features *features, uint32_t feature)
{
    return features->list[feature].at.slot || features->list[feature].at.low;
}

/* A formula, perhaps rounded to float at its end (what is computed in doubles and cast for the trees). */
static bool number_match(const struct features *features, uint32_t expr, struct number_feature *out)
{
    const struct expr *top = expr_at(features->pool, expr);
    out->to_float = top->op == EXPR_CAST && top->dtype == DTYPE_FLOAT;
    return formula_match(features->pool, out->to_float ? top->a : expr, &out->formula);
}

static enum status fold_number_feature(struct feature_fold *fold, uint32_t feature)
{
    struct features *features = fold->features;
    uint32_t expr = features->ensemble->inputs[feature];
    struct number_feature number = {.feature = feature};
    if (number_match(features, expr, &number)) {
        tabulation_set_missing(&fold->tabulation, number.formula.column);
        number.missing = convert(features, feature, tabulation_value(&fold->tabulation, expr));
        features->numbers[features->number_count++] = number;
        return STATUS_OK;
    }
    if (__builtin_add_overflow(fold->mixed_cost, expr_at(features->pool, expr)->cost, &fold->mixed_cost) ||
        fold->mixed_cost > MIXED_MAX_COST)
        return error_set(fold->err, STATUS_UNSUPPORTED, "feature %u of the trees takes too many steps to compute",
                         feature);
    features->mixed[features->mixed_count++] = (struct mixed_feature){feature, expr};
    return STATUS_OK;
}

/* The column's slots for the text at work. */
static void text_row(struct feature_fold *fold, const struct text_features *column, float *row)
{
    struct features *features = fold->features;
    for (uint32_t f = 0; f < features->ensemble->input_count; f++) {
        uint32_t expr = features->ensemble->inputs[f];
        if (expr_at(features->pool, expr)->column != (int32_t)column->texts.column || !feature_read(features, f))
            continue;
        struct feature_slot at = features->list[f].at;
        float value = convert(features, f, tabulation_value(&fold->tabulation, expr));
        if (at.slot)
            row[at.slot - column->first_slot] = value;
        if (at.low)
            row[at.low - column->first_slot] = isnan(value) ? -INFINITY : value;
    }
}

static enum status fold_text_features(struct feature_fold *fold, uint32_t column, struct text_features *out)
{
    struct features *features = fold->features;
    struct tabulation *tabulation = &fold->tabulation;
    const struct ensemble *ensemble = features->ensemble;
    tabulation_begin(tabulation);
    for (uint32_t f = 0; f < ensemble->input_count; f++)
        if (expr_at(features->pool, ensemble->inputs[f])->column == (int32_t)column)
            tabulation_add(tabulation, ensemble->inputs[f]);
    if (tabulation_end(tabulation, column, ensemble->input_count, &out->texts, fold->err) != STATUS_OK)
        return fold->err->status;
    float *rows = features_take(features, text_rows_count(&out->texts) * out->count, sizeof *rows);
    for (size_t row = 0; row < text_rows_count(&out->texts); row++) {
        tabulation_set_row(tabulation, &out->texts, row);
        text_row(fold, out, rows + row * out->count);
    }
    tabulation_set_missing(tabulation, column);
    out->rows = rows;
    return STATUS_OK;
}

/* Every feature of one column (or of none), numbered side by side. */
static enum status fold_column(struct feature_fold *fold, int32_t column)
{
    struct features *features = fold->features;
    bool text = column >= 0 && features->pool->columns[column].kind == COLUMN_NOMINAL;
    uint32_t first = (uint32_t)features->slot_count;
    enum status status = STATUS_OK;
    for (uint32_t f = 0; f < features->ensemble->input_count && status == STATUS_OK; f++) {
        if (!feature_read(features, f) || expr_at(features->pool, features->ensemble->inputs[f])->column != column)
            continue;
        status = slots_number(fold, f);
        if (status == STATUS_OK && !text)
            status = fold_number_feature(fold, f);
    }
    uint32_t count = (uint32_t)features->slot_count - first;
    if (status != STATUS_OK || !text || count == 0)
        return status;
    struct text_features *into = &features->texts[features->text_count++];
    *into = (struct text_features){.first_slot = first, .count = count};
    return fold_text_features(fold, (uint32_t)column, into);
}

static enum status fold_given(struct feature_fold *fold)
{
    struct features *features = fold->features;
    size_t inputs = features->ensemble->input_count;
    features->list = features_take(features, inputs, sizeof *features->list);
    features->given = features_take(features, inputs, sizeof *features->given);
    conversion_choose(features);
    slots_mark(features);
    enum status status = STATUS_OK;
    for (uint32_t f = 0; f < inputs && status == STATUS_OK; f++)
        if (feature_read(features, f)) {
            features->given[features->given_count++] = f;
            status = slots_number(fold, f);
        }
    return status;
}

static enum status fold_all(struct feature_fold *fold)
{
    struct features *features = fold->features;
    size_t inputs = features->ensemble->input_count;
    features->list = features_take(features, inputs, sizeof *features->list);
    features->numbers = features_take(features, inputs, sizeof *features->numbers);
    features->mixed = features_take(features, inputs, sizeof *features->mixed);
    features->texts = features_take(features, features->column_count, sizeof *features->texts);
    conversion_choose(features);
    slots_mark(features);
    bool *columns = mem_zeroed(features->column_count + 1, sizeof *columns); /* [column + 1] */
    enum status status = STATUS_OK;
    for (uint32_t f = 0; f < inputs && status == STATUS_OK; f++) {
        int32_t column = expr_at(features->pool, features->ensemble->inputs[f])->column;
        if (column == EXPR_MANY_COLUMNS && feature_read(features, f))
            status = expr_refuse_mixing(features->pool, features->ensemble->inputs[f], "the trees", f, fold->err);
        else if (column != EXPR_MANY_COLUMNS)
            columns[column + 1] = true;
    }
    for (size_t c = 0; c <= features->column_count && status == STATUS_OK; c++)
        if (columns[c])
            status = fold_column(fold, (int32_t)c - 1);
    free(columns);
    return status;
}

enum status features_compile(const struct expr_pool *pool, const struct ensemble *ensemble, size_t column_count,
                             bool given, struct features **out, struct error *err)
{
    struct features *features = mem_zeroed(1, sizeof *features);
    features->pool = pool;
    features->ensemble = ensemble;
    features->column_count = column_count;
    features->slot_count = 1;
    features->bytes = sizeof *features;
    struct feature_fold fold = {.features = features, .err = err};
    if (given) {
        enum status status = fold_given(&fold);
        if (status == STATUS_OK)
            *out = features;
        else
            features_free(features);
        return status;
    }
    tabulation_init(&fold.tabulation, pool, column_count, &features->arena, &features->bytes);
    enum status status = fold_all(&fold);
    tabulation_free(&fold.tabulation);
    if (status != STATUS_OK)
        features_free(features);
    else
        *out = features;
    return status;
}

void features_free(struct features *features)
{
    if (!features)
        return;
    arena_free(&features->arena);
    free(features);
}

size_t features_slot_count(const struct features *features)
{
    return features->slot_count;
}

struct feature_slot features_slot(const struct features *features, uint32_t feature)
{
    return features->list[feature].at;
}

int32_t features_column(const struct features *features, uint32_t feature)
{
    return expr_at(features->pool, features->ensemble->inputs[feature])->column;
}

double features_value(const struct features *features, uint32_t feature, const struct cell *cells)
{
    return expr_evaluate(features->pool, features->ensemble->inputs[feature], cells).number;
}

size_t features_bytes(const struct features *features)
{
    return features->bytes;
}

static inline double formula_value(const struct formula *formula, double x)
{
    if (formula->dtype == DTYPE_FLOAT) {
        float centred = (float)x - (float)formula->offset;
        return formula->multiply ? centred * (float)formula->factor : centred / (float)formula->factor;
    }
    double centred = x - formula->offset;
    return formula->multiply ? centred * formula->factor : centred / formula->factor;
}

static inline void slot_write(const struct features *features, uint32_t feature, float value, float *x)
{
    struct feature_slot at = features->list[feature].at;
    if (at.slot)
        x[at.slot * FEATURE_LANES] = value;
    if (at.low)
        x[at.low * FEATURE_LANES] = isnan(value) ? -INFINITY : value;
}

static void numbers_write(const struct features *features, const struct cell *cells, float *x)
{
    for (size_t n = 0; n < features->number_count; n++) {
        const struct number_feature *number = &features->numbers[n];
        const struct cell *cell = &cells[number->formula.column];
        float value = number->missing;
        if (cell->code != CELL_MISSING && !isnan(cell->number)) {
            double computed = formula_value(&number->formula, cell->number);
            value = convert(features, number->feature, number->to_float ? (double)(float)computed : computed);
        }
        slot_write(features, number->feature, value, x);
    }
}

void features_write(const struct features *features, const struct cell *cells, float *x)
{
    x[0] = -INFINITY;
    numbers_write(features, cells, x);
    for (size_t t = 0; t < features->text_count; t++) {
        const struct text_features *column = &features->texts[t];
        const float *row = column->rows + text_rows_find(&column->texts, &cells[column->texts.column]) * column->count;
        for (uint32_t s = 0; s < column->count; s++)
            x[(column->first_slot + s) * FEATURE_LANES] = row[s];
    }
    for (size_t m = 0; m < features->mixed_count; m++) {
        uint32_t feature = features->mixed[m].feature;
        double value = expr_evaluate(features->pool, features->mixed[m].expr, cells).number;
        slot_write(features, feature, convert(features, feature, value), x);
    }
}

void features_write_given(const struct features *features, const double *const *inputs, size_t row, float *x)
{
    x[0] = -INFINITY;
    for (size_t g = 0; g < features->given_count; g++) {
        uint32_t feature = features->given[g];
        slot_write(features, feature, convert(features, feature, inputs[feature][row]), x);
    }
}
