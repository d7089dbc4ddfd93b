/* events/validate.h and json_row.h: each fault has its code and its column, and no value of a row in its text. */
#include "tests/unit/events/unit.h"

#include "events/identity.h"
#include "events/json_row.h"
#include "events/fault.h"
#include "events/validate.h"

struct fixture {
    struct schema *schema;
    struct cell cells[UNIT_COLUMNS];
    struct fault fault;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    fixture->schema = unit_schema();
    unit_row(fixture->schema, fixture->cells);
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    schema_free(fixture->schema);
    free(fixture);
    return 0;
}

static void assert_fault(struct fixture *fixture, enum event_code code, int32_t column)
{
    fixture->fault = (struct fault){.column = FAULT_NO_COLUMN};
    assert_int_equal(validate_row(fixture->schema, fixture->cells, &fixture->fault), code);
    if (code == EVENT_OK)
        return;
    assert_int_equal(fixture->fault.code, code);
    assert_int_equal(fixture->fault.column, column);
    assert_ptr_equal(strstr(fixture->fault.text, fixture->schema->columns[column].name), fixture->fault.text);
}

static struct cell present(double number)
{
    return (struct cell){.number = number, .code = 0};
}

static void test_rows(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        size_t column;
        double number;
        enum event_code code;
    } cases[] = {
        {UNIT_COUNT, 0, EVENT_OK},
        {UNIT_COUNT, 100, EVENT_OK},
        {UNIT_COUNT, 101, EVENT_OUT_OF_RANGE},
        {UNIT_COUNT, -1, EVENT_OUT_OF_RANGE},
        {UNIT_COUNT, 1e300, EVENT_OUT_OF_RANGE},
        {UNIT_COUNT, 4.5, EVENT_WRONG_TYPE},
        {UNIT_COUNT, NAN, EVENT_NOT_FINITE},
        {UNIT_COUNT, INFINITY, EVENT_NOT_FINITE},
        {UNIT_SCORE, 1e308, EVENT_OK},
        {UNIT_SCORE, NAN, EVENT_NOT_FINITE},
        {UNIT_SCORE, -INFINITY, EVENT_NOT_FINITE},
        {UNIT_SHARE, 1, EVENT_OK},
        {UNIT_SHARE, 1.0000001, EVENT_OUT_OF_RANGE},
        {UNIT_TOTAL, 0x1p62, EVENT_OK},
        {UNIT_TOTAL, 0x1p63, EVENT_OUT_OF_RANGE},
        {UNIT_LEVEL, 4, EVENT_OUT_OF_RANGE},
    };
    assert_fault(fixture, EVENT_OK, 0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        unit_row(fixture->schema, fixture->cells);
        fixture->cells[cases[c].column] = present(cases[c].number);
        assert_fault(fixture, cases[c].code, (int32_t)cases[c].column);
    }
}

static void test_missing_and_categories(void **state)
{
    struct fixture *fixture = *state;
    for (size_t c = 0; c < UNIT_COLUMNS; c++) {
        unit_row(fixture->schema, fixture->cells);
        fixture->cells[c] = cell_missing(&fixture->schema->columns[c]);
        assert_fault(fixture, c == UNIT_SCORE ? EVENT_MISSING_REQUIRED : EVENT_OK, (int32_t)c);
    }
    unit_row(fixture->schema, fixture->cells);
    fixture->cells[UNIT_GRADE] = unit_text(fixture->schema, UNIT_GRADE, "secret");
    assert_fault(fixture, EVENT_UNKNOWN_CATEGORY, UNIT_GRADE);
    assert_null(strstr(fixture->fault.text, "secret"));
    fixture->cells[UNIT_GRADE] = unit_text(fixture->schema, UNIT_GRADE, "");
    assert_fault(fixture, EVENT_UNKNOWN_CATEGORY, UNIT_GRADE);
}

static void test_rules(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[UNIT_TOTAL] = present(41);
    assert_fault(fixture, EVENT_RULE, UNIT_COUNT);
    assert_non_null(strstr(fixture->fault.text, "total"));
    fixture->cells[UNIT_TOTAL] = present(42);
    assert_fault(fixture, EVENT_OK, 0);
    fixture->cells[UNIT_TOTAL] = cell_missing(&fixture->schema->columns[UNIT_TOTAL]);
    assert_fault(fixture, EVENT_OK, 0);
}

