/* One row of an input on its way to an event: what a reader fills in, and whether it may be sent. */
#pragma once

#include "base/clock.h"
#include "base/null_values.h"
#include "base/status.h"
#include "events/error_codes.h"
#include "events/event.h"
#include "events/input_map.h"
#include "events/schema.h"
#include "events/time_unit.h"

enum { INPUT_FAULTS_MAX = 64 };

/* How rows are read: plain data, borrowed from the caller. */
struct input_settings {
    const struct schema *schema;
    const struct clock_source *clock; /* occurred_at where the row brings none */
    const char *format;               /* name of a form (input_form.h), or NULL: by the file's name, then its content */
    int32_t event_type;               /* where the row brings none */
    struct input_map *map;            /* NULL: the schema's names are the file's */
    enum time_unit time_unit;         /* of bare numbers in occurred_at; TIME_UNIT_NONE: they are refused */
    int64_t max_future_us;            /* how far after now occurred_at may lie */
    const char *query;                /* of an input without a path */
    const char *database_url;         /* where the query runs */
    bool partial;                     /* a table's rows say what has changed, by the columns that it has */
    bool ids_needed;                  /* a row without an employee id is a fault */
    bool validate;                    /* false: only what cannot be encoded is a fault */
    char delimiter;                   /* of a CSV; 0: found */
    bool decimal_comma;               /* a CSV's numbers are written 1,5 */
    const char *encoding;             /* of texts; NULL: found */
    struct null_values null_values;   /* a CSV's texts for what is missing, besides the empty one */
};

/* Plain data. Everything it points at lives until the next input_next. */
struct input_row {
    const struct input_settings *settings;
    size_t line;        /* physical line, the file's first is 1 */
    size_t element;     /* of an array, from 1; 0: the input is none */
    struct span raw;    /* the row's bytes as they are in the file, without the line end */
    struct event event; /* complete if fault_count == 0; cells NULL: the row could not be taken apart */
    int64_t latest_ms;  /* no later than this may occurred_at lie */
    size_t fault_count;
    struct fault faults[INPUT_FAULTS_MAX];
};

/* What an event says besides its attributes, under the event schema's own field names. */
enum envelope_field {
    ENVELOPE_EMPLOYEE_ID,
    ENVELOPE_EVENT_ID,
    ENVELOPE_EVENT_TYPE,
    ENVELOPE_OCCURRED_AT,
    ENVELOPE_FIELD_COUNT,
};
int32_t envelope_fault_column(enum envelope_field field); /* FAULT_EMPLOYEE_ID … */
const char *envelope_name(enum envelope_field field);

/* A row of which nothing is read yet: all of `cells` (one per column) missing, the envelope as the settings say. */
void input_row_begin(struct input_row *row, const struct input_settings *settings, struct cell *cells);

/* Adds a fault to the row; beyond INPUT_FAULTS_MAX they are dropped (the row is refused all the same). */
void input_row_refuse(struct input_row *row, enum event_code code, int32_t column, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Sets one field of the envelope from its text, which the row borrows; a text that does not fit is a fault. */
void input_row_set_envelope(struct input_row *row, enum envelope_field field, struct span text);

/* The same of occurred_at, where a bare number counts in this unit. */
void input_row_set_time(struct input_row *row, struct span text, enum time_unit unit);

/* Adds what is wrong with ids and occurred_at of an event that was read otherwise; those that it does not have pass. */
void input_row_check_envelope(struct input_row *row);

/* Adds what validation finds about columns that have no fault yet (a cell that could not be read is missing here). */
void input_row_validate(struct input_row *row);

/* Of a column, or (FAULT_…) of the envelope, as the schemas have it; NULL: of neither. */
const char *input_field_name(const struct schema *schema, int32_t column);
