/* The sink without Kafka, against a PostgreSQL of the test's own: what its component tests share. */
#pragma once

#include "tests/support/postgres.h"

#include "scorer/sink/sink_batch.h"
#include "tests/support/records.h"

static struct postgres postgres;
static struct schema *schema;
static unsigned released;

static const char topic_output[] = "attrition-predictions", topic_dlq[] = "employee-events-dlq",
                  topic_outcome[] = "attrition-outcomes", topic_alert[] = "attrition-alerts";
static const char *const topic_names[] = {topic_output, topic_dlq, topic_outcome, topic_alert};

struct fixture {
    struct sink_store *store;
    struct sink_rows *rows;
    struct counters counters;
    struct sink_batch *batch;
};

static inline void release(void *origin)
{
    free(origin);
    released++;
}

static inline void fixture_open_group(struct fixture *f, const char *url, const char *cluster, const char *group)
{
    struct error err;
    memset(f, 0, sizeof *f);
    if (sink_store_new((struct secret){.text = url}, group, &f->store, &err) ||
        sink_rows_new(schema, cluster, &f->rows, &err))
        fail_msg("%s", err.text);
    sink_store_cluster(f->store, cluster);
    f->batch = sink_batch_new(f->store, f->rows, &f->counters, release);
    for (int t = 0; t < SINK_TOPIC_COUNT; t++)
        for (int32_t p = 0; p < 2; p++)
            sink_batch_assign(f->batch, (enum sink_topic)t, topic_names[t], p);
}

static inline void fixture_open(struct fixture *f, const char *url, const char *cluster)
{
    fixture_open_group(f, url, cluster, "group-sink");
}

static inline void fixture_close(struct fixture *f)
{
    sink_batch_free(f->batch);
    sink_rows_free(f->rows);
    sink_store_free(f->store);
}

static inline void sync_now(struct fixture *f)
{
    struct error err;
    if (sink_batch_sync(f->batch, &err))
        fail_msg("%s", err.text);
}

static inline void write_now(struct fixture *f)
{
    struct error err;
    if (sink_batch_write(f->batch, &err))
        fail_msg("%s", err.text);
    assert_int_equal(sink_batch_count(f->batch), 0);
}

/* Adds a record; its bytes go into one block that the batch releases. */
static inline void add(struct fixture *f, enum sink_topic topic, int32_t partition, int64_t offset, struct span key,
                       struct span value, const struct sink_header *headers, size_t header_count)
{
    char *origin = mem_zeroed(key.bytes + value.bytes + 1, 1);
    struct sink_record record = {
        .topic = topic,
        .topic_name = topic_names[topic],
        .partition = partition,
        .offset = offset,
        .headers = headers,
        .header_count = header_count,
    };
    if (key.data)
        record.key = (struct span){memcpy(origin, key.data, key.bytes), key.bytes};
    if (value.data)
        record.value = (struct span){memcpy(origin + key.bytes, value.data, value.bytes), value.bytes};
    sink_batch_add(f->batch, sink_batch_partition(f->batch, topic, partition), &record, origin);
}

static inline void add_plan(struct fixture *f, int32_t partition, int64_t offset, const struct record_plan *plan)
{
    struct buffer value = {0};
    record_prediction(schema, plan, &value);
    add(f, SINK_TOPIC_OUTPUT, partition, offset, SPAN_LITERAL("key"), buffer_span(&value), NULL, 0);
    buffer_free(&value);
}

static inline void add_prediction(struct fixture *f, int32_t partition, int64_t offset)
{
    struct record_plan plan = {.number = offset * 2 + partition, .employee = offset % 7};
    add_plan(f, partition, offset, &plan);
}

static inline uint64_t counted(const struct fixture *f, enum counter_id id)
{
    return counter_get(&f->counters, id);
}

static inline void assert_identity(const struct fixture *f)
{
    assert_int_equal(counted(f, COUNTER_SINK_RECORDS),
                     counted(f, COUNTER_SINK_PREDICTIONS) + counted(f, COUNTER_SINK_DEAD_LETTERS) +
                         counted(f, COUNTER_SINK_ERASURES) + counted(f, COUNTER_SINK_OUTCOMES) +
                         counted(f, COUNTER_SINK_ALERTS) + counted(f, COUNTER_SINK_REFUSED) +
                         counted(f, COUNTER_SINK_SKIPPED) + counted(f, COUNTER_SINK_IN_FLIGHT));
}

static inline long long number(const char *sql)
{
    return postgres_number(&postgres, sql);
}

static inline void assert_text(const char *sql, const char *expected)
{
    char *text = postgres_text(&postgres, sql);
    assert_string_equal(text, expected);
    free(text);
}

static inline int empty_tables(void **state)
{
    (void)state;
    postgres_run(
        &postgres,
        "TRUNCATE attrition.alerts, attrition.predictions, attrition.latest_predictions, attrition.dead_letters, "
        "attrition.erasures, attrition.outcomes, attrition.sink_offsets");
    released = 0;
    return 0;
}

static inline int start_all(void **state)
{
    (void)state;
    struct error err;
    if (schema_load("schemas", &schema, &err))
        fail_msg("%s", err.text);
    postgres_make(&postgres);
    assert_int_equal(postgres_migrate(&postgres), 0);
    return 0;
}

static inline int end_all(void **state)
{
    (void)state;
    postgres_remove(&postgres);
    schema_free(schema);
    return 0;
}

/* Makes predictions fail under that SQLSTATE: one event, or (NULL) all. */
static inline void refuse(const char *sqlstate, const char *event_id)
{
    char sql[600];
    snprintf(sql, sizeof sql,
             "CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
             "'no' USING ERRCODE = '%s'; END $$; CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON "
             "attrition.predictions FOR EACH ROW WHEN (new.event_id = '%s' OR %s) EXECUTE FUNCTION public.refuse()",
             sqlstate, event_id ? event_id : "", event_id ? "false" : "true");
    postgres_run(&postgres, sql);
}

static inline void refuse_no_more(void)
{
    postgres_run(&postgres, "DROP TRIGGER refuse ON attrition.predictions");
}
