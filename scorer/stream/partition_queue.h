/* Where a partition's fetched messages go, and where fetching goes on: what has to be set in librdkafka for that. All
 * are called on the score loop's thread; they wait for librdkafka's own threads, not for a broker. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* on: to `queue`, and fetched. Off: nowhere, and not fetched, so that a partition that is not read holds no memory.
 * Must be switched on again before the partition is revoked, and then be followed by a seek or an assignment. False:
 * the partition is not assigned any more. */
bool partition_queue_forward(rd_kafka_t *consumer, rd_kafka_queue_t *queue, const char *topic, int32_t partition,
                             bool on);

/* Each partition of the list goes on from its offset; what is still queued from before is dropped by librdkafka. */
rd_kafka_resp_err_t partition_queue_seek(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *list);

/* Nothing is fetched; the partitions stay the member's. */
rd_kafka_resp_err_t partition_queue_assign_none(rd_kafka_t *consumer);

/* Up to `capacity` messages, the caller's to destroy; waits at most timeout_ms for the first. *left_us: steady clock
 * when they left the queue. */
size_t partition_queue_fetch(rd_kafka_queue_t *queue, int timeout_ms, rd_kafka_message_t **messages, size_t capacity,
                             int64_t *left_us);
