/* Positions of partitions: see intake_position.h. Called by intake.c on the score loop's thread; never blocks. The
 * assertions hold what the caller must have done: offsets that a broker tells are judged before, and returned. */
#include "scorer/intake_position.h"

#include <assert.h>

void position_start(struct position *position, int64_t offset)
{
    assert(offset >= 0);
    position->assigned = true;
    position->eof = POSITION_NO_END;
    position->taken = position->next = position->committed = offset;
}

bool position_take(struct position *position, int64_t offset)
{
    assert(position->assigned && position->taken >= position->next);
    if (offset < position->taken)
        return false;
    position->taken = offset + 1;
    return true;
}

void position_handle(struct position *position, int64_t offset, int64_t timestamp_ms)
{
    if (position->held && offset >= position->held_at)
        return;
    assert(offset >= position->next && offset < position->taken);
    position->next = offset + 1;
    position->last_ms = timestamp_ms;
}

void position_reach_end(struct position *position, int64_t eof)
{
    if (position->assigned && eof >= 0)
        position->eof = eof;
}

void position_move_to_end(struct position *position)
{
    if (!position->assigned || position->held || position->eof == POSITION_NO_END)
        return;
    assert(position->next >= 0);
    if (position->eof > position->next)
        position->next = position->eof;
    if (position->taken < position->next)
        position->taken = position->next;
}

void position_rewind(struct position *position)
{
    assert(position->committed >= 0);
    position->next = position->committed;
    position_read_again(position);
}

void position_read_again(struct position *position)
{
    position->eof = POSITION_NO_END;
    position->taken = position->next;
}

bool position_moved(const struct position *position)
{
    return position->assigned && position->next != position->committed;
}
