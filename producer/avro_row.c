/* Values of Avro records as texts: see avro_row.h. Called by input_avro.c for each record, on one thread; allocates
 * nothing once it is warm. Must never read past the record's bytes, nor loop longer than they are long. */
#include "producer/avro_row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "avro/read.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "events/schema.h"
#include "events/timestamp.h"
#include "producer/input_row.h"

enum {
    NUMBER_BYTES = 48, /* a number's or a time's text */
    DEPTH_MAX = 64,
    EMPTY_ITEMS_MAX = 1 << 16, /* items that take no bytes, in one record */
    NOT_NESTED = 0,
};

static const char nested_name[] = "attributes";
static const struct span complex_text = SPAN_LITERAL("\x01{…}"); /* fits into no column and is no id */

struct avro_row {
    const struct avro_type *writer;
    const struct avro_type *nested; /* the record whose fields stand beside the others, or NULL */
    size_t nested_field;            /* which of the writer's fields it is */
    enum time_unit unit;
    size_t count;
    struct span *names, *texts;
    char (*numbers)[NUMBER_BYTES]; /* what texts that are made here point at */
    struct buffer list;            /* what the text of `changed` points at */
    size_t empty_items;
};

/* Where a value's text goes; NULL: nowhere. */
struct place {
    struct span *text;
    char *number;
    bool is_time, is_list; /* the field is occurred_at; is `changed` */
};

/* The record in a field's type, a union with null looked through. */
static const struct avro_type *record_of(const struct avro_type *type)
{
    for (size_t b = 0; type->kind == AVRO_KIND_UNION && b < type->branch_count; b++)
        if (type->branches[b]->kind == AVRO_KIND_RECORD)
            return type->branches[b];
    return type->kind == AVRO_KIND_RECORD ? type : NULL;
}

static void add_names(struct avro_row *row, const struct avro_type *record)
{
    for (size_t f = 0; f < record->field_count; f++) {
        bool nested = row->nested && record == row->writer && f == row->nested_field;
        if (nested)
            add_names(row, row->nested);
        else
            row->names[row->count++] = span_of(record->fields[f].name);
    }
}

struct avro_row *avro_row_new(const struct avro_type *writer, enum time_unit unit)
{
    struct avro_row *row = mem_zeroed(1, sizeof *row);
    row->writer = writer;
    row->unit = unit;
    for (size_t f = 0; f < writer->field_count; f++)
        if (strcmp(writer->fields[f].name, nested_name) == 0 && record_of(writer->fields[f].type) != writer) {
            row->nested = record_of(writer->fields[f].type);
            row->nested_field = f;
        }
    size_t most = writer->field_count + (row->nested ? row->nested->field_count : 0);
    row->names = mem_zeroed(most + 1, sizeof *row->names);
    row->texts = mem_zeroed(most + 1, sizeof *row->texts);
    row->numbers = mem_zeroed(most + 1, sizeof *row->numbers);
    add_names(row, writer);
    return row;
}

void avro_row_free(struct avro_row *row)
{
    if (!row)
        return;
    free(row->names);
    free(row->texts);
    free(row->numbers);
    buffer_free(&row->list);
    free(row);
}

size_t avro_row_field_count(const struct avro_row *row)
{
    return row->count;
}

const struct span *avro_row_names(const struct avro_row *row)
{
    return row->names;
}

static void put_text(const struct place *place, struct span text)
{
    if (place)
        *place->text = text;
}

static void put_number(const struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_number(const struct place *place, const char *format, ...)
{
    va_list args;
    if (!place)
        return;
    va_start(args, format);
    int bytes = vsnprintf(place->number, NUMBER_BYTES, format, args);
    va_end(args);
    *place->text = (struct span){place->number, bytes > 0 && bytes < NUMBER_BYTES ? (size_t)bytes : 0};
}

/* ISO 8601, which is what a table's times are written in; beyond year 9999 the number, which no time is. */
static void put_time(const struct place *place, int64_t ms)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    time_t at = (time_t)seconds;
    struct tm parts;
    if (!gmtime_r(&at, &parts) || parts.tm_year < 1 - 1900 || parts.tm_year > 9999 - 1900) {
        put_number(place, "%lld", (long long)ms);
        return;
    }
    put_number(place, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
               parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(ms - seconds * 1000));
}

