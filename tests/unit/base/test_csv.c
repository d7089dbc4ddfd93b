/* base/csv.h: the rows of a file do not depend on how its bytes arrive, and a bad record costs no other. */
#include "tests/unit/base/unit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/csv.h"

static struct byte_reader *reader; /* under the csv at hand */

static struct csv *csv_of(FILE *file, const char *name)
{
    reader = byte_reader_of_descriptor(fileno(file), name);
    return csv_new(reader, name, 0);
}

static void csv_close(struct csv *csv)
{
    csv_free(csv);
    byte_reader_free(reader);
}

/* Everything a reader says about a file, as text: `line:<field><field>` or `line!STATUS[raw]`. */
static void read_all(struct csv *csv, struct buffer *out)
{
    struct csv_record record;
    struct error err = {0};
    bool more = true;
    for (;;) {
        enum status status = csv_next(csv, &record, &more, &err);
        if (status == STATUS_IO || (status == STATUS_OK && !more))
            return;
        if (status == STATUS_OK) {
            buffer_printf(out, "%zu:", record.line);
            for (size_t f = 0; f < record.field_count; f++)
                buffer_printf(out, "<%.*s>", (int)record.fields[f].bytes, record.fields[f].data);
            buffer_add_u8(out, '\n');
        } else {
            const char *why = status == STATUS_LIMIT ? "limit" : status == STATUS_INVALID ? "invalid" : "?";
            buffer_printf(out, "%zu!%s[%.*s]\n", record.line, why, (int)record.raw.bytes, record.raw.data);
        }
    }
}

static void assert_reads(struct span text, const char *expected)
{
    reader = byte_reader_of_memory(text);
    struct csv *csv = csv_new(reader, "test.csv", 0);
    struct buffer out = {0};
    read_all(csv, &out);
    buffer_add_u8(&out, '\0');
    assert_string_equal(out.data, expected);
    csv_close(csv);
    buffer_free(&out);
}

static void rows_are_split(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("a,b\n1,2\n"), "1:<a><b>\n2:<1><2>\n");
    assert_reads(SPAN_LITERAL("a,b\r\n1,2"), "1:<a><b>\n2:<1><2>\n");
    assert_reads(SPAN_LITERAL("a,\r\n,\r\n"), "1:<a><>\n2:<><>\n");
    assert_reads(SPAN_LITERAL("a,"), "1:<a><>\n");
    assert_reads(SPAN_LITERAL("a\r"), "1:<a>\n");
    assert_reads(SPAN_LITERAL("a\rb,c\n"), "1:<a\rb><c>\n");
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL(""), "");
    assert_reads(SPAN_LITERAL("\n\r\n\n"), "");
    assert_reads(SPAN_LITERAL("\xEF\xBB\xBF"), "");
    assert_reads(SPAN_LITERAL("\xEF\xBB"), "1:<\xEF\xBB>\n");
}

static void byte_order_marks_are_passed(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("\xEF\xBB\xBF\"a\",b\n"), "1:<a><b>\n");
    assert_reads(SPAN_LITERAL("a\n\xEF\xBB\xBFz\n"), "1:<a>\n2:<z>\n");
    assert_reads(SPAN_LITERAL("\xEF\xBB\xBF\xEF\xBB\xBF"
                              "a\n\xEF\xBB\xBF\n\xEF\xBB\xBF\"z\"\n"),
                 "1:<a>\n3:<z>\n");
}

static void quotes_hold_anything(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("\"a,b\",\"c\"\"d\",\"\"\n"), "1:<a,b><c\"d><>\n");
    assert_reads(SPAN_LITERAL("\"\"\"\",\"\"\"\"\"\""), "1:<\"><\"\">\n");
    assert_reads(SPAN_LITERAL("\"two\r\nlines\",x\nnext\n"), "1:<two\r\nlines><x>\n3:<next>\n");
    assert_reads(SPAN_LITERAL("a\"b,c\"\n"), "1:<a\"b><c\">\n");
    assert_reads(SPAN_LITERAL("\"\"\n"), "1:<>\n");
}

static void blank_lines_count(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("a\n\n\r\nb\n"), "1:<a>\n4:<b>\n");
}

