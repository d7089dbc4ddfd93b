/* The rules of merging: see state_merge.h. On a score loop's thread, once per event; allocates nothing once warm. */
#include "scorer/state/state_merge.h"

#include <stdlib.h>

#include "base/memory.h"
#include "events/fault.h"
#include "events/rescore.h"
#include "events/validate.h"
#include "scorer/state/state_row.h"

struct state_merge {
    const struct schema *schema;
    struct state *state;
    struct cell *cells; /* of the record that is there */
    struct buffer row;
    bool begins; /* the last record that was put: nothing counts of what there was */
};

struct state_merge *state_merge_new(const struct schema *schema, struct state *state)
{
    struct state_merge *merge = mem_zeroed(1, sizeof *merge);
    merge->schema = schema;
    merge->state = state;
    merge->cells = mem_zeroed(schema->column_count, sizeof *merge->cells);
    return merge;
}

void state_merge_free(struct state_merge *merge)
{
    if (!merge)
        return;
    free(merge->cells);
    buffer_free(&merge->row);
    free(merge);
}

/* `before`: the employee's record, whose prediction and alert stay; NULL: the record is the first, or begins again. */
static void put_record(struct state_merge *merge, const struct state_source *source, const struct event *event,
                       const struct state_record *before)
{
    struct state_record record = before ? *before : (struct state_record){0};
    merge->begins = !before;
    buffer_clear(&merge->row);
    char *row = buffer_reserve(&merge->row, state_row_bound(merge->schema, event->cells));
    record.employee_id = event->employee_id;
    record.occurred_at_ms = event->occurred_at_ms;
    record.source_offset = source->offset;
    record.row = (struct span){row, state_row_pack(merge->schema, event->cells, row)};
    state_put(merge->state, source->partition, &record);
}

static void put_marker(struct state_merge *merge, const struct state_source *source, const struct event *event)
{
    const struct state_record marker = {
        .employee_id = event->employee_id,
        .occurred_at_ms = event->occurred_at_ms,
        .source_offset = source->offset,
        .left = true,
        .row = SPAN_LITERAL(""),
    };
    state_put(merge->state, source->partition, &marker);
}

/* What the event does not list is the record's. */
static void complete_cells(struct state_merge *merge, const struct state_record *record, struct event *event)
{
    state_row_unpack(merge->schema, record->row.data, merge->cells);
    for (size_t c = 0; c < merge->schema->column_count; c++)
        if (event->cells[c].code == CELL_UNLISTED)
            event->cells[c] = merge->cells[c];
    event->partial = false;
}

/* A text that is no category borrows from the record, which may move: it is refused here in any case. */
static enum state_change merge_listed(struct state_merge *merge, const struct state_source *source,
                                      const struct state_record *record, struct event *event, struct fault *fault)
{
    complete_cells(merge, record, event);
    event->imputed +=
        (uint32_t)validate_impute(merge->schema, event->cells); /* the policy may be newer than the record */
    if (validate_row(merge->schema, event->cells, fault) != EVENT_OK)
        return STATE_CHANGE_REFUSED;
    put_record(merge, source, event, record);
    return STATE_CHANGE_RECORD;
}

/* As it is now, whatever has become of it since the event was sent. */
static enum state_change merge_rescore(struct state_merge *merge, const struct state_source *source,
                                       const struct state_record *record, struct event *event, struct fault *fault)
{
    if (!record || record->left)
        return STATE_CHANGE_GONE;
    event->occurred_at_ms = record->occurred_at_ms;
    return merge_listed(merge, source, record, event, fault);
}

static enum state_change merge_partial(struct state_merge *merge, const struct state_source *source,
                                       const struct state_record *record, struct event *event, struct fault *fault)
{
    if (record && event->occurred_at_ms < record->occurred_at_ms) {
        fault_set(fault, EVENT_STALE, FAULT_NO_COLUMN, "%s", event_code_meaning(EVENT_STALE));
        return STATE_CHANGE_REFUSED;
    }
    if (!record || record->left) {
        fault_set(fault, EVENT_PARTIAL, FAULT_NO_COLUMN, "a partial event of an employee %s",
                  record ? "who has left" : "without a current record");
        return STATE_CHANGE_REFUSED;
    }
    return merge_listed(merge, source, record, event, fault);
}

/* An older event changes nothing, and who has left comes back by HIRED, or by what occurred after. */
static bool is_older(const struct state_record *record, const struct event *event)
{
    if (!record || event->occurred_at_ms > record->occurred_at_ms)
        return false;
    return event->occurred_at_ms < record->occurred_at_ms || (record->left && event->type != EVENT_TYPE_HIRED);
}

static enum state_change merge_whole(struct state_merge *merge, const struct state_source *source,
                                     const struct state_record *record, const struct event *event)
{
    if (is_older(record, event))
        return STATE_CHANGE_NONE;
    bool fresh = !record || record->left || event->type == EVENT_TYPE_HIRED;
    put_record(merge, source, event, fresh ? NULL : record);
    return STATE_CHANGE_RECORD;
}

static enum state_change merge_termination(struct state_merge *merge, const struct state_source *source,
                                           const struct state_record *record, const struct event *event)
{
    if (record && event->occurred_at_ms < record->occurred_at_ms)
        return STATE_CHANGE_NONE;
    put_marker(merge, source, event);
    return STATE_CHANGE_MARKER;
}

/* For a new employee's record or marker; a partial event adds nobody. */
static bool has_room(const struct state_merge *merge, const struct state_source *source, const struct event *event)
{
    if (!state_is_limited(merge->state))
        return true;
    size_t row = event->type == EVENT_TYPE_TERMINATED ? 0 : state_row_bound(merge->schema, event->cells);
    return state_fits(merge->state, source->partition, event->employee_id.bytes, row);
}

bool state_merge_begins(const struct state_merge *merge)
{
    return merge->begins;
}

enum state_change state_merge_event(struct state_merge *merge, const struct state_source *source, struct event *event,
                                    struct fault *fault)
{
    struct state_record found, *record = &found;
    if (!source->keyed && event->partial) {
        fault_set(fault, EVENT_NULL_KEY, FAULT_NO_COLUMN, "a partial event without a key: send the employee id as it");
        return STATE_CHANGE_REFUSED;
    }
    if (!source->keyed)
        return STATE_CHANGE_NONE;
    if (!state_find(merge->state, source->partition, event->employee_id, record))
        record = NULL;
    if (record && source->offset <= record->source_offset)
        return STATE_CHANGE_REPEATED;
    if (rescore_is_event(merge->schema, event))
        return merge_rescore(merge, source, record, event, fault);
    if (!record && !event->partial && !has_room(merge, source, event))
        return STATE_CHANGE_FULL;
    if (event->partial)
        return merge_partial(merge, source, record, event, fault);
    return event->type == EVENT_TYPE_TERMINATED ? merge_termination(merge, source, record, event)
                                                : merge_whole(merge, source, record, event);
}
