/* producer/input.h and producer/rejects.h: planted faults are found by line and column, and cost no other row. */
#include "tests/unit/producer/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "producer/input.h"
#include "producer/rejects.h"

static const _Atomic bool never; /* stops */

static int64_t fixed_time(void *context)
{
    (void)context;
    return 1795428000123456;
}

static const struct clock_source fixed_clock = {fixed_time, fixed_time, NULL};

struct outcome {
    enum status opened;
    struct error err;
    struct buffer sent;   /* `line id type ms [Age]` of each good row */
    struct buffer report; /* what rejects said */
    struct reject_totals totals;
    struct rejects_taken taken;
    char event_id[37]; /* of the last good row */
};

static struct input_map *test_map; /* of the test at work */
static bool test_partial, test_ids_needed;

static void outcome_free(struct outcome *outcome)
{
    buffer_free(&outcome->sent);
    buffer_free(&outcome->report);
    rejects_taken_free(&outcome->taken);
}

static void note_row(struct outcome *outcome, const struct input_row *row)
{
    const struct event *event = &row->event;
    int32_t age = schema_column(test_schema, SPAN_LITERAL("Age"));
    buffer_printf(&outcome->sent, "%zu %.*s %d %lld ", row->line, (int)event->employee_id.bytes,
                  event->employee_id.data, event->type, (long long)event->occurred_at_ms);
    if (event->cells[age].code == CELL_UNLISTED)
        buffer_add_text(&outcome->sent, "as it was\n");
    else
        buffer_printf(&outcome->sent, "%g\n", event->cells[age].number);
    snprintf(outcome->event_id, sizeof outcome->event_id, "%.*s", (int)event->event_id.bytes, event->event_id.data);
}

static struct outcome run_in_unit(const char *name, const char *text, bool validate, enum time_unit unit)
{
    struct outcome outcome = {0};
    struct input_settings settings = {.schema = test_schema,
                                      .clock = &fixed_clock,
                                      .validate = validate,
                                      .time_unit = unit,
                                      .map = test_map,
                                      .partial = test_partial,
                                      .event_type = test_partial ? EVENT_TYPE_CHANGED : EVENT_TYPE_SNAPSHOT,
                                      .ids_needed = test_ids_needed,
                                      .max_future_us = 24 * 3600 * INT64_C(1000000)};
    const char *path = unit_file(name, text);
    struct input *input = NULL;
    struct input_row *row = mem_zeroed(1, sizeof *row);
    bool more = true;
    outcome.opened = input_open(path, &settings, &input, &outcome.err);
    if (outcome.opened == STATUS_OK) {
        char *report_text = NULL;
        size_t report_bytes = 0;
        FILE *report = open_memstream(&report_text, &report_bytes);
        struct rejects *rejects = rejects_new(input, NULL, report, NULL, &outcome.totals, &outcome.taken);
        while (input_next(input, row, &more, &outcome.err) == STATUS_OK && more)
            if (row->fault_count)
                assert_true(rejects_add(rejects, row));
            else
                note_row(&outcome, row);
        assert_int_equal(rejects_close(rejects, true, &outcome.err), STATUS_OK);
        fclose(report);
        buffer_add_text(&outcome.report, report_text);
        buffer_add_u8(&outcome.report, '\0');
        free(report_text);
    }
    buffer_add_u8(&outcome.sent, '\0');
    input_free(input);
    free(row);
    return outcome;
}

static struct outcome run(const char *name, const char *text, bool validate)
{
    return run_in_unit(name, text, validate, TIME_UNIT_NONE);
}

static void assert_says(const struct outcome *outcome, const char *text)
{
    if (!strstr(outcome->report.data, text))
        fail_msg("the report has no \"%s\":\n%s", text, outcome->report.data);
}

#define HEADER "EmployeeNumber,Age,Department,OverTime,TotalWorkingYears,YearsAtCompany,Attrition,Over18\r\n"

