/* Text files and what is taken for them: see text_file.h. Called at the start of each input. Must never hand bytes that
 * are no text to a parser of text, whose message would not say what to do. */
#include "base/text_file.h"

#include <strings.h>

#include "base/decompress.h"
#include "base/log.h"
#include "base/text_encoding.h"

enum { HEAD_BYTES = 4 };

/* What a file is by its first bytes, and how it becomes text. */
struct file_kind {
    struct span head;
    const char *within; /* stands further on in what was read first; NULL: nothing more is asked */
    const char *name, *advice;
};

#define SAVE_AS "save the sheet as CSV (UTF-8) and give that file"
#define DECOMPRESS_WITH(tool) "decompress it (" tool " FILE | … backfill -)"

/* In this order: the more special first. */
static const struct file_kind kinds[] = {
    {SPAN_LITERAL("PK\x03\x04"), "opendocument.spreadsheet", "an OpenDocument workbook (.ods)", SAVE_AS},
    {SPAN_LITERAL("PK\x03\x04"), "[Content_Types].xml", "a workbook (.xlsx)", SAVE_AS},
    {SPAN_LITERAL("PK\x03\x04"), "xl/", "a workbook (.xlsx)", SAVE_AS},
    {SPAN_LITERAL("PK\x03\x04"), "_rels/", "a workbook (.xlsx)", SAVE_AS},
    {SPAN_LITERAL("PK"), NULL, "a ZIP archive", "unpack it; a workbook (.xlsx) inside must be saved as CSV (UTF-8)"},
    {SPAN_LITERAL("\xd0\xcf\x11\xe0"), NULL, "a workbook (.xls)", SAVE_AS},
    {SPAN_LITERAL("PAR1"), NULL, "Parquet",
     "convert it to CSV, say with duckdb -c \"COPY (FROM 'in.parquet') TO 'out.csv' (HEADER)\""},
    {SPAN_LITERAL("ORC"), NULL, "ORC", "convert it to CSV with the program that wrote it"},
    {SPAN_LITERAL("ARROW1"), NULL, "Arrow or Feather", "convert it to CSV with the program that wrote it"},
    {AVRO_FILE_MAGIC, NULL, "an Avro container file", "convert it to CSV; only producer backfill reads it as it is"},
    {SPAN_LITERAL("SQLite format 3"), NULL, "an SQLite database",
     "export the table: sqlite3 -header -csv FILE 'SELECT …' > out.csv"},
    {SPAN_LITERAL("BZh"), NULL, "compressed with bzip2", DECOMPRESS_WITH("bzcat")},
    {SPAN_LITERAL("\xfd"
                  "7zXZ"),
     NULL, "compressed with xz", DECOMPRESS_WITH("xzcat")},
    {SPAN_LITERAL("\x04\x22\x4d\x18"), NULL, "compressed with lz4", DECOMPRESS_WITH("lz4cat")},
    {SPAN_LITERAL("\x1f\x8b"), NULL, "compressed twice (gzip within)", DECOMPRESS_WITH("zcat")},
    {SPAN_LITERAL("\x28\xb5\x2f\xfd"), NULL, "compressed twice (zstd within)", DECOMPRESS_WITH("zstdcat")},
    {SPAN_LITERAL("\x1f\x9d"), NULL, "compressed with compress (.Z)", DECOMPRESS_WITH("zcat")},
    {SPAN_LITERAL("\xff\x06"), "sNaPpY", "compressed with snappy", "decompress it"},
    {SPAN_LITERAL("x\x9c"), NULL, "compressed with zlib", DECOMPRESS_WITH("pigz -dc")},
    {SPAN_LITERAL("-----BEGIN PGP"), NULL, "encrypted (PGP)", "decrypt it (gpg -d FILE | … backfill -)"},
    {SPAN_LITERAL("version https://git-lfs"), NULL, "a pointer of Git LFS", "get the file itself (git lfs pull)"},
    {SPAN_LITERAL("\x89HDF"), NULL, "HDF5", "convert it to CSV with the program that wrote it"},
    {SPAN_LITERAL("\x89PNG"), NULL, "a picture (PNG)", "export the table as CSV (UTF-8)"},
    {SPAN_LITERAL("7z\xbc\xaf\x27\x1c"), NULL, "a 7z archive", "unpack it"},
    {SPAN_LITERAL("$FL"), "SPSS", "an SPSS file (.sav)", "export it as CSV (UTF-8)"},
    {SPAN_LITERAL("<stata_dta>"), NULL, "a Stata file (.dta)", "export it as CSV (UTF-8)"},
    {SPAN_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60"), NULL, "a SAS table (.sas7bdat)",
     "export it as CSV (UTF-8)"},
    {SPAN_LITERAL("%PDF"), NULL, "a PDF", "export the table as CSV (UTF-8)"},
    {SPAN_LITERAL("{\\rtf"), NULL, "a text of a word processor (RTF)", "save it as plain text in UTF-8"},
    {SPAN_LITERAL("<"), "<html", "a web page (HTML)", "open it in a spreadsheet program, and " SAVE_AS},
    {SPAN_LITERAL("<"), "<table", "a web page (HTML)", "open it in a spreadsheet program, and " SAVE_AS},
    {SPAN_LITERAL("<?xml"), NULL, "XML", "export the table as CSV (UTF-8)"},
};

