/* A JSON array taken apart without being held: see json_array.h. Called by input_jsonl.c, on one thread. Finds where
 * elements begin and end by brackets, quotes and commas alone: what an element is, its parser says. Must never take the
 * beginning of an array that was cut for all of it. */
#include "producer/json_array.h"

#include <stdlib.h>

#include "base/memory.h"

struct json_array_reader {
    struct byte_reader *bytes;
    const char *name;
    size_t line, element, element_line;
    bool inside; /* of an array */
};

static bool is_json_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool json_array_begins(struct byte_reader *bytes)
{
    struct span head;
    struct error err;
    size_t at = 0;
    if (byte_reader_peek(bytes, 1, &head, &err) != STATUS_OK)
        return false; /* the reader says so when it reads */
    while (at < head.bytes && is_json_blank((unsigned char)head.data[at]))
        at++;
    return at < head.bytes && head.data[at] == '[';
}

struct json_array_reader *json_array_reader_new(struct byte_reader *bytes, const char *name)
{
    struct json_array_reader *array = mem_zeroed(1, sizeof *array);
    array->bytes = bytes;
    array->name = name;
    array->line = 1;
    return array;
}

void json_array_reader_free(struct json_array_reader *array)
{
    free(array);
}

size_t json_array_reader_line(const struct json_array_reader *array)
{
    return array->element_line;
}

size_t json_array_reader_element(const struct json_array_reader *array)
{
    return array->element;
}

static int take_byte(struct json_array_reader *array)
{
    int c = byte_reader_byte(array->bytes);
    array->line += c == '\n';
    return c;
}

/* The next byte that is no blank; a byte-order mark, which a joined file brings along, is one. */
static int take_visible(struct json_array_reader *array)
{
    int c;
    do
        c = take_byte(array);
    while (is_json_blank(c) || c == 0xEF || c == 0xBB || c == 0xBF);
    return c;
}

static enum status array_fault(struct json_array_reader *array, const char *what, struct error *err)
{
    if (byte_reader_status(array->bytes, err) != STATUS_OK)
        return err->status;
    return error_set(err, STATUS_INVALID, "%s:%zu: %s; the %zu elements before were read", array->name, array->line,
                     what, array->element);
}

/* Moves into the next array; *more false where nothing follows. */
static enum status enter_array(struct json_array_reader *array, bool *more, struct error *err)
{
    int c = take_visible(array);
    array->inside = *more = c == '[';
    if (c == '[' || (c < 0 && byte_reader_status(array->bytes, err) == STATUS_OK))
        return STATUS_OK;
    return array_fault(array, "something follows the JSON array's end", err);
}

/* Where in an element a byte is. */
struct depth {
    size_t open; /* brackets */
    bool in_text, escaped;
};

static void depth_pass(struct depth *depth, int c)
{
    if (depth->escaped) {
        depth->escaped = false;
    } else if (depth->in_text) {
        depth->escaped = c == '\\';
        depth->in_text = c != '"';
    } else {
        depth->in_text = c == '"';
        depth->open += c == '{' || c == '[';
        depth->open -= depth->open && (c == '}' || c == ']');
    }
}

/* The element that begins with `c`, up to the comma or bracket after it, which is taken too. */
static enum status take_element(struct json_array_reader *array, int c, size_t most, struct buffer *text, size_t *bytes,
                                struct error *err)
{
    struct depth depth = {0};
    size_t count = 0, last = 0;
    array->element_line = array->line;
    for (; c >= 0; c = take_byte(array)) {
        if (!depth.open && !depth.in_text && (c == ',' || c == ']')) {
            array->inside = c == ',';
            array->element++;
            text->bytes = last < text->bytes ? last : text->bytes;
            *bytes = last;
            return STATUS_OK;
        }
        depth_pass(&depth, c);
        if (count++ < most)
            buffer_add_u8(text, is_json_blank(c) && !depth.in_text ? ' ' : (uint8_t)c); /* in a text it is no JSON */
        if (!is_json_blank(c))
            last = count;
    }
    return array_fault(array, "the JSON array is not closed: the file was cut, or a quote is never closed", err);
}

enum status json_array_reader_next(struct json_array_reader *array, size_t most, struct buffer *text, size_t *bytes,
                                   bool *more, struct error *err)
{
    buffer_clear(text);
    for (;;) {
        if (!array->inside) {
            enum status status = enter_array(array, more, err);
            if (status != STATUS_OK || !*more)
                return status;
        }
        int c = take_visible(array);
        if (c != ']') {
            *more = true;
            return take_element(array, c, most, text, bytes, err);
        }
        array->inside = false; /* empty, or a comma after the last element */
    }
}
