/* A JSON attributes object → row. Used by `scorer score`, the producer's JSON Lines and (later) HTTP. */
#pragma once

#include <jansson.h>

#include "events/error_codes.h"
#include "events/schema.h"

/* Fills cells from a JSON object (null or absent = missing). checked: unknown keys, fractions in int columns are
 * faults; unchecked: unknown keys are ignored, any finite number and any text pass, the empty text is missing. Both:
 * text for a number (or a number for text, booleans, arrays, objects) is wrong_type; the strings "NaN", "Infinity",
 * "-Infinity" for a number, and bare ones that jansson cannot read, are not_finite.
 * Returns the number of faults written (at most capacity). Cells borrow texts from the object. */
size_t json_row_read(const struct schema *schema, const json_t *attributes, bool checked, struct cell *cells,
                     struct fault *faults, size_t capacity);
