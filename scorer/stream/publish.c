/* Predictions, dead letters, erasures and outcomes. See publish.h.
 *
 * Thread: one score loop's. May block wherever kafka/transaction.h says, which sends and commits; all of that waits for
 * brokers as long as it takes, unless the process is stopping and the supervisor's deadline ends it. Which record a
 * broker rejects is found by scorer/stream/rejected_bisection.h; here is what it becomes: an oversize record a dead
 * letter, a dead letter a smaller one, one whose timestamp the topic refuses the same with the present time. Must never
 * retry the same transaction for a reason that does not pass: a topic that is missing or too narrow ends the worker,
 * with a message.
 *
 * A commit is one call in the background (base/background_call.h), since librdkafka blocks in each of its steps: while
 * it is under way nothing here touches the transaction, the suspects or what is counted with them, and records of the
 * next transaction are staged (scorer/stream/staged_records.h). They are sent when it is committed, and dropped when it
 * is not. A transaction that is done again to find a rejected record is never staged. */
#include "scorer/stream/publish.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/background_call.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/transaction.h"
#include "scorer/stream/alert_topic.h"
#include "scorer/stream/publish_headers.h"
#include "scorer/stream/rejected_bisection.h"
#include "scorer/stream/staged_records.h"
#include "scorer/stream/state_output.h"

enum { TOPIC_OUTPUT, TOPIC_DEAD, TOPIC_OUTCOME, TOPIC_STATE, TOPIC_ALERT, TOPICS_MOST };

/* The commit of the last transaction: its result is there before it is taken by publish_commit_finish. */
enum commit_state { COMMIT_NONE, COMMIT_UNDER_WAY, COMMIT_ENDED };

struct publish {
    const struct settings *settings;
    char name[32], identity[640];
    const char *topics[TOPICS_MOST];
    size_t topic_count; /* without TOPIC_STATE where no current records are kept, without TOPIC_ALERT where no alerts
                           are */
    struct transaction *transaction;
    int input_partitions;               /* as the dead letters' topic was last compared with */
    uint64_t published;                 /* records since the transaction was opened */
    struct rejected_bisection rejected; /* of the open transaction, and of that to be done again */
    struct error failure;               /* for good; status STATUS_OK: none */
    enum commit_state commit;
    struct background_call *background;         /* makes it */
    rd_kafka_t *consumer;                       /* of its offsets */
    rd_kafka_topic_partition_list_t *offsets;   /* … as they were when it began; NULL: none */
    enum transaction_result transaction_result; /* written in the background, like the reason */
    struct error reason;
    enum publish_result result;   /* once it has ended */
    struct staged_records staged; /* of the next transaction */
    struct state_output state;
};

/* --- suspects --- */

/* The source of a record travels with it as its opaque pointer: 16 bits partition, 48 bits offset. */
static void *opaque_of(const struct input_message *source)
{
    return (void *)(uintptr_t)((uint64_t)(uint16_t)source->partition << 48 |
                               ((uint64_t)source->offset & 0xffffffffffff));
}

static int32_t partition_of(const void *opaque)
{
    return (int32_t)((uint64_t)(uintptr_t)opaque >> 48);
}

/* None is one while a commit is under way, which then belongs to a transaction without suspects. */
static const struct rejected_suspect *suspect_of(const struct publish *publish, const struct input_message *source)
{
    return publish->commit != COMMIT_UNDER_WAY ? rejected_bisection_find(&publish->rejected, opaque_of(source)) : NULL;
}

static bool is_oversize(const struct publish *publish, const struct input_message *source)
{
    const struct rejected_suspect *suspect = suspect_of(publish, source);
    return suspect && suspect->oversize;
}

/* Only failures come here. Within each call that waits for a broker. */
static void on_report(void *context, const rd_kafka_message_t *message)
{
    struct publish *publish = context;
    if (error_class_is_of_record(message->err))
        rejected_bisection_add(&publish->rejected, message->_private);
}

/* --- start and end --- */

