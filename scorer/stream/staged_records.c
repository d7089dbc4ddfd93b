/* Records that wait: see staged_records.h. Positions instead of pointers, since the arena moves as it grows. */
#include "scorer/stream/staged_records.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct staged_record {
    size_t topic;
    int32_t partition;
    bool has_key, has_value;
    size_t at, key_bytes, value_bytes; /* the value follows the key */
    int64_t timestamp_ms;
    rd_kafka_headers_t *headers;
    void *opaque;
};

/* Each counts a record more than there is, for the headers. */
static size_t size_of(const struct staged_records *staged)
{
    return staged->bytes.bytes + staged->count * 2 * sizeof *staged->records;
}

bool staged_records_add(struct staged_records *staged, const struct transaction_record *record, size_t limit_bytes)
{
    size_t more = record->key.bytes + record->value.bytes + 2 * sizeof *staged->records;
    if (size_of(staged) + more > limit_bytes)
        return false;
    staged->records = mem_grow(staged->records, &staged->capacity, staged->count + 1, sizeof *staged->records);
    staged->records[staged->count++] = (struct staged_record){
        .topic = record->topic,
        .partition = record->partition,
        .has_key = record->key.data,
        .has_value = record->value.data,
        .at = staged->bytes.bytes,
        .key_bytes = record->key.bytes,
        .value_bytes = record->value.bytes,
        .timestamp_ms = record->timestamp_ms,
        .headers = record->headers,
        .opaque = record->opaque,
    };
    if (record->key.bytes)
        buffer_add(&staged->bytes, record->key.data, record->key.bytes);
    if (record->value.bytes)
        buffer_add(&staged->bytes, record->value.data, record->value.bytes);
    return true;
}

static struct span span_at(const struct staged_records *staged, bool has, size_t at, size_t bytes)
{
    return !has ? SPAN_NULL : bytes ? (struct span){staged->bytes.data + at, bytes} : SPAN_LITERAL("");
}

bool staged_records_next(struct staged_records *staged, struct transaction_record *out)
{
    if (staged->taken == staged->count)
        return false;
    struct staged_record *record = &staged->records[staged->taken++];
    *out = (struct transaction_record){
        .topic = record->topic,
        .partition = record->partition,
        .key = span_at(staged, record->has_key, record->at, record->key_bytes),
        .value = span_at(staged, record->has_value, record->at + record->key_bytes, record->value_bytes),
        .timestamp_ms = record->timestamp_ms,
        .headers = record->headers,
        .opaque = record->opaque,
    };
    record->headers = NULL;
    return true;
}

void staged_records_clear(struct staged_records *staged)
{
    for (size_t i = staged->taken; i < staged->count; i++)
        if (staged->records[i].headers)
            rd_kafka_headers_destroy(staged->records[i].headers);
    staged->count = staged->taken = 0;
    buffer_clear(&staged->bytes);
}

void staged_records_free(struct staged_records *staged)
{
    staged_records_clear(staged);
    free(staged->records);
    buffer_free(&staged->bytes);
    *staged = (struct staged_records){0};
}
