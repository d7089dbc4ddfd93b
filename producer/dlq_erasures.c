/* Reading requests to erase: see dlq_erasures.h. Called by dlq_replay.c on the main thread; blocks in new and read
 * until brokers answer or *stop comes. Must never take a request for absent because the log does not reach back to it.
 */
#include "producer/dlq_erasures.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/source_position.h"
#include "kafka/client.h"
#include "kafka/message.h"
#include "producer/erasures.h"

enum { CALL_MS = 10000, POLL_MS = 100, PATIENCE_US = 5000000 };

/* A topic as it is read: from `start` to `end`. */
struct scan {
    const char *topic;
    struct scan_part {
        int64_t low, start, end;
        int64_t next;     /* one past what was read, in the input topic */
        int64_t first_ms; /* of the first record read; INT64_MAX: none yet */
        bool done;
    } * parts;
    size_t count, left;
    rd_kafka_t *consumer;
    struct erasures *into;
    bool to_the_end; /* an open transaction before the end is waited for */
};

struct dlq_erasures {
    const struct options *options;
    const _Atomic bool *stop;
    struct dlq_content_reader *contents;
    rd_kafka_t *consumer, *looker;    /* of committed records; of all, made when it is needed */
    struct scan input, output, ahead; /* ahead: of the input topic, what was looked at and may not be committed */
    int64_t *wanted;                  /* by input partition: the lowest place of a letter; INT64_MAX: none */
    bool needs_output, expects;
    struct erasures erasures, suspects;
};

/* --- topics --- */

