/* Points in time as people and programs write them. */
#ifndef PRODUCER_TIMESTAMP_H
#define PRODUCER_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* ISO 8601 in the extended form (2026-11-23, 2026-11-23T10:00:00.123Z, 2026-11-23 10:00+01:00; no zone: UTC), or whole
 * milliseconds since 1970-01-01 UTC. Years 1 to 9999. False: neither. */
bool timestamp_parse(struct span text, int64_t *out_ms);

#endif
