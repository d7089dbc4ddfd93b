/* Markers of the last commit: see transaction_markers.h.
 *
 * Called by kafka/transaction.c on its owner's thread; librdkafka's broker threads call on_acknowledged, which notes a
 * place and may allocate a chunk of places once. What it uses of librdkafka: conf_interceptor_add_on_new,
 * interceptor_add_on_acknowledgement, topic_name, topic_partition_list_new, topic_partition_list_add,
 * topic_partition_list_del_by_idx, topic_partition_list_copy, topic_partition_list_destroy, offsets_for_times,
 * committed, begin_transaction, headers_new, header_add, headers_destroy,
 * consumer_group_metadata_new, consumer_group_metadata_destroy, send_offsets_to_transaction, commit_transaction,
 * error_string, error_is_retriable, error_destroy, err2str. */
#include "kafka/transaction_markers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/message.h"
#include "kafka/transaction_record.h"

enum { CALL_MS = 10000, LOOKUP_MS = 2000, LOOK_FIRST_US = 500, LOOK_LAST_US = 32000 };

/* Markers are written within milliseconds. Those that so many answers in a row do not show were skipped: two seconds at
 * least, longer where brokers are slow. To take late ones for skipped costs a control record and nothing else. */
enum { SKIPPED_LOOKS = 70 };

/* --- where records are --- */

static struct place *chunk_of(struct markers *markers, size_t topic, int32_t partition)
{
    struct place *_Atomic *chunk = &markers->chunks[topic][partition / PLACE_CHUNK];
    struct place *found = atomic_load(chunk);
    if (found)
        return found;
    struct place *made = mem_zeroed(PLACE_CHUNK, sizeof *made);
    if (atomic_compare_exchange_strong(chunk, &found, made))
        return made;
    free(made);
    return found;
}

static size_t topic_index(const struct markers *markers, const char *topic)
{
    size_t index = 0;
    while (index < markers->topic_count && strcmp(markers->topics[index], topic) != 0)
        index++;
    return index;
}

/* The producer may report only failures (delivery.report.only.error), so librdkafka's interceptor is asked. */
static rd_kafka_resp_err_t on_acknowledged(rd_kafka_t *client, rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct markers *markers = opaque;
    if (message->err || message->offset < 0 || message->partition >= PLACE_CHUNK * PLACE_CHUNKS)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t topic = topic_index(markers, rd_kafka_topic_name(message->rkt));
    if (topic == markers->topic_count)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    struct place *place = &chunk_of(markers, topic, message->partition)[message->partition % PLACE_CHUNK];
    if (!atomic_load_explicit(&place->first, memory_order_relaxed))
        atomic_store_explicit(&place->first, message->offset + 1, memory_order_relaxed);
    atomic_store_explicit(&place->last, message->offset + 1, memory_order_relaxed);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf;
    rd_kafka_resp_err_t code = rd_kafka_interceptor_add_on_acknowledgement(client, "markers", on_acknowledged, opaque);
    if (code)
        snprintf(text, capacity, "cannot see acknowledgements: %s", rd_kafka_err2str(code));
    return code;
}

