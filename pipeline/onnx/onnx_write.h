/* Writing a linear model or a forest as one ONNX file that onnxruntime, mlflow.onnx and pipeline.h read: doubles
 * throughout; numbers by IsNaN + Where, Sub, Div; texts by LabelEncoder ('' as the mode) and OneHotEncoder; MatMul,
 * Add, Sigmoid; outputs `label` and `probabilities` [N, 2]. Trees read the same features, cast to float, or numbers as
 * they are given (missing: NaN) and sets of categories, each by a LabelEncoder: by TreeEnsemble (ai.onnx.ml 5) where
 * their sum is the probability, else by TreeEnsembleClassifier. docs/MODELS.md shows the graphs. */
#pragma once

#include "base/status.h"
#include "pipeline/onnx/onnx_model.h"

/* Appends the file's bytes to out. */
MUST_USE enum status onnx_write_linear(const struct linear_model *model, struct buffer *out, struct error *err);
/* The same for trees over these columns: the intercept and the columns' weights are not read. */
MUST_USE enum status onnx_write_trees(const struct linear_model *model, const struct written_trees *trees,
                                      struct buffer *out, struct error *err);
