/* The fake client library's producer: a queue that drains by itself, transactions as librdkafka 2.0 speaks them, and
 * lost connections, after which a request is sent again under the same epoch while the lost one may still arrive. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "events/dead_letter.h"
#include "tests/sim/kafka.h"

/* --- the queue --- */

/* The open transaction cannot be committed any more. */
static void break_transaction(rd_kafka_t *client, rd_kafka_resp_err_t code, const char *what)
{
    if (client->state != PRODUCER_OPEN)
        return;
    client->state = PRODUCER_ABORTABLE;
    client->why_code = code;
    snprintf(client->why, sizeof client->why, "%s: %s", what, rd_kafka_err2name(code));
}

static void report(rd_kafka_t *client, const struct outgoing *of, rd_kafka_resp_err_t code)
{
    if (!code && !strcmp(conf_value(&client->conf, "delivery.report.only.error", "false"), "true"))
        return;
    if (client->report_count == client->report_capacity) {
        client->report_capacity = client->report_capacity * 2 + 16;
        client->reports = mem_resize(client->reports, client->report_capacity, sizeof *client->reports);
    }
    client->reports[client->report_count++] = (struct report){*of, code};
    if (client->coordinator && code && code != RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        break_transaction(client, code, "a record failed");
}

static bool is_for(const struct outgoing *of, enum topic_id topic, int32_t partition)
{
    return of->partition == partition && topic_index(of->topic->name) == (int)topic;
}

static void serve_reports(rd_kafka_t *client)
{
    for (size_t i = 0; i < client->report_count; i++) {
        const struct report *one = &client->reports[i];
        rd_kafka_message_t message = {.err = one->code,
                                      .rkt = one->of.topic,
                                      .partition = one->of.partition,
                                      .payload = one->of.record->value,
                                      .len = one->of.record->value_bytes,
                                      .key = one->of.record->key,
                                      .key_len = one->of.record->key_bytes,
                                      ._private = one->of.opaque};
        client->conf.on_delivery(client, &message, client->conf.opaque);
    }
    client->report_count = 0;
}

/* False: try again later. */
static bool add_partition(rd_kafka_t *client, enum topic_id topic, int32_t partition)
{
    if (!client->coordinator || client->added[topic][partition])
        return true;
    request_sent(client, API_ADD_PARTITIONS);
    rd_kafka_resp_err_t code = broker_add_partition(client->coordinator, client->epoch, topic, partition);
    request_answered(client, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_NO_ERROR);
    if (code == RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS)
        return false;
    if (code) {
        client->state = PRODUCER_FATAL;
        client_fail(client, RD_KAFKA_RESP_ERR__FENCED, "fenced while adding a partition");
        return false;
    }
    client->added[topic][partition] = true;
    client->requests++;
    return true;
}

static void acknowledge(rd_kafka_t *client, const struct outgoing *of, rd_kafka_resp_err_t code)
{
    rd_kafka_message_t message = {.err = code,
                                  .rkt = of->topic,
                                  .partition = of->record->partition,
                                  .offset = code ? RD_KAFKA_OFFSET_INVALID : of->record->offset,
                                  ._private = of->opaque};
    for (int i = 0; i < client->on_acked_count; i++)
        client->on_acked[i].call(client, &message, client->on_acked[i].opaque);
}

/* A batch: the records for one partition among the first `count` of the queue. One that is refused is refused whole,
 * and leaves a gap in the partition's numbering, of which the producer's next transaction breaks. */
static void deliver_batch(rd_kafka_t *client, enum topic_id topic, int32_t partition, size_t count)
{
    bool has_control = audit_is_control(client->queue[0].record); /* sent again until it is taken */
    rd_kafka_resp_err_t code = !calm && !has_control && chance_one_in(plan.refuse_one_in)
                                   ? RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
                                   : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < count && !code; i++)
        if (is_for(&client->queue[i], topic, partition))
            code = broker_refuses(topic, client->queue[i].record);
    if (client->gaps[topic][partition] == GAP_BEFORE)
        code = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    else if (code)
        client->gaps[topic][partition] = GAP_NOW;
    for (size_t i = 0; i < count; i++) {
        const struct outgoing *of = &client->queue[i];
        if (!is_for(of, topic, partition))
            continue;
        rd_kafka_resp_err_t one =
            code ? code : broker_produce(client->coordinator, client->epoch, topic, partition, of->record);
        trace("%s: record of event %lld to %s [%d]: %s", client->name, (long long)of->record->input, of->topic->name,
              partition, rd_kafka_err2name(one));
        if (one == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
            break_transaction(client, one, "a batch failed");
        acknowledge(client, of, one);
        report(client, of,
               one == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER ? RD_KAFKA_RESP_ERR__PURGE_QUEUE : one);
    }
}

/* One Produce request with the first `count` records; fewer where partitions cannot be added. Returns how many are
 * dealt with. */
static size_t deliver(rd_kafka_t *client, size_t count)
{
    bool present[TOPICS][PARTITIONS_MOST] = {0};
    for (size_t i = 0; i < count; i++) {
        enum topic_id topic = (enum topic_id)topic_index(client->queue[i].topic->name);
        if (!add_partition(client, topic, client->queue[i].partition)) {
            count = i;
            break;
        }
        present[topic][client->queue[i].partition] = true;
    }
    if (client->state == PRODUCER_FATAL) { /* nothing is sent any more */
        rd_kafka_purge(client, 0);
        return 0;
    }
    request_sent(client, API_PRODUCE);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            if (present[t][p])
                deliver_batch(client, (enum topic_id)t, p, count);
    request_answered(client, API_PRODUCE, RD_KAFKA_RESP_ERR_NO_ERROR);
    return count;
}

static void drain(void *context, int64_t number);

static void drain_later(rd_kafka_t *client, int64_t us)
{
    client->draining = true;
    sim_at(sim_now() + us, drain, client, 0);
}

static void drain(void *context, int64_t number)
{
    rd_kafka_t *client = context;
    size_t done = 0;
    (void)number;
    client->draining = false;
    if (client->destroyed || client->proc->dead || !client->queue_count)
        return;
    if (client->coordinator && client->state != PRODUCER_OPEN) { /* what had not left when the transaction broke */
        rd_kafka_purge(client, 0);
        sim_news();
        return;
    }
    if (client->proc->frozen_until_us > sim_now() || !broker_up()) {
        drain_later(client, 20 * MS);
        return;
    }
    size_t most = (size_t)chance_between(1, (int64_t)client->queue_count * 2);
    done = deliver(client, most < client->queue_count ? most : client->queue_count);
    client->queue_count -= done;
    memmove(client->queue, client->queue + done, client->queue_count * sizeof *client->queue);
    if (client->queue_count)
        drain_later(client, chance_between(200, 3 * MS));
    sim_news();
}

static uint64_t key_hash(const void *key, size_t bytes)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        value = (value ^ ((const unsigned char *)key)[i]) * UINT64_C(0x100000001b3);
    return value >> 17;
}

