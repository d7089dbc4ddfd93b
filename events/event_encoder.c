/* Events and attributes records into bytes, always with minimal varints: the producer's and the score loop's way out.
 * Any thread; no allocation once the buffer has grown. */
#include "events/event_encoder.h"

#include <assert.h>

#include "events/event_encoder_private.h"
#include "events/record_codec.h"

/* Exactly the numbers that (int64_t) takes back unchanged and that fit the column. */
static bool number_fits(const struct column *column, double number)
{
    if (column->type == COLUMN_INT)
        return number >= INT32_MIN && number <= INT32_MAX && number == (double)(int32_t)number;
    if (column->type == COLUMN_LONG)
        return number >= -0x1p63 && number < 0x1p63 && number == (double)(int64_t)number;
    return true;
}

bool event_is_encodable(const struct schema *schema, const struct cell *cells)
{
    const struct schema_parts *parts = schema_parts(schema);
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (cells[c].code == CELL_MISSING) {
            if (parts->readers[c].null_branch == NULL_BRANCH_NONE)
                return false;
        } else if (column->type == COLUMN_TEXT ? !cells[c].text : !number_fits(column, cells[c].number)) {
            return false;
        }
    }
    return true;
}

size_t attributes_bound(const struct schema_parts *parts, const struct cell *cells)
{
    size_t count = parts->schema.column_count, bytes = count * (1 + AVRO_VARINT_MAX);
    for (size_t c = 0; c < count; c++)
        if (parts->readers[c].type == COLUMN_TEXT && cells[c].code != CELL_MISSING)
            bytes += cells[c].text_bytes;
    return bytes;
}

static inline char *number_put(const struct column_reader *reader, double number, char *at)
{
    switch ((enum column_type)reader->type) {
    case COLUMN_INT:
    case COLUMN_LONG:
        assert(number >= -0x1p63 && number < 0x1p63);
        return avro_put_long(at, (int64_t)number);
    case COLUMN_FLOAT:
        return avro_put_float(at, (float)number);
    default:
        return avro_put_double(at, number);
    }
}

char *attributes_put(const struct schema_parts *parts, const struct cell *cells, char *at)
{
    const struct column_reader *reader = parts->readers, *last = reader + parts->schema.column_count;
    for (const struct cell *cell = cells; reader < last; reader++, cell++) {
        if (cell->code == CELL_MISSING) {
            assert(reader->null_branch != NULL_BRANCH_NONE);
            *at++ = (char)(reader->null_branch << 1);
            continue;
        }
        if (reader->null_branch != NULL_BRANCH_NONE)
            *at++ = (char)((reader->null_branch ^ 1) << 1);
        if (reader->type == COLUMN_TEXT)
            at = avro_put_text(at, (struct span){cell->text, cell->text_bytes});
        else
            at = number_put(reader, cell->number, at);
    }
    return at;
}

static void written(struct buffer *out, const char *end)
{
    out->bytes = (size_t)(end - out->data);
    assert(out->bytes <= out->capacity);
}

void attributes_encode(const struct schema *schema, const struct cell *cells, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    written(out, attributes_put(parts, cells, buffer_reserve(out, attributes_bound(parts, cells))));
}

/* --- the event's record (event.h) --- */

#define record_put_event_type avro_put_long
#define record_bytes_event_type(value) AVRO_VARINT_MAX

static char *put_attributes(const struct schema_parts *parts, const struct event *record, char *at)
{
    return record->attributes.data ? avro_put_raw(at, record->attributes) : attributes_put(parts, record->cells, at);
}

static size_t bytes_attributes(const struct schema_parts *parts, const struct event *record)
{
    return record->attributes.data ? record->attributes.bytes : attributes_bound(parts, record->cells);
}

void event_encode(const struct schema *schema, const struct event *record, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    size_t bytes = AVRO_FRAME_BYTES EVENT_RECORD(RECORD_BYTES, RECORD_BYTES_PART);
    char *at = avro_put_frame(buffer_reserve(out, bytes), schema->event_schema_id);
    EVENT_RECORD(RECORD_PUT, RECORD_PUT_PART)
    written(out, at);
}
