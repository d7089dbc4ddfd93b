/* {"employee_id": "E1"} → E1: see key_json.h. Any thread; allocates nothing, and never reads beyond the key. */
#include "events/key_json.h"

static void skip_space(struct cursor *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
}

static bool key_json_take(struct cursor *in, uint8_t byte)
{
    skip_space(in);
    if (in->at == in->end || *in->at != byte)
        return false;
    in->at++;
    return true;
}

static bool take_hex(struct cursor *in, uint32_t *out)
{
    struct span digits;
    *out = 0;
    if (!cursor_span(in, 4, &digits))
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = digits.data[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

/* Behind "\u": one code point, of two escapes where the first is a surrogate. */
static bool take_escaped_point(struct cursor *in, uint32_t *point)
{
    uint32_t low;
    if (!take_hex(in, point) || (*point >= 0xdc00 && *point < 0xe000))
        return false;
    if (*point < 0xd800 || *point >= 0xe000)
        return true;
    if (cursor_left(in) < 2 || in->at[0] != '\\' || in->at[1] != 'u')
        return false;
    in->at += 2;
    if (!take_hex(in, &low) || low < 0xdc00 || low >= 0xe000)
        return false;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static size_t point_write(uint32_t point, char *out)
{
    size_t bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(leads[bytes] | point);
    return bytes;
}

static bool take_escape(struct cursor *in, uint32_t *point)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint8_t letter;
    if (!cursor_u8(in, &letter))
        return false;
    if (letter == 'u')
        return take_escaped_point(in, point);
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found)
        *point = (uint8_t)meant[found - letters];
    return found != NULL;
}

/* The opening quote is taken. The text is in `storage` where it has escapes. */
static bool take_text(struct cursor *in, char storage[static ID_BYTES_MAX], struct span *out)
{
    const char *start = (const char *)in->at;
    size_t bytes = 0;
    bool escaped = false;
    for (uint8_t byte; cursor_u8(in, &byte) && byte >= 0x20;) {
        uint32_t point;
        if (byte == '"') {
            *out = (struct span){escaped ? storage : start, bytes};
            return true;
        }
        if (bytes + 4 > ID_BYTES_MAX)
            return false;
        if (byte != '\\') {
            storage[bytes++] = (char)byte;
        } else {
            if (!take_escape(in, &point))
                return false;
            bytes += point_write(point, storage + bytes);
            escaped = true;
        }
    }
    return false;
}

/* -?(0|[1-9][0-9]*), and nothing that makes a fraction of it (the caller wants '}' next). */
static bool take_whole(struct cursor *in, struct span *out)
{
    const uint8_t *start = in->at;
    in->at += in->at < in->end && *in->at == '-';
    const uint8_t *digits = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    *out = (struct span){(const char *)start, (size_t)(in->at - start)};
    return in->at > digits && (*digits != '0' || in->at == digits + 1) && out->bytes <= ID_BYTES_MAX;
}

static bool key_json_take_value(struct cursor *in, char storage[static ID_BYTES_MAX], struct span *out)
{
    return key_json_take(in, '"') ? take_text(in, storage, out) : take_whole(in, out);
}

bool key_json_begins(struct span text)
{
    struct cursor in = cursor_of(text);
    return key_json_take(&in, '{') && (key_json_take(&in, '"') || key_json_take(&in, '}'));
}

bool key_json_read(struct span text, char storage[static ID_BYTES_MAX], struct span *out)
{
    struct cursor in = cursor_of(text);
    struct span name;
    if (!key_json_take(&in, '{') || !key_json_take(&in, '"') || !take_text(&in, storage, &name) ||
        !key_json_take(&in, ':') || !key_json_take_value(&in, storage, out) || !key_json_take(&in, '}'))
        return false;
    skip_space(&in);
    return cursor_left(&in) == 0;
}
