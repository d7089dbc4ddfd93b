/* A JSON object into cells: every door that takes JSON reads attributes so. */
#pragma once

#include "base/json_reader.h"
#include "base/status.h"
#include "events/error_codes.h"
#include "events/schema.h"

/* Where faults go, in the order of the document; those beyond capacity are dropped. */
struct json_faults {
    struct fault *list;
    size_t count, capacity;
};

/* `name` is a name of the document or the schema; the text begins with it. */
void json_fault_add(struct json_faults *faults, enum event_code code, int32_t column, struct span name,
                    const char *format, ...) PRINTF_LIKE(5, 6);

/* A value as a column's cell; null is a missing one. checked: fractions in int columns are faults; unchecked: any
 * finite number and any text pass, and the empty text is missing. Both: a text for a number (or a number for a text,
 * booleans, arrays, objects) is wrong_type; NaN, Infinity, -Infinity, as texts too, and what is beyond a double are
 * not_finite. The rest of an array or object is skipped. The cell borrows as the value does. */
void json_cell_read(struct json_reader *reader, const struct schema *schema, int32_t column,
                    const struct json_value *value, bool checked, struct cell *cell, struct json_faults *faults);

/* The next value, which should be an object of columns. Cells that it does not name are missing. checked: other names
 * are unknown_field; unchecked: they are skipped. What is no JSON is the reader's to say, by its flaw. */
void json_row_read(struct json_reader *reader, const struct schema *schema, bool checked, struct cell *cells,
                   struct json_faults *faults);

/* The same, and `named` gets the bits of the columns that it names, null among them: column_bits_words of them, which
 * are cleared here. */
void json_row_read_named(struct json_reader *reader, const struct schema *schema, bool checked, struct cell *cells,
                         uint64_t *named, struct json_faults *faults);

/* The same of a document that is nothing else. A flaw is its only fault, malformed or limit. Starts the reader. */
size_t json_row_read_text(struct json_reader *reader, struct span text, const struct schema *schema, bool checked,
                          struct cell *cells, struct fault *faults, size_t capacity);
/* The code of a reader's flaw, with its text and place as the only fault. */
enum event_code json_refuse_flaw(const struct json_reader *reader, struct json_faults *faults);

void json_row_clear(const struct schema *schema, struct cell *cells);

/* A bit for each column. */
static inline size_t column_bits_words(const struct schema *schema)
{
    return (schema->column_count + 63) / 64;
}

static inline void column_bits_clear(const struct schema *schema, uint64_t *bits)
{
    memset(bits, 0, column_bits_words(schema) * sizeof *bits);
}

static inline bool column_bits_have(const uint64_t *bits, size_t column)
{
    return bits[column / 64] >> (column & 63) & 1;
}

/* Whether it was set before. */
static inline bool column_bits_set(uint64_t *bits, size_t column)
{
    const uint64_t bit = UINT64_C(1) << (column & 63), before = bits[column / 64];
    bits[column / 64] = before | bit;
    return before & bit;
}
