/* A reader field's default value, for a field that the writer does not have. */
#ifndef EVENTS_PLAN_DEFAULT_H
#define EVENTS_PLAN_DEFAULT_H

#include "events/avro_type.h"

/* Appends the default in Avro's JSON encoding (unions tagged, records complete). A union takes its first branch that
 * fits. False: the value is no value of the type, or far too large. */
bool default_write(const struct avro_type *type, const json_t *value, struct buffer *out);

/* The branch of a union that the value fits, the type itself if it is no union, NULL if none. */
const struct avro_type *default_type(const struct avro_type *type, const json_t *value);

#endif
