/* JSON documents: see json_writer.h. */
#include "base/json_writer.h"

#include <assert.h>
#include <math.h>

static bool json_in_object(const struct json_writer *json)
{
    return json->depth && !(json->arrays >> (json->depth - 1) & 1);
}

/* What stands between the previous item of the level and the next: nothing after a key. */
static void json_separate(struct json_writer *json)
{
    if (json->has_item)
        buffer_add_text(json->out, json->comma);
    if (json->breaks)
        buffer_add_u8(json->out, '\n');
    json->breaks = false;
}

void json_key_span(struct json_writer *json, struct span name)
{
    assert(json_in_object(json) && !json->has_key);
    json_separate(json);
    json_add_text(json->out, name);
    buffer_add_text(json->out, json->colon);
    json->has_key = true;
}

void json_key(struct json_writer *json, const char *name)
{
    json_key_span(json, span_of(name));
}

struct buffer *json_write_raw(struct json_writer *json, const char *name)
{
    if (name)
        json_key(json, name);
    assert(json->has_key == json_in_object(json));
    if (!json->has_key) {
        assert(json->depth || !json->has_item); /* one value at the top */
        json_separate(json);
    }
    json->has_key = false;
    json->has_item = true;
    return json->out;
}

static void json_begin(struct json_writer *json, const char *name, bool array)
{
    assert(json->depth < JSON_DEPTH_MAX);
    buffer_add_u8(json_write_raw(json, name), array ? '[' : '{');
    json->arrays = (json->arrays & ~(UINT32_C(1) << json->depth)) | (uint32_t)array << json->depth;
    json->depth++;
    json->has_item = false;
}

static void json_end(struct json_writer *json, bool array)
{
    assert(json->depth && json_in_object(json) != array && !json->has_key);
    json->has_item = false;
    json_separate(json);
    buffer_add_u8(json->out, array ? ']' : '}');
    json->depth--;
    json->has_item = true;
}

void json_begin_object(struct json_writer *json, const char *name)
{
    json_begin(json, name, false);
}

void json_end_object(struct json_writer *json)
{
    json_end(json, false);
}

void json_begin_array(struct json_writer *json, const char *name)
{
    json_begin(json, name, true);
}

void json_end_array(struct json_writer *json)
{
    json_end(json, true);
}

void json_break(struct json_writer *json)
{
    assert(!json->has_key);
    json->breaks = true;
}

void json_end_line(struct json_writer *json)
{
    assert(!json->depth && json->has_item);
    buffer_add_u8(json->out, '\n');
}

struct json_writer json_begin_document(struct buffer *out)
{
    struct json_writer json = json_writer_of(out);
    json_begin_object(&json, NULL);
    return json;
}

void json_end_document(struct json_writer *json)
{
    json_end_object(json);
    json_end_line(json);
}

void json_write_text(struct json_writer *json, const char *name, struct span text)
{
    struct buffer *out = json_write_raw(json, name);
    if (text.data)
        json_add_text(out, text);
    else
        buffer_add_text(out, "null");
}

void json_write_string(struct json_writer *json, const char *name, const char *string)
{
    json_write_text(json, name, string ? span_of(string) : SPAN_NULL);
}

void json_write_int(struct json_writer *json, const char *name, int64_t number)
{
    json_add_int(json_write_raw(json, name), number);
}

void json_write_uint(struct json_writer *json, const char *name, uint64_t number)
{
    json_add_uint(json_write_raw(json, name), number);
}

void json_write_double(struct json_writer *json, const char *name, double number)
{
    json_add_double(json_write_raw(json, name), number);
}

void json_write_finite(struct json_writer *json, const char *name, double number)
{
    if (isfinite(number))
        json_write_double(json, name, number);
    else
        json_write_null(json, name);
}

void json_write_fixed(struct json_writer *json, const char *name, double number, int decimals)
{
    assert(isfinite(number));
    buffer_printf(json_write_raw(json, name), "%.*f", decimals, number);
}

void json_write_bool(struct json_writer *json, const char *name, bool value)
{
    buffer_add_text(json_write_raw(json, name), value ? "true" : "false");
}

void json_write_null(struct json_writer *json, const char *name)
{
    buffer_add_text(json_write_raw(json, name), "null");
}
