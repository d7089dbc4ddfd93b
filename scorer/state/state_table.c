/* A partition's records: see state_table.h. Called by a score loop on its thread. Compacting and growing take as long
 * as copying the records does; nothing else here is more than a few cache misses. */
#include "scorer/state/state_table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { UNIT = 8, SLOTS_FIRST = 1024, UNITS_FIRST = 8192, GROWTH_PART = 4, DEAD_PART = 4 };

/* What a record looks like in the arena: this, its id, its row. Places and sizes are in units of eight bytes. */
struct block {
    uint32_t units; /* to the next block */
    uint32_t row_bytes;
    uint16_t id_bytes; /* 0: a dead block */
    uint16_t model;
    uint8_t flags, label, alerted_label, spare;
    int64_t occurred_at_ms, source_offset;
    double probability, margin, alerted_probability;
};
enum { FLAG_LEFT = 1, FLAG_SCORED = 2, FLAG_ALERTED = 4 };
_Static_assert(sizeof(struct block) % UNIT == 0, "blocks are whole units");

struct slot {
    uint32_t hash;
    uint32_t place; /* of the block, one added; 0: the slot is free */
};

struct state_table {
    struct slot *slots;
    size_t slot_count, count; /* slot_count: a power of two */
    uint64_t *arena;
    size_t used, capacity; /* units */
    size_t live;           /* units that the records need */
    uint32_t moves;        /* compactions so far */
};

/* --- blocks --- */

static struct block *block_at(const struct state_table *table, size_t place)
{
    return (struct block *)(table->arena + place);
}

static char *block_id(const struct block *block)
{
    return (char *)(uintptr_t)block + sizeof *block;
}

static size_t units_needed(size_t id_bytes, size_t row_bytes)
{
    return (sizeof(struct block) + id_bytes + row_bytes + UNIT - 1) / UNIT;
}

static size_t block_needs(const struct block *block)
{
    return units_needed(block->id_bytes, block->row_bytes);
}

static struct span id_of(const struct block *block)
{
    return (struct span){block_id(block), block->id_bytes};
}

static void block_read(const struct block *block, struct state_record *out)
{
    *out = (struct state_record){
        .employee_id = id_of(block),
        .occurred_at_ms = block->occurred_at_ms,
        .source_offset = block->source_offset,
        .left = block->flags & FLAG_LEFT,
        .scored = block->flags & FLAG_SCORED,
        .alerted = block->flags & FLAG_ALERTED,
        .label = block->label,
        .alerted_label = block->alerted_label,
        .model = block->model,
        .probability = block->probability,
        .margin = block->margin,
        .alerted_probability = block->alerted_probability,
        .row = {block_id(block) + block->id_bytes, block->row_bytes},
    };
}

static void block_set_score(struct block *block, const struct state_record *scored)
{
    block->flags = (uint8_t)((block->flags & FLAG_LEFT) | (scored->scored ? FLAG_SCORED : 0) |
                             (scored->alerted ? FLAG_ALERTED : 0));
    block->label = scored->label;
    block->alerted_label = scored->alerted_label;
    block->model = scored->model;
    block->probability = scored->probability;
    block->margin = scored->margin;
    block->alerted_probability = scored->alerted_probability;
}

static void block_write(struct block *block, size_t units, const struct state_record *record)
{
    *block = (struct block){
        .units = (uint32_t)units,
        .row_bytes = (uint32_t)record->row.bytes,
        .id_bytes = (uint16_t)record->employee_id.bytes,
        .flags = record->left ? FLAG_LEFT : 0,
        .occurred_at_ms = record->occurred_at_ms,
        .source_offset = record->source_offset,
    };
    block_set_score(block, record);
    memcpy(block_id(block), record->employee_id.data, record->employee_id.bytes);
    if (record->row.bytes)
        memcpy(block_id(block) + record->employee_id.bytes, record->row.data, record->row.bytes);
}

/* --- the hash --- */

/* Fewer than eight bytes, each of them in it: with their number they are known by it. */
static inline uint64_t word_of(const char *data, size_t bytes)
{
    uint32_t head, tail;
    if (bytes >= sizeof head) {
        memcpy(&head, data, sizeof head);
        memcpy(&tail, data + bytes - sizeof tail, sizeof tail);
        return head | (uint64_t)tail << 32;
    }
    if (!bytes)
        return 0;
    return (uint8_t)data[0] | (uint64_t)(uint8_t)data[bytes / 2] << 8 | (uint64_t)(uint8_t)data[bytes - 1] << 16;
}

static uint32_t hash_of(struct span id)
{
    const uint64_t multiplier = 0x9e3779b97f4a7c15u;
    uint64_t hash = id.bytes * multiplier, word;
    size_t at = 0;
    for (; id.bytes - at >= sizeof word; at += sizeof word) {
        memcpy(&word, id.data + at, sizeof word);
        hash = (hash ^ word) * multiplier;
        hash ^= hash >> 29;
    }
    hash = (hash ^ word_of(id.data + at, id.bytes - at)) * multiplier;
    hash ^= hash >> 32;
    return (uint32_t)(hash * multiplier >> 32);
}

