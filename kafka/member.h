/* Whether another process has taken a consumer's place in its group: the one question that tells a process from its
 * successor for certain. A static member that is replaced by another process of the same group.instance.id gets no
 * notice until its next heartbeat; the group's coordinator knows at once, and whoever joined last is right. A process
 * that was interrupted for longer than its session is no member any more, but as long as nobody else has joined as its
 * instance, nobody has its place: it may go on, and joins once more. A successor that has not joined yet is not seen;
 * it finds itself a member, and goes on, when it is fenced. */
#ifndef KAFKA_MEMBER_H
#define KAFKA_MEMBER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/status.h"

/* Asks the coordinator once, for at most timeout_ms. STATUS_OK: *ours is the answer: the group lists this consumer, or
 * (a static member) nobody of its instance; else the answer was not to be had. */
MUST_USE enum status kafka_member_check(rd_kafka_t *consumer, const char *group, int timeout_ms, bool *ours,
                                        struct error *err);

/* Whether another process has joined as this group.instance.id since we were the member `id`. As above. */
MUST_USE enum status kafka_member_replaced(rd_kafka_t *consumer, const char *group, const char *instance,
                                           const char *id, int timeout_ms, bool *replaced, struct error *err);

#endif
