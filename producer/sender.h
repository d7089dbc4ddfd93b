/* Messages to the input topic: idempotent, every delivery report counted. The only file of the producer that knows
 * librdkafka. One thread: reports arrive inside sender_send, sender_poll and sender_finish. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/options.h"
#include "base/status.h"

struct sender;

/* sent = acknowledged + failed + in flight. Plain data. */
struct sender_counts {
    uint64_t sent, acknowledged, failed;
};

/* Called for each message that was not delivered. `tag` is what sender_send was given; it fits in a pointer. */
typedef void sender_failed_fn(void *context, uintptr_t tag, const char *reason);

/* Waits for a broker until *stop (said in the log), then for the topic. STATUS_NOT_FOUND: there is no such topic. */
MUST_USE enum status sender_new(const struct options *options, const char *topic, const _Atomic bool *stop,
                                sender_failed_fn *on_failed, void *context, struct sender **out, struct error *err);
void sender_free(struct sender *sender);

/* Copies key and value into the client's queue; waits while the queue is full. What the client refuses by itself (too
 * large) counts as sent and failed. STATUS_UNAVAILABLE: *stop came while waiting, nothing was sent. STATUS_CONFLICT or
 * another: the client can never deliver again. */
MUST_USE enum status sender_send(struct sender *sender, struct span key, struct span value, uintptr_t tag,
                                 struct error *err);

/* Serves delivery reports that are there. */
void sender_poll(struct sender *sender);

/* Waits until every message has its report, `on_wait` being called now and then (NULL: not); after *stop 10 s at most.
 */
void sender_finish(struct sender *sender, void (*on_wait)(void *context), void *context);

struct sender_counts sender_counts(const struct sender *sender);
