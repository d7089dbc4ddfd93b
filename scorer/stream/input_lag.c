/* See input_lag.h. Used by input_consumer.c, on the score loop's thread. */
#include "scorer/stream/input_lag.h"

static struct partition_lag lag_of(const struct input_lag *source, int32_t partition)
{
    const struct input_position *position = &source->positions[partition];
    int64_t low, high;
    if (rd_kafka_get_watermark_offsets(source->consumer, source->topic, partition, &low, &high) || high < 0)
        high = 0;
    return (struct partition_lag){partition, position->next, high, position->last_ms};
}

size_t input_lag_list(const struct input_lag *source, struct partition_lag *out, size_t capacity)
{
    size_t count = 0;
    for (int32_t p = 0; p < source->count && count < capacity; p++)
        if (source->positions[p].assigned)
            out[count++] = lag_of(source, p);
    return count;
}

uint64_t input_lag_messages(const struct input_lag *source)
{
    uint64_t messages = 0;
    for (int32_t p = 0; p < source->count; p++)
        if (source->positions[p].assigned)
            messages += partition_lag_messages(lag_of(source, p));
    return messages;
}

bool input_lag_any(const struct input_lag *source)
{
    for (int32_t p = 0; p < source->count; p++) {
        const struct input_position *position = &source->positions[p];
        if (position->assigned && !position->waiting && position->eof != position->next &&
            partition_lag_messages(lag_of(source, p)))
            return true;
    }
    return false;
}