/* An employee's events and record are in partitions of one number, which depends on how many there are. Too few are
 * what an input that has grown leaves behind: its new partitions wait (state_restore.h). */
static enum status explain_state_count(const struct publish *publish, int count, int input_partitions,
                                       struct error *err)
{
    return error_set(
        err, STATUS_INVALID,
        "topic %s has %d partitions and %s has %d, but current records are kept by the input's partitions: "
        "delete it, have it made again with as many (scorer check --create-topics), then scorer state seed",
        publish->settings->state_topic, count, publish->settings->input_topic, input_partitions);
}

static enum status check_topics(struct publish *publish, int input_partitions, struct error *err)
{
    for (size_t i = 0; i < publish->topic_count; i++) {
        const char *name = publish->topics[i];
        int count = 0;
        enum status status = kafka_topic_partitions(transaction_client(publish->transaction), name, &count, err);
        if (status != STATUS_OK)
            return status;
        if (i == TOPIC_DEAD && count < input_partitions)
            return error_set(err, STATUS_INVALID,
                             "topic %s has %d partitions and %s has %d, but a dead letter keeps its partition's "
                             "number: kafka-topics --alter --topic %s --partitions %d",
                             name, count, publish->settings->input_topic, input_partitions, name, input_partitions);
        if (i == TOPIC_STATE && count > input_partitions)
            return explain_state_count(publish, count, input_partitions, err);
        if (i == TOPIC_STATE)
            publish->state.partitions = count;
    }
    if (publish->input_partitions < input_partitions)
        publish->input_partitions = input_partitions;
    return STATUS_OK;
}

/* The same against what the input has now. A broker that does not answer has found nothing wrong. */
static void check_topics_again(struct publish *publish, int32_t partition)
{
    struct error err = {0};
    int count = 0;
    const char *input = publish->settings->input_topic;
    if (kafka_topic_partitions(transaction_client(publish->transaction), input, &count, &err) != STATUS_OK)
        count = 0;
    if (count <= partition)
        count = partition + 1;
    if (count < publish->input_partitions)
        count = publish->input_partitions;
    enum status status = check_topics(publish, count, &err);
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE && publish->failure.status == STATUS_OK)
        publish->failure = err;
}

static enum status open_transaction(struct publish *publish, unsigned worker, rd_kafka_t *member,
                                    const _Atomic bool *stop, struct error *err)
{
    const struct settings *settings = publish->settings;
    snprintf(publish->name, sizeof publish->name, "worker %u", worker);
    snprintf(publish->identity, sizeof publish->identity, "%s-%s-%u", settings->group_id, settings->instance_id,
             worker);
    publish->topics[TOPIC_OUTPUT] = settings->output_topic;
    publish->topics[TOPIC_DEAD] = settings->dlq_topic;
    publish->topics[TOPIC_OUTCOME] = settings->outcome_topic;
    publish->topics[TOPIC_STATE] = settings->state_topic;
    publish->topics[TOPIC_ALERT] = settings->alert_topic;
    publish->topic_count = !publish->state.state ? TOPIC_STATE : settings->alert_topic ? TOPICS_MOST : TOPIC_ALERT;
    const struct transaction_setup setup = {
        .options = settings->options,
        .where = "score",
        .name = publish->name,
        .identity = settings->exactly_once ? publish->identity : NULL,
        .instance = settings->instance_id,
        .group = settings->group_id,
        .offsets_topic = settings->input_topic,
        .member = member,
        .topics = publish->topics,
        .topic_count = publish->topic_count,
        .last = publish->state.last,
        .stop = stop,
        .report = on_report,
        .context = publish,
    };
    return transaction_new(&setup, &publish->transaction, err);
}

