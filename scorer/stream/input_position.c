/* Positions of partitions: see input_position.h. Called by input_consumer.c on the score loop's thread; never blocks.
 * The assertions hold what the caller must have done: offsets from a broker are validated before, and refused by a
 * status. */
#include "scorer/stream/input_position.h"

#include <assert.h>

void input_position_start(struct input_position *position, int64_t offset, const char *metadata, size_t metadata_bytes)
{
    assert(offset >= 0);
    position->last = offset_metadata_last(offset, metadata, metadata_bytes);
    position->checking = position->last.offset != NO_RECORD;
    position->assigned = true;
    position->eof = INPUT_POSITION_NO_END;
    position->taken = position->next = position->committed = offset;
}

int64_t input_position_first_read(const struct input_position *position)
{
    return position->checking ? position->last.offset : position->next;
}

/* The first message of a partition that was read before. Where the record is gone (by compaction, say) its successor
 * comes, which says nothing. */
static enum input_position_result check_last(struct input_position *position, int64_t offset, int64_t timestamp_ms)
{
    position->checking = false;
    if (offset != position->last.offset || timestamp_ms != position->last.timestamp_ms)
        return INPUT_POSITION_CHANGED;
    return INPUT_POSITION_SKIP;
}

enum input_position_result input_position_decide(struct input_position *position, int64_t offset, int64_t timestamp_ms)
{
    assert(position->assigned && position->taken >= position->next);
    if (position->checking && offset < position->next)
        return check_last(position, offset, timestamp_ms);
    position->checking = false;
    if (offset < position->taken)
        return INPUT_POSITION_CHANGED;
    position->taken = offset + 1;
    return INPUT_POSITION_TAKE;
}

void input_position_handle(struct input_position *position, int64_t offset, int64_t timestamp_ms)
{
    if (position->waiting && offset >= position->waiting_at)
        return;
    assert(offset >= position->next && offset < position->taken);
    position->next = offset + 1;
    position->last_ms = timestamp_ms;
    position->last = (struct handled_record){offset, timestamp_ms};
}

void input_position_reach_end(struct input_position *position, int64_t eof)
{
    if (position->assigned && eof >= 0)
        position->eof = eof;
}

void input_position_move_to_end(struct input_position *position)
{
    if (!position->assigned || position->waiting || position->eof == INPUT_POSITION_NO_END)
        return;
    assert(position->next >= 0);
    if (position->eof > position->next)
        position->next = position->eof;
    if (position->taken < position->next)
        position->taken = position->next;
}

void input_position_rewind(struct input_position *position)
{
    assert(position->committed >= 0);
    position->next = position->committed;
    input_position_read_again(position);
}

void input_position_read_again(struct input_position *position)
{
    position->eof = INPUT_POSITION_NO_END;
    position->taken = position->next;
}

void input_position_give_up_check(struct input_position *position)
{
    position->checking = false;
    input_position_read_again(position);
}

bool input_position_moved(const struct input_position *position)
{
    return position->assigned && position->next != position->committed;
}
