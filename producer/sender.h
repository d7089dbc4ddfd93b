/* Events to the input topic: a thread of its own sends them, in order, while the caller reads on.
 *
 * The caller's calls come from one thread, and on_failed is called within them. Two outboxes take turns: one is filled,
 * the other is sent; a caller that is ahead waits. What lies in the outbox is sent when it is full, or a moment after
 * its first event, whatever the caller does meanwhile. */
#pragma once

#include "producer/sender_kafka.h"

struct sender;

/* sent = acknowledged + failed + in flight. Plain data. */
struct sender_counts {
    uint64_t sent, acknowledged, failed;
};

/* Waits for a broker until *stop (said in the log), then for the topic. STATUS_NOT_FOUND: there is no such topic.
 * Copies the settings. */
MUST_USE enum status sender_new(const struct sender_settings *settings, struct sender **out, struct error *err);
void sender_free(struct sender *sender);

/* Known once it is open. */
bool sender_is_exactly_once(const struct sender *sender);
struct resume_position sender_position(const struct sender *sender);

/* Copies key and value; waits while both outboxes are full. `partition` −1: the key's. What is refused (too large)
 * counts as sent and failed. `after`: the position once it counts. STATUS_UNAVAILABLE: *stop came while waiting,
 * nothing was taken. Another: nothing can be delivered any more. */
MUST_USE enum status sender_send(struct sender *sender, struct span key, struct span value, int32_t partition,
                                 uintptr_t tag, const struct resume_position *after, struct error *err);
/* A row that is not sent: the position goes past it. */
void sender_pass(struct sender *sender, const struct resume_position *after);

/* Reports what failed since the last call. */
void sender_poll(struct sender *sender);

/* Waits until every event is acknowledged or failed; after *stop 10 s and a call under way at most. `end`: where the
 * input has come to its end; NULL: it has not. */
MUST_USE enum status sender_finish(struct sender *sender, const struct resume_position *end, struct error *err);

struct sender_counts sender_counts(const struct sender *sender);