enum status publish_new(const struct settings *settings, unsigned worker, int input_partitions,
                        struct input_consumer *input, struct state *state, const _Atomic bool *stop,
                        struct publish **out, struct error *err)
{
    struct publish *publish = mem_zeroed(1, sizeof *publish);
    publish->settings = settings;
    publish->state = (struct state_output){.settings = settings, .state = state, .topic = TOPIC_STATE};
    if (state && settings->snapshot_dir)
        publish->state.last = last_offsets_new(settings->state_topic);
    rejected_bisection_init(&publish->rejected, settings, publish->name);
    enum status status = alert_topic_make(input_consumer_client(input), settings, err);
    if (status == STATUS_OK)
        status = open_transaction(publish, worker, input_consumer_client(input), stop, err);
    if (status == STATUS_OK)
        status = check_topics(publish, input_partitions, err);
    if (status == STATUS_OK)
        status = background_call_new(&publish->background, err);
    if (status != STATUS_OK) {
        publish_free(publish);
        return status;
    }
    *out = publish;
    return STATUS_OK;
}

enum status publish_start(struct publish *publish, struct error *err)
{
    return transaction_start(publish->transaction, err);
}

void publish_free(struct publish *publish)
{
    if (!publish)
        return;
    background_call_free(publish->background);
    transaction_free(publish->transaction);
    if (publish->offsets)
        rd_kafka_topic_partition_list_destroy(publish->offsets);
    staged_records_free(&publish->staged);
    state_output_free(&publish->state);
    rejected_bisection_free(&publish->rejected);
    free(publish);
}

/* --- producing --- */

/* Whether the record may be sent: the transaction is open and whole. */
static bool begin_transaction(struct publish *publish, const struct transaction_record *record)
{
    struct error err;
    if (!transaction_is_open(publish->transaction)) {
        publish->published = 0;
        rejected_bisection_begin(&publish->rejected);
        if (transaction_begin(publish->transaction, &err) != STATUS_OK)
            return false; /* the commit returns it */
    }
    int32_t partition = partition_of(record->opaque);
    if (partition >= publish->input_partitions)
        check_topics_again(publish, partition);
    return publish->failure.status == STATUS_OK && !transaction_broken(publish->transaction);
}

/* True, like all that is done with. */
static bool drop_record(const struct transaction_record *record)
{
    if (record->headers)
        rd_kafka_headers_destroy(record->headers);
    return true;
}

/* True: done with (sent, or the transaction is broken). False: too large. */
static bool send_now(struct publish *publish, const struct transaction_record *record)
{
    if (!begin_transaction(publish, record))
        return drop_record(record);
    if (rejected_bisection_isolate(&publish->rejected, record->opaque))
        transaction_flush(publish->transaction);
    if (record->topic == TOPIC_STATE && !publish->settings->exactly_once) {
        state_output_add_late(&publish->state, record);
        return true;
    }
    rd_kafka_resp_err_t code = transaction_send(publish->transaction, record);
    if (code)
        return error_class_of(code) != ERROR_CLASS_TOO_LARGE;
    publish->published++;
    return true;
}

/* Its source has gone, so it cannot become a dead letter here: as if the broker had rejected it. */
static void refuse_staged(struct publish *publish, const struct transaction_record *record)
{
    rejected_bisection_add(&publish->rejected, record->opaque);
    transaction_break(publish->transaction, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, publish->topics[record->topic]);
}

static void send_staged(struct publish *publish)
{
    struct transaction_record record;
    while (staged_records_next(&publish->staged, &record))
        if (!send_now(publish, &record))
            refuse_staged(publish, &record);
    staged_records_clear(&publish->staged);
}

static void end_commit(struct publish *publish);

/* True: done with (sent, staged, or the transaction is broken). False: too large. */
static bool send_or_stage(struct publish *publish, const struct transaction_record *record)
{
    if (publish->commit == COMMIT_UNDER_WAY) {
        if (staged_records_add(&publish->staged, record, (size_t)publish->settings->staged_bytes))
            return true;
        end_commit(publish);
    }
    if (publish->commit == COMMIT_NONE || publish->result == PUBLISH_COMMITTED)
        return send_now(publish, record);
    return drop_record(record); /* the transaction before it is not committed: it will be done again */
}

