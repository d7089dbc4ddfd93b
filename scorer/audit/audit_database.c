/* Reading the database for the audit: see audit_database.h. Called by audit.c on the main thread. May block as long as
 * the server does: a person waits, and can interrupt. Must never write. */
#include "scorer/audit/audit_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/database_reader.h"

struct audit_database {
    PGconn *connection;
    char *cluster; /* quoted */
};

static enum status query(struct audit_database *database, const char *doing, const char *sql, PGresult **out,
                         struct error *err)
{
    return database_reader_result(database->connection, doing, PQexec(database->connection, sql), out, err);
}

static enum status begin(struct audit_database *database, struct error *err)
{
    /* The first query takes the snapshot, not BEGIN. */
    if (database_reader_run(database->connection, "beginning to read",
                            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) != STATUS_OK)
        return err->status;
    return database_reader_run(database->connection, "reading sink_offsets (run sql/migrate on the database?)",
                               "SELECT count(*) FROM attrition.sink_offsets", err);
}

enum status audit_database_new(const char *conninfo, const char *cluster_id, struct audit_database **out,
                               struct error *err)
{
    struct audit_database *database = mem_zeroed(1, sizeof *database);
    enum status status = database_reader_connect(
        conninfo, "attrition-audit", "connecting (--roles=score leaves the database out)", &database->connection, err);
    if (status == STATUS_OK)
        status = begin(database, err);
    if (status == STATUS_OK) {
        database->cluster = PQescapeLiteral(database->connection, cluster_id, strlen(cluster_id));
        if (!database->cluster)
            status = database_reader_fail(database->connection, "quoting the cluster's id", err);
    }
    if (status == STATUS_OK)
        *out = database;
    else
        audit_database_free(database);
    return status;
}

void audit_database_free(struct audit_database *database)
{
    if (!database)
        return;
    PQfreemem(database->cluster);
    PQfinish(database->connection);
    free(database);
}

/* Topics are letters, digits, '.', '_' and '-' (Kafka's rule), so quotes suffice. */
enum status audit_database_stored(struct audit_database *database, const char *topic, int64_t *out, size_t count,
                                  struct error *err)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_printf(&sql,
                  "SELECT partition, max(next_offset) FROM attrition.sink_offsets WHERE cluster_id = %s AND topic = "
                  "'%s' GROUP BY partition",
                  database->cluster, topic);
    buffer_add_u8(&sql, 0);
    enum status status = query(database, "reading sink_offsets", sql.data, &result, err);
    buffer_free(&sql);
    if (status != STATUS_OK)
        return status;
    for (size_t p = 0; p < count; p++)
        out[p] = -1;
    for (int r = 0; r < PQntuples(result); r++) {
        unsigned long partition = strtoul(PQgetvalue(result, r, 0), NULL, 10);
        if (partition < count)
            out[partition] = strtoll(PQgetvalue(result, r, 1), NULL, 10);
    }
    PQclear(result);
    return STATUS_OK;
}

/* --- COPY --- */

/* One message of COPY: the first begins with the header, the last is the trailer. */
static enum status take_message(struct span message, bool *first, audit_copy_take *take, void *context,
                                struct error *err)
{
    struct cursor cursor = cursor_of(message);
    struct span skipped;
    bool whole = !*first || cursor_span(&cursor, 19, &skipped);
    *first = false;
    if (whole && !cursor_left(&cursor))
        return STATUS_OK;
    if (!whole || !cursor_span(&cursor, 2, &skipped))
        return error_set(err, STATUS_INVALID, "PostgreSQL: COPY brought something else than rows");
    return cursor_left(&cursor) ? take(context, cursor, err) : STATUS_OK;
}

static enum status copy(struct audit_database *database, const char *doing, const char *sql, audit_copy_take *take,
                        void *context, struct error *err)
{
    PGresult *result = NULL;
    enum status status = query(database, doing, sql, &result, err);
    if (status != STATUS_OK)
        return status;
    PQclear(result);
    int bytes;
    bool first = true;
    char *message;
    while ((bytes = PQgetCopyData(database->connection, &message, 0)) > 0) {
        if (status == STATUS_OK)
            status = take_message((struct span){message, (size_t)bytes}, &first, take, context, err);
        PQfreemem(message);
    }
    if (bytes == -2)
        return database_reader_fail(database->connection, doing, err);
    while ((result = PQgetResult(database->connection))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && status == STATUS_OK)
            status = database_reader_fail(database->connection, doing, err);
        PQclear(result);
    }
    return status;
}