static void test_all_faults_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[8];
    fixture->cells[UNIT_COUNT] = present(101);
    fixture->cells[UNIT_GRADE] = unit_text(fixture->schema, UNIT_GRADE, "?");
    fixture->cells[UNIT_TOTAL] = present(0);
    assert_int_equal(validate_row_all(fixture->schema, fixture->cells, faults, 8), 3);
    assert_int_equal(faults[0].code, EVENT_OUT_OF_RANGE);
    assert_int_equal(faults[1].code, EVENT_UNKNOWN_CATEGORY);
    assert_int_equal(faults[2].code, EVENT_RULE);
    assert_int_equal(validate_row_all(fixture->schema, fixture->cells, faults, 2), 2);
    assert_int_equal(validate_row_all(fixture->schema, fixture->cells, faults, 0), 0);
}

#define UNIT_IMPUTING \
    UNIT_FIELD_TYPES(",\"default\":null,\"kind\":\"numeric\",\"range\":[0,100],\"policy\":\"impute\"", \
                     ",\"kind\":\"nominal\",\"values\":[\"x\",\"a long category, two\"],\"policy\":\"impute\"", \
                     ",\"kind\":\"numeric\"", ",\"kind\":\"numeric\",\"policy\":\"reject\"", \
                     ",\"kind\":\"numeric\",\"policy\":\"impute\"", ",\"kind\":\"numeric\"")

/* By the column's policy a value goes and the rest of the row stays; what is no integer is refused all the same.
 */
static void test_imputing(void **state)
{
    (void)state;
    struct schema *schema = unit_schema_of(UNIT_EVENT(UNIT_RECORD, UNIT_IMPUTING));
    struct cell cells[UNIT_COLUMNS];
    struct event event = {.event_id = SPAN_LITERAL("e"),
                          .employee_id = SPAN_LITERAL("E1"),
                          .cells = cells,
                          .attributes = SPAN_LITERAL("bytes")};
    struct fault fault;
    unit_row(schema, cells);
    assert_int_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_OK);
    assert_int_equal(event.imputed, 0);
    assert_non_null(event.attributes.data);
    cells[UNIT_COUNT] = present(101);
    cells[UNIT_GRADE] = (struct cell){.text = "zzz", .text_bytes = 3, .code = CELL_OTHER};
    cells[UNIT_SHARE] = present(NAN);
    assert_int_equal(validate_row(schema, cells, &fault), EVENT_OUT_OF_RANGE);
    assert_true(validate_is_imputed(schema, &fault));
    assert_int_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_OK);
    assert_int_equal(event.imputed, 3);
    assert_null(event.attributes.data);
    assert_int_equal(cells[UNIT_COUNT].code, CELL_MISSING);
    assert_int_equal(cells[UNIT_GRADE].code, CELL_MISSING);
    assert_int_equal(cells[UNIT_SHARE].code, CELL_MISSING);
    cells[UNIT_COUNT] = present(4.5);
    assert_int_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_WRONG_TYPE);
    assert_false(validate_is_imputed(schema, &fault));
    unit_row(schema, cells);
    cells[UNIT_SCORE] = present(NAN);
    assert_int_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_NOT_FINITE);
    assert_false(validate_is_imputed(schema, &fault));
    schema_free(schema);
}

static void test_scarcity(void **state)
{
    (void)state;
    struct schema *schema = unit_schema_of(UNIT_EVENT("\"min_present\":3," UNIT_RECORD, UNIT_FIELDS));
    struct cell cells[UNIT_COLUMNS];
    struct fault fault, faults[4];
    unit_row(schema, cells);
    for (size_t c = 0; c < UNIT_COLUMNS; c++)
        if (c != UNIT_SCORE && c != UNIT_GRADE && c != UNIT_TOTAL)
            cells[c] = cell_missing(&schema->columns[c]);
    assert_int_equal(validate_row(schema, cells, &fault), EVENT_OK);
    cells[UNIT_TOTAL] = cell_missing(&schema->columns[UNIT_TOTAL]);
    assert_int_equal(validate_row(schema, cells, &fault), EVENT_MISSING_REQUIRED);
    assert_int_equal(fault.column, FAULT_NO_COLUMN);
    assert_string_equal(fault.text, "fewer than 3 of 6 columns have a value");
    assert_int_equal(validate_row_all(schema, cells, faults, 4), 1);
    assert_int_equal(faults[0].column, FAULT_NO_COLUMN);
    schema_free(schema);
}

