/* Markers of the last commit: see transaction_markers.h.
 *
 * Called by kafka/transaction.c on its owner's thread; librdkafka's broker threads call on_acknowledged, which notes a
 * place and may allocate a chunk of places once. What it uses of librdkafka: topic_name, topic_partition_list_new,
 * topic_partition_list_add, topic_partition_list_del_by_idx, topic_partition_list_copy, topic_partition_list_destroy,
 * offsets_for_times, topic_partition_list_find, assignment, committed, error_new, begin_transaction, headers_new,
 * header_add, headers_destroy, consumer_group_metadata_new, consumer_group_metadata_destroy,
 * send_offsets_to_transaction, commit_transaction, error_string, error_is_retriable, error_destroy, err2str. */
#include "kafka/transaction_markers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/committed_offsets.h"
#include "kafka/member.h"
#include "kafka/message.h"
#include "kafka/transaction_record.h"

enum { CALL_MS = 10000, LOOKUP_MS = 2000, LOOK_FIRST_US = 500, LOOK_LAST_US = 32000, BACKOFF_US = 100000 };

/* Markers are written within milliseconds. Those that so many answers in a row do not show were skipped: two seconds at
 * least, longer where brokers are slow. To take late ones for skipped costs a control record and nothing else. */
enum { SKIPPED_LOOKS = 70, UNANSWERED_MOST = 5, PLACES = PLACE_CHUNK * PLACE_CHUNKS };
/* A broker that has just come back does not know its topics for a while. */
enum { REFUSED_US = 30000000 };
/* Other processes commit every five seconds at the most seldom; a killed one's transaction is timed out in ten. */
enum { HIDDEN_US = 30000000 };

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

static void number_transaction(struct markers *markers)
{
    static _Atomic uint32_t last; /* of all producers: no two transactions have the same number */
    atomic_store(&markers->transaction, atomic_fetch_add(&last, 1) + 1);
}

/* Of the record before this one: most are of the same partition, and only a transaction's first counts. */
static _Thread_local struct {
    const rd_kafka_topic_t *topic;
    int32_t partition;
    uint32_t transaction;
} noted;

