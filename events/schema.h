/* The schema directory, read once at start: the one description of the data.
 *
 * DIR/employee_event.avsc, DIR/prediction.avsc, DIR/ids.json and, where current records are kept,
 * DIR/employee_state.avsc and, for alerts, DIR/alert.avsc. Column attributes (kind, range, values, …) are extra JSON
 * attributes of the fields of the event's `attributes` record; target, id, ignored columns and rules are attributes of
 * that record. docs/SCHEMAS.md lists them. Everything here is read-only after schema_load and safe to share. */
#pragma once

#include "base/row.h"
#include "base/status.h"

struct avro_type; /* a parsed Avro schema: avro/type.h */

struct schema {
    struct column *columns; /* the features, in schema order */
    size_t column_count;
    struct rule *rules;
    size_t rule_count;
    size_t min_present;               /* columns that must have a value in every row; 0: none */
    const char *target_name;          /* label column of a training table */
    const struct span *target_values; /* as in prediction.avsc's enum; the last is the positive one */
    size_t target_count;
    const char *id_name;        /* id column of a table: becomes employee_id */
    const char *const *ignored; /* columns of a table that are neither feature, target nor id */
    size_t ignored_count;
    const char *const *event_types; /* symbols of the event_type enum, in schema order */
    size_t event_type_count;
    _Atomic uint32_t event_schema_id; /* the wire ids of our schemas: of ids.json, or as a schema registry gave them */
    _Atomic uint32_t prediction_schema_id; /* 0: not given yet */
    _Atomic uint32_t state_schema_id;      /* always of ids.json; 0: these schemas have no employee_state.avsc */
    _Atomic uint32_t alert_schema_id;      /* as that of predictions, where these schemas have an alert.avsc */
    char digest[65]; /* SHA-256 (hex) of the columns' names, types, kinds and values: the feature contract */
    const struct avro_type *event; /* reader schema of events */
    const struct avro_type *prediction;
    const struct avro_type *state, *alert; /* NULL: there is none */
};

/* Refuses what is not valid Avro, not shaped as docs/SCHEMAS.md says, or where prediction.avsc's attributes differ from
 * the event's. Free with schema_free. */
MUST_USE enum status schema_load(const char *directory, struct schema **out, struct error *err);
void schema_free(struct schema *schema);

/* Whether events may be partial: they have the field `changed`. */
bool schema_has_changed(const struct schema *schema);

/* Index of the column of that name, or -1. */
int32_t schema_column(const struct schema *schema, struct span name);

/* Whether the name is the target or one of the ignored columns: known, and not sent. */
bool schema_ignores(const struct schema *schema, struct span name);
