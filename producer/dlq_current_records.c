/* Current records for a replay: see dlq_current_records.h. Called by dlq_replay.c on the main thread; blocks in new and
 * read until brokers answer or *stop comes. Must never take a record that it cannot read for none. */
#include "producer/dlq_current_records.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "events/employee_state.h"
#include "kafka/client.h"
#include "kafka/message.h"
#include "producer/state_topic.h"

enum { CALL_MS = 10000, POLL_MS = 100 };

/* Somebody whose letter may be replayed. */
struct person {
    size_t id_at, id_bytes; /* in ids; while people are gathered */
    struct span id;         /* from then on */
    int64_t occurred_at_ms; /* of the current record; INT64_MIN: there is none */
};

struct dlq_current_records {
    const char *topic;
    const _Atomic bool *stop;
    struct dlq_content_reader *contents;
    struct employee_state_reader *reader;
    rd_kafka_t *consumer;
    int64_t *ends; /* by partition; INT64_MIN: read to its end */
    size_t count, left;
    struct buffer ids;
    struct person *people; /* by id, once they are gathered */
    size_t person_count, person_capacity;
};

static enum status records_open(struct dlq_current_records *records, const struct options *options, struct error *err)
{
    int count = 0;
    enum status status = state_topic_open(options, "dlq", records->topic, options_text(options, OPTION_REPLAY_GROUP),
                                          records->stop, &records->consumer, &count, err);
    records->count = (size_t)count;
    records->ends = mem_zeroed(records->count + 1, sizeof *records->ends);
    return status == STATUS_OK ? STATUS_OK
                               : error_prefix(err, "current records (--state-topic none replays without them)");
}

enum status dlq_current_records_new(const struct options *options, const char *topic, const struct schema *schema,
                                    struct dlq_content_reader *contents, const _Atomic bool *stop,
                                    struct dlq_current_records **out, struct error *err)
{
    struct dlq_current_records *records = mem_zeroed(1, sizeof *records);
    records->topic = topic;
    records->stop = stop;
    records->contents = contents;
    records->reader = employee_state_reader_new(schema);
    if (records_open(records, options, err) != STATUS_OK) {
        dlq_current_records_free(records);
        return err->status;
    }
    *out = records;
    return STATUS_OK;
}

void dlq_current_records_free(struct dlq_current_records *records)
{
    if (!records)
        return;
    kafka_client_free(records->consumer);
    employee_state_reader_free(records->reader);
    buffer_free(&records->ids);
    free(records->ends);
    free(records->people);
    free(records);
}

/* --- people --- */

static void letter_decode(const struct dlq_current_records *records, const struct dlq_letter *letter,
                          struct dlq_content *out)
{
    const struct record_context context = dlq_letter_context(letter);
    dlq_content_read(records->contents, letter->key, letter->value, dlq_letter_frame_header(letter), &context, out);
}

static void records_add(struct dlq_current_records *records, struct span id)
{
    if (!id.data)
        return;
    records->people =
        mem_grow(records->people, &records->person_capacity, records->person_count + 1, sizeof *records->people);
    records->people[records->person_count++] =
        (struct person){.id_at = records->ids.bytes, .id_bytes = id.bytes, .occurred_at_ms = INT64_MIN};
    buffer_add(&records->ids, id.data, id.bytes);
}

void dlq_current_records_expect(struct dlq_current_records *records, const struct dlq_letter *letter)
{
    struct dlq_content read;
    letter_decode(records, letter, &read);
    records_add(records, read.key_id);
    records_add(records, dlq_content_value_id(&read));
}

static int span_order(struct span left, struct span right)
{
    int order = memcmp(left.data, right.data, left.bytes < right.bytes ? left.bytes : right.bytes);
    return order ? order : (left.bytes > right.bytes) - (left.bytes < right.bytes);
}

static int person_order(const void *left, const void *right)
{
    return span_order(((const struct person *)left)->id, ((const struct person *)right)->id);
}

static void sort_people(struct dlq_current_records *records)
{
    size_t kept = 0;
    if (!records->person_count)
        return;
    for (size_t i = 0; i < records->person_count; i++)
        records->people[i].id =
            (struct span){records->ids.data + records->people[i].id_at, records->people[i].id_bytes};
    qsort(records->people, records->person_count, sizeof *records->people, person_order);
    for (size_t i = 1; i < records->person_count; i++)
        if (!span_equal(records->people[i].id, records->people[kept].id))
            records->people[++kept] = records->people[i];
    records->person_count = kept + 1;
}

