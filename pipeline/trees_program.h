/* The body of struct trees, shared by who folds it (trees_compile.c), who runs it (trees.c), who counts rows through it
 * (background.c) and who looks for changes (counterfactual.c). Nobody else includes this. */
#pragma once

#include "pipeline/features.h"

/* A node in eight bytes, so that a cache line holds eight. Siblings stand side by side: the next node is `step`
 * further on, or step + 1 where not x ≤ threshold. A leaf reads slot 0 (−infinity, always ≤) and steps by 0: rows that
 * reached one stay there while others walk on. Its threshold is its value, rounded to float. */
enum { PACKED_SLOT_SHIFT = 20, PACKED_STEP_MASK = (1 << PACKED_SLOT_SHIFT) - 1 };
struct packed_node {
    float threshold;
    uint32_t packed; /* slot << 20 | step */
};

struct treeshap;

struct trees {
    const struct ensemble *ensemble;
    struct features *features;
    struct packed_node *nodes;
    double *values; /* of leaves, by node; NULL: the packed floats are the values */
    size_t column_count, class;
    struct treeshap *shap; /* NULL: no reasons */
    double base;           /* margin of the mean training row; 0 without reasons */
    bool vector;           /* walk by trees_vector.h */
    bool opposite;         /* the score is the other class's: probability = 1 − it, or the sigmoid of −it */
};
