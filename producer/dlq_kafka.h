/* Dead letters as `producer dlq` reads them and sends them back: the librdkafka side. One thread.
 *
 * The reader takes partitions by hand, from the beginning (or after what a group has replayed) to the ends the topic
 * had when it was opened; it reads committed records only. The writer sends letters to the input topic and commits
 * the reader's replayed offsets with them: with exactly-once delivery in the same transaction. */
#pragma once

#include "base/options.h"
#include "events/dead_letter.h"
#include "events/json_settings.h"
#include "producer/dlq_replayed.h"

struct dlq_reader;
struct dlq_writer;

/* Plain data; borrows from the reader until its next letter. */
struct dlq_letter {
    int32_t partition;
    int64_t offset;
    int64_t failed_ms; /* of this record: when it became a dead letter first, else the record's own time */
    struct span key, value;
    struct dlq_replayed *replayed; /* of its partition */
    const void *origin;
};

/* What a reader makes of the replay group's replayed offsets: nothing, starts after them, or keeps them and starts at
 * the log's beginning all the same. */
enum dlq_start { DLQ_UNMARKED, DLQ_AFTER_REPLAYED, DLQ_AGAIN };

/* partition -1: all. *stop ends waiting for a broker. */
MUST_USE enum status dlq_reader_new(const struct options *options, int64_t partition, enum dlq_start start,
                                    const _Atomic bool *stop, struct dlq_reader **out, struct error *err);
void dlq_reader_free(struct dlq_reader *reader);
/* The next letter; *more false: the ends are reached, or *stop came. */
MUST_USE enum status dlq_reader_next(struct dlq_reader *reader, struct dlq_letter *letter, bool *more,
                                     struct error *err);

/* The reader's letter, to be kept beyond the next one; drop it before the reader is freed. */
void dlq_reader_keep(struct dlq_reader *reader);
void dlq_letter_drop(const struct dlq_letter *letter);

/* SPAN_NULL: it has none. */
struct span dlq_letter_header(const struct dlq_letter *letter, enum dead_letter_header header);
struct span dlq_letter_frame_header(const struct dlq_letter *letter); /* the value's schema, where a header names it */
/* The event's record, as far as the letter says; else the letter's own. */
struct record_context dlq_letter_context(const struct dlq_letter *letter);

/* acknowledged counts letters whose record the brokers have; in a transaction they count when it commits. Plain data.
 */
struct dlq_counts {
    uint64_t sent, acknowledged;
};

MUST_USE enum status dlq_writer_new(const struct options *options, const _Atomic bool *stop, struct dlq_writer **out,
                                    struct error *err);
void dlq_writer_free(struct dlq_writer *writer); /* aborts what was not committed */
/* Sends the letter as the event it was: key, value, headers without those of the failure, to its own partition.
 * `timestamp_ms` of its record; 0: now. */
MUST_USE enum status dlq_writer_send(struct dlq_writer *writer, const struct dlq_letter *letter, int64_t replay_count,
                                     int64_t timestamp_ms, struct error *err);
bool dlq_writer_is_exactly_once(const struct dlq_writer *writer);
/* Waits until everything sent lies in the input topic: what is written there after that comes after it. */
void dlq_writer_flush(struct dlq_writer *writer);
void dlq_writer_abort(struct dlq_writer *writer); /* what was not committed was never sent; needs exactly-once */
/* Commits everything sent so far, and the replayed offsets with it. */
MUST_USE enum status dlq_writer_commit(struct dlq_writer *writer, struct dlq_reader *reader, struct error *err);
struct dlq_counts dlq_writer_counts(const struct dlq_writer *writer);
