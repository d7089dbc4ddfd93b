/* The score loop end to end against librdkafka's mock cluster, at least once (the mock's transactions do nothing;
 * exactly once is proved against real Kafka in tests/system). Errors and outages are injected. */
#include "scorer/stream/score_loop.h"

#include <pthread.h>

#include "events/employee_state.h"
#include "events/event_encoder.h"
#include "kafka/client.h"
#include "scorer/state/state_position.h"
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

/* A model of the schema's first number that fills nothing in: NaN where it is missing. */
static void write_bare_model(const struct schema *schema, const char *path)
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

static void set_up(struct fixture *f, const char *flag)
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
    f->options =
        scorer_options((const char *const[]){f->model, f->servers, "--instance-id=t", "--delivery=at-least-once",
                                             "--roles=score", "-X", "fetch.wait.max.ms=10", flag, NULL});
    if (settings_resolve(f->options, f->schema, &f->settings, &err) != STATUS_OK ||
        model_holder_new(&f->settings, &f->model_counters, &f->models, &err) != STATUS_OK ||
        score_loop_new(&f->settings, f->models, &f->counters, 0, &f->loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void tear_down(struct fixture *f)
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

#define SPAN_OF(text) \
    { \
        (text), sizeof(text) - 1 \
    }

static void send_record(struct fixture *f, int32_t partition, struct span key, struct span value)
{
    lab_produce(&f->kafka, topics[0], partition, key, value, NULL);
}

static void send_raw(struct fixture *f, int32_t partition, const char *key, struct span value)
{
    send_record(f, partition, key ? span_of(key) : SPAN_NULL, value);
}

/* Everything is missing but one category (a blank record would be refused); where `filled`, the numbers are there too.
 */
static void send_filled(struct fixture *f, int number, enum event_type type, bool filled)
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
    send_raw(f, number % PARTITIONS, employee, buffer_span(&value));
    buffer_free(&value);
}

static void send_event(struct fixture *f, int number, enum event_type type)
{
    send_filled(f, number, type, false);
}

static void send_events(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        send_event(f, i, EVENT_TYPE_SNAPSHOT);
    lab_flush(&f->kafka);
}

/* --- what the loop wrote --- */

static long read_topic(const struct fixture *f, const char *topic, void (*look)(const rd_kafka_message_t *message))
{
    return lab_read(&f->kafka, topic, PARTITIONS, look);
}

static long count_topic(const struct fixture *f, const char *topic)
{
    return lab_count(&f->kafka, topic, PARTITIONS);
}

static uint64_t count(const struct fixture *f, enum counter_id id)
{
    return counter_get(&f->counters, id);
}

static void assert_identity(const struct fixture *f)
{
    uint64_t codes = 0;
    for (size_t i = 0; i < EVENT_CODE_COUNT; i++)
        codes += f->counters.dead_letters[i];
    assert_int_equal(codes, count(f, COUNTER_EVENTS_DEAD_LETTERED));
    assert_int_equal(count(f, COUNTER_EVENTS_RECEIVED),
                     count(f, COUNTER_EVENTS_SCORED) + count(f, COUNTER_EVENTS_DEAD_LETTERED) +
                         count(f, COUNTER_EVENTS_ERASED) + count(f, COUNTER_EVENTS_OUTCOME) +
                         count(f, COUNTER_EVENTS_IGNORED) + count(f, COUNTER_EVENTS_REPEATED) +
                         count(f, COUNTER_EVENTS_RETURNED) + count(f, COUNTER_EVENTS_IN_FLIGHT));
}

static void *run(void *argument)
{
    struct fixture *f = argument;
    f->status = score_loop_run(f->loop, &f->err);
    return NULL;
}

static void start(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

static void join(struct fixture *f)
{
    pthread_join(f->thread, NULL);
    if (f->status != STATUS_OK)
        fail_msg("%s", f->err.text);
}

static void wait_for(const struct fixture *f, enum counter_id id, uint64_t wanted)
{
    WAIT_UNTIL(count(f, id) >= wanted, "counter %d is %zu, not %zu", (int)id, (size_t)count(f, id), (size_t)wanted);
}

static void wait_until_kafka_is(bool up)
{
    WAIT_UNTIL((kafka_look(), kafka_up() == up), "the brokers are still %s", up ? "unavailable" : "available");
}

static void wait_for_step(const struct fixture *f)
{
    WAIT_UNTIL(progress_runs(score_loop_progress(f->loop)), "the loop has not started");
}

static void every_event_has_exactly_one_result(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "--exit-at-end");
    send_events(&f, 2000);
    send_raw(&f, 0, "E1", SPAN_NULL);
    send_raw(&f, 1, NULL, SPAN_NULL);
    send_raw(&f, 2, "E2", (struct span){"", 0});
    send_raw(&f, 3, "E3", SPAN_LITERAL("\0\0\0\0\7what"));
    send_raw(&f, 0, "E4", SPAN_LITERAL("plain text"));
    for (int i = 0; i < 3; i++)
        send_event(&f, 5000 + i, EVENT_TYPE_TERMINATED);
    lab_flush(&f.kafka);
    start(&f);
    join(&f);
    assert_identity(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_SCORED), 2000);
    assert_int_equal(count(&f, COUNTER_EVENTS_ERASED), 1);
    assert_int_equal(count(&f, COUNTER_EVENTS_OUTCOME), 3);
    assert_int_equal(count(&f, COUNTER_EVENTS_DEAD_LETTERED), 4);
    assert_int_equal(f.counters.dead_letters[EVENT_NULL_KEY], 1);
    assert_int_equal(f.counters.dead_letters[EVENT_BAD_FRAME], 2);
    assert_int_equal(f.counters.dead_letters[EVENT_UNKNOWN_SCHEMA_ID], 1);
    assert_int_equal(count_topic(&f, topics[1]), 2001);
    assert_int_equal(count_topic(&f, topics[2]), 4);
    assert_int_equal(count_topic(&f, topics[3]), 3);
    tear_down(&f);
}

