/* Whether another process has taken a consumer's place in its group: the one question that distinguishes a process from
 * its successor for certain. A static member that is replaced by another process of the same group.instance.id gets no
 * notice until its next heartbeat; the group's coordinator knows at once, and whoever joined last is right. A process
 * that was interrupted for longer than its session is no member any more, but as long as nobody else has joined as its
 * instance, nobody has its place: it may go on, and joins once more. Transactions start after joining
 * (scorer/stream/publish.h), so a process that has thrown out another has been a member by then. No answer is no reason
 * to go on: brokers are waited for. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Until brokers answer, or *stop; the caller, in logs. */
struct member_wait {
    const _Atomic bool *stop;
    const char *where;
};

/* The partitions of a topic, and which of them a member of the group is assigned. Owned by the caller. */
struct member_partitions {
    const char *topic;
    int32_t count;
    bool *assigned; /* count */
};

/* Asks the group's coordinator. STATUS_OK: *ours is the answer: the group lists this consumer, or (a static member)
 * nobody of its instance; STATUS_UNAVAILABLE: stopped; else the answer is refused. */
MUST_USE enum status kafka_member_check(rd_kafka_t *consumer, const char *group, const struct member_wait *wait,
                                        bool *ours, struct error *err);

/* How many members the group has. As above. */
MUST_USE enum status kafka_member_count(rd_kafka_t *consumer, const char *group, const struct member_wait *wait,
                                        size_t *count, struct error *err);

/* Sets `assigned` by what the group's leader has given out, whether or not anybody reads it. Asks once, for half a
 * second. *asker: NULL at first, kept between calls and freed (kafka_client_free) by the caller. STATUS_UNAVAILABLE: no
 * answer, or the group is sharing its partitions out right now. */
MUST_USE enum status kafka_member_partitions(rd_kafka_t *consumer, rd_kafka_t **asker, const char *group,
                                             const struct member_partitions *partitions, struct error *err);

/* Whether another process has joined as this group.instance.id since we were the member `id`. As above. */
MUST_USE enum status kafka_member_replaced(rd_kafka_t *consumer, const char *group, const char *instance,
                                           const char *id, const struct member_wait *wait, bool *replaced,
                                           struct error *err);
