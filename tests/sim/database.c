/* The simulated PostgreSQL: rows by the record they come from, sink_offsets with row locks,
 * transactions that die with their connection. It understands the statements that sink_store.c and sink_connection.c
 * send, by how they begin, and refuses any other loudly. Statements are run by the server some time after they are
 * sent, in order. */
#include "tests/sim/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scorer/sink/sink_store.h"

enum { COLUMNS_MOST = 40 };

struct pg_conn *connections;
static int64_t down_until_us;
static struct {
    struct offset_row offsets[TOPICS][PARTITIONS_MOST];
    struct row *rows;
    int64_t row_count, row_capacity;
    struct pg_conn *locks[TOPICS][PARTITIONS_MOST];
    bool made;
} db;
static struct {
    struct offset_row offsets[TOPICS][PARTITIONS_MOST];
    int64_t row_count;
} remembered;

void database_make(void)
{
    if (db.made)
        return;
    db.made = true;
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            db.offsets[t][p] = remembered.offsets[t][p] = (struct offset_row){-1, -1, 0};
}

int64_t database_offset(enum topic_id topic, int32_t partition)
{
    database_make();
    return db.offsets[topic][partition].next;
}

int64_t database_rows(const struct row **out)
{
    *out = db.rows;
    return db.row_count;
}

/* --- connections --- */

static void roll_back(PGconn *connection)
{
    connection->row_count = 0;
    memset(connection->moves, 0, sizeof connection->moves);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            if (db.locks[t][p] == connection)
                db.locks[t][p] = NULL;
    if (connection->state == PQTRANS_INTRANS || connection->state == PQTRANS_INERROR)
        connection->state = PQTRANS_IDLE;
    sim_news();
}

void connection_cut(PGconn *connection)
{
    PGTransactionStatusType known = connection->state;
    roll_back(connection);
    connection->state = known; /* the client knows no better */
    connection->lost = true;
    connection->statement_count = 0;
    sim_news();
}

void database_cut(struct proc *proc)
{
    for (PGconn *connection = connections; connection; connection = connection->next)
        if (connection->proc == proc && !connection->finished)
            connection_cut(connection);
}

static void cut_all(void)
{
    for (PGconn *connection = connections; connection; connection = connection->next)
        if (!connection->finished)
            connection_cut(connection);
}

void database_down_until(int64_t us)
{
    down_until_us = us;
    cut_all();
}

bool database_up(void)
{
    return sim_now() >= down_until_us;
}

void database_remember(void)
{
    database_make();
    memcpy(remembered.offsets, db.offsets, sizeof db.offsets);
    remembered.row_count = db.row_count;
}

void database_fail_over(void)
{
    database_make();
    cut_all();
    trace("database: fails over, %lld rows and their offsets are gone",
          (long long)(db.row_count - remembered.row_count));
    memcpy(db.offsets, remembered.offsets, sizeof db.offsets);
    db.row_count = remembered.row_count;
}

/* --- results --- */

static struct pg_result *answer(PGconn *connection, ExecStatusType status)
{
    struct pg_result *result = mem_zeroed(1, sizeof *result);
    result->status = status;
    if (connection->result_count + 2 > RESULTS_MOST)
        unmodelled("so many results");
    connection->results[connection->result_count++] = result;
    return result;
}

static void answer_ends(PGconn *connection)
{
    connection->results[connection->result_count++] = NULL;
}

static void value_number(struct pg_result *result, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    result->values[result->rows++] = mem_text(text);
    result->columns = 1;
}

static void failed(PGconn *connection, const char *code, const char *message)
{
    struct pg_result *result = answer(connection, PGRES_FATAL_ERROR);
    snprintf(result->code, sizeof result->code, "%s", code);
    snprintf(result->message, sizeof result->message, "sim: %s", message);
    answer_ends(connection);
    if (connection->state == PQTRANS_INTRANS)
        connection->state = PQTRANS_INERROR;
    connection->broken_pipeline = connection->pipeline;
    trace("database: statement fails with %s", code);
}

static void command_done(PGconn *connection, const char *command)
{
    snprintf(answer(connection, PGRES_COMMAND_OK)->command, 24, "%s", command);
    answer_ends(connection);
}

/* --- array literals --- */

