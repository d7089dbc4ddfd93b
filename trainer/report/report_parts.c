/* What the report's parts share: texts and bars; see report_parts.h. Pure. */
#include "trainer/report/report_parts.h"

#include <stdio.h>

#include "trainer/kinds/kinds.h"

const char report_use[] = "Ranks records of the schema by the probability of the positive label and gives reasons for "
                          "each, as one of several grounds for a person's decision.";
const char report_limits[] =
    "It says what went together in the training table, not what causes what. It is not made to decide about a person "
    "by itself. Its figures hold for data like the training table: where the live data drift from the reference below, "
    "evaluate it again. Look at the groups before use: equal figures in all are not promised.";

const char *report_reasons(const struct training *training)
{
    if (training->settings->calibration == CALIBRATION_ISOTONIC)
        return "An isotonic calibration has no reasons: its probability does not move with one margin. Calibrate by a "
               "sigmoid where reasons are needed.";
    return training->settings->kind->reasons;
}

void report_describe_assessment(const struct evaluation *evaluation, char *out, size_t bytes)
{
    if (evaluation->repeat_count)
        snprintf(out, bytes,
                 "%zu-fold cross-validation, %zu time%s, %zu predictions; means over the folds, intervals of 95 %% "
                 "(corrected t)",
                 evaluation->fold_count, evaluation->repeat_count, evaluation->repeat_count == 1 ? "" : "s",
                 evaluation->validation.count);
    else if (evaluation->held_out.count)
        snprintf(out, bytes, "%zu rows held out of all fitting and choosing; intervals of 95 %% (bootstrap)",
                 evaluation->held_out.count);
    else
        snprintf(out, bytes, "The model was not evaluated: neither cross-validation nor held-out rows were asked for");
}

void report_describe_flips(const struct evaluation *evaluation, char *out, size_t bytes)
{
    snprintf(
        out, bytes,
        "Decisions on %zu rows %s that change when this attribute alone becomes another group's (up: to positive), "
        "each row counted once. What follows from the attribute in other columns stays as it is.",
        evaluation->flips.row_count,
        evaluation->held_out.count ? "held out of all fitting"
                                   : "that the model was fitted to (on unseen rows more may change)");
}

void report_describe_search(const struct search *search, char *out, size_t bytes)
{
    const struct train_settings *settings = &search->trials[0].settings;
    snprintf(out, bytes,
             "%zu trials in %zu round%s of successive halving, by log loss in %u-fold cross-validation of the training "
             "rows; the first line was chosen. Trial 0 has the parameters as given and takes part to the end, the "
             "others have random "
             "ones.",
             search->trial_count, search->round_count, search->round_count == 1 ? "" : "s", settings->fold_count);
}

size_t report_count_values(const struct table *table, size_t column, struct value_counts *out)
{
    const struct column *about = &table->schema->columns[column];
    size_t missing = 0;
    *out = (struct value_counts){0};
    for (size_t r = 0; r < table->row_count; r++) {
        const struct cell *cell = &table_row(table, r)[column];
        if (cell->code == CELL_MISSING)
            missing++;
        else if (about->kind == COLUMN_NOMINAL)
            value_counts_add_text(out, about->values[cell->code], table->labels[r]);
        else
            value_counts_add_number(out, cell->number, table->labels[r]);
    }
    value_counts_sort(out);
    return missing;
}

void report_histogram(const struct table *table, size_t column, struct histogram *out, size_t *missing)
{
    struct value_counts values;
    *missing = report_count_values(table, column, &values);
    histogram_make(&table->schema->columns[column], &values, out);
    value_counts_free(&values);
}
