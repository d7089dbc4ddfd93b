/* Tables, undo log, models: see state.h. Called by a score loop on its thread; allocates nothing per event once warm.
 *
 * The undo log has an entry for each change, with the block that was there before. It is as long as the open works. */
#include "scorer/state/state.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct part {
    struct state_table *table; /* NULL: not open */
    int64_t position;
    struct state_origin origin;
    uint64_t removals, removals_marked, removals_committed; /* so far; before the last mark; committed */
};

/* Followed by the block that was there, or by the id where there was none. */
struct undo {
    int32_t partition;
    uint32_t bytes;  /* of what follows */
    size_t previous; /* bytes of the entry before */
    bool had;
};

struct state {
    struct part *parts;
    size_t part_count;
    struct buffer log;
    size_t last;       /* bytes of the last entry, all in all */
    size_t committing; /* the log up to here is of the transaction whose commit is under way */
    uint32_t upsets;   /* works rolled back and partitions opened, so far */
    struct state_model *models;
    size_t model_count, model_capacity;
    struct arena texts; /* of models */
    size_t bytes_most;  /* 0: no limit */
    size_t full_count;  /* records when one did not fit, with that one; 0: all have */
};

enum { MODELS_MOST = UINT16_MAX };

struct state *state_new(void)
{
    return mem_zeroed(1, sizeof(struct state));
}

void state_free(struct state *state)
{
    if (!state)
        return;
    for (size_t p = 0; p < state->part_count; p++)
        state_table_free(state->parts[p].table);
    free(state->parts);
    free(state->models);
    arena_free(&state->texts);
    buffer_free(&state->log);
    free(state);
}

/* --- partitions --- */

static struct part *part_of(const struct state *state, int32_t partition)
{
    return (size_t)partition < state->part_count ? &state->parts[partition] : NULL;
}

static struct state_table *table_of(const struct state *state, int32_t partition)
{
    const struct part *part = part_of(state, partition);
    assert(part && part->table);
    return part->table;
}

struct state_table *state_open(struct state *state, int32_t partition)
{
    assert(!state->log.bytes);
    if ((size_t)partition >= state->part_count) {
        state->parts = mem_resize(state->parts, (size_t)partition + 1, sizeof *state->parts);
        for (; state->part_count <= (size_t)partition; state->part_count++)
            state->parts[state->part_count] = (struct part){0};
    }
    struct part *part = part_of(state, partition);
    state_table_free(part->table);
    *part = (struct part){.table = state_table_new(), .position = -1, .origin = {.offset = -1}};
    state->upsets++;
    return part->table;
}

void state_close(struct state *state, int32_t partition)
{
    struct part *part = part_of(state, partition);
    assert(!state->log.bytes);
    if (!part)
        return;
    state_table_free(part->table);
    *part = (struct part){0};
}

int32_t state_last(const struct state *state)
{
    return (int32_t)state->part_count - 1;
}

bool state_has(const struct state *state, int32_t partition)
{
    const struct part *part = part_of(state, partition);
    return part && part->table;
}

int64_t state_position(const struct state *state, int32_t partition)
{
    return state_has(state, partition) ? state->parts[partition].position : -1;
}

void state_set_position(struct state *state, int32_t partition, int64_t position)
{
    assert(state_has(state, partition));
    state->parts[partition].position = position;
}

struct state_origin state_origin(const struct state *state, int32_t partition)
{
    assert(state_has(state, partition));
    return state->parts[partition].origin;
}

void state_set_origin(struct state *state, int32_t partition, struct state_origin origin)
{
    assert(state_has(state, partition));
    state->parts[partition].origin = origin;
}

/* --- records --- */

/* `block`: what is there before it. */
static void log_change(struct state *state, int32_t partition, struct span employee_id, struct span block)
{
    const struct span kept = block.data ? block : employee_id;
    const struct undo undo = {partition, (uint32_t)kept.bytes, state->last, block.data != NULL};
    state->last = sizeof undo + kept.bytes;
    buffer_add(&state->log, &undo, sizeof undo);
    buffer_add(&state->log, kept.data, kept.bytes);
}

