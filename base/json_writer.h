/* Writing a JSON document into a buffer: commas, quotes and nesting are kept by the writer, which allocates nothing.
 *
 * Each value takes its member's name first. It is NULL where a value has none: in an array, at the top, and after
 * json_key. A value in the wrong place, a name too many or too few, and an end that fits no beginning are asserted.
 * Texts must be UTF-8. Plain data; one thread; the buffer may hold other text before and after the document.
 *
 *     struct json_writer json = json_begin_document(&out);
 *     json_write_string(&json, "status", "ok");
 *     json_end_document(&json);
 */
#pragma once

#include "base/bytes.h"
#include "base/json.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_writer {
    struct buffer *out;
    const char *comma, *colon;
    uint32_t arrays; /* bit d: level d is an array */
    uint8_t depth;
    bool has_item; /* at the current level */
    bool has_key;  /* a member's name is written, its value is due */
    bool breaks;   /* the next item begins on a line of its own */
};

static inline struct json_writer json_writer_of(struct buffer *out)
{
    return (struct json_writer){.out = out, .comma = ",", .colon = ":"};
}

void json_begin_object(struct json_writer *json, const char *name);
void json_end_object(struct json_writer *json);
void json_begin_array(struct json_writer *json, const char *name);
void json_end_array(struct json_writer *json);

/* A member's name; its value follows, written with the name NULL. For functions that write any value. */
void json_key(struct json_writer *json, const char *name);
void json_key_span(struct json_writer *json, struct span name);
/* The next item, or the end of the current level, begins on a line of its own. */
void json_break(struct json_writer *json);
/* A document that is one object: begun, and ended with its line. */
struct json_writer json_begin_document(struct buffer *out);
void json_end_document(struct json_writer *json);
/* Ends the line of a document that is whole. */
void json_end_line(struct json_writer *json);

void json_write_text(struct json_writer *json, const char *name, struct span text);     /* SPAN_NULL: null */
void json_write_string(struct json_writer *json, const char *name, const char *string); /* NULL: null */
void json_write_int(struct json_writer *json, const char *name, int64_t number);
void json_write_uint(struct json_writer *json, const char *name, uint64_t number);
void json_write_double(struct json_writer *json, const char *name, double number); /* as json_add_double */
void json_write_finite(struct json_writer *json, const char *name, double number); /* the same; not finite: null */
void json_write_fixed(struct json_writer *json, const char *name, double number, int decimals); /* finite */
void json_write_bool(struct json_writer *json, const char *name, bool value);
void json_write_null(struct json_writer *json, const char *name);
/* The caller adds exactly one JSON value to the buffer. */
struct buffer *json_write_raw(struct json_writer *json, const char *name);
