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

#include "base/status.h"

/* Until brokers answer, or *stop; the caller, in logs. */
struct member_wait {
    const _Atomic bool *stop;
    const char *where;
};

/* Asks the group's coordinator. STATUS_OK: *ours is the answer: the group lists this consumer, or (a static member)
 * nobody of its instance; STATUS_UNAVAILABLE: stopped; else the answer is refused. */
MUST_USE enum status kafka_member_check(rd_kafka_t *consumer, const char *group, const struct member_wait *wait,
                                        bool *ours, struct error *err);

/* How many members the group has. As above. */
MUST_USE enum status kafka_member_count(rd_kafka_t *consumer, const char *group, const struct member_wait *wait,
                                        size_t *count, struct error *err);

/* Whether another process has joined as this group.instance.id since we were the member `id`. As above. */
MUST_USE enum status kafka_member_replaced(rd_kafka_t *consumer, const char *group, const char *instance,
                                           const char *id, const struct member_wait *wait, bool *replaced,
                                           struct error *err);
