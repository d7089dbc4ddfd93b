/* Past decisions as PostgreSQL holds them, one after the other, in the order they were made. Nothing of libpq is seen
 * here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "registry/log_reader.h"

/* Which decisions. Borrowed. */
struct explain_wanted {
    const char *event_id;   /* NULL: of any event … */
    int64_t from_ms, to_ms; /* … scored then; -1: no limit */
};

/* A row of predictions. Texts are borrowed until the next one is read. */
struct explain_decision {
    const char *event_id, *employee_id; /* NULL: none */
    const char *scored_at;              /* ISO 8601, UTC */
    const char *prediction, *model_name, *model_version;
    double probability, threshold, margin, base;
    struct span input, reasons; /* JSON */
    bool pseudonymised;
};

/* Connects and begins to read. `conninfo` NULL leaves everything to libpq's own variables. Close with log_reader_close.
 */
MUST_USE enum status explain_rows_open(const char *conninfo, const struct explain_wanted *wanted,
                                       struct log_reader **out, struct error *err);

/* *found is false after the last one. */
MUST_USE enum status explain_rows_next(struct log_reader *rows, struct explain_decision *out, bool *found,
                                       struct error *err);
