/* What the sink has read and not yet stored, and the partitions it is from: the part of the sink between Kafka and
 * PostgreSQL that knows neither's library.
 *
 * Records enter in the order of their partitions and leave by transactions that also move the stored offsets, so every
 * record is stored once, whatever connection dies when. One thread. */
#pragma once

#include "scorer/counters.h"
#include "scorer/sink/sink_rows.h"
#include "scorer/sink/sink_store.h"

/* Plain data. An offset is SINK_NO_OFFSET where it is not known. */
struct sink_partition {
    enum sink_topic topic;
    const char *topic_name; /* borrowed */
    int32_t id;
    bool known;     /* `stored` has been read since the assignment */
    int64_t stored; /* next_offset in the database; SINK_NO_OFFSET: it has no row */
    int64_t next;   /* one past the last record added or, read to its end, the log's end, past commit markers;
                       SINK_NO_OFFSET: the log's beginning */
    int64_t target; /* what the transaction under way sets `stored` to; SINK_NO_OFFSET: nothing */
    int64_t last_offset, last_digest; /* in the database: the last record before `stored`, SINK_NO_OFFSET: not known */
    int64_t target_offset, target_digest; /* what the transaction under way sets them to */
    bool checked;                         /* `stored` has been compared with the log */
    int64_t verify; /* the record here must have last_digest before any is taken; SINK_NO_OFFSET: done */
    int64_t end;    /* where sink_finish stops; SINK_NO_OFFSET: not looked up */
};

struct sink_batch;

/* Borrows all three. `release` gets each record's `origin` when it is done with. */
struct sink_batch *sink_batch_new(struct sink_store *store, struct sink_rows *rows, struct counters *counters,
                                  void (*release)(void *origin));
void sink_batch_free(struct sink_batch *batch);
/* How employees are erased: "delete" (also the default) or "pseudonymise"; borrowed. */
void sink_batch_erase_by(struct sink_batch *batch, const char *method);

/* The assignment. clear drops what is left of the batch: its records will be read again by whoever comes next. */
void sink_batch_clear(struct sink_batch *batch);
void sink_batch_assign(struct sink_batch *batch, enum sink_topic topic, const char *topic_name, int32_t id);
size_t sink_batch_partitions(const struct sink_batch *batch, struct sink_partition **out);
struct sink_partition *sink_batch_partition(struct sink_batch *batch, enum sink_topic topic, int32_t id); /* or NULL */

/* Adds a record of `partition` (headers' array is copied, bytes stay with origin) or, handled already, skips it. */
void sink_batch_add(struct sink_batch *batch, struct sink_partition *partition, const struct sink_record *record,
                    void *origin);
size_t sink_batch_count(const struct sink_batch *batch);
size_t sink_batch_bytes(const struct sink_batch *batch);

/* Connects where needed and makes sure that `stored` of every partition is what the database says now. */
MUST_USE enum status sink_batch_sync(struct sink_batch *batch, struct error *err);
/* Whether a position is to be stored without records: the end of a log lies past the last one. */
bool sink_batch_is_ahead(const struct sink_batch *batch);
bool sink_batch_is_unstored(const struct sink_batch *batch); /* has records, or is ahead */
/* By which a record is known again: its key, value and timestamp. */
int64_t sink_batch_digest(const struct sink_record *record);
/* Stores everything, positions at the end of logs included. On failure what was not stored is kept, to be tried again.
 */
MUST_USE enum status sink_batch_write(struct sink_batch *batch, struct error *err);
/* True once after the database's offsets went back (it was restored from a backup, say): `next` went back with them, so
 * the partitions must be assigned again. */
bool sink_batch_take_rewound(struct sink_batch *batch);
