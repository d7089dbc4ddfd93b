/* producer/avro_file.h and avro_row.h: container files made here by hand, whole, cut at every byte and damaged. */
#include "tests/unit/producer/unit.h"

#include "avro/write.h"
#include "producer/avro_file.h"
#include "producer/avro_row.h"

static const char table[] =
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":["
    "{\"name\":\"id\",\"type\":[\"null\",\"long\"]},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"occurred_at\",\"type\":\"long\"},"
    "{\"name\":\"attributes\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"A\",\"fields\":["
    "{\"name\":\"x\",\"type\":\"double\"},"
    "{\"name\":\"pay\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}}]}]},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
    "{\"name\":\"changed\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"string\"}]},"
    "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"K\",\"symbols\":[\"a\",\"b\"]}}]}";

static char *put_record(char *at, int64_t id, bool nested)
{
    at = avro_put_branch(at, id != 0);
    if (id)
        at = avro_put_long(at, id);
    at = avro_put_long(at, INT64_C(1741046400123456));
    at = avro_put_long(at, INT64_C(1741046400000));
    at = avro_put_branch(at, nested);
    if (nested) {
        at = avro_put_double(at, 1.5);
        at = avro_put_text(at, SPAN_LITERAL("\xff\x85")); /* -123 */
    }
    at = avro_put_long(at, 2);
    at = avro_put_text(at, SPAN_LITERAL("t,1"));
    at = avro_put_text(at, SPAN_LITERAL(""));
    at = avro_put_long(at, 0);
    at = avro_put_branch(at, id != 0);
    if (id > 7)
        at = avro_put_text(avro_put_text(avro_put_long(at, 2), SPAN_LITERAL("Age")), SPAN_LITERAL("a\"b"));
    if (id)
        at = avro_put_long(at, 0);
    return avro_put_long(at, 1);
}

static char *put_block(char *at, int64_t count, struct span bytes)
{
    at = avro_put_long(at, count);
    at = avro_put_text(at, bytes);
    return avro_put_raw(at, SPAN_LITERAL("0123456789abcdef"));
}

static size_t make_file(char *out, const char *codec)
{
    char records[512], *end = put_record(put_record(records, 7, true), 0, false);
    char *at = avro_put_raw(out, SPAN_LITERAL("Obj\x01"));
    at = avro_put_long(at, -1); /* a block of the map that says its bytes */
    at = avro_put_long(at, 5);
    at = avro_put_text(avro_put_text(at, SPAN_LITERAL("avro.codec")), span_of(codec));
    at = avro_put_long(at, 1);
    at = avro_put_text(avro_put_text(at, SPAN_LITERAL("avro.schema")), span_of(table));
    at = avro_put_long(at, 0);
    at = avro_put_raw(at, SPAN_LITERAL("0123456789abcdef"));
    at = put_block(at, 2, (struct span){records, (size_t)(end - records)});
    at = put_block(at, 0, SPAN_LITERAL(""));
    return (size_t)(put_block(at, 1, (struct span){records, (size_t)(put_record(records, 9, false) - records)}) - out);
}

/* The rows as `id|at|…` lines; then `!` and the first words of what ended them. */
static void read_rows(struct span bytes, struct buffer *out)
{
    struct byte_reader *reader = byte_reader_of_memory(bytes);
    struct avro_file *file = NULL;
    struct avro_row *row = NULL;
    struct cursor *in = NULL;
    struct error err = {0};
    buffer_clear(out);
    enum status status = avro_file_open(reader, "t.avro", &file, &err);
    if (status == STATUS_OK)
        row = avro_row_new(avro_file_writer(file), TIME_UNIT_NONE);
    while (status == STATUS_OK && (status = avro_file_next(file, &in, &err)) == STATUS_OK && in) {
        const struct span *texts = avro_row_read(row, in);
        if (!texts) {
            buffer_printf(out, "!record");
            break;
        }
        avro_file_taken(file);
        for (size_t f = 0; f < avro_row_field_count(row); f++)
            buffer_printf(out, "%.*s|", (int)texts[f].bytes, texts[f].data);
        buffer_add_u8(out, '\n');
    }
    if (status != STATUS_OK)
        buffer_printf(out, "!%s", err.text);
    buffer_add_u8(out, '\0');
    avro_row_free(row);
    avro_file_free(file);
    byte_reader_free(reader);
}