static void bad_records_cost_one_line(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("a,\"b\"c,d\ne,f\n"), "1!invalid[a,\"b\"c,d]\n2:<e><f>\n");
    assert_reads(SPAN_LITERAL("a,\"b\r\nc,d\r\n"), "1!invalid[a,\"b]\n2:<c><d>\n");
    assert_reads(SPAN_LITERAL("a,\"b\nc,\"d\",\n"), "1!invalid[a,\"b]\n2:<c><d><>\n");
    assert_reads(SPAN_LITERAL("\""), "1!invalid[\"]\n");
    assert_reads(SPAN_LITERAL("a\0b,c\nd\n"), "1!invalid[a]\n2:<d>\n");
    assert_reads(SPAN_LITERAL("\"a\nb\",\"\0\"\nd\n"), "1!invalid[\"a\nb\",\"]\n3:<d>\n");
    assert_reads(SPAN_LITERAL("\"a\"\r,b\nc\n"), "1!invalid[\"a\"\r,b]\n2:<c>\n");
}

static void errors_name_file_and_line(void **state)
{
    (void)state;
    char text[] = "fine\n\"bad\"x\n";
    reader = byte_reader_of_memory(span_of(text));
    struct csv *csv = csv_new(reader, "staff.csv", 0);
    struct csv_record record;
    struct error err = {0};
    bool more = false;
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_true(span_equal(record.raw, SPAN_LITERAL("fine")));
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_INVALID);
    assert_string_equal(err.text, "staff.csv:2: text follows a closing quote: double the quotes inside a quoted field");
    csv_close(csv);
}

/* Feeds a pipe in two parts, the second only once the reader has taken the first. */
static void assert_reads_in_parts(struct span text, size_t first, const char *expected)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    FILE *file = fdopen(ends[0], "r");
    struct csv *csv = csv_of(file, "pipe");
    struct buffer out = {0};
    assert_int_equal(write(ends[1], text.data, first), first);
    pid_t writer = fork();
    if (writer == 0) {
        alarm(30); /* where the first part is never read */
        for (int left = 1; left > 0 && ioctl(ends[1], FIONREAD, &left) == 0;)
            sched_yield();
        _exit(write(ends[1], text.data + first, text.bytes - first) == (ssize_t)(text.bytes - first) ? 0 : 1);
    }
    close(ends[1]);
    read_all(csv, &out);
    buffer_add_u8(&out, '\0');
    assert_string_equal(out.data, expected);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    csv_close(csv);
    fclose(file);
    buffer_free(&out);
}

static void rows_do_not_depend_on_where_reads_end(void **state)
{
    (void)state;
    static const struct span text =
        SPAN_LITERAL("\xEF\xBB\xBF"
                     "a,b\r\n\"x\"\"y\",\"1\r\n2\"\r\n\r\n\"p\"q\n\"\",\n\"open,\nlast,\"end\"");
    static const char expected[] =
        "1:<a><b>\n2:<x\"y><1\r\n2>\n5!invalid[\"p\"q]\n6:<><>\n7!invalid[\"open,]\n8:<last><end>\n";
    assert_reads(text, expected);
    for (size_t first = 1; first < text.bytes; first++)
        assert_reads_in_parts(text, first, expected);
}

static FILE *file_of(const struct buffer *content)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(content->data, 1, content->bytes, file), content->bytes);
    rewind(file);
    return file;
}

/* Many windows' worth of rows of uneven length, so that windows end everywhere within a row. */
static void many_rows_come_through(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    struct buffer content = {0};
    for (int row = 0; row < ROWS; row++)
        buffer_printf(&content, "%d,\"%.*s\"\"\",x\r\n", row, row % 61,
                      "-------------------------------------------------------------");
    FILE *file = file_of(&content);
    struct csv *csv = csv_of(file, "many");
    struct csv_record record;
    struct error err = {0};
    bool more = true;
    for (int row = 0; row < ROWS; row++) {
        assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
        assert_true(more);
        assert_int_equal(record.field_count, 3);
        assert_int_equal(record.line, row + 1);
        assert_int_equal(atoi(record.fields[0].data), row);
        assert_int_equal(record.fields[1].bytes, row % 61 + 1);
        assert_int_equal(record.fields[1].data[row % 61], '"');
    }
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_false(more);
    csv_close(csv);
    fclose(file);
    buffer_free(&content);
}

static void add_repeated(struct buffer *out, char c, size_t count)
{
    memset(buffer_reserve(out, count), c, count);
    out->bytes += count;
}

