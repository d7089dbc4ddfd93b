/* Encodings of text files, decoded by iconv: see text_encoding.h. One thread a reader. Must never drop or replace a
 * character so that nobody sees it. */
#include "base/text_encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"

enum {
    HEAD_BYTES = 4, /* which a mark has at most */
    ZEROS_BYTES = 64,
    CHARACTER_BYTES_MAX = 16, /* more than a character or a shift sequence has in any encoding */
};
static const char no_character = '\xff'; /* stands nowhere in UTF-8 */
static const char utf8[] = "UTF-8";

struct mark {
    const char *encoding;
    struct span bytes;
};

static const struct mark marks[] = {
    {utf8, SPAN_LITERAL("\xEF\xBB\xBF")},       {"UTF-32LE", SPAN_LITERAL("\xFF\xFE\0\0")},
    {"UTF-32BE", SPAN_LITERAL("\0\0\xFE\xFF")}, {"UTF-16LE", SPAN_LITERAL("\xFF\xFE")},
    {"UTF-16BE", SPAN_LITERAL("\xFE\xFF")},
};

struct decoding {
    struct byte_reader *below;
    iconv_t iconv;
    size_t unit; /* bytes that what is no character takes */
};

enum status text_encoding_check(const char *encoding, struct error *err)
{
    iconv_t converter = iconv_open(utf8, encoding);
    if (converter == (iconv_t)-1)
        return error_set(err, STATUS_INVALID,
                         "the encoding %s is not known: windows-1252, iso-8859-1, utf-16le, … (iconv --list names all)",
                         encoding);
    iconv_close(converter);
    return STATUS_OK;
}

static const struct mark *mark_of(struct span head)
{
    for (const struct mark *mark = marks; mark < marks + sizeof marks / sizeof *marks; mark++)
        if (head.bytes >= mark->bytes.bytes && memcmp(head.data, mark->bytes.data, mark->bytes.bytes) == 0)
            return mark;
    return NULL;
}

/* UTF-16 without a mark: of the first characters, which are a table's names, the upper bytes are zero and no other is.
 */
static const char *encoding_of_zeros(struct span head)
{
    size_t zeros[2] = {0}, pairs = (head.bytes < ZEROS_BYTES ? head.bytes : ZEROS_BYTES) / 2;
    for (size_t i = 0; i < 2 * pairs; i++)
        zeros[i % 2] += head.data[i] == '\0';
    if (pairs >= 2 && !zeros[0] && zeros[1] * 4 >= pairs * 3)
        return "UTF-16LE";
    if (pairs >= 2 && !zeros[1] && zeros[0] * 4 >= pairs * 3)
        return "UTF-16BE";
    return NULL;
}

/* A character that cannot be converted, or the beginning of one at the file's end. */
static void pass_bad_unit(struct decoding *decoding, char **to, size_t *room)
{
    size_t held = (size_t)(decoding->below->end - decoding->below->at);
    decoding->below->at += held < decoding->unit ? held : decoding->unit;
    *(*to)++ = no_character;
    (*room)--;
    iconv(decoding->iconv, NULL, NULL, NULL, NULL);
}

/* One call of iconv over what is at hand; false where it needs more bytes than there are. */
static bool decode_block(struct decoding *decoding, struct span in, char **to, size_t *room)
{
    char *from = (char *)(uintptr_t)in.data;
    size_t left = in.bytes;
    size_t result = iconv(decoding->iconv, &from, &left, to, room);
    int why = errno;
    decoding->below->at += in.bytes - left;
    if (result == (size_t)-1 && why == EILSEQ && *room)
        pass_bad_unit(decoding, to, room);
    return !(result == (size_t)-1 && why == EINVAL);
}

static enum status decoding_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    struct decoding *decoding = context;
    char *to = out;
    size_t room = capacity, least = 1;
    while (to == out) {
        struct span in;
        if (byte_reader_peek(decoding->below, least, &in, err) != STATUS_OK)
            return err->status;
        if (!in.bytes)
            break;
        bool enough = decode_block(decoding, in, &to, &room);
        if (!enough && to == out && in.bytes < least)
            pass_bad_unit(decoding, &to, &room);
        least = enough ? 1 : CHARACTER_BYTES_MAX;
    }
    *got = (size_t)(to - out);
    return STATUS_OK;
}

static size_t unit_of(const char *encoding)
{
    if (strncasecmp(encoding, "UTF-16", 6) == 0 || strncasecmp(encoding, "UCS-2", 5) == 0)
        return 2;
    return strncasecmp(encoding, "UTF-32", 6) == 0 || strncasecmp(encoding, "UCS-4", 5) == 0 ? 4 : 1;
}

static void decoding_close(void *context)
{
    struct decoding *decoding = context;
    iconv_close(decoding->iconv);
    byte_reader_free(decoding->below);
    free(decoding);
}

enum status text_encoding_decode(struct byte_reader **reader, const char *encoding, const char **found,
                                 struct error *err)
{
    struct span head;
    if (byte_reader_peek(*reader, HEAD_BYTES, &head, err) != STATUS_OK)
        return err->status;
    const struct mark *mark = mark_of(head);
    const char *zeros = encoding || mark ? NULL : encoding_of_zeros(head);
    *found = mark ? mark->encoding : encoding ? encoding : zeros ? zeros : utf8;
    if (mark)
        (*reader)->at += mark->bytes.bytes;
    if (strcasecmp(*found, utf8) == 0)
        return STATUS_OK;
    if (text_encoding_check(*found, err) != STATUS_OK)
        return err->status;
    struct decoding *decoding = mem_zeroed(1, sizeof *decoding);
    decoding->below = *reader;
    decoding->iconv = iconv_open(utf8, *found);
    decoding->unit = unit_of(*found);
    *reader = byte_reader_new((struct byte_origin){decoding_read, decoding_close, decoding});
    return STATUS_OK;
}
