/* How far one partition of the input topic is handled: the arithmetic of the input consumer, without a client.
 *
 * Every offset in here is a real one (0 or more) from input_position_start on; what librdkafka calls logical offsets
 * (the beginning, the end, none) is resolved before (start_offsets.h). Belongs to a score loop's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scorer/stream/offset_metadata.h"

enum { INPUT_POSITION_NO_END = -1 };

/* Plain data; zeroed: not assigned. next <= taken, and committed <= next but for what was committed on another's word.
 */
struct input_position {
    bool assigned;
    int64_t eof;   /* end of the log as last reached, past control records and gaps; INPUT_POSITION_NO_END: not yet */
    int64_t taken; /* one past the last message handed out */
    int64_t next;  /* one past the last message handled */
    int64_t committed;  /* where a rewind goes */
    bool waiting;       /* its queue is not read; what still comes of it is dropped, and read again from `next` */
    int64_t waiting_at; /* the message it waits before */
    bool
        forwarded; /* has waited before: librdkafka leaves its queue to us ever since, and undoes what we did on stop */
    int64_t last_ms;            /* timestamp of the last message handled; 0: none yet */
    struct handled_record last; /* the last one handled, by whoever had the partition */
    bool checking;              /* reading starts at `last`, to see whether it is still that record */
};

/* Assigned, and to be handled from `offset` on, which is the group's committed offset. `metadata`: what was
 * committed with it (offset_metadata.h). */
void input_position_start(struct input_position *position, int64_t offset, const char *metadata, size_t metadata_bytes);

/* Where the reader starts: at the committed offset, or at the last record before it, which is checked and not handed
 * out again. */
int64_t input_position_first_read(const struct input_position *position);

/* What becomes of a message. Changed: it lies below one that was handed out already, or is not the record that was
 * handled at this offset, so the log is not the one that was read before. */
enum input_position_result { INPUT_POSITION_TAKE, INPUT_POSITION_SKIP, INPUT_POSITION_CHANGED };
enum input_position_result input_position_decide(struct input_position *position, int64_t offset, int64_t timestamp_ms);

/* That message is handled; nothing changes where the partition waits before it. */
void input_position_handle(struct input_position *position, int64_t offset, int64_t timestamp_ms);

/* The reader came to the end of the log. */
void input_position_reach_end(struct input_position *position, int64_t eof);

/* Everything that was handed out is handled: what lies between the last message and the end are control records and
 * gaps. */
void input_position_move_to_end(struct input_position *position);

void input_position_rewind(struct input_position *position); /* to the committed offset */
/* The reader starts once more, at input_position_first_read: a check that is not done yet stays to be done. */
void input_position_read_again(struct input_position *position);
/* The record to be checked is not there any more (deleted by retention since): the reader starts at `next`. */
void input_position_give_up_check(struct input_position *position);
bool input_position_moved(const struct input_position *position);
