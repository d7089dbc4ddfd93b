/* Partial events (events/event.h): what `changed` lists is decoded and checked, the rest is left as it is. */
#include "tests/unit/events/unit.h"

#include "avro/write.h"
#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/frame.h"
#include "events/json_event.h"
#include "events/validate.h"

enum { COLUMNS = 30, AGE = 0, TRAVEL = 1, INCOME = 15, TOTAL_YEARS = 23, COMPANY_YEARS = 26 };

struct fixture {
    struct schema *schema;
    struct decoder *decoder;
    struct cell cells[COLUMNS], out_cells[COLUMNS];
    struct event event, out;
    struct buffer bytes;
    struct fault fault;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct error err;
    fixture->schema = unit_shipped();
    assert_int_equal(fixture->schema->column_count, COLUMNS);
    if (decoder_new(fixture->schema, &fixture->decoder, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t c = 0; c < COLUMNS; c++)
        fixture->cells[c] = (struct cell){.code = CELL_UNLISTED};
    fixture->event = (struct event){.event_id = SPAN_LITERAL("e-1"),
                                    .employee_id = SPAN_LITERAL("7"),
                                    .type = EVENT_TYPE_CHANGED,
                                    .cells = fixture->cells,
                                    .partial = true};
    fixture->out = (struct event){.cells = fixture->out_cells};
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    decoder_free(fixture->decoder);
    schema_free(fixture->schema);
    buffer_free(&fixture->bytes);
    free(fixture);
    return 0;
}

static enum event_code decode(struct fixture *fixture)
{
    return decoder_decode(fixture->decoder, buffer_span(&fixture->bytes), &fixture->out, &fixture->fault);
}

static enum event_code round_trip(struct fixture *fixture)
{
    buffer_clear(&fixture->bytes);
    event_encode(fixture->schema, &fixture->event, &fixture->bytes);
    return decode(fixture);
}

static enum event_code validate(struct fixture *fixture)
{
    return validate_event(fixture->schema, &fixture->out, SPAN_NULL, INT64_MAX, &fixture->fault);
}

static size_t listed(const struct fixture *fixture)
{
    size_t count = 0;
    for (size_t c = 0; c < COLUMNS; c++)
        count += fixture->out_cells[c].code != CELL_UNLISTED;
    return count;
}

/* The head of an event by hand: id, type, employee, time; then what the list is to be. */
static void begin(struct fixture *fixture, uint32_t id, enum event_type type)
{
    char bytes[64], *at = frame_put(bytes, id);
    at = avro_put_text(at, SPAN_LITERAL("e-1"));
    at = avro_put_long(at, type);
    at = avro_put_text(at, SPAN_LITERAL("7"));
    at = avro_put_long(at, 0);
    buffer_clear(&fixture->bytes);
    buffer_add(&fixture->bytes, bytes, (size_t)(at - bytes));
}

static void add_list(struct fixture *fixture, const char *const *names, size_t count)
{
    char bytes[512], *at = avro_put_branch(bytes, 1);
    for (size_t n = 0; n < count; n++)
        at = avro_put_text(avro_put_long(at, 1), span_of(names[n])); /* a block each */
    *at++ = 0;
    buffer_add(&fixture->bytes, bytes, (size_t)(at - bytes));
}

static void add_attributes(struct fixture *fixture) /* all null */
{
    static const char nulls[COLUMNS];
    buffer_add(&fixture->bytes, nulls, sizeof nulls);
}

static enum event_code decode_list(struct fixture *fixture, enum event_type type, const char *const *names,
                                   size_t count)
{
    begin(fixture, fixture->schema->event_schema_id, type);
    add_list(fixture, names, count);
    add_attributes(fixture);
    return decode(fixture);
}

static void test_round_trips(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[AGE] = cell_number(40);
    fixture->cells[TRAVEL] = unit_text(fixture->schema, TRAVEL, "Non-Travel");
    fixture->cells[INCOME] = cell_missing(&fixture->schema->columns[INCOME]);
    assert_int_equal(round_trip(fixture), EVENT_OK);
    assert_true(fixture->out.partial);
    assert_null(fixture->out.attributes.data);
    assert_int_equal(listed(fixture), 3);
    assert_true(fixture->out_cells[AGE].number == 40);
    assert_int_equal(fixture->out_cells[TRAVEL].code, 0);
    assert_int_equal(fixture->out_cells[INCOME].code, CELL_MISSING);
    assert_int_equal(validate(fixture), EVENT_OK);
}

static void test_an_empty_list_is_a_list(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(round_trip(fixture), EVENT_OK);
    assert_true(fixture->out.partial);
    assert_int_equal(listed(fixture), 0);
    assert_int_equal(validate(fixture), EVENT_OK);
}

static void test_null_is_a_whole_record(void **state)
{
    struct fixture *fixture = *state;
    fixture->event.partial = false;
    for (size_t c = 0; c < COLUMNS; c++)
        fixture->cells[c] = cell_missing(&fixture->schema->columns[c]);
    fixture->out.partial = true; /* of the event before */
    assert_int_equal(round_trip(fixture), EVENT_OK);
    assert_false(fixture->out.partial);
    assert_int_equal(fixture->out.attributes.bytes, COLUMNS);
}

/* Written before there was a list. */
static void test_old_ids_are_whole_records(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 1900000001, EVENT_TYPE_CHANGED);
    add_attributes(fixture);
    assert_int_equal(decode(fixture), EVENT_OK);
    assert_false(fixture->out.partial);
    assert_int_equal(listed(fixture), COLUMNS);
}

