/* producer/input.h on files as the field writes them: whatever the delimiter, encoding, compression and form, each row
 * is read or refused by line, and the message says what to do. */
#include "tests/unit/producer/unit.h"

#include "base/memory.h"
#include "producer/input.h"

static const _Atomic bool never; /* stops */

static int64_t fixed_time(void *context)
{
    (void)context;
    return 1795428000123456;
}

static const struct clock_source fixed_clock = {fixed_time, fixed_time, NULL};

static struct input_settings settings_of_test(void)
{
    return (struct input_settings){
        .schema = test_schema, .clock = &fixed_clock, .validate = true, .max_future_us = 24 * 3600 * INT64_C(1000000)};
}

static const char *file_of(const char *name, struct span bytes)
{
    const char *path = unit_file(name, NULL);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.bytes, file), bytes.bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void note_faults(const struct input *input, const struct input_row *row, struct buffer *out)
{
    size_t directory = strlen(test_directory) + 1;
    for (size_t f = 0; f < row->fault_count; f++) {
        struct buffer text = {0};
        input_fault_describe(input, row, &row->faults[f], &text);
        buffer_printf(out, "%.*s\n", (int)(text.bytes - directory), text.data + directory);
        buffer_free(&text);
    }
}

/* What becomes of a file: `line id Age` of each good row, its faults of a bad one, `!text` of what ends it. */
static void assert_rows(const char *name, struct span bytes, const struct input_settings *settings,
                        const char *expected)
{
    int32_t age = schema_column(test_schema, SPAN_LITERAL("Age"));
    struct buffer out = {0};
    struct error err = {0};
    struct input *input = NULL;
    struct input_row *row = mem_zeroed(1, sizeof *row);
    bool more = true;
    enum status status = input_open(file_of(name, bytes), settings, &input, &err);
    while (status == STATUS_OK && (status = input_next(input, row, &more, &err)) == STATUS_OK && more) {
        if (row->fault_count)
            note_faults(input, row, &out);
        else
            buffer_printf(&out, "%zu %.*s %g\n", row->line, (int)row->event.employee_id.bytes,
                          row->event.employee_id.data, row->event.cells[age].number);
    }
    if (status != STATUS_OK) {
        const char *text = strstr(err.text, name);
        buffer_printf(&out, "!%s\n", text ? text : err.text);
    }
    buffer_add_u8(&out, '\0');
    if (strncmp(out.data, expected, strlen(expected)) != 0 ||
        (out.data[strlen(expected)] && expected[strlen(expected) - 1] == '\n'))
        fail_msg("%s gives\n%sinstead of\n%s", name, out.data, expected);
    input_free(input);
    free(row);
    buffer_free(&out);
}

#define ROWS(name, text, expected) assert_rows(name, SPAN_LITERAL(text), &settings, expected)

static void tables_of_spreadsheets(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv",
         "\xef\xbb\xbf"
         "EmployeeNumber;Age\r\nE1;41\r\nE2;42\r\n",
         "2 E1 41\n3 E2 42\n");
    ROWS("a.csv", "sep=;\r\nEmployeeNumber;Age\r\nE1;41\r\n", "3 E1 41\n");
    ROWS("a.tsv", "EmployeeNumber\tAge\nE1\t41\n", "2 E1 41\n");
    ROWS("a.csv", "Staff of May\n\nEmployeeNumber,Age\nE1,41\n", "4 E1 41\n");
    ROWS("a.csv", "\"Staff; all\";\r\n;\r\n EmployeeNumber ; Age \r\n E1 ; 41 \r\n", "4 E1 41\n");
    ROWS("a.csv",
         "\xff\xfe"
         "A\0g\0e\0\n\0"
         "4\0"
         "1\0\n\0",
         "2 row-2 41\n");
    ROWS("a.csv", "E;F\n1;2\n",
         "!a.csv:1: none of the columns is known to the schema: the first line must name the columns. Read with the "
         "delimiter \";\" it begins with \"E\", \"F\"; another one is set with --delimiter, another encoding with "
         "--encoding\n");
    ROWS("a.csv", "EMPLOYEE_NUMBER,AGE,x,y\nE1,41,,\n",
         "!a.csv:1: none of the columns is known to the schema: the first line must name the columns. Read with the "
         "delimiter \",\" it begins with \"EMPLOYEE_NUMBER\", \"AGE\", \"x\", … (the schema writes "
         "\"EmployeeNumber\"; rename the columns, or use --map); another one");
    ROWS("a.csv", "PK\3\4\x14\0[Content_Types].xml", "!a.csv is a workbook (.xlsx), which is not read: save");
    ROWS("a.parquet", "PAR1\x15\0\x15", "!a.parquet is Parquet, which is not read: convert it to CSV");
    ROWS("a.csv", "EmployeeNumber^Age\nE1^41\n",
         "!a.csv:1: none of the columns is known to the schema: the first line must name the columns. Read with the "
         "delimiter \",\" it begins with \"EmployeeNumber^Age\" (give --delimiter \"^\"); another one");
    ROWS("a.csv", "\"EmployeeNumber,Age\"\n\"E1,41\"\n",
         "!a.csv:1: none of the columns is known to the schema: the first line must name the columns. Read with the "
         "delimiter \",\" it begins with \"EmployeeNumber,Age\" (whole lines are in quotes: export");
    ROWS("a.csv", "[{\"Age\": 41}]", "!a.csv is JSON, whatever it is called: give --format jsonl\n");
    ROWS("a.csv", " \xef\xbb\xbf\n\nEmployeeNumber,Age\nE1,41\n", "4 E1 41\n");
    ROWS("a.csv.gz", "version https://git-lfs.github.com/spec/v1\n", "!a.csv.gz is a pointer of Git LFS, which");
    settings.delimiter = ':';
    ROWS("a.csv", "EmployeeNumber:Age\nE,1:41\n", "2 E,1 41\n");
}

