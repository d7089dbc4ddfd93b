/* PostgreSQL for the sink: see sink_store.h. Called by sink_batch.c and sink.c on the sink's thread.
 *
 * Which statements there are, and what their answers mean; sink_connection.c waits for those, so that no server,
 * however silent, holds the thread beyond the limit: the loop above must come back to Kafka. What goes out and back per
 * transaction: begin and offsets in one trip, one per COPY, upsert and COMMIT in one. It must never try anything again
 * by itself: whether something happened is the caller's to find out. */
#include "scorer/sink/sink_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/memory.h"
#include "scorer/sink/sink_connection.h"

enum { ARRAYS = 6 };

struct sink_store {
    char *cluster_id, *group_id;
    struct sink_connection *connection;
    uint64_t sessions; /* connections that were made */
    uint32_t row_type, row_array_type;
    struct buffer
        arrays[ARRAYS]; /* array literals, reused: topics, partitions, stored, next, last_offset, last_digest */
};

enum status sink_store_new(struct secret conninfo, const char *group_id, struct sink_store **out, struct error *err)
{
    struct sink_connection *connection;
    if (sink_connection_new(conninfo, &connection, err) != STATUS_OK)
        return err->status;
    struct sink_store *store = mem_zeroed(1, sizeof *store);
    store->connection = connection;
    store->cluster_id = mem_text("");
    store->group_id = mem_text(group_id);
    *out = store;
    return STATUS_OK;
}

void sink_store_free(struct sink_store *store)
{
    if (!store)
        return;
    sink_connection_free(store->connection);
    for (size_t a = 0; a < ARRAYS; a++)
        buffer_free(&store->arrays[a]);
    free(store->cluster_id);
    free(store->group_id);
    free(store);
}

void sink_store_cluster(struct sink_store *store, const char *cluster_id)
{
    free(store->cluster_id);
    store->cluster_id = mem_text(cluster_id);
}

void sink_store_limit(struct sink_store *store, int64_t limit_us)
{
    sink_connection_limit(store->connection, limit_us);
}

void sink_store_hurry(struct sink_store *store, int64_t limit_us)
{
    sink_connection_hurry(store->connection, limit_us);
}

bool sink_store_is_open(const struct sink_store *store)
{
    return sink_connection_is_open(store->connection);
}

void sink_store_close(struct sink_store *store)
{
    sink_connection_close(store->connection);
}

void sink_store_rollback(struct sink_store *store)
{
    sink_connection_rollback(store->connection);
}

const char *sink_store_sqlstate(const struct sink_store *store)
{
    return sink_connection_sqlstate(store->connection);
}

uint32_t sink_store_row_type(const struct sink_store *store)
{
    return store->row_type;
}

uint64_t sink_store_sessions(const struct sink_store *store)
{
    return store->sessions;
}

static void exchange_start(struct sink_store *store)
{
    sink_connection_start(store->connection, SINK_EXCHANGE_WORK);
}

/* --- opening --- */

static enum status check_database(struct sink_store *store, struct error *err)
{
    PGresult *result;
    if (sink_connection_query(
            store->connection, "reading the migrations",
            "SELECT (SELECT max(version) FROM attrition.migrations), 'attrition.latest_predictions'::regtype::oid, "
            "'attrition.latest_predictions[]'::regtype::oid, current_setting('server_encoding')",
            0, NULL, &result, err) != STATUS_OK)
        return err->status;
    int version = atoi(PQgetvalue(result, 0, 0));
    store->row_type = (uint32_t)strtoul(PQgetvalue(result, 0, 1), NULL, 10);
    store->row_array_type = (uint32_t)strtoul(PQgetvalue(result, 0, 2), NULL, 10);
    char encoding[32];
    snprintf(encoding, sizeof encoding, "%s", PQgetvalue(result, 0, 3));
    PQclear(result);
    if (version < SINK_MIGRATION)
        return error_set(err, STATUS_NOT_FOUND,
                         "PostgreSQL: the database is at migration %d and this program needs %d; run sql/migrate on it",
                         version, SINK_MIGRATION);
    if (strcmp(encoding, "UTF8"))
        return error_set(err, STATUS_UNSUPPORTED,
                         "PostgreSQL: the database's encoding is %s; make one with ENCODING 'UTF8' and use that",
                         encoding);
    return STATUS_OK;
}

static enum status open_within(struct sink_store *store, enum sink_exchange exchange, struct error *err)
{
    if (sink_connection_is_usable(store->connection))
        return STATUS_OK;
    if (sink_connection_open(store->connection, exchange, err) != STATUS_OK)
        return err->status;
    if (check_database(store, err) != STATUS_OK) {
        sink_store_close(store);
        return err->status;
    }
    store->sessions++;
    return STATUS_OK;
}

