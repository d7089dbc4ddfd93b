/* Partitions' queues: see partition_queue.h. Called by input_consumer.c on the score loop's thread.
 *
 * Pausing alone would lose the place: librdkafka 2.0 resumes batch consumers at an offset that it has not kept. Here
 * the queue is cut off as well, and whoever switches it on again says where to go on, so that offset is never used. */
#include "scorer/stream/partition_queue.h"

#include "base/clock.h"
#include "base/log.h"

enum { SEEK_MS = 10000 };

static void set_paused(rd_kafka_t *consumer, const char *topic, int32_t partition, bool paused)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t code =
        paused ? rd_kafka_pause_partitions(consumer, list) : rd_kafka_resume_partitions(consumer, list);
    if (!code)
        code = list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        log_warn("score", "%s [%d]: cannot %s fetching: %s", topic, partition, paused ? "stop" : "start",
                 rd_kafka_err2str(code));
}

bool partition_queue_forward(rd_kafka_t *consumer, rd_kafka_queue_t *queue, const char *topic, int32_t partition,
                             bool on)
{
    rd_kafka_queue_t *own = rd_kafka_queue_get_partition(consumer, topic, partition);
    if (!own)
        return false;
    rd_kafka_queue_forward(own, on ? queue : NULL);
    rd_kafka_queue_destroy(own);
    set_paused(consumer, topic, partition, !on);
    return true;
}

rd_kafka_resp_err_t partition_queue_seek(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *list)
{
    /* 2.0 takes the time-out's milliseconds for microseconds */
    int timeout = rd_kafka_version() < 0x02010000 ? SEEK_MS * 1000 : SEEK_MS;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer, list, timeout);
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        rd_kafka_error_destroy(error);
    for (int i = 0; i < list->cnt && !code; i++)
        code = list->elems[i].err;
    return code;
}

rd_kafka_resp_err_t partition_queue_assign_none(rd_kafka_t *consumer)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer, none);
    rd_kafka_topic_partition_list_destroy(none);
    return code;
}

size_t partition_queue_fetch(rd_kafka_queue_t *queue, int timeout_ms, rd_kafka_message_t **messages, size_t capacity,
                             int64_t *left_us)
{
    /* Waiting for the first alone: a batch call would wait out the time-out even with messages in hand. */
    ssize_t got = rd_kafka_consume_batch_queue(queue, timeout_ms, messages, 1);
    *left_us = clock_steady_us(&clock_system);
    if (got <= 0)
        return 0;
    ssize_t more = rd_kafka_consume_batch_queue(queue, 0, messages + 1, capacity - 1);
    return (size_t)(got + (more > 0 ? more : 0));
}
