/* Reading JSON: see json_reader.h. The score loops' hot path for JSON events, on their threads; servers' and tools'
 * too. Never looks beyond the document. */
#include "base/json_reader.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { EXACT_POWER_MAX = 22, MANTISSA_DIGITS = 19, EXPONENT_CLAMP = 100000, NAMES_FIRST = 64, NAMES_KEPT = 1024 };

/* Which object has this name. */
struct json_name {
    uint64_t object, hash;
    struct span name;
};

/* --- start and end --- */

static void names_forget(struct json_reader *reader)
{
    free(reader->names);
    reader->names = NULL;
    reader->name_count = reader->name_capacity = 0;
}

/* A table that one document made large is not cleared for each that follows. */
static void names_clear(struct json_reader *reader)
{
    if (reader->name_capacity > NAMES_KEPT)
        names_forget(reader);
    if (reader->name_count)
        memset(reader->names, 0, reader->name_capacity * sizeof *reader->names);
    reader->name_count = 0;
    reader->objects = 0;
}

void json_reader_start(struct json_reader *reader, struct span document)
{
    struct cursor in = cursor_of(document);
    reader->at = reader->start = in.at;
    reader->end = in.end;
    reader->flaw = JSON_FLAW_NONE;
    reader->depth = 0;
    names_clear(reader);
}

void json_reader_reset(struct json_reader *reader)
{
    arena_reset(&reader->texts);
    if (reader->name_capacity > NAMES_KEPT)
        names_forget(reader);
}

void json_reader_free(struct json_reader *reader)
{
    arena_free(&reader->texts);
    names_forget(reader);
}

void json_refuse(struct json_reader *reader, enum json_flaw flaw)
{
    if (reader->flaw == JSON_FLAW_NONE)
        reader->flaw = flaw;
}

/* Returns false, so that a refusal is `return refuse(…)`. */
static bool refuse(struct json_reader *reader, enum json_flaw flaw)
{
    json_refuse(reader, reader->at == reader->end && flaw == JSON_FLAW_SYNTAX ? JSON_FLAW_CUT_OFF : flaw);
    return false;
}

static inline void skip_space(struct json_reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

/* White space, and then this byte. */
static inline bool take(struct json_reader *reader, uint8_t byte)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != byte)
        return false;
    reader->at++;
    return true;
}

enum json_flaw json_reader_end(struct json_reader *reader)
{
    skip_space(reader);
    if (reader->flaw == JSON_FLAW_NONE && reader->at < reader->end)
        reader->flaw = JSON_FLAW_TRAILING;
    return reader->flaw;
}

/* --- texts --- */

static bool read_hex(struct json_reader *reader, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = reader->at < reader->end ? *reader->at : 0;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return refuse(reader, JSON_FLAW_ESCAPE);
        *out = *out << 4 | digit;
        reader->at++;
    }
    return true;
}

