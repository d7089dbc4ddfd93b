/* Logistic regression, without a penalty and with L2: see kinds.h; the optimum is found in logistic.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "pipeline/onnx/onnx_write.h"
#include "trainer/design_matrix.h"
#include "trainer/kinds/kinds.h"
#include "trainer/kinds/param.h"
#include "trainer/model.h"
#include "trainer/penalty.h"

/* --- parameters --- */

static bool read_penalty(const char *value, struct train_settings *out)
{
    double number;
    if (strcmp(value, "auto") == 0) {
        out->choice = out->choice ? out->choice : PENALTY_BY_LOG_LOSS;
        return true;
    }
    if (!param_read_number(value, &number) || !(number > 0) || isinf(1 / number) || isinf(number))
        return false;
    out->inverse_penalty = number;
    out->choice = PENALTY_GIVEN;
    return true;
}

static void show_penalty(const struct train_settings *settings, double chosen, char *out)
{
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%.15g", settings->choice ? chosen : settings->inverse_penalty);
}

static bool read_scoring(const char *value, struct train_settings *out)
{
    if (strcmp(value, "neg_log_loss") == 0)
        out->choice = PENALTY_BY_LOG_LOSS;
    else if (strcmp(value, "roc_auc") == 0)
        out->choice = PENALTY_BY_ROC_AUC;
    else
        return false;
    return true;
}

static void show_scoring(const struct train_settings *settings, double chosen, char *out)
{
    static const char *const names[] = {"", "neg_log_loss", "roc_auc"};
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%s", names[settings->choice]);
}

static bool read_max_iter(const char *value, struct train_settings *out)
{
    return param_read_integer(value, 1, 100000, &out->max_iterations);
}

static void show_max_iter(const struct train_settings *settings, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%u", settings->max_iterations);
}

static const struct model_param params[] = {
    {"C", read_penalty, show_penalty, "a number above 0 (and above 1e-308), such as C=1, or auto"},
    {"scoring", read_scoring, show_scoring, "neg_log_loss or roc_auc: by which C=auto is chosen"},
    {"class_weight", param_read_class_weight, param_show_class_weight,
     "balanced or None (random-forest also balanced_subsample)"},
    {"max_iter", read_max_iter, show_max_iter, "an integer from 1 to 100000"},
};

enum { OF_PENALTY = 2, PARAM_COUNT = sizeof params / sizeof *params };

static const struct search_range space_l2[] = {{"C", 1e-3, 1e2, .logarithmic = true}};

static void set_defaults_unpenalised(struct train_settings *out)
{
    out->max_iterations = 200;
    out->inverse_penalty = INFINITY;
}

static void set_defaults_l2(struct train_settings *out)
{
    out->max_iterations = 200;
    out->inverse_penalty = 1;
}

/* --- fit --- */

static enum status fit_linear(const struct table *table, const uint32_t *rows, size_t row_count,
                              const struct train_settings *settings, struct model *out, struct error *err)
{
    struct design_matrix design;
    double penalty = settings->inverse_penalty;
    if (settings->choice != PENALTY_GIVEN) {
        enum status status = penalty_choose(table, rows, row_count, settings, &penalty, err);
        if (status != STATUS_OK)
            return status;
        out->chosen_name = "C";
        out->chosen = penalty;
    }
    design_matrix_make(&out->preprocessor, table, rows, row_count, settings->balanced, &design);
    struct logistic_problem problem = design_matrix_problem(&design, penalty, settings->max_iterations);
    enum status status = logistic_fit(&problem, &out->fit, err);
    design_matrix_clear(&design);
    return status;
}

static void clear_linear(struct model *model)
{
    logistic_fit_clear(&model->fit);
}

static void settle_penalty(const struct model *model, struct train_settings *settings)
{
    settings->choice = PENALTY_GIVEN;
    settings->inverse_penalty = model->chosen;
}

static bool linear_converged(const struct model *model)
{
    return model->fit.converged;
}

/* A mean loss below this: every row is predicted right beyond doubt, which no table of people warrants. */
static const double least_loss = 1e-6;

