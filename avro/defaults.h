/* A reader field's default value, for a field that the writer does not have. */
#pragma once

#include "avro/type.h"

enum { DEFAULT_WORK_MAX = 1 << 22 }; /* values written and symbols compared: enough for all defaults of a plan */

/* Appends the default in Avro's JSON encoding (unions tagged, records complete). A union takes its first branch that
 * fits. False: the value is no value of the type, or far too large; or *work, which it is taken from, is used up. */
bool default_write(const struct avro_type *type, const json_t *value, unsigned *work, struct buffer *out);

/* The branch of a union that the value fits, the type itself if it is no union, NULL if none. */
const struct avro_type *default_type(const struct avro_type *type, const json_t *value);