/* Who left is all that a termination needs to say, in whatever form it came; a value that it has is checked. */
static void test_termination_without_attributes(void **state)
{
    (void)state;
    struct schema *schema = unit_schema_of(UNIT_EVENT("\"min_present\":3," UNIT_RECORD, UNIT_FIELDS));
    struct cell cells[UNIT_COLUMNS];
    struct event event = {.event_id = SPAN_LITERAL("e"), .employee_id = SPAN_LITERAL("1"), .cells = cells};
    struct fault fault;
    for (size_t c = 0; c < UNIT_COLUMNS; c++)
        cells[c] = cell_missing(&schema->columns[c]);
    assert_int_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_MISSING_REQUIRED);
    event.type = EVENT_TYPE_TERMINATED;
    assert_int_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_OK);
    cells[UNIT_GRADE].number = 9;
    cells[UNIT_GRADE].code = 0;
    assert_int_not_equal(validate_event(schema, &event, SPAN_NULL, INT64_MAX, &fault), EVENT_OK);
    schema_free(schema);
}

static void test_keys(void **state)
{
    struct fixture *fixture = *state;
    struct event event = {.event_id = SPAN_LITERAL("e"), .employee_id = SPAN_LITERAL("12"), .cells = fixture->cells};
    assert_int_equal(validate_event(fixture->schema, &event, SPAN_LITERAL("12"), INT64_MAX, &fixture->fault), EVENT_OK);
    assert_int_equal(validate_event(fixture->schema, &event, SPAN_NULL, INT64_MAX, &fixture->fault), EVENT_OK);
    assert_int_equal(validate_event(fixture->schema, &event, SPAN_LITERAL("13"), INT64_MAX, &fixture->fault),
                     EVENT_KEY_MISMATCH);
    assert_int_equal(fixture->fault.column, FAULT_NO_COLUMN);
    assert_int_equal(validate_event(fixture->schema, &event, SPAN_NULL, -1, &fixture->fault), EVENT_OUT_OF_RANGE);
    assert_int_equal(fixture->fault.column, FAULT_OCCURRED_AT);
    event.employee_id = SPAN_LITERAL("");
    assert_int_equal(validate_event(fixture->schema, &event, SPAN_NULL, INT64_MAX, &fixture->fault), EVENT_BAD_ID);
    assert_int_equal(fixture->fault.column, FAULT_EMPLOYEE_ID);
}

static void test_numbers_from_text(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        enum event_code code;
        double number;
    } cases[] = {
        {"41", EVENT_OK, 41},
        {"-0.5e1", EVENT_OK, -5},
        {"+.5", EVENT_OK, 0.5},
        {"5.", EVENT_OK, 5},
        {"1E2", EVENT_OK, 100},
        {"0x10", EVENT_WRONG_TYPE, 0},
        {"1e", EVENT_WRONG_TYPE, 0},
        {".", EVENT_WRONG_TYPE, 0},
        {" 1", EVENT_WRONG_TYPE, 0},
        {"1 ", EVENT_WRONG_TYPE, 0},
        {"1,5", EVENT_WRONG_TYPE, 0},
        {"--1", EVENT_WRONG_TYPE, 0},
        {"n/a", EVENT_WRONG_TYPE, 0},
        {"nan", EVENT_NOT_FINITE, 0},
        {"-Inf", EVENT_NOT_FINITE, 0},
        {"-", EVENT_WRONG_TYPE, 0},
        {"INFINITY", EVENT_NOT_FINITE, 0},
        {"1e999", EVENT_NOT_FINITE, 0},
        {"١", EVENT_WRONG_TYPE, 0},
        {"nan(1)", EVENT_WRONG_TYPE, 0},
        {"1e+2", EVENT_OK, 100},
        {"-0", EVENT_OK, 0},
        {"007", EVENT_OK, 7},
        {"-123456789012345", EVENT_OK, -123456789012345},
        {"1234567890123456", EVENT_OK, 1234567890123456},
        {"12345678901234567890", EVENT_OK, 12345678901234567890.0},
        {"12345678901234x", EVENT_WRONG_TYPE, 0},
    };
    const struct column *column = &fixture->schema->columns[UNIT_SCORE];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct cell cell;
        struct span text = unit_copy(span_of(cases[c].text));
        assert_int_equal(validate_text_cell(column, text, true, &cell, &fixture->fault, UNIT_SCORE), cases[c].code);
        if (cases[c].code == EVENT_OK)
            assert_true(cell.number == cases[c].number && cell.code == 0);
        else
            assert_int_equal(fixture->fault.column, UNIT_SCORE);
        free((char *)text.data);
    }
}

