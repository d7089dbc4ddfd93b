/* A record for librdkafka: see transaction_record.h. */
#include "kafka/transaction_record.h"

static rd_kafka_resp_err_t produce(rd_kafka_topic_t *topic, const struct transaction_record *record, void *value)
{
    return rd_kafka_produce(topic, record->partition, RD_KAFKA_MSG_F_COPY, value, record->value.bytes, record->key.data,
                            record->key.bytes, record->opaque)
               ? rd_kafka_last_error()
               : RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t transaction_record_produce(rd_kafka_t *producer, rd_kafka_topic_t *topic,
                                               const struct transaction_record *record)
{
    void *value = (void *)(uintptr_t)record->value.data;
    if (!record->headers && !record->timestamp_ms) /* the hot path */
        return produce(topic, record, value);
    if (!record->headers)
        return rd_kafka_producev(
            producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record->partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key.data, record->key.bytes),
            RD_KAFKA_V_VALUE(value, record->value.bytes), RD_KAFKA_V_TIMESTAMP(record->timestamp_ms),
            RD_KAFKA_V_OPAQUE(record->opaque), RD_KAFKA_V_END);
    return rd_kafka_producev(
        producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key.data, record->key.bytes),
        RD_KAFKA_V_VALUE(value, record->value.bytes), RD_KAFKA_V_HEADERS(record->headers),
        RD_KAFKA_V_TIMESTAMP(record->timestamp_ms), RD_KAFKA_V_OPAQUE(record->opaque), RD_KAFKA_V_END);
}
