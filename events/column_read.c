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
static bool value_read(const struct column_reader *reader, struct cursor *in, struct cell *cell, bool *padded)
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
    return value_read(reader, in, cell, padded);
}

/* An int of two to five bytes from a load of eight; false leaves it to the general form. */
static inline bool int_read_word(const uint8_t **at, const uint8_t *end, double *out)
{
    uint64_t word;
    if (end - *at < WORD_BYTES)
        return false;
    memcpy(&word, *at, 8);
    uint64_t ends = ~word & 0x8080808080u; /* the top bit of each byte that ends a varint */
    if (ends == 0)
        return false;
    unsigned bits = (unsigned)__builtin_ctzll(ends) + 1;
    word &= ~UINT64_C(0) >> (64 - bits);
    uint64_t raw = (word & 0x7f) | (word >> 1 & 0x3f80) | (word >> 2 & 0x1fc000) | (word >> 3 & 0xfe00000) |
                   (word >> 4 & 0x7f0000000);
    if (raw > UINT32_MAX || (word >> (bits - 8)) == 0)
        return false;
    *at += bits / 8;
    *out = (double)avro_unzigzag(raw);
    return true;
}

static inline bool text_read_short(const struct column_reader *reader, const uint8_t **at, const uint8_t *end,
                                   struct cell *cell)
{
    size_t bytes = **at >> 1;
    const char *data = (const char *)*at + 1;
    size_t left = (size_t)((const char *)end - data);
    if ((**at & 0x81) || bytes > left || left < WORD_BYTES)
        return false;
    uint64_t head, tail;
    memcpy(&head, data, 8);
    if (bytes < 8)
        tail = head = bytes ? head & ~UINT64_C(0) >> (64 - 8 * bytes) : 0;
    else
        memcpy(&tail, data + bytes - 8, 8);
    struct span text = {data, bytes};
    int32_t code = categories_find_ends(reader->categories, text, head, tail);
    if (code < 0 && !avro_text_is_valid(text))
        return false;
    *cell = (struct cell){.text = data, .text_bytes = (uint32_t)bytes, .code = code};
    *at = (const uint8_t *)data + bytes;
    return true;
}

/* True: the field was read the short way. */
static inline bool field_read_roomy(const struct column_reader *reader, struct cursor *in, struct cell *cell)
{
    const uint8_t *at = in->at;
    if (reader->null_branch != NULL_BRANCH_NONE) {
        if (*at >> 1 == reader->null_branch && !(*at & 1)) {
            *cell = missing_cell(reader);
            in->at++;
            return true;
        }
        if (*at++ != (reader->null_branch ^ 1) << 1)
            return false;
    }
    if (reader->type == COLUMN_INT) {
        double number = (double)((int32_t)(*at >> 1) ^ -(int32_t)(*at & 1));
        if (*at < 0x80)
            at++;
        else if (!int_read_word(&at, in->end, &number))
            return false;
        *cell = cell_of_number(number);
    } else if (reader->type != COLUMN_TEXT || !text_read_short(reader, &at, in->end, cell)) {
        return false;
    }
    in->at = at;
    return true;
}

bool columns_read(const struct column_reader *readers, size_t count, struct cursor *in, struct cell *cells,
                  bool *padded)
{
    struct cursor at = *in;
    for (const struct column_reader *reader = readers, *last = readers + count; reader < last; reader++) {
        struct cell *cell = &cells[reader->column];
        if (cursor_left(&at) >= ROOMY_BYTES && field_read_roomy(reader, &at, cell))
            continue;
        if (!field_read(reader, &at, cell, padded))
            return false;
    }
    *in = at;
    return true;
}
