/* One record of an Avro file as a row of texts, under its fields' names: what the columns of a table are found by. The
 * fields of a record called "attributes" stand beside the others, so that events and plain tables read alike. */
#pragma once

#include "avro/type.h"
#include "base/bytes.h"
#include "events/time_unit.h"

struct avro_row;

/* `writer` is a record, and is borrowed. `unit`: of an occurred_at without a logical type; TIME_UNIT_NONE: a plain long
 * counts milliseconds. Free with avro_row_free. */
struct avro_row *avro_row_new(const struct avro_type *writer, enum time_unit unit);
void avro_row_free(struct avro_row *row);

size_t avro_row_field_count(const struct avro_row *row);
const struct span *avro_row_names(const struct avro_row *row);

/* Moves *in past a record. The texts live until the next call; null is the empty text, a point in time ISO 8601, the
 * strings of `changed` a list in JSON, another array, map or record what no column takes. NULL: these are no bytes of
 * such a record. */
const struct span *avro_row_read(struct avro_row *row, struct cursor *in);
/* Whether a text is that of an array, map or record. */
bool avro_row_is_complex(struct span text);