static int erased_of_e7;

static void look_for_erasures(const rd_kafka_message_t *message)
{
    assert_null(message->payload);
    assert_int_equal(message->key_len, 2);
    erased_of_e7 += memcmp(message->key, "E7", 2) == 0;
}

static void look_for_bad_ids(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "attrition.error.code", &value, &bytes), 0);
    assert_string_equal(value, "bad_id");
}

/* A null value under a key that names somebody, in each of its forms, is forwarded under the employee's id; under one
 * that names nobody it is a dead letter, and nobody is erased. */
static void an_erasure_names_whom_its_key_names(void **state)
{
    (void)state;
    static const struct span somebody[] = {SPAN_OF("E7"), SPAN_OF("{\"employee_id\":\"E7\"}"),
                                           SPAN_OF("{\"id\": \"\\u00457\"}"), SPAN_OF("\0\0\0\0\7\4E7"),
                                           SPAN_OF("\0\0\0\0\7{\"employee_id\":\"E7\"}")};
    static const struct span nobody[] = {SPAN_OF(""),
                                         SPAN_OF("\xff\xfe"),
                                         SPAN_OF("E\n7"),
                                         SPAN_OF("{}"),
                                         SPAN_OF("{\"a\":1,\"b\":2}"),
                                         SPAN_OF("E\xe2\x80\xae"
                                                 "7"),
                                         SPAN_OF("\0\0\0\0\7")};
    struct fixture f;
    set_up(&f, "--exit-at-end");
    char longer[300];
    memset(longer, 'x', sizeof longer);
    for (size_t i = 0; i < sizeof somebody / sizeof *somebody; i++)
        send_record(&f, 0, somebody[i], SPAN_NULL);
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        send_record(&f, 0, nobody[i], SPAN_NULL);
    send_record(&f, 0, (struct span){longer, 257}, SPAN_NULL);
    lab_flush(&f.kafka);
    start(&f);
    join(&f);
    assert_identity(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_ERASED), 5);
    assert_int_equal(f.counters.dead_letters[EVENT_BAD_ID], 8);
    assert_int_equal(read_topic(&f, topics[1], look_for_erasures), 5);
    assert_int_equal(erased_of_e7, 5);
    assert_int_equal(read_topic(&f, topics[2], look_for_bad_ids), 8);
    tear_down(&f);
}

/* --- events as JSON --- */

static int json_outcomes;

/* As Avro of the shipped schema, whatever it came as. */
static void look_for_avro(const rd_kafka_message_t *message)
{
    static const uint8_t frame[] = {0};
    assert_true(message->len > 5 && memcmp(message->payload, frame, 1) == 0);
    json_outcomes += message->key_len == 2 && memcmp(message->key, "J3", 2) == 0;
}

