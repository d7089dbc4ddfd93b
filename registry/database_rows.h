/* Reading the prediction log: one read-only transaction on PostgreSQL, in which queries see one state of the database
 * and come row by row, whatever their number. Of `trainer table` and `registry promote --replay`; the only file of the
 * registry that knows libpq. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

struct database_rows;

/* `conninfo` NULL: PG* variables alone. Waits as long as the server does. STATUS_INVALID: the address is none;
 * STATUS_IO: the server refused; STATUS_UNAVAILABLE: it is not there. Free with database_rows_close. */
MUST_USE enum status database_rows_open(const char *conninfo, const char *program, struct database_rows **out,
                                        struct error *err);
void database_rows_close(struct database_rows *rows);

/* Begins a query, which ends the one before. `values`: its $1, $2, …, as texts. `doing`: what a failure is said to be
 * of; kept, not copied. */
MUST_USE enum status database_rows_query(struct database_rows *rows, const char *doing, const char *sql, int count,
                                         const char *const *values, struct error *err);
/* The next row; *found false at the end. */
MUST_USE enum status database_rows_next(struct database_rows *rows, bool *found, struct error *err);
/* A value of the row at hand, by its place, as text; it lives until the next call. SPAN_NULL: null. */
struct span database_rows_text(const struct database_rows *rows, int column);
