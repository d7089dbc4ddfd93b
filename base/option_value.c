/* The option table as data, and the values' grammar: integers, durations, sizes, shares, switches, words; and what
 * a row allows of them. Called by options.c while a program starts. Must never print a secret's value. */
#include "base/options_private.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

enum { S = 1 << PROGRAM_SCORER, P = 1 << PROGRAM_PRODUCER, T = 1 << PROGRAM_TRAINER, R = 1 << PROGRAM_REGISTRY };

const struct option_row option_rows[OPTION_COUNT_] = {
#define OPTION_ROW(id, ...) [OPTION_##id] = {__VA_ARGS__},
    OPTION_TABLE(OPTION_ROW)
#undef OPTION_ROW
};

const char *const option_program_names[4] = {"scorer", "producer", "trainer", "registry"};

bool option_program_has_properties(enum program program)
{
    return program == PROGRAM_SCORER || program == PROGRAM_PRODUCER;
}

bool option_program_has_params(enum program program)
{
    return program == PROGRAM_TRAINER;
}

/* Decimal digits with an optional minus, nothing before; *end is where they stop. */
static bool read_digits(const char *text, int64_t *out, const char **end)
{
    const char *digits = text + (*text == '-');
    if (*digits < '0' || *digits > '9')
        return false;
    char *stopped = NULL;
    errno = 0;
    *out = strtoll(text, &stopped, 10);
    *end = stopped;
    return errno == 0;
}

static bool read_integer(const char *text, int64_t *out)
{
    const char *end = NULL;
    return read_digits(text, out, &end) && *end == '\0';
}

struct unit {
    const char *name;
    int64_t count;
};

/* A number of units in their smallest; 0 needs no unit. */
static bool read_in_units(const char *text, const struct unit *units, size_t unit_count, int64_t *out)
{
    const char *end = NULL;
    if (!read_digits(text, out, &end) || *out < 0)
        return false;
    if (*out == 0 && *end == '\0')
        return true;
    for (size_t u = 0; u < unit_count; u++)
        if (strcmp(end, units[u].name) == 0)
            return !__builtin_mul_overflow(*out, units[u].count, out);
    return false;
}

static bool read_duration(const char *text, int64_t *out)
{
    static const struct unit units[] = {{"us", 1},
                                        {"ms", 1000},
                                        {"s", 1000000},
                                        {"m", 60 * 1000000LL},
                                        {"h", 3600 * 1000000LL},
                                        {"d", 86400 * 1000000LL}};
    return read_in_units(text, units, sizeof units / sizeof *units, out);
}

static bool read_size(const char *text, int64_t *out)
{
    static const struct unit units[] = {{"", 1},         {"KiB", 1 << 10}, {"Ki", 1 << 10}, {"MiB", 1 << 20},
                                        {"Mi", 1 << 20}, {"GiB", 1 << 30}, {"Gi", 1 << 30}};
    return read_in_units(text, units, sizeof units / sizeof *units, out);
}

static bool read_switch(const char *text, int64_t *out)
{
    static const char *const words[2][5] = {{"0", "false", "no", "off", ""}, {"1", "true", "yes", "on", "1"}};
    for (int64_t state = 0; state < 2; state++)
        for (size_t w = 0; w < 5; w++)
            if (strcasecmp(text, words[state][w]) == 0) {
                *out = state;
                return true;
            }
    return false;
}

static bool read_share(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && !isnan(*out);
}

/* A word as its place in the row. */
static bool read_word(const struct option_row *row, struct span word, int64_t *out)
{
    for (*out = 0; row->words[*out]; ++*out)
        if (span_equal(word, span_of(row->words[*out])))
            return true;
    return false;
}

/* "score, sink" as the bits of their places: blanks around a word do not count. */
static bool read_words(const struct option_row *row, const char *text, int64_t *out)
{
    static const char blanks[] = " \t";
    int64_t bits = 0, place = 0;
    for (const char *at = text; at; at = *at == ',' ? at + 1 : NULL) {
        at += strspn(at, blanks);
        struct span word = {at, strcspn(at, ",")};
        at += word.bytes;
        while (word.bytes && strchr(blanks, word.data[word.bytes - 1]))
            word.bytes--;
        if (!read_word(row, word, &place))
            return false;
        bits |= INT64_C(1) << place;
    }
    *out = bits;
    return true;
}