static struct person *find_person(const struct dlq_current_records *records, struct span id)
{
    const struct person wanted = {.id = id};
    return id.data && records->person_count
               ? bsearch(&wanted, records->people, records->person_count, sizeof *records->people, person_order)
               : NULL;
}

/* --- reading --- */

static enum status records_assign(struct dlq_current_records *records, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)records->count);
    rd_kafka_resp_err_t code = 0;
    for (size_t p = 0; p < records->count && !code; p++) {
        int64_t low;
        code = rd_kafka_query_watermark_offsets(records->consumer, records->topic, (int32_t)p, &low, &records->ends[p],
                                                CALL_MS);
        records->left += low < records->ends[p];
        if (low < records->ends[p])
            rd_kafka_topic_partition_list_add(list, records->topic, (int32_t)p)->offset = low;
        else
            records->ends[p] = INT64_MIN;
    }
    if (!code)
        code = rd_kafka_assign(records->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "looking up %s: %s", records->topic, rd_kafka_err2str(code))
                : STATUS_OK;
}

static void records_end(struct dlq_current_records *records, int32_t partition)
{
    records->left -= records->ends[partition] != INT64_MIN;
    records->ends[partition] = INT64_MIN;
}

static enum status take_record(struct dlq_current_records *records, const rd_kafka_message_t *message,
                               struct error *err)
{
    struct employee_state state;
    struct fault fault;
    struct span key = kafka_payload(message->key, message->key_len);
    struct person *person = find_person(records, key);
    if (!person)
        return STATUS_OK;
    person->occurred_at_ms = INT64_MIN;
    if (!message->payload)
        return STATUS_OK;
    if (employee_state_read(records->reader, kafka_payload(message->payload, message->len), &state, &fault) != EVENT_OK)
        return error_set(err, STATUS_INVALID,
                         "%s [%" PRId32 "] offset %" PRId64 " holds no current record (%s); --force replays without "
                         "comparing with it",
                         records->topic, message->partition, message->offset, fault.text);
    person->occurred_at_ms = state.occurred_at_ms;
    return STATUS_OK;
}

static enum status take_message(struct dlq_current_records *records, const rd_kafka_message_t *message,
                                struct error *err)
{
    enum status status = STATUS_OK;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        records_end(records, message->partition);
    } else if (message->err) {
        if (kafka_status(message->err) != STATUS_UNAVAILABLE)
            status = error_set(err, kafka_status(message->err), "reading %s: %s", records->topic,
                               rd_kafka_message_errstr(message));
    } else {
        if (!kafka_message_is_control(message))
            status = take_record(records, message, err);
        if (message->offset + 1 >= records->ends[message->partition])
            records_end(records, message->partition);
    }
    return status;
}

enum status dlq_current_records_read(struct dlq_current_records *records, struct error *err)
{
    sort_people(records);
    enum status status = records->person_count ? records_assign(records, err) : STATUS_OK;
    while (status == STATUS_OK && records->left) {
        if (*records->stop)
            return error_set(err, STATUS_UNAVAILABLE, "stopped while %s was read", records->topic);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(records->consumer, POLL_MS);
        if (!message)
            continue;
        status = take_message(records, message, err);
        rd_kafka_message_destroy(message);
    }
    return status;
}

/* --- the answer --- */

enum dlq_age dlq_current_records_check(struct dlq_current_records *records, const struct dlq_letter *letter)
{
    struct dlq_content read;
    letter_decode(records, letter, &read);
    struct span id = dlq_content_value_id(&read);
    const struct person *person = find_person(records, id.data ? id : read.key_id);
    bool has_record = person && person->occurred_at_ms != INT64_MIN, is_named = id.data || read.key_id.data;
    if (read.value_code != EVENT_OK)
        return has_record || !is_named ? DLQ_AGE_UNKNOWN : DLQ_AGE_CURRENT;
    return person && read.event.occurred_at_ms < person->occurred_at_ms ? DLQ_AGE_OLDER : DLQ_AGE_CURRENT;
}