/* The next element of {a,"b",…}; false at its end. */
static bool next_element(const char **at, char *out, size_t size)
{
    const char *text = *at + (**at == '{' || **at == ',');
    size_t n = 0;
    if (*text == '}' || !*text)
        return false;
    for (; *text && *text != ',' && *text != '}'; text++)
        if (*text != '"' && n + 1 < size)
            out[n++] = *text;
    out[n] = 0;
    *at = text;
    return true;
}

struct move {
    enum topic_id topic;
    int32_t partition;
    int64_t stored;
    struct offset_row to;
};

/* From `lists` arrays side by side: topic, partition and, where there are six, stored, next, last offset and digest. */
static int moves_read(char *const *values, int lists, struct move *out, int most)
{
    const char *at[6];
    char text[6][200];
    int count = 0;
    for (int i = 0; i < lists; i++)
        at[i] = values[i];
    while (count < most && next_element(&at[0], text[0], sizeof text[0])) {
        int64_t numbers[6] = {0};
        for (int i = 1; i < lists; i++) {
            if (!next_element(&at[i], text[i], sizeof text[i]))
                unmodelled("arrays of different lengths");
            numbers[i] = strtoll(text[i], NULL, 10);
        }
        out[count++] = (struct move){(enum topic_id)(topic_find(text[0]) - topics),
                                     (int32_t)numbers[1],
                                     numbers[2],
                                     {numbers[3], numbers[4], numbers[5]}};
    }
    return count;
}

/* --- statements --- */

static void select_offsets(PGconn *connection, const struct statement *statement)
{
    struct move moves[TOPICS * PARTITIONS_MOST];
    int count = moves_read(statement->values + 1, 2, moves, TOPICS * PARTITIONS_MOST);
    struct pg_result *result = answer(connection, PGRES_TUPLES_OK);
    for (int i = 0; i < count; i++) {
        const struct offset_row *row = &db.offsets[moves[i].topic][moves[i].partition];
        value_number(result, row->next);
        value_number(result, row->last);
        value_number(result, row->digest);
    }
    result->rows = count;
    result->columns = 3;
    answer_ends(connection);
}

/* False: another transaction holds a row. */
static bool advance(PGconn *connection, const struct statement *statement)
{
    struct move moves[TOPICS * PARTITIONS_MOST];
    int count = moves_read(statement->values + 2, 6, moves, TOPICS * PARTITIONS_MOST), moved = 0;
    for (int i = 0; i < count; i++) {
        PGconn *holder = db.locks[moves[i].topic][moves[i].partition];
        if (holder && holder != connection)
            return false;
    }
    for (int i = 0; i < count; i++) {
        enum topic_id topic = moves[i].topic;
        int32_t partition = moves[i].partition;
        const struct offset_row *now = &db.offsets[topic][partition];
        if (now->next != moves[i].stored)
            continue;
        db.locks[topic][partition] = connection;
        connection->moves[topic][partition] = true;
        connection->moved[topic][partition] = moves[i].to;
        if (moves[i].to.last == -1)
            connection->moved[topic][partition] = (struct offset_row){moves[i].to.next, now->last, now->digest};
        moved++;
    }
    struct pg_result *result = answer(connection, PGRES_TUPLES_OK);
    value_number(result, moved);
    answer_ends(connection);
    return true;
}

static void commit(PGconn *connection)
{
    if (connection->state != PQTRANS_INTRANS) {
        roll_back(connection);
        command_done(connection, "ROLLBACK");
        return;
    }
    for (int64_t i = 0; i < connection->row_count; i++) {
        if (db.row_count == db.row_capacity) {
            db.row_capacity = db.row_capacity * 2 + 256;
            db.rows = mem_resize(db.rows, (size_t)db.row_capacity, sizeof *db.rows);
        }
        db.rows[db.row_count++] = connection->rows[i];
    }
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            if (connection->moves[t][p])
                db.offsets[t][p] = connection->moved[t][p];
    trace("database: commits %lld rows, %lld in all", (long long)connection->row_count, (long long)db.row_count);
    roll_back(connection);
    connection->state = PQTRANS_IDLE;
    command_done(connection, "COMMIT");
}

/* --- COPY --- */

struct field {
    const char *data; /* NULL: null */
    int32_t bytes;
};