static void test_csv_faults(void **state)
{
    (void)state;
    struct outcome outcome = run("faults.csv",
                                 "\xef\xbb\xbf" HEADER "1,41,Sales,Yes,8,6,Yes,Y\r\n"
                                 "2,210,Sales,Yes,8,6,Yes,Y\r\n"
                                 "3,41,Shoes,Yes,8,6,Yes,Y\r\n"
                                 "4,old,Sales,Yes,8,6,Yes,Y\r\n"
                                 "5,41,Sales\r\n"
                                 "6,NaN,Sales,Yes,8,6,Yes,Y\r\n"
                                 "7,41,Sales,Yes,8,9,Yes,Y\r\n"
                                 ",41,Sales,Yes,8,6,Yes,Y\r\n"
                                 "9,4.5,Sales,Maybe,8,6,Yes,Y\r\n"
                                 "10,,Sales,,,,,\r\n",
                                 true);
    assert_int_equal(outcome.opened, STATUS_OK);
    assert_string_equal(outcome.sent.data, "2 1 0 1795428000123 41\n11 10 0 1795428000123 nan\n");
    assert_says(&outcome, "faults.csv:3: column Age (2): out_of_range: outside 18 to 100");
    assert_says(&outcome, "faults.csv:4: column Department (3): unknown_category: ");
    assert_says(&outcome, "faults.csv:5: column Age (2): wrong_type: ");
    assert_says(&outcome, "faults.csv:6: column OverTime (4): malformed: the row has 3 fields, the header 8");
    assert_says(&outcome, "faults.csv:7: column Age (2): not_finite: ");
    assert_says(&outcome, "faults.csv:8: column YearsAtCompany (6): rule: ");
    assert_says(&outcome, "faults.csv:9: column EmployeeNumber (1): bad_id: the id is empty");
    assert_says(&outcome, "faults.csv:10: column Age (2): wrong_type: ");
    assert_says(&outcome, "faults.csv:10: column OverTime (4): unknown_category: ");
    assert_int_equal(outcome.totals.rows, 8);
    uint64_t sum = 0;
    for (size_t c = 0; c < EVENT_CODE_COUNT; c++)
        sum += outcome.totals.by_code[c];
    assert_int_equal(sum, 8);
    outcome_free(&outcome);
}

static void test_rejects_can_be_fixed(void **state)
{
    (void)state;
    char rejects[512], reasons[512];
    struct outcome outcome =
        run("fix.csv", HEADER "1,41,Sales,Yes,8,6,Yes,Y\r\n2,\"210\",Sales,Yes,8,6,Yes,Y\r\n", true);
    outcome_free(&outcome);
    unit_read(unit_file("fix.csv.rejects", NULL), rejects, sizeof rejects);
    assert_string_equal(rejects,
                        "EmployeeNumber,Age,Department,OverTime,TotalWorkingYears,YearsAtCompany,Attrition,Over18\n"
                        "2,\"210\",Sales,Yes,8,6,Yes,Y\n");
    unit_read(unit_file("fix.csv.rejects.txt", NULL), reasons, sizeof reasons);
    assert_non_null(strstr(reasons, "fix.csv:3: column Age (2): out_of_range: "));
    memcpy(strstr(rejects, "210"), "021", 3);
    outcome = run("fixed.csv", rejects, true);
    assert_string_equal(outcome.sent.data, "2 2 0 1795428000123 21\n");
    assert_int_equal(access(unit_file("fixed.csv.rejects", NULL), F_OK), -1);
    outcome_free(&outcome);
}

static void test_report_is_cut_but_files_are_not(void **state)
{
    (void)state;
    struct buffer text = {0};
    static char reasons[16384];
    buffer_add_text(&text, HEADER);
    for (int i = 0; i < REJECTS_SHOWN + 5; i++)
        buffer_add_text(&text, "2,210,Sales,Yes,8,6,Yes,Y\n");
    buffer_add_u8(&text, '\0');
    struct outcome outcome = run("many.csv", text.data, true);
    assert_says(&outcome, "many.csv:21: ");
    assert_null(strstr(outcome.report.data, "many.csv:22: "));
    assert_says(&outcome, "out_of_range: and 5 more");
    unit_read(unit_file("many.csv.rejects.txt", NULL), reasons, sizeof reasons);
    assert_non_null(strstr(reasons, "many.csv:26: "));
    outcome_free(&outcome);
    buffer_free(&text);
}

