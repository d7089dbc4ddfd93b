/* JSON text: see json.h. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>

void json_add_text(struct buffer *out, struct span text)
{
    static const char hex[] = "0123456789abcdef";
    char *at = buffer_reserve(out, text.bytes * 6 + 2);
    *at++ = '"';
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            memcpy(at, "\\u00", 4);
            at[4] = hex[c >> 4];
            at[5] = hex[c & 15];
            at += 6;
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    buffer_end_at(out, at);
}

void json_add_uint(struct buffer *out, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    buffer_add(out, at, (size_t)(digits + sizeof digits - at));
}

void json_add_int(struct buffer *out, int64_t number)
{
    if (number < 0)
        buffer_add_u8(out, '-');
    json_add_uint(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

enum { DIGITS = 17, MANTISSA_BITS = 52, EXPONENT_BIAS = 1075 };
static const uint64_t TEN_TO_DIGITS = 100000000000000000u;
static const uint64_t FIVES[] = {/* powers of 5 */
                                 1u,
                                 5u,
                                 25u,
                                 125u,
                                 625u,
                                 3125u,
                                 15625u,
                                 78125u,
                                 390625u,
                                 1953125u,
                                 9765625u,
                                 48828125u,
                                 244140625u,
                                 1220703125u,
                                 6103515625u,
                                 30517578125u,
                                 152587890625u,
                                 762939453125u,
                                 3814697265625u,
                                 19073486328125u,
                                 95367431640625u,
                                 476837158203125u};

/* mantissa × 2^two × 10^(16 − exponent), rounded to an integer, half to even: exactly, since 128 bits hold it. */
static uint64_t digits_scale(uint64_t mantissa, int two, int exponent)
{
    int fives = DIGITS - 1 - exponent, shift = -two - fives;
    unsigned __int128 scaled = (unsigned __int128)mantissa * FIVES[fives];
    if (shift <= 0)
        return (uint64_t)(scaled << -shift);
    uint64_t digits = (uint64_t)(scaled >> shift);
    unsigned __int128 rest = scaled - ((unsigned __int128)digits << shift), half = (unsigned __int128)1 << (shift - 1);
    return digits + (rest > half || (rest == half && (digits & 1)));
}

/* As printf's %.17g writes it, in a fifth of the time. 1e-4 ≤ number < 2^53, and no integer. */
static size_t digits_write(double number, char *at)
{
    char text[DIGITS], *start = at;
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint64_t mantissa = (bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) | UINT64_C(1) << MANTISSA_BITS;
    int two = (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    int exponent = ((two + MANTISSA_BITS) * 1233) >> 12; /* of ten: log10 2 = 1233 / 4096; or one more */
    uint64_t digits = digits_scale(mantissa, two, exponent);
    if (digits >= TEN_TO_DIGITS)
        digits = digits_scale(mantissa, two, ++exponent);
    size_t count = DIGITS;
    for (size_t i = DIGITS; i-- > 0; digits /= 10)
        text[i] = (char)('0' + digits % 10);
    while (text[count - 1] == '0')
        count--;
    size_t whole = exponent < 0 ? 0 : (size_t)exponent + 1;
    if (!whole) {
        memcpy(at, "0.000", 5);
        at += 1 - exponent;
    }
    memcpy(at, text, whole);
    at += whole;
    if (whole)
        *at++ = '.';
    memcpy(at, text + whole, count - whole);
    return (size_t)(at - start) + count - whole;
}

void json_add_double(struct buffer *out, double number)
{
    if (isnan(number)) {
        buffer_add_text(out, "\"NaN\"");
    } else if (isinf(number)) {
        buffer_add_text(out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else if (fabs(number) < 9007199254740992.0 && number == (double)(int64_t)number &&
               (number != 0 || !signbit(number))) {
        json_add_int(out, (int64_t)number);
    } else if (number == 0) {
        buffer_add_text(out, "-0.0");
    } else {
        char *at = buffer_reserve(out, 32);
        double size = fabs(number);
        if (size < 1e-4 || size >= 9007199254740992.0) {
            out->bytes += (size_t)snprintf(at, 32, "%.17g", number);
            return;
        }
        *at = '-';
        out->bytes += (number < 0) + digits_write(size, at + (number < 0));
    }
}

void json_add_cell(struct buffer *out, const struct column *column, const struct cell *cell)
{
    if (cell->code == CELL_MISSING)
        buffer_add(out, "null", 4);
    else if (column->kind == COLUMN_NOMINAL)
        json_add_text(out, (struct span){cell->text, cell->text_bytes});
    else
        json_add_double(out, cell->number);
}

void json_add_row(struct buffer *out, const struct column *columns, size_t column_count, const struct cell *cells)
{
    size_t start = out->bytes;
    for (size_t c = 0; c < column_count; c++) {
        if (cells[c].code == CELL_UNLISTED)
            continue;
        buffer_add_u8(out, out->bytes > start ? ',' : '{');
        json_add_text(out, span_of(columns[c].name));
        buffer_add_u8(out, ':');
        json_add_cell(out, &columns[c], &cells[c]);
    }
    buffer_add_text(out, out->bytes > start ? "}" : "{}");
}

bool json_fits_tree(struct span text)
{
    enum { LISTS_MOST = 250000, VALUES_MOST = 2000000 };
    size_t lists = 0, values = 0;
    for (size_t b = 0; b < text.bytes; b++) {
        lists += text.data[b] == '[' || text.data[b] == '{';
        values += text.data[b] == ',';
    }
    return lists <= LISTS_MOST && values <= VALUES_MOST;
}
