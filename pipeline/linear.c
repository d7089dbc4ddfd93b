/* Scoring with a folded linear model: the hot path of every event. Called by pipeline_score on any thread; the program
 * is read-only. Must never allocate, and must sum in one fixed order, so that a past score can be reproduced.
 *
 * The margin is the sum of one term per column plus the intercept. The terms are summed in four lanes (term i into lane
 * i mod 4, lanes added pairwise): as exact as a plain loop, and not one long chain of additions. */
#include "pipeline/linear_program.h"

#include <math.h>
#include <stdlib.h>

static double lanes_sum(const double *terms, size_t count)
{
    double lanes[4] = {0};
    size_t t = 0;
    for (; t + 4 <= count; t += 4) {
        lanes[0] += terms[t];
        lanes[1] += terms[t + 1];
        lanes[2] += terms[t + 2];
        lanes[3] += terms[t + 3];
    }
    for (; t < count; t++)
        lanes[t % 4] += terms[t];
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

static double formula_value(const struct formula_term *term, const struct cell *cell)
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

/* A text that the schema does not list: the model may know it all the same. */
static double table_other(const struct table_term *term, const struct cell *cell)
{
    struct span text = {cell->text, cell->text_bytes};
    size_t low = 0, high = term->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_order(term->known[middle].text, text);
        if (order == 0)
            return term->known[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return term->values[0];
}

static double mixed_value(const struct linear *linear, const struct mixed_term *term, const struct cell *cells)
{
    double sum = 0;
    for (size_t p = 0; p < term->parts.count; p++)
        sum += term->parts.terms[p].weight * expr_evaluate(linear->pool, term->parts.terms[p].expr, cells).number;
    return sum;
}

void linear_terms(const struct linear *linear, const struct cell *cells, double *terms)
{
    for (size_t t = 0; t < linear->number_count; t++) {
        const struct number_term *term = &linear->numbers[t];
        const struct cell *cell = &cells[term->column];
        double value = term->weight * ((cell->number - term->offset) / term->divisor);
        bool missing = cell->code == CELL_MISSING || isnan(cell->number);
        terms[term->position] = missing ? term->missing : value;
    }
    for (size_t t = 0; t < linear->table_count; t++) {
        const struct table_term *term = &linear->tables[t];
        const struct cell *cell = &cells[term->column];
        terms[term->position] = cell->code == CELL_OTHER ? table_other(term, cell) : term->values[cell->code + 2];
    }
    for (size_t t = 0; t < linear->formula_count; t++)
        terms[linear->formulas[t].position] = formula_value(&linear->formulas[t], &cells[linear->formulas[t].column]);
    for (size_t t = 0; t < linear->mixed_count; t++)
        terms[linear->mixed[t].position] = mixed_value(linear, &linear->mixed[t], cells);
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

/* The `most` largest magnitudes, sorted; columns come in schema order and only a larger one overtakes, so ties stay so.
 */
static uint32_t reasons_select(const struct linear *linear, const double *terms, uint32_t most, struct reason *reasons)
{
    uint32_t count = 0;
    for (size_t i = 0; i < linear->term_count; i++) {
        uint32_t position = linear->by_column[i].position;
        double contribution = terms[position] - linear->reference[position];
        if (count == most && !(fabs(contribution) > fabs(reasons[most - 1].contribution)))
            continue;
        uint32_t at = count < most ? count++ : most - 1;
        for (; at > 0 && fabs(contribution) > fabs(reasons[at - 1].contribution); at--)
            reasons[at] = reasons[at - 1];
        reasons[at] = (struct reason){linear->by_column[i].column, contribution};
    }
    return count;
}

void linear_score(const struct linear *linear, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                  struct score *scores, struct reason *reasons)
{
    double terms[LINEAR_MAX_TERMS];
    for (size_t r = 0; r < row_count; r++) {
        linear_terms(linear, cells + r * linear->column_count, terms);
        double margin = lanes_sum(terms, linear->term_count) + linear->intercept;
        scores[r] = (struct score){link_value(linear, margin), margin, linear->base, 0};
        if (top_reasons && linear->reference)
            scores[r].reason_count = reasons_select(linear, terms, top_reasons, reasons + r * top_reasons);
    }
}

void linear_set_reference(struct linear *linear, const double *terms)
{
    free(linear->reference);
    linear->reference = mem_zeroed(linear->term_count, sizeof *terms);
    memcpy(linear->reference, terms, linear->term_count * sizeof *terms);
    linear->base = lanes_sum(terms, linear->term_count) + linear->intercept;
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
