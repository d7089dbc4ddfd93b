/* bench: rows/s of the sink's way into PostgreSQL against raw COPY of the same bytes into the same tables and indexes.
 */
/* All ways run in turns in one process against one private PostgreSQL (its defaults, fsync on), a transaction per
 * batch, in one connection each. Raw: rows made beforehand, BEGIN, COPY predictions, COMMIT. Sink: records as Kafka
 * hands them over are decoded, made into rows and copied, sink_offsets move, and latest_predictions is brought up to
 * date. Records of the HTTP channel do not touch latest_predictions: they show the sink without it. For records of the
 * stream the raw way copies the same rows into latest_predictions as well, emptied (untimed) before it would hold an
 * employee twice: the least that a second table with its key costs. Kafka's own part is not in it.
 *
 * What keeps a record from being stored twice is the one position per partition, which moves in the transaction anyway.
 * The last way shows what the other guard would cost on top: an index over the place that a row is from. */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "scorer/sink/sink_batch.h"
#include "tests/support/records.h"

enum { BATCH = 5000, BATCHES = 12, ROUNDS = 5, EMPLOYEES = 10000 };

enum way { WAY_RAW, WAY_SINK, WAY_RAW_STREAM, WAY_SINK_STREAM, WAY_SINK_INDEX, WAYS };

struct bench {
    char directory[64], url[256];
    pid_t server;
    struct schema *schema;
    struct buffer values[2]; /* records of BATCHES batches; [0] HTTP, [1] stream */
    size_t ends[2][BATCH * BATCHES];
    struct buffer copies[2][BATCHES]; /* the same as finished rows */
    char target[1024], latest_target[1024];
};

static void die(const char *text)
{
    fprintf(stderr, "bench sink: %s\n", text);
    exit(1);
}