static bool head_is(const struct file_kind *kind, struct span head)
{
    if (head.bytes < kind->head.bytes || memcmp(head.data, kind->head.data, kind->head.bytes) != 0)
        return false;
    if (!kind->within)
        return true;
    size_t bytes = strlen(kind->within);
    for (size_t i = 0; i + bytes <= head.bytes; i++)
        if (strncasecmp(head.data + i, kind->within, bytes) == 0)
            return true;
    return false;
}

/* The one whose first bytes are not its own: they are the first file's name. */
static bool is_tar(struct span head)
{
    enum { MAGIC_AT = 257, MAGIC_BYTES = 5 };
    return head.bytes >= MAGIC_AT + MAGIC_BYTES && memcmp(head.data + MAGIC_AT, "ustar", MAGIC_BYTES) == 0;
}

static enum status text_file_check(struct byte_reader *reader, const char *name, struct error *err)
{
    struct span head;
    if (byte_reader_peek(reader, HEAD_BYTES, &head, err) != STATUS_OK)
        return err->status;
    for (const struct file_kind *kind = kinds; kind < kinds + sizeof kinds / sizeof *kinds; kind++)
        if (head_is(kind, head))
            return error_set(err, STATUS_UNSUPPORTED, "%s is %s, which is not read: %s", name, kind->name,
                             kind->advice);
    if (is_tar(head))
        return error_set(err, STATUS_UNSUPPORTED, "%s is a tar archive, which is not read: unpack it (tar -xf)", name);
    return STATUS_OK;
}

enum status text_file_unpack(struct byte_reader **reader, const char *name, struct text_found *found, struct error *err)
{
    return decompress_if_needed(reader, name, &found->compression, err);
}

enum status text_file_decode(struct byte_reader **reader, const char *name, const char *encoding,
                             struct text_found *found, struct error *err)
{
    const char *encoding_found;
    if (text_file_check(*reader, name, err) != STATUS_OK ||
        text_encoding_decode(reader, encoding, &encoding_found, err) != STATUS_OK)
        return err->status;
    found->encoding = strcasecmp(encoding_found, "UTF-8") ? encoding_found : NULL;
    return STATUS_OK;
}

void text_found_log(const struct text_found *found, const char *where, const char *name)
{
    if (found->compression || found->encoding)
        log_info(where, "%s: read as %s%s%s", name, found->compression ? found->compression : "",
                 found->compression && found->encoding ? ", " : "", found->encoding ? found->encoding : "");
}

enum status text_file_open(struct byte_reader **reader, const char *where, const char *name, const char *encoding,
                           struct error *err)
{
    struct text_found found = {0};
    if (text_file_unpack(reader, name, &found, err) != STATUS_OK ||
        text_file_decode(reader, name, encoding, &found, err) != STATUS_OK)
        return err->status;
    text_found_log(&found, where, name);
    return STATUS_OK;
}