static void set_up_json(struct fixture *f, const char *null_value)
{
    struct error err;
    set_up(f, "--exit-at-end");
    score_loop_free(f->loop);
    model_holder_free(f->models);
    settings_release(&f->settings);
    options_free(f->options);
    f->options = scorer_options((const char *const[]){f->model, f->servers, "--instance-id=t",
                                                      "--delivery=at-least-once", "--exit-at-end", null_value, NULL});
    if (settings_resolve(f->options, f->schema, &f->settings, &err) != STATUS_OK ||
        model_holder_new(&f->settings, &f->model_counters, &f->models, &err) != STATUS_OK ||
        score_loop_new(&f->settings, f->models, &f->counters, 0, &f->loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void json_has_the_same_results(void **state)
{
    (void)state;
    struct fixture f;
    char text[512];
    set_up_json(&f, "--null-value=ignore");
    const struct column *column = f.schema->columns;
    while (column->kind == COLUMN_NOMINAL)
        column++;
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "J%d", i);
        snprintf(text, sizeof text, "{\"employee_id\":\"\\u004a%d\",\"attributes\":{\"%s\":%g}}", i, column->name,
                 column->low);
        send_raw(&f, i % PARTITIONS, key, span_of(text));
    }
    send_raw(&f, 0, "J3", SPAN_LITERAL("{\"employee_id\":\"J3\",\"event_type\":\"TERMINATED\"}"));
    send_raw(&f, 0, "7", SPAN_LITERAL("{\"op\":\"t\",\"source\":{\"ts_ms\":1700000000000}}"));
    send_raw(&f, 0, "7", SPAN_NULL);
    send_raw(&f, 0, NULL, SPAN_NULL);
    send_raw(&f, 1, "J1", SPAN_LITERAL("{\"employee_id\":\"J2\",\"attributes\":{}}"));
    send_raw(&f, 1, "J1", SPAN_LITERAL("{\"employee_id\":\"J1\",\"attributes\":{"));
    lab_flush(&f.kafka);
    start(&f);
    join(&f);
    assert_identity(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_SCORED), 1000);
    assert_int_equal(count(&f, COUNTER_EVENTS_IGNORED), 3);
    assert_int_equal(count(&f, COUNTER_EVENTS_OUTCOME), 1);
    assert_int_equal(f.counters.dead_letters[EVENT_KEY_MISMATCH], 1);
    assert_int_equal(f.counters.dead_letters[EVENT_MALFORMED], 1);
    assert_int_equal(count_topic(&f, topics[1]), 1000);
    assert_int_equal(read_topic(&f, topics[3], look_for_avro), 1);
    assert_int_equal(json_outcomes, 1);
    tear_down(&f);
}

/* Nobody may be erased by a tombstone because nobody was asked. */
static void debezium_stops_until_null_values_are_decided(void **state)
{
    (void)state;
    struct fixture f;
    set_up_json(&f, NULL);
    send_raw(&f, 0, "7", SPAN_LITERAL("{\"op\":\"d\",\"before\":{\"EmployeeNumber\":7},\"after\":null}"));
    send_raw(&f, 0, "7", SPAN_NULL);
    lab_flush(&f.kafka);
    start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_INVALID);
    assert_non_null(strstr(f.err.text, "set NULL_VALUE=ignore"));
    assert_int_equal(count(&f, COUNTER_EVENTS_ERASED), 0);
    assert_int_equal(count_topic(&f, topics[1]), 0);
    tear_down(&f);
}

static void look_for_not_finite(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "attrition.error.code", &value, &bytes), 0);
    assert_string_equal(value, "not_finite");
    assert_int_not_equal(rd_kafka_header_get_last(headers, "attrition.error.field", &value, &bytes), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "__connect.errors.exception.message", &value, &bytes), 0);
    assert_non_null(strstr(value, "the model gives no number"));
}