static enum status check_linear(const struct model *model, const struct train_settings *settings, struct error *err)
{
    const struct logistic_fit *fit = &model->fit;
    if (fit->unbounded && fit->loss < least_loss)
        return error_set(err, STATUS_INVALID,
                         "the columns separate the classes without error, so without a penalty there is no best model: "
                         "look for a column that gives the label away, or choose --model logistic-regression-l2");
    if (fit->unbounded)
        log_warn(
            "trainer",
            "some categories or combinations hold rows of one class only: without a penalty their coefficients have no "
            "limit; they stand where no probability changes any more (logistic-regression-l2 has no such directions)");
    if (fit->converged)
        return STATUS_OK;
    return error_set(err, STATUS_LIMIT, "no optimum found within %u iterations: %s", fit->iterations,
                     fit->iterations >= settings->max_iterations ? "raise them with --param max_iter=N"
                     : !isinf(settings->inverse_penalty)         ? "choose a smaller C, such as --param C=1"
                                                                 : "choose --model logistic-regression-l2");
}

static double linear_score(const struct model *model, const struct cell *cells, const struct model_scratch *scratch)
{
    preprocess_row(&model->preprocessor, cells, scratch->features);
    return logistic_margin(&model->fit, scratch->features, model->preprocessor.feature_count);
}

/* --- file --- */

/* {"kind":"linear","columns":{"NUMBER":36.9,"TEXT":{"A":0.72,…}}}: means and frequencies, both after imputation. */
static void linear_reference(const struct model *model, const struct table *table, const uint32_t *rows,
                             size_t row_count, struct buffer *out)
{
    const struct preprocessor *preprocessor = &model->preprocessor;
    size_t count = preprocessor->feature_count;
    double *features = mem_zeroed(count + 1, sizeof *features), *sums = mem_zeroed(count + 1, sizeof *sums);
    for (size_t r = 0; r < row_count; r++) {
        preprocess_row(preprocessor, table_row(table, rows[r]), features);
        for (size_t f = 0; f < count; f++)
            sums[f] += features[f];
    }
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "kind", "linear");
    json_begin_object(&json, "columns");
    for (size_t c = 0; c < preprocessor->column_count; c++) {
        const struct fitted *fitted = &preprocessor->columns[c];
        const struct column *column = &table->schema->columns[fitted->column];
        if (column->kind != COLUMN_NOMINAL) {
            json_write_double(&json, column->name, fitted->mean);
            continue;
        }
        json_begin_object(&json, column->name);
        for (size_t k = 0; k < fitted->category_count; k++) {
            json_key_span(&json, fitted->categories[k]);
            json_write_double(&json, NULL, sums[fitted->first + k] / (double)row_count);
        }
        json_end_object(&json);
    }
    json_end_object(&json);
    json_end_object(&json);
    free(features);
    free(sums);
}

static const double *linear_weights(const struct model *model)
{
    return model->fit.coefficients;
}

static enum status write_linear(const struct model *model, const struct linear_model *frame, struct buffer *out,
                                struct error *err)
{
    (void)model;
    return onnx_write_linear(frame, out, err);
}

static const char linear_reasons[] =
    "Reasons are weight times (value minus reference); the reference is the training mean of a number and the training "
    "frequency of a category. Base plus all reasons is the raw score, in log-odds.";

#define LINEAR_KIND \
    .reasons = linear_reasons, .golden_tolerance = 1e-12, .fit = fit_linear, .clear = clear_linear, \
    .settle = settle_penalty, .converged = linear_converged, .check = check_linear, .score = linear_score, \
    .write_reference = linear_reference, .weights = linear_weights, .write_onnx = write_linear

const struct model_kind kind_logistic = {.name = "logistic-regression",
                                         .params = params + OF_PENALTY,
                                         .param_count = PARAM_COUNT - OF_PENALTY,
                                         .set_defaults = set_defaults_unpenalised,
                                         LINEAR_KIND};
const struct model_kind kind_logistic_l2 = {.name = "logistic-regression-l2",
                                            .params = params,
                                            .param_count = PARAM_COUNT,
                                            .space = space_l2,
                                            .space_count = sizeof space_l2 / sizeof *space_l2,
                                            .set_defaults = set_defaults_l2,
                                            LINEAR_KIND};
