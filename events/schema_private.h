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
    struct schema_versions states, alerts;  /* none where the schemas have no current records or no alerts */
    struct avro_schema *event, *prediction; /* our own, borrowed from those */
    struct avro_schema *state, *alert;      /* NULL: there is none */
    struct column_reader *readers;          /* one per column, in schema order: the reader's own encoding */
    struct categories *categories;          /* one per column; slots only where nominal */
    struct categories column_names;         /* their codes are the columns */
    struct column_check *checks;            /* one per column */
    bool imputes;                           /* any of them does */
    struct cell *missing;                   /* a row without any value */
    struct span *quoted_names;              /* one per column: its name as json_scan_name expects it */
    struct span *encoded_names;             /* one per column: its name as Avro's text, made for put_encoded */
    struct span **encoded_values;           /* one list per column, by code, of the same; NULL: it has no values */
    uint32_t *text_columns;
    size_t text_column_count;
    bool has_changed;                   /* events may be partial: the event's record has the field `changed` */
    bool has_change;                    /* the prediction's record has the field `change` */
    const struct avro_type *attributes; /* the event's attributes record */
};

static inline const struct schema_parts *schema_parts(const struct schema *schema)
{
    return (const struct schema_parts *)schema;
}

enum { SCHEMA_COLUMNS_MAX = 4096 };

/* Positions of the fields of an event; then comes `changed`, where there is one, and `attributes` is the last. */
enum {
#define ENVELOPE_ID(codec, id, ...) ENVELOPE_##id,
    EVENT_ENVELOPE(ENVELOPE_ID)
#undef ENVELOPE_ID
        ENVELOPE_COUNT
};

/* schema_event.c: fills columns, rules, target and the rest from the event's type. */
MUST_USE enum status schema_read_event(struct schema_parts *parts, struct error *err);
/* schema_prediction.c: holds the prediction's type against the table of prediction.h, and sets has_change. */
MUST_USE enum status schema_check_prediction(struct schema_parts *parts, struct error *err);
/* … whether a record's attributes are the event's; `file` has them. */
MUST_USE enum status schema_check_attributes(const struct avro_type *mine, const struct avro_type *events,
                                             const char *file, struct error *err);
/* … and that of an enum is the target. */
MUST_USE enum status schema_check_symbols(const struct avro_type *type, const struct span *symbols, size_t count,
                                          const char *file, const char *field, const char *source, struct error *err);
/* schema_state.c: the same for the current record (employee_state.h), where there is one. */
MUST_USE enum status schema_check_state(const struct schema_parts *parts, struct error *err);
/* schema_alert.c: the same for the alert (alert.h). */
MUST_USE enum status schema_check_alert(const struct schema_parts *parts, struct error *err);