enum status sink_store_open(struct sink_store *store, struct error *err)
{
    return open_within(store, SINK_EXCHANGE_WORK, err);
}

enum status sink_store_ping(struct sink_store *store, struct error *err)
{
    PGresult *result = NULL;
    enum status status = open_within(store, SINK_EXCHANGE_PING, err);
    sink_connection_start(store->connection, SINK_EXCHANGE_PING);
    if (status == STATUS_OK)
        status =
            sink_connection_query(store->connection, "asking whether it is there", "SELECT 1", 0, NULL, &result, err);
    PQclear(result);
    return status;
}

/* --- offsets --- */

/* Topics are letters, digits, '.', '_' and '-' (Kafka's rule), so quotes suffice. */
static void offsets_literals(struct sink_store *store, const struct sink_offset *offsets, size_t count)
{
    for (size_t a = 0; a < ARRAYS; a++)
        buffer_clear(&store->arrays[a]);
    for (size_t i = 0; i < count; i++) {
        const char *lead = i ? "," : "{";
        const int64_t numbers[] = {offsets[i].partition, offsets[i].stored, offsets[i].next, offsets[i].last_offset,
                                   offsets[i].last_digest};
        buffer_printf(&store->arrays[0], "%s\"%s\"", lead, offsets[i].topic);
        for (size_t a = 1; a < ARRAYS; a++)
            buffer_printf(&store->arrays[a], "%s%" PRId64, lead, numbers[a - 1]);
    }
    for (size_t a = 0; a < ARRAYS; a++)
        buffer_add(&store->arrays[a], count ? "}" : "{}", count ? 2 : 3); /* with the NUL */
}

enum status sink_store_read(struct sink_store *store, struct sink_offset *offsets, size_t count, struct error *err)
{
    exchange_start(store);
    offsets_literals(store, offsets, count);
    const char *const values[] = {store->cluster_id, store->arrays[0].data, store->arrays[1].data};
    PGresult *result;
    if (sink_connection_query(store->connection, "reading sink_offsets",
                              "SELECT coalesce(s.next_offset, -1), coalesce(s.last_offset, -1), "
                              "coalesce(s.last_digest, 0) FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS w "
                              "(topic, partition, place) LEFT JOIN attrition.sink_offsets s ON s.cluster_id = $1 AND "
                              "s.topic = w.topic AND s.partition = w.partition ORDER BY w.place",
                              3, values, &result, err) != STATUS_OK)
        return err->status;
    for (size_t i = 0; i < count; i++) {
        offsets[i].stored = strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
        offsets[i].last_offset = strtoll(PQgetvalue(result, (int)i, 1), NULL, 10);
        offsets[i].last_digest = strtoll(PQgetvalue(result, (int)i, 2), NULL, 10);
    }
    PQclear(result);
    return STATUS_OK;
}

/* Rows are locked in one order, so that sinks of two groups wait for each other instead of dying of a deadlock. Whoever
 * waited sees the row as the other left it, and finds it moved. */
static const char advance_sql[] =
    "WITH w AS (SELECT * FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], "
    "$8::bigint[]) AS w (topic, partition, stored, next, last_offset, last_digest)), held AS MATERIALIZED (SELECT "
    "s.topic, s.partition FROM attrition.sink_offsets s JOIN w ON s.topic = w.topic AND s.partition = w.partition "
    "WHERE s.cluster_id = $1 AND s.next_offset = w.stored ORDER BY s.topic, s.partition FOR UPDATE OF s), moved AS "
    "(UPDATE attrition.sink_offsets s SET next_offset = w.next, group_id = $2, updated_at = now(), last_offset = "
    "coalesce(nullif(w.last_offset, -1), s.last_offset), last_digest = CASE w.last_offset WHEN -1 THEN s.last_digest "
    "ELSE w.last_digest END FROM held JOIN w ON w.topic = held.topic AND w.partition = held.partition WHERE "
    "s.cluster_id = $1 AND s.topic = held.topic AND s.partition = held.partition RETURNING 1), made AS (INSERT INTO "
    "attrition.sink_offsets (cluster_id, group_id, topic, partition, next_offset, last_offset, last_digest) SELECT $1, "
    "$2, topic, partition, next, nullif(last_offset, -1), last_digest FROM w WHERE stored = -1 ORDER BY topic, "
    "partition ON CONFLICT DO NOTHING RETURNING 1) SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM made)";

