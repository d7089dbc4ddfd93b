/* Restoring: see state_restore.h. Called by a score loop while its partitions wait to be read. May block for a fraction
 * of a second. It has a consumer of its own, of no group, which stays for the next time. Must never take what it cannot
 * read for nothing. */
#include "scorer/state/state_restore.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/employee_state.h"
#include "events/identity.h"
#include "kafka/client.h"
#include "kafka/message.h"
#include "scorer/state/held_partitions.h"
#include "scorer/state/state_position.h"
#include "scorer/state/state_row.h"
#include "scorer/state/state_topic.h"

enum { BATCH = 1000, POLL_MS = 50, STEP_US = 300000, MIB = 1024 * 1024 };

/* A partition that is being read. */
struct part {
    int32_t partition;
    int64_t committed, position; /* position -1: no record of it yet */
    int32_t partitions;          /* of the topic at the position; 0: it does not say */
    int64_t next;                /* the offset to read next */
    int64_t due;                 /* records that there were at the position */
    int64_t newest;              /* the largest source offset of a record */
    bool expected;               /* the group has committed some: there must be a position */
    uint64_t records;
    struct state_origin origin; /* of the newest position */
    bool loaded;                /* from this snapshot, and read from its origin on */
    struct snapshot_point snapshot;
    uint64_t loaded_records;
    int64_t held_at, held_us; /* nobody can read on from here: a transaction is open; since then. -1: none is */
    const char *misfit;       /* why the snapshot is not the topic's: all is to be read again; NULL: nothing */
    bool done;
    struct state_table *table;
};

struct state_restore {
    const struct settings *settings;
    struct state *state;
    struct snapshots *snapshots; /* NULL: there are none */
    struct counters *counters;
    struct employee_state_reader *reader;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    struct part *parts;
    size_t part_count, left;     /* left: not done */
    struct held_partitions held; /* left out the last time */
    int64_t patience_us;         /* how long a held partition keeps others waiting; 0: for ever */
    int partitions;              /* of the topic */
    int32_t *spread;             /* where any is taken: how many there were at a position */
    bool runs;
    bool beyond; /* some partitions wait, and it was logged */
    bool full;   /* no more fits into memory, and it was logged */
    int64_t started_us;
    uint64_t records, loaded; /* read from the topic; taken from snapshots */
    struct buffer row;
    rd_kafka_message_t *batch[BATCH];
};

struct state_restore *state_restore_new(const struct settings *settings, struct state *state,
                                        struct snapshots *snapshots, struct counters *counters)
{
    struct state_restore *restore = mem_zeroed(1, sizeof *restore);
    restore->settings = settings;
    restore->state = state;
    restore->snapshots = snapshots;
    restore->counters = counters;
    restore->reader = employee_state_reader_new(settings->schema);
    return restore;
}

void state_restore_free(struct state_restore *restore)
{
    if (!restore)
        return;
    employee_state_reader_free(restore->reader);
    if (restore->queue)
        rd_kafka_queue_destroy(restore->queue);
    kafka_client_free(restore->consumer);
    buffer_free(&restore->row);
    free(restore->parts);
    held_partitions_free(&restore->held);
    free(restore);
}

/* --- the consumer --- */

static enum status make_consumer(struct state_restore *restore, struct error *err)
{
    const struct kafka_property fixed[] = {{"group.id", restore->settings->group_id},
                                           {"isolation.level", "read_committed"},
                                           {"enable.partition.eof", "true"},
                                           {NULL, NULL}};
    char text[256];
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf(restore->settings->options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    if (status != STATUS_OK)
        return status;
    if (rd_kafka_conf_set(conf, "auto.offset.reset", "error", text, sizeof text) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, STATUS_INVALID, "%s", text);
    }
    status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &restore->consumer, err);
    if (status != STATUS_OK)
        return status;
    rd_kafka_poll_set_consumer(restore->consumer);
    restore->queue = rd_kafka_queue_get_consumer(restore->consumer);
    return STATUS_OK;
}

/* Partitions that are not done are read from where they are. */
static enum status assign(struct state_restore *restore, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)restore->part_count);
    for (size_t i = 0; i < restore->part_count; i++)
        if (!restore->parts[i].done)
            rd_kafka_topic_partition_list_add(list, restore->settings->state_topic, restore->parts[i].partition)
                ->offset = restore->parts[i].next ? restore->parts[i].next : RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t code = rd_kafka_assign(restore->consumer, list->cnt ? list : NULL);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "score: cannot read %s: %s", restore->settings->state_topic,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

