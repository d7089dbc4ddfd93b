/* Events made bad on purpose, so that a system test can add up dead letters: each kind is known to be refused under one
 * code. Which events and how is decided by the seed alone. */
#pragma once

#include <stdio.h>

#include "base/status.h"
#include "events/error_codes.h"
#include "events/event.h"
#include "events/schema.h"
#include "producer/random.h"

/* POISON(id, "name", code it is refused under, "what is done") */
#define POISON_TABLE(POISON) \
    POISON(TRUNCATED, "truncated", MALFORMED, "the bytes end too early") \
    POISON(BAD_MAGIC, "bad-magic", BAD_FRAME, "the first byte is no frame's") \
    POISON(UNKNOWN_ID, "unknown-id", UNKNOWN_SCHEMA_ID, "the schema id is unknown") \
    POISON(TRAILING, "trailing", MALFORMED, "bytes are left over") \
    POISON(EMPTY, "empty", BAD_FRAME, "no bytes, but not null") \
    POISON(BAD_UTF8, "bad-utf8", MALFORMED, "a text that is not UTF-8") \
    POISON(RANGE, "out-of-range", OUT_OF_RANGE, "a number above its column's range") \
    POISON(CATEGORY, "unknown-category", UNKNOWN_CATEGORY, "a text that is no category") \
    POISON(KEY, "key-mismatch", KEY_MISMATCH, "the key is another employee's")

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
    uint64_t counts[POISON_KIND_COUNT];
    struct random random; /* of the current event */
};

/* share: 0 to 1. Borrows the schema. All kinds are taken. */
void poison_init(struct poison *poison, const struct schema *schema, double share, uint64_t seed);
/* Only kinds that are refused under one of these codes, "malformed,out_of_range". STATUS_INVALID: there is none. */
MUST_USE enum status poison_choose(struct poison *poison, const char *codes, struct error *err);

/* Decides about event `index` and spoils what is spoilt before encoding: a cell, the key. */
enum poison_kind poison_event(struct poison *poison, uint64_t index, struct event *event, struct span *key);

/* Spoils what is spoilt after encoding. */
void poison_bytes(struct poison *poison, enum poison_kind kind, struct buffer *value);

uint64_t poison_total(const struct poison *poison);

/* `poisoned 20: truncated 3 (malformed), …` */
void poison_print(const struct poison *poison, FILE *out);
