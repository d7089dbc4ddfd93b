/* Defaults: JSON in a schema → Avro's JSON encoding of the value. Called when plans are compiled, never per datum. The
 * schema may come from anybody: records within records are bounded in depth and the text in size. */
#include "avro/defaults.h"

#include <math.h>

#include "base/json.h"
#include "avro/json.h"

enum { DEFAULT_DEPTH_MAX = 64, DEFAULT_BYTES_MAX = 1 << 20 };

struct writing {
    struct buffer *out;
    int depth;
    unsigned *work; /* left */
};

static bool default_write_value(struct writing *writing, const struct avro_type *type, const json_t *value);

/* Bytes and fixed are strings of code points 0 to 255. Returns how many, or -1. */
static int64_t raw_length(const json_t *value)
{
    const uint8_t *at = (const uint8_t *)json_string_value(value);
    if (!at)
        return -1;
    int64_t count = 0;
    for (const uint8_t *end = at + json_string_length(value); at < end; count++) {
        if (*at > 0xc3) /* U+0100 and above */
            return -1;
        at += *at >= 0x80 ? 2 : 1;
    }
    return count;
}

static bool float_named(const json_t *value, double *out)
{
    const char *name = json_string_value(value);
    if (!name)
        return false;
    if (strcmp(name, "NaN") == 0)
        *out = NAN;
    else if (strcmp(name, "Infinity") == 0)
        *out = INFINITY;
    else if (strcmp(name, "-Infinity") == 0)
        *out = -INFINITY;
    else
        return false;
    return true;
}

static bool write_float(struct writing *writing, enum avro_kind kind, const json_t *value)
{
    double number = 0;
    if (json_is_number(value))
        number = json_number_value(value);
    else if (!float_named(value, &number))
        return false;
    avro_json_double(writing->out, kind == AVRO_KIND_FLOAT ? (double)(float)number : number);
    return true;
}

static bool write_whole(struct writing *writing, enum avro_kind kind, const json_t *value)
{
    if (!json_is_integer(value))
        return false;
    json_int_t whole = json_integer_value(value);
    if (kind == AVRO_KIND_INT && (whole < INT32_MIN || whole > INT32_MAX))
        return false;
    json_add_int(writing->out, whole);
    return true;
}

static bool default_write_text(struct writing *writing, const json_t *value)
{
    if (!json_is_string(value))
        return false;
    json_add_text(writing->out, (struct span){json_string_value(value), json_string_length(value)});
    return true;
}

static bool write_symbol(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    struct span text = {json_string_value(value), json_string_length(value)};
    for (size_t s = 0; s < type->symbol_count && text.data && *writing->work > 0; s++, --*writing->work)
        if (span_equal(text, span_of(type->symbols[s])))
            return default_write_text(writing, value);
    return false;
}

static bool write_record(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    if (!json_is_object(value))
        return false;
    buffer_add_u8(writing->out, '{');
    for (size_t f = 0; f < type->field_count; f++) {
        const struct avro_field *field = &type->fields[f];
        const json_t *given = json_object_get(value, field->name);
        if (!given)
            given = field->value_if_absent;
        if (f)
            buffer_add_u8(writing->out, ',');
        json_add_text(writing->out, span_of(field->name));
        buffer_add_u8(writing->out, ':');
        if (!given || !default_write_value(writing, field->type, given))
            return false;
    }
    buffer_add_u8(writing->out, '}');
    return true;
}

static bool write_array(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    if (!json_is_array(value))
        return false;
    buffer_add_u8(writing->out, '[');
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i)
            buffer_add_u8(writing->out, ',');
        if (!default_write_value(writing, type->items, json_array_get(value, i)))
            return false;
    }
    buffer_add_u8(writing->out, ']');
    return true;
}

static bool write_map(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    if (!json_is_object(value))
        return false;
    const char *key, *comma = "";
    json_t *item;
    buffer_add_u8(writing->out, '{');
    json_object_foreach ((json_t *)value, key, item) {
        buffer_add_text(writing->out, comma);
        json_add_text(writing->out, span_of(key));
        buffer_add_u8(writing->out, ':');
        if (!default_write_value(writing, type->items, item))
            return false;
        comma = ",";
    }
    buffer_add_u8(writing->out, '}');
    return true;
}

/* Tries the branches in order, taking back what one that does not fit has written. */
static const struct avro_type *write_union(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    size_t before = writing->out->bytes;
    for (size_t b = 0; b < type->branch_count; b++) {
        const struct avro_type *branch = type->branches[b];
        bool tagged = branch->kind != AVRO_KIND_NULL;
        writing->out->bytes = before;
        if (tagged) {
            buffer_add_u8(writing->out, '{');
            json_add_text(writing->out, span_of(branch->name));
            buffer_add_u8(writing->out, ':');
        }
        if (!default_write_value(writing, branch, value))
            continue;
        if (tagged)
            buffer_add_u8(writing->out, '}');
        return branch;
    }
    return NULL;
}

static bool write_kind(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    switch (type->kind) {
    case AVRO_KIND_NULL:
        buffer_add_text(writing->out, "null");
        return json_is_null(value);
    case AVRO_KIND_BOOLEAN:
        buffer_add_text(writing->out, json_is_true(value) ? "true" : "false");
        return json_is_boolean(value);
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        return write_whole(writing, type->kind, value);
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return write_float(writing, type->kind, value);
    case AVRO_KIND_BYTES:
        return raw_length(value) >= 0 && default_write_text(writing, value);
    case AVRO_KIND_FIXED:
        return raw_length(value) == (int64_t)type->fixed_bytes && default_write_text(writing, value);
    case AVRO_KIND_STRING:
        return default_write_text(writing, value);
    case AVRO_KIND_ENUM:
        return write_symbol(writing, type, value);
    case AVRO_KIND_RECORD:
        return write_record(writing, type, value);
    case AVRO_KIND_ARRAY:
        return write_array(writing, type, value);
    case AVRO_KIND_MAP:
        return write_map(writing, type, value);
    case AVRO_KIND_UNION:
        return write_union(writing, type, value) != NULL;
    }
    return false;
}

static bool default_write_value(struct writing *writing, const struct avro_type *type, const json_t *value)
{
    if (writing->depth == DEFAULT_DEPTH_MAX || writing->out->bytes > DEFAULT_BYTES_MAX || *writing->work == 0)
        return false;
    writing->depth++;
    --*writing->work;
    bool wrote = write_kind(writing, type, value);
    writing->depth--;
    return wrote;
}

bool default_write(const struct avro_type *type, const json_t *value, unsigned *work, struct buffer *out)
{
    struct buffer text = {0};
    struct writing writing = {.out = &text, .work = work};
    bool wrote = default_write_value(&writing, type, value);
    if (wrote)
        buffer_add(out, text.data, text.bytes);
    buffer_free(&text);
    return wrote;
}

const struct avro_type *default_type(const struct avro_type *type, const json_t *value)
{
    struct buffer text = {0};
    unsigned work = DEFAULT_WORK_MAX;
    struct writing writing = {.out = &text, .work = &work};
    const struct avro_type *taken = NULL;
    if (type->kind == AVRO_KIND_UNION)
        taken = write_union(&writing, type, value);
    else if (default_write_value(&writing, type, value))
        taken = type;
    buffer_free(&text);
    return taken;
}
