/* Partial events (events/event.h): what `changed` lists is decoded and checked, the rest is left as it is. */
#include "tests/unit/events/unit.h"

#include "avro/write.h"
#include "events/decoder.h"
#include "events/event_encoder.h"
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
    char bytes[64], *at = avro_put_frame(bytes, id);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
