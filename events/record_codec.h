/* Our own records as tables: struct, bytes and .avsc meet in one row a field.
 *
 * A record is a list of FIELD(codec, id, "name in the .avsc", member) in the order of the wire, and of PART(name) for
 * what is more than one member: an array, a union, the attributes. The RECORD_… macros turn it into straight-line code;
 * `id` is for macros of others, such as the database's column (scorer/sink/sink_rows.c).
 *
 * A codec is one type on the wire: record_put_CODEC, record_bytes_CODEC (at most), RECORD_LEAST_CODEC (at least),
 * record_read_CODEC and record_form_CODEC (what the .avsc must say). A record adds those of its own types, and for each
 * PART the functions put_PART, bytes_PART, read_PART and the form form_PART. Only events/ includes this. */
#pragma once

#include "base/memory.h"
#include "avro/read.h"
#include "avro/write.h"
#include "events/error_codes.h"
#include "events/schema_private.h"

/* --- what a table becomes --- */

/* Statements over `record` and `at`; a part's also over `parts`. */
#define RECORD_PUT(codec, id, field_name, member) at = record_put_##codec(at, record->member);
#define RECORD_PUT_PART(part) at = put_##part(parts, record, at);
/* Terms of a sum over the same. */
#define RECORD_BYTES(codec, id, field_name, member) +record_bytes_##codec(record->member)
#define RECORD_BYTES_PART(part) +bytes_##part(parts, record)
#define RECORD_LEAST(codec, id, field_name, member) +RECORD_LEAST_##codec
#define RECORD_LEAST_PART(part) +RECORD_LEAST_##part
/* Conditions in a chain, over `reading` and `record`. */
#define RECORD_READ(codec, id, field_name, member) &&record_read_##codec(reading, &record->member)
#define RECORD_READ_PART(part) &&read_##part(reading, record)
/* Items of a struct record_field[]. */
#define RECORD_FORM(codec, id, field_name, member) {field_name, &record_form_##codec},
#define RECORD_FORM_PART(part) {#part, &form_##part},

/* --- into bytes --- */

#define record_put_text avro_put_text
#define record_put_optional_text avro_put_optional_text
#define record_put_int avro_put_long
#define record_put_long avro_put_long
#define record_put_double avro_put_double
#define record_put_time_ms avro_put_long
#define record_put_time_us avro_put_long
#define record_put_label avro_put_long

#define record_bytes_text(value) (AVRO_VARINT_MAX + (value).bytes)
#define record_bytes_optional_text(value) (AVRO_BRANCH_BYTES + record_bytes_text(value))
#define record_bytes_int(value) AVRO_VARINT_MAX
#define record_bytes_long(value) AVRO_VARINT_MAX
#define record_bytes_double(value) sizeof(double)
#define record_bytes_time_ms(value) AVRO_VARINT_MAX
#define record_bytes_time_us(value) AVRO_VARINT_MAX
#define record_bytes_label(value) AVRO_VARINT_MAX

#define RECORD_LEAST_text 1 /* its length */
#define RECORD_LEAST_double sizeof(double)

/* --- out of bytes --- */

/* One decode. `padded` is of no interest here. */
struct record_reading {
    const struct schema_parts *parts;
    struct cursor in;
    struct arena *arena;
    enum event_code code; /* set where it is not MALFORMED */
    bool padded;
};

static inline bool record_read_text(struct record_reading *reading, struct span *out)
{
    return avro_read_text(&reading->in, out, &reading->padded);
}

static inline bool record_read_optional_text(struct record_reading *reading, struct span *out)
{
    uint32_t branch;
    *out = SPAN_NULL;
    return avro_read_branch(&reading->in, 2, &branch, &reading->padded) &&
           (branch == 0 || record_read_text(reading, out));
}

static inline bool record_read_int(struct record_reading *reading, int32_t *out)
{
    return avro_read_int(&reading->in, out, &reading->padded);
}

static inline bool record_read_long(struct record_reading *reading, int64_t *out)
{
    return avro_read_long(&reading->in, out, &reading->padded);
}

static inline bool record_read_double(struct record_reading *reading, double *out)
{
    return avro_read_double(&reading->in, out);
}

#define record_read_time_ms record_read_long
#define record_read_time_us record_read_long

/* An index of the schema's target values. */
static inline bool record_read_label(struct record_reading *reading, uint32_t *out)
{
    return avro_read_symbol(&reading->in, (uint32_t)reading->parts->schema.target_count, out, &reading->padded);
}

/* The branch of a union with null first. */
static inline bool record_read_present(struct record_reading *reading, bool *present)
{
    uint32_t branch;
    if (!avro_read_branch(&reading->in, 2, &branch, &reading->padded))
        return false;
    *present = branch;
    return true;
}

/* An array of items of `item_bytes`, which take at least `least` bytes on the wire. */
struct record_array {
    size_t item_bytes, least;
    bool (*read_item)(struct record_reading *reading, void *item);
};

/* Gathers the items in the arena over all blocks. A count is checked against what the rest can hold before anything is
 * taken. */
bool record_read_array(struct record_reading *reading, const struct record_array *array, void **out, size_t *out_count);

/* --- what the .avsc must say --- */

/* A type as avro_type_describe writes it: `open`, then the fields if it holds a record, then `close` (NULL: nothing).
 * All zero: any type. */
struct record_form {
    const char *open, *close;
    const struct record_field *fields;
    size_t field_count;
};
struct record_field {
    const char *name;
    const struct record_form *form;
};

extern const struct record_form record_form_text, record_form_optional_text, record_form_int, record_form_long,
    record_form_double, record_form_time_ms, record_form_time_us, record_form_enum, record_form_any;
#define record_form_label record_form_enum

/* Whether a field of an .avsc is the one that is due. `what` names the record in messages. */
MUST_USE enum status record_check_field(const struct avro_field *field, const struct record_field *due,
                                        const char *what, struct error *err);
/* Whether a record of an .avsc has these fields, in this order, and no others. */
MUST_USE enum status record_check(const struct avro_type *record, const struct record_field *fields, size_t count,
                                  const char *what, struct error *err);