/* The producer may report only failures (delivery.report.only.error), so librdkafka's interceptor is asked. */
static rd_kafka_resp_err_t on_acknowledged(rd_kafka_t *client, rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct markers *markers = opaque;
    uint32_t transaction = atomic_load_explicit(&markers->transaction, memory_order_relaxed);
    if (message->rkt == noted.topic && message->partition == noted.partition && transaction == noted.transaction)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (message->err || message->offset < 0 || message->partition >= PLACES)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t topic = topic_index(markers, rd_kafka_topic_name(message->rkt));
    if (topic == markers->topic_count)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    struct place *place = &chunk_of(markers, topic, message->partition)[message->partition % PLACE_CHUNK];
    size_t count = atomic_load_explicit(&place->count, memory_order_relaxed);
    noted.topic = message->rkt;
    noted.partition = message->partition;
    noted.transaction = transaction;
    if (count && place->transaction == transaction)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t at = count < PLACE_FIRSTS ? count : PLACE_FIRSTS - 1;
    place->firsts[at] = message->offset;
    place->transaction = transaction;
    place->count = at + 1;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum status markers_add(struct markers *markers, rd_kafka_conf_t *conf, struct error *err)
{
    markers->acknowledgements = (struct acknowledgements){"markers", on_acknowledged, markers};
    return acknowledgements_watch(&markers->acknowledgements, conf, err);
}

void markers_free(struct markers *markers)
{
    markers_commit_dropped(markers);
    for (size_t t = 0; t < markers->topic_count; t++)
        for (size_t c = 0; c < PLACE_CHUNKS; c++)
            free(markers->chunks[t][c]);
}

void markers_clear(struct markers *markers)
{
    markers_commit_dropped(markers);
    markers->carried = false;
    for (size_t t = 0; t < markers->topic_count; t++)
        for (size_t c = 0; c < PLACE_CHUNKS; c++)
            if (markers->chunks[t][c])
                memset(markers->chunks[t][c], 0, PLACE_CHUNK * sizeof(struct place));
}

void markers_commit_asked(struct markers *markers, rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list)
{
    markers->ending.consumer = consumer;
    markers->ending.list = list ? rd_kafka_topic_partition_list_copy(list) : NULL;
    markers->unconfirmed = true;
}

void markers_commit_acknowledged(struct markers *markers)
{
    markers->ending.acknowledged = true;
}

void markers_commit_dropped(struct markers *markers)
{
    if (markers->ending.list)
        rd_kafka_topic_partition_list_destroy(markers->ending.list);
    markers->ending = (struct markers_commit){0};
    markers->unconfirmed = false;
}

void markers_begin(struct markers *markers)
{
    markers->carried |= markers->unconfirmed;
    markers_commit_dropped(markers);
    number_transaction(markers);
}

static struct place *place_at(const struct markers *markers, size_t topic, int32_t partition)
{
    struct place *chunk =
        topic < markers->topic_count && partition < PLACES ? markers->chunks[topic][partition / PLACE_CHUNK] : NULL;
    return chunk && chunk[partition % PLACE_CHUNK].count ? &chunk[partition % PLACE_CHUNK] : NULL;
}

/* One marker decides all that a producer has open in a partition. */
static enum place_state look_at(struct place *place, int64_t stable)
{
    size_t over = 0;
    while (over < place->count && place->firsts[over] < stable)
        over++;
    for (size_t i = over; i < place->count; i++)
        place->firsts[i - over] = place->firsts[i];
    place->count -= over;
    return !place->count ? PLACE_NONE : place->firsts[0] == stable ? PLACE_OURS : PLACE_HIDDEN;
}

enum place_state markers_look(const struct markers *markers, const char *topic, int32_t partition, int64_t stable)
{
    struct place *place = place_at(markers, topic_index(markers, topic), partition);
    return place ? look_at(place, stable) : PLACE_NONE;
}

/* --- whether markers are there --- */

/* Partitions whose records' end has not been seen, each with its place. */
static rd_kafka_topic_partition_list_t *list_open(const struct markers *markers)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (size_t t = 0; t < markers->topic_count; t++)
        for (int32_t p = 0; p < PLACES; p++) {
            struct place *place = place_at(markers, t, p);
            if (place)
                rd_kafka_topic_partition_list_add(list, markers->topics[t], p)->opaque = place;
            else if (!markers->chunks[t][p / PLACE_CHUNK])
                p += PLACE_CHUNK - 1;
        }
    return list;
}

/* Our own record is the first that is open there, as last looked up. */
static bool is_ours(const rd_kafka_topic_partition_t *end)
{
    const struct place *place = end->opaque;
    return end->offset == place->firsts[0];
}

/* Look-ups of a producer are read_committed as well, librdkafka's default, so the end of a partition is its last stable
 * offset. Where the whole look-up fails, librdkafka 2.0 may call it UNKNOWN_PARTITION and say why at each. */
static rd_kafka_resp_err_t look_up_ends(const struct markers_client *client, rd_kafka_topic_partition_list_t *open)
{
    for (int i = 0; i < open->cnt; i++) {
        open->elems[i].offset = RD_KAFKA_OFFSET_END;
        open->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->producer, open, LOOKUP_MS), first = code;
    for (int i = 0; i < open->cnt; i++)
        if (open->elems[i].err && (!code || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) &&
            (first == code || kafka_status(open->elems[i].err) == STATUS_UNAVAILABLE))
            first = open->elems[i].err;
    return first;
}

