/* What a model gives and takes: plain data of pipeline.h. */
#pragma once

#include "base/row.h"

/* Result of one row. */
struct score {
    double probability; /* of the positive class, 0 to 1 */
    double margin;      /* raw score: log-odds; of a forest without a sigmoid, the probability itself */
    double base; /* margin of the reference row; margin = base + sum of all contributions; 0 without a reference */
    uint32_t reason_count;
};

struct pipeline_input { /* one tensor of the model, bound to the column of its name */
    uint32_t column;
    const char *type; /* ONNX's name of its elements: "float", "double", "string" */
    bool used;        /* the score depends on it */
};

/* The golden rows replayed at load; all zero if the file has none. */
struct pipeline_golden {
    size_t rows;
    double worst, tolerance; /* largest difference of a probability, and the one allowed */
};
