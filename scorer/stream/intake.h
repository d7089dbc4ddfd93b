/* The input topic, as a score loop takes it: batches of messages, and the position up to which they are handled.
 *
 * Wraps one consumer. The position is computed from the messages handed out, never asked of librdkafka. Partitions come
 * and go (eager assignment); before they go the owner is called, to commit or abort what is open. All calls come from
 * the score loop's thread. */
#ifndef SCORER_STREAM_INTAKE_H
#define SCORER_STREAM_INTAKE_H

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"
#include "base/status.h"
#include "scorer/counters.h"
#include "scorer/stream/lag.h"
#include "scorer/settings.h"

struct intake;

/* Plain data; borrows from `origin` until intake_accept or the next intake_poll. */
struct intake_message {
    struct span key, value;    /* SPAN_NULL: null */
    struct span schema_header; /* of the last header FRAME_HEADER (events/frame.h); SPAN_NULL: none */
    int32_t partition;
    int64_t offset;
    const rd_kafka_message_t *origin; /* for publish alone: headers and timestamp */
};

/* Called within intake_poll and intake_free before assigned partitions leave. After it, nothing of what was handed out
 * before may be published. lost: they are somebody else's already, so the open transaction cannot be committed. */
struct intake_owner {
    void (*leaving)(void *context, bool lost);
    void *context;
};

/* Waits for a broker, checks that the topic exists, subscribes. *partitions: how many the topic has. */
MUST_USE enum status intake_new(const struct settings *settings, unsigned worker, struct counters *counters,
                                const struct intake_owner *owner, const _Atomic bool *stop, struct intake **out,
                                int *partitions, struct error *err);
void intake_free(struct intake *intake); /* leaves the group; what is not committed will be received again */

/* Whether the group has said which partitions are this member's, or that none are. Nothing of them is looked up before
 * the next poll. */
bool intake_joined(const struct intake *intake);

/* Up to `capacity` messages (a capacity other than the last costs an allocation); waits at most timeout_ms for the
 * first. *left_us: steady clock when they left the client library's queue. Failure is for good: err says what to do. */
MUST_USE enum status intake_poll(struct intake *intake, int timeout_ms, struct intake_message *messages,
                                 size_t capacity, size_t *count, int64_t *left_us, struct error *err);

/* Partitions that must wait. From this message of the batch on, its partition's messages are handed out no more and its
 * position stays before it; its queue is not read, other partitions go on. */
void intake_set_waiting(struct intake *intake, const struct intake_message *message);
bool intake_is_waiting(const struct intake *intake, int32_t partition);
bool intake_any_waiting(const struct intake *intake);
/* Between batches: every partition that waits goes on from its position. */
MUST_USE enum status intake_go_on(struct intake *intake, struct error *err);

/* The last batch is handled: moves the position one past it (waiting partitions: up to what they wait for) and frees
 * its messages. */
void intake_accept(struct intake *intake);

/* Positions moved since the last intake_committed, as librdkafka wants them; the caller's to destroy. NULL: none. */
rd_kafka_topic_partition_list_t *intake_offsets(const struct intake *intake);
rd_kafka_t *intake_client(struct intake *intake); /* for the group's metadata and at-least-once commits */
/* These of intake_offsets are committed (NULL: none); positions may have moved on since. */
void intake_committed(struct intake *intake, const rd_kafka_topic_partition_list_t *offsets);

/* Back to the last committed positions: everything after them is handed out again. */
MUST_USE enum status intake_rewind(struct intake *intake, struct error *err);

bool intake_starts_wait(const struct intake *intake); /* a look-up of starts has failed, and goes on */
bool intake_assigned(const struct intake *intake);    /* has been given its share (which may be no partition) */
bool intake_moved(const struct intake *intake);       /* some position is not committed */
/* A partition that waits for nothing has more, as last fetched. What follows an end that was reached does not count: it
 * is not readable yet (an open transaction), or has only just come. */
bool intake_behind(const struct intake *intake);
/* --exit-at-end: whether the group has committed every partition up to the end offset it had at the start. Asks the
 * coordinator; false where it does not answer. */
bool intake_at_end(struct intake *intake);
size_t intake_lags(const struct intake *intake, struct partition_lag *out, size_t capacity); /* asks no server */
uint64_t
intake_lag(const struct intake *intake); /* messages between position and end, as last fetched; asks no server */

#endif