static void test_not_validated(void **state)
{
    (void)state;
    struct outcome outcome = run("raw.csv",
                                 HEADER "2,210,Shoes,Yes,8,9,Yes,Y\n"
                                        "3,old,Sales,Yes,8,6,Yes,Y\n"
                                        "4,3e9,Sales,Yes,8,6,Yes,Y\n"
                                        "5,4.5,Sales,Yes,8,6,Yes,Y\n",
                                 false);
    assert_string_equal(outcome.sent.data, "2 2 0 1795428000123 210\n");
    assert_says(&outcome, "raw.csv:3: column Age (2): wrong_type: ");
    assert_says(&outcome, "raw.csv:4: column Age (2): out_of_range: ");
    assert_says(&outcome, "raw.csv:5: column Age (2): wrong_type: ");
    outcome_free(&outcome);
}

static void test_headers(void **state)
{
    (void)state;
    struct outcome outcome = run("a.csv", "", true);
    assert_int_equal(outcome.opened, STATUS_INVALID);
    outcome_free(&outcome);
    outcome = run("b.csv", "a,b\n1,2\n", true);
    assert_int_equal(outcome.opened, STATUS_INVALID);
    assert_non_null(strstr(outcome.err.text, "none of the columns is known"));
    outcome_free(&outcome);
    outcome = run("c.csv", "Age,OverTime,Age\n1,2,3\n", true);
    assert_int_equal(outcome.opened, STATUS_INVALID);
    assert_non_null(strstr(outcome.err.text, "duplicate column Age in the header (1 and 3)"));
    outcome_free(&outcome);
    outcome = run("d.csv", "Age,Shoe\n41,9\n\n42,9\n", true);
    assert_string_equal(outcome.sent.data, "2 row-2 0 1795428000123 41\n4 row-4 0 1795428000123 42\n");
    outcome_free(&outcome);
    outcome =
        run("e.csv",
            "employee_id,event_type,occurred_at,event_id,Age\nE1,HIRED,2026-11-23T10:00:00Z,x-1,41\nE2,,,,42\n", true);
    assert_string_equal(outcome.sent.data, "2 E1 1 1795428000000 41\n3 E2 0 1795428000123 42\n");
    outcome_free(&outcome);
}

/* Dates as other systems write them: taken right, or refused by line and column. */
static void test_times(void **state)
{
    (void)state;
    struct outcome outcome = run("times.csv",
                                 "EmployeeNumber,Age,occurred_at\n"
                                 "a,41,20250304\nb,41,45720\nc,41,1741046400\nd,41,04.03.2025\ne,41,03/04/2025\n"
                                 "f,41,2025-03-04\ng,41,2025-03-04 10:00\nh,41,00000000\n"
                                 "i,41,9999-12-31\nj,41,1899-12-31\nk,41,2026-11-24T10:00:00Z\n",
                                 true);
    assert_string_equal(outcome.sent.data, "7 f 0 1741046400000 41\n8 g 0 1741082400000 41\n12 k 0 1795514400000 41\n");
    for (size_t line = 2; line <= 4; line++) {
        char wanted[96];
        snprintf(wanted, sizeof wanted,
                 "times.csv:%zu: column occurred_at (3): wrong_type: a bare number has no unit: ", line);
        assert_says(&outcome, wanted);
    }
    assert_says(&outcome, "times.csv:5: column occurred_at (3): wrong_type: not ISO 8601");
    assert_says(&outcome, "times.csv:6: column occurred_at (3): wrong_type: not ISO 8601");
    assert_says(&outcome, "times.csv:9: column occurred_at (3): wrong_type: ");
    assert_says(&outcome, "times.csv:10: column occurred_at (3): out_of_range: after 2026-11-24T10:00:00Z");
    assert_says(&outcome, "times.csv:11: column occurred_at (3): out_of_range: before 1900");
    assert_says(&outcome, "--time-unit (s, ms, us, ns or days)");
    outcome_free(&outcome);
    outcome = run("times.jsonl",
                  "{\"id\": \"a\", \"Age\": 41, \"occurred_at\": 1741046400000}\n"
                  "{\"id\": \"b\", \"occurred_at\": \"1741046400000\", \"attributes\": {\"Age\": 41}}\n",
                  true);
    assert_says(&outcome, "times.jsonl:2: field occurred_at: wrong_type: a bare number");
    outcome_free(&outcome);
    outcome = run_in_unit("seconds.jsonl",
                          "{\"employee_id\": \"a\", \"Age\": 41, \"occurred_at\": 1741046400}\n"
                          "{\"employee_id\": \"b\", \"Age\": 41, \"occurred_at\": \"2025-03-04\"}\n"
                          "{\"employee_id\": \"c\", \"Age\": 41, \"occurred_at\": 1741046400000}\n",
                          true, TIME_UNIT_S);
    assert_string_equal(outcome.sent.data, "1 a 0 1741046400000 41\n2 b 0 1741046400000 41\n");
    assert_says(&outcome, "seconds.jsonl:3: field occurred_at: out_of_range: ");
    outcome_free(&outcome);
}

