/* Reading the dead-letter topic and producing to the input topic: see dlq_kafka.h. Called by dlq_list.c and
 * dlq_replay.c on the main thread. May block in each call until brokers answer or *stop comes. Must never commit
 * replayed offsets of letters that were not acknowledged, and never delete or change a letter. */
#include "producer/dlq_kafka.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "events/frame.h"
#include "kafka/client.h"
#include "kafka/consumer.h"
#include "kafka/message.h"
#include "kafka/transaction.h"
#include "events/timestamp.h"

enum { CALL_MS = 10000, POLL_MS = 100 };

struct part {
    int64_t start, end;
    bool done;
    struct dlq_replayed replayed;
};

struct dlq_reader {
    const _Atomic bool *stop;
    const char *topic;
    rd_kafka_t *consumer;
    rd_kafka_message_t *message; /* the letter at hand */
    struct part *parts;          /* by partition */
    size_t count, left;
    struct buffer text;
};

struct dlq_writer {
    const _Atomic bool *stop;
    const char *topic;
    struct transaction *transaction;
    int partitions;
    bool exactly_once;
    struct dlq_counts counts, committed;
};

/* --- reading --- */

/* Where to start in one partition, and where to end. */
static enum status part_open(struct dlq_reader *reader, size_t p, const rd_kafka_topic_partition_t *committed,
                             enum dlq_start start, struct error *err)
{
    struct part *part = &reader->parts[p];
    int64_t low, high;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(reader->consumer, reader->topic, (int32_t)p, &low, &high, CALL_MS);
    if (code)
        return error_set(err, kafka_status(code), "looking up the ends of %s [%zu]: %s", reader->topic, p,
                         rd_kafka_err2str(code));
    if (committed->offset >= 0 &&
        !dlq_replayed_read(&part->replayed, committed->offset, committed->metadata ? committed->metadata : "",
                           committed->metadata_size))
        log_warn("dlq", "%s [%zu]: the metadata of the replay group's offset is not ours: only the offset counts",
                 reader->topic, p);
    if (start == DLQ_AFTER_REPLAYED && part->replayed.base > high)
        return error_set(err, STATUS_CONFLICT,
                         "%s [%zu]: letters up to %" PRId64 " were replayed and the log ends at %" PRId64
                         ": the topic was recreated; replay with another --replay-group",
                         reader->topic, p, part->replayed.base, high);
    dlq_replayed_raise(&part->replayed, low);
    part->start = start == DLQ_AFTER_REPLAYED && part->replayed.base > low ? part->replayed.base : low;
    part->end = high;
    part->replayed.next = part->start;
    part->done = part->start >= part->end;
    reader->left += !part->done;
    return STATUS_OK;
}

static enum status find_parts(struct dlq_reader *reader, int64_t only, enum dlq_start start, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reader->count);
    enum status status = STATUS_OK;
    for (size_t p = 0; p < reader->count; p++)
        rd_kafka_topic_partition_list_add(list, reader->topic, (int32_t)p)->offset = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_resp_err_t code = start != DLQ_UNMARKED ? rd_kafka_committed(reader->consumer, list, CALL_MS) : 0;
    if (code)
        status = error_set(err, kafka_status(code), "looking up what was replayed: %s", rd_kafka_err2str(code));
    for (size_t p = 0; p < reader->count && status == STATUS_OK; p++) {
        reader->parts[p].done = true;
        if (only < 0 || only == (int64_t)p)
            status = part_open(reader, p, &list->elems[p], start, err);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum status reader_assign(struct dlq_reader *reader, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reader->count);
    for (size_t p = 0; p < reader->count; p++)
        if (!reader->parts[p].done)
            rd_kafka_topic_partition_list_add(list, reader->topic, (int32_t)p)->offset = reader->parts[p].start;
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "assigning %s: %s", reader->topic, rd_kafka_err2str(code))
                : STATUS_OK;
}