static void a_score_that_is_no_number_is_a_dead_letter(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    set_up(&f, "--exit-at-end");
    write_bare_model(f.schema, f.path);
    model_holder_free(f.models);
    score_loop_free(f.loop);
    if (model_holder_new(&f.settings, &f.model_counters, &f.models, &err) != STATUS_OK ||
        score_loop_new(&f.settings, f.models, &f.counters, 0, &f.loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < 100; i++)
        send_filled(&f, i, EVENT_TYPE_SNAPSHOT, i % 2);
    lab_flush(&f.kafka);
    start(&f);
    join(&f);
    assert_identity(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_SCORED), 50);
    assert_int_equal(f.counters.dead_letters[EVENT_NOT_FINITE], 50);
    assert_int_equal(count_topic(&f, topics[1]), 50);
    assert_int_equal(read_topic(&f, topics[2], look_for_not_finite), 50);
    tear_down(&f);
}

static void a_new_group_at_the_end_is_done_at_once(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "--exit-at-end");
    score_loop_free(f.loop);
    model_holder_free(f.models);
    settings_release(&f.settings);
    options_free(f.options);
    struct error err;
    f.options = scorer_options((const char *const[]){f.model, f.servers, "--instance-id=t", "--delivery=at-least-once",
                                                     "-X", "auto.offset.reset=latest", "--exit-at-end", NULL});
    if (settings_resolve(f.options, f.schema, &f.settings, &err) != STATUS_OK ||
        model_holder_new(&f.settings, &f.model_counters, &f.models, &err) != STATUS_OK ||
        score_loop_new(&f.settings, f.models, &f.counters, 0, &f.loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    send_events(&f, 20);
    start(&f);
    join(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_RECEIVED), 0);
    tear_down(&f);
}

static void a_refused_batch_is_done_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "--exit-at-end");
    send_events(&f, 500);
    rd_kafka_mock_push_request_errors(f.kafka.cluster, LAB_API_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    start(&f);
    join(&f);
    assert_identity(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_SCORED), 500);
    assert_true(count(&f, COUNTER_EVENTS_RETURNED) > 0);
    assert_int_equal(count(&f, COUNTER_EVENTS_DEAD_LETTERED), 0);
    assert_true(count_topic(&f, topics[1]) >= 500);
    tear_down(&f);
}

static void an_unavailable_broker_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    send_events(&f, 200);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 200);
    rd_kafka_mock_broker_set_down(f.kafka.cluster, 1);
    wait_until_kafka_is(false);
    assert_int_equal(count(&f, COUNTER_EVENTS_DEAD_LETTERED), 0);
    rd_kafka_mock_broker_set_up(f.kafka.cluster, 1);
    send_events(&f, 300);
    wait_for(&f, COUNTER_EVENTS_SCORED, 500);
    score_loop_stop(f.loop);
    join(&f);
    assert_identity(&f);
    tear_down(&f);
}

/* --- current records --- */

static const char state_topic[] = "attrition-state";

static void set_up_with_records(struct fixture *f)
{
    set_up(f, "--state-topic=attrition-state");
    lab_create_topic(&f->kafka, state_topic, PARTITIONS);
}

/* The same again, as another process would begin. */
static void stop_and_renew(struct fixture *f)
{
    struct error err;
    score_loop_stop(f->loop);
    join(f);
    assert_identity(f);
    score_loop_free(f->loop);
    memset(&f->counters, 0, sizeof f->counters);
    if (score_loop_new(&f->settings, f->models, &f->counters, 0, &f->loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

/* Changes the first column that has a number. */
static void send_partial(struct fixture *f, int number)
{
    char employee[32];
    struct cell cells[256];
    struct buffer value = {0};
    bool listed = false;
    for (size_t c = 0; c < f->schema->column_count; c++) {
        const struct column *column = &f->schema->columns[c];
        cells[c] = (struct cell){.code = CELL_UNLISTED};
        if (column->kind == COLUMN_NOMINAL || listed)
            continue;
        listed = true;
        cells[c] = cell_number(column->low);
    }
    snprintf(employee, sizeof employee, "E%d", number);
    const struct event event = {.event_id = SPAN_LITERAL("partial"),
                                .employee_id = span_of(employee),
                                .type = EVENT_TYPE_CHANGED,
                                .cells = cells,
                                .partial = true};
    event_encode(f->schema, &event, &value);
    send_raw(f, number % PARTITIONS, employee, buffer_span(&value));
    buffer_free(&value);
}

static void partial_events_meet_the_records_of_the_process_before(void **state)
{
    (void)state;
    struct fixture f;
    set_up_with_records(&f);
    send_events(&f, 40);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 40);
    stop_and_renew(&f);
    for (int i = 0; i < 41; i++)
        send_partial(&f, i); /* the last one of nobody */
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 40);
    wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    assert_true(count(&f, COUNTER_STATE_RESTORED) >= 40);
    assert_int_equal(f.counters.dead_letters[EVENT_PARTIAL], 1);
    stop_and_renew(&f);
    assert_int_equal(count_topic(&f, topics[1]), 80);
    tear_down(&f);
}

/* As after a crash between the records and the offsets, at least once: each event up to there has its result already.
 */
static void send_position(struct fixture *f, int32_t partition, int offset, int records)
{
    struct buffer value = {0};
    const struct state_position position = {.group = f->settings.group_id,
                                            .topic = topics[0],
                                            .partition = partition,
                                            .offset = offset,
                                            .records = records};
    state_position_write(&position, &value);
    lab_produce(&f->kafka, state_topic, partition, STATE_POSITION_KEY, buffer_span(&value), NULL);
    buffer_free(&value);
}

static void what_the_records_hold_is_not_done_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up_with_records(&f);
    send_events(&f, 20);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 20);
    stop_and_renew(&f);
    send_events(&f, 20);
    for (int32_t p = 0; p < PARTITIONS; p++)
        send_position(&f, p, 40 / PARTITIONS, 20 / PARTITIONS);
    send_partial(&f, 0);
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 1);
    wait_for(&f, COUNTER_EVENTS_REPEATED, 20);
    stop_and_renew(&f);
    assert_int_equal(count_topic(&f, topics[1]), 21);
    tear_down(&f);
}