static void test_ids(void **state)
{
    (void)state;
    struct outcome outcome = run("ids.csv",
                                 "EmployeeNumber,Age\nE1,41\n\xef\xbb\xbf"
                                 "E2,41\n\xff,41\n\"E\n3\",41\n"
                                 "E\xe2\x80\xae"
                                 "4,41\n",
                                 true);
    assert_string_equal(outcome.sent.data, "2 E1 0 1795428000123 41\n3 E2 0 1795428000123 41\n");
    assert_says(&outcome, "ids.csv:4: column EmployeeNumber (1): bad_id: the id is not UTF-8");
    assert_says(&outcome, "ids.csv:5: column EmployeeNumber (1): bad_id: the id has control characters");
    assert_says(&outcome, "bad_id: the id has characters that turn the direction of writing");
    outcome_free(&outcome);
    outcome = run("ids.jsonl",
                  "{\"employee_id\": \"\", \"Age\": 41}\n{\"employee_id\": null, \"Age\": 41}\n"
                  "{\"employee_id\": \"a\", \"event_id\": \"\", \"Age\": 41}\n",
                  true);
    assert_says(&outcome, "ids.jsonl:1: field employee_id: bad_id: the id is empty");
    assert_says(&outcome, "ids.jsonl:2: field employee_id: missing_required: ");
    assert_says(&outcome, "ids.jsonl:3: field event_id: bad_id: the id is empty");
    outcome_free(&outcome);
}

/* As the scorer takes them: who left is all that a leaver's row needs to say. */
static void test_leavers(void **state)
{
    (void)state;
    static const char text[] =
        "{\"employee_id\":\"1\",\"event_type\":\"TERMINATED\"}\n"
        "{\"op\":\"d\",\"before\":{\"EmployeeNumber\":2},\"after\":null,\"source\":{\"ts_ms\":1700000000000}}\n"
        "{\"event_type\":\"TERMINATED\"}\n"
        "{\"employee_id\":\"4\",\"event_type\":\"TERMINATED\",\"attributes\":{\"Age\":410}}\n"
        "{\"op\":\"t\",\"source\":{\"ts_ms\":1700000000000}}\n";
    static const bool validated[] = {true, false};
    for (size_t v = 0; v < 2; v++) {
        struct outcome outcome = run("leavers.jsonl", text, validated[v]);
        assert_string_equal(outcome.sent.data, validated[v] ? "1 1 3 1795428000123 nan\n2 2 3 1700000000000 nan\n"
                                                            : "1 1 3 1795428000123 nan\n2 2 3 1700000000000 nan\n"
                                                              "4 4 3 1795428000123 410\n");
        assert_says(&outcome, "leavers.jsonl:3: field employee_id: missing_required: ");
        assert_says(&outcome, "leavers.jsonl:5: unresolvable: op: it reports no change of a row");
        assert_int_equal(outcome.totals.rows, validated[v] ? 3 : 2);
        outcome_free(&outcome);
    }
}