/* What the rejects of an Avro file look like. */
static void lists_make_rows_partial(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv",
         "EmployeeNumber,event_type,changed,Age,OverTime\n"
         "E1,CHANGED,\"[\"\"Age\"\"]\",41,nonsense\n"
         "E2,CHANGED,[],,\n"
         "E3,CHANGED,2025-03-04,43,Yes\n"
         "E4,SNAPSHOT,\"[\"\"Age\"\"]\",44,Yes\n"
         "E5,CHANGED,\"[\"\"age\"\"]\",45,Yes\n"
         "E6,CHANGED,\"[\"\"Age\"\",\"\"Age\"\"]\",46,Yes\n"
         "E7,CHANGED,[Age,47,Yes\n"
         "E8,CHANGED,\"[\"\"Age\"\"]\",17,Yes\n",
         "2 E1 41\n3 E2 0\n4 E3 43\n"
         "a.csv:5: column changed (3): rule: only an event of type CHANGED has a list\n"
         "a.csv:6: column changed (3): unknown_field: names no attribute of the schema\n"
         "a.csv:7: column Age (4): unknown_field: a duplicate in changed\n"
         "a.csv:8: column changed (3): wrong_type: not a list of attributes' names in JSON\n"
         "a.csv:9: column Age (4): out_of_range: outside 18 to 100\n");
}

static void files_that_were_joined(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv",
         "\xef\xbb\xbf"
         "EmployeeNumber,Age\nE1,41\n\xef\xbb\xbf"
         "EmployeeNumber,Age\nE2,42\n",
         "2 E1 41\n4 E2 42\n");
    ROWS("a.csv",
         "EmployeeNumber,Age\nE1,41\n\xef\xbb\xbf"
         "E2,42\n",
         "2 E1 41\n3 E2 42\n");
    ROWS("a.csv", "EmployeeNumber,Age\nE1,41\nAge,EmployeeNumber\n42,E2\n",
         "2 E1 41\n!a.csv:3: another header, with other columns than the first: two tables were joined.");
    ROWS("a.csv", "EmployeeNumber,Age\nE1,41\nAge,EmployeeNumber,OverTime\n42,E2,Yes\n",
         "2 E1 41\n!a.csv:3: another header, ");
    ROWS("a.csv", "EmployeeNumber,Age\nE1,41\n\"EmployeeNumber\", Age\nE2,42\n", "2 E1 41\n4 E2 42\n");
    ROWS("a.csv", "EmployeeNumber;Age\nE1;41\nEmployeeNumber,Age\nE2,42\nE3,43\n",
         "!a.csv:1: a header with the delimiter \";\", and line 3 is one with another: two tables were joined; make a "
         "file of each (head -n 2, tail -n +3)\n");
    ROWS("a.csv", "Staff\n\nEmployeeNumber\tAge\nE1\t41\nEmployeeNumber,Age\nE2,42\nE3,43\n",
         "!a.csv:3: a header with the delimiter tab, and line 5 is one with another");
    ROWS("a.csv", "EmployeeNumber,Age\nE1,41\nEmployeeNumber;Age\nE2;42\n",
         "2 E1 41\na.csv:3: column Age (2): malformed: the row has 1 fields, the header 2\n"
         "a.csv:4: column Age (2): malformed: the row has 1 fields, the header 2\n");
    ROWS("a.jsonl", "{\"employee_id\":\"a\",\"Age\":41}\n\xef\xbb\xbf{\"employee_id\":\"b\",\"Age\":42}\n",
         "1 a 41\n2 b 42\n");
    ROWS("a.json", "[{\"employee_id\":\"a\",\"Age\":41}]\n\xef\xbb\xbf[{\"employee_id\":\"b\",\"Age\":42}]\n",
         "1 a 41\n2 b 42\n");
}