static bool read_value(const struct option_row *row, const char *text, struct option_value *out)
{
    switch (row->type) {
    case OPTION_TEXT:
        return true;
    case OPTION_INTEGER:
        return read_integer(text, &out->number);
    case OPTION_DURATION:
        return read_duration(text, &out->number);
    case OPTION_SIZE:
        return read_size(text, &out->number);
    case OPTION_SHARE:
        return read_share(text, &out->share);
    case OPTION_FLAG:
        return read_switch(text, &out->number);
    case OPTION_WORD:
        return (*text == '\0' && !row->fallback) || read_word(row, span_of(text), &out->number);
    case OPTION_WORDS:
        return read_words(row, text, &out->number);
    }
    return false;
}

/* A bound of the row; without one the value, which is then within it. */
static struct option_value bound_of(const struct option_row *row, const char *bound, const struct option_value *value)
{
    struct option_value read = *value;
    bool fits = !bound || read_value(row, bound, &read);
    assert(fits);
    (void)fits;
    return read;
}

/* A value has a number or a share; the other is 0. */
static bool is_less(const struct option_value *a, const struct option_value *b)
{
    return a->number < b->number || a->share < b->share;
}

static bool is_allowed(const struct option_row *row, const struct option_value *value)
{
    struct option_value minimum = bound_of(row, row->minimum, value), maximum = bound_of(row, row->maximum, value);
    return (row->or_zero && value->number == 0) || (!is_less(value, &minimum) && !is_less(&maximum, value));
}

bool option_allowed_write(const struct option_row *row, const char *open, struct buffer *out)
{
    const char *last_gap = row->type == OPTION_WORDS ? " and " : " or ";
    for (size_t w = 0; row->words[w]; w++)
        buffer_printf(out, "%s%s", w == 0 ? open : row->words[w + 1] ? ", " : last_gap, row->words[w]);
    const char *zero = row->or_zero ? "0, or " : "";
    if (row->minimum && row->maximum)
        buffer_printf(out, "%s%s%s to %s", open, zero, row->minimum, row->maximum);
    else if (row->minimum)
        buffer_printf(out, "%s%sat least %s", open, zero, row->minimum);
    else if (row->maximum)
        buffer_printf(out, "%sat most %s", open, row->maximum);
    return row->words[0] || row->minimum || row->maximum;
}

enum status option_value_read(const struct option_row *row, const char *value, const char *source,
                              struct option_value *out, struct error *err)
{
    static const char *const forms[] = {
        [OPTION_TEXT] = "a text",
        [OPTION_INTEGER] = "an integer",
        [OPTION_DURATION] = "a time such as 250us, 100ms, 25s, 5m, 1h or 1d",
        [OPTION_SIZE] = "a size such as 512MiB or 2GiB",
        [OPTION_SHARE] = "a number",
        [OPTION_FLAG] = "true or false",
        [OPTION_WORD] = "",
        [OPTION_WORDS] = "one or more of ",
    };
    struct option_value read = {0};
    if (read_value(row, value, &read) && is_allowed(row, &read)) {
        out->number = read.number;
        out->share = read.share;
        return STATUS_OK;
    }
    struct buffer wanted = {0};
    buffer_printf(&wanted, "%s", forms[row->type]);
    if (option_allowed_write(row, row->words[0] ? "" : " (", &wanted) && !row->words[0])
        buffer_printf(&wanted, ")");
    if (!row->secret)
        buffer_printf(&wanted, ", not '%s'", value);
    error_set(err, STATUS_INVALID, "%s must be %s", source, wanted.data);
    buffer_free(&wanted);
    return STATUS_INVALID;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance; texts over 63 bytes are far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64], a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes > 63 || b_bytes > 63)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_of(replaced, min_of(row[j - 1], diagonal) + 1);
        }
    }
    return row[b_bytes];
}

const char *option_nearest(const char *given, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(given) / 3 + 2;
    for (size_t n = 0; n < count; n++) {
        size_t distance = names[n] ? edit_distance(given, names[n]) : SIZE_MAX;
        if (distance < best) {
            best = distance;
            nearest = names[n];
        }
    }
    return nearest;
}