static void test_names_are_checked(void **state)
{
    struct fixture *fixture = *state;
    static const char *const unknown[] = {"Age", "age"}, *const twice[] = {"Age", "OverTime", "Age"},
                             *const id[] = {"EmployeeNumber"}, *const invalid[] = {"\xff"};
    assert_int_equal(decode_list(fixture, EVENT_TYPE_CHANGED, unknown, 2), EVENT_UNKNOWN_FIELD);
    assert_int_equal(fixture->fault.column, FAULT_CHANGED);
    assert_string_equal(envelope_field_name(FAULT_CHANGED), "changed");
    assert_int_equal(decode_list(fixture, EVENT_TYPE_CHANGED, twice, 3), EVENT_UNKNOWN_FIELD);
    assert_int_equal(fixture->fault.column, AGE);
    assert_int_equal(decode_list(fixture, EVENT_TYPE_CHANGED, id, 1), EVENT_UNKNOWN_FIELD);
    assert_int_equal(decode_list(fixture, EVENT_TYPE_CHANGED, invalid, 1), EVENT_MALFORMED);
    assert_int_equal(decode_list(fixture, EVENT_TYPE_CHANGED, unknown, 1), EVENT_OK);
    buffer_add_u8(&fixture->bytes, 0);
    assert_int_equal(decode(fixture), EVENT_MALFORMED);
}

static void test_only_changes_have_a_list(void **state)
{
    struct fixture *fixture = *state;
    static const char *const age[] = {"Age"};
    static const enum event_type types[] = {EVENT_TYPE_SNAPSHOT, EVENT_TYPE_HIRED, EVENT_TYPE_TERMINATED};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        assert_int_equal(decode_list(fixture, types[t], age, 1), EVENT_OK);
        assert_int_equal(validate(fixture), EVENT_RULE);
        assert_int_equal(fixture->fault.column, FAULT_CHANGED);
    }
}

static void test_listed_values_are_checked_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[AGE] = cell_number(17);
    assert_int_equal(round_trip(fixture), EVENT_OK);
    assert_int_equal(validate(fixture), EVENT_OUT_OF_RANGE);
    assert_int_equal(fixture->fault.column, AGE);
    fixture->cells[AGE] = cell_number(18);
    fixture->cells[TRAVEL] = unit_text(fixture->schema, TRAVEL, "by foot");
    assert_int_equal(round_trip(fixture), EVENT_OK);
    assert_int_equal(validate(fixture), EVENT_UNKNOWN_CATEGORY);
}

/* The record that it is merged with may lift the contradiction. */
static void test_rules_wait_for_the_merge(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[COMPANY_YEARS] = cell_number(9);
    fixture->cells[TOTAL_YEARS] = cell_number(3);
    assert_int_equal(round_trip(fixture), EVENT_OK);
    assert_int_equal(validate(fixture), EVENT_OK);
}

/* --- as JSON --- */