bool state_find(const struct state *state, int32_t partition, struct span employee_id, struct state_record *out)
{
    return state_table_find(table_of(state, partition), employee_id, out);
}

bool state_next(const struct state *state, int32_t partition, size_t *at, struct state_record *out)
{
    return state_has(state, partition) && state_table_next(table_of(state, partition), at, out);
}

void state_put(struct state *state, int32_t partition, const struct state_record *record)
{
    struct state_table *table = table_of(state, partition);
    const struct state_place at = state_table_seek(table, record->employee_id);
    log_change(state, partition, record->employee_id, state_table_block(table, at));
    state_table_put_at(table, at, record);
}

bool state_remove(struct state *state, int32_t partition, struct span employee_id)
{
    struct state_table *table = table_of(state, partition);
    const struct span block = state_table_block(table, state_table_seek(table, employee_id));
    if (!block.data)
        return false;
    log_change(state, partition, employee_id, block);
    part_of(state, partition)->removals++;
    return state_table_remove(table, employee_id);
}

size_t state_last_change(const struct state *state)
{
    assert(state->log.bytes);
    return state->log.bytes - state->last;
}

static struct undo undo_at(const struct state *state, size_t change)
{
    struct undo undo;
    assert(change < state->log.bytes);
    memcpy(&undo, state->log.data + change, sizeof undo);
    return undo;
}

bool state_replaced(const struct state *state, size_t change, struct state_record *out)
{
    const struct undo undo = undo_at(state, change);
    if (undo.had)
        state_block_read((struct span){state->log.data + change + sizeof undo, undo.bytes}, out);
    return undo.had;
}

/* An event whose employee has a later one in the same batch: that is not far behind. */
void state_set_score(struct state *state, int32_t partition, size_t change, const struct state_record *scored)
{
    if (state_table_set_score(table_of(state, partition), scored))
        return;
    for (size_t at = change, next; at < state->log.bytes; at = next) {
        const struct undo undo = undo_at(state, at);
        next = at + sizeof undo + undo.bytes;
        if (at > change && undo.had && undo.partition == partition &&
            state_block_set_score(state->log.data + at + sizeof undo, scored))
            return;
    }
}

/* --- transactions --- */

void state_mark(struct state *state)
{
    assert(!state->committing);
    state->committing = state->log.bytes;
    for (size_t p = 0; p < state->part_count; p++)
        state->parts[p].removals_marked = state->parts[p].removals;
}

void state_committed(struct state *state)
{
    size_t rest = state->log.bytes - state->committing;
    if (rest)
        memmove(state->log.data, state->log.data + state->committing, rest);
    state->log.bytes = rest;
    state->committing = 0;
    for (size_t p = 0; p < state->part_count; p++)
        state->parts[p].removals_committed = state->parts[p].removals_marked;
}

static void undo_last(struct state *state)
{
    struct undo undo;
    const char *entry = state->log.data + state->log.bytes - state->last;
    memcpy(&undo, entry, sizeof undo);
    const struct span kept = {entry + sizeof undo, undo.bytes};
    struct state_table *table = table_of(state, undo.partition);
    if (undo.had)
        state_table_put_block(table, kept);
    else
        (void)state_table_remove(table, kept);
    state->log.bytes -= state->last;
    state->last = undo.previous;
}

/* Entries of what has been committed are gone, so the first one's `previous` is never followed. */
void state_roll_back(struct state *state)
{
    while (state->log.bytes)
        undo_last(state);
    state->committing = 0;
    state->upsets++;
}

/* --- copies --- */

