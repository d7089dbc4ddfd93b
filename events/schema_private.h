/* What schema_load makes beyond the public struct schema: tables the module's hot paths read. Only events/ includes
 * this.
 *
 * Every struct schema that schema_load returns is the first member of a struct schema_parts. */
#pragma once

#include "base/memory.h"
#include "avro/type.h"
#include "events/column_read.h"
#include "events/event.h"
#include "events/schema.h"

/* Schemas under which records may be written: the rows of ids.json. */
struct schema_version {
    uint32_t id;
    const char *file;
    struct avro_schema *schema; /* owned */
};
struct schema_versions {
    struct schema_version *items;
    size_t count;
};

/* What a present value of a column must satisfy, so that one comparison clears the usual number: NaN and infinities lie
 * outside every [low, high]. */
struct column_check {
    double low, high; /* the schema's range within what the type can hold */
    bool nominal, required, whole, imputes;
};

struct schema_parts {
    struct schema schema;
    struct arena arena;
    struct schema_versions events, predictions;
    struct avro_schema *event, *prediction; /* our own, borrowed from those */
    struct column_reader *readers;          /* one per column, in schema order: the reader's own encoding */
    struct categories *categories;          /* one per column; slots only where nominal */
    struct column_check *checks;            /* one per column */
    bool imputes;                           /* any of them does */
    struct span *encoded_names;             /* one per column: its name with its Avro length before it */
    const struct avro_type *attributes;     /* the event's attributes record */
};

static inline const struct schema_parts *schema_parts(const struct schema *schema)
{
    return (const struct schema_parts *)schema;
}

enum { SCHEMA_COLUMNS_MAX = 4096 };

/* Positions of the fields of an event; `attributes` is the last. */
enum {
#define ENVELOPE_ID(codec, id, ...) ENVELOPE_##id,
    EVENT_ENVELOPE(ENVELOPE_ID)
#undef ENVELOPE_ID
        ENVELOPE_COUNT
};

/* schema_event.c: fills columns, rules, target and the rest from the event's type. */
MUST_USE enum status schema_read_event(struct schema_parts *parts, struct error *err);
/* schema_prediction.c: holds the prediction's type against the table of prediction.h. */
MUST_USE enum status schema_check_prediction(const struct schema_parts *parts, struct error *err);