/* Which event a record is an end of: by the headers of a dead letter, else by the number that is in every event's id.
 */
static int64_t number_in(const void *bytes, size_t count)
{
    const char *at = bytes ? memmem(bytes, count, "sim-", 4) : NULL;
    return at && (size_t)(at - (const char *)bytes) + 10 <= count ? strtoll(mem_text_n(at + 4, 6), NULL, 10) : -1;
}

static int64_t header_number(const rd_kafka_headers_t *headers, enum dead_letter_header header)
{
    const void *value;
    size_t bytes;
    if (rd_kafka_header_get_last(headers, dead_letter_header_name(header), &value, &bytes))
        return -1;
    return strtoll(mem_text_n(value, bytes), NULL, 10);
}

static int64_t input_of(enum topic_id topic, const struct record *record)
{
    if (topic == STATE)
        return OF_STATE;
    if (topic == DEAD) {
        int64_t partition = header_number(record->headers, DEAD_LETTER_PARTITION),
                offset = header_number(record->headers, DEAD_LETTER_OFFSET);
        if (partition < 0 || partition >= topics[INPUT].partitions || offset < 0 ||
            offset >= topics[INPUT].logs[partition].end)
            violation("dead letter", "names offset %lld of partition %lld", (long long)offset, (long long)partition);
        return topics[INPUT].logs[partition].records[offset]->input;
    }
    int64_t number = number_in(record->value, record->value_bytes);
    if (number < 0)
        number = number_in(record->key, record->key_bytes);
    if (number < 0 || number >= input_count)
        violation("unknown output", "a record of %s belongs to no event", topics[topic].name);
    return number;
}

