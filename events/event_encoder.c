/* Events and attributes records into bytes, always with minimal varints: the producer's and the score loop's way out.
 * Any thread; no allocation once the buffer has grown. */
#include "events/event_encoder.h"

#include <assert.h>

#include "events/event_encoder_private.h"
#include "events/frame.h"
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
        if (cells[c].code == CELL_UNLISTED)
            continue;
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
    size_t bytes = parts->schema.column_count * (1 + AVRO_VARINT_MAX) + parts->text_column_count * ENCODED_ROOM;
    for (size_t t = 0; t < parts->text_column_count; t++) {
        const struct cell *cell = &cells[parts->text_columns[t]];
        if (cell->code != CELL_MISSING && cell->code != CELL_UNLISTED)
            bytes += cell->text_bytes;
    }
    return bytes;
}

static inline bool is_long(double number)
{
    return fabs(number) < 0x1p63 || number == -0x1p63;
}

static inline char *number_put(const struct column_reader *reader, double number, char *at)
{
    switch ((enum column_type)reader->type) {
    case COLUMN_INT:
    case COLUMN_LONG:
        assert(is_long(number));
        return avro_put_long(at, (int64_t)number);
    case COLUMN_FLOAT:
        return avro_put_float(at, (float)number);
    default:
        return avro_put_double(at, number);
    }
}

/* Anything of the column's type: nobody reads it. */
static char *unlisted_put(const struct column_reader *reader, char *at)
{
    if (reader->null_branch != NULL_BRANCH_NONE) {
        *at++ = (char)(reader->null_branch << 1);
        return at;
    }
    return reader->type == COLUMN_TEXT ? avro_put_text(at, SPAN_LITERAL("")) : number_put(reader, 0, at);
}

static inline char *value_branch_put(const struct column_reader *reader, char *at)
{
    *at = (char)reader->value_branch; /* overwritten where there is no union */
    return at + reader->branch_bytes;
}

/* No value, or a text that the schema does not list. */
static __attribute__((noinline)) char *odd_cell_put(const struct column_reader *reader, const struct cell *cell,
                                                    char *at)
{
    if (cell->code == CELL_UNLISTED)
        return unlisted_put(reader, at);
    if (cell->code != CELL_MISSING)
        return avro_put_text(value_branch_put(reader, at), (struct span){cell->text, cell->text_bytes});
    assert(reader->null_branch != NULL_BRANCH_NONE);
    *at = (char)(reader->null_branch << 1);
    return at + AVRO_BRANCH_BYTES;
}

char *attributes_put(const struct schema_parts *parts, const struct cell *cells, char *at)
{
    const struct column_reader *reader = parts->readers, *last = reader + parts->schema.column_count;
    for (const struct cell *cell = cells; reader < last; reader++, cell++) {
        if (cell->code < 0) {
            at = odd_cell_put(reader, cell, at);
            continue;
        }
        at = value_branch_put(reader, at);
        if (reader->type == COLUMN_TEXT)
            at = put_encoded(at, parts->encoded_values[reader->column][cell->code]);
        else
            at = number_put(reader, cell->number, at);
    }
    return at;
}

void attributes_encode(const struct schema *schema, const struct cell *cells, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    buffer_end_at(out, attributes_put(parts, cells, buffer_reserve(out, attributes_bound(parts, cells))));
}

/* --- the event's record (event.h) --- */

#define record_put_event_type avro_put_long
#define record_bytes_event_type(value) AVRO_VARINT_MAX

static size_t count_listed(const struct schema_parts *parts, const struct event *record)
{
    size_t count = 0;
    for (size_t c = 0; c < parts->schema.column_count; c++)
        count += record->cells[c].code != CELL_UNLISTED;
    return count;
}

/* A schema that has no such field has no partial events. */
static char *put_changed(const struct schema_parts *parts, const struct event *record, char *at)
{
    assert(parts->has_changed || !record->partial);
    if (!parts->has_changed)
        return at;
    at = avro_put_branch(at, record->partial);
    if (!record->partial)
        return at;
    size_t count = count_listed(parts, record);
    if (count)
        at = avro_put_long(at, (int64_t)count);
    for (size_t c = 0; c < parts->schema.column_count; c++)
        if (record->cells[c].code != CELL_UNLISTED)
            at = put_encoded(at, parts->encoded_names[c]);
    *at++ = 0;
    return at;
}

static size_t bytes_changed(const struct schema_parts *parts, const struct event *record)
{
    size_t bytes = AVRO_BRANCH_BYTES + AVRO_ARRAY_BYTES;
    for (size_t c = 0; c < parts->schema.column_count && record->partial; c++)
        bytes += parts->encoded_names[c].bytes + ENCODED_ROOM;
    return bytes;
}

static char *put_attributes(const struct schema_parts *parts, const struct event *record, char *at)
{
    return attributes_put_of(parts, record->attributes, record->cells, at);
}

static size_t bytes_attributes(const struct schema_parts *parts, const struct event *record)
{
    return attributes_bound_of(parts, record->attributes, record->cells);
}

void event_encode(const struct schema *schema, const struct event *record, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    size_t bytes = FRAME_BYTES EVENT_RECORD(RECORD_BYTES, RECORD_BYTES_PART);
    char *at = frame_put(buffer_reserve(out, bytes), schema->event_schema_id);
    EVENT_RECORD(RECORD_PUT, RECORD_PUT_PART)
    buffer_end_at(out, at);
}
