/* A model, compiled: scoring and what is reported of it. pipeline_score is called by every worker; nothing here is
 * written to after load. */
#include "pipeline/pipeline_program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/background.h"

struct span pipeline_property(const struct pipeline *pipeline, const char *key)
{
    for (size_t p = 0; p < pipeline->property_count; p++)
        if (!strcmp(pipeline->properties[p].key.data, key))
            return pipeline->properties[p].value;
    return SPAN_NULL;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    linear_free(pipeline->linear);
    trees_free(pipeline->trees);
    steps_free(pipeline->steps);
    expr_pool_free(&pipeline->pool);
    free(pipeline);
}

static bool fits_whole(const struct expr *input, const struct cell *cell)
{
    double most = input->dtype == DTYPE_INT32 ? 2147483647.0 : 9007199254740992.0;
    return cell->code != CELL_MISSING && fabs(cell->number) <= most && cell->number == trunc(cell->number);
}

static bool demand_met(const struct pipeline *pipeline, const struct demand *demand, const struct cell *cells)
{
    int32_t code = demand->met ? cells[demand->column].code : CELL_OTHER;
    if (code >= CELL_MISSING)
        return demand->met[code + 2];
    return expr_evaluate(&pipeline->pool, demand->expr, cells).number != 0;
}

bool pipeline_refuses(const struct pipeline *pipeline, const struct cell *cells, int32_t *column)
{
    for (size_t w = 0; w < pipeline->whole_count; w++) {
        *column = pipeline->whole[w].column;
        if (!fits_whole(&pipeline->whole[w], &cells[*column]))
            return true;
    }
    for (size_t d = 0; d < pipeline->pool.demand_count; d++) {
        *column = pipeline->demands[d].column;
        if (!demand_met(pipeline, &pipeline->demands[d], cells))
            return true;
    }
    return false;
}

const char *pipeline_why_no_score(const struct pipeline *pipeline, const struct cell *cells,
                                  char text[PIPELINE_WHY_BYTES])
{
    int32_t column = EXPR_MANY_COLUMNS;
    if (!pipeline_refuses(pipeline, cells, &column) || column < 0)
        return "the model gives no number for these values";
    snprintf(text, PIPELINE_WHY_BYTES,
             "the model takes no such value of %.60s: it was not trained with this category, or needs an integer",
             pipeline->pool.columns[column].name);
    return text;
}

/* A tensor of integers cannot say "missing", an encoder may know no more than its categories: no number is better than
 * a confident one. */
static __attribute__((noinline, cold)) void rows_refuse(const struct pipeline *pipeline, const struct cell *cells,
                                                        size_t row_count, struct score *scores)
{
    int32_t column;
    for (size_t r = 0; r < row_count; r++)
        if (pipeline_refuses(pipeline, cells + r * pipeline->column_count, &column))
            scores[r] = (struct score){.probability = NAN, .margin = NAN, .base = scores[r].base};
}

void pipeline_score(const struct pipeline *pipeline, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                    struct score *scores, struct reason *reasons)
{
    pipeline_score_from(pipeline, cells, row_count, top_reasons, -INFINITY, scores, reasons);
}

void pipeline_score_from(const struct pipeline *pipeline, const struct cell *cells, size_t row_count,
                         uint32_t top_reasons, double least, struct score *scores, struct reason *reasons)
{
    if (pipeline->trees)
        trees_score(pipeline->trees, cells, row_count, top_reasons, least, scores, reasons);
    else if (pipeline->linear)
        linear_score(pipeline->linear, cells, row_count, top_reasons, least, scores, reasons);
    else
        steps_score(pipeline->steps, cells, row_count, scores);
    if (pipeline->whole_count || pipeline->pool.demand_count)
        rows_refuse(pipeline, cells, row_count, scores);
}

double pipeline_threshold(const struct pipeline *pipeline)
{
    return pipeline->threshold;
}

const char *pipeline_positive_label(const struct pipeline *pipeline)
{
    return pipeline->positive_label.data;
}

bool pipeline_has_reasons(const struct pipeline *pipeline)
{
    return pipeline->trees    ? trees_has_reasons(pipeline->trees)
           : pipeline->linear ? linear_has_reference(pipeline->linear)
                              : false;
}

bool pipeline_margin_is_log_odds(const struct pipeline *pipeline)
{
    return !pipeline->trees || trees_are_logistic(pipeline->trees);
}

const char *pipeline_metadata(const struct pipeline *pipeline, const char *key)
{
    return pipeline_property(pipeline, key).data;
}

size_t pipeline_bytes(const struct pipeline *pipeline)
{
    return sizeof *pipeline + pipeline->pool.capacity * sizeof *pipeline->pool.exprs + pipeline->pool.arena_bytes +
           (pipeline->trees    ? trees_bytes(pipeline->trees)
            : pipeline->linear ? linear_bytes(pipeline->linear)
                               : steps_bytes(pipeline->steps));
}

size_t pipeline_inputs(const struct pipeline *pipeline, const struct pipeline_input **out)
{
    *out = pipeline->inputs;
    return pipeline->input_count;
}

const struct column *pipeline_columns(const struct pipeline *pipeline, size_t *count)
{
    *count = pipeline->column_count;
    return pipeline->pool.columns;
}

const struct trees *pipeline_trees(const struct pipeline *pipeline)
{
    return pipeline->trees;
}

size_t pipeline_tree_count(const struct pipeline *pipeline)
{
    return pipeline->trees   ? trees_tree_count(pipeline->trees)
           : pipeline->steps ? steps_tree_count(pipeline->steps)
                             : 0;
}

enum pipeline_kind pipeline_kind(const struct pipeline *pipeline)
{
    return pipeline->trees ? PIPELINE_TREES : pipeline->linear ? PIPELINE_LINEAR : PIPELINE_STEPS;
}

const char *pipeline_kind_name(const struct pipeline *pipeline)
{
    static const char *const NAMES[] = {
        [PIPELINE_LINEAR] = "linear", [PIPELINE_TREES] = "trees", [PIPELINE_STEPS] = "steps"};
    return NAMES[pipeline_kind(pipeline)];
}

double pipeline_tolerance(const struct pipeline *pipeline)
{
    return pipeline->linear && linear_dtype(pipeline->linear) == DTYPE_DOUBLE ? 1e-12 : 1e-6;
}

const char *pipeline_contract(const struct pipeline *pipeline)
{
    return pipeline->contract;
}

const char *pipeline_contract_columns(const struct pipeline *pipeline)
{
    return pipeline->contract_columns;
}

struct pipeline_golden pipeline_golden(const struct pipeline *pipeline)
{
    return pipeline->golden;
}

enum status pipeline_reference(const struct pipeline *pipeline, const struct cell *cells, size_t row_count,
                               struct buffer *out, struct error *err)
{
    if (pipeline->steps)
        return error_set(err, STATUS_UNSUPPORTED,
                         "no exact reasons are known for a model of this form (several models joined, or features that "
                         "mix columns): import it without --background, its reasons stay empty");
    const struct background background = {pipeline->pool.columns, pipeline->column_count, cells, row_count};
    for (size_t i = 0; i < pipeline->input_count; i++)
        if (pipeline->inputs[i].used && !background_has(&background, pipeline->inputs[i].column))
            return error_set(err, STATUS_INVALID, "no row has a value in column %s, which the model reads",
                             background.columns[pipeline->inputs[i].column].name);
    if (pipeline->trees)
        background_covers(pipeline->trees, &background, out);
    else
        background_means(pipeline->linear, &background, out);
    return STATUS_OK;
}
