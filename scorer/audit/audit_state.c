/* Current records against the output: see audit_state.h. Called by audit.c on the main thread.
 *
 * An entry an employee and partition, found by a hash. Records count when the position that completes their transaction
 * has come; what none completes is at the log's end, and counts as it is. A later output of an employee need not have
 * changed the record: one without a key has no part in it. So such outputs wait in a list until the input record shows
 * its key. */
#include "scorer/audit/audit_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/employee_state.h"
#include "scorer/state/state_position.h"

enum { SLOTS_FIRST = 1024 };

struct entry {
    uint64_t employee; /* hash */
    int32_t partition;
    bool gone, left, scored; /* gone: the topic has no record */
    bool seen, matched;      /* the output of its own event; one that says what it says */
    bool stale;              /* and that has been said */
    int64_t occurred_at_ms, source_offset, offset;
    uint64_t said; /* digest of the last prediction */
};

/* An output that is later than the record, and newer. */
struct later {
    int32_t partition;
    int64_t source_offset;
    size_t entry;
    enum audit_end end;
};

struct part {
    struct audit_state_part report;
    struct entry *pending; /* records whose position has not come yet */
    size_t pending_count, pending_capacity;
    bool closed; /* no record counts any more */
    bool newer;  /* some are from past the position */
};

struct audit_state {
    struct audit_state_of of;
    struct audit_ledger *ledger;
    struct employee_state_reader *reader;
    struct part *parts;
    struct audit_state_part *reports;
    size_t part_count;
    struct entry *entries;
    size_t entry_count, entry_capacity;
    uint32_t *slots; /* entry, one added; 0: free */
    size_t slot_count;
    struct later *laters;
    size_t later_count, later_capacity;
    bool extends, sorted;
};

/* --- life --- */

struct audit_state *audit_state_new(const struct schema *schema, const struct audit_state_of *of,
                                    struct audit_ledger *ledger)
{
    struct audit_state *state = mem_zeroed(1, sizeof *state);
    state->of = *of;
    state->ledger = ledger;
    state->reader = employee_state_reader_new(schema);
    state->slot_count = SLOTS_FIRST;
    state->slots = mem_zeroed(SLOTS_FIRST, sizeof *state->slots);
    return state;
}

void audit_state_free(struct audit_state *state)
{
    if (!state)
        return;
    for (size_t p = 0; p < state->part_count; p++)
        free(state->parts[p].pending);
    employee_state_reader_free(state->reader);
    free(state->parts);
    free(state->reports);
    free(state->entries);
    free(state->slots);
    free(state->laters);
    free(state);
}

void audit_state_add_part(struct audit_state *state, int64_t low, int64_t end, int64_t committed)
{
    state->parts = mem_resize(state->parts, state->part_count + 1, sizeof *state->parts);
    state->parts[state->part_count++] =
        (struct part){.report = {.low = low, .end = end, .committed = committed, .position = -1}};
}

/* --- entries --- */

static uint32_t *slot_of(struct audit_state *state, uint64_t employee, int32_t partition)
{
    size_t mask = state->slot_count - 1, at = (employee ^ (uint64_t)partition * UINT64_C(0x9e3779b97f4a7c15)) & mask;
    for (; state->slots[at]; at = (at + 1) & mask) {
        const struct entry *entry = &state->entries[state->slots[at] - 1];
        if (entry->employee == employee && entry->partition == partition)
            break;
    }
    return &state->slots[at];
}

static void grow_slots(struct audit_state *state)
{
    free(state->slots);
    state->slot_count *= 2;
    state->slots = mem_zeroed(state->slot_count, sizeof *state->slots);
    for (size_t e = 0; e < state->entry_count; e++)
        *slot_of(state, state->entries[e].employee, state->entries[e].partition) = (uint32_t)e + 1;
}

static void put_entry(struct audit_state *state, const struct entry *entry)
{
    if (2 * (state->entry_count + 1) > state->slot_count)
        grow_slots(state);
    uint32_t *slot = slot_of(state, entry->employee, entry->partition);
    bool is_new = !*slot;
    if (is_new) {
        state->entries =
            mem_grow(state->entries, &state->entry_capacity, state->entry_count + 1, sizeof *state->entries);
        *slot = (uint32_t)++state->entry_count;
    }
    struct entry *known = &state->entries[*slot - 1];
    bool outdated = !is_new && !state->of.exactly_once && !entry->gone && entry->source_offset >= 0 &&
                    known->source_offset > entry->source_offset;
    if (!outdated) /* as whoever restores decides: state_restore.c */
        *known = *entry;
}

