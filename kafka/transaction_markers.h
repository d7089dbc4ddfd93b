/* Whether the end of a transaction has reached its records, and what is done where it has not.
 *
 * A transaction ends for readers by a marker in each partition it wrote to, and coordinators of Kafka 4.1 to 4.4 and
 * later skip those of partitions whose leader is unavailable (KAFKA-20734), also of a commit that they acknowledge. The
 * records stay open then, and the next marker of the same identity decides them: an abort would lose them. So the place
 * of each record is noted when a broker acknowledges it, and after a commit the last stable offset of these partitions
 * must pass them before the next transaction begins. Where it does not, a record of no event, with KAFKA_CONTROL_HEADER
 * (message.h), is committed there: its marker commits what was left. The program's own readers skip that record.
 *
 * That is no detour: the coordinator begins no transaction before the markers of the last are written, and librdkafka
 * asks it every 20 ms at the most often. */
#pragma once

#include <stdatomic.h>

#include "base/status.h"
#include "kafka/call_watchdog.h"
#include "kafka/transaction_setup.h"

enum { PLACE_CHUNK = 64, PLACE_CHUNKS = 1024 }; /* partitions: the product */

/* Of one partition, one past the offset; 0: none yet. */
struct place {
    _Atomic int64_t first, last;
};

/* Plain data, embedded; must outlive the client. Broker threads write to it. */
struct markers {
    const char *const *topics;
    size_t topic_count;
    bool repeated; /* a call ran out of time and was made again: a fresh producer must follow */
    struct place *_Atomic chunks[TRANSACTION_TOPICS_MAX][PLACE_CHUNKS];
};

/* A producer and what its calls need. Plain data, borrowed. */
struct markers_client {
    const struct transaction_setup *setup;
    rd_kafka_t *producer;
    rd_kafka_topic_t *const *topics; /* handles in the order of the setup's names */
    struct call_watchdog *watchdog;
};

/* What a transaction was to commit, besides its records. Borrowed; NULL: no offsets. */
struct markers_offsets {
    rd_kafka_t *consumer;
    const rd_kafka_topic_partition_list_t *list;
};

/* For the one client that is made of this configuration. */
MUST_USE enum status markers_add(struct markers *markers, rd_kafka_conf_t *conf, struct error *err);
void markers_free(struct markers *markers);

void markers_clear(struct markers *markers); /* nothing is acknowledged yet */
/* Offsets of the records acknowledged since then. False: none. */
bool markers_range(const struct markers *markers, const char *topic, int32_t partition, int64_t *first, int64_t *last);

/* After a commit, before anything else of this identity is sent: waits until its markers are there, for brokers until
 * *stop. `acknowledged`: the coordinator has said that it is committed; else the group's offsets decide, and what they
 * do not know as committed stays as it is. *left: some partitions are, since another's transaction is open before our
 * records there; their places stay noted, for the next time. Failure is for good: records are open, the text says
 * where. */
MUST_USE enum status markers_confirm(struct markers *markers, const struct markers_client *client,
                                     const struct markers_offsets *offsets, bool acknowledged, bool *left,
                                     struct error *err);
