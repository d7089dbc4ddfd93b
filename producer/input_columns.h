/* A table's columns by their names: which field of a row is which column of the schema. What CSV and queries share. */
#pragma once

#include "base/csv.h"
#include "producer/input_form.h"

enum { POSITION_NONE = -1 };

/* Plain data, embedded by readers; zero-initialise, then input_columns_init. */
struct input_columns {
    const struct input_source *source;
    const struct schema *schema;
    size_t field_count;                /* of the header */
    const struct map_target **targets; /* of each field, where a mapping (--map) has one for it */
    bool decimal_comma;                /* its numbers are written 1,5; false but where the reader sets it */
    int32_t *positions;                /* field of each column of the schema, or POSITION_NONE */
    int32_t id_position;
    int32_t envelope_positions[ENVELOPE_FIELD_COUNT];
    int32_t changed_position;           /* of a list of names in JSON, which makes a row a partial event */
    bool *listed;                       /* scratch: by column of the schema */
    uint64_t ids_fixed, encoding_hints; /* said so far */
    struct buffer header;               /* what the reader begins the file of rejects with */
};

void input_columns_init(struct input_columns *columns, const struct input_source *source);
void input_columns_free(struct input_columns *columns);

/* Finds the columns in a header; *known is how many of its names the schema and the event have. STATUS_INVALID: a
 * duplicate column. */
MUST_USE enum status input_columns_place(struct input_columns *columns, const struct csv_record *header, size_t *known,
                                         struct error *err);
/* The column whose name a header's name comes close to (case, blanks, underscores aside), or NULL. */
const char *input_columns_like(const struct input_columns *columns, struct span name);
/* The record names the same columns in the same places. */
bool input_columns_are_placed(struct input_columns *columns, const struct csv_record *record);
/* How many fields are names of columns. */
size_t input_columns_count_names(struct input_columns *columns, const struct csv_record *record);
/* Takes the header that was placed: finds what the mapping does with each field, logs what is unknown and what is
 * missing. */
void input_columns_begin(struct input_columns *columns, const struct csv_record *header);
/* Of an input without lines: its rejects get the header as a line of CSV. */
void input_columns_begin_written(struct input_columns *columns, const struct csv_record *header);

/* Fills the row's cells and envelope from as many fields as the header has. */
void input_columns_read(struct input_columns *columns, const struct csv_record *record, struct input_row *row);
/* Appends the fields as a line of CSV, without its end: a reject of an input that has no lines. */
void input_columns_write_line(const struct csv_record *record, struct buffer *out);
/* For records that have no text of their own: it is written into `line`, which the row borrows, and then read. */
void input_columns_read_written(struct input_columns *columns, struct csv_record record, struct buffer *line,
                                struct input_row *row);
/* The first feature that a row cut short does not reach, in the table's order; FAULT_NO_COLUMN if it reaches them all.
 */
int32_t input_columns_first_unreached(const struct input_columns *columns, size_t field_count);

/* For struct input_form, of readers that begin with their struct input_columns. */
const char *input_columns_field_name(const void *reader, int32_t column);
void input_columns_field_write(const void *reader, int32_t column, const char *name, struct buffer *out);
struct span input_columns_header(const void *reader);