static void PRINTF_LIKE(4, 5)
    note(struct audit_state *state, enum audit_fault_kind kind, const struct entry *entry, const char *format, ...)
{
    char detail[160];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    state->parts[entry->partition].report.faults++;
    audit_ledger_state_fault(state->ledger, kind, state->of.topic, entry->partition, entry->offset, detail);
}

/* Once for each record. */
static void note_stale(struct audit_state *state, struct entry *entry, enum audit_end end, int32_t partition,
                       int64_t source_offset)
{
    if (!entry->stale)
        note(state, AUDIT_FAULT_STATE_STALE, entry, "the %s of [%" PRId32 "] %" PRId64 " is newer",
             audit_end_names[end], partition, source_offset);
    entry->stale = true;
}

/* --- records --- */

static void count_pending(struct audit_state *state, struct part *part)
{
    for (size_t i = 0; i < part->pending_count; i++)
        put_entry(state, &part->pending[i]);
    part->pending_count = 0;
}

static uint64_t digest_of(const struct employee_state *record)
{
    return audit_said(record->probability, record->margin, record->threshold, record->model_version);
}

static void take_position(struct audit_state *state, struct part *part, const struct entry *place, struct span value)
{
    struct state_position position = {
        .group = state->of.group, .topic = state->of.input, .partition = place->partition};
    struct error err;
    if (state_position_read(value, &position, &err) != STATUS_OK) {
        note(state, AUDIT_FAULT_STATE_POSITION, place, "%.140s", err.text);
        return;
    }
    if (state->of.exactly_once || position.offset >= part->report.position) {
        part->report.position = position.offset;
        part->report.counted = position.records;
    }
    count_pending(state, part);
    part->closed |= state->extends;
}

static void take_value(struct audit_state *state, struct entry *entry, struct span key, struct span value)
{
    struct employee_state record;
    struct fault fault;
    entry->employee = audit_employee(state->of.receipts, key);
    entry->gone = !value.data;
    if (entry->gone)
        return;
    if (employee_state_read(state->reader, value, &record, &fault) != EVENT_OK ||
        !span_equal(record.employee_id, key) || record.source_partition != entry->partition) {
        note(state, AUDIT_FAULT_STATE_POSITION, entry, "it is no current record of its key and partition");
        entry->gone = true;
        return;
    }
    entry->left = !record.cells;
    entry->scored = record.scored;
    entry->occurred_at_ms = record.occurred_at_ms;
    entry->source_offset = record.source_offset;
    entry->said = record.scored ? digest_of(&record) : 0;
}

void audit_state_record(struct audit_state *state, int32_t partition, int64_t offset, struct span key,
                        struct span value)
{
    struct part *part = &state->parts[partition];
    struct entry entry = {.partition = partition, .offset = offset};
    if (part->closed || !key.data)
        return;
    if (span_equal(key, STATE_POSITION_KEY)) {
        take_position(state, part, &entry, value);
        return;
    }
    take_value(state, &entry, key, value);
    part->pending = mem_grow(part->pending, &part->pending_capacity, part->pending_count + 1, sizeof *part->pending);
    part->pending[part->pending_count++] = entry;
}

void audit_state_extend(struct audit_state *state)
{
    state->extends = true;
    for (size_t p = 0; p < state->part_count; p++)
        state->parts[p].closed = !state->parts[p].pending_count;
}

/* All of the topic is read: what no position has completed counts as it is. */
void audit_state_read(struct audit_state *state)
{
    for (size_t p = 0; p < state->part_count; p++)
        count_pending(state, &state->parts[p]);
}

/* --- outputs --- */

static void add_later(struct audit_state *state, const struct audit_record *record, const struct entry *entry)
{
    bool newer = record->occurred_at_ms > entry->occurred_at_ms ||
                 (!entry->left && record->occurred_at_ms == entry->occurred_at_ms);
    if (!newer || (record->end == AUDIT_OUTCOME && entry->left))
        return;
    state->laters = mem_grow(state->laters, &state->later_capacity, state->later_count + 1, sizeof *state->laters);
    state->laters[state->later_count++] =
        (struct later){record->source_partition, record->source_offset, (size_t)(entry - state->entries), record->end};
}