enum status markers_add(struct markers *markers, rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_conf_interceptor_add_on_new(conf, "markers", on_new, markers);
    return code ? error_set(err, STATUS_UNSUPPORTED, "this librdkafka does not show acknowledgements: %s",
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

void markers_free(struct markers *markers)
{
    for (size_t t = 0; t < markers->topic_count; t++)
        for (size_t c = 0; c < PLACE_CHUNKS; c++)
            free(markers->chunks[t][c]);
}

void markers_clear(struct markers *markers)
{
    for (size_t t = 0; t < markers->topic_count; t++)
        for (size_t c = 0; c < PLACE_CHUNKS; c++)
            if (markers->chunks[t][c])
                memset(markers->chunks[t][c], 0, PLACE_CHUNK * sizeof(struct place));
}

bool markers_range(const struct markers *markers, const char *topic, int32_t partition, int64_t *first, int64_t *last)
{
    size_t index = topic_index(markers, topic);
    if (index == markers->topic_count || partition >= PLACE_CHUNK * PLACE_CHUNKS)
        return false;
    const struct place *chunk = markers->chunks[index][partition / PLACE_CHUNK];
    if (!chunk || !chunk[partition % PLACE_CHUNK].first)
        return false;
    *first = chunk[partition % PLACE_CHUNK].first - 1;
    *last = chunk[partition % PLACE_CHUNK].last - 1;
    return true;
}

/* --- whether markers are there --- */

/* Partitions with records, each with its place. */
static rd_kafka_topic_partition_list_t *list_written(struct markers *markers)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (size_t t = 0; t < markers->topic_count; t++)
        for (int32_t p = 0; p < PLACE_CHUNK * PLACE_CHUNKS; p++) {
            struct place *chunk = markers->chunks[t][p / PLACE_CHUNK];
            if (!chunk)
                p += PLACE_CHUNK - 1;
            else if (chunk[p % PLACE_CHUNK].first)
                rd_kafka_topic_partition_list_add(list, markers->topics[t], p)->opaque = &chunk[p % PLACE_CHUNK];
        }
    return list;
}

/* Reached by a marker; or of a topic that is gone. */
static bool is_over(const rd_kafka_topic_partition_t *end)
{
    const struct place *place = end->opaque;
    return end->err ? kafka_status(end->err) != STATUS_UNAVAILABLE : end->offset >= place->last;
}

/* Our own record is the first that is open there. Where the end lies before it, another's transaction is open, and
 * nobody can tell yet. */
static bool is_ours(const rd_kafka_topic_partition_t *end)
{
    const struct place *place = end->opaque;
    return end->offset >= place->first - 1;
}

static void forget(rd_kafka_topic_partition_list_t *open, int index)
{
    *(struct place *)open->elems[index].opaque = (struct place){0};
    rd_kafka_topic_partition_list_del_by_idx(open, index);
}

/* Look-ups of a producer are read_committed as well, librdkafka's default, so the end of a partition is its last stable
 * offset. Takes what is over off the list, and counts what our own records hold back. */
static rd_kafka_resp_err_t look_once(const struct markers_client *client, rd_kafka_topic_partition_list_t *open,
                                     int *ours)
{
    for (int i = 0; i < open->cnt; i++) {
        open->elems[i].offset = RD_KAFKA_OFFSET_END;
        open->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    *ours = 0;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->producer, open, LOOKUP_MS);
    for (int i = open->cnt - 1; i >= 0 && !code; i--) {
        if (is_over(&open->elems[i]))
            forget(open, i);
        else if (open->elems[i].err)
            code = open->elems[i].err;
        else
            *ours += is_ours(&open->elems[i]);
    }
    return code;
}

/* Until none is held back by our own records, or brokers have shown for a while that some are: their number. None where
 * stopped before brokers answered. */
static int await_markers(const struct markers_client *client, rd_kafka_topic_partition_list_t *open)
{
    const struct transaction_setup *setup = client->setup;
    bool logged = false;
    int ours = 0, looks = 0;
    for (useconds_t pause = LOOK_FIRST_US; open->cnt; pause = pause < LOOK_LAST_US ? 2 * pause : pause) {
        rd_kafka_resp_err_t code = look_once(client, open, &ours);
        if (code && *setup->stop)
            return 0;
        if (code && !logged)
            log_warn(setup->where, "cannot look yet whether the last commit has reached its partitions: %s; waiting",
                     rd_kafka_err2str(code));
        logged = logged || code;
        looks = code ? 0 : looks + 1;
        if (!code && (!ours || looks == SKIPPED_LOOKS))
            break;
        usleep(pause);
    }
    return ours;
}

/* --- once more --- */

enum group_state { GROUP_COMMITTED, GROUP_OPEN, GROUP_OTHER };

/* What the group says of these offsets. Brokers answer, so no answer is one that waits for a marker. */
static enum group_state look_at_group(const struct markers_offsets *offsets)
{
    if (!offsets->consumer || !offsets->list || !offsets->list->cnt)
        return GROUP_OTHER;
    rd_kafka_topic_partition_list_t *found = rd_kafka_topic_partition_list_copy(offsets->list);
    rd_kafka_resp_err_t code = rd_kafka_committed(offsets->consumer, found, LOOKUP_MS);
    enum group_state state = code ? GROUP_OPEN : GROUP_COMMITTED;
    for (int i = 0; i < found->cnt && state == GROUP_COMMITTED; i++)
        if (found->elems[i].err)
            state = GROUP_OPEN;
        else if (found->elems[i].offset != offsets->list->elems[i].offset)
            state = GROUP_OTHER;
    rd_kafka_topic_partition_list_destroy(found);
    return state;
}

static rd_kafka_resp_err_t send_control(const struct markers_client *client, const struct markers *markers,
                                        const rd_kafka_topic_partition_t *place)
{
    size_t topic = topic_index(markers, place->topic);
    const struct transaction_record record = {.partition = place->partition,
                                              .key = span_of(client->setup->identity),
                                              .value = SPAN_NULL,
                                              .headers = rd_kafka_headers_new(1)};
    rd_kafka_resp_err_t code = rd_kafka_header_add(record.headers, KAFKA_CONTROL_HEADER, -1, "commit", -1);
    if (!code)
        code = transaction_record_produce(client->producer, client->topics[topic], &record);
    if (code)
        rd_kafka_headers_destroy(record.headers);
    return code;
}

/* Of no member, so that the group's generation is not asked: they were acknowledged, and nobody goes on from there
 * while they are open. */
static rd_kafka_error_t *send_offsets(const struct markers_client *client, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(client->setup->group);
    call_watchdog_begin(client->watchdog, "the call that sends offsets");
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(client->producer, list, group, CALL_MS);
    call_watchdog_end(client->watchdog);
    rd_kafka_consumer_group_metadata_destroy(group);
    return error;
}

static rd_kafka_error_t *commit(struct markers *markers, const struct markers_client *client)
{
    for (;;) {
        call_watchdog_begin(client->watchdog, "the call that commits");
        rd_kafka_error_t *error = rd_kafka_commit_transaction(client->producer, CALL_MS);
        call_watchdog_end(client->watchdog);
        if (!error || !rd_kafka_error_is_retriable(error))
            return error;
        markers->repeated = true;
        rd_kafka_error_destroy(error);
    }
}

/* Takes the error; NULL and no code: all is well. */
static enum status report_left(const struct markers_client *client, const rd_kafka_topic_partition_t *first,
                               rd_kafka_error_t *error, rd_kafka_resp_err_t code, struct error *err)
{
    if (!error && !code)
        return STATUS_OK;
    const struct place *place = first->opaque;
    error_set(err, STATUS_CONFLICT,
              "%s: the brokers acknowledged a commit and have not written its end to %s [%" PRId32 "], offsets %" PRId64
              " to %" PRId64 ", and to commit it again failed: %s; see kafka-transactions find-hanging",
              client->setup->where, first->topic, first->partition, place->first - 1, place->last - 1,
              error ? rd_kafka_error_string(error) : rd_kafka_err2str(code));
    if (error)
        rd_kafka_error_destroy(error);
    return err->status;
}

static enum status commit_again(struct markers *markers, const struct markers_client *client,
                                const rd_kafka_topic_partition_list_t *open, int count,
                                const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    const struct transaction_setup *setup = client->setup;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(client->producer);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_topic_partition_t *first = NULL;
    for (int i = 0; i < open->cnt && !error && !code; i++) {
        if (!is_ours(&open->elems[i]))
            continue;
        first = first ? first : &open->elems[i];
        code = send_control(client, markers, &open->elems[i]);
    }
    log_warn(setup->where,
             "the brokers have skipped the end of a committed transaction of %s in %d output partitions (KAFKA-20734), "
             "first of them %s [%" PRId32 "]; committing them once more",
             setup->identity, count, first->topic, first->partition);
    if (!error && !code && offsets)
        error = send_offsets(client, offsets);
    if (!error && !code)
        error = commit(markers, client);
    return report_left(client, first, error, code, err);
}

enum status markers_confirm(struct markers *markers, const struct markers_client *client,
                            const struct markers_offsets *offsets, bool acknowledged, bool *left, struct error *err)
{
    enum status status = STATUS_OK;
    rd_kafka_topic_partition_list_t *open = list_written(markers);
    for (int ours; status == STATUS_OK && (ours = await_markers(client, open));) {
        enum group_state group = look_at_group(offsets);
        if (!acknowledged && group != GROUP_COMMITTED)
            break;
        status = commit_again(markers, client, open, ours, group == GROUP_OPEN ? offsets->list : NULL, err);
    }
    *left = open->cnt;
    rd_kafka_topic_partition_list_destroy(open);
    return status;
}
