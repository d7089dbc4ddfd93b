/* A fitted model in the trainer's own plain form: preprocessing and coefficients or trees. What is exported is checked
 * against it. */
#pragma once

#include "trainer/boosting.h"
#include "trainer/isotonic.h"
#include "trainer/logistic.h"
#include "trainer/predictor.h"
#include "trainer/preprocess.h"
#include "trainer/sigmoid.h"
#include "trainer/train_settings.h"

struct model {
    struct preprocessor preprocessor;
    const struct model_kind *kind;
    const char *chosen_name; /* the parameter that the fit itself chose, C or n_estimators; NULL: none */
    double chosen;           /* its value */
    enum calibration_method calibration;
    struct sigmoid sigmoid;   /* of the raw score; otherwise {1, 0} */
    struct isotonic isotonic; /* of the probability without calibration */
    struct logistic_fit fit;  /* of a linear model */
    struct forest forest;     /* of a forest */
    struct boosting boosting; /* of gradient boosting */
    struct bins bins;         /* likewise: its columns alone */
};

/* For one row at a time: as many as the preprocessor has features. */
struct model_scratch {
    double *features;
    float *floats;
};

/* Fits to the rows listed (indexes into the table). Whether a linear model has an optimum: fit.converged. A C to be
 * chosen is chosen by cross-validation among these rows alone; a calibration is fitted to predictions for rows that the
 * fit did not see, fold by fold, with what was chosen on all of them. STATUS_INVALID, STATUS_LIMIT. */
MUST_USE enum status model_fit(const struct table *table, const uint32_t *rows, size_t row_count,
                               const struct train_settings *settings, struct model *out, struct error *err);
void model_clear(struct model *model);
/* What the file's probabilities may differ by: its kind's tolerance, times the steepest piece of an isotonic
 * calibration, whose scores are rounded as coarsely as keeps it within what a scorer takes. */
#define MODEL_MOST_TOLERANCE 1e-3
double model_tolerance(const struct model *model);
bool model_converged(const struct model *model);

/* Probability of the positive class for each row listed. `uncalibrated`: also what it would be without calibration;
 * NULL: not asked for. */
void model_predict(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                   double *probabilities, double *uncalibrated);
struct predictor model_predictor(const struct model *model); /* the same, of any cells; borrows the model */