/* Takes what is over off the list, and counts what our own records hold back. */
static rd_kafka_resp_err_t look_once(const struct markers_client *client, rd_kafka_topic_partition_list_t *open,
                                     int *ours)
{
    rd_kafka_resp_err_t code = look_up_ends(client, open);
    *ours = 0;
    for (int i = open->cnt - 1; i >= 0 && !code; i--) {
        enum place_state state = look_at(open->elems[i].opaque, open->elems[i].offset);
        *ours += state == PLACE_OURS;
        if (state == PLACE_NONE)
            rd_kafka_topic_partition_list_del_by_idx(open, i);
    }
    return code;
}

static bool must_stop(const struct markers_client *client)
{
    return client->setup->stop_at_once && *client->setup->stop;
}

/* A look-up without a result. Unavailable brokers are waited for, what refuses for long is not. False: wait no more. */
static bool is_waited_for(const struct markers_client *client, rd_kafka_resp_err_t code, int64_t *since_us,
                          struct error *err)
{
    const struct transaction_setup *setup = client->setup;
    int64_t now = clock_steady_us(&clock_system);
    error_set(err, kafka_status(code), "%s: cannot look whether the last commit has reached its partitions: %s",
              setup->where, rd_kafka_err2str(code));
    if (!*since_us)
        log_warn(setup->where, "%s; waiting", err->text);
    if (!*since_us || err->status == STATUS_UNAVAILABLE || !kafka_up())
        *since_us = now;
    return now - *since_us < REFUSED_US && !must_stop(client);
}

/* Until none is blocked by our own records, or brokers have shown for a while that some are: their number. */
static enum status await_markers(const struct markers_client *client, rd_kafka_topic_partition_list_t *open, bool once,
                                 int *ours, struct error *err)
{
    int looks = 0;
    int64_t since_us = 0;
    *ours = 0;
    for (useconds_t pause = LOOK_FIRST_US; open->cnt; pause = pause < LOOK_LAST_US ? 2 * pause : pause) {
        rd_kafka_resp_err_t code = look_once(client, open, ours);
        looks = code ? 0 : looks + 1;
        if (code ? once : !*ours || looks == SKIPPED_LOOKS)
            return STATUS_OK;
        if (code && !is_waited_for(client, code, &since_us, err))
            return err->status;
        usleep(pause);
    }
    return STATUS_OK;
}

/* --- once more --- */

enum group_state { GROUP_COMMITTED, GROUP_OPEN, GROUP_OTHER };

static enum group_state compare_offsets(const struct markers_commit *ending,
                                        const rd_kafka_topic_partition_list_t *found)
{
    for (int i = 0; i < found->cnt; i++)
        if (found->elems[i].err)
            return GROUP_OPEN;
    return committed_offsets_equal(ending->list, found) ? GROUP_COMMITTED : GROUP_OTHER;
}

/* What the group says of these offsets. Some versions of librdkafka return no answer for offsets that wait for a
 * marker: where brokers answer otherwise, some time-outs in a row are one. */
static enum group_state look_at_group(const struct markers_client *client, const struct markers_commit *ending)
{
    if (!ending->consumer || !ending->list || !ending->list->cnt)
        return GROUP_OTHER;
    rd_kafka_topic_partition_list_t *found = rd_kafka_topic_partition_list_copy(ending->list);
    rd_kafka_resp_err_t code;
    int unanswered = 0;
    while ((code = rd_kafka_committed(ending->consumer, found, LOOKUP_MS)) && !must_stop(client) &&
           kafka_status(code) == STATUS_UNAVAILABLE && unanswered < UNANSWERED_MOST) {
        unanswered = kafka_up() ? unanswered + 1 : 0;
        usleep(BACKOFF_US);
    }
    enum group_state state = !code                           ? compare_offsets(ending, found)
                             : unanswered == UNANSWERED_MOST ? GROUP_OPEN
                                                             : GROUP_OTHER;
    rd_kafka_topic_partition_list_destroy(found);
    return state;
}

