/* Rows packed and unpacked: see state_row.h. On a score loop's thread, once per event; allocates nothing. What is
 * unpacked was packed by this process, so nothing here is checked. */
#include "scorer/state/state_row.h"

#include <assert.h>

enum { VARINT_BYTES = 5 };

static size_t bitmap_bytes(const struct schema *schema)
{
    return (schema->column_count + 7) / 8;
}

size_t state_row_bound(const struct schema *schema, const struct cell *cells)
{
    size_t bytes = bitmap_bytes(schema) + schema->column_count * sizeof(double);
    for (size_t c = 0; c < schema->column_count; c++)
        if (cells[c].code == CELL_OTHER)
            bytes += 2 * VARINT_BYTES + cells[c].text_bytes;
    return bytes;
}

static inline char *varint_put(char *at, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

static const char *varint_take(const char *at, uint32_t *out)
{
    uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = (uint8_t)*at++;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    *out = value;
    return at;
}

/* A text that is no category any more, or not yet: the schema has changed since it was written. */
static __attribute__((noinline)) char *other_put(const struct column *column, const struct cell *cell, char *at)
{
    assert(cell->code == CELL_OTHER);
    at = varint_put(varint_put(at, (uint32_t)column->value_count), cell->text_bytes);
    memcpy(at, cell->text, cell->text_bytes);
    return at + cell->text_bytes;
}

static const char *category_take(const struct column *column, const char *at, struct cell *cell)
{
    uint32_t code, bytes;
    at = varint_take(at, &code);
    if (code < column->value_count) {
        const struct span text = column->values[code];
        *cell = (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = (int32_t)code};
        return at;
    }
    at = varint_take(at, &bytes);
    *cell = (struct cell){.text = at, .text_bytes = bytes, .code = CELL_OTHER};
    return at + bytes;
}

static inline char *value_put(const struct column *column, const struct cell *cell, char *at)
{
    if (column->kind == COLUMN_NOMINAL)
        return varint_put(at, (uint32_t)cell->code);
    if (column->type == COLUMN_INT) {
        assert(cell->number >= INT32_MIN && cell->number <= INT32_MAX);
        int32_t whole = (int32_t)cell->number;
        return varint_put(at, (uint32_t)whole << 1 ^ (uint32_t)(whole >> 31));
    }
    memcpy(at, &cell->number, sizeof cell->number);
    return at + sizeof cell->number;
}

static const char *value_take(const struct column *column, const char *at, struct cell *cell)
{
    uint32_t raw;
    if (column->kind == COLUMN_NOMINAL)
        return category_take(column, at, cell);
    *cell = (struct cell){.code = 0};
    if (column->type == COLUMN_INT) {
        at = varint_take(at, &raw);
        cell->number = (double)((int32_t)(raw >> 1) ^ -(int32_t)(raw & 1));
        return at;
    }
    memcpy(&cell->number, at, sizeof cell->number);
    return at + sizeof cell->number;
}

/* At most eight columns: appends their values and returns their byte of the bitmap. */
static inline unsigned octet_put(const struct column *column, const struct cell *cells, size_t count, char **at)
{
    unsigned bits = 0, bit = 1;
    char *to = *at;
    for (const struct cell *cell = cells; cell < cells + count; cell++, column++, bit <<= 1) {
        if (cell->code == CELL_MISSING)
            continue;
        bits |= bit;
        to = cell->code >= 0 ? value_put(column, cell, to) : other_put(column, cell, to);
    }
    *at = to;
    return bits;
}

size_t state_row_pack(const struct schema *schema, const struct cell *cells, char *out)
{
    char *at = out + bitmap_bytes(schema);
    for (size_t c = 0; c < schema->column_count; c += 8) {
        size_t left = schema->column_count - c;
        out[c >> 3] = (char)octet_put(schema->columns + c, cells + c, left < 8 ? left : 8, &at);
    }
    return (size_t)(at - out);
}

void state_row_unpack(const struct schema *schema, const char *row, struct cell *cells)
{
    const char *at = row + bitmap_bytes(schema);
    for (size_t c = 0; c < schema->column_count; c++)
        if ((uint8_t)row[c >> 3] >> (c & 7) & 1)
            at = value_take(&schema->columns[c], at, &cells[c]);
        else
            cells[c] = cell_missing(&schema->columns[c]);
}

/* --- rows that another process has packed --- */

static bool varint_check(struct cursor *cursor, uint32_t *out)
{
    uint32_t value = 0;
    uint8_t byte;
    for (unsigned shift = 0; shift < 7 * VARINT_BYTES; shift += 7) {
        if (!cursor_u8(cursor, &byte))
            return false;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool value_check(const struct column *column, struct cursor *cursor)
{
    uint32_t code, bytes;
    struct span rest;
    if (column->kind != COLUMN_NOMINAL)
        return column->type == COLUMN_INT ? varint_check(cursor, &code) : cursor_span(cursor, sizeof(double), &rest);
    if (!varint_check(cursor, &code))
        return false;
    return code < column->value_count || (varint_check(cursor, &bytes) && cursor_span(cursor, bytes, &rest));
}

bool state_row_is_sound(const struct schema *schema, struct span row)
{
    struct cursor cursor = cursor_of(row);
    struct span bitmap;
    bool sound = cursor_span(&cursor, bitmap_bytes(schema), &bitmap);
    for (size_t c = 0; c < schema->column_count && sound; c++)
        if ((uint8_t)bitmap.data[c >> 3] >> (c & 7) & 1)
            sound = value_check(&schema->columns[c], &cursor);
    return sound && !cursor_left(&cursor);
}