/* The slot of this id, or the free one where it would stand. */
static size_t slot_find(const struct state_table *table, struct span id, uint32_t hash)
{
    size_t mask = table->slot_count - 1, at = hash & mask;
    for (; table->slots[at].place; at = (at + 1) & mask)
        if (table->slots[at].hash == hash && span_equal(id_of(block_at(table, table->slots[at].place - 1)), id))
            break;
    return at;
}

static void slots_grow(struct state_table *table)
{
    struct slot *old = table->slots;
    size_t old_count = table->slot_count, mask = old_count * 2 - 1;
    table->slot_count = old_count * 2;
    table->slots = mem_zeroed(table->slot_count, sizeof *table->slots);
    for (size_t s = 0; s < old_count; s++) {
        if (!old[s].place)
            continue;
        size_t at = old[s].hash & mask;
        while (table->slots[at].place)
            at = (at + 1) & mask;
        table->slots[at] = old[s];
    }
    free(old);
}

/* Frees the slot; those after it that would not be found any more move up. */
static void slot_clear(struct state_table *table, size_t at)
{
    size_t mask = table->slot_count - 1;
    for (size_t next = (at + 1) & mask; table->slots[next].place; next = (next + 1) & mask) {
        size_t home = table->slots[next].hash & mask;
        if (((next - home) & mask) < ((next - at) & mask))
            continue;
        table->slots[at] = table->slots[next];
        at = next;
    }
    table->slots[at] = (struct slot){0};
}

/* --- the arena --- */

/* Every record moves down over the dead blocks before it, and is as large as it needs to be. */
static void compact(struct state_table *table)
{
    size_t to = 0;
    for (size_t from = 0, units; from < table->used; from += units) {
        struct block *block = block_at(table, from);
        units = block->units;
        if (!block->id_bytes)
            continue;
        size_t slot = slot_find(table, id_of(block), hash_of(id_of(block)));
        assert(table->slots[slot].place == from + 1);
        block->units = (uint32_t)block_needs(block);
        size_t needs = block->units;
        memmove(table->arena + to, block, needs * UNIT);
        table->slots[slot].place = (uint32_t)to + 1;
        to += needs;
    }
    table->used = to;
    table->moves++;
    assert(table->used == table->live);
}

static bool is_to_be_compacted(const struct state_table *table, size_t units)
{
    return table->used + units > table->capacity && table->used - table->live > table->used / DEAD_PART;
}

static size_t room_for(const struct state_table *table, size_t units)
{
    return units > table->capacity ? units + units / GROWTH_PART : table->capacity;
}

static bool slots_are_full(const struct state_table *table)
{
    return (table->count + 1) * 4 > table->slot_count * 3;
}

static size_t arena_take_units(struct state_table *table, size_t units)
{
    if (is_to_be_compacted(table, units))
        compact(table);
    if (table->used + units > table->capacity) {
        table->capacity = room_for(table, table->used + units);
        table->arena = mem_resize(table->arena, table->capacity, UNIT);
    }
    assert(table->used + units < UINT32_MAX);
    table->used += units;
    return table->used - units;
}

/* --- the table --- */

struct state_table *state_table_new(void)
{
    struct state_table *table = mem_zeroed(1, sizeof *table);
    table->slot_count = SLOTS_FIRST;
    table->slots = mem_zeroed(table->slot_count, sizeof *table->slots);
    table->capacity = UNITS_FIRST;
    table->arena = mem_resize(NULL, table->capacity, UNIT);
    return table;
}

void state_table_free(struct state_table *table)
{
    if (!table)
        return;
    free(table->slots);
    free(table->arena);
    free(table);
}

struct state_place state_table_seek(const struct state_table *table, struct span employee_id)
{
    const uint32_t hash = hash_of(employee_id);
    return (struct state_place){slot_find(table, employee_id, hash), hash};
}

/* NULL: the slot is free. */
static struct block *block_in(const struct state_table *table, size_t slot)
{
    return table->slots[slot].place ? block_at(table, table->slots[slot].place - 1) : NULL;
}

bool state_table_find(const struct state_table *table, struct span employee_id, struct state_record *out)
{
    const struct block *block = block_in(table, state_table_seek(table, employee_id).slot);
    if (block)
        block_read(block, out);
    return block != NULL;
}

bool state_table_next(const struct state_table *table, size_t *at, struct state_record *out)
{
    while (*at < table->used) {
        const struct block *block = block_at(table, *at);
        *at += block->units;
        if (!block->id_bytes)
            continue;
        block_read(block, out);
        return true;
    }
    return false;
}

static void remove_at(struct state_table *table, size_t slot)
{
    struct block *block = block_at(table, table->slots[slot].place - 1);
    table->live -= block_needs(block);
    table->count--;
    block->id_bytes = 0;
    slot_clear(table, slot);
}

/* Its slot is free. */
static void add_block(struct state_table *table, struct state_place at, const struct state_record *record, size_t units)
{
    if (slots_are_full(table)) {
        slots_grow(table);
        at.slot = slot_find(table, record->employee_id, at.hash);
    }
    size_t place = arena_take_units(table, units);
    table->slots[at.slot] = (struct slot){at.hash, (uint32_t)place + 1};
    block_write(block_at(table, place), units, record);
    table->live += units;
    table->count++;
}

