/* A time as options of commands give it: a date, a date and time, or an age. */
#pragma once

#include <stdint.h>

#include "base/options.h"

/* Milliseconds since 1970; -1 where the option is not given. STATUS_INVALID names `flag` and what may be written. */
MUST_USE enum status time_option(const struct options *options, enum option_id id, const char *flag, int64_t *out,
                                 struct error *err);
/* Such a time as text that PostgreSQL adds to the epoch as an interval; NULL where it is not given. */
const char *time_option_interval(int64_t ms, char out[32]);
