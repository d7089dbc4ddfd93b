/* Writing a linear model as one ONNX file that onnxruntime, mlflow.onnx and pipeline.h read: doubles throughout;
 * numbers by IsNaN + Where, Sub, Div; texts by LabelEncoder ('' as the mode) and OneHotEncoder; MatMul, Add, Sigmoid;
 * outputs `label` and `probabilities` [N, 2]. docs/MODELS.md shows the graph. */
#ifndef PIPELINE_ONNX_WRITE_H
#define PIPELINE_ONNX_WRITE_H

#include "base/bytes.h"
#include "base/row.h"
#include "base/status.h"

/* One fitted column, in the model's feature order (numbers, then nominals, as ColumnTransformer does). Borrowed. */
struct fitted_column {
    const struct column *column;
    double median, mean, scale;    /* numbers: imputed value, then (x - mean) / scale */
    const struct span *categories; /* nominal: sorted; one weight each */
    size_t category_count;
    size_t mode;           /* nominal: index of the imputed category */
    const double *weights; /* 1 (number) or category_count weights */
};

struct model_property {
    const char *key;
    struct span value;
};

struct linear_model {
    const struct fitted_column *columns;
    size_t column_count;
    double intercept;
    const struct span *labels; /* two class labels, negative first */
    const struct model_property *properties;
    size_t property_count;
    const char *producer_version;
};

/* Appends the file's bytes to out. */
MUST_USE enum status onnx_write_linear(const struct linear_model *model, struct buffer *out, struct error *err);

#endif
