/* What a set of rows says about a model's columns and leaves: the references that make reasons possible. */
#pragma once

#include "pipeline/linear.h"
#include "pipeline/trees.h"

/* Rows of cells, row-major, whose texts are the schema's. Borrowed. */
struct background {
    const struct column *columns;
    size_t column_count;
    const struct cell *cells;
    size_t row_count; /* at least one */
};

bool background_has(const struct background *background, uint32_t column); /* some row has a value there */

/* Does the score depend on the column? */
bool background_linear_uses(const struct linear *linear, uint32_t column);
bool background_trees_use(const struct trees *trees, uint32_t column);

/* {"kind":"linear","columns":{…}} and {"kind":"tree","covers":[[…],…]}: metadata.h reads them. */
void background_means(const struct linear *linear, const struct background *background, struct buffer *out);
void background_covers(const struct trees *trees, const struct background *background, struct buffer *out);