/* --- records --- */

static struct part *part_of(struct state_restore *restore, int32_t partition)
{
    for (size_t i = 0; i < restore->part_count; i++)
        if (restore->parts[i].partition == partition)
            return &restore->parts[i];
    return NULL;
}

static enum status refuse(const struct state_restore *restore, const rd_kafka_message_t *message, const char *why,
                          struct error *err)
{
    const char *topic = restore->settings->state_topic;
    return error_set(err, STATUS_INVALID,
                     "score: %s [%" PRId32 "] at offset %" PRId64
                     ": %s; a topic of current records is one scorer group's "
                     "alone: choose another STATE_TOPIC, or delete this one and have it made again (scorer check "
                     "--create-topics)",
                     topic, message->partition, message->offset, why);
}

static enum status take_position(struct state_restore *restore, struct part *part, const rd_kafka_message_t *message,
                                 struct error *err)
{
    struct state_position position = {
        .group = restore->settings->group_id, .topic = restore->settings->input_topic, .partition = part->partition};
    struct error why;
    if (state_position_read(kafka_payload(message->payload, message->len), &position, &why) != STATUS_OK)
        return refuse(restore, message, why.text, err);
    if (position.offset < part->position && !restore->settings->exactly_once)
        return STATUS_OK; /* as in put_record */
    part->partitions = position.partitions;
    part->position = position.offset;
    part->due = position.records;
    part->origin = (struct state_origin){message->offset, position.begun_us};
    return STATUS_OK;
}

static uint16_t model_of(struct state_restore *restore, const struct employee_state *state)
{
    const struct state_model model = {state->model_name, state->model_version, state->threshold};
    return state->scored ? state_model_number(restore->state, &model) : 0;
}

/* At least once, a process that stood still while another took over goes on with what it had: behind newer records. */
static void put_record(struct state_restore *restore, struct part *part, const struct employee_state *state)
{
    const struct schema *schema = restore->settings->schema;
    struct state_record newer;
    if (!restore->settings->exactly_once && state->source_offset >= 0 && /* less: it was moved here */
        state_table_find(part->table, state->employee_id, &newer) && newer.source_offset > state->source_offset)
        return;
    struct state_record record = {
        .employee_id = state->employee_id,
        .occurred_at_ms = state->occurred_at_ms,
        .source_offset = state->source_offset,
        .left = !state->cells,
        .scored = state->scored,
        .alerted = state->alerted,
        .label = (uint8_t)state->label,
        .alerted_label = (uint8_t)state->alerted_label,
        .model = model_of(restore, state),
        .probability = state->probability,
        .margin = state->margin,
        .alerted_probability = state->alerted_probability,
        .row = SPAN_LITERAL(""),
    };
    if (state->cells) {
        buffer_clear(&restore->row);
        char *row = buffer_reserve(&restore->row, state_row_bound(schema, state->cells));
        record.row = (struct span){row, state_row_pack(schema, state->cells, row)};
    }
    state_table_put(part->table, &record);
}

static enum status take_record(struct state_restore *restore, struct part *part, const rd_kafka_message_t *message,
                               struct error *err)
{
    const struct span key = kafka_payload(message->key, message->key_len),
                      value = kafka_payload(message->payload, message->len);
    struct employee_state state;
    struct fault fault;
    if (key.data && span_equal(key, STATE_POSITION_KEY))
        return take_position(restore, part, message, err);
    if (!value.data) { /* erased */
        if (key.data)
            (void)state_table_remove(part->table, key);
        return STATUS_OK;
    }
    if (employee_state_read(restore->reader, value, &state, &fault) != EVENT_OK)
        return refuse(restore, message, fault.text, err);
    if (!key.data || !span_equal(key, state.employee_id) || state.source_partition != part->partition ||
        id_flaw(state.employee_id))
        return refuse(restore, message, "the record's key or source is another's", err);
    put_record(restore, part, &state);
    part->records++;
    if (state.source_offset > part->newest)
        part->newest = state.source_offset;
    return STATUS_OK;
}

/* --- snapshots --- */

/* What a reading of the whole topic would have found otherwise; NULL: nothing. */
static const char *find_misfit(const struct part *part)
{
    if (part->position < 0)
        return "the topic has no position record from there on: it was recreated, or records were deleted";
    if (part->origin.begun_us != part->snapshot.origin.begun_us)
        return "the topic's records were begun at another time: it was recreated, or filled again";
    if (part->newest < part->position && (int64_t)state_table_count(part->table) != part->due)
        return "with what the topic has after it, it has not as many records as there were";
    return NULL;
}