static void run(const char *url, const char *sql)
{
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        die(PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

static void server_start(struct bench *bench)
{
    char command[400];
    strcpy(bench->directory, "/tmp/attrition-bench-XXXXXX");
    if (!mkdtemp(bench->directory) || chmod(bench->directory, 0755))
        die("no directory under /tmp");
    snprintf(bench->url, sizeof bench->url, "postgresql:///attrition?host=%s/pg/socket&user=postgres",
             bench->directory);
    strcat(bench->directory, "/pg");
    bench->server = fork();
    if (!bench->server) {
        if (freopen("/dev/null", "w", stderr) && freopen("/dev/null", "w", stdout))
            execl("deploy/private-postgres", "private-postgres", "serve", bench->directory, (char *)NULL);
        _exit(127);
    }
    for (int attempt = 0; PQping(bench->url) != PQPING_OK; attempt++) {
        if (attempt == 1000)
            die("PostgreSQL does not start");
        usleep(20000);
    }
    snprintf(command, sizeof command, "sql/migrate '%s' >/dev/null", bench->url);
    if (system(command))
        die("sql/migrate failed");
}

static void server_end(struct bench *bench)
{
    char command[160];
    kill(bench->server, SIGQUIT);
    waitpid(bench->server, NULL, 0);
    *strrchr(bench->directory, '/') = 0;
    snprintf(command, sizeof command, "rm -rf '%s'", bench->directory);
    if (system(command))
        die("could not remove its directory");
}

static struct sink_record record_at(struct bench *bench, int kind, size_t index)
{
    size_t start = index ? bench->ends[kind][index - 1] : 0;
    return (struct sink_record){
        .topic = SINK_TOPIC_OUTPUT,
        .topic_name = "attrition-predictions",
        .partition = 0,
        .offset = (int64_t)index,
        .key = SPAN_LITERAL("employee"),
        .value = {bench->values[kind].data + start, bench->ends[kind][index] - start},
    };
}

static void make_copy(struct bench *bench, struct sink_rows *rows, int kind, size_t batch)
{
    sink_rows_clear(rows);
    for (size_t i = batch * BATCH; i < (batch + 1) * BATCH; i++) {
        struct sink_record record = record_at(bench, kind, i);
        if (sink_rows_add(rows, &record) != SINK_RESULT_PREDICTION)
            die("a record is refused");
    }
    struct span table = sink_rows_table(rows, SINK_TABLE_PREDICTIONS);
    buffer_add(&bench->copies[kind][batch], table.data, table.bytes);
}

static void make_records(struct bench *bench)
{
    struct error err;
    struct sink_rows *rows;
    for (size_t i = 0; i < BATCH * BATCHES; i++)
        for (int kind = 0; kind < 2; kind++) {
            const struct record_plan plan = {.number = (int64_t)i,
                                             .employee = (int64_t)(i * 7919 % EMPLOYEES),
                                             .channel = kind ? CHANNEL_STREAM : CHANNEL_HTTP,
                                             .has_change = true};
            record_prediction(bench->schema, &plan, &bench->values[kind]);
            bench->ends[kind][i] = bench->values[kind].bytes;
        }
    if (sink_rows_new(bench->schema, "MkU3OEVBNTcwNTJENDM2Qk", &rows, &err))
        die(err.text);
    for (int kind = 0; kind < 2; kind++)
        for (size_t b = 0; b < BATCHES; b++)
            make_copy(bench, rows, kind, b);
    snprintf(bench->target, sizeof bench->target, "COPY attrition.%s FROM STDIN (FORMAT binary)",
             sink_rows_target(rows, SINK_TABLE_PREDICTIONS));
    snprintf(bench->latest_target, sizeof bench->latest_target, "COPY attrition.latest_%s FROM STDIN (FORMAT binary)",
             sink_rows_target(rows, SINK_TABLE_PREDICTIONS));
    sink_rows_free(rows);
}

static void expect(PGconn *connection, PGresult *result, ExecStatusType status)
{
    if (PQresultStatus(result) != status)
        die(PQerrorMessage(connection));
    PQclear(result);
}

static void copy_rows(PGconn *connection, const char *statement, const struct buffer *rows)
{
    static const char header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    expect(connection, PQexec(connection, statement), PGRES_COPY_IN);
    if (PQputCopyData(connection, header, sizeof header) < 1 ||
        PQputCopyData(connection, rows->data, (int)rows->bytes) < 1 || PQputCopyData(connection, "\377\377", 2) < 1 ||
        PQputCopyEnd(connection, NULL) < 1)
        die(PQerrorMessage(connection));
    expect(connection, PQgetResult(connection), PGRES_COMMAND_OK);
    while (PQgetResult(connection))
        ;
}

/* Seconds it took. */
static double copy_raw(struct bench *bench, int kind, PGconn *connection)
{
    int64_t spent_us = 0;
    for (size_t b = 0; b < BATCHES; b++) {
        if (kind && b % (EMPLOYEES / BATCH) == 0)
            expect(connection, PQexec(connection, "TRUNCATE attrition.latest_predictions"), PGRES_COMMAND_OK);
        int64_t start_us = clock_steady_us(&clock_system);
        expect(connection, PQexec(connection, "BEGIN"), PGRES_COMMAND_OK);
        copy_rows(connection, bench->target, &bench->copies[kind][b]);
        if (kind)
            copy_rows(connection, bench->latest_target, &bench->copies[kind][b]);
        expect(connection, PQexec(connection, "COMMIT"), PGRES_COMMAND_OK);
        spent_us += clock_steady_us(&clock_system) - start_us;
    }
    return (double)spent_us / 1e6;
}

static void keep(void *origin)
{
    (void)origin;
}

static void copy_sink(struct bench *bench, struct sink_batch *batch, int kind)
{
    struct error err;
    for (size_t i = 0; i < BATCH * BATCHES; i++) {
        struct sink_record record = record_at(bench, kind, i);
        sink_batch_add(batch, sink_batch_partition(batch, SINK_TOPIC_OUTPUT, 0), &record, NULL);
        if (sink_batch_count(batch) == BATCH && sink_batch_write(batch, &err))
            die(err.text);
    }
}

static double time_sink(struct bench *bench, int kind)
{
    struct error err;
    struct sink_store *store;
    struct sink_rows *rows = NULL;
    static struct counters counters;
    if (sink_store_new((struct secret){.text = bench->url}, "bench-sink", &store, &err) ||
        sink_rows_new(bench->schema, "MkU3OEVBNTcwNTJENDM2Qk", &rows, &err))
        die(err.text);
    struct sink_batch *batch = sink_batch_new(store, rows, &counters, keep);
    sink_batch_assign(batch, SINK_TOPIC_OUTPUT, "attrition-predictions", 0);
    if (sink_batch_sync(batch, &err))
        die(err.text);
    int64_t start_us = clock_steady_us(&clock_system);
    copy_sink(bench, batch, kind);
    double seconds = (double)(clock_steady_us(&clock_system) - start_us) / 1e6;
    sink_batch_free(batch);
    sink_rows_free(rows);
    sink_store_free(store);
    return seconds;
}

static double time_raw(struct bench *bench, int kind)
{
    PGconn *connection = PQconnectdb(bench->url);
    double seconds = copy_raw(bench, kind, connection);
    PQfinish(connection);
    return seconds;
}

static double time_way(struct bench *bench, enum way way)
{
    run(bench->url, "TRUNCATE attrition.predictions, attrition.sink_offsets");
    run(bench->url, "CHECKPOINT");
    int kind = way != WAY_RAW && way != WAY_SINK;
    if (way == WAY_SINK_INDEX)
        run(bench->url, "CREATE INDEX place ON attrition.predictions (cluster_id, output_topic, output_partition, "
                        "output_offset)");
    double seconds = way == WAY_RAW || way == WAY_RAW_STREAM ? time_raw(bench, kind) : time_sink(bench, kind);
    if (way == WAY_SINK_INDEX)
        run(bench->url, "DROP INDEX attrition.place");
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(void)
{
    static struct bench bench;
    static const char *const names[WAYS] = {"raw COPY (HTTP records)", "sink, no latest_predictions",
                                            "raw COPY into both tables", "sink, latest_predictions included",
                                            "the same, an index of places too"};
    struct error err;
    double seconds[WAYS][ROUNDS], rate[WAYS];
    if (schema_load("schemas", &bench.schema, &err))
        die(err.text);
    make_records(&bench);
    server_start(&bench);
    for (enum way way = 0; way < WAYS; way++)
        time_way(&bench, way); /* warm up, and fill latest_predictions */
    for (int round = 0; round < ROUNDS; round++)
        for (enum way way = 0; way < WAYS; way++)
            seconds[way][round] = time_way(&bench, way);
    printf("%d rows in batches of %d, %zu bytes a row, %d employees, median of %d rounds\n", BATCH * BATCHES, BATCH,
           bench.copies[1][0].bytes / BATCH, EMPLOYEES, ROUNDS);
    for (enum way way = 0; way < WAYS; way++) {
        qsort(seconds[way], ROUNDS, sizeof **seconds, by_size);
        rate[way] = BATCH * BATCHES / seconds[way][ROUNDS / 2];
        printf("%-36s %8.0f rows/s   ratio %.2f%s\n", names[way], rate[way],
               rate[way] / rate[way < WAY_RAW_STREAM ? WAY_RAW : WAY_RAW_STREAM],
               way == WAY_SINK || way == WAY_SINK_STREAM ? " (aim 0.9)" : "");
    }
    server_end(&bench);
    schema_free(bench.schema);
    return 0;
}
