/* What an operator that is not supported usually comes of, in the words of whoever trained the model, and the way out:
 * one table. Part of a refusal (compile.c). */
#pragma once

#include "pipeline/onnx/onnx_read.h"

/* In estimator_row's order: operators, what comes of them, what to do. */
/* clang-format off */
#define ESTIMATOR_TABLE(ESTIMATOR) \
    ESTIMATOR("Scan|CDist|", "KNeighborsClassifier (or another model of distances to the training rows)", "it keeps every training row in the model: train LogisticRegression, a forest or boosting instead") \
    ESTIMATOR("TopK|", "KNeighborsClassifier", "it keeps every training row in the model: train LogisticRegression, a forest or boosting instead") \
    ESTIMATOR("Transpose|", "QuadraticDiscriminantAnalysis", "train LinearDiscriminantAnalysis or GaussianNB instead") \
    ESTIMATOR("SVMRegressor|", "OneClassSVM or SVR", "it is no classifier: train SVC(probability=True)") \
    ESTIMATOR("LinearRegressor|", "a regression", "it gives no probability: train LogisticRegression") \
    ESTIMATOR("TfIdfVectorizer|Tokenizer|StringNormalizer|", "TfidfVectorizer or CountVectorizer", "free texts are no columns of the schema: train without them") \
    ESTIMATOR("DictVectorizer|", "DictVectorizer", "use ColumnTransformer with OneHotEncoder") \
    ESTIMATOR("Gemm|", "a network of PyTorch or Keras", "train MLPClassifier, or export through skl2onnx") \
    ESTIMATOR("Loop|", "GaussianProcessClassifier or a function of your own", "train LogisticRegression, a forest or boosting instead") \
    ESTIMATOR("Einsum|", "a mixture or a process of Gaussians", "train LogisticRegression, a forest or boosting instead")
/* clang-format on */

struct estimator_row {
    const char *ops, *name, *way_out; /* ops: as operator_list_has takes them */
};

/* NULL: nothing is known of the operator. */
const struct estimator_row *estimator_of(const struct onnx_node *node);
/* The estimator that the others stand in, by the names that exporters give tensors; NULL: none is known. */
const char *estimator_around(const struct onnx_graph *graph);