/* The columns that there are have changed, to null too; the others stay. */
static void test_partial_rows(void **state)
{
    (void)state;
    test_partial = true;
    struct outcome outcome = run("partial.csv",
                                 "EmployeeNumber,Department,event_type\n1,Sales,\n2,Shoes,\n3,,CHANGED\n"
                                 "4,Sales,SNAPSHOT\n5,,TERMINATED\n6,Sales,HIRED\n",
                                 true);
    assert_string_equal(outcome.sent.data, "2 1 2 1795428000123 as it was\n4 3 2 1795428000123 as it was\n"
                                           "6 5 3 1795428000123 nan\n");
    assert_says(&outcome, "partial.csv:3: column Department (2): unknown_category: ");
    assert_says(&outcome, "partial.csv:5: column changed (not there): rule: only an event of type CHANGED has a list");
    assert_int_equal(outcome.totals.rows, 3);
    outcome_free(&outcome);
    /* rules are of the whole record, which is not known here */
    outcome = run("rules.csv", "EmployeeNumber,Age,TotalWorkingYears,YearsAtCompany\n1,41,3,9\n2,,,\n", true);
    assert_string_equal(outcome.sent.data, "2 1 2 1795428000123 41\n3 2 2 1795428000123 nan\n");
    outcome_free(&outcome);
    outcome = run("nobody.csv", "Age\n41\n", true);
    assert_says(&outcome, "nobody.csv:2: column employee_id (not there): missing_required: it is not said whose "
                          "record");
    outcome_free(&outcome);
    outcome = run("partial.jsonl",
                  "{\"employee_id\":\"1\",\"Age\":41}\n{\"employee_id\":\"2\",\"OverTime\":\"Yes\"}\n"
                  "{\"OverTime\":\"Yes\"}\n",
                  true);
    assert_string_equal(outcome.sent.data, "1 1 2 1795428000123 41\n2 2 2 1795428000123 as it was\n");
    assert_says(&outcome, "partial.jsonl:3: field employee_id: missing_required: it is not said whose record");
    outcome_free(&outcome);
    test_partial = false;
}

static void test_rows_that_need_ids(void **state)
{
    (void)state;
    test_ids_needed = true;
    struct outcome outcome = run("no_ids.csv", "Age\n41\n", true);
    assert_string_equal(outcome.sent.data, "");
    assert_says(&outcome, "no_ids.csv:2: column employee_id (not there): missing_required: rows without an id would");
    outcome_free(&outcome);
    outcome = run("no_ids.jsonl", "{\"Age\":41}\n{\"employee_id\":\"a\",\"Age\":41}\n", true);
    assert_string_equal(outcome.sent.data, "2 a 0 1795428000123 41\n");
    assert_says(&outcome, "no_ids.jsonl:1: field employee_id: missing_required: rows without an id would");
    outcome_free(&outcome);
    test_ids_needed = false;
}

