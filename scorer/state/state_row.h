/* An employee's attributes in as few bytes as they take: a bit a column for "has a value", then the values. Categories
 * are their codes, so that a row of thirty columns takes some fifty bytes. */
#pragma once

#include "base/row.h"
#include "events/schema.h"

size_t state_row_bound(const struct schema *schema, const struct cell *cells); /* bytes it takes at most */
/* Returns the bytes written. Every cell is of its column's type; none is unlisted. */
size_t state_row_pack(const struct schema *schema, const struct cell *cells, char *out);
/* What state_row_pack wrote under the same schema. Texts borrow from the schema, or from `row`. */
void state_row_unpack(const struct schema *schema, const char *row, struct cell *cells);
/* Whether foreign bytes are such a row, so that unpacking them stays within them. */
bool state_row_is_sound(const struct schema *schema, struct span row);
