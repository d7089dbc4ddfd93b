/* The dates at which `trainer table` and `retrain` take the log. */
#pragma once

#include "base/options.h"
#include "registry/log_reader.h"

/* Texts that PostgreSQL reads, ascending, each once. log_dates_clear. */
struct log_dates {
    char **items;
    size_t count;
};

/* Of --as-of. None given: the database's now less `fallback_count`, …, 2, 1 times the horizon. STATUS_INVALID: no
 * time. */
MUST_USE enum status log_dates_read(const struct options *options, struct log_reader *rows, size_t fallback_count,
                                    struct log_dates *out, struct error *err);
void log_dates_clear(struct log_dates *dates);
/* Milliseconds since 1970. */
int64_t log_date_ms(const char *date);