static void load_snapshot(struct state_restore *restore, struct part *part)
{
    if (!restore->snapshots)
        return;
    part->loaded = snapshots_load(restore->snapshots, part->partition, part->table, &part->snapshot);
    if (!part->loaded) {
        part->table = state_open(restore->state, part->partition);
        return;
    }
    part->next = part->snapshot.origin.offset;
    part->loaded_records = state_table_count(part->table);
}

/* As if there had been none. */
static void read_again(struct state_restore *restore, struct part *part)
{
    snapshots_discard(restore->snapshots, part->partition, part->misfit);
    *part = (struct part){.partition = part->partition,
                          .committed = part->committed,
                          .expected = part->expected,
                          .position = -1,
                          .newest = -1,
                          .held_at = -1,
                          .table = state_open(restore->state, part->partition)};
}

static enum status read_misfits_again(struct state_restore *restore, struct error *err)
{
    bool any = false;
    for (size_t i = 0; i < restore->part_count; i++)
        if (restore->parts[i].misfit) {
            read_again(restore, &restore->parts[i]);
            any = true;
        }
    return any ? assign(restore, err) : STATUS_OK;
}

/* --- ends --- */

/* At the last offset that can be read now: whether that is past everything that may be committed. */
static enum status reach_end(struct state_restore *restore, struct part *part, int64_t end, struct error *err)
{
    int64_t low, high;
    const char *topic = restore->settings->state_topic;
    if (part->done || rd_kafka_get_watermark_offsets(restore->consumer, topic, part->partition, &low, &high) ||
        high < 0)
        return STATUS_OK;
    part->next = end;
    if (end < high && part->held_at != end)
        part->held_us = clock_steady_us(&clock_system);
    part->held_at = end < high ? end : -1;
    if (end < high)
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s [%" PRId32 "] can be read up to offset %" PRId64 " of %" PRId64 ": a transaction is open "
                         "there",
                         topic, part->partition, end, high);
    if (part->loaded && (part->misfit = find_misfit(part)))
        return STATUS_OK;
    part->done = true;
    restore->left--;
    return STATUS_OK;
}

static enum status take_event(struct state_restore *restore, const rd_kafka_message_t *message, struct error *err)
{
    struct part *part = part_of(restore, message->partition);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && part)
        return part->misfit ? STATUS_OK : reach_end(restore, part, message->offset, err);
    if (part && part->loaded &&
        (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
         message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)) {
        part->misfit = "the topic has no record at its offset: it was recreated, or records were deleted";
        return STATUS_OK;
    }
    enum status status = kafka_status(message->err);
    if (status == STATUS_UNAVAILABLE)
        return STATUS_OK; /* librdkafka goes on by itself */
    return error_set(err, status, "score: cannot read %s: %s", restore->settings->state_topic,
                     rd_kafka_message_errstr(message));
}

static enum status take_message(struct state_restore *restore, const rd_kafka_message_t *message, struct error *err)
{
    if (message->err)
        return take_event(restore, message, err);
    struct part *part = part_of(restore, message->partition);
    if (!part || part->done || part->misfit)
        return STATUS_OK; /* of an assignment before, or after what is to be read */
    part->next = message->offset + 1;
    part->held_at = -1;
    if (kafka_message_is_control(message))
        return STATUS_OK;
    restore->records++;
    counter_add(restore->counters, COUNTER_STATE_RESTORED, 1);
    FAILPOINT("score.restore");
    return take_record(restore, part, message, err);
}

/* --- the whole --- */

/* Whether what this process has of the partition is what a reading would give. */
static bool is_kept(const struct state_restore *restore, const struct state_start *start)
{
    return state_has(restore->state, start->partition) &&
           state_position(restore->state, start->partition) == start->committed;
}

static void close_others(struct state_restore *restore, const struct state_start *starts, size_t count)
{
    for (int32_t p = state_last(restore->state); p >= 0; p--) {
        bool listed = false;
        for (size_t i = 0; i < count && !listed; i++)
            listed = starts[i].partition == p;
        if (!listed)
            state_close(restore->state, p);
    }
}

static bool all_kept(const struct state_restore *restore, const struct state_start *starts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_kept(restore, &starts[i]))
            return false;
    return true;
}

