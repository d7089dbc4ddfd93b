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
#include "kafka/acknowledgements.h"
#include "kafka/call_watchdog.h"
#include "kafka/in_flight_requests.h"
#include "kafka/transaction_setup.h"

enum { PLACE_CHUNK = 64, PLACE_CHUNKS = 1024, PLACE_FIRSTS = 6 }; /* partitions: the product of the first two */

/* Of one partition: the first offsets of transactions whose end has not been seen there, in their order. */
struct place {
    _Atomic int64_t firsts[PLACE_FIRSTS];
    _Atomic size_t count;
    _Atomic uint32_t transaction; /* the number of the latest */
};

/* A commit whose markers are waited for. */
struct markers_commit {
    rd_kafka_t *consumer;                  /* NULL: it was of records alone */
    rd_kafka_topic_partition_list_t *list; /* the offsets that it was to commit; ours */
    bool acknowledged;                     /* else the group's offsets decide whether it was one */
};

/* Plain data, embedded; must outlive the client. Broker threads write to the places. */
struct markers {
    const char *const *topics;
    size_t topic_count;
    bool unconfirmed;             /* the last commit's have not been seen */
    bool carried;                 /* … nor those of one before the open transaction: its end is theirs too */
    bool repeated;                /* a call ran out of time and was made again: a fresh producer must follow */
    _Atomic bool commits;         /* what is reported now are control records */
    _Atomic uint32_t transaction; /* the number of the latest */
    struct markers_commit ending;
    struct acknowledgements acknowledgements;
    struct place *_Atomic chunks[TRANSACTION_TOPICS_MAX][PLACE_CHUNKS];
};

/* A producer and what its calls need. Plain data, borrowed. */
struct markers_client {
    const struct transaction_setup *setup;
    rd_kafka_t *producer;
    rd_kafka_topic_t *const *topics; /* handles in the order of the setup's names */
    struct call_watchdog *watchdog;
    const struct in_flight_requests *in_flight;
};

/* For the one client that is made of this configuration. */
MUST_USE enum status markers_add(struct markers *markers, rd_kafka_conf_t *conf, struct error *err);
void markers_free(struct markers *markers);

enum place_state {
    PLACE_NONE,   /* nothing is waited for: the ends have been seen, or nothing was written */
    PLACE_OURS,   /* our own record is the first that is open there */
    PLACE_HIDDEN, /* another's transaction is open before ours: not known until that has ended */
};
/* What the partition's last stable offset says. Forgets what has ended. */
enum place_state markers_look(const struct markers *markers, const char *topic, int32_t partition, int64_t stable);
void markers_clear(struct markers *markers); /* no record's end is waited for */
void markers_begin(struct markers *markers); /* what is acknowledged from here on is of another transaction */
/* A commit is asked for, of these offsets (NULL: none); it has been acknowledged, or has never left. */
void markers_commit_asked(struct markers *markers, rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list);
void markers_commit_acknowledged(struct markers *markers);
void markers_commit_dropped(struct markers *markers);

enum markers_result {
    MARKERS_SEEN,   /* or there is nothing to wait for */
    MARKERS_HIDDEN, /* another's transaction is open before our records somewhere: look again later */
    MARKERS_RENEW,  /* a fresh producer must look again, before it aborts anything */
    MARKERS_FAILED, /* for good; err says why */
};
/* After a commit, before anything else of this identity is sent. Waits for brokers, unless `once`. Of a commit without
 * an answer, what the group's offsets do not know as committed is left for the one who aborts. */
MUST_USE enum markers_result markers_confirm(struct markers *markers, const struct markers_client *client, bool once,
                                             struct error *err);
/* The same, and while another's transaction hides them, until that has ended: half a minute at most. The next
 * transaction would decide records whose marker was skipped, and could be aborted; readers of committed records see
 * nothing of either before that end, so the wait delays nobody. */
MUST_USE enum markers_result markers_await(struct markers *markers, const struct markers_client *client,
                                           struct error *err);
/* The same before all that is open is aborted: what has not been seen may be lost then, and is logged. */
MUST_USE enum markers_result markers_confirm_last(struct markers *markers, const struct markers_client *client,
                                                  struct error *err);
/* Logs what is still waited for when nobody will look any more. */
void markers_report(const struct markers *markers, const struct transaction_setup *setup);
