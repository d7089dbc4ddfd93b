/* The recipe of synthetic employees: a data file of ordered conditional tables, with a planted risk.
 *
 * Its form is described in docs/GENERATOR.md. Everything is checked against the schema when it is loaded, so that every
 * row drawn passes validate_row. Read-only after recipe_load; borrows the schema. */
#pragma once

#include "base/status.h"
#include "events/schema.h"
#include "producer/random.h"

struct recipe;

/* STATUS_INVALID: the text names the entry of the recipe that is wrong. Free with recipe_free. */
MUST_USE enum status recipe_load(const char *path, const struct schema *schema, struct recipe **out, struct error *err);
void recipe_free(struct recipe *recipe);

/* Draws one row into cells (one per column of the schema) and its label, an index into schema->target_values. Texts are
 * the schema's own. Allocates nothing. */
void recipe_draw(const struct recipe *recipe, struct random *random, struct cell *cells, uint32_t *label);
