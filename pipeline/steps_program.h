/* The body of struct steps, shared by who lists them (steps_compile.c) and who runs them (steps.c). Nobody else
 * includes this. */
#pragma once

#include "pipeline/steps.h"
#include "pipeline/tabulation.h"
#include "pipeline/trees.h"

/* Numbers of all rows of a block, on the stack (128 KiB); numbers that one row may take, all of them at once in the
 * worst case, which leaves room for two rows; terms and keys that it may take. */
enum { STEPS_NUMBERS = 16384, STEPS_MAX_PLACES = 6144, STEPS_MAX_WORK = 1 << 20 };
enum { STEPS_MAX_ROWS = TREES_MEMBER_ROWS, STEPS_MAX_INPUTS = 8192 };

enum step_kind { STEP_NUMBER, STEP_LINEAR, STEP_TREES, STEP_VECTORS, STEP_WHERE, STEP_APPLY };

struct step {
    const struct expr *expr; /* what it computes */
    enum step_kind kind;
    uint32_t to, a, b, c;  /* places */
    const uint32_t *from;  /* LINEAR: its terms; TREES, VECTORS: its inputs, place 0 where no node reads one */
    struct trees *members; /* TREES */
};

/* All functions of a nominal column, side by side from place `first` on. */
struct step_texts {
    struct text_rows texts;
    uint32_t first, count;
    const double *rows; /* [row × count] */
};

struct step_constant {
    uint32_t to;
    double number;
};

struct steps {
    struct arena arena;
    size_t bytes, column_count, rows; /* rows: in a block */
    struct step *list;
    struct step_texts *texts;
    struct step_constant *constants;
    size_t count, text_count, constant_count, place_count, tree_count;
    uint32_t result;
};
