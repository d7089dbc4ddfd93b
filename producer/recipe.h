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

/* Draws one row into cells (one per column of the schema); the planted margin of any row; a label by its logistic
 * function, an index into schema->target_values. Texts are the schema's own. Allocates nothing. */
void recipe_draw_row(const struct recipe *recipe, struct random *random, struct cell *cells);
double recipe_margin(const struct recipe *recipe, const struct cell *cells);
uint32_t recipe_draw_label(const struct recipe *recipe, double margin, struct random *random);

/* One column again, given the others; and, once all changes of a row are made, what keeps the schema's ranges and
 * rules. */
void recipe_redraw(const struct recipe *recipe, uint32_t column, struct random *random, struct cell *cells);
void recipe_limit(const struct recipe *recipe, struct cell *cells);

bool recipe_has_life(const struct recipe *recipe); /* what life.h needs */