static void test_json_lines(void **state)
{
    (void)state;
    struct outcome outcome =
        run("rows.jsonl",
            "{\"id\": \"a\", \"attributes\": {\"Age\": 41, \"Attrition\": \"No\", \"Over18\": \"Y\"}}\n"
            "{\"EmployeeNumber\": 7, \"Age\": 42}\r\n"
            "{\"employee_id\": \"b\", \"event_id\": \"e\", \"event_type\": \"CHANGED\", \"occurred_at\": "
            "\"1970-01-01T00:00:00.005Z\", "
            "\"attributes\": {\"OverTime\": \"Yes\"}}\n"
            "{bad\n"
            "\n"
            "[1]\n"
            "{\"Age\": NaN}\n"
            "{\"Age\": 210, \"OverTime\": 3, \"Shoe\": 1}\n"
            "{\"id\": \"c\", \"shoe\": 1, \"attributes\": {\"Age\": 41}}\n"
            "{\"id\": \"c\", \"occurred_at\": \"soon\", \"attributes\": {}}\n"
            "{\"id\": [], \"attributes\": {}}\n"
            "{\"Age\": 43}",
            true);
    assert_string_equal(outcome.sent.data, "1 a 0 1795428000123 41\n2 7 0 1795428000123 42\n3 b 2 5 as it was\n"
                                           "12 row-12 0 1795428000123 43\n");
    assert_says(&outcome, "rows.jsonl:4: malformed: not JSON");
    assert_says(&outcome, "rows.jsonl:5: malformed: not JSON");
    assert_says(&outcome, "rows.jsonl:6: malformed: not a JSON object");
    assert_says(&outcome, "rows.jsonl:7: field Age: not_finite: ");
    assert_says(&outcome, "rows.jsonl:8: field Age: out_of_range: ");
    assert_says(&outcome, "rows.jsonl:8: field OverTime: wrong_type: ");
    assert_says(&outcome, "rows.jsonl:8: unknown_field: Shoe: ");
    assert_says(&outcome, "rows.jsonl:9: unknown_field: shoe: no field of an event");
    assert_says(&outcome, "rows.jsonl:10: field occurred_at: wrong_type: not ISO 8601");
    assert_says(&outcome, "rows.jsonl:11: field employee_id: wrong_type: neither a text nor an integer");
    assert_int_equal(outcome.totals.rows, 8);
    outcome_free(&outcome);
}

static void test_json_words_in_texts_stay(void **state)
{
    (void)state;
    struct outcome outcome =
        run("words.jsonl",
            "{\"id\": \"NaN \\\\\", \"Age\": -Infinity}\n{\"id\": \"NaN\", \"attributes\": {\"Age\": 41}}\n", true);
    assert_string_equal(outcome.sent.data, "2 NaN 0 1795428000123 41\n");
    assert_says(&outcome, "words.jsonl:1: field Age: not_finite: ");
    outcome_free(&outcome);
}

