/* A few connections to PostgreSQL, for the routes that read it and for what they note there. The only file of the
 * folder that knows libpq.
 *
 * Queries run on the readers' threads (server.c), of which there are as many as connections, or on that of figures.c,
 * and wait in pieces: a query whose client has left, or that takes too long, is given up by closing its connection,
 * which the server notices and ends the query. A connection that was lost while nobody asked is made again, unseen. */
#pragma once

#include "scorer/http/request.h"
#include "scorer/settings.h"

enum { DATABASE_CONNECTIONS = 4 };

struct database;
struct database_rows;

/* DATABASE_READ_URL, and DATABASE_URL. Connects when it is first asked. STATUS_INVALID: no connection string. Borrows
 * the settings; on failure too what was made is the caller's. */
MUST_USE enum status databases_new(const struct settings *settings, struct database **reads, struct database **writes,
                                   struct error *err);
/* DATABASE_URL, for work that no request waits for to its end: a question of it may take 20 minutes, not 8 s, and has a
 * connection of its own. Each failure is logged: its asker pauses after one. */
MUST_USE enum status database_patient_new(const struct settings *settings, struct database **out, struct error *err);
void database_free(struct database *database); /* NULL is fine; nobody may be asking */

/* Texts as parameters. False: the answer says why (503). The rows are the caller's; a statement without rows has none.
 * `doing` goes on "PostgreSQL …", for the log. */
MUST_USE bool database_query(struct database *database, const struct request *request, const char *doing,
                             const char *sql, int count, const char *const *values, struct database_rows **out,
                             struct answer *answer);
void database_rows_free(struct database_rows *rows);
size_t database_rows_count(const struct database_rows *rows);
/* SPAN_NULL: null. Lives as long as the rows. */
struct span database_rows_text(const struct database_rows *rows, size_t row, size_t column);
/* This value of the first row as the answer's body; 503 with `missing` where it is null. */
void database_answer_json(const struct database_rows *rows, size_t column, const char *missing, struct answer *answer);
