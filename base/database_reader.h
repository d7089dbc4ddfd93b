/* What commands that read the database have in common: the connection, and what a failure is. The sink has its own. */
#pragma once

#include <libpq-fe.h>

#include "base/status.h"

/* `program`: the connection's application_name; `doing`: what a failure is said to be of. *out is the caller's to
 * finish even then; NULL only where the address is none (STATUS_INVALID). Waits as long as the server does. */
MUST_USE enum status database_reader_connect(const char *conninfo, const char *program, const char *doing, PGconn **out,
                                             struct error *err);

/* Takes the result of a statement. *out, yours to clear: it, or NULL on failure; out NULL: whether it succeeded is all
 * that counts. */
MUST_USE enum status database_reader_result(const PGconn *connection, const char *doing, PGresult *result,
                                            PGresult **out, struct error *err);
/* A statement without parameters whose result is not wanted. */
MUST_USE enum status database_reader_run(PGconn *connection, const char *doing, const char *sql, struct error *err);

/* "PostgreSQL: <doing>: <the first line of its words>". STATUS_INVALID: the server refused; STATUS_UNAVAILABLE: it is
 * not there. */
enum status database_reader_fail(const PGconn *connection, const char *doing, struct error *err);
