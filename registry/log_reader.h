/* Reading the prediction log: one read-only transaction on PostgreSQL, in which queries see one state of the database
 * and come row by row, whatever their number. Of `trainer table`, `registry promote --replay`, `scorer explain` and
 * `scorer notices`; the only file of the registry that knows libpq. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

struct log_reader;

/* `conninfo` NULL: PG* variables alone. Waits as long as the server does. STATUS_INVALID: the address is none, or
 * the server refused; STATUS_UNAVAILABLE: it is not there. Free with log_reader_close. */
MUST_USE enum status log_reader_open(const char *conninfo, const char *program, struct log_reader **out,
                                     struct error *err);
void log_reader_close(struct log_reader *rows);

/* Begins a query, which ends the one before. `values`: its $1, $2, …, as texts. `doing`: what a failure is said to be
 * of; kept, not copied. */
MUST_USE enum status log_reader_query(struct log_reader *rows, const char *doing, const char *sql, int count,
                                      const char *const *values, struct error *err);
/* The next row; *found false at the end. */
MUST_USE enum status log_reader_next(struct log_reader *rows, bool *found, struct error *err);
/* A value of the row at hand, by its place, as text with a zero byte behind it; it lives until the next call.
 * SPAN_NULL: null. */
struct span log_reader_text(const struct log_reader *rows, int column);