static const char rows[] = "7|2025-03-04T00:00:00.123Z|2025-03-04T00:00:00.000Z|1.5|-1.23|\x01{…}|[]|b|\n"
                           "|2025-03-04T00:00:00.123Z|2025-03-04T00:00:00.000Z|||\x01{…}||b|\n"
                           "9|2025-03-04T00:00:00.123Z|2025-03-04T00:00:00.000Z|||\x01{…}|[\"Age\",\"a\\\"b\"]|b|\n";

static void records_become_texts(void **state)
{
    (void)state;
    char bytes[4096];
    struct buffer out = {0};
    read_rows((struct span){bytes, make_file(bytes, "null")}, &out);
    assert_string_equal(out.data, rows);
    buffer_free(&out);
}

/* Wherever it is cut, the rows before the cut are whole, and the cut is said; between blocks it is a shorter file. */
static void a_cut_is_noticed(void **state)
{
    (void)state;
    char bytes[4096];
    struct buffer out = {0};
    size_t whole = make_file(bytes, "null"), silent = 0;
    for (size_t cut = 0; cut < whole; cut++) {
        read_rows((struct span){bytes, cut}, &out);
        char *fault = strchr(out.data, '!');
        silent += !fault;
        if (fault)
            assert_non_null(strstr(fault, "t.avro"));
        assert_memory_equal(out.data, rows, fault ? (size_t)(fault - out.data) : strlen(out.data));
    }
    assert_int_equal(silent, 3);
    buffer_free(&out);
}

static void damage_is_no_crash(void **state)
{
    (void)state;
    char bytes[4096], spoiled[4096];
    struct buffer out = {0};
    size_t whole = make_file(bytes, "null");
    for (size_t at = 0; at < whole; at++)
        for (int value = 0; value < 256; value += 15) {
            memcpy(spoiled, bytes, whole);
            spoiled[at] = (char)value;
            read_rows((struct span){spoiled, whole}, &out);
        }
    memcpy(spoiled, bytes, whole);
    spoiled[whole - 1] ^= 1;
    read_rows((struct span){spoiled, whole}, &out);
    assert_non_null(strstr(out.data, "a block does not end with the file's marker"));
    buffer_free(&out);
}

/* A count is bounded by what is there: endless rejects of a small file otherwise. */
static void counts_beyond_the_bytes(void **state)
{
    (void)state;
    char bytes[4096];
    struct buffer out = {0};
    size_t whole = make_file(bytes, "null");
    char *end = put_block(bytes + whole, INT64_MAX, SPAN_LITERAL("\x02"));
    read_rows((struct span){bytes, (size_t)(end - bytes)}, &out);
    assert_memory_equal(out.data, rows, strlen(rows));
    assert_non_null(strstr(out.data, "a block claims more records than it has bytes"));
    end = avro_put_long(avro_put_raw(bytes, SPAN_LITERAL("Obj\x01")), INT64_MIN);
    read_rows((struct span){bytes, (size_t)(end - bytes)}, &out);
    assert_non_null(strstr(out.data, "the header is damaged"));
    buffer_free(&out);
}

static void other_codecs(void **state)
{
    (void)state;
    char bytes[4096];
    struct buffer out = {0};
    read_rows((struct span){bytes, make_file(bytes, "snappy")}, &out);
    assert_string_equal(out.data,
                        "!t.avro: the Avro codec snappy is not read: write the file with null, deflate or zstandard");
    read_rows((struct span){bytes, make_file(bytes, "deflate")}, &out); /* its blocks are not */
    assert_non_null(strstr(out.data, "compressed data is damaged"));
    read_rows(SPAN_LITERAL("id,Age\n"), &out);
    assert_string_equal(out.data, "!t.avro is no Avro container file: it does not begin with Obj");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_become_texts), cmocka_unit_test(a_cut_is_noticed),
        cmocka_unit_test(damage_is_no_crash),   cmocka_unit_test(counts_beyond_the_bytes),
        cmocka_unit_test(other_codecs),
    };
    return cmocka_run_group_tests_name("producer/avro_file", tests, unit_setup, unit_teardown);
}
