/* Reading JSON (RFC 8259) value by value, in one pass and without a tree: the caller asks for what it expects next.
 *
 * Strict: names within an object differ, texts are UTF-8 and their escapes make whole characters, numbers follow the
 * grammar, at most JSON_NESTED_MAX levels. One thing more is read, because programs write it: bare NaN, Infinity and
 * -Infinity are JSON_KIND_NOT_FINITE, like numbers beyond a double's range.
 *
 * The first flaw stays, and from then on every call says that there is no more; so a caller may look once, at the end:
 *
 *     json_reader_start(&reader, text);
 *     json_read_value(&reader, &value);
 *     for (bool first = true; value.kind == JSON_KIND_OBJECT && json_next_name(&reader, &first, &name);)
 *         json_read_value(&reader, &value) …
 *     if (json_reader_end(&reader) != JSON_FLAW_NONE) …
 *
 * Plain data, used again for each document: texts with escapes lie in its arena, all others borrow from the document.
 * Zeroed is ready. One thread. Allocates nothing once it is warm. */
#pragma once

#include "base/json_scan.h"
#include "base/memory.h"

enum { JSON_NESTED_MAX = 2048 };

enum json_kind {
    JSON_KIND_NONE, /* there was no value: a flaw */
    JSON_KIND_NULL,
    JSON_KIND_FALSE,
    JSON_KIND_TRUE,
    JSON_KIND_NUMBER,
    JSON_KIND_NOT_FINITE,
    JSON_KIND_TEXT,
    JSON_KIND_OBJECT, /* opened: its members come next, or json_skip_rest */
    JSON_KIND_ARRAY,  /* likewise its items */
};

struct json_value {
    enum json_kind kind;
    bool whole;       /* a number without fraction and exponent */
    double number;    /* the nearest; 0 where it is none */
    struct span text; /* a text's characters; of any other scalar its bytes as they stand */
};

enum json_flaw {
    JSON_FLAW_NONE,
    JSON_FLAW_SYNTAX,
    JSON_FLAW_CUT_OFF,
    JSON_FLAW_NUMBER,
    JSON_FLAW_UTF8,
    JSON_FLAW_CONTROL,
    JSON_FLAW_ESCAPE,
    JSON_FLAW_SURROGATE,
    JSON_FLAW_DUPLICATE,
    JSON_FLAW_DEPTH,
    JSON_FLAW_TRAILING,
    JSON_FLAW_NO_OBJECT, /* for callers that want one */
};

struct json_name;

struct json_reader {
    const uint8_t *at, *end, *start;
    enum json_flaw flaw;
    unsigned depth;
    struct arena texts;
    struct json_name *names; /* of objects that are skipped, by their hash: duplicates are looked for there */
    size_t name_count, name_capacity;
    uint64_t objects; /* numbered so far, so that names belong to one */
};

void json_reader_start(struct json_reader *reader, struct span document);
/* Texts of the documents before are of no use any more. */
void json_reader_reset(struct json_reader *reader);
void json_reader_free(struct json_reader *reader);

/* A value's start: all of a scalar, the opening of an object or array. */
bool json_read_value(struct json_reader *reader, struct json_value *out);
/* The next member's name, up to its value. *first: true before the first one. False: the object is closed, or a flaw.
 * Whether names differ is the caller's to see. */
bool json_next_name(struct json_reader *reader, bool *first, struct span *name);
/* Whether the array has another item; likewise. */
bool json_next_item(struct json_reader *reader, bool *first);
void json_skip_levels(struct json_reader *reader, const struct json_value *opened);
/* The rest of an object or array that was just opened; nothing after a scalar. */
static inline void json_skip_rest(struct json_reader *reader, const struct json_value *opened)
{
    if (opened->kind == JSON_KIND_OBJECT || opened->kind == JSON_KIND_ARRAY)
        json_skip_levels(reader, opened);
}
/* A whole value. *out: its bytes as they stand. */
void json_skip_value(struct json_reader *reader, struct span *out);
/* The next member's name where it is this one, as of json_scan_name; like json_next_name then. False: it is not, and
 * nothing is taken. */
static inline bool json_take_name(struct json_reader *reader, bool *first, struct span quoted)
{
    const uint8_t *behind =
        reader->flaw == JSON_FLAW_NONE ? json_scan_name(reader->at, reader->end, *first, quoted) : NULL;
    if (!behind)
        return false;
    reader->at = behind;
    *first = false;
    return true;
}

/* --- duplicates, for who reads members himself --- */

/* A number for the object, then each of its names. */
uint64_t json_object_begin(struct json_reader *reader);
bool json_name_is_new(struct json_reader *reader, uint64_t object, struct span name);
/* A value again whose bytes (json_skip_value) are known to be sound; SPAN_NULL: a value of JSON_KIND_NONE. */
struct json_value json_read_part(struct json_reader *reader, struct span part);
void json_refuse(struct json_reader *reader, enum json_flaw flaw);
/* After the outermost value: nothing but white space may follow. */
enum json_flaw json_reader_end(struct json_reader *reader);

/* What is wrong, as part of a sentence ("a duplicate key"), and where: both from 1. */
const char *json_flaw_text(enum json_flaw flaw);
void json_reader_place(const struct json_reader *reader, size_t *line, size_t *column);