/* Reads `content` and expects a good row, one refused as too long, and a good row on `last_line`. */
static void assert_one_too_long(struct buffer *content, size_t last_line)
{
    FILE *file = file_of(content);
    struct csv *csv = csv_of(file, "long");
    struct csv_record record;
    struct error err = {0};
    bool more = true;
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_LIMIT);
    assert_int_equal(record.line, 2);
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_int_equal(record.line, last_line);
    assert_true(span_equal(record.raw, SPAN_LITERAL("end,x")));
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_false(more);
    csv_close(csv);
    fclose(file);
    buffer_free(content);
}

static void records_over_the_limit_are_passed(void **state)
{
    (void)state;
    static const size_t sizes[] = {1024 * 1024 + 1, 2 * 1024 * 1024, 5 * 1024 * 1024 + 17};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct buffer content = {0};
        buffer_add_text(&content, "a,b\n");
        add_repeated(&content, 'x', sizes[s]);
        buffer_add_text(&content, "\nend,x\n");
        assert_one_too_long(&content, 3);
    }
}

static void bytes_that_were_peeked_at_are_not_lost(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct span head;
    struct error err;
    reader = byte_reader_of_memory(SPAN_LITERAL("a,b\n1,2\n"));
    assert_int_equal(byte_reader_peek(reader, 4, &head, &err), STATUS_OK);
    struct csv *csv = csv_new(reader, "peeked", 0);
    read_all(csv, &out);
    assert_true(span_equal(buffer_span(&out), SPAN_LITERAL("1:<a><b>\n2:<1><2>\n")));
    csv_close(csv);
    buffer_free(&out);
}

static void padding_is_no_part_of_a_field(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL(" a , b \n"), "1:<a><b>\n");
    assert_reads(SPAN_LITERAL(" \"a,b\" ,\"c\" \r\n  \" d \"\"\"\n"), "1:<a,b><c>\n2:<d \">\n");
    assert_reads(SPAN_LITERAL("a,\xC2\xA0 1\xC2\xA0,\tb\n   ,  ,\n"), "1:<a><1><b>\n2:<><><>\n");
    assert_reads(SPAN_LITERAL("a, \"b\" c,d\n"), "1:<a><\"b\" c><d>\n");
    assert_reads(SPAN_LITERAL("a, \"b\"\"c\" d, \"e\n"), "1:<a><\"b\"\"c\" d><\"e>\n");
    assert_reads(SPAN_LITERAL("a\xC2\xA1,\xC3\xA0\n"), "1:<a\xC2\xA1><\xC3\xA0>\n");
}

static void the_delimiter_is_found(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("a;b;c\n1,5;2,5;3,5\n"), "1:<a><b><c>\n2:<1,5><2,5><3,5>\n");
    assert_reads(SPAN_LITERAL("a\tb\n1, x\t2\n"), "1:<a><b>\n2:<1, x><2>\n");
    assert_reads(SPAN_LITERAL("a|b\n\"1|1\"|2\n"), "1:<a><b>\n2:<1|1><2>\n");
    assert_reads(SPAN_LITERAL("Staff, of May\n\na;b;c\n1;2;3\n4;5;6\n"),
                 "1:<Staff, of May>\n3:<a><b><c>\n4:<1><2><3>\n5:<4><5><6>\n");
    assert_reads(SPAN_LITERAL("a,b\n\"x;y;z\",1\n\"x;y;z\",2\n"), "1:<a><b>\n2:<x;y;z><1>\n3:<x;y;z><2>\n");
    assert_reads(SPAN_LITERAL("sep=;\r\na;b,c,d,e\r\n"), "2:<a><b,c,d,e>\n");
    assert_reads(SPAN_LITERAL("\xEF\xBB\xBF\"sep=^\"\na^b\n"), "2:<a><b>\n");
    assert_reads(SPAN_LITERAL("sep=,,,,\na,b;c;d\n"), "2:<a><b;c;d>\n");
    assert_reads(SPAN_LITERAL("separate\n1\n"), "1:<separate>\n2:<1>\n");
}