/* Whether what is open in the group can only be ours: nobody else goes on from offsets of partitions that we have. */
static bool are_ours(const struct markers_client *client, const struct markers_commit *ending)
{
    const struct transaction_setup *setup = client->setup;
    const struct member_wait wait = {setup->stop, setup->where};
    rd_kafka_topic_partition_list_t *assigned;
    struct error err;
    bool ours = true;
    if (!setup->member)
        return true;
    if (kafka_member_check(setup->member, setup->group, &wait, &ours, &err) != STATUS_OK || !ours ||
        rd_kafka_assignment(ending->consumer, &assigned))
        return false;
    for (int i = 0; i < ending->list->cnt; i++)
        ours = ours && rd_kafka_topic_partition_list_find(assigned, ending->list->elems[i].topic,
                                                          ending->list->elems[i].partition);
    rd_kafka_topic_partition_list_destroy(assigned);
    return ours;
}

/* What the group says; open: by us. Another's transaction ends, or is timed out: what stays open is ours. */
static enum group_state await_group(const struct markers_client *client, const struct markers_commit *ending)
{
    int64_t end = clock_steady_us(&clock_system) + HIDDEN_US;
    enum group_state group = look_at_group(client, ending);
    while (group == GROUP_OPEN && !are_ours(client, ending) && !must_stop(client) &&
           clock_steady_us(&clock_system) < end) {
        usleep(BACKOFF_US);
        group = look_at_group(client, ending);
    }
    return group;
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

static bool is_tried_again(struct markers *markers, const struct markers_client *client, rd_kafka_error_t *error)
{
    if (!error || !rd_kafka_error_is_retriable(error) || must_stop(client))
        return false;
    markers->repeated = true;
    rd_kafka_error_destroy(error);
    return true;
}

/* Of no member, so that the group's generation is not asked: they were acknowledged, and nobody goes on from there
 * while they are open. */
static rd_kafka_error_t *send_offsets(struct markers *markers, const struct markers_client *client,
                                      const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(client->setup->group);
    rd_kafka_error_t *error;
    do {
        call_watchdog_begin(client->watchdog, "the call that sends offsets");
        error = rd_kafka_send_offsets_to_transaction(client->producer, list, group, CALL_MS);
        call_watchdog_end(client->watchdog);
    } while (is_tried_again(markers, client, error));
    rd_kafka_consumer_group_metadata_destroy(group);
    return error;
}

static rd_kafka_error_t *commit(struct markers *markers, const struct markers_client *client)
{
    rd_kafka_error_t *error;
    do
        error = rd_kafka_commit_transaction(client->producer, transaction_commit_ms(client->setup));
    while (is_tried_again(markers, client, error));
    return error;
}

/* With the offsets, where the group's marker was skipped too. */
static rd_kafka_error_t *commit_controls(struct markers *markers, const struct markers_client *client,
                                         const rd_kafka_topic_partition_list_t *blocked,
                                         const rd_kafka_topic_partition_list_t *offsets)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(client->producer);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        return error;
    number_transaction(markers);
    for (int i = 0; i < blocked->cnt && !code; i++)
        code = send_control(client, markers, &blocked->elems[i]);
    if (code)
        return rd_kafka_error_new(code, "%s", rd_kafka_err2str(code));
    if (offsets)
        error = send_offsets(markers, client, offsets);
    return error ? error : commit(markers, client);
}

