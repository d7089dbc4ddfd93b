/* Times on the command line: a point in time, or how long ago. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MOMENT_FORMS "a time such as 2026-11-23T10:00:00Z, or an age such as 24h"

/* In milliseconds since 1970. */
bool moment_parse(const char *text, int64_t *out_ms);
