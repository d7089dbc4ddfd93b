/* What librdkafka fetches ahead of its reader, and when it goes on. Waits for librdkafka's own threads, not for a
 * broker. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

/* Fetching stops while the queue is full, and librdkafka before 2.2 looks only once a second whether it still is: by
 * then a busy loop has emptied it and waits. True, once: half of what was queued has been taken, so fetching should go
 * on. *most is the caller's, zero at first: the messages that were queued at most since then. */
bool prefetch_drained(rd_kafka_queue_t *queue, size_t *most);
/* Makes it look now. Overwrites the offsets of the list. */
void prefetch_look(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *assigned);