static enum event_code read_json(struct fixture *fixture, const char *text, const struct json_settings *settings)
{
    struct json_events *events = json_events_new(fixture->schema, settings);
    const struct record_context context = {.topic = SPAN_LITERAL("t"), .timestamp_ms = 1};
    struct json_faults faults = {.list = &fixture->fault, .capacity = 1};
    struct span copy = unit_copy(span_of(text));
    fixture->out = (struct event){.cells = fixture->out_cells, .type = EVENT_TYPE_SNAPSHOT};
    enum event_code code = json_events_read(events, copy, &context, &fixture->out, &faults);
    if (code == EVENT_OK) /* while the texts are there */
        code = validate(fixture);
    free((char *)copy.data);
    json_events_free(events);
    return code;
}

#define CHANGED(MEMBERS) "{\"employee_id\":\"7\",\"event_type\":\"CHANGED\"," MEMBERS "}"

static void assert_partial(struct fixture *fixture, const char *text, size_t count)
{
    const struct json_settings stream = {0}, files = {.rows = true};
    const struct json_settings *doors[] = {&stream, &files};
    for (size_t d = 0; d < 2; d++) {
        enum event_code code = read_json(fixture, text, doors[d]);
        if (code != EVENT_OK || !fixture->out.partial || listed(fixture) != count)
            fail_msg("%s: %s, %d, %zu", text, event_code_name(code), fixture->out.partial, listed(fixture));
    }
    assert_int_equal(fixture->out.type, EVENT_TYPE_CHANGED);
}

/* The names that there are, null among them; absent is not null. */
static void test_json_lists_what_it_names(void **state)
{
    struct fixture *fixture = *state;
    assert_partial(fixture, CHANGED("\"attributes\":{\"Age\":40,\"MonthlyIncome\":null}"), 2);
    assert_true(fixture->out_cells[AGE].number == 40);
    assert_int_equal(fixture->out_cells[INCOME].code, CELL_MISSING);
    assert_int_equal(fixture->out_cells[TRAVEL].code, CELL_UNLISTED);
    assert_partial(fixture,
                   "{\"attributes\":{\"BusinessTravel\":\"Non-Travel\"},\"event_type\":\"CHANGED\","
                   "\"employee_id\":7}",
                   1);
    assert_partial(fixture, CHANGED("\"attributes\":{}"), 0);
    assert_partial(fixture,
                   "{\"specversion\":\"1.0\",\"id\":\"c\",\"subject\":\"7\",\"data\":{\"event_type\":\"CHANGED\","
                   "\"Age\":40}}",
                   1);
    assert_partial(fixture,
                   "{\"specversion\":\"1.0\",\"id\":\"c\",\"data\":" CHANGED("\"attributes\":{\"Age\":40}") "}", 1);
    assert_int_equal(fixture->out.form, EVENT_FORM_CLOUD);
}

static void test_json_has_a_list(void **state)
{
    struct fixture *fixture = *state;
    assert_partial(fixture,
                   CHANGED("\"changed\":[\"Age\",\"MonthlyIncome\"],\"attributes\":{\"Age\":40,\"OverTime\":\"Yes\"}"),
                   2);
    assert_true(fixture->out_cells[AGE].number == 40);
    assert_int_equal(fixture->out_cells[INCOME].code, CELL_MISSING);
    assert_partial(fixture, CHANGED("\"attributes\":{\"Age\":40},\"changed\":[]"), 0);
    assert_partial(fixture, CHANGED("\"changed\":[]"), 0);
    assert_partial(fixture,
                   "{\"specversion\":\"1.0\",\"id\":\"c\",\"subject\":\"7\",\"data\":{\"event_type\":\"CHANGED\","
                   "\"changed\":[\"Age\"],\"Age\":40,\"OverTime\":\"Yes\"}}",
                   1);
}

/* And so is each of any other type. */
static void test_json_with_null_as_list_is_whole(void **state)
{
    struct fixture *fixture = *state;
    const struct json_settings stream = {0};
    static const char *const whole[] = {CHANGED("\"changed\":null,\"attributes\":{\"Age\":40}"),
                                        "{\"employee_id\":\"7\",\"attributes\":{\"Age\":40}}",
                                        "{\"employee_id\":\"7\",\"event_type\":\"HIRED\",\"attributes\":{\"Age\":40}}"};
    for (size_t w = 0; w < sizeof whole / sizeof *whole; w++) {
        assert_int_equal(read_json(fixture, whole[w], &stream), EVENT_OK);
        assert_false(fixture->out.partial);
        assert_int_equal(listed(fixture), COLUMNS);
    }
}

