/* Snapshots as bytes: see snapshot_file.h. Written by snapshots.c, on a score loop's thread but for the seal; read by
 * it there when partitions are assigned. */
#include "scorer/state/snapshot_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32.h"
#include "base/memory.h"
#include "events/identity.h"
#include "scorer/state/state_row.h"

enum { SNAPSHOT_VERSION = 1, ABOUT_COUNT = 8 };
#define BYTE_ORDER_MARK UINT32_C(0x01020304)

struct head {
    char magic[8];
    uint32_t version, block_bytes, byte_order;
    uint32_t crc; /* of all bytes after the head */
    uint64_t bytes;
};
static const char magic[8] = {'A', 'T', 'T', 'R', 'S', 'N', 'A', 'P'};

struct point {
    int64_t written_us, origin_offset, begun_us;
    uint64_t records_bytes;
};

/* --- texts and numbers --- */

static void add_text(struct buffer *out, struct span text)
{
    uint32_t bytes = (uint32_t)text.bytes;
    buffer_add(out, &bytes, sizeof bytes);
    buffer_add(out, text.data, text.bytes);
}

static bool take(struct cursor *cursor, void *out, size_t bytes)
{
    struct span raw;
    if (!cursor_span(cursor, bytes, &raw))
        return false;
    memcpy(out, raw.data, bytes);
    return true;
}

static bool take_text(struct cursor *cursor, struct span *out)
{
    uint32_t bytes;
    return take(cursor, &bytes, sizeof bytes) && cursor_span(cursor, bytes, out);
}

/* --- whose records --- */

struct about_text {
    const char *name;
    struct span text;
};

/* Label numbers and rows mean something only under the same schema. */
static void list_about(const struct snapshot_about *about, struct buffer *numbers, struct about_text out[ABOUT_COUNT])
{
    buffer_printf(numbers, "%" PRId32 "%c%" PRId32 "%c", about->partition, '\0', about->partitions, '\0');
    for (size_t v = 0; v < about->schema->target_count; v++) {
        buffer_add(numbers, about->schema->target_values[v].data, about->schema->target_values[v].bytes);
        buffer_add_u8(numbers, '\n');
    }
    const char *partitions = numbers->data + strlen(numbers->data) + 1, *labels = partitions + strlen(partitions) + 1;
    const struct about_text texts[ABOUT_COUNT] = {
        {"cluster", span_of(about->cluster)},
        {"state topic", span_of(about->state_topic)},
        {"group", span_of(about->group)},
        {"input topic", span_of(about->input_topic)},
        {"partition", span_of(numbers->data)},
        {"number of partitions", span_of(partitions)},
        {"event schema", span_of(about->schema->digest)},
        {"prediction schema", {labels, numbers->bytes - (size_t)(labels - numbers->data)}},
    };
    memcpy(out, texts, sizeof texts);
}

static void write_about(const struct snapshot_about *about, struct buffer *out)
{
    struct about_text texts[ABOUT_COUNT];
    struct buffer numbers = {0};
    list_about(about, &numbers, texts);
    for (size_t i = 0; i < ABOUT_COUNT; i++)
        add_text(out, texts[i].text);
    buffer_free(&numbers);
}

static enum status read_about(struct cursor *cursor, const struct snapshot_about *about, struct error *err)
{
    struct about_text texts[ABOUT_COUNT];
    struct buffer numbers = {0};
    struct span found;
    enum status status = STATUS_OK;
    list_about(about, &numbers, texts);
    for (size_t i = 0; i < ABOUT_COUNT && status == STATUS_OK; i++)
        if (!take_text(cursor, &found))
            status = error_set(err, STATUS_INVALID, "it is damaged");
        else if (!span_equal(found, texts[i].text))
            status = error_set(err, STATUS_CONFLICT, "it is of another %s", texts[i].name);
    buffer_free(&numbers);
    return status;
}

/* --- writing --- */

void snapshot_file_begin(const struct snapshot_about *about, const struct snapshot_point *point, struct buffer *out)
{
    const struct point record = {point->written_us, point->origin.offset, point->origin.begun_us, 0};
    const struct head head = {.version = SNAPSHOT_VERSION};
    buffer_add(out, &head, sizeof head);
    write_about(about, out);
    buffer_add(out, &record, sizeof record);
}

/* Where the records begin. False: the bytes are no file's. */
static bool skip_about(struct cursor *cursor)
{
    struct head head;
    struct span text;
    bool there = take(cursor, &head, sizeof head);
    for (size_t i = 0; i < ABOUT_COUNT && there; i++)
        there = take_text(cursor, &text);
    return there;
}

void snapshot_file_end(const struct state *state, struct buffer *out)
{
    struct cursor cursor = cursor_of(buffer_span(out));
    struct point point;
    if (!skip_about(&cursor) || cursor_left(&cursor) < sizeof point)
        abort(); /* it was begun */
    char *at = out->data + out->bytes - cursor_left(&cursor);
    memcpy(&point, at, sizeof point);
    point.records_bytes = cursor_left(&cursor) - sizeof point;
    memcpy(at, &point, sizeof point);
    for (uint16_t m = 0; m < state_model_count(state); m++) {
        const struct state_model *model = state_model_at(state, m);
        add_text(out, model->name);
        add_text(out, model->version);
        buffer_add(out, &model->threshold, sizeof model->threshold);
    }
}

