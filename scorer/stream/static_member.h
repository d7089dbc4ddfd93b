/* Which static member of its group an input consumer is, and whether another process has taken its place. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "scorer/settings.h"

/* Plain data. */
struct static_member {
    char instance[300]; /* group.instance.id */
    char id[300];       /* under which partitions were last assigned; empty: not yet */
};

void static_member_name(struct static_member *member, const struct settings *settings, unsigned worker);
/* The consumer's settings, the caller's until a client takes them. */
MUST_USE enum status static_member_conf(const struct static_member *member, const struct settings *settings,
                                        rd_kafka_conf_t **out, struct error *err);
/* Joins the group, or once more: then the topic's partitions are assigned again. */
MUST_USE enum status static_member_join(rd_kafka_t *consumer, const char *topic, struct error *err);
/* Partitions have been assigned. */
void static_member_note(struct static_member *member, rd_kafka_t *consumer);

/* A process that stood still joins again as soon as it gives up its lost partitions, and would throw out the one that
 * has taken its place: asked before. STATUS_CONFLICT: it has been taken. Waits for brokers, until *stop. */
MUST_USE enum status static_member_check(const struct static_member *member, rd_kafka_t *consumer, const char *group,
                                         const _Atomic bool *stop, struct error *err);
/* After a failure of what has just been assigned: what cannot be, such as records newer than the group's offsets, may
 * be the work of a process that has taken our place. Then that is the failure. */
void static_member_explain(const struct static_member *member, rd_kafka_t *consumer, const char *group,
                           const _Atomic bool *stop, struct error *err);
