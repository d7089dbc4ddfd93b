/* Expressions → struct linear: groups the features of a logistic regression by the column they come from, and folds
 * imputation, scaling, one-hot and weight of each column into one term. Called by pipeline_load, at load only. */
#include "pipeline/expr_shapes.h"
#include "pipeline/linear_program.h"

#include <math.h>
#include <stdlib.h>

/* The features of one column, with their weights. */
struct column_parts {
    uint32_t column;
    struct expr_terms parts;
};

struct fold {
    const struct expr_pool *pool;
    struct linear *linear;
    struct tabulation tabulation;
    uint32_t mixed_cost;
    struct error *err;
};

static void *linear_take(struct linear *linear, size_t count, size_t size)
{
    linear->bytes += count * size;
    return arena_zeroed(&linear->arena, count, size);
}

/* The raw score behind a probability; *normalised if it is divided by the sum of both. NULL: another form. */
static const struct expr *link_match(const struct expr_pool *pool, uint32_t probability, bool *normalised)
{
    const struct expr *share = expr_at(pool, probability);
    *normalised = share->op == EXPR_DIV;
    if (*normalised) {
        const struct expr *sum = expr_at(pool, share->b);
        if (sum->op != EXPR_ADD || (sum->a != share->a && sum->b != share->a))
            return NULL;
        uint32_t other = sum->a == share->a ? sum->b : sum->a;
        if (expr_at(pool, other)->op != EXPR_SIGMOID)
            return NULL;
        share = expr_at(pool, share->a);
    }
    if (share->op != EXPR_SIGMOID || expr_at(pool, share->a)->op != EXPR_LINEAR)
        return NULL;
    return expr_at(pool, share->a);
}

/* In the normalised form the other score must be this one negated, term by term: then one margin says both. */
static bool scores_opposed(const struct expr *a, const struct expr *b)
{
    if (a->op != EXPR_LINEAR || b->op != EXPR_LINEAR || a->terms->count != b->terms->count || a->number != -b->number)
        return false;
    for (size_t t = 0; t < a->terms->count; t++)
        if (a->terms->terms[t].expr != b->terms->terms[t].expr ||
            a->terms->terms[t].weight != -b->terms->terms[t].weight)
            return false;
    return true;
}

/* 1 − share: how skl2onnx writes the first class of some models. */
static bool is_rest_of(const struct expr_pool *pool, uint32_t rest, uint32_t share)
{
    const struct expr *expr = expr_at(pool, rest);
    return expr->op == EXPR_SUB && expr->b == share && expr_at(pool, expr->a)->op == EXPR_NUMBER &&
           expr_at(pool, expr->a)->number == 1;
}

static struct expr_terms *terms_negated(struct linear *linear, const struct expr_terms *terms)
{
    struct expr_terms *negated = linear_take(linear, 1, sizeof *negated);
    struct expr_term *list = linear_take(linear, terms->count, sizeof *list);
    for (size_t t = 0; t < terms->count; t++)
        list[t] = (struct expr_term){terms->terms[t].expr, -terms->terms[t].weight};
    *negated = (struct expr_terms){terms->count, list};
    return negated;
}

/* Where the positive class is the one written as 1 − the other's sigmoid: the other's score, negated. */
static const struct expr *score_of_rest(const struct fold *fold, uint32_t rest, uint32_t share)
{
    bool normalised = false;
    const struct expr *other = link_match(fold->pool, share, &normalised);
    if (!other || normalised || !is_rest_of(fold->pool, rest, share))
        return NULL;
    struct expr *score = linear_take(fold->linear, 1, sizeof *score);
    *score = *other;
    score->number = -other->number;
    score->terms = terms_negated(fold->linear, other->terms);
    fold->linear->dtype = (enum dtype)score->dtype;
    return score;
}

static const struct expr *score_find(const struct fold *fold, const struct compiled *compiled, size_t positive)
{
    bool normalised = false, other_normalised = false;
    const struct expr *score = link_match(fold->pool, compiled->probabilities[positive], &normalised);
    const struct expr *rest =
        score_of_rest(fold, compiled->probabilities[positive], compiled->probabilities[1 - positive]);
    if (rest)
        return rest;
    const struct expr *other = link_match(fold->pool, compiled->probabilities[1 - positive], &other_normalised);
    if (score && is_rest_of(fold->pool, compiled->probabilities[1 - positive], compiled->probabilities[positive])) {
        other = score;
        other_normalised = normalised;
    }
    if (!score || !other || normalised != other_normalised || (normalised && !scores_opposed(score, other)))
        return NULL;
    fold->linear->normalised = normalised;
    fold->linear->dtype = (enum dtype)score->dtype;
    return score;
}

static double parts_value(struct fold *fold, const struct expr_terms *parts)
{
    double sum = 0;
    for (size_t p = 0; p < parts->count; p++)
        sum += parts->terms[p].weight * tabulation_value(&fold->tabulation, parts->terms[p].expr);
    return sum;
}

