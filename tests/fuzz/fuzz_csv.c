/* fuzz: any bytes as a file of rows: decompressed, decoded, split into records. The same rows come out however the
 * bytes arrive, whole or one by one; lines only grow, and no field holds a NUL. */
#include <assert.h>
#include <stdlib.h>

#include "base/csv.h"
#include "base/memory.h"
#include "base/text_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { RECORDS_MOST = 100000 };

struct drip {
    struct span left;
    size_t most; /* bytes at a time */
};

static enum status drip_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    (void)err;
    struct drip *drip = context;
    *got = drip->left.bytes < drip->most ? drip->left.bytes : drip->most;
    *got = *got < capacity ? *got : capacity;
    if (*got)
        memcpy(out, drip->left.data, *got);
    drip->left = (struct span){drip->left.data + *got, drip->left.bytes - *got};
    return STATUS_OK;
}

static struct byte_reader *reader_of(struct span input, size_t most)
{
    struct drip *drip = mem_zeroed(1, sizeof *drip);
    *drip = (struct drip){input, most};
    return byte_reader_new((struct byte_origin){drip_read, free, drip});
}

static void add_record(const struct csv_record *record, enum status status, struct buffer *out)
{
    buffer_printf(out, "%zu %d", record->line, (int)status);
    for (size_t f = 0; status == STATUS_OK && f < record->field_count; f++) {
        const struct span field = record->fields[f];
        assert(!memchr(field.data, '\0', field.bytes));
        buffer_add_u8(out, '|');
        buffer_add(out, field.data, field.bytes);
    }
    buffer_add_u8(out, '\n');
}

static void read_rows(struct span input, size_t most, struct buffer *out)
{
    struct byte_reader *reader = reader_of(input, most);
    struct error err;
    struct text_found found = {0};
    enum status opened = text_file_unpack(&reader, "fuzz", &found, &err);
    if (opened == STATUS_OK)
        opened = text_file_decode(&reader, "fuzz", NULL, &found, &err);
    struct csv *csv = opened == STATUS_OK ? csv_new(reader, "fuzz", 0) : NULL;
    bool more = csv != NULL;
    buffer_printf(out, "%d\n", (int)opened);
    for (size_t line = 0, count = 0; more && count < RECORDS_MOST; count++) {
        struct csv_record record = {0};
        enum status status = csv_next(csv, &record, &more, &err);
        if (status == STATUS_IO || !more)
            break;
        assert(record.line > line);
        line = record.line;
        add_record(&record, status, out);
    }
    csv_free(csv);
    byte_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct buffer whole = {0}, parts = {0};
    const struct span input = {(const char *)data, bytes};
    read_rows(input, BYTE_READER_BLOCK, &whole);
    read_rows(input, 1 + bytes % 7, &parts);
    assert(span_equal(buffer_span(&whole), buffer_span(&parts)));
    buffer_free(&whole);
    buffer_free(&parts);
    return 0;
}
