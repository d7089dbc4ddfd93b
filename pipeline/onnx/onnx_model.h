/* What is written into a file: plain structs. See onnx_write.h. */
#pragma once

#include "base/bytes.h"
#include "base/row.h"

/* One fitted column, in the model's feature order (numbers, then nominals, as ColumnTransformer does). Borrowed. */
struct fitted_column {
    const struct column *column;
    double median, mean, scale;    /* numbers: imputed value, then (x - mean) / scale */
    const struct span *categories; /* nominal: sorted; one weight each */
    size_t category_count;
    size_t mode;           /* nominal: index of the imputed category */
    const double *weights; /* 1 (number) or category_count weights; not read for trees */
};

struct model_property {
    const char *key;
    struct span value;
};

/* Probability without calibration → with it: linear between knots, constant beyond them. Scores rise strictly.
 * Borrowed.
 */
struct written_isotonic {
    const double *scores, *shares;
    size_t count; /* at least 1 */
};

struct linear_model {
    const struct fitted_column *columns;
    size_t column_count;
    double intercept;
    const struct written_isotonic *isotonic; /* NULL: none */
    const struct span *labels;               /* two class labels, negative first */
    const struct model_property *properties;
    size_t property_count;
    const char *producer_version;
};

/* A node of a tree; trees one after the other, each tree's nodes together. */
struct written_node {
    uint32_t tree, id; /* id: within its tree */
    bool leaf, missing_left;
    uint32_t feature, left, right; /* of a branch: value <= threshold goes left; ids in the same tree */
    float threshold;
    float weight; /* of a leaf: what it adds to the positive class's probability, or to its log-odds */
};

/* Texts of a nominal column as a feature: 0 where the row has one of them, 1 where not. The empty text: missing. */
struct written_set {
    size_t column; /* of the frame */
    const struct span *texts;
    size_t text_count;
};

/* Borrowed. */
struct written_trees {
    const struct written_node *nodes;
    size_t node_count;
    bool as_given; /* features: the numbers as they are given, then the sets; else the columns' as of a linear model */
    const struct written_set *sets;
    size_t set_count;
    bool logistic; /* probability = sigmoid(base + leaves); else the leaves' sum itself */
    double base;
};