/* One mapping for both forms: columns and members under other names, other words for values, a time in days. */
static void test_mapped(void **state)
{
    (void)state;
    struct error err;
    const char *path =
        unit_file("map.json", "{\"employee_id\": \"emp\", \"occurred_at\": {\"path\": \"/on\", \"unit\": "
                              "\"days\"}, \"event_type\": {\"path\": \"what\", \"values\": {\"+\": "
                              "\"HIRED\"}}, \"attributes\": {\"Age\": {\"path\": \"years\", \"values\": "
                              "{\"n/a\": null, \"old\": 60}}}, \"ignore\": [\"photo\"]}");
    if (input_map_load(path, test_schema, &test_map, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    struct outcome outcome =
        run("mapped.csv", "emp,years,on,what,photo\na,41,20151,+,x\nb,old,20152,HIRED,x\nc,n/a,20153,,x\nd,41,x,,x\n",
            true);
    assert_string_equal(outcome.sent.data, "2 a 1 1741046400000 41\n3 b 1 1741132800000 60\n");
    assert_says(&outcome, "mapped.csv:4: missing_required: fewer than");
    assert_says(&outcome, "mapped.csv:5: column occurred_at (3): wrong_type: not ISO 8601");
    outcome_free(&outcome);
    outcome = run("mapped.jsonl",
                  "{\"emp\": \"a\", \"years\": 41, \"on\": 20151, \"what\": \"+\", \"photo\": {}}\n"
                  "{\"emp\": 7, \"years\": \"old\", \"on\": \"1970-01-03\"}\n{\"emp\": 7, \"Age\": 41}\n{\"emp\": 8, "
                  "\"years\": 41, \"on\": 45}\n",
                  true);
    assert_string_equal(outcome.sent.data, "1 a 1 1741046400000 41\n2 7 0 172800000 60\n");
    assert_says(&outcome, "mapped.jsonl:3: unknown_field: Age: the mapping has no such path");
    assert_says(&outcome, "mapped.jsonl:4: field occurred_at: wrong_type: a number that would be a time in 1970");
    outcome_free(&outcome);
    path = unit_file("ids.json", "{\"employee_id\": {\"path\": \"emp\", \"values\": {\"chief\": 1}}, "
                                 "\"attributes\": {\"Age\": {\"path\": \"years\", \"values\": {\"old\": 60}}}}");
    input_map_free(test_map);
    if (input_map_load(path, test_schema, &test_map, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    outcome = run("ids.csv", "emp,years\nchief,old\n2,41\n", true);
    assert_string_equal(outcome.sent.data, "2 1 0 1795428000123 60\n3 2 0 1795428000123 41\n");
    outcome_free(&outcome);
    outcome = run("nobody.csv", "years,on\n41,1\n", true);
    assert_string_equal(outcome.sent.data, "");
    assert_says(&outcome, "nobody.csv:2: column employee_id (not there): missing_required: the mapping reads it");
    outcome_free(&outcome);
    input_map_free(test_map);
    test_map = NULL;
}

static void test_long_json_line(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_add_text(&text, "{\"Age\": 41, \"x\": \"");
    for (int i = 0; i < 1200000; i++)
        buffer_add_u8(&text, 'x');
    buffer_add_text(&text, "\"}\n{\"Age\": 42}\n");
    buffer_add_u8(&text, '\0');
    struct outcome outcome = run("long.jsonl", text.data, true);
    assert_string_equal(outcome.sent.data, "2 row-2 0 1795428000123 42\n");
    assert_says(&outcome, "long.jsonl:1: limit: ");
    outcome_free(&outcome);
    buffer_free(&text);
}

static void test_event_ids_repeat(void **state)
{
    (void)state;
    struct outcome first = run("same.csv", HEADER "1,41,Sales,Yes,8,6,Yes,Y\n", true);
    struct outcome again = run("same.csv", HEADER "1,41,Sales,Yes,8,6,Yes,Y\n", true);
    struct outcome other = run("same.csv", HEADER "1,42,Sales,Yes,8,6,Yes,Y\n", true);
    assert_int_equal(strlen(first.event_id), 36);
    assert_string_equal(first.event_id, again.event_id);
    assert_string_not_equal(first.event_id, other.event_id);
    outcome_free(&first);
    outcome_free(&again);
    outcome_free(&other);
}

static void test_lines_ended_by_cr(void **state)
{
    (void)state;
    struct outcome outcome = run("cr.csv", "Age,OverTime\r41,Yes\r42,No\r", true);
    assert_string_equal(outcome.sent.data, "2 row-2 0 1795428000123 41\n3 row-3 0 1795428000123 42\n");
    outcome_free(&outcome);
    outcome = run("cr.csv", "Age,OverTime\r41,Yes\r42,No\n43,No\n", true); /* joined to another one */
    assert_int_equal(outcome.opened, STATUS_INVALID);
    assert_non_null(strstr(outcome.err.text, "cr.csv:1: a carriage return"));
    outcome_free(&outcome);
}

/* What stands in a file reaches people's terminals as text, never as control characters. */
static void test_reports_are_one_line_each(void **state)
{
    (void)state;
    struct outcome outcome = run("lines.jsonl",
                                 "{\"employee_id\": \"x\", \"attributes\": {\"\\u001b[2J\\nevil\": 1}}\n"
                                 "{\"employee_id\": \"x\", \"\\nbad\": 1, \"attributes\": {}}\n",
                                 true);
    assert_says(&outcome, "lines.jsonl:1: unknown_field:  [2J evil: the schema has no such field\n");
    assert_says(&outcome, "lines.jsonl:2: unknown_field:  bad: no field of an event\n");
    outcome_free(&outcome);
}

static void test_json_faults_have_their_reason(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_add_text(&text, "{\"Age\": 41, \"Age\": 42}\n{\"Age\": 1e999}\n{\"Age\": 99999999999999999999}\n");
    for (int i = 0; i < 3000; i++)
        buffer_add_text(&text, "{\"a\":");
    buffer_add_text(&text, "\n{\"employee_id\": \"\\u0000\"}\n");
    buffer_add_u8(&text, '\0');
    struct outcome outcome = run("why.jsonl", text.data, true);
    assert_says(&outcome, "why.jsonl:1: malformed: JSON with a duplicate key");
    assert_says(&outcome, "why.jsonl:2: field Age: not_finite: ");
    assert_says(&outcome, "why.jsonl:3: field Age: out_of_range: ");
    assert_says(&outcome, "why.jsonl:4: limit: nested too deep");
    assert_says(&outcome, "why.jsonl:5: field employee_id: bad_id: the id has control characters");
    assert_string_equal(outcome.sent.data, "");
    outcome_free(&outcome);
    buffer_free(&text);
}

/* Counting lines for the progress bar must not open a named pipe: its writer would begin, and lose what it wrote. */
static void test_pipes_are_not_opened_to_count(void **state)
{
    (void)state;
    const char *path = unit_file("pipe", NULL);
    char event[1024];
    assert_int_equal(mkfifo(path, 0600), 0);
    int pipe = open(path, O_RDWR); /* so that nobody who opens it blocks */
    int opened = inotify_init1(IN_NONBLOCK);
    assert_true(pipe >= 0 && opened >= 0 && inotify_add_watch(opened, path, IN_OPEN) >= 0);
    assert_int_equal(input_count_lines(path, &never), 0);
    assert_int_equal(read(opened, event, sizeof event), -1);
    assert_int_equal(errno, EAGAIN);
    int reader = open(path, O_RDONLY);
    assert_true(read(opened, event, sizeof event) > 0); /* it would have been seen */
    close(reader);
    close(opened);
    close(pipe);
}

static void test_rejects_never_replace_an_input(void **state)
{
    (void)state;
    static const char bad[] = "Age\n210\n";
    char left[64];
    struct reject_totals totals = {0};
    struct rejects_taken taken = {0};
    struct input_settings settings = {.schema = test_schema, .clock = &fixed_clock, .validate = true};
    const char *input_path = unit_file("people.txt", bad);
    struct input *input = NULL;
    struct error err;
    bool more = true;
    struct input_row *row = mem_zeroed(1, sizeof *row);
    assert_int_equal(input_open(input_path, &settings, &input, &err), STATUS_OK);
    rejects_taken_add(&taken, input_path);
    FILE *report = fopen("/dev/null", "w");
    struct rejects *rejects = rejects_new(input, unit_file("people", NULL), report, NULL, &totals, &taken);
    assert_int_equal(input_next(input, row, &more, &err), STATUS_OK);
    assert_false(rejects_add(rejects, row));
    assert_int_equal(totals.rows, 0);
    assert_int_not_equal(rejects_close(rejects, true, &err), STATUS_OK);
    assert_non_null(strstr(err.text, "people.txt"));
    fclose(report);
    input_free(input);
    free(row);
    rejects_taken_free(&taken);
    unit_read(input_path, left, sizeof left);
    assert_string_equal(left, bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_faults),
        cmocka_unit_test(test_rejects_can_be_fixed),
        cmocka_unit_test(test_report_is_cut_but_files_are_not),
        cmocka_unit_test(test_not_validated),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_leavers),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_partial_rows),
        cmocka_unit_test(test_rows_that_need_ids),
        cmocka_unit_test(test_json_words_in_texts_stay),
        cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_long_json_line),
        cmocka_unit_test(test_event_ids_repeat),
        cmocka_unit_test(test_lines_ended_by_cr),
        cmocka_unit_test(test_reports_are_one_line_each),
        cmocka_unit_test(test_json_faults_have_their_reason),
        cmocka_unit_test(test_rejects_never_replace_an_input),
        cmocka_unit_test(test_pipes_are_not_opened_to_count),
    };
    return cmocka_run_group_tests_name("producer/input", tests, unit_setup, unit_teardown);
}
