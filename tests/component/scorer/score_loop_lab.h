/* A score loop on a thread of the test, against librdkafka's mock cluster, at least once (the mock's transactions do
 * nothing; exactly once is proved against real Kafka in tests/system): what it reads, and what it has written.
 *
 * Everything asserts. */
#pragma once

#include "scorer/stream/score_loop.h"

#include <pthread.h>

#include "events/event_encoder.h"
#include "tests/component/lab.h"
#include "tests/support/graph.h"
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

enum { PARTITIONS = 4 };

static const char *const topics[] = {"employee-events", "attrition-predictions", "employee-events-dlq",
                                     "attrition-outcomes"};

static const char alert_topic[] = "attrition-alerts";

struct fixture {
    struct lab kafka;
    char directory[64], path[128], model[160], servers[160];
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters counters, model_counters;
    struct model_holder *models;
    struct score_loop *loop;
    pthread_t thread;
    enum status status;
    struct error err;
};

static inline void loop_write_bare_model(const struct schema *schema, const char *path)
{
    static const float offset[] = {0}, scale[] = {0.01f}, coefficients[] = {-1, 1}, intercepts[] = {0, 0};
    const struct column *column = schema->columns;
    while (column->kind == COLUMN_NOMINAL)
        column++;
    struct graph g;
    struct buffer file = {0};
    struct error err;
    graph_init(&g, 12, 1);
    graph_input(&g, column->name, DTYPE_FLOAT);
    Onnx__NodeProto *node = graph_node(&g, "ml.Scaler", column->name, "scaled");
    graph_floats(&g, node, "offset", offset, 1);
    graph_floats(&g, node, "scale", scale, 1);
    node = graph_node(&g, "ml.LinearClassifier", "scaled", "said,probabilities");
    graph_texts(&g, node, "classlabels_strings", "No,Yes");
    graph_floats(&g, node, "coefficients", coefficients, 2);
    graph_floats(&g, node, "intercepts", intercepts, 2);
    graph_text(&g, node, "post_transform", "LOGISTIC");
    graph_output(&g, "said", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    size_t bytes = onnx__model_proto__get_packed_size(&g.model);
    file.bytes = onnx__model_proto__pack(&g.model, (uint8_t *)buffer_reserve(&file, bytes));
    if (file_write_atomic(path, buffer_span(&file), &err) != STATUS_OK)
        fail_msg("%s", err.text);
    buffer_free(&file);
    arena_free(&g.arena);
}

/* With the settings and the model file as they are now. */
static inline void loop_open(struct fixture *f)
{
    struct error err;
    if (model_holder_new(&f->settings, &f->model_counters, &f->models, &err) != STATUS_OK ||
        score_loop_new(&f->settings, f->models, &f->counters, 0, &f->loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

/* A model of the schema's first number that fills nothing in, instead of the one there: NaN where it is missing. */
static inline void loop_use_bare_model(struct fixture *f)
{
    loop_write_bare_model(f->schema, f->path);
    model_holder_free(f->models);
    score_loop_free(f->loop);
    loop_open(f);
}

/* Two flags or one; NULL: none. */
static inline void loop_set_up_with(struct fixture *f, const char *flag, const char *other)
{
    struct error err = {0};
    *f = (struct fixture){.directory = "/tmp/attrition-loop-XXXXXX"};
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/model.onnx", f->directory);
    snprintf(f->model, sizeof f->model, "--model=%s", f->path);
    lab_start(&f->kafka, 1);
    for (size_t i = 0; i < 4; i++)
        lab_create_topic(&f->kafka, topics[i], PARTITIONS);
    lab_create_topic(&f->kafka, alert_topic, PARTITIONS);
    snprintf(f->servers, sizeof f->servers, "--bootstrap-servers=%s", f->kafka.servers);
    f->schema = scorer_schema();
    scorer_write_model(f->schema, f->path, 0);
    f->options = scorer_options((const char *const[]){f->model, f->servers, "--instance-id=t",
                                                      "--delivery=at-least-once", "--roles=score", "-X",
                                                      "fetch.wait.max.ms=10", "-X", "session.timeout.ms=6000", "-X",
                                                      "heartbeat.interval.ms=1000", flag, other, NULL});
    if (settings_resolve(f->options, f->schema, &f->settings, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    loop_open(f);
}

static inline void loop_set_up(struct fixture *f, const char *flag)
{
    loop_set_up_with(f, flag, NULL);
}

static inline void loop_tear_down(struct fixture *f)
{
    score_loop_free(f->loop);
    model_holder_free(f->models);
    settings_release(&f->settings);
    options_free(f->options);
    schema_free(f->schema);
    lab_stop(&f->kafka);
    unlink(f->path);
    rmdir(f->directory);
}

/* --- what the loop reads --- */

static inline void loop_send_record(struct fixture *f, int32_t partition, struct span key, struct span value)
{
    lab_produce(&f->kafka, topics[0], partition, key, value, NULL);
}

static inline void loop_send_raw(struct fixture *f, int32_t partition, const char *key, struct span value)
{
    loop_send_record(f, partition, key ? span_of(key) : SPAN_NULL, value);
}

/* Everything is missing but one category (a blank record would be refused); where `filled`, the numbers are there too.
 */
static inline void loop_send_filled(struct fixture *f, int number, enum event_type type, bool filled)
{
    char id[32], employee[32];
    struct cell cells[256];
    struct buffer value = {0};
    assert_true(f->schema->column_count <= 256);
    bool has_category = false;
    for (size_t c = 0; c < f->schema->column_count; c++) {
        const struct column *column = &f->schema->columns[c];
        if (filled && column->kind != COLUMN_NOMINAL)
            cells[c] = cell_number(column->low);
        else
            cells[c] = cell_missing(column);
        if (column->kind != COLUMN_NOMINAL || has_category)
            continue;
        has_category = true;
        cells[c] = (struct cell){.text = column->values[0].data, .text_bytes = (uint32_t)column->values[0].bytes};
    }
    snprintf(id, sizeof id, "event-%d", number);
    snprintf(employee, sizeof employee, "E%d", number);
    const struct event event = {
        .event_id = span_of(id), .employee_id = span_of(employee), .type = type, .cells = cells};
    event_encode(f->schema, &event, &value);
    loop_send_raw(f, number % PARTITIONS, employee, buffer_span(&value));
    buffer_free(&value);
}

static inline void loop_send_event(struct fixture *f, int number, enum event_type type)
{
    loop_send_filled(f, number, type, false);
}

static inline void loop_send_events(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        loop_send_event(f, i, EVENT_TYPE_SNAPSHOT);
    lab_flush(&f->kafka);
}

/* --- what the loop wrote --- */

static inline long loop_read_topic(const struct fixture *f, const char *topic,
                                   void (*look)(const rd_kafka_message_t *message))
{
    return lab_read(&f->kafka, topic, PARTITIONS, look);
}

static inline long loop_count_topic(const struct fixture *f, const char *topic)
{
    return lab_count(&f->kafka, topic, PARTITIONS);
}

static inline uint64_t loop_count(const struct fixture *f, enum counter_id id)
{
    return counter_get(&f->counters, id);
}

static inline void loop_assert_identity(const struct fixture *f)
{
    uint64_t codes = 0;
    for (size_t i = 0; i < EVENT_CODE_COUNT; i++)
        codes += f->counters.dead_letters[i];
    assert_int_equal(codes, loop_count(f, COUNTER_EVENTS_DEAD_LETTERED));
    assert_int_equal(loop_count(f, COUNTER_EVENTS_RECEIVED),
                     loop_count(f, COUNTER_EVENTS_SCORED) + loop_count(f, COUNTER_EVENTS_DEAD_LETTERED) +
                         loop_count(f, COUNTER_EVENTS_ERASED) + loop_count(f, COUNTER_EVENTS_OUTCOME) +
                         loop_count(f, COUNTER_EVENTS_IGNORED) + loop_count(f, COUNTER_EVENTS_REPEATED) +
                         loop_count(f, COUNTER_EVENTS_RETURNED) + loop_count(f, COUNTER_EVENTS_IN_FLIGHT));
}

static inline void *loop_run(void *argument)
{
    struct fixture *f = argument;
    f->status = score_loop_run(f->loop, &f->err);
    return NULL;
}

static inline void loop_start(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, loop_run, f), 0);
}

static inline void loop_join(struct fixture *f)
{
    pthread_join(f->thread, NULL);
    if (f->status != STATUS_OK)
        fail_msg("%s", f->err.text);
}

static inline void loop_wait_for(const struct fixture *f, enum counter_id id, uint64_t wanted)
{
    WAIT_UNTIL(loop_count(f, id) >= wanted, "counter %d is %zu, not %zu", (int)id, (size_t)loop_count(f, id),
               (size_t)wanted);
}

/* --- with current records --- */

static const char state_topic[] = "attrition-state";

static inline void loop_set_up_with_records(struct fixture *f)
{
    loop_set_up(f, "--state-topic=attrition-state");
    lab_create_topic(&f->kafka, state_topic, PARTITIONS);
}

/* The same again, as another process would begin. */
static inline void loop_stop_and_renew(struct fixture *f)
{
    struct error err;
    score_loop_stop(f->loop);
    loop_join(f);
    loop_assert_identity(f);
    score_loop_free(f->loop);
    memset(&f->counters, 0, sizeof f->counters);
    if (score_loop_new(&f->settings, f->models, &f->counters, 0, &f->loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}
