/* How far one partition of the input topic is handled: the arithmetic of the input consumer, without a client.
 *
 * Every offset in here is a real one (0 or more) from position_start on; what librdkafka calls logical offsets (the
 * beginning, the end, none) is resolved before (start_offsets.h). Belongs to a score loop's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POSITION_NO_END = -1, POSITION_NO_RECORD = -1, POSITION_NOTE_BYTES = 96 };

/* A record that was handled, as it can be recognised: a log that has another one there is not the same log. Plain data.
 */
struct position_record {
    int64_t offset; /* POSITION_NO_RECORD: none known */
    int64_t timestamp_ms;
};

/* Plain data; zeroed: not assigned. next <= taken, and committed <= next but for what was committed on another's word.
 */
struct position {
    bool assigned;
    int64_t eof;        /* end of the log as last reached, past control records and gaps; POSITION_NO_END: not yet */
    int64_t taken;      /* one past the last message handed out */
    int64_t next;       /* one past the last message handled */
    int64_t committed;  /* where a rewind goes */
    int64_t end;        /* end offset at the start; 0 where not looked up */
    bool waiting;       /* its queue is not read; what still comes of it is dropped, and read again from `next` */
    int64_t waiting_at; /* the message it waits before */
    bool
        forwarded; /* has waited before: librdkafka leaves its queue to us ever since, and undoes what we did on stop */
    int64_t last_ms;             /* timestamp of the last message handled; 0: none yet */
    struct position_record last; /* the last one handled, by whoever had the partition */
    bool checking;               /* reading starts at `last`, to see whether it is still that record */
};

/* Assigned, and to be handled from `offset` on, which is the group's committed offset. `note`: what was committed with
 * it (position_write_note); anything else, and NULL, says nothing. */
void position_start(struct position *position, int64_t offset, const char *note, size_t note_bytes);

/* Where the reader starts: at the committed offset, or at the last record before it, which is checked and not handed
 * out again. */
int64_t position_first_read(const struct position *position);

/* What becomes of a message. Changed: it lies below one that was handed out already, or is not the record that was
 * handled at this offset, so the log is not the one that was read before. */
enum position_result { POSITION_TAKE, POSITION_SKIP, POSITION_CHANGED };
enum position_result position_decide(struct position *position, int64_t offset, int64_t timestamp_ms);

/* That message is handled; nothing changes where the partition waits before it. */
void position_handle(struct position *position, int64_t offset, int64_t timestamp_ms);

/* The reader came to the end of the log. */
void position_reach_end(struct position *position, int64_t eof);

/* Everything that was handed out is handled: what lies between the last message and the end are control records and
 * gaps. */
void position_move_to_end(struct position *position);

void position_rewind(struct position *position); /* to the committed offset */
/* The reader starts once more, at position_first_read: a check that is not done yet stays to be done. */
void position_read_again(struct position *position);
/* The record to be checked is not there any more (deleted by retention since): the reader starts at `next`. */
void position_give_up_check(struct position *position);
bool position_moved(const struct position *position);

/* To be committed with `next`: the last record handled, and whether current records are committed with it. Empty where
 * there is neither. */
void position_write_note(const struct position *position, bool records, char out[POSITION_NOTE_BYTES]);
/* Whether current records were committed with what has this note. NULL: no. */
bool position_note_has_records(const char *note, size_t bytes);
