/* Events made bad on purpose, so that a system test can add up dead letters or rejects: each kind is known to be
 * refused under one code. Which events and how is decided by the seed alone. */
#pragma once

#include <stdio.h>

#include "base/status.h"
#include "events/error_codes.h"
#include "events/event.h"
#include "events/schema.h"
#include "producer/event_file_form.h"
#include "producer/random.h"

#define POISON_IN(form) (1U << EVENT_FILE_##form)
#define POISON_IN_LINES (POISON_IN(CSV) | POISON_IN(JSONL))
#define POISON_IN_ALL (POISON_IN_LINES | POISON_IN(JSON) | POISON_IN(AVRO))

/* POISON(id, "name", code it is refused under, "what is done", files that can have it, "why others cannot") */
#define POISON_TABLE(POISON) \
    POISON(TRUNCATED, "truncated", MALFORMED, "the bytes end too early", POISON_IN_LINES, \
           "it would end the whole file") \
    POISON(BAD_MAGIC, "bad-magic", BAD_FRAME, "the first byte is no frame's", 0, "a file's records have no frame") \
    POISON(UNKNOWN_ID, "unknown-id", UNKNOWN_SCHEMA_ID, "the schema id is unknown", 0, \
           "a file's records have no frame") \
    POISON(TRAILING, "trailing", MALFORMED, "bytes are left over", POISON_IN_LINES | POISON_IN(JSON), \
           "it would end the whole file") \
    POISON(EMPTY, "empty", BAD_FRAME, "no bytes, but not null", 0, "a file's records have no frame") \
    POISON(BAD_UTF8, "bad-utf8", MALFORMED, "a text that is not UTF-8", POISON_IN(JSONL) | POISON_IN(JSON), \
           "of a table it is refused as wrong_type") \
    POISON(RANGE, "out-of-range", OUT_OF_RANGE, "a number above its column's range", POISON_IN_ALL, "") \
    POISON(CATEGORY, "unknown-category", UNKNOWN_CATEGORY, "a text that is no category", POISON_IN_ALL, "") \
    POISON(KEY, "key-mismatch", KEY_MISMATCH, "the key is another employee's", 0, "a file's records have no key")

enum poison_kind {
#define POISON_ID(id, ...) POISON_##id,
    POISON_TABLE(POISON_ID)
#undef POISON_ID
        POISON_KIND_COUNT,
    POISON_NONE = POISON_KIND_COUNT
};

/* Plain data. */
struct poison {
    const struct schema *schema;
    double share;
    uint64_t seed;
    enum poison_kind kinds[POISON_KIND_COUNT]; /* taken in turn */
    unsigned kind_count, next;
    bool may_truncate;
    uint64_t counts[POISON_KIND_COUNT];
    struct random random; /* of the current event */
};

/* share: 0 to 1. Borrows the schema. All kinds are taken. */
void poison_init(struct poison *poison, const struct schema *schema, double share, uint64_t seed);
/* Only kinds that are refused under one of these codes, "malformed,out_of_range". STATUS_INVALID: there is none. */
MUST_USE enum status poison_choose(struct poison *poison, const char *codes, struct error *err);

/* Only kinds that such a file can have. STATUS_INVALID: all of a code in `codes` (NULL: none is asked for) are left
 * out; the text says why. */
MUST_USE enum status poison_restrict(struct poison *poison, enum event_file_form form, const char *codes,
                                     struct error *err);
/* "bad_frame (a file's records have no frame), …": codes that the file cannot have. */
void poison_print_left_out(const struct poison *poison, struct buffer *out);

/* Decides about event `index` and spoils what is spoilt before encoding: a cell, the key. */
enum poison_kind poison_event(struct poison *poison, uint64_t index, struct event *event, struct span *key);

/* Spoils what is spoilt after encoding. */
void poison_bytes(struct poison *poison, enum poison_kind kind, struct buffer *value);

/* The same of a record of a file, text from `start` on, without its line end. */
void poison_text(struct poison *poison, enum poison_kind kind, enum event_file_form form, struct buffer *text,
                 size_t start);

uint64_t poison_total(const struct poison *poison);

/* `poisoned 20: truncated 3 (malformed), …` */
void poison_print(const struct poison *poison, FILE *out);
