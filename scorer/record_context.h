/* A message's context (topic, partition, offset, time, CloudEvents headers), for events that come as JSON. */
#pragma once

#include "events/json_event.h"
#include "kafka/message.h"

/* Borrows from both. Costs next to nothing where a message has no headers. */
static inline struct record_context record_context_of(const rd_kafka_message_t *message, const char *topic)
{
    rd_kafka_headers_t *headers;
    struct record_context context = {
        .topic = span_of(topic),
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
    };
    if (rd_kafka_message_headers(message, &headers))
        return context;
    context.ce_specversion = kafka_message_header(message, "ce_specversion");
    if (!context.ce_specversion.data) /* headers of something else: one search is enough */
        return context;
    context.ce_id = kafka_message_header(message, "ce_id");
    context.ce_time = kafka_message_header(message, "ce_time");
    context.ce_subject = kafka_message_header(message, "ce_subject");
    return context;
}