static enum status begin_send(struct sink_store *store, struct error *err)
{
    PGconn *handle = sink_connection_handle(store->connection);
    const char *values[2 + ARRAYS] = {store->cluster_id, store->group_id};
    for (size_t a = 0; a < ARRAYS; a++)
        values[2 + a] = store->arrays[a].data;
    if (!PQenterPipelineMode(handle) ||
        !PQsendQueryParams(handle, "BEGIN ISOLATION LEVEL READ COMMITTED", 0, NULL, NULL, NULL, NULL,
                           SINK_TEXT_FORMAT) ||
        !PQsendQueryParams(handle, advance_sql, 2 + ARRAYS, NULL, values, NULL, NULL, SINK_TEXT_FORMAT) ||
        !PQpipelineSync(handle))
        return sink_connection_fail_send(store->connection, err);
    return STATUS_OK;
}

enum status sink_store_begin(struct sink_store *store, const struct sink_offset *offsets, size_t count,
                             struct error *err)
{
    exchange_start(store);
    offsets_literals(store, offsets, count);
    if (begin_send(store, err) != STATUS_OK)
        return err->status;
    PGresult *moved = NULL;
    enum status status =
        sink_connection_pipeline_result(store->connection, "beginning a transaction", PGRES_COMMAND_OK, NULL, err);
    if (status == STATUS_OK)
        status =
            sink_connection_pipeline_result(store->connection, "moving sink_offsets", PGRES_TUPLES_OK, &moved, err);
    if (status == STATUS_OK && strtoull(PQgetvalue(moved, 0, 0), NULL, 10) != count)
        status = error_set(err, STATUS_CONFLICT, "another sink moved the stored positions");
    PQclear(moved);
    sink_connection_pipeline_leave(store->connection);
    if (status == STATUS_OK && !sink_connection_is_open(store->connection))
        status = error_set(err, STATUS_UNAVAILABLE, "PostgreSQL: the connection ended while beginning a transaction");
    if (status != STATUS_OK)
        sink_store_rollback(store);
    return status;
}

/* --- COPY --- */

enum status sink_store_copy_start(struct sink_store *store, const char *target, struct error *err)
{
    static const char header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    char sql[1024];
    int bytes = snprintf(sql, sizeof sql, "COPY attrition.%s FROM STDIN (FORMAT binary)", target);
    if (bytes >= (int)sizeof sql)
        return error_set(err, STATUS_LIMIT, "the list of columns of %.40s is too long", target);
    exchange_start(store);
    if (!PQsendQuery(sink_connection_handle(store->connection), sql))
        return sink_connection_fail_send(store->connection, err);
    enum status status = sink_connection_drain(store->connection, "COPY", PGRES_COPY_IN, NULL, err);
    return status != STATUS_OK ? status : sink_connection_copy(store->connection, header, sizeof header, err);
}

enum status sink_store_copy_rows(struct sink_store *store, struct span rows, struct error *err)
{
    enum { PIECE = 32 * 1024 };
    exchange_start(store);
    for (size_t at = 0; at < rows.bytes; at += PIECE) {
        size_t bytes = rows.bytes - at < PIECE ? rows.bytes - at : PIECE;
        if (sink_connection_copy(store->connection, rows.data + at, bytes, err) != STATUS_OK)
            return err->status;
    }
    return STATUS_OK;
}

enum status sink_store_copy_end(struct sink_store *store, struct error *err)
{
    static const char trailer[2] = "\377\377";
    exchange_start(store);
    if (sink_connection_copy(store->connection, trailer, sizeof trailer, err) != STATUS_OK)
        return err->status;
    if (PQputCopyEnd(sink_connection_handle(store->connection), NULL) <= 0)
        return sink_connection_fail_send(store->connection, err);
    return sink_connection_drain(store->connection, "COPY", PGRES_COMMAND_OK, NULL, err);
}

enum status sink_store_erase(struct sink_store *store, const char *method, struct error *err)
{
    const char *const values[] = {method};
    PGresult *result;
    exchange_start(store);
    if (sink_connection_query(store->connection, "erasing", "SELECT attrition.erase_requested($1)", 1, values, &result,
                              err) != STATUS_OK)
        return err->status;
    PQclear(result);
    return STATUS_OK;
}

enum status sink_store_reference(struct sink_store *store, const char *name, const char *version, const char *json,
                                 struct error *err)
{
    const char *const values[] = {name, version, json};
    PGresult *result;
    exchange_start(store);
    if (sink_connection_query(store->connection, "storing the training reference",
                              "SELECT attrition.store_reference($1, $2, $3::jsonb)", 3, values, &result,
                              err) != STATUS_OK)
        return err->status;
    PQclear(result);
    return STATUS_OK;
}

