/* --search: random search over the kind's space with successive halving (Jamieson and Talwalkar 2016). The first trial
 * has the parameters as given, the others random ones. All are assessed by cross-validation on a part of the rows; the
 * third with the least log loss, and the first trial, go on with three times as many rows, up to all of them. */
#pragma once

#include "registry/types.h"
#include "trainer/evaluation.h"

/* One draw, with what it reached in the last round it took part in. Plain data. */
struct trial {
    size_t number; /* from 0, in the order of the draws */
    size_t round;  /* from 0 */
    size_t rows;
    struct train_settings settings;
    struct metrics metrics;   /* means over the folds; log_loss NaN: the fit failed */
    struct interval log_loss; /* 95 % */
    bool recorded;            /* in this round, by an earlier process */
    struct error err;         /* of a fit that failed */
};

/* Plain data but for the list; search_clear. */
struct search {
    const struct search_range *ranges[TRAIN_SETTINGS_PARAM_MOST]; /* of the parameters that were not given */
    size_t range_count;
    struct trial *trials; /* the chosen one first, then by round and log loss */
    size_t trial_count, round_count;
    char key[RUN_KEY_BYTES]; /* of the run that trials are nested in; "": they are not recorded */
};

/* Where trials are recorded and read back from; NULL calls: nowhere. */
struct trial_store {
    enum status (*read)(void *context, struct trial *trial, struct error *err); /* STATUS_NOT_FOUND: it is not there */
    enum status (*write)(void *context, const struct trial *trial, struct error *err);
    void *context;
};

/* Which parameters are drawn: the kind's but for those in `given`, and how many rounds the rows allow. Fills ranges,
 * trials and round_count. STATUS_INVALID: nothing is left to draw. Free with search_clear, on failure too. */
struct option_pair;
MUST_USE enum status search_plan(const struct table *table, const uint32_t *rows, size_t row_count,
                                 const struct train_settings *settings, const struct option_pair *given,
                                 size_t given_count, struct search *out, struct error *err);
/* Assesses the trials of a plan and sorts them. STATUS_INVALID, STATUS_LIMIT: every one failed; or the store's. */
MUST_USE enum status search_run(const struct table *table, const uint32_t *rows, size_t row_count,
                                const struct trial_store *store, struct search *search, struct error *err);
void search_clear(struct search *search);

/* "C=0.031, class_weight=None": the parameters that were drawn, into `bytes`. */
void search_describe(const struct search *search, const struct trial *trial, char *out, size_t bytes);
