/* Fetching ahead: see prefetch.h. */
#include "kafka/prefetch.h"

#include "base/log.h"

enum { QUEUED_LEAST = 8192, LOOKS_BY_ITSELF = 0x02020000 };

bool prefetch_drained(rd_kafka_queue_t *queue, size_t *most)
{
    size_t queued = rd_kafka_queue_length(queue);
    if (queued > *most)
        *most = queued;
    if (rd_kafka_version() >= LOOKS_BY_ITSELF || *most < QUEUED_LEAST || queued > *most / 2)
        return false;
    *most = queued;
    return true;
}

/* A request to the leaders wakes the threads that fetch from them; nobody waits for its answer, or minds when it cannot
 * be sent. */
void prefetch_look(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *assigned)
{
    for (int i = 0; i < assigned->cnt; i++)
        assigned->elems[i].offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(consumer, assigned, 0);
    if (code && code != RD_KAFKA_RESP_ERR__TIMED_OUT)
        log_debug("kafka", "%s: fetching goes on within a second: %s", rd_kafka_name(consumer), rd_kafka_err2str(code));
}
