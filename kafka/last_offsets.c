/* Acknowledged records, by librdkafka's interceptors: see last_offsets.h. Its broker threads call on_acknowledged,
 * which may only note a number; delivery reports are no help, since the producer reports failures alone. */
#include "kafka/last_offsets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PARTITIONS_MOST = 65536 };

struct last_offsets {
    const char *topic;
    _Atomic int64_t *ends; /* one past each; 0: none. Pages that no partition needs are never touched */
};

struct last_offsets *last_offsets_new(const char *topic)
{
    struct last_offsets *last = mem_zeroed(1, sizeof *last);
    last->topic = topic;
    last->ends = mem_zeroed(PARTITIONS_MOST, sizeof *last->ends);
    return last;
}

void last_offsets_free(struct last_offsets *last)
{
    if (!last)
        return;
    free(last->ends);
    free(last);
}

static rd_kafka_resp_err_t on_acknowledged(rd_kafka_t *client, rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct last_offsets *last = opaque;
    if (!message->err && message->offset >= 0 && message->partition >= 0 && message->partition < PARTITIONS_MOST &&
        !strcmp(rd_kafka_topic_name(message->rkt), last->topic))
        atomic_store_explicit(&last->ends[message->partition], message->offset + 1, memory_order_release);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf;
    rd_kafka_resp_err_t code = rd_kafka_interceptor_add_on_acknowledgement(client, "last", on_acknowledged, opaque);
    if (code)
        snprintf(text, capacity, "cannot see acknowledgements: %s", rd_kafka_err2str(code));
    return code;
}

enum status last_offsets_watch(struct last_offsets *last, rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_conf_interceptor_add_on_new(conf, "last", on_new, last);
    return code ? error_set(err, STATUS_UNSUPPORTED, "this librdkafka does not show acknowledgements: %s",
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

int64_t last_offsets_of(const struct last_offsets *last, int32_t partition)
{
    if (partition < 0 || partition >= PARTITIONS_MOST)
        return -1;
    return atomic_load_explicit(&last->ends[partition], memory_order_acquire) - 1;
}