static int column_of(const char *target, const char *name)
{
    const char *at = strchr(target, '(');
    size_t length = strlen(name);
    for (int column = 0; at && *at != ')'; column++) {
        at += strspn(at, "(, \"");
        size_t n = strcspn(at, ",)\"");
        if (n == length && !strncmp(at, name, n))
            return column;
        at += n;
        at += strspn(at, "\"");
    }
    unmodelled(name);
}

static int64_t field_integer(const struct field *field)
{
    int64_t value = 0;
    if (!field->data)
        return -1;
    for (int i = 0; i < field->bytes; i++)
        value = value << 8 | (unsigned char)field->data[i];
    return value;
}

static void identify(const char *target, const struct field *fields, struct row *row)
{
    const char *partition = "output_partition", *offset = "output_offset";
    snprintf(row->table, sizeof row->table, "%.*s", (int)strcspn(target, " "), target);
    row->topic = OUTPUT;
    if (!strcmp(row->table, "outcomes")) {
        row->topic = OUTCOME;
        partition = "partition", offset = "offset";
    } else if (!strcmp(row->table, "alerts")) {
        row->topic = ALERT;
        partition = "partition", offset = "offset";
    } else if (!strcmp(row->table, "dead_letters")) {
        const struct field *stage = &fields[column_of(target, "stage")], *topic = &fields[column_of(target, "topic")];
        bool sink = stage->bytes == 4;
        row->topic = DEAD;
        for (int t = 0; sink && t < TOPICS; t++)
            if (strlen(topics[t].name) == (size_t)topic->bytes &&
                !memcmp(topics[t].name, topic->data, (size_t)topic->bytes))
                row->topic = (enum topic_id)t;
        partition = sink ? "partition" : "dlq_partition", offset = sink ? "offset" : "dlq_offset";
    }
    row->partition = (int32_t)field_integer(&fields[column_of(target, partition)]);
    row->offset = field_integer(&fields[column_of(target, offset)]);
}

static const char *read_row(const char *at, struct field *fields, int *count)
{
    *count = (unsigned char)at[0] << 8 | (unsigned char)at[1];
    at += 2;
    for (int i = 0; i < *count && *count != 0xffff; i++) {
        int32_t bytes = (int32_t)field_integer(&(struct field){at, 4});
        at += 4;
        fields[i] = (struct field){bytes < 0 ? NULL : at, bytes};
        at += bytes < 0 ? 0 : bytes;
    }
    return at;
}

static bool refused(const char *target, const struct field *fields, int count)
{
    for (int i = 0; i < count && !strncmp(target, "predictions", 11); i++)
        if (fields[i].data && fields[i].bytes > 6 && fields[i].bytes < 40 &&
            memmem(fields[i].data, (size_t)fields[i].bytes, "poison", 6))
            return true;
    return false;
}

static void copy_end(PGconn *connection)
{
    const char *at = connection->copy.data + 19;
    for (;;) {
        struct field fields[COLUMNS_MOST];
        int count;
        at = read_row(at, fields, &count);
        if (count == 0xffff)
            break;
        if (refused(connection->copy_target, fields, count)) {
            failed(connection, plan.poison_code, "a row that cannot be stored");
            return;
        }
        if (connection->row_count == connection->row_capacity) {
            connection->row_capacity = connection->row_capacity * 2 + 64;
            connection->rows = mem_resize(connection->rows, (size_t)connection->row_capacity, sizeof *connection->rows);
        }
        if (strncmp(connection->copy_target, "evidence ", 9) != 0) /* of no record of its own */
            identify(connection->copy_target, fields, &connection->rows[connection->row_count++]);
    }
    command_done(connection, "COPY");
}

/* --- the server at work --- */

enum statement_kind statement_kind_of(const char *sql)
{
    static const struct {
        const char *begins;
        enum statement_kind kind;
    } known[] = {
        {"SELECT set_config(", SELECT_ONE},
        {"SELECT 1", SELECT_ONE},
        {"SELECT attrition.erase_requested(", SELECT_ONE},
        {"SELECT attrition.contradicted_versions()", SELECT_ONE},
        {"SELECT (SELECT max(version) FROM attrition.migrations)", SELECT_MIGRATIONS},
        {"SELECT coalesce(s.next_offset, -1), coalesce(s.last_offset, -1), ", SELECT_OFFSETS},
        {"BEGIN", BEGIN},
        {"WITH w AS (SELECT * FROM unnest($3::text[]", ADVANCE},
        {"COPY attrition.", COPY},
        {"INSERT INTO attrition.latest_predictions", OTHER},
        {"COMMIT", COMMIT},
        {"ROLLBACK", ROLLBACK},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strncmp(sql, known[i].begins, strlen(known[i].begins)))
            return known[i].kind;
    unmodelled(sql);
}

