/* A tensor during the walk of a graph. Plain data. */
#pragma once

#include "pipeline/expr.h"

enum { CLASS_COUNT = 2 }; /* only binary classifiers are scored */

/* What a classifier calls its classes, in the order of its probability columns. */
struct class_labels {
    bool integers;
    size_t count;
    struct span texts[CLASS_COUNT]; /* integers as decimal text */
};

enum value_kind {
    VALUE_NONE,   /* not made yet, or not needed */
    VALUE_TENSOR, /* cells */
    VALUE_CLASS,  /* the predicted class: cells are the scores it is the largest of */
    VALUE_MAP,    /* ZipMap: cells are the probabilities */
};

/* A tensor during the walk, element by element in row-major order. Where `rows`, axis `batch` is the batch: its
 * dimension here is 1, and the cells are those of one row. */
struct value {
    enum value_kind kind;
    enum dtype dtype;
    bool rows;
    size_t
        batch; /* where `rows`: the axis that is the batch, 0 but where members of an ensemble are stacked before it */
    bool flat; /* where `rows`: [1, N × count], one row's elements after the other's: only for element by element */
    size_t rank;
    size_t dims[TENSOR_MAX_RANK];
    size_t count;
    const uint32_t *cells;
    bool has_row_count; /* of constants: an element stands for the number of rows, and is NaN */
    bool is_index;      /* of a CLASS: its number, 0 or 1, not a label yet */
    /* Of a CLASS, and of tensors and maps of probabilities whose operator names the classes. */
    const struct class_labels *labels;
};