static void test_other_cells_from_text(void **state)
{
    struct fixture *fixture = *state;
    const struct column *columns = fixture->schema->columns;
    struct cell cell;
    assert_int_equal(validate_text_cell(&columns[UNIT_COUNT], SPAN_LITERAL("1.5"), true, &cell, &fixture->fault, 0),
                     EVENT_WRONG_TYPE);
    assert_int_equal(validate_text_cell(&columns[UNIT_COUNT], SPAN_LITERAL("1.5"), false, &cell, &fixture->fault, 0),
                     EVENT_OK);
    assert_int_equal(validate_text_cell(&columns[UNIT_COUNT], SPAN_LITERAL(""), true, &cell, &fixture->fault, 0),
                     EVENT_OK);
    assert_int_equal(cell.code, CELL_MISSING);
    assert_int_equal(validate_text_cell(&columns[UNIT_COUNT], SPAN_LITERAL("1\0002"), true, &cell, &fixture->fault, 0),
                     EVENT_WRONG_TYPE);
    assert_int_equal(validate_text_cell(&columns[UNIT_GRADE], SPAN_LITERAL("yy"), true, &cell, &fixture->fault, 1),
                     EVENT_OK);
    assert_int_equal(cell.code, 1);
    assert_int_equal(validate_text_cell(&columns[UNIT_GRADE], SPAN_LITERAL("zz"), true, &cell, &fixture->fault, 1),
                     EVENT_OK);
    assert_int_equal(cell.code, CELL_OTHER);
    assert_int_equal(validate_text_cell(&columns[UNIT_GRADE], SPAN_LITERAL("\xff"), true, &cell, &fixture->fault, 1),
                     EVENT_WRONG_TYPE);
}

static struct json_reader reader;

/* Reads a JSON object; returns the number of faults. */
static size_t read_json(struct fixture *fixture, const char *text, bool checked, struct fault *faults)
{
    return json_row_read_text(&reader, span_of(text), fixture->schema, checked, fixture->cells, faults, 8);
}

static void test_json_rows(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[8];
    assert_int_equal(read_json(fixture, "{\"count\":41,\"grade\":\"yy\",\"score\":-2.5,\"share\":null}", true, faults),
                     0);
    assert_true(fixture->cells[UNIT_COUNT].number == 41);
    assert_int_equal(fixture->cells[UNIT_GRADE].code, 1);
    assert_true(fixture->cells[UNIT_SCORE].number == -2.5);
    assert_int_equal(fixture->cells[UNIT_SHARE].code, CELL_MISSING);
    assert_int_equal(fixture->cells[UNIT_LEVEL].code, CELL_MISSING);
}

static void test_json_faults(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        enum event_code checked, unchecked;
        int32_t column;
    } cases[] = {
        {"{\"count\":\"41\"}", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, UNIT_COUNT},
        {"{\"count\":true}", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, UNIT_COUNT},
        {"{\"count\":[1]}", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, UNIT_COUNT},
        {"{\"count\":1.5}", EVENT_WRONG_TYPE, EVENT_OK, UNIT_COUNT},
        {"{\"count\":1.0}", EVENT_OK, EVENT_OK, 0},
        {"{\"score\":\"NaN\"}", EVENT_NOT_FINITE, EVENT_NOT_FINITE, UNIT_SCORE},
        {"{\"score\":\"-Infinity\"}", EVENT_NOT_FINITE, EVENT_NOT_FINITE, UNIT_SCORE},
        {"{\"grade\":5}", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, UNIT_GRADE},
        {"{\"grade\":{}}", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, UNIT_GRADE},
        {"{\"Count\":5}", EVENT_UNKNOWN_FIELD, EVENT_OK, FAULT_NO_COLUMN},
        {"[]", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, FAULT_NO_COLUMN},
        {"null", EVENT_WRONG_TYPE, EVENT_WRONG_TYPE, FAULT_NO_COLUMN},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int checked = 0; checked < 2; checked++) {
            enum event_code code = checked ? cases[c].checked : cases[c].unchecked;
            struct fault faults[8];
            assert_int_equal(read_json(fixture, cases[c].text, checked, faults), code != EVENT_OK);
            if (code != EVENT_OK) {
                assert_int_equal(faults[0].code, code);
                assert_int_equal(faults[0].column, cases[c].column);
            }
        }
    }
}

