/* Reads and checks the newest records. See check_sample.h. Main thread of `scorer check`. */
#include "scorer/check/check_sample.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "events/decoder.h"
#include "events/frame.h"
#include "events/key.h"
#include "avro/registry_client.h"
#include "events/validate.h"
#include "kafka/client.h"
#include "kafka/consumer.h"
#include "scorer/record_context.h"

enum { LIMIT_US = 10000000, END_MS = 2000, POLL_MS = 100, WAIT_US = 20000 };

struct sampler {
    const struct settings *settings;
    struct schema *schema;
    struct registry_client *registry; /* NULL: none */
    struct decoder *decoder;
    struct key_reader *keys;
    struct cell *cells;
    int64_t latest_ms; /* occurred_at's bound */
    rd_kafka_t *consumer;
    int64_t deadline_us;
    int open; /* partitions whose end is not reached */
    struct check_sample *out;
};

static bool in_time(const struct sampler *sampler)
{
    return clock_steady_us(&clock_system) < sampler->deadline_us;
}

static enum status make_decoder(struct sampler *sampler, struct error *err)
{
    const struct options *options = sampler->settings->options;
    const struct registry_settings wanted = registry_settings_read(options);
    const char *unframed = options_text(options, OPTION_UNFRAMED);
    enum status status = decoder_new(sampler->schema, &sampler->decoder, err);
    if (status == STATUS_OK && wanted.urls)
        status = registry_client_new(&wanted, NULL, &sampler->registry, err);
    if (status != STATUS_OK)
        return status;
    decoder_use_registry(sampler->decoder, sampler->registry);
    sampler->keys = key_reader_new(sampler->registry);
    if (sampler->settings->input_map)
        key_reader_use_map(sampler->keys, input_map_key(sampler->settings->input_map));
    decoder_take_json(sampler->decoder, sampler->settings->input_format, &sampler->settings->json);
    return unframed && *unframed ? decoder_take_unframed(sampler->decoder, unframed, err) : STATUS_OK;
}

static enum status make_consumer(struct sampler *sampler, struct error *err)
{
    const struct settings *settings = sampler->settings;
    if (kafka_reader_new(settings->options, settings->group_id, &sampler->consumer, err) != STATUS_OK)
        return err->status;
    rd_kafka_poll_set_consumer(sampler->consumer);
    return STATUS_OK;
}

static enum status assign(struct sampler *sampler, int partitions, uint64_t wanted, struct error *err)
{
    int64_t each = (int64_t)(wanted + (uint64_t)partitions - 1) / partitions;
    const char *topic = sampler->settings->input_topic;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int32_t p = 0; p < partitions && !code && in_time(sampler); p++) {
        int64_t low, high;
        code = rd_kafka_query_watermark_offsets(sampler->consumer, topic, p, &low, &high, END_MS);
        if (!code && high > low)
            rd_kafka_topic_partition_list_add(list, topic, p)->offset = high - each > low ? high - each : low;
    }
    sampler->open = list->cnt;
    if (!code && list->cnt)
        code = rd_kafka_assign(sampler->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return error_set(err, kafka_status(code), "%s cannot be read: %s", topic, rd_kafka_err2str(code));
    return STATUS_OK;
}

/* What the score loop would make of the message, as far as it is known now. */
static enum event_code check_once(struct sampler *sampler, const rd_kafka_message_t *message, bool *waits)
{
    const struct span key = kafka_payload(message->key, message->key_len);
    const struct span value = {message->payload, message->len};
    char storage[ID_BYTES_MAX];
    struct event event = {.cells = sampler->cells};
    struct span key_id = SPAN_NULL;
    const struct record_context context = record_context_of(message, sampler->settings->input_topic);
    struct fault fault;
    enum event_code code = EVENT_OK;
    *waits = false;
    decoder_reset(sampler->decoder);
    if (!value.data && sampler->settings->null_ignored)
        return EVENT_OK;
    if (!value.data && !key.data)
        return EVENT_NULL_KEY;
    if (value.data)
        code = decoder_read_record(sampler->decoder, value, kafka_message_header(message, FRAME_HEADER), &context,
                                   &event, &fault, waits);
    if (code == EVENT_OK && event.ignored)
        return EVENT_OK;
    if (code == EVENT_OK && !*waits && key.data)
        code = key_read(sampler->keys, key, storage, &key_id, &fault, waits);
    if (code == EVENT_OK && !*waits && value.data)
        code = validate_event(sampler->schema, &event, key_id, sampler->latest_ms, &fault);
    if (code == EVENT_OK && !*waits && value.data && event.partial && !sampler->settings->state_topic)
        code = EVENT_PARTIAL; /* else it depends on the employee's record */
    return code;
}

static void check_record(struct sampler *sampler, const rd_kafka_message_t *message)
{
    bool waits;
    enum event_code code = check_once(sampler, message, &waits);
    while (waits && in_time(sampler)) { /* for the registry's answers */
        usleep(WAIT_US);
        code = check_once(sampler, message, &waits);
    }
    if (waits) {
        sampler->out->unread++;
        return;
    }
    sampler->out->read++;
    if (code == EVENT_OK)
        sampler->out->good++;
    else
        sampler->out->counts[code]++;
}

static void read_all(struct sampler *sampler)
{
    while (sampler->open > 0 && in_time(sampler)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(sampler->consumer, POLL_MS);
        if (!message)
            continue;
        if (!message->err)
            check_record(sampler, message);
        else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            sampler->open--;
        rd_kafka_message_destroy(message);
    }
    sampler->out->unread += (uint64_t)sampler->open;
}

enum status check_sample_take(const struct settings *settings, struct schema *schema, int partitions, uint64_t wanted,
                              struct check_sample *out, struct error *err)
{
    struct sampler sampler = {
        .settings = settings,
        .schema = schema,
        .deadline_us = clock_steady_us(&clock_system) + LIMIT_US,
        .latest_ms = (clock_real_us(&clock_system) + settings->max_future_us) / 1000,
        .out = out,
    };
    *out = (struct check_sample){0};
    sampler.cells = mem_zeroed(schema->column_count, sizeof *sampler.cells);
    enum status status = make_decoder(&sampler, err);
    if (status == STATUS_OK)
        status = make_consumer(&sampler, err);
    if (status == STATUS_OK)
        status = assign(&sampler, partitions, wanted, err);
    if (status == STATUS_OK)
        read_all(&sampler);
    kafka_client_free(sampler.consumer);
    key_reader_free(sampler.keys);
    decoder_free(sampler.decoder);
    registry_client_free(sampler.registry);
    free(sampler.cells);
    return status;
}