static void ids_that_a_spreadsheet_touched(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv", "EmployeeNumber,Age\n\"=\"\"0001\"\"\",41\n=\"0002\",42\n'0003,43\n'x,44\n12E5,45\n",
         "2 0001 41\n3 0002 42\n4 0003 43\n5 'x 44\n6 12E5 45\n");
    ROWS("a.csv", "EmployeeNumber,Age\n\"=\"\"\"\"\",41\n=0003,41\n=A1+1,41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is empty\n"
         "a.csv:3: column EmployeeNumber (1): bad_id: the id is a formula: export the values\na.csv:4: ");
    ROWS("a.csv", "EmployeeNumber,Age\n123.0,41\n1.0E5,41\n",
         "2 123.0 41\na.csv:3: column EmployeeNumber (1): bad_id: the id is a number that a spreadsheet has");
    ROWS("a.csv", "EmployeeNumber,Age\n#BEZUG!,41\n#NV,41\n#H\xc3\x81NY!,41\n#DIV/0!,41\n#HR-1,42\n#ab,43\n#A1,44\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error (#REF!, #N/A, ####): correct the "
         "formula, widen the column, and export again\n"
         "a.csv:3: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error (#REF!, #N/A, ####): correct the "
         "formula, widen the column, and export again\n"
         "a.csv:4: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error (#REF!, #N/A, ####): correct the "
         "formula, widen the column, and export again\n"
         "a.csv:5: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error (#REF!, #N/A, ####): correct the "
         "formula, widen the column, and export again\n6 #HR-1 42\n7 #ab 43\n8 #A1 44\n");
    ROWS("a.csv", "EmployeeNumber,Age\n-1.5E+10,41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is a number that a spreadsheet has shortened");
    ROWS("a.csv", "EmployeeNumber,Age\nErr:502,41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error");
    ROWS("a.jsonl", "{\"employee_id\":\"=A1\",\"Age\":41}\n{\"employee_id\":\"'0124\",\"Age\":41}\n",
         "a.jsonl:1: field employee_id: bad_id: the id is a formula: export the values\n"
         "a.jsonl:2: field employee_id: bad_id: the id begins with a spreadsheet's apostrophe: take it off\n");
    ROWS("a.csv", "EmployeeNumber,Age\n1.23457E+11,41\n1E+11,41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is a number that a spreadsheet has shortened (1.23E+11): "
         "export the column as text\na.csv:3: ");
    ROWS("a.csv", "EmployeeNumber;Age\n1,23457E+11;41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is a number");
    ROWS("a.csv", "EmployeeNumber,Age\n#REF!,41\n#####,41\n#7,43\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error (#REF!, #N/A, ####): correct the "
         "formula, widen the column, and export again\n"
         "a.csv:3: column EmployeeNumber (1): bad_id: the id is a spreadsheet's error (#REF!, #N/A, ####): correct the "
         "formula, widen the column, and export again\n4 #7 43\n");
}

static void ids_with_what_nobody_sees(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv",
         "EmployeeNumber,Age\xe2\x80\x8b\n\"\xef\xbb\xbf"
         "E1\",41\n\xe2\x80\x8d"
         "E2\xe2\x80\x8b,42\n\xe3\x80\x80"
         "E3,43\n",
         "2 E1 41\n3 E2 42\n4 E3 43\n");
    ROWS("a.csv",
         "EmployeeNumber,Age\nE\xef\xbb\xbf"
         "1,41\nE\xc2\xad"
         "2,41\nM\xef\xbf\xbdller,41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id has a byte-order mark inside: two files were joined\n"
         "a.csv:3: column EmployeeNumber (1): bad_id: the id has an invisible character inside (U+00AD)\n"
         "a.csv:4: column EmployeeNumber (1): bad_id: the id was decoded wrongly before (U+FFFD stands for what is "
         "lost): export it again\n");
    ROWS("a.jsonl",
         "{\"employee_id\":\"\xef\xbb\xbf"
         "E1\",\"Age\":41}\n",
         "a.jsonl:1: field employee_id: bad_id: the id begins with a byte-order mark: two files were joined\n");
}

