/* The topics of the sink as its group shares them out: joining, partitions that nobody has been given yet, and how much
 * is not stored. */
#pragma once

#include "scorer/stream/start_offsets.h"
#include "scorer/settings.h"
#include "scorer/sink/sink_batch.h"

/* Plain data; borrows all. */
struct sink_topics {
    struct start_offsets sources[SINK_TOPIC_COUNT]; /* consumer, topic and group */
    int count;                                      /* of the topics that are read */
    struct untaken_partitions untaken[SINK_TOPIC_COUNT];
    int64_t lag_us;       /* steady clock: when the lag was last added up */
    const char *instance; /* group.instance.id; empty: none */
    char member[300];     /* under which partitions were last assigned; empty: not yet */
    struct error failure; /* for good; status STATUS_OK: none */
    bool leaving;         /* the group is left for good */
    bool unanswered;      /* lost partitions have not been given up */
};

/* names[SINK_TOPIC_ALERT] may be NULL: not read. */
void sink_topics_start(struct sink_topics *topics, rd_kafka_t *consumer, const char *group_id, const char *instance,
                       const char *const names[SINK_TOPIC_COUNT]);

/* They exist; that of alerts is made where nobody has named it. */
MUST_USE enum status sink_topics_check(const struct sink_topics *topics, const struct settings *settings,
                                       struct error *err);

/* Joins the group, or once more: then all partitions are assigned again. */
MUST_USE enum status sink_topics_join(const struct sink_topics *topics, struct error *err);

/* These partitions have been assigned, which is logged: those without a committed offset get one within seconds, and
 * are not looked for before. */
void sink_topics_assigned(struct sink_topics *topics, const rd_kafka_topic_partition_list_t *list);

/* Before lost partitions are given up, upon which the client joins again: a process that stood still would throw out
 * the one that has taken its place. False: it has been taken, which is the failure, or this process has failed or is
 * leaving.
 * Waits for brokers, until *stop. */
bool sink_topics_may_join(struct sink_topics *topics, const _Atomic bool *stop);
MUST_USE enum status sink_topics_failure(const struct sink_topics *topics, struct error *err);

/* New partitions that nobody has been given yet are looked for every ten seconds; where the group leaves them alone for
 * too long (a static member that starts again gets what it had, and its client asks for nothing else) it is joined once
 * more. Blocks for some seconds at most. */
MUST_USE enum status sink_topics_watch(struct sink_topics *topics, struct error *err);

/* Once a second: offsets of the partitions that are not stored, as last fetched, and of those that nobody has. */
void sink_topics_count_lag(struct sink_topics *topics, const struct sink_batch *batch, struct counters *counters);