void audit_state_output(struct audit_state *state, const struct audit_record *record)
{
    int32_t partition = record->source_partition;
    if (record->source != AUDIT_SOURCE_KNOWN || partition < 0 || (size_t)partition >= state->part_count ||
        record->source_offset >= state->parts[partition].report.committed)
        return;
    uint32_t slot = *slot_of(state, record->employee, partition);
    struct entry *entry = slot ? &state->entries[slot - 1] : NULL;
    if (!entry || entry->gone || entry->source_offset >= state->parts[partition].report.committed)
        return;
    bool later = record->source_offset > entry->source_offset;
    if (record->end == AUDIT_PREDICTION && !later) {
        bool same = record->said == entry->said;
        entry->matched = record->source_offset == entry->source_offset ? same : entry->matched || same;
        entry->seen |= record->source_offset == entry->source_offset;
    } else if (record->end == AUDIT_ERASURE && later) {
        note_stale(state, entry, record->end, partition, record->source_offset);
    } else if (later && (record->end == AUDIT_PREDICTION || record->end == AUDIT_OUTCOME)) {
        add_later(state, record, entry);
    }
}

static int compare_laters(const void *left, const void *right)
{
    const struct later *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->source_offset > b->source_offset) - (a->source_offset < b->source_offset);
}

void audit_state_source(struct audit_state *state, int32_t partition, int64_t offset, struct span key)
{
    const struct later wanted = {.partition = partition, .source_offset = offset};
    if (!state->later_count || !key.data)
        return;
    if (!state->sorted)
        qsort(state->laters, state->later_count, sizeof *state->laters, compare_laters);
    state->sorted = true;
    const struct later *found =
        bsearch(&wanted, state->laters, state->later_count, sizeof *state->laters, compare_laters);
    if (found)
        note_stale(state, &state->entries[found->entry], found->end, partition, offset);
}

/* --- closing --- */

static void close_entry(struct audit_state *state, const struct entry *entry, bool complete)
{
    struct part *part = &state->parts[entry->partition];
    struct audit_state_part *report = &part->report;
    report->records++;
    report->left += entry->left;
    bool beyond = entry->source_offset >= report->position;
    part->newer |= beyond;
    if (beyond && state->of.exactly_once)
        note(state, AUDIT_FAULT_STATE_POSITION, entry,
             "it is of [%" PRId32 "] %" PRId64 ", and the records are good for what is before %" PRId64,
             entry->partition, entry->source_offset, report->position);
    if (entry->source_offset >= report->committed)
        report->ahead++;
    else if (entry->scored && entry->matched)
        report->proven++;
    else if (entry->scored && (entry->seen || complete))
        note(state, AUDIT_FAULT_STATE_PREDICTION, entry,
             "its last prediction is not what the output says of [%" PRId32 "] %" PRId64, entry->partition,
             entry->source_offset);
    else
        report->unproven += entry->scored;
}

static void close_part(struct audit_state *state, size_t p)
{
    struct part *part = &state->parts[p];
    const struct audit_state_part *report = &part->report;
    const struct entry place = {.partition = (int32_t)p, .offset = report->end};
    if (report->position >= 0 && report->position < report->committed)
        note(state, AUDIT_FAULT_STATE_POSITION, &place,
             "its records are good for %" PRId64 ", and %" PRId64 " is committed", report->position, report->committed);
    if (report->position >= 0 && !part->newer && (int64_t)report->records != report->counted)
        note(state, AUDIT_FAULT_STATE_POSITION, &place, "it has %" PRIu64 " records, and there were %" PRId64,
             report->records, report->counted);
}

void audit_state_close(struct audit_state *state, bool complete)
{
    for (size_t e = 0; e < state->entry_count; e++)
        if (!state->entries[e].gone)
            close_entry(state, &state->entries[e], complete);
    state->reports = mem_resize(state->reports, state->part_count, sizeof *state->reports);
    for (size_t p = 0; p < state->part_count; p++) {
        close_part(state, p);
        state->reports[p] = state->parts[p].report;
    }
}

size_t audit_state_parts(const struct audit_state *state, const struct audit_state_part **out)
{
    *out = state->reports;
    return state->part_count;
}

const char *audit_state_topic(const struct audit_state *state)
{
    return state->of.topic;
}