/* The plain form, without headers: the hot path. */
static bool produce_plain(struct publish *publish, size_t topic, const struct input_message *source, struct span key,
                          struct span value)
{
    if (is_oversize(publish, source))
        return false;
    const struct transaction_record record = {
        .topic = topic, .partition = RD_KAFKA_PARTITION_UA, .key = key, .value = value, .opaque = opaque_of(source)};
    return send_or_stage(publish, &record);
}

static int64_t timestamp_of(struct publish *publish, const struct input_message *source)
{
    rd_kafka_timestamp_type_t kind;
    const struct rejected_suspect *suspect = suspect_of(publish, source);
    int64_t timestamp = rd_kafka_message_timestamp(source->origin, &kind);
    return timestamp > 0 && !(suspect && suspect->untimed) ? timestamp : 0;
}

/* The form with headers and timestamp (0: now); takes the headers. */
static bool produce_full(struct publish *publish, size_t topic, int32_t partition, const struct input_message *source,
                         struct span key, struct span value, int64_t timestamp, rd_kafka_headers_t *headers)
{
    const struct transaction_record record = {topic, partition, key, value, timestamp, headers, opaque_of(source)};
    return send_or_stage(publish, &record);
}

bool publish_prediction(struct publish *publish, const struct input_message *source, struct span key, struct span value,
                        bool hired)
{
    rd_kafka_headers_t *headers = is_oversize(publish, source) ? NULL : publish_headers_prediction(source, hired);
    if (headers)
        return produce_full(publish, TOPIC_OUTPUT, RD_KAFKA_PARTITION_UA, source, key, value, 0, headers);
    return produce_plain(publish, TOPIC_OUTPUT, source, key, value);
}

bool publish_erasure(struct publish *publish, const struct input_message *source, struct span employee_id)
{
    if (is_oversize(publish, source))
        return false;
    return produce_full(publish, TOPIC_OUTPUT, RD_KAFKA_PARTITION_UA, source, employee_id, SPAN_NULL, 0,
                        publish_headers_erasure(publish->settings->input_topic, source));
}

bool publish_outcome(struct publish *publish, const struct input_message *source, struct span key, struct span value)
{
    if (is_oversize(publish, source))
        return false;
    bool as_it_came = value.data == source->value.data;
    return produce_full(publish, TOPIC_OUTCOME, RD_KAFKA_PARTITION_UA, source, key, value,
                        timestamp_of(publish, source),
                        publish_headers_outcome(publish->settings->input_topic, source, as_it_came));
}

/* Nothing less can stand for it. */
void publish_state(struct publish *publish, const struct input_message *source, struct span employee_id,
                   struct span value)
{
    const struct transaction_record record = {.topic = TOPIC_STATE,
                                              .partition = source->partition,
                                              .key = employee_id,
                                              .value = value,
                                              .opaque = opaque_of(source)};
    if (!send_or_stage(publish, &record) && publish->failure.status == STATUS_OK)
        error_set(&publish->failure, STATUS_LIMIT,
                  "score: a current record of %zu bytes is more than -X message.max.bytes allows: raise it, and "
                  "max.message.bytes of topic %s",
                  value.bytes, publish->settings->state_topic);
}

/* Nor for it: an event has its alert with its prediction, or comes again. */
void publish_alert(struct publish *publish, const struct input_message *source, struct span employee_id,
                   struct span value)
{
    if (!produce_full(publish, TOPIC_ALERT, RD_KAFKA_PARTITION_UA, source, employee_id, value, 0,
                      publish_headers_alert(publish->settings->input_topic, source)) &&
        publish->failure.status == STATUS_OK)
        error_set(&publish->failure, STATUS_LIMIT,
                  "score: an alert of %zu bytes is more than -X message.max.bytes allows: raise it, and "
                  "max.message.bytes of topic %s",
                  value.bytes, publish->settings->alert_topic);
}