static void test_lists_of_json_are_checked(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        enum event_code code;
        int32_t column;
    } cases[] = {
        {CHANGED("\"changed\":[\"Age\",\"age\"],\"attributes\":{}"), EVENT_UNKNOWN_FIELD, FAULT_CHANGED},
        {CHANGED("\"changed\":[\"Age\",\"OverTime\",\"Age\"],\"attributes\":{}"), EVENT_UNKNOWN_FIELD, AGE},
        {CHANGED("\"changed\":[\"EmployeeNumber\"],\"attributes\":{}"), EVENT_UNKNOWN_FIELD, FAULT_CHANGED},
        {CHANGED("\"changed\":[\"employee_id\"],\"attributes\":{}"), EVENT_UNKNOWN_FIELD, FAULT_CHANGED},
        {CHANGED("\"changed\":[[\"Age\"]],\"attributes\":{}"), EVENT_WRONG_TYPE, FAULT_CHANGED},
        {CHANGED("\"changed\":\"Age\",\"attributes\":{}"), EVENT_WRONG_TYPE, FAULT_CHANGED},
        {CHANGED("\"changed\":{\"Age\":1},\"attributes\":{}"), EVENT_WRONG_TYPE, FAULT_CHANGED},
        {CHANGED("\"changed\":[\"Age\"]"), EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN},
        {CHANGED("\"changed\":[\"Age\"],\"changed\":[\"Age\"],\"attributes\":{}"), EVENT_MALFORMED, FAULT_NO_COLUMN},
        {CHANGED("\"attributes\":{\"age\":40}"), EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN},
        {CHANGED("\"attributes\":{\"Age\":17}"), EVENT_OUT_OF_RANGE, AGE},
        {CHANGED("\"attributes\":{\"Age\":\"40\"}"), EVENT_WRONG_TYPE, AGE},
        {"{\"employee_id\":\"7\"}", EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN},
        {"{\"employee_id\":\"7\",\"changed\":[\"Age\"],\"attributes\":{\"Age\":40}}", EVENT_RULE, FAULT_CHANGED},
        {"{\"employee_id\":\"7\",\"event_type\":\"HIRED\",\"changed\":[],\"attributes\":{}}", EVENT_RULE,
         FAULT_CHANGED},
        {"{\"employee_id\":\"7\",\"event_type\":\"TERMINATED\",\"changed\":[]}", EVENT_RULE, FAULT_CHANGED},
    };
    const struct json_settings stream = {0};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        enum event_code code = read_json(fixture, cases[c].text, &stream);
        if (code != cases[c].code || fixture->fault.column != cases[c].column)
            fail_msg("%s: %s, %d: %s", cases[c].text, event_code_name(code), fixture->fault.column,
                     fixture->fault.text);
    }
}

/* --- as a change of a row --- */

#define UNAVAILABLE \
    "\"" \
    "__debezium_unavailable_value" \
    "\""

static void test_changes_of_rows_are_whole(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ops[] = {"c", "r", "u"};
    const struct json_settings stream = {0};
    for (size_t o = 0; o < 3; o++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"op\":\"%s\",\"before\":{\"EmployeeNumber\":7,\"Age\":39},\"after\":{\"EmployeeNumber\":7,"
                 "\"Age\":40,\"MonthlyIncome\":null}}",
                 ops[o]);
        assert_int_equal(read_json(fixture, text, &stream), EVENT_OK);
        assert_false(fixture->out.partial);
        assert_int_equal(fixture->out.type, EVENT_TYPE_SNAPSHOT);
        assert_int_equal(listed(fixture), COLUMNS);
    }
}