static void select_migrations(PGconn *connection)
{
    struct pg_result *result = answer(connection, PGRES_TUPLES_OK);
    char version[16];
    snprintf(version, sizeof version, "%d", SINK_MIGRATION);
    const char *const values[] = {version, "100", "101", "UTF8"};
    for (int i = 0; i < 4; i++)
        result->values[i] = mem_text(values[i]);
    result->rows = 1;
    result->columns = 4;
    answer_ends(connection);
}

static void copy_start(PGconn *connection, const struct statement *statement)
{
    free(connection->copy_target);
    connection->copy_target = mem_text(statement->sql + strlen("COPY attrition."));
    buffer_clear(&connection->copy);
    answer(connection, PGRES_COPY_IN);
}

/* False: it has to wait for another transaction. */
static bool run(PGconn *connection, const struct statement *statement)
{
    if (statement->kind == SYNC) {
        answer(connection, PGRES_PIPELINE_SYNC);
        connection->broken_pipeline = false;
        return true;
    }
    if (connection->broken_pipeline) {
        answer(connection, PGRES_PIPELINE_ABORTED);
        answer_ends(connection);
        return true;
    }
    if (connection->state == PQTRANS_INERROR && statement->kind != ROLLBACK && statement->kind != COMMIT) {
        failed(connection, "25P02", "the transaction is aborted");
        return true;
    }
    if (!calm && statement->kind != ROLLBACK && chance_one_in(plan.database_fault_one_in)) {
        static const char *const codes[] = {"40001", "53100", "55P03", "57P03", "40P01"};
        failed(connection, codes[chance_between(0, 4)], "a passing failure");
        return true;
    }
    switch (statement->kind) {
    case SELECT_ONE:
        value_number(answer(connection, PGRES_TUPLES_OK), 1);
        answer_ends(connection);
        return true;
    case SELECT_MIGRATIONS:
        select_migrations(connection);
        return true;
    case SELECT_OFFSETS:
        select_offsets(connection, statement);
        return true;
    case ADVANCE:
        return advance(connection, statement);
    case BEGIN:
        connection->state = PQTRANS_INTRANS;
        command_done(connection, "BEGIN");
        return true;
    case COPY:
        copy_start(connection, statement);
        return true;
    case COPY_END:
        copy_end(connection);
        return true;
    case COMMIT:
        commit(connection);
        return true;
    case ROLLBACK:
        roll_back(connection);
        command_done(connection, "ROLLBACK");
        return true;
    default:
        command_done(connection, "INSERT");
        return true;
    }
}

static void statement_free(struct statement *statement)
{
    for (size_t i = 0; i < 8; i++)
        free(statement->values[i]);
    free(statement->sql);
}

static void pump(void *context, int64_t number)
{
    PGconn *connection = context;
    (void)number;
    connection->pumping = false;
    while (connection->statement_count) {
        bool cuts = !calm && chance_one_in(plan.database_cut_one_in), before = chance_one_in(2);
        if (cuts && before) {
            trace("database: a connection breaks before a statement");
            connection_cut(connection);
            return;
        }
        if (!run(connection, &connection->statements[0])) {
            connection->pumping = true;
            sim_at(sim_now() + 5 * MS, pump, connection, 0);
            return;
        }
        statement_free(&connection->statements[0]);
        memmove(connection->statements, connection->statements + 1,
                (size_t)--connection->statement_count * sizeof *connection->statements);
        if (cuts) {
            trace("database: a connection breaks after a statement, its answer is lost");
            while (connection->result_count)
                PQclear(PQgetResult(connection));
            connection_cut(connection);
            return;
        }
    }
    sim_news();
}

void connection_work(PGconn *connection)
{
    if (connection->pumping)
        return;
    connection->pumping = true;
    sim_at(sim_now() + chance_between(100, chance_one_in(20) ? 100 * MS : 2 * MS), pump, connection, 0);
}
