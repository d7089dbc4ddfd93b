/* The evaluation's lists, its held-out part and its importance: see evaluation.h. Called by the trainer's commands, on
 * their only thread. */
#include "trainer/evaluation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pipeline/pipeline.h"
#include "trainer/fold.h"
#include "trainer/groups.h"
#include "trainer/intervals.h"

enum { EXPLAINED_MOST = 200, SCORED_AT_ONCE = 256 };

void evaluation_clear(struct evaluation *evaluation)
{
    assessment_clear(&evaluation->validation);
    assessment_clear(&evaluation->held_out);
    free(evaluation->folds);
    free(evaluation->fold_thresholds);
    free(evaluation->importance);
    free(evaluation->permuted);
    free(evaluation->dependence);
    flips_clear(&evaluation->flips);
    *evaluation = (struct evaluation){0};
}

const struct assessment *evaluation_main(const struct evaluation *evaluation)
{
    return evaluation->repeat_count ? &evaluation->validation : &evaluation->held_out;
}

void evaluation_predict(const struct pipeline *pipeline, const struct table *table, size_t first, size_t count,
                        double *probabilities)
{
    struct score scores[SCORED_AT_ONCE];
    for (size_t at = 0; at < count; at += SCORED_AT_ONCE) {
        size_t rows = count - at < SCORED_AT_ONCE ? count - at : SCORED_AT_ONCE;
        pipeline_score(pipeline, table_row(table, first + at), rows, 0, scores, NULL);
        for (size_t r = 0; r < rows; r++)
            probabilities[at + r] = scores[r].probability;
    }
}

void evaluation_hold_out(const struct table *table, const uint32_t *rows, size_t row_count, const double *probabilities,
                         const double *uncalibrated, uint64_t seed, struct evaluation *out)
{
    uint8_t *labels = mem_zeroed(row_count + 1, 1), *calls = mem_zeroed(row_count + 1, 1);
    for (size_t r = 0; r < row_count; r++) {
        labels[r] = table->labels[rows[r]];
        calls[r] = probabilities[r] >= out->threshold;
    }
    const struct predictions predictions = {table, rows, labels, calls, probabilities, uncalibrated, row_count};
    assessment_measure(&predictions, &out->held_out);
    groups_assess(&predictions, &out->held_out);
    intervals_bootstrap(&predictions, seed, out->held_out.intervals);
    free(labels);
    free(calls);
}

static int compare_importance(const void *a, const void *b)
{
    const struct importance *left = a, *right = b;
    if (left->mean_magnitude != right->mean_magnitude)
        return left->mean_magnitude < right->mean_magnitude ? 1 : -1;
    return (left->column > right->column) - (left->column < right->column);
}

/* Adds the magnitudes of one row's reasons to the sums. */
static void evaluation_add_reasons(const struct pipeline *pipeline, const struct cell *cells, size_t column_count,
                                   struct reason *reasons, double *sums)
{
    struct score score;
    pipeline_score(pipeline, cells, 1, (uint32_t)column_count, &score, reasons);
    for (uint32_t k = 0; k < score.reason_count; k++)
        sums[reasons[k].column] += fabs(reasons[k].contribution);
}

static void evaluation_explain_rows(const struct pipeline *pipeline, const struct table *table, const uint32_t *rows,
                                    size_t row_count, struct evaluation *out)
{
    size_t columns = table->schema->column_count;
    size_t taken = row_count < EXPLAINED_MOST ? row_count : EXPLAINED_MOST;
    struct reason *reasons = mem_zeroed(columns + 1, sizeof *reasons);
    double *sums = mem_zeroed(columns + 1, sizeof *sums);
    for (size_t k = 0; k < taken; k++)
        evaluation_add_reasons(pipeline, table_row(table, rows[k * row_count / taken]), columns, reasons, sums);
    out->importance = mem_zeroed(columns + 1, sizeof *out->importance);
    for (uint32_t c = 0; c < columns; c++)
        if (sums[c] > 0)
            out->importance[out->importance_count++] = (struct importance){c, sums[c] / (double)taken};
    qsort(out->importance, out->importance_count, sizeof *out->importance, compare_importance);
    out->importance_rows = taken;
    free(reasons);
    free(sums);
}

static void evaluation_flip(const struct pipeline *pipeline, const struct table *table, const struct fold_rows *rows,
                            size_t threads, struct evaluation *out)
{
    const struct predictor predictor = predictor_of_file(pipeline);
    bool unseen = rows->assessed_count > 0;
    flips_measure(&predictor, table, unseen ? rows->assessed : rows->training,
                  unseen ? rows->assessed_count : rows->training_count, out->threshold, threads, &out->flips);
}

enum status evaluation_explain(struct span model_file, const struct table *table, const struct fold_rows *rows,
                               size_t threads, struct evaluation *out, struct error *err)
{
    const struct schema *schema = table->schema;
    const struct pipeline_options options = {0};
    struct pipeline *pipeline;
    if (pipeline_load(model_file, schema->columns, schema->column_count, &options, &pipeline, err) != STATUS_OK)
        return error_prefix(err, "the trained model does not load back");
    if (pipeline_has_reasons(pipeline) && rows->training_count)
        evaluation_explain_rows(pipeline, table, rows->training, rows->training_count, out);
    evaluation_flip(pipeline, table, rows, threads, out);
    pipeline_free(pipeline);
    return STATUS_OK;
}
