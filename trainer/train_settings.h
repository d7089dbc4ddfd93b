/* What to train and how to evaluate it: the kind of model, its parameters, named as in scikit-learn, folds, threshold.
 */
#pragma once

#include "base/options.h"
#include "trainer/boosting.h"
#include "trainer/forest.h"
#include "trainer/threshold.h"

/* How C is chosen where it is not given. */
enum penalty_choice { PENALTY_GIVEN, PENALTY_BY_LOG_LOSS, PENALTY_BY_ROC_AUC };

/* Of probabilities, on folds. */
enum calibration_method { CALIBRATION_NONE, CALIBRATION_SIGMOID, CALIBRATION_ISOTONIC };

struct model_kind;

/* Plain data. */
struct train_settings {
    const struct model_kind *kind;
    enum penalty_choice choice;
    double inverse_penalty; /* C; INFINITY without a penalty */
    bool balanced;          /* class_weight=balanced: each class weighs the same in sum; linear models */
    unsigned max_iterations;
    struct forest_settings forest; /* its seed is `seed` */
    struct boost_settings boost;   /* likewise */
    const char *monotone;          /* of boosting: FIELD:1,FIELD:-1; NULL: none */
    enum calibration_method calibration;
    unsigned threads; /* at least 1; no result depends on it */
    uint64_t seed;    /* of every random choice */
    struct threshold_rule threshold;
    unsigned fold_count, repeat_count; /* 0 folds: no cross-validation */
    bool folds_given;
    unsigned permutations;  /* of each column in each fold, for its importance; 0: none */
    unsigned search_trials; /* of --search; 0: no search */
    double test_share;      /* of the rows, held out of everything; 0: none */
};

/* From --model, --param, --seed, --threshold, --folds, --repeats, --test-size and --threads. STATUS_INVALID: a name or
 * value that is none, with those that are. */
MUST_USE enum status train_settings_read(const struct options *options, struct train_settings *out, struct error *err);

/* One parameter as --param would set it; false: no such name or value. The value is borrowed. */
bool train_settings_set(const char *name, const char *value, struct train_settings *settings);

/* Parameters as they are written to the run: names and values, in the order of the table. For the one that was chosen,
 * `chosen` is shown, or what asked for it (auto) where that is 0. The values are in `texts`. */
struct train_settings_param {
    const char *name, *value;
};
enum { TRAIN_SETTINGS_PARAM_MOST = 16, TRAIN_SETTINGS_TEXT_BYTES = 256 };
size_t train_settings_params(const struct train_settings *settings, double chosen, struct train_settings_param *out,
                             char texts[TRAIN_SETTINGS_PARAM_MOST][TRAIN_SETTINGS_TEXT_BYTES]);

unsigned train_settings_threads(const struct options *options); /* of --threads; at least 1 */
/* As `--calibrate` takes it. */
const char *train_settings_calibration(enum calibration_method calibration);
