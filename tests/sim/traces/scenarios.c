/* Conversations with a broker whose answers the simulation must give too. The same program is linked with librdkafka
 * and talks to a real Kafka (real.c), and with the simulation's functions (simulated.c); a line says what a call
 * returned or what can be seen afterwards, and both must print the same. Times and member ids are not printed. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/traces/stage.h"

enum { CALL_MS = 15000, SHORT_MS = 1500, LARGE_BYTES = 5000, TEXT_BYTES = 64 };

static void title(const char *text)
{
    printf("# %s\n", text);
}

static const char *name_of(rd_kafka_resp_err_t code)
{
    return code ? rd_kafka_err2name(code) : "ok";
}

/* Takes the error. */
static void print_result(const char *call, rd_kafka_error_t *error)
{
    printf("%s: %s", call, error ? rd_kafka_error_name(error) : "ok");
    if (error) {
        printf("%s%s%s", rd_kafka_error_is_fatal(error) ? " fatal" : "",
               rd_kafka_error_is_retriable(error) ? " retriable" : "",
               rd_kafka_error_txn_requires_abort(error) ? " abort" : "");
        rd_kafka_error_destroy(error);
    }
    putchar('\n');
}

static void print_code(const char *call, rd_kafka_resp_err_t code)
{
    printf("%s: %s\n", call, name_of(code));
}

/* --- clients --- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        printf("%s=%s: %s\n", name, value, text);
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer, (void)opaque;
    printf("report of record %d: %s\n", (int)(intptr_t)message->_private, name_of(message->err));
}

static rd_kafka_t *producer_new(const char *identity, const char *timeout_ms)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    stage_set_servers(conf);
    set(conf, "transactional.id", identity);
    set(conf, "transaction.timeout.ms", timeout_ms);
    set(conf, "linger.ms", "20");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    print_result("init", rd_kafka_init_transactions(producer, CALL_MS));
    return producer;
}

static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    bool gives = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    printf("%s: %s %d partitions%s\n", (const char *)opaque, gives ? "is given" : "gives back", list->cnt,
           !gives && rd_kafka_assignment_lost(consumer) ? ", lost" : "");
    rd_kafka_assign(consumer, gives ? list : NULL);
}

static rd_kafka_t *consumer_new(const char *group, const char *instance, const char *name)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    stage_set_servers(conf);
    set(conf, "group.id", group);
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.partition.eof", "true");
    set(conf, "enable.auto.commit", "false");
    set(conf, "auto.offset.reset", "error");
    set(conf, "partition.assignment.strategy", "range");
    set(conf, "session.timeout.ms", "10000");
    set(conf, "heartbeat.interval.ms", "200");
    if (instance)
        set(conf, "group.instance.id", instance);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, (void *)(uintptr_t)name);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

static void consumer_end(rd_kafka_t *consumer)
{
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

/* --- calls --- */

static void produce_at(rd_kafka_t *producer, const char *topic, int32_t partition, int number, int64_t timestamp_ms)
{
    static char value[LARGE_BYTES];
    int bytes = snprintf(value, TEXT_BYTES, "sim-%06d", number);
    if (number == STAGE_LARGE)
        bytes = LARGE_BYTES;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY("k", (size_t)1), RD_KAFKA_V_VALUE(value, (size_t)bytes), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
        RD_KAFKA_V_OPAQUE((void *)(intptr_t)number), RD_KAFKA_V_END);
    printf("produce record %d to %s [%" PRId32 "]: %s\n", number, topic, partition, name_of(code));
}

static void produce(rd_kafka_t *producer, int number)
{
    produce_at(producer, STAGE_OUTPUT, 0, number, 0);
}

static void flush(rd_kafka_t *producer)
{
    print_code("flush", rd_kafka_flush(producer, CALL_MS));
}

static void begin(rd_kafka_t *producer)
{
    print_result("begin", rd_kafka_begin_transaction(producer));
}

static void commit(rd_kafka_t *producer)
{
    print_result("commit", rd_kafka_commit_transaction(producer, CALL_MS));
}

static void abort_it(rd_kafka_t *producer)
{
    print_result("abort", rd_kafka_abort_transaction(producer, CALL_MS));
}

static rd_kafka_topic_partition_list_t *place(const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    return list;
}

/* As a group's member, or (NULL) as nobody in particular. */
static void send_offset(rd_kafka_t *producer, rd_kafka_t *member, int64_t offset)
{
    char call[TEXT_BYTES];
    rd_kafka_topic_partition_list_t *list = place(STAGE_INPUT, 0, offset);
    rd_kafka_consumer_group_metadata_t *group =
        member ? rd_kafka_consumer_group_metadata(member) : rd_kafka_consumer_group_metadata_new(STAGE_GROUP);
    snprintf(call, sizeof call, "send offset %" PRId64, offset);
    print_result(call, rd_kafka_send_offsets_to_transaction(producer, list, group, CALL_MS));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
}

