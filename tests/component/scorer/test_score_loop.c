/* The score loop end to end against librdkafka's mock cluster, at least once (the mock's transactions do nothing;
 * exactly once is proved against real Kafka in tests/system). Errors and outages are injected. */
#include "tests/support/graph.h"
#include "tests/support/scorer.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>

#include "events/encode.h"
#include "kafka/client.h"
#include "scorer/stream/score_loop.h"

enum { PARTITIONS = 4, API_PRODUCE = 0 };

static const char *const topics[] = {"employee-events", "attrition-predictions", "employee-events-dlq",
                                     "attrition-outcomes"};

struct lab {
    char directory[64], path[128], model[160], servers[160];
    rd_kafka_t *host; /* owns the cluster; also the test's producer */
    rd_kafka_mock_cluster_t *cluster;
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

static rd_kafka_t *client(rd_kafka_type_t type, const char *servers, const char *group)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", servers, text, sizeof text);
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    if (type == RD_KAFKA_CONSUMER) {
        rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text);
        rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text);
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    } else {
        rd_kafka_conf_set(conf, "partitioner", "murmur2_random", text, sizeof text);
    }
    rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
    assert_non_null(made);
    return made;
}

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

static void set_up(struct lab *lab, const char *flag)
{
    struct error err = {0};
    *lab = (struct lab){.directory = "/tmp/attrition-loop-XXXXXX"};
    assert_non_null(mkdtemp(lab->directory));
    snprintf(lab->path, sizeof lab->path, "%s/model.onnx", lab->directory);
    snprintf(lab->model, sizeof lab->model, "--model=%s", lab->path);
    lab->host = client(RD_KAFKA_PRODUCER, "127.0.0.1:1", NULL);
    lab->cluster = rd_kafka_mock_cluster_new(lab->host, 1);
    assert_non_null(lab->cluster);
    rd_kafka_brokers_add(lab->host, rd_kafka_mock_cluster_bootstraps(lab->cluster));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rd_kafka_mock_topic_create(lab->cluster, topics[i], PARTITIONS, 1), 0);
    snprintf(lab->servers, sizeof lab->servers, "--bootstrap-servers=%s",
             rd_kafka_mock_cluster_bootstraps(lab->cluster));
    lab->schema = scorer_schema();
    scorer_write_model(lab->schema, lab->path, 0);
    lab->options =
        scorer_options((const char *const[]){lab->model, lab->servers, "--instance-id=t", "--delivery=at-least-once",
                                             "--roles=score", "-X", "fetch.wait.max.ms=10", flag, NULL});
    if (settings_resolve(lab->options, lab->schema, &lab->settings, &err) != STATUS_OK ||
        model_holder_new(&lab->settings, &lab->model_counters, &lab->models, &err) != STATUS_OK ||
        score_loop_new(&lab->settings, lab->models, &lab->counters, 0, &lab->loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void tear_down(struct lab *lab)
{
    score_loop_free(lab->loop);
    model_holder_free(lab->models);
    settings_release(&lab->settings);
    options_free(lab->options);
    schema_free(lab->schema);
    rd_kafka_mock_cluster_destroy(lab->cluster);
    rd_kafka_destroy(lab->host);
    unlink(lab->path);
    rmdir(lab->directory);
}

/* What the loop reads */

#define SPAN_OF(text) \
    { \
        (text), sizeof(text) - 1 \
    }

static void send_record(struct lab *lab, int32_t partition, struct span key, struct span value)
{
    assert_int_equal(rd_kafka_producev(lab->host, RD_KAFKA_V_TOPIC(topics[0]), RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_KEY((void *)key.data, key.bytes),
                                       RD_KAFKA_V_VALUE((void *)value.data, value.bytes), RD_KAFKA_V_END),
                     0);
}

static void send_raw(struct lab *lab, int32_t partition, const char *key, struct span value)
{
    send_record(lab, partition, key ? span_of(key) : SPAN_NULL, value);
}

/* Everything is missing but one category (a blank record would be refused); where `filled`, the numbers are there too.
 */
static void send_filled(struct lab *lab, int number, enum event_type type, bool filled)
{
    char id[32], employee[32];
    struct cell cells[256];
    struct buffer value = {0};
    assert_true(lab->schema->column_count <= 256);
    bool has_category = false;
    for (size_t c = 0; c < lab->schema->column_count; c++) {
        const struct column *column = &lab->schema->columns[c];
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
    event_encode(lab->schema, &event, &value);
    send_raw(lab, number % PARTITIONS, employee, buffer_span(&value));
    buffer_free(&value);
}

static void send_event(struct lab *lab, int number, enum event_type type)
{
    send_filled(lab, number, type, false);
}

static void send_events(struct lab *lab, int count)
{
    for (int i = 0; i < count; i++)
        send_event(lab, i, EVENT_TYPE_SNAPSHOT);
    assert_int_equal(rd_kafka_flush(lab->host, 10000), 0);
}

/* What the loop wrote */

/* Reads the topic to its end; `look` (may be NULL) sees each record. */
static long read_topic(const struct lab *lab, const char *topic, void (*look)(const rd_kafka_message_t *message))
{
    rd_kafka_t *reader = client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(lab->cluster), "reader");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int32_t p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    long count = 0;
    for (int ends = 0; ends < PARTITIONS;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 10000);
        assert_non_null(message);
        ends += message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        count += !message->err;
        if (look && !message->err)
            look(message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return count;
}

static long count_topic(const struct lab *lab, const char *topic)
{
    return read_topic(lab, topic, NULL);
}

static uint64_t count(const struct lab *lab, enum counter_id id)
{
    return counter_get(&lab->counters, id);
}

static void assert_identity(const struct lab *lab)
{
    uint64_t codes = 0;
    for (size_t i = 0; i < EVENT_CODE_COUNT; i++)
        codes += lab->counters.dead_letters[i];
    assert_int_equal(codes, count(lab, COUNTER_EVENTS_DEAD_LETTERED));
    assert_int_equal(count(lab, COUNTER_EVENTS_RECEIVED),
                     count(lab, COUNTER_EVENTS_SCORED) + count(lab, COUNTER_EVENTS_DEAD_LETTERED) +
                         count(lab, COUNTER_EVENTS_ERASED) + count(lab, COUNTER_EVENTS_OUTCOME) +
                         count(lab, COUNTER_EVENTS_RETURNED) + count(lab, COUNTER_EVENTS_IN_FLIGHT));
}

static void *run(void *argument)
{
    struct lab *lab = argument;
    lab->status = score_loop_run(lab->loop, &lab->err);
    return NULL;
}

static void start(struct lab *lab)
{
    assert_int_equal(pthread_create(&lab->thread, NULL, run, lab), 0);
}

static void join(struct lab *lab)
{
    pthread_join(lab->thread, NULL);
    if (lab->status != STATUS_OK)
        fail_msg("%s", lab->err.text);
}

static void wait_for(const struct lab *lab, enum counter_id id, uint64_t wanted)
{
    for (int i = 0; i < 3000 && count(lab, id) < wanted; i++)
        usleep(10000);
    if (count(lab, id) < wanted)
        fail_msg("counter %d is %zu after 30 s, not %zu", (int)id, (size_t)count(lab, id), (size_t)wanted);
}

static void wait_until_kafka_is(bool up)
{
    for (int i = 0; i < 3000 && kafka_up() != up; i++) {
        usleep(10000);
        kafka_look();
    }
    if (kafka_up() != up)
        fail_msg("after 30 s the brokers are still %s", up ? "unavailable" : "available");
}

static void wait_for_step(const struct lab *lab)
{
    for (int i = 0; i < 3000 && !progress_runs(score_loop_progress(lab->loop)); i++)
        usleep(10000);
    if (!progress_runs(score_loop_progress(lab->loop)))
        fail_msg("the loop has not started after 30 s");
}

static void every_event_has_exactly_one_end(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, "--exit-at-end");
    send_events(&lab, 2000);
    send_raw(&lab, 0, "E1", SPAN_NULL);
    send_raw(&lab, 1, NULL, SPAN_NULL);
    send_raw(&lab, 2, "E2", (struct span){"", 0});
    send_raw(&lab, 3, "E3", SPAN_LITERAL("\0\0\0\0\7what"));
    send_raw(&lab, 0, "E4", SPAN_LITERAL("plain text"));
    for (int i = 0; i < 3; i++)
        send_event(&lab, 5000 + i, EVENT_TYPE_TERMINATED);
    assert_int_equal(rd_kafka_flush(lab.host, 10000), 0);
    start(&lab);
    join(&lab);
    assert_identity(&lab);
    assert_int_equal(count(&lab, COUNTER_EVENTS_SCORED), 2000);
    assert_int_equal(count(&lab, COUNTER_EVENTS_ERASED), 1);
    assert_int_equal(count(&lab, COUNTER_EVENTS_OUTCOME), 3);
    assert_int_equal(count(&lab, COUNTER_EVENTS_DEAD_LETTERED), 4);
    assert_int_equal(lab.counters.dead_letters[EVENT_NULL_KEY], 1);
    assert_int_equal(lab.counters.dead_letters[EVENT_BAD_FRAME], 2);
    assert_int_equal(lab.counters.dead_letters[EVENT_UNKNOWN_SCHEMA_ID], 1);
    assert_int_equal(count_topic(&lab, topics[1]), 2001);
    assert_int_equal(count_topic(&lab, topics[2]), 4);
    assert_int_equal(count_topic(&lab, topics[3]), 3);
    tear_down(&lab);
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
    struct lab lab;
    set_up(&lab, "--exit-at-end");
    char longer[300];
    memset(longer, 'x', sizeof longer);
    for (size_t i = 0; i < sizeof somebody / sizeof *somebody; i++)
        send_record(&lab, 0, somebody[i], SPAN_NULL);
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        send_record(&lab, 0, nobody[i], SPAN_NULL);
    send_record(&lab, 0, (struct span){longer, 257}, SPAN_NULL);
    assert_int_equal(rd_kafka_flush(lab.host, 10000), 0);
    start(&lab);
    join(&lab);
    assert_identity(&lab);
    assert_int_equal(count(&lab, COUNTER_EVENTS_ERASED), 5);
    assert_int_equal(lab.counters.dead_letters[EVENT_BAD_ID], 8);
    assert_int_equal(read_topic(&lab, topics[1], look_for_erasures), 5);
    assert_int_equal(erased_of_e7, 5);
    assert_int_equal(read_topic(&lab, topics[2], look_for_bad_ids), 8);
    tear_down(&lab);
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
    struct lab lab;
    struct error err;
    set_up(&lab, "--exit-at-end");
    write_bare_model(lab.schema, lab.path);
    model_holder_free(lab.models);
    score_loop_free(lab.loop);
    if (model_holder_new(&lab.settings, &lab.model_counters, &lab.models, &err) != STATUS_OK ||
        score_loop_new(&lab.settings, lab.models, &lab.counters, 0, &lab.loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < 100; i++)
        send_filled(&lab, i, EVENT_TYPE_SNAPSHOT, i % 2);
    assert_int_equal(rd_kafka_flush(lab.host, 10000), 0);
    start(&lab);
    join(&lab);
    assert_identity(&lab);
    assert_int_equal(count(&lab, COUNTER_EVENTS_SCORED), 50);
    assert_int_equal(lab.counters.dead_letters[EVENT_NOT_FINITE], 50);
    assert_int_equal(count_topic(&lab, topics[1]), 50);
    assert_int_equal(read_topic(&lab, topics[2], look_for_not_finite), 50);
    tear_down(&lab);
}

static void a_new_group_at_the_end_is_done_at_once(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, "--exit-at-end");
    score_loop_free(lab.loop);
    model_holder_free(lab.models);
    settings_release(&lab.settings);
    options_free(lab.options);
    struct error err;
    lab.options =
        scorer_options((const char *const[]){lab.model, lab.servers, "--instance-id=t", "--delivery=at-least-once",
                                             "-X", "auto.offset.reset=latest", "--exit-at-end", NULL});
    if (settings_resolve(lab.options, lab.schema, &lab.settings, &err) != STATUS_OK ||
        model_holder_new(&lab.settings, &lab.model_counters, &lab.models, &err) != STATUS_OK ||
        score_loop_new(&lab.settings, lab.models, &lab.counters, 0, &lab.loop, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    send_events(&lab, 20);
    start(&lab);
    join(&lab);
    assert_int_equal(count(&lab, COUNTER_EVENTS_RECEIVED), 0);
    tear_down(&lab);
}

static void a_refused_batch_is_done_again(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, "--exit-at-end");
    send_events(&lab, 500);
    rd_kafka_mock_push_request_errors(lab.cluster, API_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    start(&lab);
    join(&lab);
    assert_identity(&lab);
    assert_int_equal(count(&lab, COUNTER_EVENTS_SCORED), 500);
    assert_true(count(&lab, COUNTER_EVENTS_RETURNED) > 0);
    assert_int_equal(count(&lab, COUNTER_EVENTS_DEAD_LETTERED), 0);
    assert_true(count_topic(&lab, topics[1]) >= 500);
    tear_down(&lab);
}

static void a_broker_that_is_away_is_waited_for(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, NULL);
    send_events(&lab, 200);
    start(&lab);
    wait_for(&lab, COUNTER_EVENTS_SCORED, 200);
    rd_kafka_mock_broker_set_down(lab.cluster, 1);
    wait_until_kafka_is(false);
    assert_int_equal(count(&lab, COUNTER_EVENTS_DEAD_LETTERED), 0);
    rd_kafka_mock_broker_set_up(lab.cluster, 1);
    send_events(&lab, 300);
    wait_for(&lab, COUNTER_EVENTS_SCORED, 500);
    score_loop_stop(lab.loop);
    join(&lab);
    assert_identity(&lab);
    tear_down(&lab);
}

static void told_to_stop_it_commits_what_it_has(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, "--commit-interval=3s");
    send_events(&lab, 1000);
    start(&lab);
    wait_for(&lab, COUNTER_EVENTS_RECEIVED, 1000);
    score_loop_stop(lab.loop);
    join(&lab);
    assert_identity(&lab);
    assert_int_equal(count(&lab, COUNTER_EVENTS_IN_FLIGHT), 0);
    assert_int_equal(count(&lab, COUNTER_EVENTS_SCORED), 1000);
    assert_int_equal(count_topic(&lab, topics[1]), 1000);
    tear_down(&lab);
}

static void told_to_stop_while_no_broker_answers_it_ends(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, NULL);
    rd_kafka_mock_broker_set_down(lab.cluster, 1);
    start(&lab);
    wait_for_step(&lab);
    score_loop_stop(lab.loop);
    join(&lab);
    tear_down(&lab);
}

static void an_offset_that_is_gone_stops_with_a_message(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, NULL);
    send_events(&lab, 10);
    rd_kafka_t *other = client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(lab.cluster), "attrition-scorer");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topics[0], 0)->offset = 777;
    assert_int_equal(rd_kafka_commit(other, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    start(&lab);
    pthread_join(lab.thread, NULL);
    assert_int_equal(lab.status, STATUS_INVALID);
    assert_non_null(strstr(lab.err.text, "777"));
    assert_non_null(strstr(lab.err.text, "kafka-consumer-groups"));
    tear_down(&lab);
}

/* Writing is denied: the loop ends, and leaving the group must not commit what was rolled back. */
static void a_denied_write_commits_nothing(void **state)
{
    (void)state;
    struct lab lab;
    set_up(&lab, NULL);
    send_events(&lab, 500);
    rd_kafka_flush(lab.host, 5000);
    rd_kafka_mock_push_request_errors(
        lab.cluster, API_PRODUCE, 6, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start(&lab);
    pthread_join(lab.thread, NULL);
    assert_int_equal(lab.status, STATUS_DENIED);
    assert_non_null(strstr(lab.err.text, "kafka-acls"));
    rd_kafka_t *other = client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(lab.cluster), "attrition-scorer");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (int p = 0; p < 4; p++)
        rd_kafka_topic_partition_list_add(list, topics[0], p);
    assert_int_equal(rd_kafka_committed(other, list, 5000), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int p = 0; p < 4; p++)
        assert_int_equal(list->elems[p].offset, 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    tear_down(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_exactly_one_end),
        cmocka_unit_test(an_erasure_names_whom_its_key_names),
        cmocka_unit_test(a_score_that_is_no_number_is_a_dead_letter),
        cmocka_unit_test(a_new_group_at_the_end_is_done_at_once),
        cmocka_unit_test(a_refused_batch_is_done_again),
        cmocka_unit_test(a_broker_that_is_away_is_waited_for),
        cmocka_unit_test(told_to_stop_it_commits_what_it_has),
        cmocka_unit_test(told_to_stop_while_no_broker_answers_it_ends),
        cmocka_unit_test(an_offset_that_is_gone_stops_with_a_message),
        cmocka_unit_test(a_denied_write_commits_nothing),
    };
    return cmocka_run_group_tests_name("scorer/score_loop", tests, NULL, NULL);
}