/* Of no event: what aborts what was left open. */
static bool is_filler(const rd_kafka_t *client, const struct record *record)
{
    const struct coordinator *coordinator = client->coordinator;
    return coordinator && !record->value && record->key_bytes == strlen(coordinator->id) &&
           !memcmp(record->key, coordinator->id, record->key_bytes);
}

static void *copy_of(const void *bytes, size_t count)
{
    if (!bytes)
        return NULL;
    char *copy = mem_zeroed(1, count + 1);
    memcpy(copy, bytes, count);
    return copy;
}

static rd_kafka_resp_err_t enqueue(rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition,
                                   const struct record *plain, void *opaque)
{
    enum topic_id id = (enum topic_id)topic_index(topic->name);
    sim_point("produce");
    if (client->fatal)
        return RD_KAFKA_RESP_ERR__FATAL;
    if (client->coordinator && client->state != PRODUCER_OPEN)
        return RD_KAFKA_RESP_ERR__STATE;
    if (client->queue_count > 50 && chance_one_in(8))
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (partition == RD_KAFKA_PARTITION_UA)
        partition = (int32_t)(key_hash(plain->key, plain->key_bytes) % (uint64_t)topics[id].partitions);
    if (partition >= topics[id].partitions)
        return RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    struct record *record = mem_zeroed(1, sizeof *record);
    *record = *plain;
    record->key = copy_of(plain->key, plain->key_bytes);
    record->value = copy_of(plain->value, plain->value_bytes);
    record->input = is_filler(client, record) ? -1 : input_of(id, record);
    if (!record->timestamp_ms)
        record->timestamp_ms = INT64_C(1795737600000) + sim_now() / 1000;
    if (client->queue_count == client->queue_capacity) {
        client->queue_capacity = client->queue_capacity * 2 + 64;
        client->queue = mem_resize(client->queue, client->queue_capacity, sizeof *client->queue);
    }
    client->queue[client->queue_count++] = (struct outgoing){record, opaque, topic, partition};
    if (!client->draining)
        drain_later(client, chance_between(500, 6 * MS));
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int rd_kafka_produce(rd_kafka_topic_t *topic, int32_t partition, int flags, void *value, size_t value_bytes,
                     const void *key, size_t key_bytes, void *opaque)
{
    (void)flags;
    const struct record record = {
        .key = (void *)key, .key_bytes = key_bytes, .value = value, .value_bytes = value_bytes};
    rd_kafka_resp_err_t code = enqueue(topic->client, topic, partition, &record, opaque);
    error_last_set(code);
    return code ? -1 : 0;
}

rd_kafka_resp_err_t rd_kafka_producev(rd_kafka_t *client, ...)
{
    struct record record = {0};
    rd_kafka_topic_t *topic = NULL;
    int32_t partition = RD_KAFKA_PARTITION_UA;
    void *opaque = NULL;
    va_list list;
    va_start(list, client);
    for (int what; (what = va_arg(list, int)) != RD_KAFKA_VTYPE_END;) {
        switch (what) {
        case RD_KAFKA_VTYPE_TOPIC:
            topic = handle_of(client, (enum topic_id)topic_index(va_arg(list, const char *)));
            break;
        case RD_KAFKA_VTYPE_RKT:
            topic = va_arg(list, rd_kafka_topic_t *);
            break;
        case RD_KAFKA_VTYPE_PARTITION:
            partition = va_arg(list, int32_t);
            break;
        case RD_KAFKA_VTYPE_VALUE:
            record.value = va_arg(list, void *);
            record.value_bytes = va_arg(list, size_t);
            break;
        case RD_KAFKA_VTYPE_KEY:
            record.key = va_arg(list, void *);
            record.key_bytes = va_arg(list, size_t);
            break;
        case RD_KAFKA_VTYPE_OPAQUE:
            opaque = va_arg(list, void *);
            break;
        case RD_KAFKA_VTYPE_MSGFLAGS:
            (void)va_arg(list, int);
            break;
        case RD_KAFKA_VTYPE_TIMESTAMP:
            record.timestamp_ms = va_arg(list, int64_t);
            break;
        case RD_KAFKA_VTYPE_HEADERS:
            record.headers = va_arg(list, rd_kafka_headers_t *);
            break;
        default:
            unmodelled("this argument of producev");
        }
    }
    va_end(list);
    return enqueue(client, topic, partition, &record, opaque);
}

int rd_kafka_poll(rd_kafka_t *client, int timeout_ms)
{
    sim_point("poll");
    int64_t deadline = sim_now() + (int64_t)timeout_ms * MS;
    while (!client->report_count && sim_now() < deadline)
        sim_wait(deadline);
    int served = (int)client->report_count;
    serve_reports(client);
    return served;
}

int rd_kafka_outq_len(rd_kafka_t *client)
{
    return (int)(client->queue_count + client->report_count);
}

rd_kafka_resp_err_t rd_kafka_flush(rd_kafka_t *client, int timeout_ms)
{
    sim_point("flush");
    int64_t deadline = sim_now() + (int64_t)timeout_ms * MS;
    while (client->queue_count && sim_now() < deadline)
        sim_wait(deadline < sim_now() + 20 * MS ? deadline : sim_now() + 20 * MS);
    serve_reports(client);
    return client->queue_count ? RD_KAFKA_RESP_ERR__TIMED_OUT : RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *client, int flags)
{
    (void)flags;
    for (size_t i = 0; i < client->queue_count; i++)
        report(client, &client->queue[i], RD_KAFKA_RESP_ERR__PURGE_QUEUE);
    client->queue_count = 0;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- transactional requests --- */

struct request {
    rd_kafka_t *client;
    int16_t api;
    int epoch;
    bool commit;
    struct member *member;
    int generation, offset_count;
    struct txn_offset offsets[PARTITIONS_MOST];
    int64_t timeout_us;
};

static rd_kafka_resp_err_t perform(const struct request *request)
{
    struct coordinator *coordinator = request->client->coordinator;
    switch (request->api) {
    case API_INIT:
        return broker_init(coordinator, &request->client->epoch, request->timeout_us);
    case API_OFFSETS:
        return broker_send_offsets(coordinator, request->epoch, request->member, request->generation, request->offsets,
                                   request->offset_count);
    default:
        return broker_end(coordinator, request->epoch, request->commit);
    }
}

static const char *request_name(const struct request *request)
{
    return request->api == API_INIT      ? "InitProducerId"
           : request->api == API_OFFSETS ? "TxnOffsetCommit"
           : request->commit             ? "EndTxn(commit)"
                                         : "EndTxn(abort)";
}

static void arrive_late(void *context, int64_t number)
{
    struct request *request = context;
    (void)number;
    rd_kafka_resp_err_t code = perform(request);
    trace("broker: %s of %s arrives late: %s", request_name(request), request->client->name, rd_kafka_err2name(code));
    free(request);
}

/* The connection breaks: what was sent is lost, or done without an answer, or arrives later still. */
static void cut(struct request *request)
{
    const char *loss = "lost";
    if (request->api != API_INIT && chance_one_in(plan.late_one_in)) {
        struct request *late = mem_zeroed(1, sizeof *late);
        *late = *request;
        sim_at(sim_now() + chance_between(20 * MS, chance_one_in(4) ? 2 * SECOND : 250 * MS), arrive_late, late, 0);
        loss = "delayed";
    } else if (chance_one_in(2)) {
        perform(request);
        loss = "done, but not answered";
    }
    trace("%s: the connection breaks with %s %s", request->client->name, request_name(request), loss);
    request_answered(request->client, request->api, RD_KAFKA_RESP_ERR__TRANSPORT);
    sim_sleep(chance_between(5 * MS, 120 * MS));
}

static rd_kafka_resp_err_t exchange(struct request *request, int64_t deadline_us)
{
    for (;;) {
        sim_point(request_name(request));
        if (!calm && chance_one_in(plan.stall_one_in))
            trouble_broker();
        if (!wait_for_broker(deadline_us))
            return RD_KAFKA_RESP_ERR__TIMED_OUT;
        request_sent(request->client, request->api);
        if (!calm && chance_one_in(plan.cut_one_in)) {
            cut(request);
            continue;
        }
        rd_kafka_resp_err_t code = perform(request);
        trace("%s: %s: %s", request->client->name, request_name(request), rd_kafka_err2name(code));
        sim_sleep(chance_between(50, calm ? 1 * MS : plan.answer_us));
        sim_point(request_name(request));
        request_answered(request->client, request->api, RD_KAFKA_RESP_ERR_NO_ERROR);
        if (code != RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS)
            return code;
        if (sim_now() >= deadline_us)
            return RD_KAFKA_RESP_ERR__TIMED_OUT;
        sim_sleep(chance_between(2 * MS, 20 * MS));
    }
}

static rd_kafka_error_t *fatal_error(rd_kafka_t *client, const char *text)
{
    client->state = PRODUCER_FATAL;
    client_fail(client, RD_KAFKA_RESP_ERR__FENCED, text);
    return error_make(client->fatal, client->fatal_text, true, false, false);
}

rd_kafka_error_t *rd_kafka_error_new(rd_kafka_resp_err_t code, const char *format, ...)
{
    rd_kafka_error_t *error = mem_zeroed(1, sizeof *error);
    va_list arguments;
    error->code = code;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return error;
}

static rd_kafka_error_t *time_out_error(const char *text)
{
    return error_make(RD_KAFKA_RESP_ERR__TIMED_OUT, text, false, true, false);
}

static int64_t deadline_of(int timeout_ms)
{
    return sim_now() + (timeout_ms < 0 ? 60 * (int64_t)SECOND : (int64_t)timeout_ms * MS);
}

rd_kafka_error_t *rd_kafka_init_transactions(rd_kafka_t *client, int timeout_ms)
{
    struct request request = {.client = client, .api = API_INIT};
    request.timeout_us = strtoll(conf_value(&client->conf, "transaction.timeout.ms", "60000"), NULL, 10) * MS;
    if (plan.transaction_us)
        request.timeout_us = plan.transaction_us;
    if (exchange(&request, deadline_of(timeout_ms)))
        return time_out_error("InitProducerId timed out");
    client->state = PRODUCER_READY;
    return NULL;
}

/* What broke a transaction is over with the next but one: its epoch is a new one. */
static void move_gaps(rd_kafka_t *client)
{
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            client->gaps[t][p] = client->gaps[t][p] == GAP_NOW ? GAP_BEFORE : GAP_NONE;
}

rd_kafka_error_t *rd_kafka_begin_transaction(rd_kafka_t *client)
{
    sim_point("begin");
    if (client->state == PRODUCER_FATAL)
        return fatal_error(client, "fenced");
    if (client->state != PRODUCER_READY)
        return error_make(RD_KAFKA_RESP_ERR__STATE, "a transaction is open", false, false, false);
    client->state = PRODUCER_OPEN;
    client->requests = 0;
    client->why[0] = 0;
    memset(client->added, 0, sizeof client->added);
    move_gaps(client);
    return NULL;
}

static rd_kafka_error_t *abortable(rd_kafka_t *client, rd_kafka_resp_err_t code, const char *text)
{
    client->state = PRODUCER_ABORTABLE;
    client->why_code = code;
    snprintf(client->why, sizeof client->why, "%s", text);
    return error_make(code, text, false, false, true);
}

/* NULL: the transaction is open and sound. */
static rd_kafka_error_t *not_open(rd_kafka_t *client)
{
    if (client->state == PRODUCER_FATAL)
        return fatal_error(client, "fenced");
    if (client->state == PRODUCER_ABORTABLE)
        return error_make(client->why_code, client->why, false, false, true);
    if (client->state != PRODUCER_OPEN)
        return error_make(RD_KAFKA_RESP_ERR__STATE, "no transaction is open", false, false, false);
    return NULL;
}

static rd_kafka_error_t *call_error(rd_kafka_t *client, rd_kafka_resp_err_t code, const char *what)
{
    char text[120];
    snprintf(text, sizeof text, "%s: %s", what, rd_kafka_err2name(code));
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return NULL;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return time_out_error(text);
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return abortable(client, code, text);
    default:
        return fatal_error(client, text);
    }
}

static struct txn_offset offset_of(const rd_kafka_topic_partition_t *element)
{
    struct txn_offset offset = {.partition = element->partition, .offset = element->offset};
    snprintf(offset.note, sizeof offset.note, "%.*s", (int)element->metadata_size,
             element->metadata ? (const char *)element->metadata : "");
    return offset;
}

rd_kafka_error_t *rd_kafka_send_offsets_to_transaction(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list,
                                                       const rd_kafka_consumer_group_metadata_t *group, int timeout_ms)
{
    struct request request = {.client = client,
                              .api = API_OFFSETS,
                              .epoch = client->epoch,
                              .member = group->member,
                              .generation = group->generation};
    rd_kafka_error_t *error = not_open(client);
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset >= 0)
            request.offsets[request.offset_count++] = offset_of(&list->elems[i]);
    if (error || !request.offset_count)
        return error;
    rd_kafka_resp_err_t code = exchange(&request, deadline_of(timeout_ms));
    client->requests++;
    return call_error(client, code, "TxnOffsetCommit");
}

rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *client, int timeout_ms)
{
    int64_t deadline = deadline_of(timeout_ms);
    struct request request = {.client = client, .api = API_END, .epoch = client->epoch, .commit = true};
    rd_kafka_error_t *error = not_open(client);
    if (error)
        return error;
    if (rd_kafka_flush(client, timeout_ms < 0 ? 60000 : timeout_ms))
        return time_out_error("records are not acknowledged yet");
    error = not_open(client);
    if (error)
        return error;
    if (client->requests) {
        error = call_error(client, exchange(&request, deadline), "EndTxn");
        if (error)
            return error;
    }
    client->state = PRODUCER_READY;
    return NULL;
}

rd_kafka_error_t *rd_kafka_abort_transaction(rd_kafka_t *client, int timeout_ms)
{
    struct request request = {.client = client, .api = API_END, .epoch = client->epoch};
    sim_point("abort");
    if (client->state == PRODUCER_FATAL)
        return fatal_error(client, "fenced");
    if (client->state != PRODUCER_OPEN && client->state != PRODUCER_ABORTABLE)
        return error_make(RD_KAFKA_RESP_ERR__STATE, "no transaction is open", false, false, false);
    client->state = PRODUCER_ABORTABLE;
    rd_kafka_purge(client, 0);
    serve_reports(client);
    if (client->requests) {
        rd_kafka_error_t *error = call_error(client, exchange(&request, deadline_of(timeout_ms)), "EndTxn");
        if (error)
            return error;
    }
    client->state = PRODUCER_READY;
    audit_abort(client->coordinator);
    return NULL;
}