/* --- what can be seen --- */

static void show_committed(int timeout_ms)
{
    rd_kafka_t *consumer = consumer_new(STAGE_GROUP, NULL, "reader");
    rd_kafka_topic_partition_list_t *list = place(STAGE_INPUT, 0, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_committed(consumer, list, timeout_ms);
    if (!code)
        code = list->elems[0].err;
    if (code)
        print_code("group's offset", code);
    else if (list->elems[0].offset < 0)
        printf("group's offset: none\n");
    else
        printf("group's offset: %" PRId64 "\n", list->elems[0].offset);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(consumer);
}

/* Reads from an offset up to the end, or to an error. */
static void read_from(const char *topic, int64_t offset)
{
    rd_kafka_t *reader = consumer_new("reader", NULL, "reader");
    rd_kafka_topic_partition_list_t *list = place(topic, 0, offset);
    rd_kafka_message_t *message;
    bool more = true;
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    printf("%s from %" PRId64 ":", topic, offset);
    for (int calls = 0; more && calls < 100; calls++) {
        message = rd_kafka_consumer_poll(reader, SHORT_MS);
        if (!message)
            continue;
        if (message->err)
            printf(" %s at %" PRId64, name_of(message->err), message->offset);
        else
            printf(" %" PRId64, message->offset);
        more = !message->err;
        rd_kafka_message_destroy(message);
    }
    putchar('\n');
    consumer_end(reader);
}

static void show_ends(const char *topic)
{
    int64_t low = -1, high = -1;
    rd_kafka_t *consumer = consumer_new("reader", NULL, "reader");
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, CALL_MS);
    printf("%s ends: %s, %" PRId64 " to %" PRId64 "\n", topic, name_of(code), low, high);
    rd_kafka_destroy(consumer);
}

/* Once the markers are written, which is some time after the commit. */
static void show(const char *topic)
{
    usleep(300000);
    show_ends(topic);
    read_from(topic, 0);
    show_committed(CALL_MS);
}

/* --- scenarios --- */

static void run_commit(void)
{
    title("a transaction is committed");
    rd_kafka_t *producer = producer_new("trace-a", "60000");
    begin(producer);
    produce(producer, 1);
    produce(producer, 2);
    flush(producer);
    send_offset(producer, NULL, 2);
    show_ends(STAGE_OUTPUT);
    read_from(STAGE_OUTPUT, 0);
    show_committed(SHORT_MS);
    commit(producer);
    show(STAGE_OUTPUT);
    begin(producer);
    commit(producer); /* of nothing */
    print_result("commit, none open", rd_kafka_commit_transaction(producer, CALL_MS));
    rd_kafka_destroy(producer);
    show(STAGE_OUTPUT);
}

static void run_abort(void)
{
    title("a transaction is aborted, its offsets with it");
    rd_kafka_t *producer = producer_new("trace-a", "60000");
    begin(producer);
    produce(producer, 3);
    send_offset(producer, NULL, 3);
    flush(producer);
    abort_it(producer);
    show(STAGE_OUTPUT);
    begin(producer);
    abort_it(producer); /* of nothing */
    rd_kafka_destroy(producer);
    show(STAGE_OUTPUT);
}

static void run_fence(void)
{
    title("a second producer of the same identity fences the first");
    rd_kafka_t *first = producer_new("trace-b", "60000");
    begin(first);
    produce(first, 4);
    flush(first);
    send_offset(first, NULL, 4);
    rd_kafka_t *second = producer_new("trace-b", "60000");
    show(STAGE_OUTPUT);
    commit(first);
    abort_it(first);
    print_code("fatal error", rd_kafka_fatal_error(first, NULL, 0));
    begin(first);
    begin(second);
    produce(second, 5);
    send_offset(second, NULL, 5);
    commit(second);
    show(STAGE_OUTPUT);
    rd_kafka_destroy(first);
    rd_kafka_destroy(second);
}

static void run_fence_while_producing(void)
{
    title("the fenced one learns it from a record, and from offsets");
    rd_kafka_t *first = producer_new("trace-c", "60000"), *second;
    begin(first);
    second = producer_new("trace-c", "60000");
    produce(first, 6);
    flush(first);
    commit(first);
    rd_kafka_destroy(first);
    first = producer_new("trace-c", "60000");
    begin(second);
    send_offset(second, NULL, 6);
    abort_it(second);
    rd_kafka_destroy(second);
    rd_kafka_destroy(first);
    show(STAGE_OUTPUT);
}

static void run_timeout(void)
{
    title("the coordinator ends a transaction that is open for too long");
    rd_kafka_t *producer = producer_new("trace-d", "1000");
    begin(producer);
    produce(producer, 7);
    flush(producer);
    send_offset(producer, NULL, 7);
    usleep(4000000);
    show(STAGE_OUTPUT);
    commit(producer);
    abort_it(producer);
    print_code("fatal error", rd_kafka_fatal_error(producer, NULL, 0));
    rd_kafka_destroy(producer);
    show(STAGE_OUTPUT);
}