static enum status find_partitions(struct state_restore *restore, struct error *err)
{
    if (!restore->consumer && make_consumer(restore, err) != STATUS_OK)
        return err->status;
    return kafka_topic_partitions(restore->consumer, restore->settings->state_topic, &restore->partitions, err);
}

static void log_beyond(struct state_restore *restore, size_t count)
{
    if (count && !restore->beyond)
        log_error(
            "score",
            "%zu partitions of %s wait: %s has %d partitions, so employees whose events come there now have their "
            "records elsewhere. To move them: stop the scorers of group %s, scorer state repartition, start them "
            "again",
            count, restore->settings->input_topic, restore->settings->state_topic, restore->partitions,
            restore->settings->group_id);
    restore->beyond = count > 0;
}

/* Which cluster it is on, and how long it keeps null values: what snapshots are worth depends on both. */
static enum status find_topic(struct state_restore *restore, struct error *err)
{
    char *cluster;
    int64_t tombstones_ms;
    struct error why;
    if (!restore->snapshots)
        return STATUS_OK;
    if (kafka_cluster_id(restore->consumer, &cluster, err) != STATUS_OK)
        return err->status;
    if (state_topic_tombstones(restore->consumer, restore->settings->state_topic, &tombstones_ms, &why) != STATUS_OK) {
        log_warn("score", "snapshots of current records are neither used nor written: %s", why.text);
        tombstones_ms = -1;
    }
    snapshots_set_topic(restore->snapshots, cluster, restore->partitions, tombstones_ms);
    free(cluster);
    return STATUS_OK;
}

static enum status begin(struct state_restore *restore, const struct state_start *starts, size_t count,
                         struct error *err)
{
    size_t beyond = 0;
    if (restore->snapshots)
        snapshots_stop(restore->snapshots, false);
    close_others(restore, starts, count);
    if (!all_kept(restore, starts, count) &&
        (find_partitions(restore, err) != STATUS_OK || find_topic(restore, err) != STATUS_OK))
        return err->status;
    restore->parts = mem_resize(restore->parts, count, sizeof *restore->parts);
    restore->part_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_kept(restore, &starts[i]) && starts[i].partition >= restore->partitions)
            beyond++;
        else if (!is_kept(restore, &starts[i]))
            restore->parts[restore->part_count++] =
                (struct part){.partition = starts[i].partition,
                              .committed = starts[i].committed,
                              .expected = starts[i].with_records,
                              .position = -1,
                              .newest = -1,
                              .held_at = -1,
                              .table = state_open(restore->state, starts[i].partition)};
    log_beyond(restore, beyond);
    restore->left = restore->part_count;
    restore->records = restore->loaded = 0;
    restore->started_us = clock_steady_us(&clock_system);
    for (size_t i = 0; i < restore->part_count; i++)
        load_snapshot(restore, &restore->parts[i]);
    if (restore->left && assign(restore, err) != STATUS_OK)
        return err->status;
    restore->runs = true;
    return STATUS_OK;
}

/* At least once, records are written before offsets are committed. */
static enum status check_position(const struct state_restore *restore, const struct part *part, struct error *err)
{
    const struct settings *settings = restore->settings;
    bool ahead = part->position > part->committed;
    if (part->position == part->committed || (part->position > part->committed && !settings->exactly_once))
        return STATUS_OK;
    if (part->position < 0 && !part->records && !part->expected)
        return STATUS_OK; /* it begins here */
    if (part->position < 0 && !part->records)
        return error_set(err, STATUS_CONFLICT,
                         "score: %s [%" PRId32 "] is empty, and group %s has committed current records there: the "
                         "topic was deleted since, or STATE_TOPIC is another one. To fill it with what PostgreSQL has "
                         "of each employee: scorer state seed. To begin without records: scorer state seed --empty",
                         settings->state_topic, part->partition, settings->group_id);
    if (part->position < 0)
        return error_set(err, STATUS_CONFLICT,
                         "score: %s [%" PRId32
                         "] has records and no position of group %s: it is no state that this group "
                         "has written; choose another STATE_TOPIC",
                         settings->state_topic, part->partition, settings->group_id);
    return error_set(err, STATUS_CONFLICT,
                     "score: the current records in %s [%" PRId32 "] are those at offset %" PRId64
                     " of %s, and group %s has committed "
                     "%" PRId64
                     " (its offsets were reset, have expired, or events were handled with STATE_TOPIC=none). To %s: "
                     "kafka-consumer-groups --reset-offsets --to-offset %" PRId64 " --group %s --topic %s:%" PRId32
                     " --execute. To begin "
                     "again: delete %s and have it made (scorer check --create-topics), then scorer state seed",
                     settings->state_topic, part->partition, part->position, settings->input_topic, settings->group_id,
                     part->committed, ahead ? "go on where the records are" : "handle the events since then again",
                     part->position, settings->group_id, settings->input_topic, part->partition, settings->state_topic);
}

