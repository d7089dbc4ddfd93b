/* Acknowledged records: see last_offsets.h. librdkafka's broker threads call on_acknowledged, which may only note a
 * number. */
#include "kafka/last_offsets.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kafka/acknowledgements.h"

enum { PARTITIONS_MOST = 65536 };

struct last_offsets {
    const char *topic;
    struct acknowledgements acknowledgements;
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

enum status last_offsets_watch(struct last_offsets *last, rd_kafka_conf_t *conf, struct error *err)
{
    last->acknowledgements = (struct acknowledgements){"last", on_acknowledged, last};
    return acknowledgements_watch(&last->acknowledgements, conf, err);
}

int64_t last_offsets_of(const struct last_offsets *last, int32_t partition)
{
    if (partition < 0 || partition >= PARTITIONS_MOST)
        return -1;
    return atomic_load_explicit(&last->ends[partition], memory_order_acquire) - 1;
}