static enum time_unit unit_of_logical(const char *logical)
{
    static const struct {
        const char *ending;
        enum time_unit unit;
    } units[] = {
        {"timestamp-millis", TIME_UNIT_MS}, {"timestamp-micros", TIME_UNIT_US}, {"timestamp-nanos", TIME_UNIT_NS}};
    if (strcmp(logical, "date") == 0)
        return TIME_UNIT_DAYS;
    if (strncmp(logical, "local-", 6) == 0)
        logical += 6;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        if (strcmp(logical, units[u].ending) == 0)
            return units[u].unit;
    return TIME_UNIT_NONE;
}

/* A plain long that is occurred_at counts milliseconds, as in the stream, unless --time-unit says what it counts, or it
 * would be a time in 1970: then it is left a number, which is refused. */
static void put_integer(const struct avro_row *row, const struct avro_type *type, int64_t number,
                        const struct place *place)
{
    enum time_unit unit = type->logical ? unit_of_logical(type->logical) : TIME_UNIT_NONE;
    bool plain = !type->logical && type->kind == AVRO_KIND_LONG && !row->unit;
    if (place && place->is_time && plain && !timestamp_is_of_1970(number))
        unit = TIME_UNIT_MS;
    if (unit)
        put_time(place, time_unit_to_ms(unit, number));
    else
        put_number(place, "%lld", (long long)number);
}

static void put_double(const struct place *place, double number)
{
    if (isfinite(number) && number == floor(number) && fabs(number) < 1e15)
        put_number(place, "%.0f", number);
    else
        put_number(place, "%.17g", number);
}

/* A decimal of up to eight bytes, big-endian in two's complement. */
static void put_decimal(const struct avro_type *type, struct span raw, const struct place *place)
{
    if (!type->is_decimal || raw.bytes == 0 || raw.bytes > 8 || type->scale > 18) {
        put_text(place, raw);
        return;
    }
    uint64_t bits = (uint8_t)raw.data[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < raw.bytes; i++)
        bits = bits << 8 | (uint8_t)raw.data[i];
    bool negative = (int64_t)bits < 0;
    uint64_t scale = 1, size = negative ? 0 - bits : bits;
    for (int64_t s = 0; s < type->scale; s++)
        scale *= 10;
    if (type->scale)
        put_number(place, "%s%llu.%0*llu", negative ? "-" : "", (unsigned long long)(size / scale), (int)type->scale,
                   (unsigned long long)(size % scale));
    else
        put_number(place, "%s%llu", negative ? "-" : "", (unsigned long long)size);
}

static bool read_value(struct avro_row *row, const struct avro_type *type, struct cursor *in, const struct place *place,
                       int depth);

static bool add_name(struct cursor *in, struct buffer *list)
{
    struct span name;
    bool padded;
    if (!avro_read_bytes(in, &name, &padded))
        return false;
    if (list->bytes > 1)
        buffer_add_u8(list, ',');
    json_add_text(list, name);
    return true;
}

/* One block of an array or map after the other. list: that of strings becomes one in JSON there; NULL: it is skipped.
 */
static bool read_blocks(struct avro_row *row, const struct avro_type *type, struct cursor *in, struct buffer *list,
                        int depth)
{
    bool padded;
    for (;;) {
        int64_t count, bytes;
        struct span key;
        if (!avro_read_long(in, &count, &padded) || count == INT64_MIN)
            return false;
        if (count == 0)
            return true;
        if (count < 0 && !avro_read_long(in, &bytes, &padded))
            return false;
        for (int64_t left = count < 0 ? -count : count; left; left--) {
            const uint8_t *at = in->at;
            if (type->kind == AVRO_KIND_MAP && !avro_read_bytes(in, &key, &padded))
                return false;
            if (list ? !add_name(in, list) : !read_value(row, type->items, in, NULL, depth + 1))
                return false;
            if (in->at == at && ++row->empty_items > EMPTY_ITEMS_MAX)
                return false;
        }
    }
}

/* The names that `changed` lists. */
static bool read_list(struct avro_row *row, const struct avro_type *type, struct cursor *in, const struct place *place,
                      int depth)
{
    buffer_clear(&row->list);
    buffer_add_u8(&row->list, '[');
    bool read = read_blocks(row, type, in, &row->list, depth);
    buffer_add_u8(&row->list, ']');
    *place->text = buffer_span(&row->list);
    return read;
}

static bool skip_record(struct avro_row *row, const struct avro_type *type, struct cursor *in, int depth)
{
    for (size_t f = 0; f < type->field_count; f++)
        if (!read_value(row, type->fields[f].type, in, NULL, depth + 1))
            return false;
    return true;
}

static bool read_union(struct avro_row *row, const struct avro_type *type, struct cursor *in, const struct place *place,
                       int depth)
{
    return avro_type_take_branch(in, &type) && read_value(row, type, in, place, depth + 1);
}