static enum status reader_open(struct dlq_reader *reader, const struct options *options, int64_t only,
                               enum dlq_start start, struct error *err)
{
    int count = 0;
    enum status status = kafka_reader_new(options, options_text(options, OPTION_REPLAY_GROUP), &reader->consumer, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(reader->consumer, "dlq", 0, reader->stop, err);
    if (status == STATUS_OK)
        status = kafka_topic_partitions(reader->consumer, reader->topic, &count, err);
    if (status == STATUS_OK && only >= count)
        status = error_set(err, STATUS_NOT_FOUND, "topic %s has %d partitions, none numbered %" PRId64, reader->topic,
                           count, only);
    if (status != STATUS_OK)
        return status;
    reader->count = (size_t)count;
    reader->parts = mem_zeroed(reader->count, sizeof *reader->parts);
    if (find_parts(reader, only, start, err) != STATUS_OK)
        return err->status;
    return reader_assign(reader, err);
}

enum status dlq_reader_new(const struct options *options, int64_t partition, enum dlq_start start,
                           const _Atomic bool *stop, struct dlq_reader **out, struct error *err)
{
    struct dlq_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->stop = stop;
    reader->topic = options_text(options, OPTION_DLQ_TOPIC);
    enum status status = reader_open(reader, options, partition, start, err);
    if (status == STATUS_OK)
        *out = reader;
    else
        dlq_reader_free(reader);
    return status;
}

static void forget_letter(struct dlq_reader *reader)
{
    if (reader->message)
        rd_kafka_message_destroy(reader->message);
    reader->message = NULL;
}

void dlq_reader_keep(struct dlq_reader *reader)
{
    reader->message = NULL;
}

void dlq_letter_drop(const struct dlq_letter *letter)
{
    rd_kafka_message_destroy((rd_kafka_message_t *)letter->origin);
}

void dlq_reader_free(struct dlq_reader *reader)
{
    if (!reader)
        return;
    forget_letter(reader);
    kafka_client_free(reader->consumer);
    for (size_t p = 0; p < reader->count; p++)
        dlq_replayed_free(&reader->parts[p].replayed);
    free(reader->parts);
    buffer_free(&reader->text);
    free(reader);
}

static void part_end(struct dlq_reader *reader, int32_t partition)
{
    struct part *part = &reader->parts[partition];
    reader->left -= !part->done;
    part->done = true;
}

struct span dlq_letter_header(const struct dlq_letter *letter, enum dead_letter_header header)
{
    rd_kafka_headers_t *headers;
    const void *data = NULL;
    size_t bytes = 0;
    if (rd_kafka_message_headers(letter->origin, &headers) ||
        rd_kafka_header_get_last(headers, dead_letter_header_name(header), &data, &bytes))
        return SPAN_NULL;
    return (struct span){data, bytes};
}

struct span dlq_letter_frame_header(const struct dlq_letter *letter)
{
    return kafka_message_header(letter->origin, FRAME_HEADER);
}

struct record_context dlq_letter_context(const struct dlq_letter *letter)
{
    const rd_kafka_message_t *message = letter->origin;
    struct span topic = dlq_letter_header(letter, DEAD_LETTER_TOPIC);
    int64_t partition = dead_letter_number(dlq_letter_header(letter, DEAD_LETTER_PARTITION), letter->partition);
    struct span own = span_of(rd_kafka_topic_name(message->rkt));
    return (struct record_context){
        .topic = topic.data ? topic : own,
        .partition = partition <= INT32_MAX ? (int32_t)partition : letter->partition,
        .offset = dead_letter_number(dlq_letter_header(letter, DEAD_LETTER_OFFSET), letter->offset),
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .ce_specversion = kafka_message_header(message, "ce_specversion"),
        .ce_id = kafka_message_header(message, "ce_id"),
        .ce_time = kafka_message_header(message, "ce_time"),
        .ce_subject = kafka_message_header(message, "ce_subject"),
    };
}

static void letter_fill(struct dlq_reader *reader, struct dlq_letter *letter)
{
    const rd_kafka_message_t *message = reader->message;
    rd_kafka_timestamp_type_t kind;
    *letter = (struct dlq_letter){
        .partition = message->partition,
        .offset = message->offset,
        .failed_ms = rd_kafka_message_timestamp(message, &kind),
        .key = {message->key, message->key ? message->key_len : 0},
        .value = {message->payload, message->payload ? message->len : 0},
        .replayed = &reader->parts[message->partition].replayed,
        .origin = message,
    };
    struct span first_failed = dlq_letter_header(letter, DEAD_LETTER_FIRST_FAILED_AT);
    int64_t first_failed_ms;
    if (first_failed.data && timestamp_parse(first_failed, &first_failed_ms))
        letter->failed_ms = first_failed_ms;
}

/* What a poll brought: a letter within the ends (true), or a partition's end, an old error, nothing. */
static enum status reader_take(struct dlq_reader *reader, bool *is_letter, struct error *err)
{
    const rd_kafka_message_t *message = reader->message;
    *is_letter = false;
    if (!message)
        return STATUS_OK;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        part_end(reader, message->partition);
    } else if (message->err) {
        if (kafka_status(message->err) != STATUS_UNAVAILABLE)
            return error_set(err, kafka_status(message->err), "reading %s: %s", reader->topic,
                             rd_kafka_message_errstr(message));
    } else {
        const struct part *part = &reader->parts[message->partition];
        *is_letter = !part->done && message->offset < part->end && !kafka_message_is_control(message);
        if (message->offset + 1 >= part->end)
            part_end(reader, message->partition);
    }
    return STATUS_OK;
}

