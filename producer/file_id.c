/* Ids as files have them: see file_id.h. Called for each row, on one thread. */
#include "producer/file_id.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/csv_dialect.h"
#include "events/identity.h"
#include "events/timestamp.h"

static size_t digits_from(struct span text, size_t at)
{
    while (at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at;
}

static bool is_sign(char byte)
{
    return byte == '+' || byte == '-';
}

/* 1.23457E+11: the digits that are gone may have been another employee's. */
static bool is_shortened_number(struct span text)
{
    size_t first = text.bytes && is_sign(text.data[0]), at = digits_from(text, first);
    if (at > first && at < text.bytes && (text.data[at] == '.' || text.data[at] == ','))
        at = digits_from(text, at + 1);
    bool fraction = memchr(text.data, '.', at) || memchr(text.data, ',', at);
    if (at == first || at + 1 >= text.bytes || (text.data[at] | 0x20) != 'e')
        return false;
    bool sign = is_sign(text.data[at + 1]);
    size_t power = at + 1 + sign;
    return (sign || fraction) && power < text.bytes && digits_from(text, power) == text.bytes; /* 12E5 may be an id */
}

/* #REF!, #N/A, and in other languages #BEZUG!, #NV: capitals behind a hash, no digits but in #DIV/0!; or ####; or
 * Err:502. */
static bool is_spreadsheet_error(struct span text)
{
    static const char numbered[] = "Err:";
    const size_t bytes = sizeof numbered - 1;
    if (text.bytes > bytes && memcmp(text.data, numbered, bytes) == 0 && digits_from(text, bytes) == text.bytes)
        return true;
    for (size_t i = 1; i < text.bytes; i++) {
        char byte = text.data[i];
        bool lower = byte >= 'a' && byte <= 'z', digit = byte >= '0' && byte <= '9';
        if (lower || byte == '-' || (digit && text.data[i - 1] != '/'))
            return false;
    }
    return text.data[0] == '#';
}

/* Nobody sees them, and they make one employee two. */
static const char *invisible_flaw(struct span text)
{
    static const struct {
        struct span character;
        const char *flaw;
    } characters[] = {
        {SPAN_LITERAL("\xef\xbb\xbf"), "has a byte-order mark inside: two files were joined"},
        {SPAN_LITERAL("\xe2\x80\x8b"), "has an invisible character inside (U+200B)"},
        {SPAN_LITERAL("\xe2\x81\xa0"), "has an invisible character inside (U+2060)"},
        {SPAN_LITERAL("\xc2\xad"), "has an invisible character inside (U+00AD)"},
        {SPAN_LITERAL("\xef\xbf\xbd"), "was decoded wrongly before (U+FFFD stands for what is lost): export it again"},
    };
    if (text.bytes >= 3 && memcmp(text.data, characters[0].character.data, 3) == 0)
        return "begins with a byte-order mark: two files were joined";
    for (size_t c = 0; c < sizeof characters / sizeof *characters; c++)
        if (memmem(text.data, text.bytes, characters[c].character.data, characters[c].character.bytes))
            return characters[c].flaw;
    return NULL;
}

const char *file_id_flaw(struct span id)
{
    if (!id.bytes)
        return id_flaw(id);
    if (is_shortened_number(id))
        return "is a number that a spreadsheet has shortened (1.23E+11): export the column as text";
    if (is_spreadsheet_error(id))
        return "is a spreadsheet's error (#REF!, #N/A, ####): correct the formula, widen the column, and export again";
    if (id.data[0] == '=')
        return "is a formula: export the values";
    if (id.data[0] == '\'' && id.bytes > 1 && digits_from(id, 1) == id.bytes)
        return "begins with a spreadsheet's apostrophe: take it off";
    const char *flaw = invisible_flaw(id);
    return flaw ? flaw : id_flaw(id);
}

/* 123.0, or 123,00: an integer that a program took for a number with a fraction, mostly because other rows have none.
 */
static bool is_integer_with_fraction(struct span text)
{
    size_t point = digits_from(text, 0), at = point + 1;
    if (!point || at >= text.bytes || (text.data[point] != '.' && text.data[point] != ','))
        return false;
    while (at < text.bytes && text.data[at] == '0')
        at++;
    return at == text.bytes;
}

static bool is_missing_word(struct span text)
{
    static const char *const words[] = {"NULL",      "NaN",    "NaT", "None", "NA", "N/A", "<NA>", "nil",
                                        "undefined", "(null)", "\\N", "n.a.", "-",  "?",   "."};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (strlen(words[w]) == text.bytes && strncasecmp(words[w], text.data, text.bytes) == 0)
            return true;
    return false;
}

/* What spreadsheets make of MAR5 and 3-5: 5-Mar, Mar-25, 5-Mar-25; or a date of ISO 8601. */
static bool is_date(struct span text)
{
    static const char months[] = "jan feb mar apr may jun jul aug sep oct nov dec";
    char month[4] = "";
    size_t letters = 0, hyphens = 0;
    int64_t ms;
    if (text.bytes >= 8 && text.data[4] == '-')
        return timestamp_parse(text, &ms);
    for (size_t i = 0; i < text.bytes; i++) {
        char byte = text.data[i];
        if (byte == '-')
            hyphens++;
        else if ((byte < '0' || byte > '9') && letters < 3)
            month[letters++] = (char)(byte | 0x20);
        else if (byte < '0' || byte > '9')
            return false;
    }
    return hyphens && letters == 3 && letters + hyphens < text.bytes && strstr(months, month);
}

enum file_id_doubt file_id_doubt(struct span id)
{
    if (is_integer_with_fraction(id))
        return FILE_ID_FRACTION;
    if (is_missing_word(id))
        return FILE_ID_MISSING;
    if (is_date(id))
        return FILE_ID_DATE;
    return csv_trim(id).bytes != id.bytes ? FILE_ID_PADDED : FILE_ID_NO_DOUBT;
}

const char *file_id_doubt_text(enum file_id_doubt doubt)
{
    static const char *const texts[] = {
        [FILE_ID_FRACTION] = "the id ends in .0, as programs write integers of a column that has gaps: it is sent as "
                             "it is, and is another employee than the one without .0",
        [FILE_ID_MISSING] = "the id is a word for what is missing: it is sent as it is, so that all who have it are "
                            "one employee (of a table, --null-values refuses such rows)",
        [FILE_ID_DATE] = "the id is a date, as spreadsheets make of ids such as MAR5: it is sent as it is; export the "
                         "column as text",
        [FILE_ID_PADDED] = "the id begins or ends with a blank: it is sent as it is, and is another employee than the "
                           "one without",
    };
    return texts[doubt];
}