static bool read_number(struct avro_row *row, const struct avro_type *type, struct cursor *in,
                        const struct place *place)
{
    int32_t small = 0;
    int64_t number = 0;
    float single = 0;
    double real = 0;
    bool padded, integer = type->kind == AVRO_KIND_INT || type->kind == AVRO_KIND_LONG;
    if (type->kind == AVRO_KIND_INT ? !avro_read_int(in, &small, &padded)
                                    : type->kind == AVRO_KIND_LONG && !avro_read_long(in, &number, &padded))
        return false;
    if (type->kind == AVRO_KIND_FLOAT ? !avro_read_float(in, &single)
                                      : type->kind == AVRO_KIND_DOUBLE && !avro_read_double(in, &real))
        return false;
    if (integer)
        put_integer(row, type, number + small, place);
    else
        put_double(place, real + (double)single);
    return true;
}

static bool read_text(const struct avro_type *type, struct cursor *in, const struct place *place)
{
    struct span text;
    uint32_t symbol;
    bool padded;
    if (type->kind == AVRO_KIND_ENUM) {
        if (!avro_read_symbol(in, (uint32_t)type->symbol_count, &symbol, &padded))
            return false;
        put_text(place, span_of(type->symbols[symbol]));
        return true;
    }
    if (type->kind == AVRO_KIND_FIXED ? !cursor_span(in, type->fixed_bytes, &text)
                                      : !avro_read_bytes(in, &text, &padded))
        return false;
    if (type->kind == AVRO_KIND_STRING)
        put_text(place, text);
    else
        put_decimal(type, text, place);
    return true;
}

static bool read_value(struct avro_row *row, const struct avro_type *type, struct cursor *in, const struct place *place,
                       int depth)
{
    bool truth = false;
    if (depth > DEPTH_MAX)
        return false;
    switch (type->kind) {
    case AVRO_KIND_NULL:
        put_text(place, SPAN_LITERAL(""));
        return true;
    case AVRO_KIND_BOOLEAN:
        if (!avro_read_bool(in, &truth))
            return false;
        put_text(place, truth ? SPAN_LITERAL("true") : SPAN_LITERAL("false"));
        return true;
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return read_number(row, type, in, place);
    case AVRO_KIND_BYTES:
    case AVRO_KIND_STRING:
    case AVRO_KIND_FIXED:
    case AVRO_KIND_ENUM:
        return read_text(type, in, place);
    case AVRO_KIND_UNION:
        return read_union(row, type, in, place, depth);
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        if (place && place->is_list && type->kind == AVRO_KIND_ARRAY && type->items->kind == AVRO_KIND_STRING)
            return read_list(row, type, in, place, depth);
        put_text(place, complex_text);
        return read_blocks(row, type, in, NULL, depth);
    case AVRO_KIND_RECORD:
        put_text(place, complex_text);
        return skip_record(row, type, in, depth);
    }
    return false;
}

static bool read_fields(struct avro_row *row, const struct avro_type *record, struct cursor *in, size_t *at);

/* The record of attributes, or the null (or whatever else its union has) in its place. */
static bool read_nested(struct avro_row *row, const struct avro_type *type, struct cursor *in, size_t *at)
{
    if (!avro_type_take_branch(in, &type))
        return false;
    if (type == row->nested)
        return read_fields(row, type, in, at);
    for (size_t f = 0; f < row->nested->field_count; f++)
        row->texts[(*at)++] = SPAN_LITERAL("");
    return read_value(row, type, in, NULL, NOT_NESTED);
}

static bool read_fields(struct avro_row *row, const struct avro_type *record, struct cursor *in, size_t *at)
{
    for (size_t f = 0; f < record->field_count; f++) {
        const struct avro_field *field = &record->fields[f];
        if (row->nested && record == row->writer && f == row->nested_field) {
            if (!read_nested(row, field->type, in, at))
                return false;
            continue;
        }
        const struct place place = {&row->texts[*at], row->numbers[*at], strcmp(field->name, "occurred_at") == 0,
                                    record == row->writer && strcmp(field->name, "changed") == 0};
        ++*at;
        if (!read_value(row, field->type, in, &place, NOT_NESTED))
            return false;
    }
    return true;
}

const struct span *avro_row_read(struct avro_row *row, struct cursor *in)
{
    size_t at = 0;
    row->empty_items = 0;
    return read_fields(row, row->writer, in, &at) ? row->texts : NULL;
}

bool avro_row_is_complex(struct span text)
{
    return text.data == complex_text.data;
}
