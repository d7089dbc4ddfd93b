/* One training: validation, fit, file; of `trainer train` and `retrain`. */
#pragma once

#include "trainer/fold.h"
#include "trainer/register.h"

/* A run at work. `split.training` is what everything is fitted to and chosen by; `split.assessed`: the held-out rows.
 * training->model, evaluation and file point into it, its settings too after a search. */
struct train_run {
    struct fold_rows split;
    struct search search;           /* of --search */
    struct search_runs *runs;       /* where it is recorded; NULL: nowhere */
    struct train_settings settings; /* that it chose */
    struct model model;
    struct evaluation evaluation;
    struct buffer file;
};

/* Validates, fits and exports, by training's table, settings and path; fills the rest of it. later_from > 0: the rows
 * from there on are a later period, and are the held-out ones instead of --test-size. STATUS_INVALID, STATUS_LIMIT.
 * Free with train_run_clear, on failure too. */
MUST_USE enum status train_run_make(const struct options *options, size_t later_from, struct training *training,
                                    struct train_run *run, struct error *err);
void train_run_clear(struct train_run *run);

/* A subcommand that trains: reads the settings of a training, calls it, logs why it failed. Its exit status. */
typedef enum status train_call(const struct options *options, const struct train_settings *settings,
                               const struct run_labels *labels, struct error *err);
int train_command(const struct options *options, train_call *run);
