/* Preprocessing and model together: see model.h. Pure but for the forest's threads; called for the whole table and for
 * each fold. */
#include "trainer/model.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/fold.h"
#include "trainer/kinds/kinds.h"
#include "trainer/random.h"

static const double finest_step = 1e-9; /* of scores that are taken as they are, where a piece is too steep */

enum { CALIBRATION_FOLDS = 5, CALIBRATION_STREAM = 6000011 };

static enum status fit_plain(const struct table *table, const uint32_t *rows, size_t row_count,
                             const struct train_settings *settings, struct model *out, struct error *err)
{
    struct model model = {.kind = settings->kind, .sigmoid = {1, 0}};
    preprocess_fit(table, rows, row_count, !model.kind->takes_cells, &model.preprocessor);
    enum status status = model.kind->fit(table, rows, row_count, settings, &model, err);
    if (status == STATUS_OK)
        *out = model;
    else
        preprocess_free(&model.preprocessor);
    return status;
}

static double plain_share(const struct model_kind *kind, double score)
{
    return kind->score_is_share ? score : logistic_probability(score);
}

static void score_rows(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                       double *scores)
{
    size_t count = model->preprocessor.feature_count;
    const struct model_scratch scratch = {mem_zeroed(count + 1, sizeof(double)), mem_zeroed(count + 1, sizeof(float))};
    for (size_t r = 0; r < row_count; r++)
        scores[r] = model->kind->score(model, table_row(table, rows[r]), &scratch);
    free(scratch.features);
    free(scratch.floats);
}

/* Scores of one fold's rows by a fit to the others; their labels beside them. */
static enum status score_fold(const struct table *table, const struct fold_rows *part,
                              const struct train_settings *settings, double *scores, uint8_t *labels, struct error *err)
{
    struct model model;
    enum status status = fit_plain(table, part->training, part->training_count, settings, &model, err);
    if (status != STATUS_OK)
        return status;
    score_rows(&model, table, part->assessed, part->assessed_count, scores);
    for (size_t r = 0; r < part->assessed_count; r++)
        labels[r] = table->labels[part->assessed[r]];
    model_clear(&model);
    return STATUS_OK;
}

double model_tolerance(const struct model *model)
{
    bool isotonic = model->calibration == CALIBRATION_ISOTONIC;
    return model->kind->golden_tolerance * (isotonic ? fmax(1, isotonic_steepest(&model->isotonic)) : 1);
}

/* `scores` becomes probabilities where those are what is calibrated. */
static void calibration_fit(enum calibration_method how, double *scores, const uint8_t *labels, size_t count,
                            struct model *model)
{
    model->calibration = how;
    if (how == CALIBRATION_SIGMOID) {
        model->sigmoid = sigmoid_fit(scores, labels, count);
        return;
    }
    for (size_t r = 0; r < count; r++)
        scores[r] = plain_share(model->kind, scores[r]);
    double step = model->kind->share_step;
    isotonic_fit(scores, labels, count, step, &model->isotonic);
    while (model_tolerance(model) > MODEL_MOST_TOLERANCE) {
        step = step > 0 ? 2 * step : finest_step;
        isotonic_clear(&model->isotonic);
        isotonic_fit(scores, labels, count, step, &model->isotonic);
    }
}

static double calibrated_share(const struct model *model, double score)
{
    if (model->calibration == CALIBRATION_SIGMOID)
        return logistic_probability(model->sigmoid.slope * score + model->sigmoid.intercept);
    double share = plain_share(model->kind, score);
    return model->calibration == CALIBRATION_ISOTONIC ? isotonic_share(&model->isotonic, share) : share;
}

static enum status calibrate(const struct table *table, const uint32_t *rows, size_t row_count,
                             const struct train_settings *given, struct model *model, struct error *err)
{
    struct train_settings settings = *given;
    size_t most = fold_most(table, rows, row_count), done = 0;
    size_t fold_count = most < CALIBRATION_FOLDS ? most : CALIBRATION_FOLDS;
    if (fold_count < 2)
        return error_set(err, STATUS_INVALID,
                         "--calibrate: one class has a single row to calibrate by: leave --calibrate out");
    if (model->chosen_name)
        model->kind->settle(model, &settings);
    double *scores = mem_zeroed(row_count + 1, sizeof *scores);
    uint8_t *labels = mem_zeroed(row_count + 1, 1), *folds = mem_zeroed(row_count + 1, 1);
    enum status status = STATUS_OK;
    fold_assign(table, rows, row_count, fold_count, random_stream(settings.seed, CALIBRATION_STREAM), folds);
    for (size_t fold = 0; fold < fold_count && status == STATUS_OK; fold++) {
        struct fold_rows part;
        fold_split(rows, folds, row_count, fold, &part);
        status = score_fold(table, &part, &settings, scores + done, labels + done, err);
        done += part.assessed_count;
        fold_rows_clear(&part);
    }
    if (status == STATUS_OK)
        calibration_fit(settings.calibration, scores, labels, done, model);
    free(scores);
    free(labels);
    free(folds);
    return status;
}

enum status model_fit(const struct table *table, const uint32_t *rows, size_t row_count,
                      const struct train_settings *settings, struct model *out, struct error *err)
{
    struct model model;
    enum status status = fit_plain(table, rows, row_count, settings, &model, err);
    if (status != STATUS_OK)
        return status;
    if (settings->calibration)
        status = calibrate(table, rows, row_count, settings, &model, err);
    if (status == STATUS_OK)
        *out = model;
    else
        model_clear(&model);
    return status;
}

bool model_converged(const struct model *model)
{
    return !model->kind->converged || model->kind->converged(model);
}

void model_clear(struct model *model)
{
    preprocess_free(&model->preprocessor);
    isotonic_clear(&model->isotonic);
    if (model->kind)
        model->kind->clear(model);
}

void model_predict(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                   double *probabilities, double *uncalibrated)
{
    score_rows(model, table, rows, row_count, probabilities);
    for (size_t r = 0; r < row_count; r++) {
        double score = probabilities[r];
        probabilities[r] = calibrated_share(model, score);
        if (uncalibrated)
            uncalibrated[r] = plain_share(model->kind, score);
    }
}

static void predict_cells(const void *context, const struct cell *cells, size_t count, double *probabilities)
{
    const struct model *model = context;
    size_t features = model->preprocessor.feature_count, columns = model->preprocessor.schema->column_count;
    const struct model_scratch scratch = {mem_zeroed(features + 1, sizeof(double)),
                                          mem_zeroed(features + 1, sizeof(float))};
    for (size_t r = 0; r < count; r++)
        probabilities[r] = calibrated_share(model, model->kind->score(model, cells + r * columns, &scratch));
    free(scratch.features);
    free(scratch.floats);
}

struct predictor model_predictor(const struct model *model)
{
    return (struct predictor){predict_cells, model};
}
