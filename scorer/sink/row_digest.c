/* The form that digests are of: see row_digest.h. Pure; the sink's thread and the audit's. Whatever changes here makes
 * every row that is stored look altered. */
#include "scorer/sink/row_digest.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static void add_count(struct buffer *out, size_t count)
{
    uint32_t value = htobe32((uint32_t)count);
    buffer_add(out, &value, sizeof value);
}

void row_digest_add_bytes(struct buffer *out, struct span bytes)
{
    add_count(out, bytes.bytes);
    buffer_add(out, bytes.data, bytes.bytes);
}

void row_digest_add_null(struct buffer *out)
{
    buffer_add_u8(out, 'z');
}

static void row_digest_add_bool(struct buffer *out, bool value)
{
    buffer_add_u8(out, value ? 't' : 'f');
}

void row_digest_add_text(struct buffer *out, struct span text)
{
    buffer_add_u8(out, 's');
    row_digest_add_bytes(out, text);
}

/* Both zeros are one: PostgreSQL's numeric has no other. */
void row_digest_add_number(struct buffer *out, double number)
{
    uint64_t bits;
    if (!isfinite(number)) {
        row_digest_add_text(out, isnan(number) ? SPAN_LITERAL("NaN")
                                 : number > 0  ? SPAN_LITERAL("Infinity")
                                               : SPAN_LITERAL("-Infinity"));
        return;
    }
    memcpy(&bits, &number, sizeof bits);
    bits = htobe64(number == 0 ? 0 : bits);
    buffer_add_u8(out, 'd');
    buffer_add(out, &bits, sizeof bits);
}

void row_digest_begin_array(struct buffer *out, size_t count)
{
    buffer_add_u8(out, 'a');
    add_count(out, count);
}

void row_digest_begin_object(struct buffer *out, size_t count)
{
    buffer_add_u8(out, 'o');
    add_count(out, count);
}

size_t row_digest_begin_json(struct buffer *out, struct span column)
{
    row_digest_add_bytes(out, column);
    add_count(out, 0);
    return out->bytes;
}

void row_digest_end_json(struct buffer *out, size_t at)
{
    uint32_t bytes = htobe32((uint32_t)(out->bytes - at));
    memcpy(out->data + at - sizeof bytes, &bytes, sizeof bytes);
}

int row_digest_order(struct span a, struct span b)
{
    int order = memcmp(a.data, b.data, a.bytes < b.bytes ? a.bytes : b.bytes);
    return order ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* --- from a text --- */

static void add_value(struct buffer *out, const json_t *value);

static int by_name(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return row_digest_order(span_of(*left), span_of(*right));
}

static void add_object(struct buffer *out, const json_t *object)
{
    size_t count = 0, size = json_object_size(object);
    const char **names = mem_zeroed(size + 1, sizeof *names), *name;
    const json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)object, name, member)
        names[count++] = name;
    qsort(names, count, sizeof *names, by_name);
    row_digest_begin_object(out, count);
    for (size_t n = 0; n < count; n++) {
        row_digest_add_bytes(out, span_of(names[n]));
        add_value(out, json_object_get(object, names[n]));
    }
    free(names);
}

static void add_value(struct buffer *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(out, value);
        break;
    case JSON_ARRAY:
        row_digest_begin_array(out, json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++)
            add_value(out, json_array_get(value, i));
        break;
    case JSON_STRING:
        row_digest_add_text(out, (struct span){json_string_value(value), json_string_length(value)});
        break;
    case JSON_REAL:
    case JSON_INTEGER:
        row_digest_add_number(out, json_number_value(value));
        break;
    case JSON_NULL:
        row_digest_add_null(out);
        break;
    default:
        row_digest_add_bool(out, json_is_true(value));
    }
}

bool row_digest_add_json(struct buffer *out, struct span column, struct span text)
{
    json_t *value = json_loadb(text.data, text.bytes, JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value)
        return false;
    size_t at = row_digest_begin_json(out, column);
    add_value(out, value);
    row_digest_end_json(out, at);
    json_decref(value);
    return true;
}