void snapshot_file_seal(struct buffer *out)
{
    struct head head = {.version = SNAPSHOT_VERSION,
                        .block_bytes = (uint32_t)state_block_head_bytes(),
                        .byte_order = BYTE_ORDER_MARK,
                        .bytes = out->bytes};
    memcpy(head.magic, magic, sizeof magic);
    head.crc = crc32_of((struct span){out->data + sizeof head, out->bytes - sizeof head});
    memcpy(out->data, &head, sizeof head);
}

/* --- reading --- */

static enum status read_head(struct span bytes, struct cursor *cursor, struct error *err)
{
    struct head head;
    if (!take(cursor, &head, sizeof head) || memcmp(head.magic, magic, sizeof magic) != 0)
        return error_set(err, STATUS_INVALID, "it is no snapshot of a scorer");
    if (head.version != SNAPSHOT_VERSION || head.block_bytes != state_block_head_bytes() ||
        head.byte_order != BYTE_ORDER_MARK)
        return error_set(err, STATUS_UNSUPPORTED, "it is another version's, or another machine's");
    if (head.bytes != bytes.bytes)
        return error_set(err, STATUS_INVALID, "it is cut short, or has grown: %zu bytes, and there were %" PRIu64,
                         bytes.bytes, head.bytes);
    if (head.crc != crc32_of((struct span){(const char *)cursor->at, cursor_left(cursor)}))
        return error_set(err, STATUS_INVALID, "its checksum is wrong");
    return STATUS_OK;
}

/* This process's numbers of the file's models. */
struct models {
    uint16_t *numbers;
    size_t count, capacity;
};

static bool read_models(struct cursor cursor, struct state *state, struct models *models)
{
    struct state_model model;
    while (cursor_left(&cursor)) {
        if (!take_text(&cursor, &model.name) || !take_text(&cursor, &model.version) ||
            !take(&cursor, &model.threshold, sizeof model.threshold) || models->count > UINT16_MAX)
            return false;
        models->numbers = mem_grow(models->numbers, &models->capacity, models->count + 1, sizeof *models->numbers);
        models->numbers[models->count++] = state_model_number(state, &model);
    }
    return true;
}

static bool is_sound(const struct schema *schema, const struct state_record *record, const struct models *models)
{
    if (id_flaw(record->employee_id) || record->source_offset < 0 || record->label >= schema->target_count ||
        record->alerted_label >= schema->target_count || (record->scored && record->model >= models->count))
        return false;
    return record->left ? !record->row.bytes : state_row_is_sound(schema, record->row);
}

static bool read_records(struct span blocks, const struct schema *schema, const struct models *models,
                         struct state_table *table)
{
    struct cursor cursor = cursor_of(blocks);
    struct state_record record;
    struct span block;
    while (cursor_left(&cursor)) {
        if (!state_block_take(&cursor, &block))
            return false;
        state_block_read(block, &record);
        if (!is_sound(schema, &record, models))
            return false;
        record.model = record.scored ? models->numbers[record.model] : 0;
        state_table_put(table, &record);
    }
    return true;
}

/* 0 where they are damaged. */
static size_t count_blocks(struct span blocks)
{
    struct cursor cursor = cursor_of(blocks);
    struct span block;
    size_t count = 0;
    while (state_block_take(&cursor, &block))
        count++;
    return cursor_left(&cursor) ? 0 : count;
}

static enum status read_body(struct cursor cursor, const struct schema *schema, struct state *state,
                             struct state_table *table, struct snapshot_point *point, struct error *err)
{
    struct models models = {0};
    struct point found;
    struct span blocks;
    bool whole = take(&cursor, &found, sizeof found) && found.origin_offset >= 0 && found.begun_us > 0 &&
                 cursor_span(&cursor, found.records_bytes, &blocks) && read_models(cursor, state, &models);
    if (whole) {
        state_table_reserve(table, count_blocks(blocks), blocks.bytes);
        whole = read_records(blocks, schema, &models, table);
    }
    free(models.numbers);
    if (!whole)
        return error_set(err, STATUS_INVALID, "it is damaged");
    *point = (struct snapshot_point){found.written_us, {found.origin_offset, found.begun_us}};
    return STATUS_OK;
}

enum status snapshot_file_read(struct span bytes, const struct snapshot_about *about, struct state *state,
                               struct state_table *table, struct snapshot_point *point, struct error *err)
{
    struct cursor cursor = cursor_of(bytes);
    if (read_head(bytes, &cursor, err) != STATUS_OK || read_about(&cursor, about, err) != STATUS_OK)
        return err->status;
    return read_body(cursor, about->schema, state, table, point, err);
}