static void run_no_partition(void)
{
    title("a record to a partition that is not there");
    rd_kafka_t *producer = producer_new("trace-e", "60000");
    begin(producer);
    produce(producer, 8);
    flush(producer);
    produce_at(producer, STAGE_OUTPUT, 7, 9, 0);
    commit(producer);
    show(STAGE_OUTPUT);
    rd_kafka_destroy(producer);
}

/* One record is refused, and with it its batch; then the next transaction of that producer. */
static void run_refused(const char *topic, int number, int64_t timestamp_ms)
{
    rd_kafka_t *producer = producer_new("trace-f", "60000");
    begin(producer);
    produce_at(producer, topic, 0, 10, 0);
    flush(producer);
    produce_at(producer, topic, 0, 11, 0);
    produce_at(producer, topic, 0, number, timestamp_ms);
    flush(producer);
    produce_at(producer, topic, 0, 12, 0);
    send_offset(producer, NULL, 12);
    commit(producer);
    abort_it(producer);
    begin(producer);
    produce_at(producer, topic, 0, 13, 0);
    commit(producer);
    rd_kafka_destroy(producer);
    show(topic);
}

static void run_records_refused(void)
{
    title("a record that is too large for its topic, and the others of its batch");
    run_refused(STAGE_OUTPUT, STAGE_LARGE, 0);
    title("a record that is too old for its topic, and the others of its batch");
    run_refused(STAGE_OUTCOME, STAGE_OLD, INT64_C(1000000000000));
}

static void run_positions(void)
{
    title("positions outside of a log");
    read_from(STAGE_OUTPUT, 1000);
    stage_delete_records(STAGE_OUTPUT, 0, 2);
    show_ends(STAGE_OUTPUT);
    read_from(STAGE_OUTPUT, 1);
    read_from(STAGE_OUTPUT, 2);
}

/* --- groups --- */

static void poll_for(rd_kafka_t *consumer, const char *name, int ms)
{
    for (; ms > 0; ms -= 100) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            printf("%s: %s\n", name, name_of(message->err));
        if (message)
            rd_kafka_message_destroy(message);
    }
}

static rd_kafka_t *join(const char *instance, const char *name)
{
    rd_kafka_t *consumer = consumer_new(STAGE_GROUP, instance, name);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, STAGE_INPUT, RD_KAFKA_PARTITION_UA);
    print_code("subscribe", rd_kafka_subscribe(consumer, topics));
    rd_kafka_topic_partition_list_destroy(topics);
    return consumer;
}

static void commit_offset(rd_kafka_t *consumer, const char *name, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = place(STAGE_INPUT, 0, offset);
    printf("%s commits %" PRId64 ": %s\n", name, offset, name_of(rd_kafka_commit(consumer, list, 0)));
    rd_kafka_topic_partition_list_destroy(list);
}

static void run_static_member(void)
{
    title("a static member, and another process with its instance id");
    rd_kafka_t *first = join("i0", "first");
    poll_for(first, "first", 4000);
    commit_offset(first, "first", 5);
    rd_kafka_t *second = join("i0", "second");
    poll_for(second, "second", 4000);
    commit_offset(second, "second", 6);
    rd_kafka_t *producer = producer_new("trace-g", "60000");
    begin(producer);
    send_offset(producer, first, 7);
    abort_it(producer);
    begin(producer);
    send_offset(producer, second, 7);
    commit(producer);
    poll_for(first, "first", 2000);
    print_code("fatal error", rd_kafka_fatal_error(first, NULL, 0));
    commit_offset(first, "first", 8);
    rd_kafka_destroy(producer);
    consumer_end(first);
    consumer_end(second);
    show(STAGE_OUTPUT);
}

static void run_static_leave(void)
{
    title("a static member that leaves and comes back gets what it had");
    rd_kafka_t *first = join("i0", "first");
    poll_for(first, "first", 3000);
    consumer_end(first);
    first = join("i0", "first");
    poll_for(first, "first", 3000);
    consumer_end(first);
}

static void run_two_members(void)
{
    title("a second member, and one that does not come back");
    rd_kafka_t *first = join("i0", "first");
    poll_for(first, "first", 3000);
    rd_kafka_t *second = join("i1", "second");
    poll_for(second, "second", 2000);
    commit_offset(first, "first", 9);
    poll_for(first, "first", 4000);
    commit_offset(first, "first", 10);
    poll_for(second, "second", 2000);
    consumer_end(second);
    poll_for(first, "first", 15000);
    commit_offset(first, "first", 11);
    consumer_end(first);
    show_committed(CALL_MS);
}

void scenarios_run(void)
{
    run_commit();
    run_abort();
    run_fence();
    run_fence_while_producing();
    run_timeout();
    run_no_partition();
    run_records_refused();
    run_positions();
    run_static_member();
    run_static_leave();
    run_two_members();
}