/* Where records are newer than the position, it is of an unfinished transaction at least once, and its number says
 * nothing. */
static enum status check_count(const struct state_restore *restore, const struct part *part, struct error *err)
{
    int64_t found = (int64_t)state_table_count(part->table);
    if (part->position < 0 || part->newest >= part->position || found == part->due)
        return STATUS_OK;
    return error_set(
        err, STATUS_CONFLICT,
        "score: %s [%" PRId32 "] has %" PRId64 " current records, and there were %" PRId64
        ": some were deleted (by retention, or the topic was recreated). Delete the topic, have it made again "
        "(scorer check --create-topics), then scorer state seed",
        restore->settings->state_topic, part->partition, found, part->due);
}

/* The group has handled events, and never with current records: an upgrade, or STATE_TOPIC=none until now. */
static void log_begin(const struct state_restore *restore)
{
    size_t begin = 0;
    for (size_t i = 0; i < restore->part_count; i++)
        begin += restore->parts[i].position < 0 && restore->parts[i].committed > 0;
    if (begin)
        log_warn("score",
                 "%s: %zu partitions have no current records yet, and group %s has handled events of them before: a "
                 "partial event becomes a dead letter until its employee's next whole record. To fill them from "
                 "PostgreSQL: stop the scorers of the group, scorer state seed, start them again",
                 restore->settings->state_topic, begin, restore->settings->group_id);
}

/* As the newest position says. */
static enum status check_spread(const struct state_restore *restore, const struct part *part, struct error *err)
{
    if (!part->partitions || part->partitions == restore->partitions)
        return STATUS_OK;
    if (restore->spread) {
        *restore->spread = part->partitions;
        return STATUS_OK;
    }
    return error_set(
        err, STATUS_CONFLICT,
        "score: the current records in %s are spread over %" PRId32
        " partitions, and it has %d now (it was altered by hand, or moving them was interrupted): stop the "
        "scorers of the group, then scorer state repartition",
        restore->settings->state_topic, part->partitions, restore->partitions);
}

/* Records that nobody has begun yet begin now. */
static struct state_origin origin_of(const struct part *part)
{
    if (part->position < 0 || part->origin.begun_us <= 0) /* the next position says when they began */
        return (struct state_origin){-1, clock_real_us(&clock_system)};
    return part->origin;
}

static void log_restored(const struct state_restore *restore)
{
    char from[64] = "";
    if (restore->snapshots)
        snprintf(from, sizeof from, " %" PRIu64 " taken from snapshots,", restore->loaded);
    log_info("score", "%s: %zu current records of employees in %.1f MiB;%s %" PRIu64 " records read in %.1f s",
             restore->settings->state_topic, state_count(restore->state), (double)state_bytes(restore->state) / MIB,
             from, restore->records, (double)(clock_steady_us(&clock_system) - restore->started_us) / 1e6);
}

static enum status finish(struct state_restore *restore, struct error *err)
{
    for (size_t i = 0; i < restore->part_count; i++) {
        const struct part *part = &restore->parts[i];
        if (check_spread(restore, part, err) != STATUS_OK || check_position(restore, part, err) != STATUS_OK ||
            check_count(restore, part, err) != STATUS_OK)
            return err->status;
        state_set_position(restore->state, part->partition,
                           part->position > part->committed ? part->position : part->committed);
        state_set_origin(restore->state, part->partition, origin_of(part));
        restore->loaded += part->loaded_records;
    }
    counter_add(restore->counters, COUNTER_SNAPSHOT_RECORDS, restore->loaded);
    log_begin(restore);
    log_restored(restore);
    return STATUS_OK;
}

/* Where no more fits, the partitions wait for a person: other settings, or another scorer that takes some of them. */
static bool is_full(struct state_restore *restore)
{
    int64_t most = restore->settings->state_bytes;
    size_t bytes = state_bytes(restore->state);
    bool full = most && (int64_t)bytes > most;
    if (full && !restore->full)
        log_error("score",
                  "%s: %zu current records of employees take %zu MiB so far, and --memory-limit leaves %" PRId64
                  " MiB for them: the partitions wait; raise it, or start more scorers",
                  restore->settings->state_topic, state_count(restore->state), bytes / MIB, most / MIB);
    return restore->full = full;
}

