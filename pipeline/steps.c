/* Running a list of steps: every step for all rows of a block before the next one, so that its loop is one operation
 * over numbers side by side. Called by pipeline_score on any thread; the list is read-only. Must never allocate, must
 * give a row the same result in any block, and must round as expr.c does. */
#include "pipeline/steps_program.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/ensemble.h"
#include "pipeline/support_vectors.h"

struct block {
    const struct steps *steps;
    const struct cell *cells; /* of its first row */
    size_t rows;
    double *numbers; /* place p of row r at p × steps->rows + r */
};

static inline double *place_at(const struct block *block, uint32_t place)
{
    return block->numbers + (size_t)place * block->steps->rows;
}

static inline const struct cell *cell_at(const struct block *block, size_t row, uint32_t column)
{
    return &block->cells[row * block->steps->column_count + column];
}

static void numbers_load(const struct block *block, const struct step *step)
{
    double *to = place_at(block, step->to);
    bool single = step->expr->dtype == DTYPE_FLOAT;
    for (size_t r = 0; r < block->rows; r++) {
        const struct cell *cell = cell_at(block, r, (uint32_t)step->expr->column);
        double number = cell->code == CELL_MISSING ? NAN : cell->number;
        to[r] = single ? (double)(float)number : number;
    }
}

static void texts_load(const struct block *block, const struct step_texts *texts)
{
    for (size_t r = 0; r < block->rows; r++) {
        const double *row =
            texts->rows + text_rows_find(&texts->texts, cell_at(block, r, texts->texts.column)) * texts->count;
        double *to = place_at(block, texts->first) + r;
        for (uint32_t t = 0; t < texts->count; t++)
            to[t * block->steps->rows] = row[t];
    }
}

static void linear_run(const struct block *block, const struct step *step)
{
    double *to = place_at(block, step->to);
    double sums[STEPS_MAX_ROWS] = {0};
    for (size_t t = 0; t < step->expr->terms->count; t++) {
        const double *from = place_at(block, step->from[t]), weight = step->expr->terms->terms[t].weight;
        for (size_t r = 0; r < block->rows; r++)
            sums[r] += weight * from[r];
    }
    for (size_t r = 0; r < block->rows; r++) {
        double sum = sums[r] + step->expr->number;
        to[r] = step->expr->dtype == DTYPE_FLOAT ? (double)(float)sum : sum;
    }
}

static void trees_run(const struct block *block, const struct step *step)
{
    const double *inputs[STEPS_MAX_INPUTS];
    for (size_t i = 0; i < step->expr->trees->input_count; i++)
        inputs[i] = place_at(block, step->from[i]);
    trees_member(step->members, inputs, block->rows, place_at(block, step->to));
}

static void vectors_run(const struct block *block, const struct step *step)
{
    const double *inputs[SUPPORT_MAX_WIDTH];
    const struct support_vectors *vectors = step->expr->vectors;
    for (size_t i = 0; i < vectors->width; i++)
        inputs[i] = place_at(block, step->from[i]);
    support_vectors_run(vectors, step->expr->b, inputs, block->rows, place_at(block, step->to));
}

static void where_run(const struct block *block, const struct step *step)
{
    double *to = place_at(block, step->to);
    const double *a = place_at(block, step->a), *b = place_at(block, step->b), *c = place_at(block, step->c);
    for (size_t r = 0; r < block->rows; r++)
        to[r] = a[r] != 0 ? b[r] : c[r];
}

/* The commonest operations have loops of their own, which the compiler vectorises. */
#define EACH_ROW(value) \
    for (size_t r = 0; r < rows; r++) \
    to[r] = single ? (double)(float)(value) : (value)

static void apply_run(const struct block *block, const struct step *step)
{
    double *restrict to = place_at(block, step->to);
    const double *a = place_at(block, step->a), *b = place_at(block, step->b);
    size_t rows = block->rows;
    bool single = step->expr->dtype == DTYPE_FLOAT;
    switch (step->expr->op) {
    case EXPR_ADD:
        EACH_ROW(a[r] + b[r]);
        break;
    case EXPR_SUB:
        EACH_ROW(a[r] - b[r]);
        break;
    case EXPR_MUL:
        EACH_ROW(a[r] * b[r]);
        break;
    case EXPR_DIV:
        EACH_ROW(a[r] / b[r]);
        break;
    default:
        for (size_t r = 0; r < rows; r++)
            to[r] = expr_apply(step->expr, a[r], b[r]);
    }
}

static void step_run(const struct block *block, const struct step *step)
{
    switch (step->kind) {
    case STEP_NUMBER:
        numbers_load(block, step);
        break;
    case STEP_LINEAR:
        linear_run(block, step);
        break;
    case STEP_TREES:
        trees_run(block, step);
        break;
    case STEP_VECTORS:
        vectors_run(block, step);
        break;
    case STEP_WHERE:
        where_run(block, step);
        break;
    case STEP_APPLY:
        apply_run(block, step);
        break;
    }
}

/* A probability by its rounding alone beyond 0 or 1; further away it is none, and NaN stays NaN. */
static double share_of(double number)
{
    static const double SLACK = 1e-5;
    if (!(number >= -SLACK && number <= 1 + SLACK))
        return NAN;
    return number < 0 ? 0 : number > 1 ? 1 : number;
}

void steps_score(const struct steps *steps, const struct cell *cells, size_t row_count, struct score *scores)
{
    _Alignas(64) double numbers[STEPS_NUMBERS];
    for (size_t c = 0; c < steps->constant_count; c++)
        for (size_t r = 0; r < steps->rows; r++)
            numbers[steps->constants[c].to * steps->rows + r] = steps->constants[c].number;
    for (size_t first = 0; first < row_count; first += steps->rows) {
        size_t rows = row_count - first < steps->rows ? row_count - first : steps->rows;
        const struct block block = {steps, cells + first * steps->column_count, rows, numbers};
        for (size_t t = 0; t < steps->text_count; t++)
            texts_load(&block, &steps->texts[t]);
        for (size_t s = 0; s < steps->count; s++)
            step_run(&block, &steps->list[s]);
        const double *result = place_at(&block, steps->result);
        for (size_t r = 0; r < rows; r++) {
            double share = share_of(result[r]);
            scores[first + r] = (struct score){.probability = share, .margin = share};
        }
    }
}