static void look_for_no_prediction(const rd_kafka_message_t *message)
{
    struct employee_state record;
    struct fault fault;
    if (message->key_len != 2 || memcmp(message->key, "E1", 2))
        return;
    struct schema *schema = scorer_schema();
    struct employee_state_reader *reader = employee_state_reader_new(schema);
    assert_int_equal(employee_state_read(reader, (struct span){message->payload, message->len}, &record, &fault),
                     EVENT_OK);
    if (record.source_offset == 1)
        assert_false(record.scored);
    employee_state_reader_free(reader);
    schema_free(schema);
}

/* Two records of one batch, and only the first one's event has a number: it is none of the second, which begins again.
 */
static void a_record_that_begins_again_has_no_prediction_of_before(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    set_up_with_records(&f);
    write_bare_model(f.schema, f.path);
    model_holder_free(f.models);
    score_loop_free(f.loop);
    if (model_holder_new(&f.settings, &f.model_counters, &f.models, &err) != STATUS_OK ||
        score_loop_new(&f.settings, f.models, &f.counters, 0, &f.loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    send_filled(&f, 1, EVENT_TYPE_SNAPSHOT, true);
    send_filled(&f, 1, EVENT_TYPE_HIRED, false);
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    stop_and_renew(&f);
    assert_int_equal(read_topic(&f, state_topic, look_for_no_prediction), 3); /* and a position */
    tear_down(&f);
}

static void without_a_state_topic_a_partial_event_is_a_dead_letter(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "--state-topic=none");
    send_events(&f, 1);
    send_partial(&f, 0);
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    assert_int_equal(f.counters.dead_letters[EVENT_PARTIAL], 1);
    assert_int_equal(count(&f, COUNTER_EVENTS_SCORED), 1);
    score_loop_stop(f.loop);
    join(&f);
    tear_down(&f);
}

/* A group that has committed offsets and never any records: an upgrade. */
static void a_group_without_records_begins_with_none(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "--state-topic=none");
    send_events(&f, 20);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 20);
    f.settings.state_topic = state_topic;
    lab_create_topic(&f.kafka, state_topic, PARTITIONS);
    stop_and_renew(&f);
    send_partial(&f, 0);
    send_event(&f, 1, EVENT_TYPE_SNAPSHOT);
    send_partial(&f, 1);
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 2);
    wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    assert_int_equal(f.counters.dead_letters[EVENT_PARTIAL], 1);
    score_loop_stop(f.loop);
    join(&f);
    tear_down(&f);
}

static void a_topic_without_the_records_that_were_committed_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    set_up_with_records(&f);
    send_events(&f, 20);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 20);
    f.settings.state_topic = "emptied-state";
    lab_create_topic(&f.kafka, "emptied-state", PARTITIONS);
    stop_and_renew(&f);
    send_events(&f, 20);
    start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_CONFLICT);
    assert_non_null(strstr(f.err.text, "scorer state seed --empty"));
    assert_int_equal(count(&f, COUNTER_EVENTS_RECEIVED), 0);
    tear_down(&f);
}