enum status sink_store_contradicted(struct sink_store *store, uint64_t *out, struct error *err)
{
    PGresult *result;
    exchange_start(store);
    if (sink_connection_query(store->connection, "looking up the checks of performance",
                              "SELECT attrition.contradicted_versions()", 0, NULL, &result, err) != STATUS_OK)
        return err->status;
    *out = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return STATUS_OK;
}

/* --- commit --- */

enum status sink_store_upsert(struct sink_store *store, const char *upsert, struct span rows, struct error *err)
{
    const Oid types[] = {store->row_array_type};
    const char *const values[] = {rows.data};
    const int lengths[] = {(int)rows.bytes}, formats[] = {SINK_BINARY_FORMAT};
    exchange_start(store);
    if (!PQsendQueryParams(sink_connection_handle(store->connection), upsert, 1, types, values, lengths, formats,
                           SINK_TEXT_FORMAT))
        return sink_connection_fail_send(store->connection, err);
    return sink_connection_drain(store->connection, "updating latest_predictions", PGRES_COMMAND_OK, NULL, err);
}

static bool commit_send(struct sink_store *store, const char *upsert, struct span rows)
{
    PGconn *handle = sink_connection_handle(store->connection);
    if (!PQenterPipelineMode(handle))
        return false;
    if (rows.data) {
        const Oid types[] = {store->row_array_type};
        const char *const values[] = {rows.data};
        const int lengths[] = {(int)rows.bytes}, formats[] = {SINK_BINARY_FORMAT};
        if (!PQsendQueryParams(handle, upsert, 1, types, values, lengths, formats, SINK_TEXT_FORMAT))
            return false;
    }
    return PQsendQueryParams(handle, "COMMIT", 0, NULL, NULL, NULL, NULL, SINK_TEXT_FORMAT) && PQpipelineSync(handle);
}

enum status sink_store_commit(struct sink_store *store, const char *upsert, struct span rows, bool *in_doubt,
                              struct error *err)
{
    exchange_start(store);
    if (!commit_send(store, upsert, rows)) {
        *in_doubt = true; /* part of it may have gone out */
        return sink_connection_fail_send(store->connection, err);
    }
    FAILPOINT("sink.commit_sent");
    enum status status = STATUS_OK;
    PGresult *committed = NULL;
    if (rows.data)
        status = sink_connection_pipeline_result(store->connection, "updating latest_predictions", PGRES_COMMAND_OK,
                                                 NULL, err);
    if (status == STATUS_OK)
        status = sink_connection_pipeline_result(store->connection, "COMMIT", PGRES_COMMAND_OK, &committed, err);
    if (committed && strcmp(PQcmdStatus(committed), "COMMIT"))
        status = error_set(err, STATUS_UNAVAILABLE, "PostgreSQL: COMMIT was answered with %s", PQcmdStatus(committed));
    PQclear(committed);
    *in_doubt = status != STATUS_OK && !sink_connection_is_open(store->connection);
    sink_connection_pipeline_leave(store->connection);
    if (status != STATUS_OK)
        sink_store_rollback(store);
    else
        sink_connection_reset_backoff(store->connection);
    return status;
}

/* --- check --- */

enum status sink_store_check(struct sink_store *store, struct error *err)
{
    PGresult *result;
    exchange_start(store);
    if (sink_connection_query(
            store->connection, "looking up rights",
            "SELECT current_user, string_agg(lacks, ', ') FROM (SELECT p || ' on ' || t FROM (VALUES ('predictions', "
            "'INSERT'), ('evidence', 'INSERT'), ('dead_letters', 'INSERT'), ('erasures', 'INSERT'), ('outcomes', "
            "'INSERT'), ('alerts', "
            "'INSERT'), "
            "('latest_predictions', 'SELECT'), ('latest_predictions', 'INSERT'), ('latest_predictions', 'UPDATE'), "
            "('sink_offsets', 'SELECT'), ('sink_offsets', 'INSERT'), ('sink_offsets', 'UPDATE'), "
            "('training_references', 'SELECT'), ('training_references', 'INSERT'), ('training_references', 'UPDATE')) "
            "AS r (t, p) WHERE NOT "
            "has_table_privilege('attrition.' || t, p) UNION ALL SELECT 'EXECUTE on ' || f FROM (VALUES "
            "('erase_requested(text)'), ('store_reference(text,text,jsonb)')) AS r (f) WHERE NOT "
            "has_function_privilege('attrition.' || f, 'EXECUTE')) AS r (lacks)",
            0, NULL, &result, err) != STATUS_OK)
        return err->status;
    enum status status = STATUS_OK;
    if (!PQgetisnull(result, 0, 1))
        status = error_set(err, STATUS_DENIED, "PostgreSQL: user %s lacks %s; GRANT attrition_writer TO %s",
                           PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 0));
    PQclear(result);
    return status;
}
