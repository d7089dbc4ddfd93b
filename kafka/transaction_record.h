/* One record of a transaction. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"

/* Plain data; borrows, but takes the headers. */
struct transaction_record {
    size_t topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: by key */
    struct span key, value;
    int64_t timestamp_ms;        /* 0: now */
    rd_kafka_headers_t *headers; /* NULL: none */
    void *opaque;                /* message->_private of its report */
};

/* Copies it into the queue for this topic. Only without an error has it taken the headers. */
rd_kafka_resp_err_t transaction_record_produce(rd_kafka_t *producer, rd_kafka_topic_t *topic,
                                               const struct transaction_record *record);
