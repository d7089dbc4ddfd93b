/* base/text_file.h, with byte_reader, decompress and text_encoding under it: the same text, however it is packed and
 * encoded and however its bytes arrive; what is no text is named. */
#include "tests/unit/base/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "base/log.h"
#include "base/text_encoding.h"
#include "base/text_file.h"

/* Hands out what is behind it one byte at a time, and then fails where it is to. */
struct drip {
    struct span rest;
    bool fails;
};

static enum status drip_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    struct drip *drip = context;
    assert_true(capacity > 0);
    *got = drip->rest.bytes > 0;
    if (!*got)
        return drip->fails ? error_set(err, STATUS_IO, "cannot read drip") : STATUS_OK;
    *out = *drip->rest.data;
    drip->rest = (struct span){drip->rest.data + 1, drip->rest.bytes - 1};
    return STATUS_OK;
}

/* All text of `bytes`, or the error after it: "text!status: why". */
static void read_text(struct byte_reader *reader, const char *encoding, struct buffer *out)
{
    struct error err = {0};
    int c;
    if (text_file_open(&reader, "test", "in", encoding, &err) == STATUS_OK) {
        while ((c = byte_reader_byte(reader)) >= 0)
            buffer_add_u8(out, (uint8_t)c);
        err.status = byte_reader_status(reader, &err);
    }
    if (err.status != STATUS_OK)
        buffer_printf(out, "!%s: %s",
                      err.status == STATUS_INVALID ? "invalid"
                      : err.status == STATUS_IO    ? "input/output error"
                                                   : "unsupported",
                      err.text);
    byte_reader_free(reader);
    buffer_add_u8(out, '\0');
}

static void assert_text(struct span bytes, const char *encoding, const char *expected)
{
    struct buffer whole = {0}, dripped = {0};
    struct drip drip = {bytes, false};
    read_text(byte_reader_of_memory(bytes), encoding, &whole);
    assert_string_equal(whole.data, expected);
    read_text(byte_reader_new((struct byte_origin){drip_read, NULL, &drip}), encoding, &dripped);
    assert_string_equal(dripped.data, expected);
    buffer_free(&whole);
    buffer_free(&dripped);
}

static void plain_text_is_as_it_is(void **state)
{
    (void)state;
    assert_text(SPAN_LITERAL(""), NULL, "");
    assert_text(SPAN_LITERAL("a"), NULL, "a");
    assert_text(SPAN_LITERAL("Gr\xC3\xBC\xC3\x9F"
                             "e,1\n"),
                NULL,
                "Gr\xC3\xBC\xC3\x9F"
                "e,1\n");
    assert_text(SPAN_LITERAL("\xEF\xBB\xBFid\n"), NULL, "id\n");
    assert_text(SPAN_LITERAL("\xEF\xBB\xBF\xC3\xBC"), "windows-1252", "\xC3\xBC"); /* the mark decides */
}

static void utf16_is_found(void **state)
{
    (void)state;
    assert_text(SPAN_LITERAL("\xFF\xFEi\0d\0\n\0\xFC\0"), NULL, "id\n\xC3\xBC");
    assert_text(SPAN_LITERAL("\xFE\xFF\0i\0d\0\n\0\xFC"), NULL, "id\n\xC3\xBC");
    assert_text(SPAN_LITERAL("i\0d\0\n\0\xFC\0"), NULL, "id\n\xC3\xBC");
    assert_text(SPAN_LITERAL("\0i\0d\0\n\0\xFC"), NULL, "id\n\xC3\xBC");
    assert_text(SPAN_LITERAL("\xFF\xFE\0\0i\0\0\0d\0\0\0"), NULL, "id");
    assert_text(SPAN_LITERAL("\xFF\xFEi\0\xFF\xFE\n\0"), NULL, "i\xEF\xBB\xBF\n"); /* joined: csv passes it */
    assert_text(SPAN_LITERAL("\xFF\xFE\x3D\xD8\x00\xDE"), NULL, "\xF0\x9F\x98\x80");
}

static void what_is_no_character_stays_visible(void **state)
{
    (void)state;
    assert_text(SPAN_LITERAL("\xFF\xFEi\0\x00\xDCj\0"), NULL, "i\xFFj"); /* half a surrogate pair */
    assert_text(SPAN_LITERAL("\xFF\xFEi\0j"), NULL, "i\xFF");            /* cut within a character */
    assert_text(SPAN_LITERAL("a\x81z"), "windows-1252", "a\xFFz");
    assert_text(SPAN_LITERAL("a\xFFz"), NULL, "a\xFFz");
}

static void encodings_are_given_by_name(void **state)
{
    (void)state;
    struct error err;
    assert_text(SPAN_LITERAL("M\xFCller \x80\n"), "windows-1252", "M\xC3\xBCller \xE2\x82\xAC\n");
    assert_text(SPAN_LITERAL("M\xFCller\n"), "ISO-8859-1", "M\xC3\xBCller\n");
    assert_text(SPAN_LITERAL("i\0"), "utf-16le", "i");
    assert_int_equal(text_encoding_check("martian", &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "martian"));
    assert_int_equal(text_encoding_check("windows-1252", &err), STATUS_OK);
}

static size_t gzip_bytes(struct span text, char *out, size_t capacity)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)text.data, .avail_in = (uInt)text.bytes};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return capacity - stream.avail_out;
}

