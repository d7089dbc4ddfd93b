/* A training table: a labelled CSV file as rows of the schema's columns. */
#pragma once

#include "base/row.h"
#include "base/sha256.h"
#include "base/status.h"
#include "events/schema.h"

/* Plain data, read-only once read. Texts of cells are the schema's own. */
struct table {
    const struct schema *schema;
    struct cell *cells; /* row-major, column_count cells a row */
    uint8_t *labels;    /* 1: the schema's last target value, the positive class */
    size_t row_count, positive_count;
    uint64_t *ids;   /* hashes of the ids, equal where they are; 0: none. NULL: no id stands in two rows */
    uint32_t *lines; /* where the rows stand in the file */
    bool *excluded;  /* by column of the schema: no feature of the model */
    size_t left_out; /* rows with a fault, which are not among row_count */
    char sha256[SHA256_HEX_BYTES]; /* of the file's bytes */
};

/* Reads a CSV file as published: any delimiter, encoding and order of columns, empty = missing, and so are the texts of
 * `null_values` (NULL: none; "NA,NULL"). Columns are found by the
 * header's names; the id, ignored columns and (with a notice) unknown ones are passed over. A row that the scorer would
 * refuse is a fault here too: the first 20 faults are logged by line and column, and more than most_left_out faulty
 * rows (-1: any number) refuse the table, since a trainer that drops rows unasked trains another model than it says.
 * Refused as well: a header without the target or one of the features, no rows, one class only, a feature without any
 * value. Columns that `exclude` names (NULL: none; OPTION_SEPARATOR between) are read
 * and checked, and marked. Free with table_free. */
MUST_USE enum status table_read(const char *path, const struct schema *schema, int64_t most_left_out,
                                const char *null_values, const char *exclude, struct table *out, struct error *err);
/* Appends the excluded columns' names, ", " between. */
void table_name_excluded(const struct table *table, struct buffer *out);
void table_free(struct table *table);

static inline const struct cell *table_row(const struct table *table, size_t row)
{
    return table->cells + row * table->schema->column_count;
}