static enum status read_some(struct state_restore *restore, struct error *err)
{
    enum status status = STATUS_OK;
    int64_t until_us = clock_steady_us(&clock_system) + STEP_US;
    while (status == STATUS_OK && restore->left && !is_full(restore) && clock_steady_us(&clock_system) < until_us) {
        ssize_t got = rd_kafka_consume_batch_queue(restore->queue, POLL_MS, restore->batch, BATCH);
        for (ssize_t i = 0; i < got; i++) {
            struct error failure;
            enum status one = take_message(restore, restore->batch[i], &failure);
            rd_kafka_message_destroy(restore->batch[i]);
            if (one != STATUS_OK && (status == STATUS_OK || status == STATUS_UNAVAILABLE)) {
                status = one;
                *err = failure;
            }
        }
        if (status == STATUS_OK)
            status = read_misfits_again(restore, err);
    }
    return status;
}

/* --- partitions that somebody's open transaction holds --- */

/* Nothing else is left to be read, others have their records, and each has been held for long, or is still as it was
 * left out the last time. */
static bool may_leave_out(const struct state_restore *restore, size_t starts)
{
    int64_t since = clock_steady_us(&clock_system) - restore->patience_us;
    bool may = restore->patience_us && restore->left && restore->left < starts;
    for (size_t i = 0; i < restore->part_count && may; i++) {
        const struct part *part = &restore->parts[i];
        may = part->done ||
              (part->held_at >= 0 &&
               (part->held_us < since || held_partitions_at(&restore->held, part->partition) == part->held_at));
    }
    return may;
}

static void leave_out(struct state_restore *restore)
{
    size_t kept = 0;
    for (size_t i = 0; i < restore->part_count; i++) {
        const struct part part = restore->parts[i];
        if (part.done) {
            restore->parts[kept++] = part;
            continue;
        }
        state_close(restore->state, part.partition);
        held_partitions_add(&restore->held, (struct held_partition){part.partition, part.held_at},
                            restore->settings->state_topic, restore->settings->input_topic);
    }
    restore->part_count = kept;
    restore->left = 0;
}

/* Those that have no records now are held; of the others it is forgotten. */
static void note_held(struct state_restore *restore, struct state_start *starts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        starts[i].held = !state_has(restore->state, starts[i].partition) &&
                         held_partitions_at(&restore->held, starts[i].partition) >= 0;
        if (!starts[i].held)
            held_partitions_remove(&restore->held, starts[i].partition);
    }
}

void state_restore_leave_held(struct state_restore *restore, int64_t patience_us)
{
    restore->patience_us = patience_us;
}

bool state_restore_may_go_on(const struct state_restore *restore, int32_t partition)
{
    return held_partitions_is_free(&restore->held, restore->consumer, restore->settings->state_topic, partition);
}

/* --- the step --- */

enum status state_restore_step(struct state_restore *restore, struct state_start *starts, size_t count, bool *done,
                               struct error *err)
{
    enum status status = restore->runs ? STATUS_OK : begin(restore, starts, count, err);
    *done = false;
    if (status == STATUS_OK && restore->left)
        status = read_some(restore, err);
    if ((status == STATUS_OK || status == STATUS_UNAVAILABLE) && may_leave_out(restore, count)) {
        leave_out(restore);
        status = STATUS_OK;
    }
    counter_set(restore->counters, COUNTER_STATE_RESTORING, restore->left);
    if (status != STATUS_OK || restore->left)
        return status;
    status = finish(restore, err);
    state_restore_stop(restore);
    note_held(restore, starts, count);
    *done = status == STATUS_OK;
    return status;
}

void state_restore_any_spread(struct state_restore *restore, int32_t *partitions)
{
    restore->spread = partitions;
}

bool state_restore_is_short(const struct state_restore *restore)
{
    return restore->beyond;
}

void state_restore_stop(struct state_restore *restore)
{
    restore->runs = false;
    restore->left = 0;
    restore->part_count = 0;
    counter_set(restore->counters, COUNTER_STATE_RESTORING, 0);
    if (restore->consumer)
        (void)rd_kafka_assign(restore->consumer, NULL);
}
