/* The sink's side of PostgreSQL: one connection, one transaction at a time. Nothing of libpq is seen here.
 *
 * A transaction goes: begin (moves the stored offsets, and so finds out whether somebody else moved them), COPY per
 * table, commit (upserts the latest rows first). What a failure means:
 *
 * - STATUS_UNAVAILABLE: the server or this connection; nothing is wrong with the rows, try again later.
 * - STATUS_INVALID: a row; sink_store_sqlstate says which rule it broke, others may land.
 * - STATUS_CONFLICT: another sink moved the offsets; read them again.
 * - STATUS_DENIED: password or rights.
 * - STATUS_NOT_FOUND: a database, schema, table or column is missing.
 *
 * After any failure the transaction is rolled back or the connection closed. Not thread-safe: one thread, one store. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "base/status.h"
#include "sql/migration.h" /* SINK_MIGRATION, what the database must be at: the Makefile counts the files of sql/ */

enum { SINK_NO_OFFSET = -1 };

/* One partition's row in sink_offsets. Plain data; topic is borrowed. */
struct sink_offset {
    const char *topic;
    int32_t partition;
    int64_t stored;      /* next_offset as last read, or SINK_NO_OFFSET: no row */
    int64_t next;        /* what a transaction sets it to */
    int64_t last_offset; /* the last record before it, or SINK_NO_OFFSET: not known; writing that changes nothing */
    int64_t last_digest; /* of that record */
};

struct sink_store;

/* Connects nothing. `conninfo` "" leaves everything to libpq's own variables. STATUS_INVALID: it is no connection
 * string. */
MUST_USE enum status sink_store_new(struct secret conninfo, const char *group_id, struct sink_store **out,
                                    struct error *err);
void sink_store_free(struct sink_store *store);

/* Whose offsets are meant; before any of them is read. */
void sink_store_cluster(struct sink_store *store, const char *cluster_id);

/* Every exchange ends within limit_us, connecting included; else it counts as an unavailable server. */
void sink_store_limit(struct sink_store *store, int64_t limit_us);
/* From now on, everything that is still asked of the server ends within limit_us, the exchange under way included. From
 * any thread. */
void sink_store_hurry(struct sink_store *store, int64_t limit_us);

/* Connects unless connected, and checks that the database is migrated. */
MUST_USE enum status sink_store_open(struct sink_store *store, struct error *err);
/* Whether the server answers: one exchange of at most 5 s, connecting where need be. */
MUST_USE enum status sink_store_ping(struct sink_store *store, struct error *err);
/* Connections made so far: what another one has stored may be older (a fail-over). */
uint64_t sink_store_sessions(const struct sink_store *store);
bool sink_store_is_open(const struct sink_store *store);
void sink_store_close(struct sink_store *store);

/* Fills `stored`, `last_offset` and `last_digest`. */
MUST_USE enum status sink_store_read(struct sink_store *store, struct sink_offset *offsets, size_t count,
                                     struct error *err);

/* BEGIN, and stored → next for each. STATUS_CONFLICT when one of them is not `stored` any more. */
MUST_USE enum status sink_store_begin(struct sink_store *store, const struct sink_offset *offsets, size_t count,
                                      struct error *err);

/* COPY BINARY, between begin and commit: `target` is "table (column, …)"; rows without header or trailer, in any
 * pieces. */
MUST_USE enum status sink_store_copy_start(struct sink_store *store, const char *target, struct error *err);
MUST_USE enum status sink_store_copy_rows(struct sink_store *store, struct span rows, struct error *err);
MUST_USE enum status sink_store_copy_end(struct sink_store *store, struct error *err);

/* Runs `upsert` with `rows` (an array of predictions in PostgreSQL's binary form, row type sink_store_row_type; none if
 * rows.data is NULL), then COMMIT. *in_doubt: the connection ended before the answer, so only the stored offsets show
 * it. */
MUST_USE enum status sink_store_commit(struct sink_store *store, const char *upsert, struct span rows, bool *in_doubt,
                                       struct error *err);
/* The upsert alone, to see whether it works: a rollback follows. */
MUST_USE enum status sink_store_upsert(struct sink_store *store, const char *upsert, struct span rows,
                                       struct error *err);
/* Between COPY and commit, where requests were copied to erasures: erases what they ask for. `method`: "delete" or
 * "pseudonymise". */
MUST_USE enum status sink_store_erase(struct sink_store *store, const char *method, struct error *err);
void sink_store_rollback(struct sink_store *store);

/* The training reference of a model version, in a transaction of its own. STATUS_INVALID: PostgreSQL refuses it. */
MUST_USE enum status sink_store_reference(struct sink_store *store, const char *name, const char *version,
                                          const char *json, struct error *err);
/* How many model versions the newest checked month contradicts (expected_against_realised). */
MUST_USE enum status sink_store_contradicted(struct sink_store *store, uint64_t *out, struct error *err);

/* SQLSTATE of the last failure, or "": the connection itself failed, or no answer came. */
const char *sink_store_sqlstate(const struct sink_store *store);
uint32_t sink_store_row_type(const struct sink_store *store); /* type of attrition.predictions; known once open */

/* `check`: migrations and the rights a writer needs, on an open store. */
MUST_USE enum status sink_store_check(struct sink_store *store, struct error *err);
