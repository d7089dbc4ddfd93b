/* Outboxes to the input topic, with the position they complete: the sender's librdkafka side. One thread.
 *
 * With exactly-once delivery an outbox is one transaction, open only while it is sent and committed, so that a reader
 * of committed records is delayed no longer than that. One that is rolled back is sent again; an event that the
 * brokers refuse is found by halving. Otherwise records are idempotent and the position follows them. */
#pragma once

#include "base/options.h"
#include "base/status.h"
#include "producer/outbox.h"

/* Plain data; borrowed. */
struct sender_settings {
    const struct options *options;
    const char *topic;
    const char *where;        /* the command, for messages */
    const char *group;        /* keeps the position; NULL: nobody does, and records go without transactions */
    int64_t rate;             /* events a second at most; 0: any number */
    const _Atomic bool *stop; /* the user wants to end */
    /* Each record that the brokers have for good: its place. On the sender's thread. NULL: not asked for. */
    void (*on_placed)(void *context, int32_t partition, int64_t offset);
    /* An event that was not delivered and never will be. On the caller's thread, within sender_poll and the like. */
    void (*on_failed)(void *context, uintptr_t tag, const char *reason);
    /* Now and then while the caller waits. NULL: not. */
    void (*on_wait)(void *context);
    void *context;
};

/* sent = acknowledged + failed + in flight. Acknowledged: committed, where there are transactions. */
struct sender_kafka_counts {
    _Atomic uint64_t acknowledged, failed;
};

struct sender_kafka;

/* Waits for brokers until *give_up. With a group: ends what an earlier run left open and reads its position. */
MUST_USE enum status sender_kafka_new(const struct sender_settings *settings, const _Atomic bool *give_up,
                                      struct sender_kafka **out, struct error *err);
void sender_kafka_free(struct sender_kafka *kafka);

bool sender_kafka_is_exactly_once(const struct sender_kafka *kafka);
struct resume_position sender_kafka_position(const struct sender_kafka *kafka); /* zero: none was committed */

/* Sends the outbox and commits its position. Events that never can be delivered are marked refused and counted. Waits
 * for brokers. Failure is for good, or STATUS_UNAVAILABLE after *give_up: what was not acknowledged does not count. */
MUST_USE enum status sender_kafka_send(struct sender_kafka *kafka, struct outbox *outbox,
                                       struct sender_kafka_counts *counts, struct error *err);