/* Behind "\u": one character, of two escapes where the first is a surrogate. */
static bool read_escaped_point(struct json_reader *reader, uint32_t *point)
{
    uint32_t low;
    if (!read_hex(reader, point))
        return false;
    if (*point < 0xd800 || *point >= 0xe000)
        return true;
    if (*point >= 0xdc00 || reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
        return refuse(reader, JSON_FLAW_SURROGATE);
    reader->at += 2;
    if (!read_hex(reader, &low))
        return false;
    if (low < 0xdc00 || low >= 0xe000)
        return refuse(reader, JSON_FLAW_SURROGATE);
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static char *put_point(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else {
        *out++ = (char)(0xf0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    return out;
}

/* The backslash is taken. */
static char *read_escape(struct json_reader *reader, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint8_t letter = reader->at < reader->end ? *reader->at : 0;
    uint32_t point;
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (!found && letter != 'u') {
        (void)refuse(reader, JSON_FLAW_ESCAPE);
        return NULL;
    }
    reader->at++;
    if (found) {
        *out = meant[found - letters];
        return out + 1;
    }
    return read_escaped_point(reader, &point) ? put_point(out, point) : NULL;
}

/* Where the text's closing quote stands, whatever is wrong within it; NULL: nowhere. */
static const uint8_t *text_end(const struct json_reader *reader)
{
    for (const uint8_t *at = reader->at; at < reader->end; at++)
        if (*at == '"')
            return at;
        else if (*at == '\\')
            at++;
    return NULL;
}

/* From `start` on, with the first escape at reader->at: never longer decoded than it stands. */
static bool read_escaped_text(struct json_reader *reader, const uint8_t *start, struct span *out)
{
    const uint8_t *close = text_end(reader);
    if (!close)
        return refuse(reader, JSON_FLAW_CUT_OFF);
    char *to = arena_take(&reader->texts, (size_t)(close - start) + 1), *data = to;
    memcpy(to, start, (size_t)(reader->at - start));
    to += reader->at - start;
    while (reader->at < close) {
        uint8_t byte = *reader->at++;
        if (byte < 0x20)
            return refuse(reader, JSON_FLAW_CONTROL);
        if (byte != '\\')
            *to++ = (char)byte;
        else if (!(to = read_escape(reader, to)))
            return false;
    }
    reader->at = close + 1;
    *out = (struct span){data, (size_t)(to - data)};
    return utf8_is_valid(*out) || refuse(reader, JSON_FLAW_UTF8);
}

/* The opening quote is taken. */
static inline bool read_text(struct json_reader *reader, struct span *out)
{
    const uint8_t *start = reader->at;
    uint64_t beyond;
    reader->at = json_skip_plain(start, reader->end, &beyond);
    if (reader->at == reader->end)
        return refuse(reader, JSON_FLAW_CUT_OFF);
    *out = (struct span){(const char *)start, (size_t)(reader->at - start)};
    if (*reader->at == '\\')
        return read_escaped_text(reader, start, out);
    if (*reader->at != '"')
        return refuse(reader, JSON_FLAW_CONTROL);
    reader->at++;
    return !beyond || utf8_is_valid(*out) || refuse(reader, JSON_FLAW_UTF8);
}

/* --- numbers and words --- */

static inline bool is_digit(const struct json_reader *reader)
{
    return reader->at < reader->end && (uint8_t)(*reader->at - '0') <= 9;
}

/* A number under way: mantissa × 10^exponent, exact while it has so many digits. */
struct decimal {
    uint64_t mantissa;
    int64_t digits, exponent;
};

static inline void take_digits(struct json_reader *reader, struct decimal *decimal)
{
    const uint8_t *start = reader->at;
    for (; is_digit(reader); reader->at++)
        decimal->mantissa = decimal->mantissa * 10 + (uint8_t)(*reader->at - '0');
    decimal->digits += reader->at - start;
}

static bool read_fraction(struct json_reader *reader, struct decimal *decimal)
{
    int64_t before = decimal->digits;
    reader->at++;
    if (!is_digit(reader))
        return refuse(reader, JSON_FLAW_NUMBER);
    take_digits(reader, decimal);
    decimal->exponent = before - decimal->digits;
    return true;
}

static bool read_exponent(struct json_reader *reader, struct decimal *decimal)
{
    int64_t exponent = 0;
    reader->at++;
    bool minus = reader->at < reader->end && *reader->at == '-';
    reader->at += reader->at < reader->end && (*reader->at == '-' || *reader->at == '+');
    if (!is_digit(reader))
        return refuse(reader, JSON_FLAW_NUMBER);
    for (; is_digit(reader); reader->at++)
        if (exponent < EXPONENT_CLAMP)
            exponent = exponent * 10 + (*reader->at - '0');
    decimal->exponent += minus ? -exponent : exponent;
    return true;
}

/* The nearest double. Mantissa and power of ten are exact where both are small, and so one operation rounds right. */
static double decimal_value(struct json_reader *reader, const struct decimal *decimal, struct span text)
{
    static const double powers[EXACT_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double number = (double)decimal->mantissa;
    bool exact = decimal->digits <= MANTISSA_DIGITS && decimal->mantissa <= UINT64_C(1) << 53;
    if (exact && decimal->exponent >= 0 && decimal->exponent <= EXACT_POWER_MAX)
        return number * powers[decimal->exponent];
    if (exact && decimal->exponent < 0 && decimal->exponent >= -EXACT_POWER_MAX)
        return number / powers[-decimal->exponent];
    if (reader->at < reader->end) /* whose byte there ends the number for strtod too */
        return fabs(strtod(text.data, NULL));
    return fabs(strtod(arena_text(&reader->texts, text.data, text.bytes), NULL));
}

static bool read_rest_of_number(struct json_reader *reader, struct decimal *decimal, struct json_value *out)
{
    if (reader->at < reader->end && *reader->at == '.') {
        out->whole = false;
        if (!read_fraction(reader, decimal))
            return false;
    }
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        out->whole = false;
        return read_exponent(reader, decimal);
    }
    return true;
}

/* At a digit, maybe after a minus that stands at `start`. */
static inline bool read_number(struct json_reader *reader, const uint8_t *start, struct json_value *out)
{
    struct decimal decimal = {0};
    const uint8_t *first = reader->at;
    take_digits(reader, &decimal);
    if (*first == '0' && decimal.digits > 1) {
        reader->at = first + 1;
        return refuse(reader, JSON_FLAW_NUMBER);
    }
    out->kind = JSON_KIND_NUMBER;
    out->whole = true;
    if (reader->at < reader->end && (*reader->at == '.' || (*reader->at | 0x20) == 'e') &&
        !read_rest_of_number(reader, &decimal, out))
        return false;
    out->text = (struct span){(const char *)start, (size_t)(reader->at - start)};
    if (decimal.digits <= 15 && decimal.exponent == 0)
        out->number = (double)decimal.mantissa;
    else
        out->number = decimal_value(reader, &decimal, out->text);
    if (start < first && !(out->whole && out->number == 0)) /* an integer has no negative zero */
        out->number = -out->number;
    if (isinf(out->number))
        out->kind = JSON_KIND_NOT_FINITE;
    return true;
}

static bool read_word(struct json_reader *reader, struct json_value *out)
{
    static const struct {
        struct span text;
        enum json_kind kind;
    } words[] = {
        {SPAN_LITERAL("null"), JSON_KIND_NULL},           {SPAN_LITERAL("true"), JSON_KIND_TRUE},
        {SPAN_LITERAL("false"), JSON_KIND_FALSE},         {SPAN_LITERAL("NaN"), JSON_KIND_NOT_FINITE},
        {SPAN_LITERAL("Infinity"), JSON_KIND_NOT_FINITE}, {SPAN_LITERAL("-Infinity"), JSON_KIND_NOT_FINITE},
    };
    size_t left = (size_t)(reader->end - reader->at);
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (left >= words[w].text.bytes && memcmp(reader->at, words[w].text.data, words[w].text.bytes) == 0) {
            out->kind = words[w].kind;
            out->text = (struct span){(const char *)reader->at, words[w].text.bytes};
            reader->at += words[w].text.bytes;
            return true;
        }
    return refuse(reader, JSON_FLAW_SYNTAX);
}

/* --- values --- */

static bool open_level(struct json_reader *reader, enum json_kind kind, struct json_value *out)
{
    if (reader->depth == JSON_NESTED_MAX)
        return refuse(reader, JSON_FLAW_DEPTH);
    reader->depth++;
    reader->at++;
    out->kind = kind;
    return true;
}

static bool read_minus(struct json_reader *reader, struct json_value *out)
{
    const uint8_t *start = reader->at++;
    if (is_digit(reader))
        return read_number(reader, start, out);
    reader->at = start;
    return read_word(reader, out);
}

bool json_read_value(struct json_reader *reader, struct json_value *out)
{
    *out = (struct json_value){0};
    if (reader->flaw != JSON_FLAW_NONE)
        return false;
    skip_space(reader);
    if (reader->at == reader->end)
        return refuse(reader, JSON_FLAW_CUT_OFF);
    switch (*reader->at) {
    case '"':
        reader->at++;
        if (!read_text(reader, &out->text))
            return false;
        out->kind = JSON_KIND_TEXT;
        return true;
    case '{':
        return open_level(reader, JSON_KIND_OBJECT, out);
    case '[':
        return open_level(reader, JSON_KIND_ARRAY, out);
    case '-':
        return read_minus(reader, out);
    default:
        return is_digit(reader) ? read_number(reader, reader->at, out) : read_word(reader, out);
    }
}

static bool close_level(struct json_reader *reader)
{
    reader->depth--;
    return false;
}

bool json_next_name(struct json_reader *reader, bool *first, struct span *name)
{
    bool is_first = *first;
    *first = false;
    if (reader->flaw != JSON_FLAW_NONE)
        return false;
    if (take(reader, '}'))
        return close_level(reader);
    if ((!is_first && !take(reader, ',')) || !take(reader, '"'))
        return refuse(reader, JSON_FLAW_SYNTAX);
    return read_text(reader, name) && (take(reader, ':') || refuse(reader, JSON_FLAW_SYNTAX));
}

bool json_next_item(struct json_reader *reader, bool *first)
{
    bool is_first = *first;
    *first = false;
    if (reader->flaw != JSON_FLAW_NONE)
        return false;
    if (take(reader, ']'))
        return close_level(reader);
    return is_first || take(reader, ',') || refuse(reader, JSON_FLAW_SYNTAX);
}

/* --- what is skipped --- */

static uint64_t hash_of(const struct json_reader *reader, uint64_t object, struct span name)
{
    uint64_t hash = (object + (uintptr_t)reader) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < name.bytes; i++)
        hash = ((hash ^ (uint8_t)name.data[i]) * 0x100000001b3u) ^ hash >> 29;
    return hash ^ hash >> 32;
}

static struct json_name *name_slot(const struct json_reader *reader, const struct json_name *wanted)
{
    size_t mask = reader->name_capacity - 1, slot = (size_t)wanted->hash & mask;
    while (reader->names[slot].object &&
           !(reader->names[slot].hash == wanted->hash && reader->names[slot].object == wanted->object &&
             span_equal(reader->names[slot].name, wanted->name)))
        slot = (slot + 1) & mask;
    return &reader->names[slot];
}

static void names_make_room(struct json_reader *reader)
{
    if (reader->name_capacity && reader->name_count < reader->name_capacity / 2)
        return;
    struct json_name *old = reader->names;
    size_t old_capacity = reader->name_capacity;
    reader->name_capacity = old_capacity ? old_capacity << 1 : NAMES_FIRST;
    reader->names = mem_zeroed(reader->name_capacity, sizeof *reader->names);
    for (size_t n = 0; n < old_capacity; n++)
        if (old[n].object)
            *name_slot(reader, &old[n]) = old[n];
    free(old);
}

uint64_t json_object_begin(struct json_reader *reader)
{
    return ++reader->objects;
}

bool json_name_is_new(struct json_reader *reader, uint64_t object, struct span name)
{
    const struct json_name wanted = {object, hash_of(reader, object, name), name};
    names_make_room(reader);
    struct json_name *slot = name_slot(reader, &wanted);
    if (slot->object)
        return false;
    *slot = wanted;
    reader->name_count++;
    return true;
}

/* One level that is skipped: its object's number, or 0 for an array. */
struct level {
    uint64_t object;
    bool first;
};

/* Steps into the next value of the innermost level. False: the level is closed, or a flaw. */
static bool next_skipped(struct json_reader *reader, struct level *level)
{
    struct span name;
    if (!level->object)
        return json_next_item(reader, &level->first);
    return json_next_name(reader, &level->first, &name) &&
           (json_name_is_new(reader, level->object, name) || refuse(reader, JSON_FLAW_DUPLICATE));
}

void json_skip_levels(struct json_reader *reader, const struct json_value *opened)
{
    struct level levels[JSON_NESTED_MAX];
    struct json_value value = *opened;
    size_t count = 0;
    do {
        if (value.kind == JSON_KIND_OBJECT || value.kind == JSON_KIND_ARRAY)
            levels[count++] = (struct level){value.kind == JSON_KIND_OBJECT ? json_object_begin(reader) : 0, true};
        while (count && !next_skipped(reader, &levels[count - 1]))
            count = reader->flaw == JSON_FLAW_NONE ? count - 1 : 0;
    } while (count && json_read_value(reader, &value));
}

void json_skip_value(struct json_reader *reader, struct span *out)
{
    struct json_value value;
    skip_space(reader);
    const uint8_t *start = reader->at;
    if (json_read_value(reader, &value))
        json_skip_rest(reader, &value);
    *out = (struct span){(const char *)start, (size_t)(reader->at - start)};
}

struct json_value json_read_part(struct json_reader *reader, struct span part)
{
    struct json_value value = {0};
    if (!part.data)
        return value;
    reader->at = (const uint8_t *)part.data;
    reader->depth = 0;
    (void)json_read_value(reader, &value);
    return value;
}

/* --- messages --- */

const char *json_flaw_text(enum json_flaw flaw)
{
    static const char *const texts[] = {
        [JSON_FLAW_NONE] = "fine",
        [JSON_FLAW_SYNTAX] = "not JSON",
        [JSON_FLAW_CUT_OFF] = "not JSON: it ends too early",
        [JSON_FLAW_NUMBER] = "not JSON: a number that is not written as JSON wants it",
        [JSON_FLAW_UTF8] = "not UTF-8",
        [JSON_FLAW_CONTROL] = "not JSON: a control character in a text",
        [JSON_FLAW_ESCAPE] = "not JSON: an escape that does not exist",
        [JSON_FLAW_SURROGATE] = "not JSON: half a surrogate pair",
        [JSON_FLAW_DUPLICATE] = "JSON with a duplicate key",
        [JSON_FLAW_DEPTH] = "nested too deeply",
        [JSON_FLAW_TRAILING] = "not JSON: something follows the value",
        [JSON_FLAW_NO_OBJECT] = "not a JSON object",
    };
    return texts[flaw];
}

void json_reader_place(const struct json_reader *reader, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (const uint8_t *at = reader->start; at < reader->at; at++) {
        *column = *at == '\n' ? 1 : *column + 1;
        *line += *at == '\n';
    }
}