static enum status fold_mixed(struct fold *fold, const struct column_parts *column)
{
    for (size_t p = 0; p < column->parts.count; p++)
        if (__builtin_add_overflow(fold->mixed_cost, expr_at(fold->pool, column->parts.terms[p].expr)->cost,
                                   &fold->mixed_cost) ||
            fold->mixed_cost > MIXED_MAX_COST)
            return error_set(fold->err, STATUS_UNSUPPORTED, "column %s: its features take too many steps to compute",
                             fold->pool->columns[column->column].name);
    fold->linear->mixed[fold->linear->mixed_count++] =
        (struct mixed_term){.column = column->column, .parts = column->parts};
    return STATUS_OK;
}

static void number_terms_add(struct number_terms *numbers, const struct formula_term *formula)
{
    numbers->columns[numbers->count] = formula->column;
    numbers->offsets[numbers->count] = formula->offset;
    numbers->divisors[numbers->count] = formula->factor;
    numbers->weights[numbers->count] = formula->weight;
    numbers->missing[numbers->count] = formula->missing;
    numbers->count++;
}

static enum status fold_number(struct fold *fold, const struct column_parts *column)
{
    struct linear *linear = fold->linear;
    struct formula shape;
    if (column->parts.count != 1 || !formula_match(fold->pool, column->parts.terms[0].expr, &shape))
        return fold_mixed(fold, column);
    struct formula_term formula = {.column = column->column,
                                   .dtype = shape.dtype,
                                   .multiply = shape.multiply,
                                   .offset = shape.offset,
                                   .factor = shape.factor};
    formula.weight = column->parts.terms[0].weight;
    tabulation_set_missing(&fold->tabulation, column->column);
    formula.missing = parts_value(fold, &column->parts);
    if (formula.dtype == DTYPE_DOUBLE && !formula.multiply)
        number_terms_add(&linear->numbers, &formula);
    else
        linear->formulas[linear->formula_count++] = formula;
    return STATUS_OK;
}

static enum status fold_table(struct fold *fold, const struct column_parts *column)
{
    struct linear *linear = fold->linear;
    struct tabulation *tabulation = &fold->tabulation;
    struct table_term table = {0};
    tabulation_begin(tabulation);
    for (size_t p = 0; p < column->parts.count; p++)
        tabulation_add(tabulation, column->parts.terms[p].expr);
    if (tabulation_end(tabulation, column->column, column->parts.count, &table.texts, fold->err) != STATUS_OK)
        return fold->err->status;
    double *values = linear_take(linear, text_rows_count(&table.texts), sizeof *values);
    for (size_t row = 0; row < text_rows_count(&table.texts); row++) {
        tabulation_set_row(tabulation, &table.texts, row);
        values[row] = parts_value(fold, &column->parts);
    }
    tabulation_set_missing(tabulation, column->column);
    table.values = values;
    linear->tables[linear->table_count++] = table;
    return STATUS_OK;
}

/* Sorts the score's features by column, columns in the order of their first feature. Constants go to the intercept. */
static enum status parts_gather(struct fold *fold, const struct expr *score, struct column_parts *columns,
                                size_t *count)
{
    size_t *slots = mem_zeroed(fold->linear->column_count, sizeof *slots); /* 0: none yet, else position + 1 */
    size_t *sizes = mem_zeroed(fold->linear->column_count, sizeof *sizes);
    enum status status = STATUS_OK;
    fold->linear->intercept = score->number;
    if (!isfinite(score->number))
        status = error_set(fold->err, STATUS_INVALID, "the model's intercept is not finite: train again");
    for (size_t t = 0; t < score->terms->count && status == STATUS_OK; t++) {
        const struct expr *feature = expr_at(fold->pool, score->terms->terms[t].expr);
        if (!isfinite(score->terms->terms[t].weight))
            status = error_set(fold->err, STATUS_INVALID, "weight %zu of the model is not finite: train again", t);
        else if (feature->column >= 0)
            sizes[feature->column]++;
        else if (feature->column == EXPR_MANY_COLUMNS || feature->op != EXPR_NUMBER)
            status = expr_refuse_mixing(fold->pool, score->terms->terms[t].expr, "the linear score", t, fold->err);
        else
            fold->linear->intercept += score->terms->terms[t].weight * feature->number;
    }
    for (size_t t = 0; t < score->terms->count && status == STATUS_OK; t++) {
        int32_t column = expr_at(fold->pool, score->terms->terms[t].expr)->column;
        if (column < 0)
            continue;
        if (!slots[column]) {
            columns[*count].column = (uint32_t)column;
            columns[*count].parts.terms = linear_take(fold->linear, sizes[column], sizeof(struct expr_term));
            slots[column] = ++*count;
        }
        struct expr_terms *parts = &columns[slots[column] - 1].parts;
        memcpy((struct expr_term *)parts->terms + parts->count++, &score->terms->terms[t], sizeof(struct expr_term));
    }
    free(slots);
    free(sizes);
    return status;
}

static void position_set(struct linear *linear, uint32_t column, uint32_t *position)
{
    *position = (uint32_t)linear->term_count;
    linear->columns[linear->term_count++] = column;
}