static bool produce_dead_letter(struct publish *publish, const struct input_message *source, enum event_code code,
                                const char *field, const char *text, enum dead_letter_detail detail)
{
    char full_text[320];
    snprintf(full_text, sizeof full_text, "%s", text);
    if (detail != DETAIL_WHOLE)
        snprintf(full_text, sizeof full_text,
                 "%s (%s left out: too large for this topic; %zu bytes of value, %zu of key)", text,
                 detail == DETAIL_BARE ? "value, key and headers are" : "the value is", source->value.bytes,
                 source->key.bytes);
    rd_kafka_headers_t *headers = publish_headers_dead_letter(publish->settings->input_topic, source,
                                                              detail == DETAIL_BARE, code, field, full_text);
    return produce_full(publish, TOPIC_DEAD, source->partition, source, detail == DETAIL_BARE ? SPAN_NULL : source->key,
                        detail == DETAIL_WHOLE ? source->value : SPAN_NULL, timestamp_of(publish, source), headers);
}

void publish_dead_letter(struct publish *publish, const struct input_message *source, enum event_code code,
                         const char *field, const char *text)
{
    const struct rejected_suspect *suspect = suspect_of(publish, source);
    for (enum dead_letter_detail detail = suspect ? suspect->dead_letter : DETAIL_WHOLE; detail <= DETAIL_BARE;
         detail++)
        if (produce_dead_letter(publish, source, code, field, text, detail))
            return;
    if (publish->failure.status == STATUS_OK)
        error_set(&publish->failure, STATUS_LIMIT,
                  "score: topic %s does not take even a dead letter without value, key and headers of its source (%s "
                  "[%d] at %" PRId64 "): raise its max.message.bytes and -X message.max.bytes",
                  publish->settings->dlq_topic, publish->settings->input_topic, source->partition, source->offset);
}

void publish_refuse(struct publish *publish, const struct error *why)
{
    if (publish->failure.status == STATUS_OK)
        publish->failure = *why;
}

/* --- committing --- */

/* It may pass, unless a topic is missing or too narrow: that is looked at first. */
static void roll_back_transaction(struct publish *publish, const char *reason)
{
    check_topics_again(publish, -1);
    if (publish->failure.status == STATUS_OK)
        log_warn("score", "%s: the transaction is rolled back and done again in %d ms: %s", publish->name,
                 transaction_pause(publish->transaction), reason);
}

static void bisect_transaction(struct publish *publish)
{
    struct error err;
    if (rejected_bisection_next_round(&publish->rejected, transaction_broken(publish->transaction),
                                      transaction_broken_topic(publish->transaction), &err) != STATUS_OK)
        publish->failure = err;
}

/* After a transaction was rolled back: what to do about it before it is done again. */
static enum publish_result look_into(struct publish *publish, const char *reason, struct error *err)
{
    rejected_bisection_redo(&publish->rejected, publish->published);
    if (publish->rejected.records)
        bisect_transaction(publish);
    else if (publish->failure.status == STATUS_OK)
        roll_back_transaction(publish, reason);
    if (publish->failure.status == STATUS_OK)
        return PUBLISH_ROLLED_BACK;
    *err = publish->failure;
    return PUBLISH_FAILED;
}

void publish_abort(struct publish *publish)
{
    transaction_abort(publish->transaction);
    state_output_drop_late(&publish->state);
    rejected_bisection_forget(&publish->rejected);
}

static enum publish_result roll_back_lost(struct publish *publish)
{
    publish_abort(publish);
    log_warn("score", "%s: the transaction is rolled back: its partitions are another process's already",
             publish->name);
    return PUBLISH_ROLLED_BACK;
}

/* Says what to allow, where the broker refuses a topic. */
static enum publish_result explain_denied(const struct publish *publish, struct error *err)
{
    const char *topic = transaction_broken_topic(publish->transaction);
    if (err->status == STATUS_DENIED && topic)
        error_set(err, STATUS_DENIED,
                  "score: the broker refuses to let this client write to topic %s: kafka-acls --add --allow-principal "
                  "User:… --operation Write --operation Describe --topic %s",
                  topic, topic);
    return PUBLISH_FAILED;
}

