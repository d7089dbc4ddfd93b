/* Records that the broker rejects, found by bisection: oversize records, and timestamps that a topic does not
 * take.
 *
 * A broker rejects a whole batch and does not say which of its records it means. All of them are suspects; the
 * transaction is rolled back and done again with suspects in batches of their own, half as many in each, until one is
 * alone and rejected: that is the record. It goes as less (an oversize record becomes a dead letter, a dead letter a
 * smaller one) or with the present time, the others go as they are, and the suspects are forgotten when the whole
 * transaction is committed.
 *
 * Knows no transaction: publish.c sends, flushes and commits, and says here what came of it. A suspect is a source
 * message, named by the opaque pointer of its record. Plain data, embedded. Calls come from one thread at a time: the
 * score loop's, or that of the commit under way, in which reports arrive. */
#pragma once

#include "kafka/transaction.h"
#include "scorer/settings.h"

/* How much of its source a dead letter carries: less where that was found oversize. */
enum dead_letter_detail { DETAIL_WHOLE, DETAIL_NO_VALUE, DETAIL_BARE };

struct rejected_suspect {
    const void *source;                  /* its record's opaque pointer */
    unsigned suspected;                  /* the last round in which its batch was rejected */
    bool oversize;                       /* found: goes as a dead letter */
    bool untimed;                        /* found: goes with the present time instead of its source's */
    enum dead_letter_detail dead_letter; /* what is left to try */
};

struct rejected_bisection {
    const struct settings *settings; /* for the topics' names */
    const char *name;                /* the worker's, in messages */
    struct rejected_suspect *suspects;
    size_t suspect_count, suspect_capacity;
    uint64_t records;   /* of the open transaction that were in rejected batches */
    uint64_t redo_left; /* so many records are of a transaction that was rolled back because of a rejected batch */
    unsigned round;     /* of bisecting; 0: none */
    uint64_t group;     /* most suspects in a batch */
    uint64_t in_group;  /* suspects sent since the last flush */
};

/* Borrows both. */
void rejected_bisection_init(struct rejected_bisection *rejected, const struct settings *settings, const char *name);
void rejected_bisection_free(struct rejected_bisection *rejected);

/* A transaction is open: a new one, or one that is done again. */
void rejected_bisection_begin(struct rejected_bisection *rejected);
/* A record of this source was in a rejected batch. */
void rejected_bisection_add(struct rejected_bisection *rejected, const void *source);
/* NULL: no suspect. Valid until the next rejected_bisection_add. */
const struct rejected_suspect *rejected_bisection_find(const struct rejected_bisection *rejected, const void *source);
/* Before a record of this source is sent. True: flush first, so that suspects share a batch with no other record, and
 * with few of their kind. */
MUST_USE bool rejected_bisection_isolate(struct rejected_bisection *rejected, const void *source);

/* The transaction was rolled back with so many records: they are isolated, where there are suspects. */
void rejected_bisection_redo(struct rejected_bisection *rejected, uint64_t records);
/* After that, where `records` were rejected, with this code and by this topic: the next round. Logs what is going on.
 * Failure is for good. */
MUST_USE enum status rejected_bisection_next_round(struct rejected_bisection *rejected, rd_kafka_resp_err_t code,
                                                   const char *topic, struct error *err);
/* Ends with the last of what was rolled back. */
void rejected_bisection_committed(struct rejected_bisection *rejected);
/* The transaction is another process's, or is done again as it was. */
void rejected_bisection_forget(struct rejected_bisection *rejected);
/* The open transaction is done again, or may hold a suspect. */
bool rejected_bisection_is_active(const struct rejected_bisection *rejected);