void state_table_put_at(struct state_table *table, struct state_place at, const struct state_record *record)
{
    assert(record->employee_id.bytes && record->employee_id.bytes <= UINT16_MAX && record->row.bytes <= UINT32_MAX);
    size_t units = units_needed(record->employee_id.bytes, record->row.bytes);
    struct block *old = block_in(table, at.slot);
    if (old && old->units >= units) {
        table->live += units - block_needs(old);
        block_write(old, old->units, record);
        return;
    }
    if (old) {
        remove_at(table, at.slot);
        at.slot = slot_find(table, record->employee_id, at.hash);
    }
    add_block(table, at, record, units);
}

void state_table_put(struct state_table *table, const struct state_record *record)
{
    state_table_put_at(table, state_table_seek(table, record->employee_id), record);
}

bool state_table_set_score(struct state_table *table, const struct state_record *scored)
{
    struct block *block = block_in(table, state_table_seek(table, scored->employee_id).slot);
    if (!block || block->source_offset != scored->source_offset)
        return false;
    block_set_score(block, scored);
    return true;
}

bool state_table_remove(struct state_table *table, struct span employee_id)
{
    size_t slot = state_table_seek(table, employee_id).slot;
    if (!table->slots[slot].place)
        return false;
    remove_at(table, slot);
    return true;
}

struct span state_table_block(const struct state_table *table, struct state_place at)
{
    const struct block *block = block_in(table, at.slot);
    return block ? (struct span){(const char *)block, block_needs(block) * UNIT} : SPAN_NULL;
}

void state_block_read(struct span block, struct state_record *out)
{
    struct block head;
    memcpy(&head, block.data, sizeof head);
    block_read(&head, out);
    out->employee_id = (struct span){block.data + sizeof head, head.id_bytes};
    out->row = (struct span){block.data + sizeof head + head.id_bytes, head.row_bytes};
}

bool state_block_set_score(char *block, const struct state_record *scored)
{
    struct block head;
    memcpy(&head, block, sizeof head);
    if (head.source_offset != scored->source_offset)
        return false;
    block_set_score(&head, scored);
    memcpy(block, &head, sizeof head);
    return true;
}

void state_table_put_block(struct state_table *table, struct span block)
{
    struct state_record record;
    state_block_read(block, &record);
    state_table_put(table, &record);
}

/* --- copies --- */

/* What a larger record has left behind it stays out. */
void state_block_copy(struct span block, struct buffer *out)
{
    static const char zeros[UNIT];
    struct block head;
    memcpy(&head, block.data, sizeof head);
    head.units = (uint32_t)block_needs(&head);
    size_t bytes = sizeof head + head.id_bytes + head.row_bytes;
    buffer_add(out, &head, sizeof head);
    buffer_add(out, block.data + sizeof head, bytes - sizeof head);
    buffer_add(out, zeros, head.units * (size_t)UNIT - bytes);
}

bool state_table_copy(const struct state_table *table, int64_t below, size_t *at, size_t most, struct buffer *out)
{
    size_t full = out->bytes + most;
    while (*at < table->used && out->bytes < full) {
        const struct block *block = block_at(table, *at);
        *at += block->units;
        if (block->id_bytes && block->source_offset < below)
            state_block_copy((struct span){(const char *)block, block_needs(block) * UNIT}, out);
    }
    return *at < table->used;
}

uint32_t state_table_moves(const struct state_table *table)
{
    return table->moves;
}

bool state_block_take(struct cursor *cursor, struct span *block)
{
    struct block head;
    if (cursor_left(cursor) < sizeof head)
        return false;
    memcpy(&head, cursor->at, sizeof head);
    return head.id_bytes && head.units == block_needs(&head) &&
           head.flags <= (FLAG_LEFT | FLAG_SCORED | FLAG_ALERTED) &&
           cursor_span(cursor, head.units * (size_t)UNIT, block);
}

size_t state_block_head_bytes(void)
{
    return sizeof(struct block);
}

void state_table_reserve(struct state_table *table, size_t count, size_t bytes)
{
    while ((table->count + count) * 4 > table->slot_count * 3)
        slots_grow(table);
    if (table->used + bytes / UNIT <= table->capacity)
        return;
    table->capacity = table->used + bytes / UNIT;
    table->arena = mem_resize(table->arena, table->capacity, UNIT);
}

size_t state_table_count(const struct state_table *table)
{
    return table->count;
}

size_t state_table_bytes(const struct state_table *table)
{
    return sizeof *table + table->slot_count * sizeof *table->slots + table->capacity * UNIT;
}

size_t state_table_bytes_with(const struct state_table *table, size_t id_bytes, size_t row_bytes)
{
    size_t units = units_needed(id_bytes, row_bytes);
    size_t used = is_to_be_compacted(table, units) ? table->live : table->used;
    size_t slots = slots_are_full(table) ? 2 * table->slot_count : table->slot_count;
    return sizeof *table + slots * sizeof *table->slots + room_for(table, used + units) * UNIT;
}
