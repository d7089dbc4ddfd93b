/* Runs of columns whose bytes are encoded just as the event schema encodes them: the tight loop of decoding.
 * Plans put one such run wherever the writer's fields allow it; the prediction decoder reads its attributes so. */
#pragma once

#include "base/row.h"
#include "avro/read.h"
#include "events/categories.h"

enum { NULL_BRANCH_NONE = 2 }; /* the field is no union: never null */

/* How one field's bytes become one cell. Plain data. */
struct column_reader {
    uint8_t type;                        /* enum column_type */
    uint8_t null_branch;                 /* 0 or 1: the union's null; the other one is the value's */
    uint8_t value_branch, branch_bytes;  /* that other one as its byte on the wire; 1, or 0 where there is no union */
    uint32_t column;                     /* which cell */
    const struct categories *categories; /* of a text column */
};

static inline void column_reader_set_null(struct column_reader *reader, uint8_t null_branch)
{
    reader->null_branch = null_branch;
    reader->value_branch = (uint8_t)((null_branch ^ 1) << 1);
    reader->branch_bytes = null_branch != NULL_BRANCH_NONE;
}

/* Reads `count` fields one after the other. False: the bytes are not such fields. `padded` becomes true when some
 * varint was longer than needed, or a number does not survive the cell (a long beyond 2^53). */
bool columns_read(const struct column_reader *readers, size_t count, struct cursor *in, struct cell *cells,
                  bool *padded);

static inline struct cell cell_of_number(double number) /* a NaN that was sent is not a missing value */
{
    return (struct cell){.number = number, .code = 0};
}

static inline bool cell_is_exact_long(int64_t value)
{
    return value >= -(INT64_C(1) << 53) && value <= INT64_C(1) << 53;
}

/* False: not UTF-8. */
static inline bool cell_of_text(const struct categories *categories, struct span text, struct cell *out)
{
    int32_t code = categories_find(categories, text);
    if (code < 0 && !utf8_is_valid(text))
        return false;
    *out = (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = code};
    return true;
}
