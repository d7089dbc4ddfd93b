/* The fake client library's consumer: membership with eager rebalances served within polls, positions, ends of
 * partitions, queues that can be forwarded to nobody. What is fetched is read from the log when it is handed out. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/sim/kafka.h"

/* --- membership --- */

static rd_kafka_topic_partition_list_t *owned(const struct member *member)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < topics[t].partitions; p++)
            if (member->owns[t][p])
                rd_kafka_topic_partition_list_add(list, topics[t].name, p);
    return list;
}

static void call_back(rd_kafka_t *client, rd_kafka_resp_err_t code)
{
    rd_kafka_topic_partition_list_t *list = owned(client->member);
    trace("%s: %s %d partitions%s", client->name,
          code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "is given" : "gives back", list->cnt,
          client->lost ? ", lost already" : "");
    client->conf.on_rebalance(client, code, list, client->conf.opaque);
    rd_kafka_topic_partition_list_destroy(list);
}

static void join(rd_kafka_t *client)
{
    client->lost = client->joins_late = client->noticed = false;
    client->member = group_join(group_find(conf_value(&client->conf, "group.id", "")), client,
                                conf_value(&client->conf, "group.instance.id", ""), client->subscribed);
}

/* Whoever joins again under an instance throws out the process that has joined as it meanwhile: with partitions to give
 * up it must have asked, and that one may only have come since. */
static void check_successor(const struct member *member, int64_t since_us)
{
    int64_t asked_us = member->proc->asked_us;
    for (int m = 0; m < member->group->member_count; m++) {
        const struct member *other = member->group->members[m];
        if (other->instance[0] && !strcmp(other->instance, member->instance) && !other->proc->dead &&
            other->proc->incarnation > member->proc->incarnation &&
            (asked_us < since_us || other->joined_us < asked_us))
            violation("throws out its successor", "%s joins again over incarnation %d", member->instance,
                      other->proc->incarnation);
    }
}

