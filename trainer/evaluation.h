/* All that is known of how good a model is: what `train` and `evaluate` print, log, draw and write into the card.
 *
 * A row is assessed only by models, and by a threshold, that were chosen without it. Two sets may be assessed: the rows
 * of the training part, by cross-validation, and rows that were held out of everything (or, for `evaluate`, the rows of
 * the given table). */
#pragma once

#include "trainer/assessment.h"
#include "trainer/flips.h"
#include "trainer/model.h"

/* What a column moves the raw score by: mean magnitude of its contribution (reasons), over rows of the table. */
struct importance {
    uint32_t column; /* index in the schema */
    double mean_magnitude;
};

/* What the AUC falls by when a column's values are shuffled among rows that the model has not seen. */
struct permuted {
    uint32_t column; /* index in the schema */
    double mean, deviation;
};

enum { DEPENDENCE_MOST = 8, DEPENDENCE_POINTS = 20 };

/* Mean probability when the column has the same value in every row. */
struct dependence {
    uint32_t column;
    size_t count;
    struct dependence_point {
        double value; /* nominal: index among the column's values */
        double probability;
    } points[DEPENDENCE_POINTS]; /* by value */
};

/* Plain data but for the lists; evaluation_clear. */
struct evaluation {
    const struct schema *schema; /* borrowed */
    double threshold;            /* in use: a row is called positive at probability >= threshold */
    struct threshold_rule rule;  /* how it was chosen */

    /* Cross-validation; repeat_count 0: there was none. Fold f of repeat r is folds[r * fold_count + f], assessed by
     * the threshold of the other folds of the same repeat. */
    size_t fold_count, repeat_count;
    struct metrics *folds;
    double *fold_thresholds;
    struct assessment
        validation; /* its metrics and intervals: mean over the folds; the rest: all repeats' rows pooled */
    char folds_sha256[SHA256_HEX_BYTES]; /* of the data and the folds: equal where they are the same */
    size_t unconverged;                  /* fits that did not converge; their predictions are used as they are */

    /* Held-out rows; count 0: there were none. `held_out.intervals`: bootstrap. */
    struct assessment held_out;

    /* Largest first; none where the model gives no reasons. */
    struct importance *importance;
    size_t importance_count, importance_rows;

    /* Largest first; none where it was not asked for. Draws: shuffles of each column, over all folds. */
    struct permuted *permuted;
    size_t permuted_count, permuted_draws;
    struct dependence *dependence; /* of the first ones of permuted, under the model that was fitted last */
    size_t dependence_count, dependence_rows;

    struct flips flips; /* under the model file, at the threshold */
};

void evaluation_clear(struct evaluation *evaluation);

/* Cross-validation of the rows listed, by the settings; fills the validation's part, threshold and rule. A metric that
 * depends on a threshold uses, for each fold, the one chosen on the other folds' rows. `folds_path`: also writes the
 * folds there, as CSV; NULL: not. STATUS_INVALID: more folds than the rarer class has rows, or a fit's own. */
MUST_USE enum status evaluation_cross_validate(const struct table *table, const uint32_t *rows, size_t row_count,
                                               const struct train_settings *settings, const char *folds_path,
                                               struct evaluation *out, struct error *err);

/* The probabilities that a loaded model gives `count` rows from `first` on; NaN where it gives none. */
struct pipeline;
void evaluation_predict(const struct pipeline *pipeline, const struct table *table, size_t first, size_t count,
                        double *probabilities);

/* Assesses probabilities of rows that the model has never seen, at the evaluation's threshold: fills held_out. */
void evaluation_hold_out(const struct table *table, const uint32_t *rows, size_t row_count, const double *probabilities,
                         const double *uncalibrated, uint64_t seed, struct evaluation *out);

struct fold_rows;
/* What the model file itself says: fills the importance, by the reasons that it gives for up to 200 of the training
 * rows, and the flips, of the assessed rows where there are any, else of the training rows. */
MUST_USE enum status evaluation_explain(struct span model_file, const struct table *table, const struct fold_rows *rows,
                                        size_t threads, struct evaluation *out, struct error *err);

/* The assessment that speaks for the model: the held-out one where there is one and no validation, else validation. */
const struct assessment *evaluation_main(const struct evaluation *evaluation);