static void numbers_that_would_be_times_in_1970(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    settings.time_unit = TIME_UNIT_S;
    ROWS("a.csv",
         "EmployeeNumber,Age,occurred_at\nE1,41,1735689600\nE2,41,20250304\nE3,41,45720\nE4,41,0\n"
         "E5,41,1970-06-01\n",
         "2 E1 41\na.csv:3: column occurred_at (3): wrong_type: a number that would be a time in 1970, so that it "
         "hardly counts in the given unit: write ISO 8601 (2025-03-04)\na.csv:4: column occurred_at (3): wrong_type: a "
         "number that would be a time in 1970, so that it hardly counts in the given unit: write ISO 8601 "
         "(2025-03-04)\na.csv:5: column occurred_at (3): wrong_type: a number that would be a time in 1970, so that it "
         "hardly counts in the given unit: write ISO 8601 (2025-03-04)\n6 E5 41\n");
    ROWS("a.jsonl", "{\"employee_id\":\"a\",\"Age\":41,\"occurred_at\":20250304}\n",
         "a.jsonl:1: field occurred_at: wrong_type: a number that would be a time in 1970");
    ROWS("a.jsonl", "{\"employee_id\":\"a\",\"Age\":41,\"occurred_at\":\"1970-06-01\"}\n", "1 a 41\n");
}

static void texts_that_mean_nothing(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv", "EmployeeNumber,Age,OverTime\nE1,NA,Yes\nE2,41,#N/A\n",
         "a.csv:2: column Age (2): wrong_type: text where a number is due\na.csv:3: column OverTime (3): "
         "unknown_category: ");
    assert_true(null_values_parse("NA, NULL ,,#N/A, ,-", &settings.null_values));
    ROWS("a.csv", "EmployeeNumber,Age,OverTime,occurred_at\nE1,NA,Yes,NULL\nE2,41,#N/A,-\nE3,na,Yes,\nNA,41,Yes,\n",
         "2 E1 nan\n3 E2 41\na.csv:4: column Age (2): wrong_type: text where a number is due\n"
         "a.csv:5: column EmployeeNumber (1): bad_id: the id is empty\n");
}

static void decimal_commas(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv", "EmployeeNumber;Age\nE1;41,0\nE2;\"1,234\"\nE3;,\n",
         "a.csv:2: column Age (2): wrong_type: a number with a comma: thousands are never guessed; a decimal comma "
         "needs "
         "--decimal-comma\na.csv:3: column Age (2): wrong_type: a number with a comma");
    settings.decimal_comma = true;
    ROWS("a.csv", "EmployeeNumber;Age\nE1;41,0\nE2;42\nE3;1.234\nE4;1,2,3\nE5;41,5\n",
         "2 E1 41\n3 E2 42\na.csv:4: column Age (2): wrong_type: a number with a point, which --decimal-comma does not "
         "take: thousands are never guessed\na.csv:5: column Age (2): wrong_type: text where a number is due\n"
         "a.csv:6: column Age (2): wrong_type: not an integer\n");
    ROWS("a.csv", "EmployeeNumber,Age\nE1,41\n", "!a.csv: --decimal-comma: the comma is this file's delimiter");
}

static void other_encodings(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.csv", "EmployeeNumber,Age\nM\xfcller,41\n",
         "a.csv:2: column EmployeeNumber (1): bad_id: the id is not UTF-8\n");
    settings.encoding = "windows-1252";
    ROWS("a.csv", "EmployeeNumber,Age\nM\xfcller,41\n", "2 M\xc3\xbcller 41\n");
    struct input *input = NULL;
    struct error err;
    assert_int_equal(input_open(unit_file("a.csv", NULL), &settings, &input, &err), STATUS_OK);
    assert_true(span_equal(input_header(input), SPAN_LITERAL("\xef\xbb\xbf"
                                                             "EmployeeNumber,Age")));
    input_free(input);
}

