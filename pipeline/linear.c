/* Scoring with a folded linear model: the hot path of every event. Called by pipeline_score on any thread; the program
 * is read-only. Must never allocate, and must sum in one fixed order, so that a past score can be reproduced.
 *
 * The margin is the sum of one term per column plus the intercept: numbers in four lanes (term i into lane i mod 4,
 * lanes added pairwise, so that the sum is not one long chain of additions), then tables, then what is left. */
#include "pipeline/linear_program.h"
#include "pipeline/reasons.h"

#include <math.h>
#include <stdlib.h>

/* Two columns at a time, on any processor: the compiler lowers it to what the target has, with the same results. */
typedef double pair __attribute__((vector_size(16)));
typedef int64_t pair_mask __attribute__((vector_size(16)));

static inline pair pair_load(const double *from)
{
    pair value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline double cell_number_of(const struct cell *cell)
{
    return cell->code == CELL_MISSING ? NAN : cell->number;
}

static inline pair number_pair(const struct number_terms *numbers, size_t t, const struct cell *cells, double *terms)
{
    pair x = {cell_number_of(&cells[numbers->columns[t]]), cell_number_of(&cells[numbers->columns[t + 1]])};
    pair value =
        pair_load(numbers->weights + t) * ((x - pair_load(numbers->offsets + t)) / pair_load(numbers->divisors + t));
    pair_mask present = x == x;
    pair chosen = (pair)(((pair_mask)value & present) | ((pair_mask)pair_load(numbers->missing + t) & ~present));
    memcpy(terms + t, &chosen, sizeof chosen);
    return chosen;
}

/* Writes the terms and returns their sum. */
static double number_terms(const struct linear *linear, const struct cell *cells, double *restrict terms)
{
    const struct number_terms numbers = linear->numbers; /* in registers: a store to terms could not change it */
    pair low = {0, 0}, high = {0, 0};
    size_t t = 0;
    for (; t + 4 <= numbers.count; t += 4) {
        low += number_pair(&numbers, t, cells, terms);
        high += number_pair(&numbers, t + 2, cells, terms);
    }
    if (t + 2 <= numbers.count) {
        low += number_pair(&numbers, t, cells, terms);
        t += 2;
    }
    double sum = (low[0] + low[1]) + (high[0] + high[1]);
    if (t < numbers.count) {
        double x = cell_number_of(&cells[numbers.columns[t]]);
        double value = numbers.weights[t] * ((x - numbers.offsets[t]) / numbers.divisors[t]);
        terms[t] = isnan(x) ? numbers.missing[t] : value;
        sum += terms[t];
    }
    return sum;
}

static double formula_term_value(const struct formula_term *term, const struct cell *cell)
{
    if (cell->code == CELL_MISSING || isnan(cell->number))
        return term->missing;
    if (term->dtype == DTYPE_FLOAT) {
        float centred = (float)cell->number - (float)term->offset;
        float scaled = term->multiply ? centred * (float)term->factor : centred / (float)term->factor;
        return term->weight * (double)scaled; /* exact: 24 + 24 bits */
    }
    double centred = cell->number - term->offset;
    return term->weight * (term->multiply ? centred * term->factor : centred / term->factor);
}

static __attribute__((noinline)) double mixed_value(const struct linear *linear, const struct mixed_term *term,
                                                    const struct cell *cells)
{
    double sum = 0;
    for (size_t p = 0; p < term->parts.count; p++)
        sum += term->parts.terms[p].weight * expr_evaluate(linear->pool, term->parts.terms[p].expr, cells).number;
    return sum;
}

static double table_terms(const struct linear *linear, const struct cell *cells, double *restrict terms)
{
    const struct table_term *end = linear->tables + linear->table_count;
    double sum = 0;
    for (const struct table_term *term = linear->tables; term < end; term++) {
        double value = term->values[text_rows_find(&term->texts, &cells[term->texts.column])];
        terms[term->position] = value;
        sum += value;
    }
    return sum;
}

double linear_terms(const struct linear *linear, const struct cell *cells, double *restrict terms)
{
    double sum = number_terms(linear, cells, terms) + table_terms(linear, cells, terms);
    for (size_t t = 0; t < linear->formula_count; t++) {
        const struct formula_term *term = &linear->formulas[t];
        sum += terms[term->position] = formula_term_value(term, &cells[term->column]);
    }
    for (size_t t = 0; t < linear->mixed_count; t++)
        sum += terms[linear->mixed[t].position] = mixed_value(linear, &linear->mixed[t], cells);
    return sum + linear->intercept;
}

static double link_value(const struct linear *linear, double margin)
{
    if (linear->dtype == DTYPE_FLOAT) {
        float z = (float)margin, share = expr_sigmoid_float(z);
        return linear->normalised ? share / (expr_sigmoid_float(-z) + share) : share;
    }
    double share = expr_sigmoid(margin);
    return linear->normalised ? share / (expr_sigmoid(-margin) + share) : share;
}

/* The `most` largest magnitudes, sorted, ties in schema order. Columns that vary most come first, so that few of the
 * later ones have to be put in. */
static uint32_t reasons_select(const struct linear *linear, const double *terms, uint32_t most, struct reason *reasons)
{
    uint32_t count = 0;
    double least = 0; /* what has to be reached */
    const struct column_position *end = linear->by_spread + linear->term_count;
    for (const struct column_position *at = linear->by_spread; at < end; at++) {
        double contribution = terms[at->position] - linear->reference[at->position];
        if (fabs(contribution) < least)
            continue;
        count = reason_place(reasons, count, most, (struct reason){at->column, contribution});
        least = count == most ? fabs(reasons[most - 1].contribution) : 0;
    }
    return count;
}

void linear_score(const struct linear *linear, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                  double least, struct score *scores, struct reason *reasons)
{
    _Alignas(16) double terms[LINEAR_MAX_TERMS];
    for (size_t r = 0; r < row_count; r++) {
        double margin = linear_terms(linear, cells + r * linear->column_count, terms);
        scores[r] = (struct score){link_value(linear, margin), margin, linear->base, 0};
        if (top_reasons && linear->reference && !(scores[r].probability < least))
            scores[r].reason_count = reasons_select(linear, terms, top_reasons, reasons + r * top_reasons);
    }
}

void linear_set_reference(struct linear *linear, const double *terms)
{
    free(linear->reference);
    linear->reference = mem_zeroed(linear->term_count, sizeof *terms);
    memcpy(linear->reference, terms, linear->term_count * sizeof *terms);
    linear->base = linear->intercept;
    for (size_t t = 0; t < linear->term_count; t++)
        linear->base += terms[t];
}

bool linear_has_reference(const struct linear *linear)
{
    return linear->reference != NULL;
}

size_t linear_term_count(const struct linear *linear)
{
    return linear->term_count;
}

uint32_t linear_term_column(const struct linear *linear, size_t term)
{
    return linear->columns[term];
}

enum dtype linear_dtype(const struct linear *linear)
{
    return linear->dtype;
}

size_t linear_bytes(const struct linear *linear)
{
    return linear->bytes + (linear->reference ? linear->term_count * sizeof *linear->reference : 0);
}

void linear_free(struct linear *linear)
{
    if (!linear)
        return;
    arena_free(&linear->arena);
    free(linear->reference);
    free(linear);
}
