/* Positions of partitions: see input_position.h. Called by input_consumer.c on the score loop's thread; never blocks.
 * The assertions hold what the caller must have done: offsets from a broker are validated before, and refused by a
 * status.
 */
#include "scorer/stream/input_position.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Believed only if it was written for this very offset: tools that move or copy offsets may leave it as it was. */
static struct position_record read_note(int64_t committed, const char *note, size_t bytes)
{
    struct position_record record;
    int64_t next;
    char text[POSITION_NOTE_BYTES];
    if (note && bytes < sizeof text) {
        memcpy(text, note, bytes);
        text[bytes] = '\0';
        if (sscanf(text, "next=%" SCNd64 " last=%" SCNd64 " ms=%" SCNd64, &next, &record.offset,
                   &record.timestamp_ms) == 3 &&
            next == committed && record.offset >= 0 && record.offset < committed)
            return record;
    }
    return (struct position_record){.offset = POSITION_NO_RECORD};
}

static const char WITH_RECORDS[] = "state";

/* Versions without current records read the note as before. */
void position_write_note(const struct position *position, bool records, char out[POSITION_NOTE_BYTES])
{
    const char *with = records ? WITH_RECORDS : "";
    if (position->last.offset != POSITION_NO_RECORD && position->last.offset < position->next)
        snprintf(out, POSITION_NOTE_BYTES, "next=%" PRId64 " last=%" PRId64 " ms=%" PRId64 "%s%s", position->next,
                 position->last.offset, position->last.timestamp_ms, records ? " " : "", with);
    else
        snprintf(out, POSITION_NOTE_BYTES, "%s", with);
}

bool position_note_has_records(const char *note, size_t bytes)
{
    const size_t with = sizeof WITH_RECORDS - 1;
    if (!note || bytes < with || memcmp(note + bytes - with, WITH_RECORDS, with) != 0)
        return false;
    return bytes == with || note[bytes - with - 1] == ' ';
}

void position_start(struct position *position, int64_t offset, const char *note, size_t note_bytes)
{
    assert(offset >= 0);
    position->last = read_note(offset, note, note_bytes);
    position->checking = position->last.offset != POSITION_NO_RECORD;
    position->assigned = true;
    position->eof = POSITION_NO_END;
    position->taken = position->next = position->committed = offset;
}

int64_t position_first_read(const struct position *position)
{
    return position->checking ? position->last.offset : position->next;
}

/* The first message of a partition that was read before. Where the record is gone (by compaction, say) its successor
 * comes, which says nothing. */
static enum position_result check_last(struct position *position, int64_t offset, int64_t timestamp_ms)
{
    position->checking = false;
    if (offset != position->last.offset || timestamp_ms != position->last.timestamp_ms)
        return POSITION_CHANGED;
    return POSITION_SKIP;
}

enum position_result position_decide(struct position *position, int64_t offset, int64_t timestamp_ms)
{
    assert(position->assigned && position->taken >= position->next);
    if (position->checking && offset < position->next)
        return check_last(position, offset, timestamp_ms);
    position->checking = false;
    if (offset < position->taken)
        return POSITION_CHANGED;
    position->taken = offset + 1;
    return POSITION_TAKE;
}

void position_handle(struct position *position, int64_t offset, int64_t timestamp_ms)
{
    if (position->waiting && offset >= position->waiting_at)
        return;
    assert(offset >= position->next && offset < position->taken);
    position->next = offset + 1;
    position->last_ms = timestamp_ms;
    position->last = (struct position_record){offset, timestamp_ms};
}

void position_reach_end(struct position *position, int64_t eof)
{
    if (position->assigned && eof >= 0)
        position->eof = eof;
}

void position_move_to_end(struct position *position)
{
    if (!position->assigned || position->waiting || position->eof == POSITION_NO_END)
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

void position_give_up_check(struct position *position)
{
    position->checking = false;
    position_read_again(position);
}

bool position_moved(const struct position *position)
{
    return position->assigned && position->next != position->committed;
}