enum status dlq_reader_next(struct dlq_reader *reader, struct dlq_letter *letter, bool *more, struct error *err)
{
    *more = false;
    forget_letter(reader);
    while (reader->left && !*reader->stop) {
        bool is_letter;
        reader->message = rd_kafka_consumer_poll(reader->consumer, POLL_MS);
        if (reader_take(reader, &is_letter, err) != STATUS_OK)
            return err->status;
        if (is_letter) {
            letter_fill(reader, letter);
            *more = true;
            return STATUS_OK;
        }
        forget_letter(reader);
    }
    return STATUS_OK;
}

/* --- writing --- */

static void writer_on_report(void *context, const rd_kafka_message_t *message)
{
    struct dlq_writer *writer = context;
    writer->counts.acknowledged += !message->err;
}

static enum status writer_open(struct dlq_writer *writer, const struct options *options, struct error *err)
{
    const char *group = options_text(options, OPTION_REPLAY_GROUP);
    const struct transaction_setup setup = {
        .options = options,
        .where = "dlq",
        .name = "replay",
        .identity = writer->exactly_once ? group : NULL,
        .group = group,
        .offsets_topic = options_text(options, OPTION_DLQ_TOPIC),
        .topics = &writer->topic,
        .topic_count = 1,
        .all_reports = true,
        .stop = writer->stop,
        .stop_at_once = true,
        .report = writer_on_report,
        .context = writer,
    };
    enum status status = transaction_new(&setup, &writer->transaction, err);
    if (status == STATUS_OK)
        status =
            kafka_topic_partitions(transaction_client(writer->transaction), writer->topic, &writer->partitions, err);
    return status == STATUS_OK ? transaction_start(writer->transaction, err) : status;
}

enum status dlq_writer_new(const struct options *options, const _Atomic bool *stop, struct dlq_writer **out,
                           struct error *err)
{
    struct dlq_writer *writer = mem_zeroed(1, sizeof *writer);
    writer->exactly_once = options_word(options, OPTION_DELIVERY) == DELIVERY_EXACTLY_ONCE;
    writer->stop = stop;
    writer->topic = options_text(options, OPTION_INPUT_TOPIC);
    enum status status = writer_open(writer, options, err);
    if (status == STATUS_OK)
        *out = writer;
    else
        dlq_writer_free(writer);
    return status;
}

void dlq_writer_free(struct dlq_writer *writer)
{
    if (!writer)
        return;
    transaction_free(writer->transaction);
    free(writer);
}