/* What is not committed comes from events at or after the position. */
bool state_copy(const struct state *state, int32_t partition, size_t *at, size_t most, struct buffer *out)
{
    return state_table_copy(table_of(state, partition), state_position(state, partition), at, most, out);
}

void state_copy_replaced(const struct state *state, int32_t partition, struct buffer *out)
{
    struct state_record record;
    for (size_t at = 0; at < state->log.bytes;) {
        const struct undo undo = undo_at(state, at);
        const struct span block = {state->log.data + at + sizeof undo, undo.bytes};
        at += sizeof undo + undo.bytes;
        if (undo.partition != partition || !undo.had)
            continue;
        state_block_read(block, &record);
        if (record.source_offset < state_position(state, partition))
            state_block_copy(block, out);
    }
}

uint64_t state_generation(const struct state *state, int32_t partition)
{
    return (uint64_t)state->upsets << 32 | state_table_moves(table_of(state, partition));
}

uint64_t state_removals(const struct state *state, int32_t partition)
{
    return part_of(state, partition)->removals_committed;
}

/* --- models --- */

static bool is_model(const struct state_model *a, const struct state_model *b)
{
    return a->threshold == b->threshold && span_equal(a->version, b->version) && span_equal(a->name, b->name);
}

/* Most predictions are of the newest. */
uint16_t state_model_number(struct state *state, const struct state_model *model)
{
    for (size_t m = state->model_count; m-- > 0;)
        if (is_model(&state->models[m], model))
            return (uint16_t)m;
    if (state->model_count == MODELS_MOST)
        return MODELS_MOST - 1;
    state->models = mem_grow(state->models, &state->model_capacity, state->model_count + 1, sizeof *state->models);
    state->models[state->model_count] = (struct state_model){
        .name = {arena_text(&state->texts, model->name.data, model->name.bytes), model->name.bytes},
        .version = {arena_text(&state->texts, model->version.data, model->version.bytes), model->version.bytes},
        .threshold = model->threshold,
    };
    return (uint16_t)state->model_count++;
}

const struct state_model *state_model_at(const struct state *state, uint16_t number)
{
    assert(number < state->model_count);
    return &state->models[number];
}

uint16_t state_model_count(const struct state *state)
{
    return (uint16_t)state->model_count;
}

/* --- sums --- */

size_t state_count_of(const struct state *state, int32_t partition)
{
    return state_has(state, partition) ? state_table_count(state->parts[partition].table) : 0;
}

size_t state_count(const struct state *state)
{
    size_t count = 0;
    for (size_t p = 0; p < state->part_count; p++)
        count += state->parts[p].table ? state_table_count(state->parts[p].table) : 0;
    return count;
}

size_t state_bytes(const struct state *state)
{
    size_t bytes = state->log.capacity;
    for (size_t p = 0; p < state->part_count; p++)
        bytes += state->parts[p].table ? state_table_bytes(state->parts[p].table) : 0;
    return bytes;
}

void state_limit_bytes(struct state *state, size_t most)
{
    state->bytes_most = most;
}

bool state_is_limited(const struct state *state)
{
    return state->bytes_most;
}

/* The log doubles where it is full. */
static size_t bytes_with(const struct state *state, int32_t partition, size_t id_bytes, size_t row_bytes)
{
    const struct state_table *table = table_of(state, partition);
    size_t left = state->log.capacity - state->log.bytes;
    return state_bytes(state) - state_table_bytes(table) + state_table_bytes_with(table, id_bytes, row_bytes) +
           (left < sizeof(struct undo) + id_bytes ? state->log.capacity : 0);
}

bool state_fits(struct state *state, int32_t partition, size_t id_bytes, size_t row_bytes)
{
    if (!state->bytes_most || bytes_with(state, partition, id_bytes, row_bytes) <= state->bytes_most)
        return true;
    state->full_count = state_count(state) + 1;
    return false;
}

bool state_is_full(const struct state *state)
{
    return state->full_count && state_count(state) + 1 >= state->full_count;
}