static void json_arrays(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    ROWS("a.json",
         " [ {\"employee_id\": \"a\",\n \"Age\": 41},{\"employee_id\":\"],{\\\"\", \"Age\":42}\n, "
         "{\"employee_id\":\"c\",\"attributes\":{\"Age\":43}} ] \n",
         "1 a 41\n2 ],{\" 42\n3 c 43\n");
    ROWS("a.json", "[]", "");
    ROWS("a.json", "[{\"Age\":41},{\"Age\":42},]", "1 row-1 41\n1 row-2 42\n");
    ROWS("a.json", "[1, {\"employee_id\":\"b\",\"Age\":41}, {\"employee_id\":}, [2]]",
         "a.json:1: element 1: malformed: not a JSON object (column 2)\n1 b 41\na.json:1: element 3: malformed: not "
         "JSON (column 16)\n"
         "a.json:1: element 4: malformed: not a JSON object (column 2)\n");
    ROWS(
        "a.json", "[{\"employee_id\":\"a\",\"Age\":41},\n{\"employee_id\":",
        "1 a 41\n!a.json:2: the JSON array is not closed: the file was cut, or a quote is never closed; the 1 elements "
        "before were read\n");
    /* A tab in a text is no JSON, and no space either. */
    ROWS("a.json", "[{\"employee_id\":\"a\tb\",\"Age\":41},\t{\"employee_id\":\"c\",\"Age\":42}]",
         "a.json:1: element 1: malformed: not JSON: a control character in a text (column 19)\n1 c 42\n");
    ROWS("a.json", "[{\"employee_id\":\"a\",\"Age\":41}] x",
         "1 a 41\n!a.json:1: something follows the JSON array's end");
}

static void a_huge_element_costs_itself(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    struct buffer text = {0};
    buffer_add_text(&text, "[{\"employee_id\":\"a\",\"x\":\"");
    memset(buffer_reserve(&text, 5000000), 'x', 5000000);
    text.bytes += 5000000;
    buffer_add_text(&text, "\"},\n{\"employee_id\":\"b\",\"Age\":42}]");
    assert_rows(
        "a.json", buffer_span(&text), &settings,
        "a.json:1: element 1: limit: the line is longer than 1 MiB; the rejects file has its beginning\n2 b 42\n");
    buffer_free(&text);
}

static void event_ids_of_one_line_differ(void **state)
{
    (void)state;
    struct input_settings settings = settings_of_test();
    struct input *input = NULL;
    struct input_row *row = mem_zeroed(1, sizeof *row);
    struct error err;
    bool more;
    char first[64];
    assert_int_equal(
        input_open(file_of("a.json", SPAN_LITERAL("[{\"Age\":41},{\"Age\":41}]")), &settings, &input, &err), STATUS_OK);
    assert_int_equal(input_next(input, row, &more, &err), STATUS_OK);
    snprintf(first, sizeof first, "%.*s", (int)row->event.event_id.bytes, row->event.event_id.data);
    assert_int_equal(input_next(input, row, &more, &err), STATUS_OK);
    assert_false(span_equal(row->event.event_id, span_of(first)));
    input_free(input);
    free(row);
}

static void lines_are_counted_where_they_are_rows(void **state)
{
    (void)state;
    assert_int_equal(input_count_lines(file_of("a.csv", SPAN_LITERAL("Age\n41\n42")), &never), 3);
    assert_int_equal(input_count_lines(file_of("a.json", SPAN_LITERAL("\xef\xbb\xbf [\n{},\n{}]\n")), &never), 0);
    assert_int_equal(input_count_lines(file_of("a.gz", SPAN_LITERAL("\x1f\x8b\x08\n\n")), &never), 0);
    assert_int_equal(input_count_lines(file_of("a.avro", SPAN_LITERAL("Obj\x01\n")), &never), 0);
    static const _Atomic bool stopped = true; /* a huge file is not counted to its end before Ctrl-C counts */
    assert_int_equal(input_count_lines(file_of("b.csv", SPAN_LITERAL("Age\n41\n42")), &stopped), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_of_spreadsheets),
        cmocka_unit_test(lists_make_rows_partial),
        cmocka_unit_test(files_that_were_joined),
        cmocka_unit_test(ids_that_a_spreadsheet_touched),
        cmocka_unit_test(ids_with_what_nobody_sees),
        cmocka_unit_test(numbers_that_would_be_times_in_1970),
        cmocka_unit_test(texts_that_mean_nothing),
        cmocka_unit_test(decimal_commas),
        cmocka_unit_test(other_encodings),
        cmocka_unit_test(json_arrays),
        cmocka_unit_test(a_huge_element_costs_itself),
        cmocka_unit_test(event_ids_of_one_line_differ),
        cmocka_unit_test(lines_are_counted_where_they_are_rows),
    };
    return cmocka_run_group_tests_name("producer/input_files", tests, unit_setup, unit_teardown);
}
