/* The kinds of model that `trainer train --model` knows: one row each, and all that differs between them.
 *
 * A new kind is a file in this directory that defines `const struct model_kind kind_NAME`, and its name in MODEL_KINDS;
 * settings, fit, prediction and export go through its row. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct train_settings;
struct cell;
struct model;
struct model_scratch;
struct table;
struct linear_model; /* pipeline/onnx/onnx_write.h: the file's frame */

/* A parameter of --param, named as in scikit-learn. */
struct model_param {
    const char *name;
    bool (*read)(const char *value, struct train_settings *out); /* false: not a value of this parameter */
    /* Its value as text into TRAIN_SETTINGS_TEXT_BYTES; the empty text: not in use. chosen: the value
     * that the fit chose, where it chose this one. */
    void (*show)(const struct train_settings *settings, double chosen, char *out);
    const char *takes; /* "give …" */
};

/* Where --search draws a parameter from: evenly from low to high, or evenly in its logarithm. */
struct search_range {
    const char *param; /* its name; in the kind's parameters */
    double low, high;
    bool logarithmic, whole; /* whole: rounded to an integer */
};

struct model_kind {
    const char *name;
    const char *reasons; /* how they are counted: for the report and the model card */
    const struct model_param *params;
    size_t param_count;
    const struct search_range *space; /* of --search; none: there is nothing to search */
    size_t space_count;
    void (*set_defaults)(struct train_settings *out);
    double golden_tolerance; /* of the golden rows' probabilities when the file is loaded */

    /* Fits out->preprocessor's features of the rows. STATUS_INVALID, STATUS_LIMIT. */
    enum status (*fit)(const struct table *table, const uint32_t *rows, size_t row_count,
                       const struct train_settings *settings, struct model *out, struct error *err);
    void (*clear)(struct model *model);
    bool (*converged)(const struct model *model); /* NULL: always */
    /* Takes what the fit chose as if it had been given; NULL: it chooses nothing. */
    void (*settle)(const struct model *model, struct train_settings *settings);
    /* Whether the fit to all training rows may be used; warns. NULL: always. STATUS_INVALID, STATUS_LIMIT. */
    enum status (*check)(const struct model *model, const struct train_settings *settings, struct error *err);
    /* The raw score of one row: log-odds, or the probability itself where the kind says so. */
    double (*score)(const struct model *model, const struct cell *cells, const struct model_scratch *scratch);
    bool score_is_share;
    double share_step; /* at least, of probabilities for an isotonic calibration: files add trees in floats; 0: exact */
    bool takes_cells;  /* numbers are taken as they are: none is imputed or scaled */

    /* The metadata attrition.reference: what reasons are counted from, by the rows it was fitted to. */
    void (*write_reference)(const struct model *model, const struct table *table, const uint32_t *rows,
                            size_t row_count, struct buffer *out);
    const double *(*weights)(const struct model *model); /* by feature; NULL: it has none */
    enum status (*write_onnx)(const struct model *model, const struct linear_model *frame, struct buffer *out,
                              struct error *err);
};

/* In the order in which messages name them. */
#define MODEL_KINDS(KIND) KIND(logistic) KIND(logistic_l2) KIND(random_forest) KIND(gradient_boosting)

#define MODEL_KIND(name) extern const struct model_kind kind_##name;
MODEL_KINDS(MODEL_KIND)
#undef MODEL_KIND

/* The kind of that name. STATUS_INVALID: none; the text names those there are. */
MUST_USE enum status model_kind_find(const char *name, const struct model_kind **out, struct error *err);