static void the_delimiter_is_given(void **state)
{
    (void)state;
    struct buffer out = {0};
    reader = byte_reader_of_memory(SPAN_LITERAL("a,b:c\n1,2:3\n"));
    struct csv *csv = csv_new(reader, "given", ':');
    read_all(csv, &out);
    assert_true(span_equal(buffer_span(&out), SPAN_LITERAL("1:<a,b><c>\n2:<1,2><3>\n")));
    assert_int_equal(csv_delimiter(csv), ':');
    csv_close(csv);
    buffer_free(&out);
}

static void lines_may_end_in_cr(void **state)
{
    (void)state;
    assert_reads(SPAN_LITERAL("a,b\r1,\"x\ry\"\r3,4"), "1:<a><b>\n2:<1><x\ry>\n4:<3><4>\n");
    assert_reads(SPAN_LITERAL("a,b\r\r\"1\"x,2\r3,4\r"), "1:<a><b>\n3!invalid[\"1\"x,2]\n4:<3><4>\n");
}

/* A quoted field of many short lines that never ends: parsing it again must not cost the square of its size. */
static void many_lines_in_one_quote_stay_cheap(void **state)
{
    (void)state;
    struct buffer content = {0};
    struct csv_record record;
    struct error err = {0};
    bool more = false;
    buffer_add_u8(&content, '"');
    add_repeated(&content, '\n', 1000000);
    buffer_add_text(&content, "\",x\n");
    FILE *file = file_of(&content);
    struct csv *csv = csv_of(file, "lines");
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_int_equal(record.field_count, 2);
    assert_int_equal(record.fields[0].bytes, 1000000);
    csv_close(csv);
    fclose(file);
    buffer_free(&content);
}

static void the_longest_record_is_read(void **state)
{
    (void)state;
    struct buffer content = {0};
    struct csv_record record;
    struct error err = {0};
    bool more = false;
    add_repeated(&content, 'x', 1024 * 1024);
    buffer_add_text(&content, "\nb\n");
    FILE *file = file_of(&content);
    struct csv *csv = csv_of(file, "longest");
    assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_OK);
    assert_int_equal(record.fields[0].bytes, 1024 * 1024);
    csv_close(csv);
    fclose(file);
    buffer_free(&content);
}

/* The quote swallows more than the limit; only its own line is lost. */
static void an_unclosed_quote_in_a_large_file_costs_one_line(void **state)
{
    (void)state;
    struct buffer content = {0}, out = {0};
    buffer_add_text(&content, "a,\"b\n");
    for (int row = 0; row < 300000; row++)
        buffer_add_text(&content, "c,d,e,f\n");
    FILE *file = file_of(&content);
    struct csv *csv = csv_of(file, "quote");
    read_all(csv, &out);
    static const char start[] = "1!limit[a,\"b]\n2:<c><d><e><f>\n";
    assert_memory_equal(out.data, start, strlen(start));
    size_t lines = 0;
    for (size_t i = 0; i < out.bytes; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, 300001);
    csv_close(csv);
    fclose(file);
    buffer_free(&content);
    buffer_free(&out);
}

static void a_failed_read_is_final(void **state)
{
    (void)state;
    FILE *file = fopen("/", "r");
    assert_non_null(file);
    struct csv *csv = csv_of(file, "/");
    struct csv_record record;
    struct error err = {0};
    bool more = true;
    for (int attempt = 0; attempt < 2; attempt++) {
        assert_int_equal(csv_next(csv, &record, &more, &err), STATUS_IO);
        assert_non_null(strstr(err.text, "Is a directory"));
    }
    csv_close(csv);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_split),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(byte_order_marks_are_passed),
        cmocka_unit_test(quotes_hold_anything),
        cmocka_unit_test(blank_lines_count),
        cmocka_unit_test(bad_records_cost_one_line),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(rows_do_not_depend_on_where_reads_end),
        cmocka_unit_test(many_rows_come_through),
        cmocka_unit_test(records_over_the_limit_are_passed),
        cmocka_unit_test(bytes_that_were_peeked_at_are_not_lost),
        cmocka_unit_test(padding_is_no_part_of_a_field),
        cmocka_unit_test(the_delimiter_is_found),
        cmocka_unit_test(the_delimiter_is_given),
        cmocka_unit_test(lines_may_end_in_cr),
        cmocka_unit_test(many_lines_in_one_quote_stay_cheap),
        cmocka_unit_test(the_longest_record_is_read),
        cmocka_unit_test(an_unclosed_quote_in_a_large_file_costs_one_line),
        cmocka_unit_test(a_failed_read_is_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
