/* Inside of the registry tool: what import and verify share. Linked by that program alone. */
#pragma once

#include <jansson.h>

#include "events/json_row.h"
#include "pipeline/pipeline.h"

enum { IMPORT_MAX_ROWS_BYTES = 256 << 20 }; /* of a file with background or golden rows */

/* Rows that a model's reference is taken from. Zeroed is empty; import_rows_free. */
struct import_rows {
    struct cell *cells; /* texts are the schema's */
    int8_t *labels;     /* 1: the target's last value, or 1; 0: another of its values, or 0; −1: neither */
    size_t count, capacity, label_capacity;
};
void import_rows_free(struct import_rows *rows);

/* A CSV file with a header, or JSON Lines (each an attributes object, or one with "attributes"); what begins with a
 * brace is JSON. Target, id and ignored columns of the schema are passed over. Every row must be one that the scorer
 * would accept as an event: STATUS_INVALID names the first line and column that is not. */
MUST_USE enum status import_background(const char *path, const struct schema *schema, struct import_rows *out,
                                       struct error *err);

/* STATUS_INVALID: where enough of the rows are labelled, those who left do not rank before the others: the positive
 * class is the wrong one. */
MUST_USE enum status import_side(const char *path, const struct import_rows *rows, size_t column_count,
                                 const struct pipeline *pipeline, struct error *err);

/* JSON Lines of {"attributes":{…},"probability":p} → attrition.golden's JSON, appended to out. Rows without a
 * probability get the one that the model gives here. Ranges and categories are not checked, names and types are. The
 * probabilities are the source model's, or where `of_file` what another runtime gives for this very file.
 * STATUS_INVALID also: probabilities that the model does not give: how many, how far and where. */
MUST_USE enum status import_golden(const char *path, bool of_file, const struct schema *schema,
                                   const struct pipeline *pipeline, struct buffer *out, struct error *err);

/* One line of JSON Lines → its attributes, borrowed from *root, which the caller gives back with json_decref. */
MUST_USE enum status import_line(struct span line, const char *path, size_t number, json_t **root, json_t **attributes,
                                 struct error *err);

/* A row of attributes; its cells borrow from here until the next one. Zeroed is ready. */
struct import_text {
    struct json_reader reader;
    char *text;
};
/* False: `fault` says why. */
bool import_row_read(struct import_text *text, const struct schema *schema, const json_t *attributes, bool checked,
                     struct cell *cells, struct fault *fault);
void import_text_free(struct import_text *text);

/* Takes the next line off *rest (without its end); false at the end. */
bool import_next_line(struct span *rest, struct span *line);