/* Of no group that is joined. */
static enum status open_consumer(struct dlq_erasures *erasures, const char *isolation, rd_kafka_t **out,
                                 struct error *err)
{
    const struct kafka_property fixed[] = {{"group.id", options_text(erasures->options, OPTION_REPLAY_GROUP)},
                                           {"isolation.level", isolation},
                                           {"enable.partition.eof", "true"},
                                           {"auto.offset.reset", "earliest"},
                                           {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf(erasures->options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    return status == STATUS_OK ? kafka_client_new(RD_KAFKA_CONSUMER, &conf, out, err) : status;
}

static enum status find_end(rd_kafka_t *consumer, const char *topic, size_t p, struct scan_part *part,
                            struct error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(consumer, topic, (int32_t)p, &part->low, &part->end, CALL_MS);
    return code ? error_set(err, kafka_status(code), "looking up the ends of %s [%zu]: %s", topic, p,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

static enum status scan_open(struct dlq_erasures *erasures, struct scan *scan, const char *topic, struct error *err)
{
    int count = 0;
    if (kafka_topic_partitions(erasures->consumer, topic, &count, err) != STATUS_OK)
        return err->status;
    scan->topic = topic;
    scan->consumer = erasures->consumer;
    scan->into = &erasures->erasures;
    scan->count = (size_t)count;
    scan->parts = mem_zeroed(scan->count, sizeof *scan->parts);
    for (size_t p = 0; p < scan->count; p++) {
        struct scan_part *part = &scan->parts[p];
        if (find_end(erasures->consumer, topic, p, part, err) != STATUS_OK)
            return err->status;
        part->first_ms = INT64_MAX;
        part->start = part->low;
    }
    return STATUS_OK;
}

enum status dlq_erasures_new(const struct options *options, struct dlq_content_reader *contents,
                             const _Atomic bool *stop, struct dlq_erasures **out, struct error *err)
{
    struct dlq_erasures *erasures = mem_zeroed(1, sizeof *erasures);
    *erasures = (struct dlq_erasures){.options = options, .stop = stop, .contents = contents};
    enum status status = open_consumer(erasures, "read_committed", &erasures->consumer, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(erasures->consumer, "dlq", 0, stop, err);
    if (status == STATUS_OK)
        status = scan_open(erasures, &erasures->input, options_text(options, OPTION_INPUT_TOPIC), err);
    if (status != STATUS_OK) {
        dlq_erasures_free(erasures);
        return status;
    }
    erasures->wanted = mem_zeroed(erasures->input.count, sizeof *erasures->wanted);
    for (size_t p = 0; p < erasures->input.count; p++)
        erasures->wanted[p] = INT64_MAX;
    *out = erasures;
    return STATUS_OK;
}

void dlq_erasures_free(struct dlq_erasures *erasures)
{
    if (!erasures)
        return;
    kafka_client_free(erasures->consumer);
    kafka_client_free(erasures->looker);
    erasures_free(&erasures->erasures);
    erasures_free(&erasures->suspects);
    free(erasures->input.parts);
    free(erasures->output.parts);
    free(erasures->ahead.parts);
    free(erasures->wanted);
    free(erasures);
}

/* --- letters --- */

/* Where the letter's event lies in the input topic; partition -1: it does not say, or it is another topic's. */
static struct erasure_place place_of(const struct dlq_erasures *erasures, const struct dlq_letter *letter)
{
    struct erasure_place place = {.partition = -1, .time_ms = letter->failed_ms};
    struct span topic = dlq_letter_header(letter, DEAD_LETTER_TOPIC);
    int64_t partition = dead_letter_number(dlq_letter_header(letter, DEAD_LETTER_PARTITION), -1);
    int64_t offset = dead_letter_number(dlq_letter_header(letter, DEAD_LETTER_OFFSET), -1);
    if (topic.data && span_equal(topic, span_of(erasures->input.topic)) && partition >= 0 && offset >= 0 &&
        (uint64_t)partition < erasures->input.count) {
        place.partition = (int32_t)partition;
        place.offset = offset;
    }
    return place;
}

/* An employee's events and requests have one key, and so one partition. */
void dlq_erasures_expect(struct dlq_erasures *erasures, const struct dlq_letter *letter)
{
    struct erasure_place place = place_of(erasures, letter);
    erasures->expects = true;
    if (place.partition < 0) {
        erasures->needs_output = true;
        for (size_t p = 0; p < erasures->input.count; p++)
            erasures->wanted[p] = 0;
        return;
    }
    int64_t *wanted = &erasures->wanted[place.partition];
    *wanted = place.offset < *wanted ? place.offset : *wanted;
    erasures->needs_output |= place.offset + 1 < erasures->input.parts[place.partition].low;
}

/* --- reading --- */

static enum status scan_assign(struct scan *scan, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)scan->count);
    for (size_t p = 0; p < scan->count; p++) {
        struct scan_part *part = &scan->parts[p];
        part->done = part->start >= part->end;
        part->next = part->start;
        scan->left += !part->done;
        if (!part->done)
            rd_kafka_topic_partition_list_add(list, scan->topic, (int32_t)p)->offset = part->start;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(scan->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "assigning %s: %s", scan->topic, rd_kafka_err2str(code))
                : STATUS_OK;
}

static void part_end(struct scan *scan, int32_t partition)
{
    scan->left -= !scan->parts[partition].done;
    scan->parts[partition].done = true;
}

/* A request as it came, or as the scorer has passed it on. */
static void take_request(struct dlq_erasures *erasures, const rd_kafka_message_t *message, int64_t time_ms,
                         struct erasures *into)
{
    struct dlq_content content;
    struct span key = kafka_payload(message->key, message->key_len);
    struct erasure_place place = {message->partition, message->offset, time_ms};
    if (strcmp(rd_kafka_topic_name(message->rkt), erasures->input.topic) != 0) {
        struct span topic = kafka_message_header(message, SOURCE_TOPIC_HEADER);
        int64_t partition = dead_letter_number(kafka_message_header(message, SOURCE_PARTITION_HEADER), -1);
        bool ours = topic.data && span_equal(topic, span_of(erasures->input.topic)) && partition <= INT32_MAX;
        place.partition = ours ? (int32_t)partition : -1;
        place.offset = dead_letter_number(kafka_message_header(message, SOURCE_OFFSET_HEADER), -1);
    }
    dlq_content_read(erasures->contents, key, SPAN_NULL, SPAN_NULL, NULL, &content);
    if (content.key_id.data) /* else it names nobody, and erases nobody */
        erasures_add(into, content.key_id, place);
}

static enum status take_message(struct dlq_erasures *erasures, struct scan *scan, const rd_kafka_message_t *message,
                                struct error *err)
{
    rd_kafka_timestamp_type_t kind;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        struct scan_part *part = &scan->parts[message->partition];
        part->next = message->offset > part->next ? message->offset : part->next;
        if (part->next >= part->end || !scan->to_the_end)
            part_end(scan, message->partition);
    } else if (message->err) {
        if (kafka_status(message->err) != STATUS_UNAVAILABLE)
            return error_set(err, kafka_status(message->err), "reading %s: %s", scan->topic,
                             rd_kafka_message_errstr(message));
    } else {
        struct scan_part *part = &scan->parts[message->partition];
        int64_t time_ms = rd_kafka_message_timestamp(message, &kind);
        part->first_ms = part->first_ms == INT64_MAX ? time_ms : part->first_ms;
        part->next = message->offset + 1;
        if (!message->payload && !kafka_message_is_control(message))
            take_request(erasures, message, time_ms, scan->into);
        if (part->next >= part->end)
            part_end(scan, message->partition);
    }
    return STATUS_OK;
}

static enum status scan_read(struct dlq_erasures *erasures, struct scan *scan, struct error *err)
{
    enum status status = scan_assign(scan, err);
    int64_t began_us = clock_steady_us(&clock_system);
    for (bool logged = false; status == STATUS_OK && scan->left;) {
        if (*erasures->stop)
            return error_set(err, STATUS_UNAVAILABLE, "stopped while %s was read for erasures", scan->topic);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(scan->consumer, POLL_MS);
        if (!message) {
            if (scan->to_the_end && !logged && clock_steady_us(&clock_system) - began_us > PATIENCE_US)
                log_info("dlq", "a transaction is open in %s: waiting until it ends", scan->topic);
            logged |= clock_steady_us(&clock_system) - began_us > PATIENCE_US;
            continue;
        }
        status = take_message(erasures, scan, message, err);
        rd_kafka_message_destroy(message);
    }
    return status;
}

enum status dlq_erasures_read(struct dlq_erasures *erasures, struct error *err)
{
    enum status status = STATUS_OK;
    if (!erasures->expects)
        return STATUS_OK;
    for (size_t p = 0; p < erasures->input.count; p++) {
        struct scan_part *part = &erasures->input.parts[p];
        if (erasures->wanted[p] == INT64_MAX)
            part->start = part->end;
        else if (erasures->wanted[p] > part->low)
            part->start = erasures->wanted[p];
    }
    if (erasures->needs_output)
        status = scan_open(erasures, &erasures->output, options_text(erasures->options, OPTION_OUTPUT_TOPIC), err);
    if (status == STATUS_OK && erasures->needs_output)
        status = scan_read(erasures, &erasures->output, err);
    return status == STATUS_OK ? scan_read(erasures, &erasures->input, err) : status;
}

/* --- while letters are sent --- */

static enum status look_open(struct dlq_erasures *erasures, struct error *err)
{
    const struct scan *input = &erasures->input;
    enum status status = open_consumer(erasures, "read_uncommitted", &erasures->looker, err);
    if (status != STATUS_OK)
        return status;
    erasures->ahead = *input;
    erasures->ahead.consumer = erasures->looker;
    erasures->ahead.into = &erasures->suspects;
    erasures->ahead.parts = mem_zeroed(input->count, sizeof *input->parts);
    for (size_t p = 0; p < input->count; p++)
        erasures->ahead.parts[p].next = input->parts[p].next;
    return STATUS_OK;
}

enum status dlq_erasures_look(struct dlq_erasures *erasures, struct error *err)
{
    struct scan *ahead = &erasures->ahead;
    enum status status = erasures->looker ? STATUS_OK : look_open(erasures, err);
    for (size_t p = 0; p < ahead->count && status == STATUS_OK; p++) {
        ahead->parts[p].start = ahead->parts[p].next;
        status = find_end(ahead->consumer, ahead->topic, p, &ahead->parts[p], err);
    }
    return status == STATUS_OK ? scan_read(erasures, ahead, err) : status;
}

enum status dlq_erasures_settle(struct dlq_erasures *erasures, struct error *err)
{
    struct scan *input = &erasures->input;
    for (size_t p = 0; p < input->count; p++) {
        input->parts[p].start = input->parts[p].next;
        input->parts[p].end = erasures->ahead.parts[p].next;
    }
    input->to_the_end = true;
    enum status status = scan_read(erasures, input, err);
    erasures_free(&erasures->suspects);
    return status;
}

/* --- the answer --- */

/* Whether every request since the letter's place is still in one of the topics. */
static bool is_covered(const struct dlq_erasures *erasures, struct erasure_place place)
{
    if (place.partition >= 0 && place.offset + 1 >= erasures->input.parts[place.partition].low)
        return true;
    for (size_t p = 0; p < erasures->output.count; p++)
        if (erasures->output.parts[p].low > 0 && erasures->output.parts[p].first_ms > place.time_ms)
            return false;
    return true;
}

/* Whether a request is of the letter's employee and comes after it; *named: whose it is can be read. */
static bool set_follows(struct dlq_erasures *erasures, const struct erasures *set, const struct dlq_letter *letter,
                        struct erasure_place place, bool *named)
{
    struct dlq_content read;
    const struct record_context context = dlq_letter_context(letter);
    dlq_content_read(erasures->contents, letter->key, letter->value, dlq_letter_frame_header(letter), &context, &read);
    struct span value_id = dlq_content_value_id(&read);
    *named = read.key_id.data || value_id.data;
    if (!*named)
        return erasures_follow(set, SPAN_NULL, place);
    return (read.key_id.data && erasures_follow(set, read.key_id, place)) ||
           (value_id.data && erasures_follow(set, value_id, place));
}

enum dlq_erased dlq_erasures_check(struct dlq_erasures *erasures, const struct dlq_letter *letter)
{
    struct erasure_place place = place_of(erasures, letter);
    bool named;
    if (set_follows(erasures, &erasures->erasures, letter, place, &named))
        return named ? DLQ_ERASED : DLQ_ERASED_PERHAPS;
    return is_covered(erasures, place) ? DLQ_NOT_ERASED : DLQ_ERASED_UNKNOWN;
}

bool dlq_erasures_suspect(struct dlq_erasures *erasures, const struct dlq_letter *letter)
{
    bool named;
    return erasures->suspects.count &&
           set_follows(erasures, &erasures->suspects, letter, place_of(erasures, letter), &named);
}