static enum status copy_select(struct audit_database *database, const char *doing, struct buffer *select,
                               audit_copy_take *take, void *context, struct error *err)
{
    struct buffer sql = {0};
    buffer_printf(&sql, "COPY (%.*s) TO STDOUT (FORMAT binary)", (int)select->bytes, select->data);
    buffer_add_u8(&sql, 0);
    enum status status = copy(database, doing, sql.data, take, context, err);
    buffer_free(&sql);
    buffer_free(select);
    return status;
}

static enum status has_column(struct audit_database *database, const char *table, int table_bytes, const char *column,
                              bool *out, struct error *err)
{
    char sql[256];
    PGresult *result = NULL;
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM pg_attribute WHERE attrelid = 'attrition.%.*s'::regclass AND attname = '%s'",
             table_bytes, table, column);
    if (query(database, "looking up columns", sql, &result, err) != STATUS_OK)
        return err->status;
    *out = strcmp(PQgetvalue(result, 0, 0), "0") != 0;
    PQclear(result);
    return STATUS_OK;
}

enum status audit_database_rows(struct audit_database *database, const struct audit_table *table, audit_copy_take *take,
                                void *context, struct error *err)
{
    struct buffer select = {0};
    const char *columns = strchr(table->target, '(');
    int name_bytes = (int)strcspn(table->target, " (");
    bool topics = false;
    if (has_column(database, table->target, name_bytes, table->topic_column, &topics, err) != STATUS_OK)
        return err->status;
    buffer_printf(&select, "SELECT %s, %s, %s, %.*s FROM attrition.%.*s WHERE cluster_id = %s", table->partition,
                  table->offset, table->source, (int)strcspn(columns + 1, ")"), columns + 1, name_bytes, table->target,
                  database->cluster);
    if (topics) /* null: of before the column */
        buffer_printf(&select, " AND coalesce(%s, '%s') = '%s'", table->topic_column, table->topic, table->topic);
    if (table->where)
        buffer_printf(&select, " AND %s", table->where);
    return copy_select(database, "reading rows", &select, take, context, err);
}

enum status audit_database_select(struct audit_database *database, const char *doing, struct buffer *select,
                                  audit_copy_take *take, void *context, struct error *err)
{
    return copy_select(database, doing, select, take, context, err);
}

void audit_database_add_cluster(const struct audit_database *database, struct buffer *select)
{
    buffer_printf(select, " WHERE cluster_id = %s", database->cluster);
}

enum status audit_database_refused(struct audit_database *database, audit_copy_take *take, void *context,
                                   struct error *err)
{
    struct buffer select = {0};
    buffer_printf(
        &select,
        "SELECT topic, partition, \"offset\" FROM attrition.dead_letters WHERE stage = 'sink' AND cluster_id = %s",
        database->cluster);
    return copy_select(database, "reading refused records", &select, take, context, err);
}

enum status audit_database_receipts(struct audit_database *database, struct audit_receipts **out, struct error *err)
{
    PGresult *result = NULL;
    size_t bytes;
    if (query(database, "reading receipt_secret (run sql/migrate on the database?)",
              "SELECT secret FROM attrition.receipt_secret", &result, err) != STATUS_OK)
        return err->status;
    unsigned char *secret =
        PQntuples(result) ? PQunescapeBytea((const unsigned char *)PQgetvalue(result, 0, 0), &bytes) : NULL;
    PQclear(result);
    if (!secret)
        return error_set(err, STATUS_INVALID, "PostgreSQL: receipt_secret has no row; restore it from a backup");
    *out = audit_receipts_new((struct span){(const char *)secret, bytes});
    PQfreemem(secret);
    return STATUS_OK;
}

enum status audit_database_erasures(struct audit_database *database, audit_copy_take *take, void *context,
                                    struct error *err)
{
    struct buffer select = {0};
    buffer_printf(&select,
                  "SELECT receipt, output_partition, output_offset FROM attrition.erasures WHERE erased_at IS NOT "
                  "NULL AND cluster_id = %s",
                  database->cluster);
    return copy_select(database, "reading erasures", &select, take, context, err);
}
