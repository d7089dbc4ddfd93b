/* The walks of trees.c, many at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/trees_program.h"

enum { TREES_VECTOR_WALKS = 64 };

bool trees_vector_runs(void); /* does this processor have what it takes? */

/* Moves every walk w from nodes[at[w]] by `depth` levels; slot s of its row is x[from[w] + s × FEATURE_LANES]. The
 * threshold that it comes to, which is a leaf's value, to reached[w]. */
void trees_vector_walk(const struct packed_node *nodes, unsigned depth, const float *x, const uint32_t *from,
                       uint32_t *at, float *reached);
