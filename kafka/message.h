/* What librdkafka knows of a message, as our types. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"

#define KAFKA_CONTROL_HEADER "attrition.control"

/* librdkafka hands out a pointer for an empty value, and none for null. */
static inline struct span kafka_payload(const void *data, size_t bytes)
{
    return data ? (struct span){data, bytes} : SPAN_NULL;
}

/* The last header of this name, borrowed from the message; SPAN_NULL: none. Costs next to nothing where a message has
 * no headers. */
static inline struct span kafka_message_header(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get_last(headers, name, &value, &bytes))
        return SPAN_NULL;
    return (struct span){value ? value : "", bytes};
}

/* Whether it is a record of no event, by which a scorer committed a partition once more (transaction_markers.h). */
static inline bool kafka_message_is_control(const rd_kafka_message_t *message)
{
    return !message->payload && kafka_message_header(message, KAFKA_CONTROL_HEADER).data;
}