static void test_unavailable_values_are_left(void **state)
{
    struct fixture *fixture = *state;
    const struct json_settings stream = {0};
    static const char *const rows[] = {
        "{\"op\":\"u\",\"after\":{\"EmployeeNumber\":7,\"BusinessTravel\":" UNAVAILABLE ",\"Age\":40}}",
        "{\"specversion\":\"1.0\",\"id\":\"c\",\"data\":{\"op\":\"u\",\"after\":{\"EmployeeNumber\":7,\"Age\":40,"
        "\"BusinessTravel\":" UNAVAILABLE "}}}"};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        assert_int_equal(read_json(fixture, rows[r], &stream), EVENT_OK);
        assert_true(fixture->out.partial);
        assert_int_equal(fixture->out.type, EVENT_TYPE_CHANGED);
        assert_int_equal(listed(fixture), COLUMNS - 1);
        assert_int_equal(fixture->out_cells[TRAVEL].code, CELL_UNLISTED);
        assert_int_equal(fixture->out_cells[INCOME].code, CELL_MISSING);
        assert_true(fixture->out_cells[AGE].number == 40);
    }
    assert_int_equal(
        read_json(fixture, "{\"op\":\"u\",\"after\":{\"EmployeeNumber\":" UNAVAILABLE ",\"Age\":40}}", &stream),
        EVENT_MISSING_REQUIRED);
    assert_int_equal(fixture->fault.column, FAULT_EMPLOYEE_ID);
    /* what the deleted row had does not count, and neither does it where the row says that somebody has left */
    assert_int_equal(read_json(fixture,
                               "{\"op\":\"d\",\"before\":{\"EmployeeNumber\":7,\"BusinessTravel\":" UNAVAILABLE "}}",
                               &stream),
                     EVENT_OK);
    assert_false(fixture->out.partial);
    assert_int_equal(read_json(fixture,
                               "{\"op\":\"u\",\"after\":{\"EmployeeNumber\":7,\"event_type\":\"TERMINATED\",\"Age\":40,"
                               "\"BusinessTravel\":" UNAVAILABLE "}}",
                               &stream),
                     EVENT_OK);
    assert_false(fixture->out.partial);
    assert_int_equal(fixture->out_cells[TRAVEL].code, CELL_MISSING);
    assert_int_equal(read_json(fixture, CHANGED("\"attributes\":{\"BusinessTravel\":" UNAVAILABLE "}"), &stream),
                     EVENT_UNKNOWN_CATEGORY);
}

static void test_all_faults_of_what_is_listed(void **state)
{
    struct fixture *fixture = *state;
    struct fault faults[4];
    fixture->cells[AGE] = cell_number(17);
    fixture->cells[TRAVEL] = unit_text(fixture->schema, TRAVEL, "by foot");
    fixture->event.type = EVENT_TYPE_HIRED;
    assert_int_equal(validate_attributes_all(fixture->schema, &fixture->event, faults, 4), 3);
    assert_int_equal(faults[0].code, EVENT_RULE);
    assert_int_equal(faults[1].column, AGE);
    assert_int_equal(faults[2].code, EVENT_UNKNOWN_CATEGORY);
    assert_int_equal(validate_attributes_all(fixture->schema, &fixture->event, faults, 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trips, make, unmake),
        cmocka_unit_test_setup_teardown(test_an_empty_list_is_a_list, make, unmake),
        cmocka_unit_test_setup_teardown(test_null_is_a_whole_record, make, unmake),
        cmocka_unit_test_setup_teardown(test_old_ids_are_whole_records, make, unmake),
        cmocka_unit_test_setup_teardown(test_names_are_checked, make, unmake),
        cmocka_unit_test_setup_teardown(test_only_changes_have_a_list, make, unmake),
        cmocka_unit_test_setup_teardown(test_listed_values_are_checked_at_once, make, unmake),
        cmocka_unit_test_setup_teardown(test_rules_wait_for_the_merge, make, unmake),
        cmocka_unit_test_setup_teardown(test_json_lists_what_it_names, make, unmake),
        cmocka_unit_test_setup_teardown(test_json_has_a_list, make, unmake),
        cmocka_unit_test_setup_teardown(test_json_with_null_as_list_is_whole, make, unmake),
        cmocka_unit_test_setup_teardown(test_lists_of_json_are_checked, make, unmake),
        cmocka_unit_test_setup_teardown(test_changes_of_rows_are_whole, make, unmake),
        cmocka_unit_test_setup_teardown(test_unavailable_values_are_left, make, unmake),
        cmocka_unit_test_setup_teardown(test_all_faults_of_what_is_listed, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