/* --- alerts --- */

/* The employee's first number, in a whole record, as a partial event, or as TERMINATED says. */
static void send_number(struct fixture *f, const char *id, enum event_type type, double number, bool partial)
{
    struct cell cells[256];
    struct buffer value = {0};
    bool numbered = false, named = false;
    for (size_t c = 0; c < f->schema->column_count; c++) {
        const struct column *column = &f->schema->columns[c];
        bool nominal = column->kind == COLUMN_NOMINAL;
        cells[c] = cell_missing(column);
        if (partial)
            cells[c].code = CELL_UNLISTED;
        if (!nominal && !numbered)
            cells[c] = cell_number(number);
        else if (nominal && !named && !partial)
            cells[c] = (struct cell){.text = column->values[0].data, .text_bytes = (uint32_t)column->values[0].bytes};
        numbered |= !nominal;
        named |= nominal;
    }
    const struct event event = {
        .event_id = span_of(id), .employee_id = SPAN_LITERAL("E7"), .type = type, .cells = cells, .partial = partial};
    event_encode(f->schema, &event, &value);
    send_raw(f, 1, "E7", buffer_span(&value));
    buffer_free(&value);
}

static struct alert_reader *alert_reader;
static struct buffer alerts_seen; /* "event kind before→after drivers offset", a line each */

static void look_at_alert(const rd_kafka_message_t *message)
{
    struct arena arena = {0};
    struct alert alert;
    struct fault fault;
    rd_kafka_headers_t *headers;
    const void *offset = NULL;
    size_t bytes = 0;
    bool waits;
    const struct span value = {message->payload, message->len};
    assert_int_equal(alert_read(alert_reader, value, SPAN_NULL, &arena, &alert, &fault, &waits), EVENT_OK);
    assert_true(span_equal((struct span){message->key, message->key_len}, alert.employee_id));
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "attrition.source.offset", &offset, &bytes), 0);
    const struct span kind = alert_kind_name(alert.kind);
    buffer_printf(&alerts_seen, "%.*s %.*s ", (int)alert.event_id.bytes, alert.event_id.data, (int)kind.bytes,
                  kind.data);
    if (alert.has_before)
        buffer_printf(&alerts_seen, "%.2f", alert.before.probability);
    buffer_printf(&alerts_seen, "→%.2f %.*s\n", alert.after.probability, (int)bytes, (const char *)offset);
    arena_free(&arena);
}

/* The margin is (number - 18) / 10. One batch, with a rehire in it: each event is compared with what was so just
 * before it, though all are merged before the first one is scored. */
static void alerts_follow_the_events_of_one_employee(void **state)
{
    (void)state;
    struct fixture f;
    set_up_with_records(&f);
    send_number(&f, "a", EVENT_TYPE_SNAPSHOT, 18, false); /* 0.50 */
    send_number(&f, "b", EVENT_TYPE_CHANGED, 20, true);   /* 0.55 */
    send_number(&f, "c", EVENT_TYPE_CHANGED, 23, true);   /* 0.62: 0.12 more than said last */
    send_number(&f, "d", EVENT_TYPE_CHANGED, 25, true);   /* 0.67 */
    send_number(&f, "e", EVENT_TYPE_TERMINATED, 25, false);
    send_number(&f, "f", EVENT_TYPE_HIRED, 28, false);  /* 0.73 */
    send_number(&f, "g", EVENT_TYPE_CHANGED, 17, true); /* refused: below the range */
    send_number(&f, "h", EVENT_TYPE_CHANGED, 40, true); /* 0.90 */
    send_number(&f, "i", EVENT_TYPE_HIRED, 40, false);  /* begins again */
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 7);
    wait_for(&f, COUNTER_EVENTS_OUTCOME, 1);
    stop_and_renew(&f);
    send_number(&f, "j", EVENT_TYPE_CHANGED, 20, true); /* after a restart: what was said last is in the record */
    send_raw(&f, 1, "E7", SPAN_NULL);
    send_number(&f, "k", EVENT_TYPE_SNAPSHOT, 20, false); /* erased in between */
    lab_flush(&f.kafka);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_SCORED, 2);
    stop_and_renew(&f);
    alert_reader = alert_reader_new(f.schema);
    assert_int_equal(read_topic(&f, alert_topic, look_at_alert), 7);
    buffer_add_u8(&alerts_seen, '\0');
    assert_string_equal(alerts_seen.data, "a FIRST →0.50 0\nc MOVED 0.55→0.62 2\nf FIRST →0.73 5\nh MOVED 0.73→0.90 7\n"
                                          "i FIRST →0.90 8\nj MOVED 0.90→0.55 9\nk FIRST →0.55 11\n");
    alert_reader_free(alert_reader);
    buffer_free(&alerts_seen);
    tear_down(&f);
}