static void test_json_empty_text(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[8];
    assert_int_equal(read_json(fixture, "{\"grade\":\"\"}", true, faults), 0);
    assert_int_equal(fixture->cells[UNIT_GRADE].code, CELL_OTHER); /* validate_row's to refuse */
    assert_int_equal(read_json(fixture, "{\"grade\":\"\"}", false, faults), 0);
    assert_int_equal(fixture->cells[UNIT_GRADE].code, CELL_MISSING);
}

static void test_capacity_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[1];
    const struct span text = SPAN_LITERAL("{\"a\":1,\"b\":2,\"count\":\"x\"}");
    assert_int_equal(json_row_read_text(&reader, text, fixture->schema, true, fixture->cells, faults, 1), 1);
    assert_int_equal(faults[0].code, EVENT_UNKNOWN_FIELD);
    assert_int_equal(json_row_read_text(&reader, text, fixture->schema, true, fixture->cells, faults, 0), 0);
}

static void test_names_of_strangers_make_one_line(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[8];
    struct buffer text = {0};
    buffer_add_text(&text, "{\"a\\n");
    for (int i = 0; i < 61; i++)
        buffer_add_u8(&text, 'a');
    buffer_add_text(&text, "\xc3\xab\":null}"); /* the cut falls into a character */
    buffer_add_u8(&text, 0);
    assert_int_equal(read_json(fixture, text.data, true, faults), 1);
    assert_int_equal(faults[0].text[1], ' ');
    assert_int_equal(faults[0].text[63], '?');
    buffer_free(&text);
}

/* What is no JSON has this one fault, whatever else was found before. */
static void what_is_no_json_is_malformed(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[8];
    static const char *const texts[] = {"",
                                        "{\"count\":\"x\"",
                                        "{\"count\":1,\"count\":2}",
                                        "{\"x\":1,\"x\":2}",
                                        "{\"count\":01}",
                                        "{\"grade\":\"\xff\"}",
                                        "{} {}"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        assert_int_equal(read_json(fixture, texts[t], true, faults), 1);
        assert_int_equal(faults[0].code, EVENT_MALFORMED);
        assert_int_equal(faults[0].column, FAULT_NO_COLUMN);
    }
}

static void test_code_names(void **state)
{
    (void)state;
    assert_string_equal(event_code_name(EVENT_OUT_OF_RANGE), "out_of_range");
    for (int code = EVENT_OK; code < EVENT_CODE_COUNT; code++)
        assert_true(strlen(event_code_name((enum event_code)code)) > 1 &&
                    strlen(event_code_meaning((enum event_code)code)) > 1);
}

static void a_fault_has_its_reason_without_the_name(void **state)
{
    (void)state;
    struct fault fault;
    const char *long_name = "0123456789012345678901234567890123456789012345678901234567890123456789";
    (void)fault_set_field(&fault, EVENT_WRONG_TYPE, 3, "count", "not %s", "a number");
    assert_string_equal(fault.text, "count: not a number");
    assert_string_equal(fault_reason(&fault), "not a number");
    (void)fault_set_field(&fault, EVENT_WRONG_TYPE, 3, long_name, "not a number");
    assert_string_equal(fault_reason(&fault), "not a number");
    (void)fault_set(&fault, EVENT_MALFORMED, FAULT_NO_COLUMN, "count: is text of the message itself");
    assert_string_equal(fault_reason(&fault), fault.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, make, unmake),
        cmocka_unit_test_setup_teardown(test_missing_and_categories, make, unmake),
        cmocka_unit_test_setup_teardown(test_rules, make, unmake),
        cmocka_unit_test_setup_teardown(test_all_faults_at_once, make, unmake),
        cmocka_unit_test(test_imputing),
        cmocka_unit_test(test_scarcity),
        cmocka_unit_test(test_termination_without_attributes),
        cmocka_unit_test_setup_teardown(test_keys, make, unmake),
        cmocka_unit_test_setup_teardown(test_numbers_from_text, make, unmake),
        cmocka_unit_test_setup_teardown(test_other_cells_from_text, make, unmake),
        cmocka_unit_test_setup_teardown(test_json_rows, make, unmake),
        cmocka_unit_test_setup_teardown(test_json_faults, make, unmake),
        cmocka_unit_test_setup_teardown(test_json_empty_text, make, unmake),
        cmocka_unit_test_setup_teardown(test_capacity_is_kept, make, unmake),
        cmocka_unit_test_setup_teardown(test_names_of_strangers_make_one_line, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_no_json_is_malformed, make, unmake),
        cmocka_unit_test(test_code_names),
        cmocka_unit_test(a_fault_has_its_reason_without_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
