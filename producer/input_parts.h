/* What the readers of both forms share: input.c owns it, input_csv.c and input_jsonl.c fill rows through it. */
#ifndef PRODUCER_INPUT_PARTS_H
#define PRODUCER_INPUT_PARTS_H

#include <stdio.h>

#include "base/csv.h"
#include "base/memory.h"
#include "producer/event_id.h"
#include "producer/input.h"

struct json_t;

/* What an event says besides its attributes, under the event schema's own field names. */
enum envelope_field {
    ENVELOPE_EMPLOYEE_ID,
    ENVELOPE_EVENT_ID,
    ENVELOPE_EVENT_TYPE,
    ENVELOPE_OCCURRED_AT,
    ENVELOPE_FIELD_COUNT,
};
extern const char *const envelope_names[ENVELOPE_FIELD_COUNT];

enum { POSITION_NONE = -1, LINE_BYTES_MAX = 1 << 20 };

struct input {
    const char *path;
    const char *name; /* as in messages */
    const struct input_settings *settings;
    FILE *file;
    bool owns_file;
    struct cell *cells;            /* of the current row */
    int64_t latest_ms;             /* of the current row's occurred_at */
    struct sha256 *sha256;         /* for event ids */
    struct buffer identity;        /* what the current row's event id is made from */
    char event_id[EVENT_ID_BYTES]; /* of the current row */
    char employee_id[32];          /* of the current row where the file gives none */

    struct csv *csv; /* NULL: JSON Lines */
    struct buffer header;
    size_t header_fields;
    int32_t *positions; /* field of each column of the schema, or POSITION_NONE */
    int32_t id_position;
    int32_t envelope_positions[ENVELOPE_FIELD_COUNT];

    size_t line; /* JSON Lines: physical lines read so far */
    struct buffer text;
    struct json_t *object; /* the current row's, which its texts are borrowed from */
};

/* Adds a fault to the row; beyond INPUT_FAULTS_MAX they are dropped (the row is refused all the same). */
void input_row_refuse(struct input_row *row, enum event_code code, int32_t column, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Sets one field of the envelope from its text; a text that does not fit is a fault. */
void input_envelope_set(const struct input *input, struct input_row *row, enum envelope_field field, struct span text);

/* Adds what validation finds about columns that have no fault yet (a cell that could not be read is missing here). */
void input_row_judge(const struct input *input, struct input_row *row);

/* Is the name the target or one of the ignored columns? Known, and not sent. */
bool input_name_ignored(const struct schema *schema, struct span name);

/* The readers: they fill what the file says and note what they could not read. A row that cannot be taken apart at all
 * has a fault and event.cells NULL. */
enum status csv_input_open(struct input *input, struct error *err);
enum status csv_input_next(struct input *input, struct input_row *row, bool *more, struct error *err);

enum status jsonl_input_next(struct input *input, struct input_row *row, bool *more, struct error *err);
void jsonl_input_release(struct input *input);

#endif