static void asked_to_stop_it_commits_what_it_has(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "--commit-interval=3s");
    send_events(&f, 1000);
    start(&f);
    wait_for(&f, COUNTER_EVENTS_RECEIVED, 1000);
    score_loop_stop(f.loop);
    join(&f);
    assert_identity(&f);
    assert_int_equal(count(&f, COUNTER_EVENTS_IN_FLIGHT), 0);
    assert_int_equal(count(&f, COUNTER_EVENTS_SCORED), 1000);
    assert_int_equal(count_topic(&f, topics[1]), 1000);
    tear_down(&f);
}

static void asked_to_stop_while_no_broker_answers_it_ends(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    rd_kafka_mock_broker_set_down(f.kafka.cluster, 1);
    start(&f);
    wait_for_step(&f);
    score_loop_stop(f.loop);
    join(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(count(&f, COUNTER_EVENTS_RECEIVED), 0);
    assert_identity(&f);
    tear_down(&f);
}

static void an_offset_that_is_gone_stops_with_a_message(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    send_events(&f, 10);
    rd_kafka_t *other = lab_consumer(&f.kafka, "attrition-scorer");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topics[0], 0)->offset = 777;
    assert_int_equal(rd_kafka_commit(other, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_INVALID);
    assert_non_null(strstr(f.err.text, "777"));
    assert_non_null(strstr(f.err.text, "kafka-consumer-groups"));
    tear_down(&f);
}

/* Writing is denied: the loop ends, and leaving the group must not commit what was rolled back. */
static void a_denied_write_commits_nothing(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    send_events(&f, 500);
    lab_flush(&f.kafka);
    rd_kafka_mock_push_request_errors(
        f.kafka.cluster, LAB_API_PRODUCE, 6, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_DENIED);
    assert_non_null(strstr(f.err.text, "kafka-acls"));
    rd_kafka_t *other = lab_consumer(&f.kafka, "attrition-scorer");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (int p = 0; p < 4; p++)
        rd_kafka_topic_partition_list_add(list, topics[0], p);
    assert_int_equal(rd_kafka_committed(other, list, 5000), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int p = 0; p < 4; p++)
        assert_int_equal(list->elems[p].offset, 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_exactly_one_result),
        cmocka_unit_test(an_erasure_names_whom_its_key_names),
        cmocka_unit_test(a_score_that_is_no_number_is_a_dead_letter),
        cmocka_unit_test(a_new_group_at_the_end_is_done_at_once),
        cmocka_unit_test(a_refused_batch_is_done_again),
        cmocka_unit_test(json_has_the_same_results),
        cmocka_unit_test(debezium_stops_until_null_values_are_decided),
        cmocka_unit_test(an_unavailable_broker_is_waited_for),
        cmocka_unit_test(partial_events_meet_the_records_of_the_process_before),
        cmocka_unit_test(what_the_records_hold_is_not_done_again),
        cmocka_unit_test(a_record_that_begins_again_has_no_prediction_of_before),
        cmocka_unit_test(without_a_state_topic_a_partial_event_is_a_dead_letter),
        cmocka_unit_test(a_group_without_records_begins_with_none),
        cmocka_unit_test(a_topic_without_the_records_that_were_committed_is_refused),
        cmocka_unit_test(alerts_follow_the_events_of_one_employee),
        cmocka_unit_test(asked_to_stop_it_commits_what_it_has),
        cmocka_unit_test(asked_to_stop_while_no_broker_answers_it_ends),
        cmocka_unit_test(an_offset_that_is_gone_stops_with_a_message),
        cmocka_unit_test(a_denied_write_commits_nothing),
    };
    return cmocka_run_group_tests_name("scorer/score_loop", tests, NULL, NULL);
}
