/* The hot loop of the event decoder: see column_read.h. Any thread; allocates nothing.
 *
 * While enough bytes are left for loads of eight, numbers and short texts are read without a check per byte; the
 * general form of each field, used near the end of the message and for odd but legal bytes, follows the same rules. */
#include "events/column_read.h"

enum {
    ROOMY_BYTES = 2, /* left: a branch and the first byte of the value */
    WORD_BYTES = 8,
};

/* The general form, any type. */
static bool column_read_value(const struct column_reader *reader, struct cursor *in, struct cell *cell, bool *padded)
{
    int32_t whole = 0;
    int64_t large = 0;
    float single = 0;
    double number = 0;
    struct span text;
    switch ((enum column_type)reader->type) {
    case COLUMN_INT:
        if (!avro_read_int(in, &whole, padded))
            return false;
        *cell = cell_of_number(whole);
        return true;
    case COLUMN_LONG:
        if (!avro_read_long(in, &large, padded))
            return false;
        *padded |= !cell_is_exact_long(large);
        *cell = cell_of_number((double)large);
        return true;
    case COLUMN_FLOAT:
        if (!avro_read_float(in, &single))
            return false;
        *cell = cell_of_number(single);
        return true;
    case COLUMN_DOUBLE:
        if (!avro_read_double(in, &number))
            return false;
        *cell = cell_of_number(number);
        return true;
    case COLUMN_TEXT:
        return avro_read_bytes(in, &text, padded) && cell_of_text(reader->categories, text, cell);
    }
    return false;
}

static struct cell missing_cell(const struct column_reader *reader)
{
    struct cell cell = {.code = CELL_MISSING};
    if (reader->type == COLUMN_TEXT)
        cell.text = NULL;
    else
        cell.number = NAN;
    return cell;
}

static __attribute__((noinline)) bool field_read(const struct column_reader *reader, struct cursor *in,
                                                 struct cell *cell, bool *padded)
{
    uint32_t branch;
    if (reader->null_branch != NULL_BRANCH_NONE) {
        if (!avro_read_branch(in, 2, &branch, padded))
            return false;
        if (branch == reader->null_branch) {
            *cell = missing_cell(reader);
            return true;
        }
    }
    return column_read_value(reader, in, cell, padded);
}

/* --- short forms: each returns the position one past the value, or NULL where the general form decides --- */

/* An int of two to five bytes from a load of eight. */
static inline const uint8_t *int_read_word(const uint8_t *at, const uint8_t *end, double *out)
{
    uint64_t word;
    if (end - at < WORD_BYTES)
        return NULL;
    memcpy(&word, at, 8);
    uint64_t ends = ~word & 0x8080808080u; /* the top bit of each byte that ends a varint */
    if (ends == 0)
        return NULL;
    unsigned bits = (unsigned)__builtin_ctzll(ends) + 1;
    word &= ~UINT64_C(0) >> (64 - bits);
    uint64_t raw = (word & 0x7f) | (word >> 1 & 0x3f80) | (word >> 2 & 0x1fc000) | (word >> 3 & 0xfe00000) |
                   (word >> 4 & 0x7f0000000);
    if (raw > UINT32_MAX || (word >> (bits - 8)) == 0)
        return NULL;
    *out = (double)avro_unzigzag(raw);
    return at + bits / 8;
}

static inline const uint8_t *int_read_short(const uint8_t *at, const uint8_t *end, struct cell *cell)
{
    uint32_t byte = *at;
    double number = (double)((int32_t)(byte >> 1) ^ -(int32_t)(byte & 1));
    at = byte < 0x80 ? at + 1 : int_read_word(at, end, &number);
    if (at)
        *cell = cell_of_number(number);
    return at;
}

static inline const uint8_t *text_read_short(const struct categories *categories, const uint8_t *at, const uint8_t *end,
                                             struct cell *cell)
{
    size_t bytes = *at >> 1, left = (size_t)(end - at) - 1;
    if ((*at & 0x81) || bytes > left || left < WORD_BYTES)
        return NULL;
    const char *data = (const char *)at + 1;
    struct span text = {data, bytes};
    int32_t code = categories_find_words(categories, text_words_of(text), text);
    if (code < 0 && !utf8_is_valid(text))
        return NULL;
    *cell = (struct cell){.text = data, .text_bytes = (uint32_t)bytes, .code = code};
    return at + 1 + bytes;
}

/* `at` has ROOMY_BYTES left. A null is one byte, and so is the branch before a value. */
static inline const uint8_t *field_read_short(const struct column_reader *reader, const uint8_t *at, const uint8_t *end,
                                              struct cell *cell)
{
    if (reader->branch_bytes && *at++ != reader->value_branch) {
        if (at[-1] != (reader->value_branch ^ 2))
            return NULL;
        *cell = missing_cell(reader);
        return at;
    }
    if (reader->type == COLUMN_INT)
        return int_read_short(at, end, cell);
    return reader->type == COLUMN_TEXT ? text_read_short(reader->categories, at, end, cell) : NULL;
}

bool columns_read(const struct column_reader *readers, size_t count, struct cursor *in, struct cell *cells,
                  bool *padded)
{
    const uint8_t *at = in->at, *const end = in->end;
    for (const struct column_reader *reader = readers, *last = readers + count; reader < last; reader++) {
        struct cell *cell = &cells[reader->column];
        const uint8_t *next = end - at >= ROOMY_BYTES ? field_read_short(reader, at, end, cell) : NULL;
        if (!next) {
            struct cursor rest = {at, end};
            if (!field_read(reader, &rest, cell, padded))
                return false;
            next = rest.at;
        }
        at = next;
    }
    in->at = at;
    return true;
}