/* The event's own headers and its history; the caller's to destroy. */
static rd_kafka_headers_t *event_headers(const struct dlq_letter *letter, int64_t replay_count)
{
    char number[32];
    rd_kafka_headers_t *before, *headers;
    bool has = !rd_kafka_message_headers(letter->origin, &before);
    headers = has ? rd_kafka_headers_copy(before) : rd_kafka_headers_new(1);
    for (enum dead_letter_header h = 0; h < DEAD_LETTER_HEADER_COUNT; h++)
        if (!dead_letter_header_stays(h) || h == DEAD_LETTER_REPLAY_COUNT)
            rd_kafka_header_remove(headers, dead_letter_header_name(h));
    snprintf(number, sizeof number, "%" PRId64, replay_count);
    rd_kafka_header_add(headers, dead_letter_header_name(DEAD_LETTER_REPLAY_COUNT), -1, number, -1);
    return headers;
}

/* The letter's partition is the event's, whoever chose it: so each employee's order stays. */
enum status dlq_writer_send(struct dlq_writer *writer, const struct dlq_letter *letter, int64_t replay_count,
                            int64_t timestamp_ms, struct error *err)
{
    if (transaction_begin(writer->transaction, err) != STATUS_OK)
        return err->status;
    const struct transaction_record record = {
        .partition = letter->partition < writer->partitions ? letter->partition : RD_KAFKA_PARTITION_UA,
        .key = letter->key,
        .value = letter->value,
        .timestamp_ms = timestamp_ms,
        .headers = event_headers(letter, replay_count),
    };
    rd_kafka_resp_err_t code = transaction_send(writer->transaction, &record);
    if (code == RD_KAFKA_RESP_ERR__STATE && transaction_broken(writer->transaction))
        code = transaction_broken(writer->transaction);
    if (code)
        return error_set(err, kafka_status(code) == STATUS_OK ? STATUS_UNAVAILABLE : kafka_status(code),
                         "sending %" PRId32 ":%" PRId64 " back to %s: %s", letter->partition, letter->offset,
                         writer->topic, rd_kafka_err2str(code));
    writer->counts.sent++;
    return STATUS_OK;
}

bool dlq_writer_is_exactly_once(const struct dlq_writer *writer)
{
    return writer->exactly_once;
}

void dlq_writer_flush(struct dlq_writer *writer)
{
    transaction_flush(writer->transaction);
}

void dlq_writer_abort(struct dlq_writer *writer)
{
    transaction_abort(writer->transaction);
    writer->counts = writer->committed;
}

/* Every changed partition's replayed offsets. */
static rd_kafka_topic_partition_list_t *replayed_list(struct dlq_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reader->count);
    for (size_t p = 0; p < reader->count; p++) {
        struct dlq_replayed *replayed = &reader->parts[p].replayed;
        if (!replayed->changed)
            continue;
        rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_add(list, reader->topic, (int32_t)p);
        element->offset = replayed->base;
        dlq_replayed_write(replayed, &reader->text);
        element->metadata = mem_zeroed(reader->text.bytes, 1); /* freed with the list */
        element->metadata_size = reader->text.bytes - 1;
        memcpy(element->metadata, reader->text.data, reader->text.bytes);
    }
    return list;
}

enum status dlq_writer_commit(struct dlq_writer *writer, struct dlq_reader *reader, struct error *err)
{
    if (!transaction_is_open(writer->transaction))
        return STATUS_OK;
    rd_kafka_topic_partition_list_t *list = replayed_list(reader);
    enum transaction_result result = transaction_commit(writer->transaction, reader->consumer, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    if (result != TRANSACTION_COMMITTED)
        return error_prefix(err, "letters were sent, and do not count");
    writer->committed = writer->counts;
    for (size_t p = 0; p < reader->count; p++)
        reader->parts[p].replayed.changed = false;
    return STATUS_OK;
}

struct dlq_counts dlq_writer_counts(const struct dlq_writer *writer)
{
    return writer->exactly_once ? writer->committed : writer->counts;
}