static enum markers_result commit_again(struct markers *markers, const struct markers_client *client,
                                        const rd_kafka_topic_partition_list_t *open,
                                        const rd_kafka_topic_partition_list_t *offsets)
{
    const struct transaction_setup *setup = client->setup;
    rd_kafka_topic_partition_list_t *blocked = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; i < open->cnt; i++)
        if (is_ours(&open->elems[i]))
            rd_kafka_topic_partition_list_add(blocked, open->elems[i].topic, open->elems[i].partition)->offset =
                open->elems[i].offset;
    char place[300];
    snprintf(place, sizeof place, "%s [%" PRId32 "] from offset %" PRId64, blocked->elems[0].topic,
             blocked->elems[0].partition, blocked->elems[0].offset);
    log_warn(setup->where,
             "the brokers have skipped the end of a committed transaction of %s in %d output partitions (KAFKA-20734), "
             "first of them %s; committing it again",
             setup->identity, blocked->cnt, place);
    atomic_store(&markers->commits, true);
    rd_kafka_error_t *error = commit_controls(markers, client, blocked, offsets);
    atomic_store(&markers->commits, false);
    rd_kafka_topic_partition_list_destroy(blocked);
    if (!error)
        return MARKERS_SEEN;
    log_error(setup->where, "cannot commit it again: %s; its results in %s may be lost: look with scorer audit",
              rd_kafka_error_string(error), place);
    rd_kafka_error_destroy(error);
    return MARKERS_RENEW;
}

static enum markers_result confirm(struct markers *markers, const struct markers_client *client,
                                   rd_kafka_topic_partition_list_t *open, bool once, struct error *err)
{
    const struct markers_commit *ending = &markers->ending;
    enum markers_result result = MARKERS_SEEN;
    while (result == MARKERS_SEEN) {
        int ours;
        if (await_markers(client, open, once, &ours, err) != STATUS_OK)
            return must_stop(client) ? MARKERS_HIDDEN : MARKERS_FAILED;
        if (!ours)
            return open->cnt ? MARKERS_HIDDEN : MARKERS_SEEN;
        enum group_state group = await_group(client, ending);
        if (!ending->acknowledged && group != GROUP_COMMITTED)
            return MARKERS_SEEN;
        result = must_stop(client) ? MARKERS_HIDDEN
                                   : commit_again(markers, client, open, group == GROUP_OPEN ? ending->list : NULL);
    }
    return result;
}

enum markers_result markers_confirm(struct markers *markers, const struct markers_client *client, bool once,
                                    struct error *err)
{
    if (!markers->unconfirmed)
        return MARKERS_SEEN;
    rd_kafka_topic_partition_list_t *open = list_open(markers);
    enum markers_result result = confirm(markers, client, open, once, err);
    rd_kafka_topic_partition_list_destroy(open);
    if (result == MARKERS_SEEN) {
        markers_commit_dropped(markers);
        markers->carried = false;
    }
    return result;
}

enum markers_result markers_await(struct markers *markers, const struct markers_client *client, struct error *err)
{
    int64_t end = clock_steady_us(&clock_system) + HIDDEN_US;
    enum markers_result result = markers_confirm(markers, client, false, err);
    for (useconds_t pause = LOOK_FIRST_US; result == MARKERS_HIDDEN && !*client->setup->stop;
         pause = pause < LOOK_LAST_US ? 2 * pause : pause) {
        if (clock_steady_us(&clock_system) >= end)
            return result;
        usleep(pause);
        result = markers_confirm(markers, client, false, err);
    }
    return result;
}

enum markers_result markers_confirm_last(struct markers *markers, const struct markers_client *client,
                                         struct error *err)
{
    enum markers_result result = markers_await(markers, client, err);
    if (result == MARKERS_HIDDEN || (result == MARKERS_SEEN && markers->carried))
        markers_report(markers, client->setup);
    return result;
}

void markers_report(const struct markers *markers, const struct transaction_setup *setup)
{
    rd_kafka_topic_partition_list_t *open = list_open(markers);
    for (int i = 0; i < open->cnt; i++) {
        const struct place *place = open->elems[i].opaque;
        log_warn(setup->where,
                 "%s [%" PRId32 "]: it was not seen that a commit of %s has reached its results from offset %" PRId64
                 "; look with scorer audit",
                 open->elems[i].topic, open->elems[i].partition, setup->identity, place->firsts[0]);
    }
    rd_kafka_topic_partition_list_destroy(open);
}
