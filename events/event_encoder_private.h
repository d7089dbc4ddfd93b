/* The attributes record written into reserved room: shared by event_encoder.c and prediction.c. */
#pragma once

#include "events/schema_private.h"

size_t attributes_bound(const struct schema_parts *parts, const struct cell *cells); /* bytes it takes at most */
char *attributes_put(const struct schema_parts *parts, const struct cell *cells, char *at);
