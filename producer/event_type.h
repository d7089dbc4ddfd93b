/* The --event-type option. */
#pragma once

#include "base/options.h"
#include "events/schema.h"

/* Index of the symbol in schema->event_types. STATUS_INVALID: the text lists the symbols. */
MUST_USE enum status event_type_resolve(const struct options *options, const struct schema *schema, int32_t *out,
                                        struct error *err);
