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
static struct input_position_record read_note(int64_t committed, const char *note, size_t bytes)
{
    struct input_position_record record;
    int64_t next;
    char text[INPUT_POSITION_NOTE_BYTES];
    if (note && bytes < sizeof text) {
        memcpy(text, note, bytes);
        text[bytes] = '\0';
        if (sscanf(text, "next=%" SCNd64 " last=%" SCNd64 " ms=%" SCNd64, &next, &record.offset,
                   &record.timestamp_ms) == 3 &&
            next == committed && record.offset >= 0 && record.offset < committed)
            return record;
    }
    return (struct input_position_record){.offset = INPUT_POSITION_NO_RECORD};
}

static const char WITH_RECORDS[] = "state";

/* Versions without current records read the note as before. */
void input_position_write_note(const struct input_position *position, bool records, char out[INPUT_POSITION_NOTE_BYTES])
{
    const char *with = records ? WITH_RECORDS : "";
    if (position->last.offset != INPUT_POSITION_NO_RECORD && position->last.offset < position->next)
        snprintf(out, INPUT_POSITION_NOTE_BYTES, "next=%" PRId64 " last=%" PRId64 " ms=%" PRId64 "%s%s", position->next,
                 position->last.offset, position->last.timestamp_ms, records ? " " : "", with);
    else
        snprintf(out, INPUT_POSITION_NOTE_BYTES, "%s", with);
}

bool input_position_note_has_records(const char *note, size_t bytes)
{
    const size_t with = sizeof WITH_RECORDS - 1;
    if (!note || bytes < with || memcmp(note + bytes - with, WITH_RECORDS, with) != 0)
        return false;
    return bytes == with || note[bytes - with - 1] == ' ';
}

void input_position_start(struct input_position *position, int64_t offset, const char *note, size_t note_bytes)
{
    assert(offset >= 0);
    position->last = read_note(offset, note, note_bytes);
    position->checking = position->last.offset != INPUT_POSITION_NO_RECORD;
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
    position->last = (struct input_position_record){offset, timestamp_ms};
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
