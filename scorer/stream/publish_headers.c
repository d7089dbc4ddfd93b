/* Headers of outputs. See publish_headers.h.
 *
 * Called by publish.c alone, on the score loop's thread; never blocks. */
#include "scorer/stream/publish_headers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "kafka/message.h"
#include "events/dead_letter.h"
#include "events/event.h"
#include "events/frame.h"
#include "events/source_position.h"
#include "kafka/message.h"

static const char trace_header[] = "traceparent";
enum { TRACE_BYTES_MAX = 256 };

/* NULL: none. */
static rd_kafka_headers_t *trace_of(const struct input_message *source)
{
    rd_kafka_headers_t *all, *headers;
    const void *value = NULL;
    size_t bytes = 0;
    if (rd_kafka_message_headers(source->origin, &all) || rd_kafka_header_get_last(all, trace_header, &value, &bytes) ||
        !value || bytes > TRACE_BYTES_MAX)
        return NULL;
    headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, trace_header, -1, value, (ssize_t)bytes);
    return headers;
}

rd_kafka_headers_t *publish_headers_prediction(const struct input_message *source, bool hired)
{
    rd_kafka_headers_t *headers = trace_of(source);
    if (!hired)
        return headers;
    if (!headers)
        headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, EVENT_TYPE_HEADER, -1, EVENT_TYPE_HEADER_HIRED, -1);
    return headers;
}

/* The source's own, to add to. */
static rd_kafka_headers_t *headers_of(const struct input_message *source, size_t more)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(source->origin, &headers))
        return rd_kafka_headers_new(more);
    headers = rd_kafka_headers_copy(headers);
    rd_kafka_header_remove(headers, KAFKA_CONTROL_HEADER); /* what carries it is passed over by readers */
    return headers;
}

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t number)
{
    char digits[20], *const end = digits + sizeof digits, *at = end;
    assert(number >= 0);
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    rd_kafka_header_add(headers, name, -1, at, end - at);
}

/* Which record it is from: of what has no such headers yet. */
static rd_kafka_headers_t *add_source(const char *topic, rd_kafka_headers_t *headers,
                                      const struct input_message *source)
{
    rd_kafka_header_add(headers, SOURCE_TOPIC_HEADER, -1, topic, -1);
    add_number(headers, SOURCE_PARTITION_HEADER, source->partition);
    add_number(headers, SOURCE_OFFSET_HEADER, source->offset);
    return headers;
}

/* One of each name: what is sent again may carry those of its last time. */
static rd_kafka_headers_t *put_source(const char *topic, rd_kafka_headers_t *headers,
                                      const struct input_message *source)
{
    rd_kafka_header_remove(headers, SOURCE_TOPIC_HEADER);
    rd_kafka_header_remove(headers, SOURCE_PARTITION_HEADER);
    rd_kafka_header_remove(headers, SOURCE_OFFSET_HEADER);
    return add_source(topic, headers, source);
}

rd_kafka_headers_t *publish_headers_erasure(const char *topic, const struct input_message *source)
{
    return add_source(topic, rd_kafka_headers_new(3), source);
}

rd_kafka_headers_t *publish_headers_alert(const char *topic, const struct input_message *source)
{
    rd_kafka_headers_t *trace = trace_of(source);
    return add_source(topic, trace ? trace : rd_kafka_headers_new(3), source);
}

rd_kafka_headers_t *publish_headers_outcome(const char *topic, const struct input_message *source, bool as_it_came)
{
    static const char *const of_the_value[] = {FRAME_HEADER, "content-type", "ce_specversion", "ce_datacontenttype"};
    rd_kafka_headers_t *headers = headers_of(source, 4);
    for (size_t h = 0; h < sizeof of_the_value / sizeof *of_the_value && !as_it_came; h++)
        rd_kafka_header_remove(headers, of_the_value[h]);
    return put_source(topic, headers, source);
}

/* One of each name: an event that somebody sent again may carry those of its last failure. */
static void put_header(rd_kafka_headers_t *headers, enum dead_letter_header header, const char *text)
{
    const char *name = dead_letter_header_name(header);
    rd_kafka_header_remove(headers, name);
    rd_kafka_header_add(headers, name, -1, text, (ssize_t)strlen(text));
}

/* How often, and since when: kept over replays, whoever sends the event again with its headers. */
static void put_history(rd_kafka_headers_t *headers, const struct input_message *source)
{
    char number[32], now[DEAD_LETTER_TIME_BYTES];
    rd_kafka_headers_t *before;
    const void *data = NULL;
    size_t bytes = 0;
    int64_t attempt = 0;
    if (!rd_kafka_message_headers(source->origin, &before) &&
        !rd_kafka_header_get_last(before, dead_letter_header_name(DEAD_LETTER_ATTEMPT), &data, &bytes))
        attempt = dead_letter_number((struct span){data, bytes}, 0);
    snprintf(number, sizeof number, "%" PRId64, attempt < INT32_MAX ? attempt + 1 : attempt);
    put_header(headers, DEAD_LETTER_ATTEMPT, number);
    if (!rd_kafka_header_get_last(headers, dead_letter_header_name(DEAD_LETTER_FIRST_FAILED_AT), &data, &bytes))
        return;
    dead_letter_time(clock_real_us(&clock_system), now);
    put_header(headers, DEAD_LETTER_FIRST_FAILED_AT, now);
}

rd_kafka_headers_t *publish_headers_dead_letter(const char *topic, const struct input_message *source, bool bare,
                                                enum event_code code, const char *field, const char *text)
{
    char number[32], class[64], id[DEAD_LETTER_ID_BYTES];
    rd_kafka_headers_t *headers = bare ? rd_kafka_headers_new(12) : headers_of(source, 12);
    put_header(headers, DEAD_LETTER_TOPIC, topic);
    snprintf(number, sizeof number, "%d", source->partition);
    put_header(headers, DEAD_LETTER_PARTITION, number);
    snprintf(number, sizeof number, "%lld", (long long)source->offset);
    put_header(headers, DEAD_LETTER_OFFSET, number);
    put_header(headers, DEAD_LETTER_STAGE, "score");
    snprintf(class, sizeof class, "attrition.%s", event_code_name(code));
    put_header(headers, DEAD_LETTER_CLASS, class);
    put_header(headers, DEAD_LETTER_MESSAGE, text);
    put_header(headers, DEAD_LETTER_CODE, event_code_name(code));
    rd_kafka_header_remove(headers, dead_letter_header_name(DEAD_LETTER_FIELD));
    if (field)
        put_header(headers, DEAD_LETTER_FIELD, field);
    rd_kafka_header_remove(headers, dead_letter_header_name(DEAD_LETTER_SCHEMA_ID));
    if (dead_letter_schema_id(source->schema_header.data ? source->schema_header : source->value, id))
        put_header(headers, DEAD_LETTER_SCHEMA_ID, id);
    put_history(headers, source);
    return headers;
}
