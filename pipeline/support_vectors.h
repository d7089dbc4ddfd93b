/* A support vector classifier of two classes, computed as onnxruntime does. Plain data in the pool's
 * arena, read-only once built. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kernel { KERNEL_LINEAR, KERNEL_POLY, KERNEL_RBF, KERNEL_SIGMOID };
enum { SUPPORT_LANES = 8, SUPPORT_MAX_WIDTH = 1024 };

struct support_vectors {
    enum kernel kernel;
    float gamma, coef0, degree;
    size_t count, width;  /* vectors; numbers in each */
    const float *vectors; /* [count × width] */
    const float *weights; /* [count] */
    float rho, slope, shift;
    bool raw;               /* the score itself instead of a probability, of the first class its negative */
    const uint32_t *inputs; /* the expressions that it reads, `width` of them */
};

/* The probability or score of class `class` for `count` rows: input f of row r at inputs[f][r]. No allocation. */
void support_vectors_run(const struct support_vectors *machine, uint32_t class, const double *const *inputs,
                         size_t count, double *out);