/* In the background. */
static void run_commit(void *context)
{
    struct publish *publish = context;
    if (publish->state.state)
        state_output_write(&publish->state, publish->transaction, publish->offsets,
                           rejected_bisection_is_active(&publish->rejected));
    publish->transaction_result =
        transaction_commit(publish->transaction, publish->consumer, publish->offsets, &publish->reason);
    if (publish->state.state)
        state_output_wrote(&publish->state, publish->offsets);
}

static enum publish_result apply_commit_result(struct publish *publish)
{
    if (publish->transaction_result == TRANSACTION_FAILED)
        return explain_denied(publish, &publish->reason);
    if (publish->transaction_result == TRANSACTION_ROLLED_BACK) {
        const struct error reason = publish->reason;
        return look_into(publish, reason.text, &publish->reason);
    }
    rejected_bisection_committed(&publish->rejected);
    return PUBLISH_COMMITTED;
}

/* Waits for the result, and does with the records of the next transaction what follows from it. */
static void end_commit(struct publish *publish)
{
    background_call_wait(publish->background);
    publish->commit = COMMIT_ENDED;
    publish->result = apply_commit_result(publish);
    if (publish->result == PUBLISH_COMMITTED)
        send_staged(publish);
    else
        staged_records_clear(&publish->staged);
}

void publish_commit_start(struct publish *publish, struct input_consumer *input)
{
    assert(publish->commit == COMMIT_NONE && !publish->offsets);
    publish->commit = COMMIT_ENDED;
    if (publish->failure.status != STATUS_OK) {
        transaction_abort(publish->transaction);
        state_output_drop_late(&publish->state);
        publish->reason = publish->failure;
        publish->result = PUBLISH_FAILED;
        return;
    }
    if (publish->settings->exactly_once && rd_kafka_assignment_lost(input_consumer_client(input))) {
        publish->result = roll_back_lost(publish); /* the broker would refuse the offsets */
        return;
    }
    publish->commit = COMMIT_UNDER_WAY;
    publish->consumer = input_consumer_client(input);
    publish->offsets = input_consumer_offsets(input);
    if (publish->state.state)
        state_output_begin(&publish->state, publish->offsets);
    bool stages = !rejected_bisection_is_active(&publish->rejected);
    background_call_start(publish->background, run_commit, publish);
    if (!stages)
        end_commit(publish);
}

bool publish_is_bisecting(const struct publish *publish)
{
    return publish->rejected.suspect_count > 0;
}

bool publish_commit_ended(const struct publish *publish)
{
    return publish->commit == COMMIT_ENDED ||
           (publish->commit == COMMIT_UNDER_WAY && !background_call_runs(publish->background));
}

static void note_committed(struct publish *publish, struct input_consumer *input)
{
    input_consumer_committed(input, publish->offsets);
    if (publish->state.state)
        state_output_committed(&publish->state, publish->offsets);
}

enum publish_result publish_commit_finish(struct publish *publish, struct input_consumer *input, struct error *err)
{
    assert(publish->commit != COMMIT_NONE);
    if (publish->commit == COMMIT_UNDER_WAY)
        end_commit(publish);
    publish->commit = COMMIT_NONE;
    if (publish->result == PUBLISH_COMMITTED)
        note_committed(publish, input);
    else
        *err = publish->reason;
    if (publish->offsets)
        rd_kafka_topic_partition_list_destroy(publish->offsets);
    publish->offsets = NULL;
    return publish->result;
}

bool publish_is_confirmed(const struct publish *publish)
{
    return transaction_is_confirmed(publish->transaction);
}

enum status publish_confirm(struct publish *publish, struct error *err)
{
    return transaction_confirm(publish->transaction, err);
}

enum status publish_end_leftovers(struct publish *publish, struct error *err)
{
    return transaction_end_leftovers(publish->transaction, err);
}

void publish_forget_offsets(struct publish *publish)
{
    transaction_forget_offsets(publish->transaction);
}

bool publish_has_leftovers(const struct publish *publish)
{
    return !transaction_is_open(publish->transaction) && transaction_is_stale(publish->transaction);
}