/* Its session is over, as the client or the broker notices: it gives up what it had, and then joins again. */
static void lose_session(rd_kafka_t *client)
{
    struct member *member = client->member;
    int64_t since_us = sim_now();
    client->lost = true;
    if (member->has) {
        member->has = false;
        client->stays_out = true;
        call_back(client, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
        if (!client->stays_out)
            check_successor(member, since_us);
    }
    if (!client->stays_out)
        join(client);
}

/* A client that stood still notices by its own clock, before a broker says that it is fenced. */
static void notice_by_clock(const rd_kafka_t *client)
{
    struct member *member = client->member;
    if (member->fenced && member->proc->frozen_until_us > member->joined_us && !client->fatal && chance_one_in(2)) {
        member->fenced = false;
        member->kicked = true;
    }
}

/* Rebalances that are due. */
static void serve(rd_kafka_t *client)
{
    client->yielded = false;
    if (client->joins_late && broker_up())
        join(client);
    struct member *member = client->member;
    if (!member || !broker_up())
        return;
    notice_by_clock(client);
    if (member->fenced) {
        client_fail(client, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "another process has this instance id");
        return;
    }
    if (member->kicked) {
        lose_session(client);
        return;
    }
    if (member->must_revoke) {
        call_back(client, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
        group_revoked(member);
        return;
    }
    if (member->must_assign) {
        member->must_assign = false;
        member->has = true;
        call_back(client, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
    }
}

static bool rebalance_due(const rd_kafka_t *client)
{
    const struct member *member = client->member;
    return client->joins_late ||
           (member && (member->must_assign || member->must_revoke || member->kicked || member->fenced));
}

/* A client joins in the background: at once, or not before it is polled. */
rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        client->subscribed[topic_index(list->elems[i].topic)] = true;
    if (!client->member && !(client->joins_late = chance_one_in(2)))
        join(client);
    else if (!client->member)
        trace("%s: joins late", client->name);
    else if (!client->member->kicked && !client->member->fenced)
        group_rejoin(client->member);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Whether the client has noticed by now that its session is over; as it says at one moment, so it stays in that: what
 * comes between looking and assigning is not simulated. */
static bool has_noticed(rd_kafka_t *client)
{
    if (!client->noticed && client->looked_us != sim_now()) {
        client->looked_us = sim_now();
        client->noticed = client->member && (client->member->kicked || client->member->fenced) && chance_one_in(2);
    }
    return client->noticed;
}

int rd_kafka_assignment_lost(rd_kafka_t *client)
{
    return client->lost || has_noticed(client);
}

rd_kafka_consumer_group_metadata_t *rd_kafka_consumer_group_metadata(rd_kafka_t *client)
{
    rd_kafka_consumer_group_metadata_t *metadata = mem_zeroed(1, sizeof *metadata);
    metadata->member = client->member;
    metadata->generation = client->member ? client->member->generation : -1;
    return metadata;
}

/* Of no member: the broker checks none. */
rd_kafka_consumer_group_metadata_t *rd_kafka_consumer_group_metadata_new(const char *group)
{
    rd_kafka_consumer_group_metadata_t *metadata = mem_zeroed(1, sizeof *metadata);
    (void)group;
    metadata->generation = -1;
    return metadata;
}

void rd_kafka_consumer_group_metadata_destroy(rd_kafka_consumer_group_metadata_t *metadata)
{
    free(metadata);
}

/* --- positions --- */

static bool read_committed(const rd_kafka_t *client)
{
    return client->committed_reads;
}

static int64_t end_of(const rd_kafka_t *client, enum topic_id topic, int32_t partition)
{
    const struct log *log = &topics[topic].logs[partition];
    return read_committed(client) ? log_stable_end(log) : log->end;
}

static int64_t committed_or_none(const rd_kafka_t *client, enum topic_id topic, int32_t partition)
{
    int64_t offset = client->member
                         ? client->member->group->committed[topic][partition]
                         : group_find(conf_value(&client->conf, "group.id", ""))->committed[topic][partition];
    return offset >= 0 ? offset : RD_KAFKA_OFFSET_INVALID;
}

static void place(rd_kafka_t *client, enum topic_id topic, int32_t partition, int64_t offset)
{
    struct part *part = &client->parts[topic][partition];
    if (offset == RD_KAFKA_OFFSET_INVALID)
        offset = committed_or_none(client, topic, partition);
    if (offset == RD_KAFKA_OFFSET_INVALID) {
        const char *reset = conf_value(&client->conf, "auto.offset.reset", "latest");
        offset = !strcmp(reset, "earliest") ? RD_KAFKA_OFFSET_BEGINNING
                 : !strcmp(reset, "latest") ? RD_KAFKA_OFFSET_END
                                            : RD_KAFKA_OFFSET_INVALID;
    }
    part->position = part->placed = offset;
    part->end_reported = -1;
    part->complained = false;
    part->ready_us = sim_now() + chance_between(200, chance_one_in(10) ? 400 * MS : 20 * MS);
    trace("%s: %s [%d] from %lld", client->name, topics[topic].name, partition, (long long)offset);
}

/* An assignment of one's own answers a revocation that is on its way to the callback: the client joins again, unasked.
 */
static void answer_revocation(rd_kafka_t *client)
{
    struct member *member = client->member;
    if (!member || !member->has || !member->kicked || !has_noticed(client))
        return;
    trace("%s: an assignment answers the revocation", client->name);
    check_successor(member, sim_now());
    member->has = false;
    join(client);
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    if (list)
        answer_revocation(client);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            client->parts[t][p].on = false;
    for (int i = 0; list && i < list->cnt; i++) {
        enum topic_id topic = (enum topic_id)topic_index(list->elems[i].topic);
        client->parts[topic][list->elems[i].partition].on = true;
        place(client, topic, list->elems[i].partition, list->elems[i].offset);
    }
    client->stays_out &= !!list;
    if (client->closing && !list)
        client->closed = true;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_assignment(rd_kafka_t *client, rd_kafka_topic_partition_list_t **out)
{
    *out = rd_kafka_topic_partition_list_new(1);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            if (client->parts[t][p].on)
                rd_kafka_topic_partition_list_add(*out, topics[t].name, p);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_error_t *rd_kafka_seek_partitions(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    (void)timeout_ms;
    sim_point("seek");
    for (int i = 0; i < list->cnt; i++) {
        enum topic_id topic = (enum topic_id)topic_index(list->elems[i].topic);
        struct part *part = &client->parts[topic][list->elems[i].partition];
        bool starting = part->ready_us > sim_now() && chance_one_in(2);
        list->elems[i].err = part->on && !starting ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__STATE;
        if (!list->elems[i].err)
            place(client, topic, list->elems[i].partition, list->elems[i].offset);
    }
    return NULL;
}

rd_kafka_resp_err_t rd_kafka_committed(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    int64_t deadline = sim_now() + (int64_t)timeout_ms * MS;
    sim_point("committed");
    if (!ask_broker(client, API_COMMITTED, deadline))
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    const struct group *group = group_find(conf_value(&client->conf, "group.id", ""));
    for (int i = 0; i < list->cnt; i++)
        while (group_unstable(group, (enum topic_id)topic_index(list->elems[i].topic), list->elems[i].partition)) {
            if (sim_now() >= deadline)
                return RD_KAFKA_RESP_ERR__TIMED_OUT;
            if (plan.says_unstable && sim_now() >= deadline - timeout_ms / 2 * MS) {
                list->elems[i].err = RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
                return RD_KAFKA_RESP_ERR_NO_ERROR;
            }
            sim_sleep(10 * MS);
        }
    for (int i = 0; i < list->cnt; i++) {
        enum topic_id topic = (enum topic_id)topic_index(list->elems[i].topic);
        const char *note = group->notes[topic][list->elems[i].partition];
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
        list->elems[i].offset = committed_or_none(client, topic, list->elems[i].partition);
        note_set(&list->elems[i], note[0] ? mem_text(note) : NULL);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_commit(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list, int async)
{
    bool any = false;
    sim_point("commit offsets");
    if (!async && !ask_broker(client, API_COMMIT, sim_now() + 10 * SECOND))
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (!broker_up())
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = group_check(client->member, client->member ? client->member->generation : -1);
    if (client->fatal)
        code = RD_KAFKA_RESP_ERR__FATAL;
    if (code)
        return code;
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].offset < 0)
            continue;
        any = true;
        group_commit(client->member->group, (enum topic_id)topic_index(list->elems[i].topic), list->elems[i].partition,
                     list->elems[i].offset, list->elems[i].metadata);
    }
    trace("%s: offsets committed", client->name);
    return any ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__NO_OFFSET;
}

rd_kafka_resp_err_t rd_kafka_query_watermark_offsets(rd_kafka_t *client, const char *topic, int32_t partition,
                                                     int64_t *low, int64_t *high, int timeout_ms)
{
    int t = topic_index(topic);
    sim_point("ends");
    if (!ask_broker(client, API_LIST_OFFSETS, sim_now() + (int64_t)timeout_ms * MS))
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (partition >= topics[t].partitions)
        return RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    *low = topics[t].logs[partition].start;
    *high = end_of(client, (enum topic_id)t, partition);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Of the last fetch, whose answer has the high watermark also for readers of committed records. */
rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(rd_kafka_t *client, const char *topic, int32_t partition,
                                                   int64_t *low, int64_t *high)
{
    int t = topic_index(topic);
    (void)client;
    *low = topics[t].logs[partition].start;
    *high = topics[t].logs[partition].end;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- messages --- */

static rd_kafka_message_t *error_message(rd_kafka_t *client, rd_kafka_resp_err_t code, int topic, int32_t partition,
                                         int64_t offset, const char *text)
{
    struct message *message = mem_zeroed(1, sizeof *message);
    message->shown.err = code;
    message->shown.rkt = topic < 0 ? NULL : handle_of(client, (enum topic_id)topic);
    message->shown.partition = partition;
    message->shown.offset = offset;
    snprintf(message->text, sizeof message->text, "%s", text);
    return &message->shown;
}

static bool skipped(const rd_kafka_t *client, const struct record *record)
{
    return record->control || (read_committed(client) && record->txn && record->txn->state == TXN_ABORTED);
}

/* The partition's next message, or NULL. */
static rd_kafka_message_t *from_part(rd_kafka_t *client, int topic, int32_t partition)
{
    struct part *part = &client->parts[topic][partition];
    struct log *log = &topics[topic].logs[partition];
    int64_t end = end_of(client, (enum topic_id)topic, partition);
    if (!part->on || part->apart || part->paused || part->complained || sim_now() < part->ready_us)
        return NULL;
    if (part->position == RD_KAFKA_OFFSET_BEGINNING)
        part->position = log->start;
    if (part->position == RD_KAFKA_OFFSET_END)
        part->position = end;
    if (part->position < log->start || part->position > log->end) {
        part->complained = true;
        return error_message(client, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, topic, partition, part->position,
                             "offset out of range");
    }
    while (part->position < end && skipped(client, log->records[part->position]))
        part->position++;
    if (part->position < end) {
        const struct record *record = log->records[part->position++];
        return &message_make(client, record)->shown;
    }
    if (part->end_reported == part->position)
        return NULL;
    part->end_reported = part->position;
    return error_message(client, RD_KAFKA_RESP_ERR__PARTITION_EOF, topic, partition, part->position, "end");
}

static rd_kafka_message_t *next_message(rd_kafka_t *client)
{
    enum { ALL = TOPICS * PARTITIONS_MOST };
    if (!broker_up())
        return NULL;
    if (chance_one_in(8))
        client->turn = (int)chance_between(0, ALL - 1);
    for (int i = 0; i < ALL; i++) {
        int at = (client->turn + i) % ALL;
        rd_kafka_message_t *message = from_part(client, at / PARTITIONS_MOST, at % PARTITIONS_MOST);
        if (message) {
            client->turn = at;
            return message;
        }
    }
    return NULL;
}

static int64_t soonest(const rd_kafka_t *client, int64_t deadline_us)
{
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++) {
            const struct part *part = &client->parts[t][p];
            if (part->on && !part->apart && !part->paused && part->ready_us > sim_now() && part->ready_us < deadline_us)
                deadline_us = part->ready_us;
        }
    return deadline_us;
}

static size_t gather(rd_kafka_t *client, rd_kafka_message_t **out, size_t capacity)
{
    size_t count = 0;
    if (client->fatal && capacity && !client->closing) {
        client->closing = true; /* reported once */
        out[count++] = error_message(client, RD_KAFKA_RESP_ERR__FATAL, -1, -1, -1, client->fatal_text);
    }
    while (count < capacity) {
        rd_kafka_message_t *message = next_message(client);
        if (!message)
            break;
        out[count++] = message;
        if (chance_one_in(40))
            break; /* the rest has not been fetched yet */
    }
    return count;
}

static void note_reading(rd_kafka_t *client)
{
    for (int p = 0; p < PARTITIONS_MOST; p++)
        if (client->parts[INPUT][p].on)
            audit_assigned(p);
}

ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms, rd_kafka_message_t **out, size_t capacity)
{
    rd_kafka_t *client = queue->client;
    int64_t deadline = sim_now() + (int64_t)timeout_ms * MS;
    sim_point("consume");
    note_reading(client);
    for (;;) {
        size_t count = 0;
        if (rebalance_due(client) && chance_one_in(2))
            count = gather(client, out, (size_t)chance_between(0, (int64_t)capacity));
        serve(client);
        if (count < capacity && !client->yielded)
            count += gather(client, out + count, capacity - count);
        if (count || client->yielded || sim_now() >= deadline) {
            sim_sleep(chance_between(5, 100)); /* a call takes time */
            return (ssize_t)count;
        }
        sim_wait(soonest(client, deadline));
    }
}

/* Messages are fetched as they are taken here, so that the queue's length is chance's. */
size_t rd_kafka_queue_length(rd_kafka_queue_t *queue)
{
    (void)queue;
    return chance_one_in(4) ? 0 : (size_t)chance_between(0, 20000);
}

/* Of ends. Asked without waiting, nothing but a leader's thread notices. */
rd_kafka_resp_err_t rd_kafka_offsets_for_times(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list,
                                               int timeout_ms)
{
    assert(list->cnt);
    if (!timeout_ms)
        return chance_one_in(10) ? RD_KAFKA_RESP_ERR__TRANSPORT : RD_KAFKA_RESP_ERR__TIMED_OUT;
    sim_point("ends");
    if (!ask_broker(client, API_LIST_OFFSETS, sim_now() + (int64_t)timeout_ms * MS))
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int i = 0; i < list->cnt; i++) {
        assert(list->elems[i].offset == RD_KAFKA_OFFSET_END);
        list->elems[i].offset =
            end_of(client, (enum topic_id)topic_index(list->elems[i].topic), list->elems[i].partition);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *client, int timeout_ms)
{
    rd_kafka_message_t *message = NULL;
    int64_t deadline = sim_now() + (int64_t)timeout_ms * MS;
    if (timeout_ms || rebalance_due(client))
        sim_point("consumer poll");
    for (;;) {
        serve(client);
        if (!client->yielded && gather(client, &message, 1))
            return message;
        if (client->yielded || sim_now() >= deadline) {
            sim_sleep(chance_between(20, 300)); /* a call takes time */
            return NULL;
        }
        sim_wait(soonest(client, deadline));
    }
}

/* --- queues --- */

rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *client)
{
    (void)client;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *client)
{
    return &client->queue_of_consumer;
}

rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *client)
{
    rd_kafka_queue_t *queue = mem_zeroed(1, sizeof *queue);
    *queue = (rd_kafka_queue_t){client, -2, NULL};
    return queue;
}

rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *client, const char *topic, int32_t partition)
{
    if (!client->parts[topic_index(topic)][partition].on)
        return NULL;
    rd_kafka_queue_t *queue = mem_zeroed(1, sizeof *queue);
    *queue = (rd_kafka_queue_t){client, partition, NULL};
    return queue;
}

void rd_kafka_queue_forward(rd_kafka_queue_t *queue, rd_kafka_queue_t *to)
{
    queue->client->parts[INPUT][queue->partition].apart = !to;
}

/* librdkafka 2.0 keeps no place for what batch calls have read: it goes on where it was last set to read from. */
rd_kafka_resp_err_t rd_kafka_pause_partitions(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct part *part = &client->parts[topic_index(list->elems[i].topic)][list->elems[i].partition];
        part->position = part->placed;
        part->paused = true;
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_resume_partitions(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        client->parts[topic_index(list->elems[i].topic)][list->elems[i].partition].paused = false;
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
    if (queue->partition == -1)
        return;
    free(queue->answer);
    free(queue);
}

/* --- leaving --- */

rd_kafka_resp_err_t rd_kafka_consumer_close(rd_kafka_t *client)
{
    sim_point("close");
    client->closing = true;
    if (client->member && client->member->has && !client->member->fenced) {
        client->lost = client->member->kicked;
        client->member->has = false;
        call_back(client, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
    }
    group_leave(client->member, false);
    client->closed = true;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_error_t *rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    (void)queue;
    client->closing = true;
    if (!client->member || !client->member->has)
        client->closed = true;
    return NULL;
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    rd_kafka_t *client = queue->client;
    rd_kafka_event_t *answer = queue->answer;
    queue->answer = NULL;
    sim_point("queue poll");
    if (answer)
        return answer;
    if (!client->closing) {
        sim_sleep((int64_t)timeout_ms * MS);
        return NULL;
    }
    if (!client->closing || client->closed || !client->member || !client->member->has) {
        client->closed |= client->closing;
        return NULL;
    }
    client->lost = client->member->kicked;
    client->member->has = false;
    rd_kafka_event_t *event = mem_zeroed(1, sizeof *event);
    *event = (rd_kafka_event_t){
        .type = RD_KAFKA_EVENT_REBALANCE, .code = RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, .list = owned(client->member)};
    return event;
}

int rd_kafka_consumer_closed(rd_kafka_t *client)
{
    if (client->closed)
        group_leave(client->member, false);
    return client->closed;
}

rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *event)
{
    return event->type;
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    return event->code;
}

rd_kafka_topic_partition_list_t *rd_kafka_event_topic_partition_list(rd_kafka_event_t *event)
{
    return event->list;
}

void rd_kafka_event_destroy(rd_kafka_event_t *event)
{
    if (event && event->list)
        rd_kafka_topic_partition_list_destroy(event->list);
    free(event);
}

void rd_kafka_yield(rd_kafka_t *client)
{
    client->yielded = true;
}
