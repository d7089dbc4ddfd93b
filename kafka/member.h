/* Whether a consumer is still the member of its group that it believes to be: the one question that tells a process
 * from its successor for certain. A static member that is replaced by another process of the same group.instance.id
 * gets no notice until its next heartbeat; the group's coordinator knows at once, and whoever joined last is right. */
#ifndef KAFKA_MEMBER_H
#define KAFKA_MEMBER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/status.h"

/* Asks the coordinator once, for at most timeout_ms. STATUS_OK: *member is the answer; else it was not to be had. */
MUST_USE enum status kafka_member_check(rd_kafka_t *consumer, const char *group, int timeout_ms, bool *member,
                                        struct error *err);

/* Whether another process has joined as this group.instance.id since we were the member `id`. As above. */
MUST_USE enum status kafka_member_replaced(rd_kafka_t *consumer, const char *group, const char *instance,
                                           const char *id, int timeout_ms, bool *replaced, struct error *err);

#endif