static void compressed_files_are_read(void **state)
{
    (void)state;
    char packed[400];
    size_t bytes = gzip_bytes(SPAN_LITERAL("id,Age\n"), packed, sizeof packed);
    assert_text((struct span){packed, bytes}, NULL, "id,Age\n");
    size_t both = bytes + gzip_bytes(SPAN_LITERAL("1,41\n"), packed + bytes, sizeof packed - bytes);
    assert_text((struct span){packed, both}, NULL, "id,Age\n1,41\n");
    memset(packed + both, 0, 20);
    assert_text((struct span){packed, both + 20}, NULL, "id,Age\n1,41\n");
    packed[both] = 'x';
    assert_text((struct span){packed, both + 1}, NULL,
                "id,Age\n1,41\n!invalid: in: the gzip data ends too early: the file was cut. The rows before it were "
                "read; copy the file again");
    bytes = gzip_bytes(SPAN_LITERAL("\xFF\xFEi\0"), packed, sizeof packed);
    assert_text((struct span){packed, bytes}, NULL, "i");
    bytes = ZSTD_compress(packed, sizeof packed, "id,Age\n", 7, 3);
    assert_text((struct span){packed, bytes}, NULL, "id,Age\n");
    bytes += ZSTD_compress(packed + bytes, sizeof packed - bytes, "1\n", 2, 3);
    assert_text((struct span){packed, bytes}, NULL, "id,Age\n1\n");
}

static void damaged_files_are_no_shorter_files(void **state)
{
    (void)state;
    char packed[400];
    size_t bytes = gzip_bytes(SPAN_LITERAL("id,Age\n"), packed, sizeof packed);
    static const char cut[] =
        "id,Age\n!invalid: in: the gzip data ends too early: the file was cut. The rows before it "
        "were read; copy the file again";
    assert_text((struct span){packed, bytes - 1}, NULL, cut);
    packed[bytes - 6] ^= 1; /* of its CRC */
    assert_text((struct span){packed, bytes}, NULL,
                "id,Age\n!invalid: in: the gzip data is damaged (incorrect data check): copy the file again");
    bytes = ZSTD_compress(packed, sizeof packed, "id,Age\n", 7, 3);
    struct buffer out = {0};
    read_text(byte_reader_of_memory((struct span){packed, bytes - 1}), NULL, &out);
    assert_non_null(strstr(out.data, "the zstd data ends too early"));
    buffer_free(&out);
}

static void what_is_no_text_is_named(void **state)
{
    (void)state;
    static char archive[512] = "people.csv";
    memcpy(archive + 257, "ustar", 5);
    const struct span tar = {archive, sizeof archive};
    const struct {
        struct span head;
        const char *says;
    } kinds[] = {
        {SPAN_LITERAL("PK\3\4....[Content_Types].xml"), "a workbook (.xlsx), which is not read: save the sheet as CSV"},
        {SPAN_LITERAL("PK\3\4....mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "(.ods)"},
        {SPAN_LITERAL("PK\3\4....people.csv"), "a ZIP archive"},
        {SPAN_LITERAL("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "(.xls)"},
        {SPAN_LITERAL("PAR1\x15\x04"), "Parquet, which is not read: convert it to CSV"},
        {SPAN_LITERAL("Obj\1\x04"), "an Avro container file"},
        {SPAN_LITERAL("BZh91AY"), "bzcat"},
        {SPAN_LITERAL("\xfd"
                      "7zXZ\0"),
         "xzcat"},
        {SPAN_LITERAL("<!DOCTYPE html><HTML>"), "a web page"},
        {SPAN_LITERAL("SQLite format 3\0"), "an SQLite database"},
        {SPAN_LITERAL("$FL2@(#) SPSS DATA FILE"), "(.sav)"},
        {SPAN_LITERAL("<stata_dta><header>"), "(.dta)"},
        {SPAN_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60\xb3\x14"), "(.sas7bdat)"},
        {tar, "a tar archive"},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct buffer out = {0};
        read_text(byte_reader_of_memory(kinds[k].head), NULL, &out);
        assert_memory_equal(out.data, "!unsupported: in is ", 20);
        if (!strstr(out.data, kinds[k].says))
            fail_msg("%s: no \"%s\"", out.data, kinds[k].says);
        buffer_free(&out);
    }
}

static void a_failure_comes_after_the_bytes_before_it(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct drip drip = {SPAN_LITERAL("id\n1"), true};
    read_text(byte_reader_new((struct byte_origin){drip_read, NULL, &drip}), NULL, &out);
    assert_string_equal(out.data, "id\n1!input/output error: cannot read drip");
    buffer_free(&out);
}

static void a_file_that_is_cut_while_read_is_noticed(void **state)
{
    (void)state;
    struct error err;
    char bytes[8];
    size_t got;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 2 * BYTE_READER_BLOCK), 0);
    struct byte_reader *reader = byte_reader_of_descriptor(fileno(file), "people.csv");
    assert_int_equal(byte_reader_read(reader, bytes, sizeof bytes, &got, &err), STATUS_OK);
    assert_int_equal(ftruncate(fileno(file), BYTE_READER_BLOCK), 0);
    while (byte_reader_byte(reader) >= 0)
        continue;
    assert_int_equal(byte_reader_status(reader, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "people.csv was cut while it was read"));
    byte_reader_free(reader);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_as_it_is),
        cmocka_unit_test(utf16_is_found),
        cmocka_unit_test(what_is_no_character_stays_visible),
        cmocka_unit_test(encodings_are_given_by_name),
        cmocka_unit_test(compressed_files_are_read),
        cmocka_unit_test(damaged_files_are_no_shorter_files),
        cmocka_unit_test(what_is_no_text_is_named),
        cmocka_unit_test(a_failure_comes_after_the_bytes_before_it),
        cmocka_unit_test(a_file_that_is_cut_while_read_is_noticed),
    };
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
