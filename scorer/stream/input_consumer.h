/* The input topic, as a score loop takes it: batches of messages, and the position up to which they are handled.
 *
 * Wraps one consumer. The position is computed from the messages handed out, never asked of librdkafka. Partitions come
 * and go (eager assignment); before they go the owner is called, to commit or abort what is open. All calls come from
 * the score loop's thread. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"
#include "base/status.h"
#include "scorer/counters.h"
#include "scorer/stream/lag.h"
#include "scorer/stream/pending_partitions.h"
#include "scorer/settings.h"

struct input_consumer;

/* Plain data; borrows from `origin` until input_consumer_accept or the next input_consumer_poll. */
struct input_message {
    struct span key, value;    /* SPAN_NULL: null */
    struct span schema_header; /* of the last header FRAME_HEADER (events/frame.h); SPAN_NULL: none */
    int32_t partition;
    int64_t offset;
    const rd_kafka_message_t *origin; /* its headers and timestamp */
};

/* Called within input_consumer_poll and input_consumer_free before assigned partitions leave. After it, nothing of what
 * was handed out before may be published. lost: they are somebody else's already, so the open transaction cannot be
 * committed. */
struct input_consumer_owner {
    void (*leaving)(void *context, bool lost);
    void *context;
    struct pending_prepare prepare; /* within a poll, before they are read */
};

/* Waits for a broker, checks that the topic exists, subscribes. *partitions: how many the topic has. */
MUST_USE enum status input_consumer_new(const struct settings *settings, unsigned worker, struct counters *counters,
                                        const struct input_consumer_owner *owner, const _Atomic bool *stop,
                                        struct input_consumer **out, int *partitions, struct error *err);
void input_consumer_free(
    struct input_consumer *input); /* leaves the group; what is not committed will be received again */

/* Whether the group has said which partitions are this member's, or that none are. Nothing of them is looked up before
 * the next poll. */
bool input_consumer_joined(const struct input_consumer *input);

/* Up to `capacity` messages (a capacity other than the last costs an allocation); waits at most timeout_ms for the
 * first. *left_us: steady clock when they left the client library's queue. Failure is for good: err says what to do. */
MUST_USE enum status input_consumer_poll(struct input_consumer *input, int timeout_ms, struct input_message *messages,
                                         size_t capacity, size_t *count, int64_t *left_us, struct error *err);

/* Partitions that must wait. From this message of the batch on, its partition's messages are handed out no more and its
 * position stays before it; its queue is not read, other partitions go on. */
void input_consumer_set_waiting(struct input_consumer *input, const struct input_message *message);
bool input_consumer_is_waiting(const struct input_consumer *input, int32_t partition);
bool input_consumer_any_waiting(const struct input_consumer *input);
/* Between batches: every partition that waits goes on from its position. */
MUST_USE enum status input_consumer_go_on(struct input_consumer *input, struct error *err);

/* The last batch is handled: moves the position one past it (waiting partitions: up to what they wait for) and frees
 * its messages. */
void input_consumer_accept(struct input_consumer *input);

/* Positions moved since the last input_consumer_committed, as librdkafka wants them; the caller's to destroy. NULL:
 * none. */
rd_kafka_topic_partition_list_t *input_consumer_offsets(const struct input_consumer *input);
rd_kafka_t *
input_consumer_client(struct input_consumer *input); /* for the group's metadata and at-least-once commits */
/* These of input_consumer_offsets are committed (NULL: none); positions may have moved on since. */
void input_consumer_committed(struct input_consumer *input, const rd_kafka_topic_partition_list_t *offsets);

/* Back to the last committed positions: everything after them is handed out again. */
MUST_USE enum status input_consumer_rewind(struct input_consumer *input, struct error *err);

bool input_consumer_starts_wait(const struct input_consumer *input); /* a look-up of starts has failed, and goes on */
/* Partitions are left out: somebody's open transaction holds their current records, or the group's offset. */
bool input_consumer_any_held(const struct input_consumer *input);
bool input_consumer_assigned(
    const struct input_consumer *input); /* has been given its share (which may be no partition) */
bool input_consumer_moved(const struct input_consumer *input); /* some position is not committed */
/* A partition that waits for nothing has more, as last fetched. What follows an end that was reached does not count: it
 * is not readable yet (an open transaction), or has only just come. */
bool input_consumer_behind(const struct input_consumer *input);
/* --exit-at-end: whether the group has committed every partition up to the end offset it had at the start. Asks the
 * coordinator; false where it does not answer. */
bool input_consumer_at_end(struct input_consumer *input);
size_t input_consumer_lags(const struct input_consumer *input, struct partition_lag *out,
                           size_t capacity); /* asks no server */
uint64_t input_consumer_lag(
    const struct input_consumer *input); /* messages between position and end, as last fetched; asks no server */