/* The order of summation: numbers, tables, formulas, the rest; each in the order of the file's features. */
static void positions_assign(struct linear *linear)
{
    uint32_t position = 0;
    for (size_t t = 0; t < linear->numbers.count; t++)
        position_set(linear, linear->numbers.columns[t], &position);
    for (size_t t = 0; t < linear->table_count; t++)
        position_set(linear, linear->tables[t].texts.column, &linear->tables[t].position);
    for (size_t t = 0; t < linear->formula_count; t++)
        position_set(linear, linear->formulas[t].column, &linear->formulas[t].position);
    for (size_t t = 0; t < linear->mixed_count; t++)
        position_set(linear, linear->mixed[t].column, &linear->mixed[t].position);
}

/* How far a column's term swings: the weight of a scaled number, half the range of a table. */
static void spreads_find(const struct linear *linear, const struct column *columns, double *spreads)
{
    for (size_t t = 0; t < linear->numbers.count; t++)
        spreads[t] = fabs(linear->numbers.weights[t]);
    for (size_t t = 0; t < linear->formula_count; t++)
        spreads[linear->formulas[t].position] = fabs(linear->formulas[t].weight);
    for (size_t t = 0; t < linear->table_count; t++) {
        const struct table_term *table = &linear->tables[t];
        double low = INFINITY, high = -INFINITY;
        for (size_t v = 0; v < columns[table->texts.column].value_count; v++) {
            low = fmin(low, table->values[v + 2]);
            high = fmax(high, table->values[v + 2]);
        }
        spreads[table->position] = high > low ? (high - low) / 2 : 0;
    }
}

/* By insertion, at load: a few dozen columns. Equal spreads stay in the order of summation. */
static void by_spread_sort(struct linear *linear, const double *spreads)
{
    for (size_t i = 0; i < linear->term_count; i++) {
        size_t at = i;
        for (; at > 0 && spreads[i] > spreads[linear->by_spread[at - 1].position]; at--)
            linear->by_spread[at] = linear->by_spread[at - 1];
        linear->by_spread[at] = (struct column_position){linear->columns[i], (uint32_t)i};
    }
}

static void linear_reserve(struct linear *linear, size_t count)
{
    linear->numbers = (struct number_terms){.columns = linear_take(linear, count, sizeof(uint32_t)),
                                            .offsets = linear_take(linear, count, sizeof(double)),
                                            .divisors = linear_take(linear, count, sizeof(double)),
                                            .weights = linear_take(linear, count, sizeof(double)),
                                            .missing = linear_take(linear, count, sizeof(double))};
    linear->formulas = linear_take(linear, count, sizeof *linear->formulas);
    linear->tables = linear_take(linear, count, sizeof *linear->tables);
    linear->mixed = linear_take(linear, count, sizeof *linear->mixed);
    linear->columns = linear_take(linear, count, sizeof *linear->columns);
    linear->by_spread = linear_take(linear, count, sizeof *linear->by_spread);
}

static enum status fold_columns(struct fold *fold, const struct column_parts *columns, size_t count)
{
    struct linear *linear = fold->linear;
    double spreads[LINEAR_MAX_TERMS] = {0};
    if (count > LINEAR_MAX_TERMS)
        return error_set(fold->err, STATUS_LIMIT, "the model uses %zu columns, more than %d", count, LINEAR_MAX_TERMS);
    linear_reserve(linear, count);
    for (size_t c = 0; c < count; c++) {
        bool text = fold->pool->columns[columns[c].column].kind == COLUMN_NOMINAL;
        enum status status = (text ? fold_table : fold_number)(fold, &columns[c]);
        if (status != STATUS_OK)
            return status;
    }
    positions_assign(linear);
    spreads_find(linear, fold->pool->columns, spreads);
    by_spread_sort(linear, spreads);
    return STATUS_OK;
}

static enum status fold_run(struct fold *fold, const struct compiled *compiled, size_t positive)
{
    const struct expr *score = score_find(fold, compiled, positive);
    if (!score)
        return error_set(fold->err, STATUS_UNSUPPORTED,
                         "the model's probabilities are not the sigmoid of a linear score: see docs/MODELS.md");
    struct column_parts *columns = mem_zeroed(fold->linear->column_count, sizeof *columns);
    size_t count = 0;
    enum status status = parts_gather(fold, score, columns, &count);
    if (status == STATUS_OK)
        status = fold_columns(fold, columns, count);
    free(columns);
    return status;
}

enum status linear_compile(const struct expr_pool *pool, const struct compiled *compiled, size_t positive,
                           size_t column_count, struct linear **out, struct error *err)
{
    struct linear *linear = mem_zeroed(1, sizeof *linear);
    linear->pool = pool;
    linear->column_count = column_count;
    linear->bytes = sizeof *linear;
    struct fold fold = {.pool = pool, .linear = linear, .err = err};
    tabulation_init(&fold.tabulation, pool, column_count, &linear->arena, &linear->bytes);
    enum status status = fold_run(&fold, compiled, positive);
    tabulation_free(&fold.tabulation);
    if (status != STATUS_OK)
        linear_free(linear);
    else
        *out = linear;
    return status;
}
