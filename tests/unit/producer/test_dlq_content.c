/* producer/dlq_content.h: whom a letter is of, and whose time it has. */
#include "tests/unit/producer/unit.h"

#include "base/options.h"
#include "events/event_encoder.h"
#include "producer/dlq_content.h"

enum { RECORD_MS = 1700000000 };

static struct dlq_content_reader *reader;
static struct options *options;

static int run(const struct options *given)
{
    (void)given;
    return 0;
}

static int content_setup(void **state)
{
    static const struct subcommand rows[] = {{"dlq", "", "", .run = run}, {0}};
    char name[] = "producer", command[] = "dlq", *words[] = {name, command, NULL}, *none[] = {NULL};
    bool exit_now;
    struct error err;
    if (unit_setup(state) != 0 ||
        options_parse(PROGRAM_PRODUCER, rows, 2, words, none, &options, &exit_now, &err) != STATUS_OK)
        return -1;
    return dlq_content_reader_new(options, test_schema, &reader, &err) == STATUS_OK ? 0 : -1;
}

static int content_teardown(void **state)
{
    dlq_content_reader_free(reader);
    options_free(options);
    return unit_teardown(state);
}

static struct dlq_content read_json(const char *text)
{
    const struct record_context context = {.topic = SPAN_LITERAL("events"), .timestamp_ms = RECORD_MS};
    struct dlq_content content;
    dlq_content_read(reader, SPAN_LITERAL("7"), span_of(text), SPAN_NULL, &context, &content);
    return content;
}

static void a_json_event_without_a_time_has_its_records(void **state)
{
    (void)state;
    struct dlq_content content = read_json("{\"employee_id\":\"7\",\"attributes\":{\"Age\":400}}");
    assert_int_equal(content.value_code, EVENT_OK);
    assert_true(content.fault_count > 0);
    assert_true(span_equal(dlq_content_value_id(&content), SPAN_LITERAL("7")));
    assert_true(dlq_content_has_records_time(&content, RECORD_MS));
    /* Also where it cannot be decoded. */
    content = read_json("{\"employee_id\":\"7\",\"attributes\":{\"Age\":\"x\"}}");
    assert_int_equal(content.value_code, EVENT_WRONG_TYPE);
    assert_true(dlq_content_has_records_time(&content, RECORD_MS));
}

/* Cut before its second attribute: what is before it can be shown, and is nobody's all the same. */
static void avro_is_read_up_to_its_fault(void **state)
{
    (void)state;
    const struct record_context context = {.topic = SPAN_LITERAL("events"), .timestamp_ms = RECORD_MS};
    struct cell cells[64] = {{.code = CELL_MISSING}};
    struct event event = {
        .event_id = SPAN_LITERAL("e-1"), .employee_id = SPAN_LITERAL("7"), .occurred_at_ms = RECORD_MS, .cells = cells};
    struct buffer value = {0};
    struct dlq_content content;
    for (size_t c = 0; c < test_schema->column_count; c++)
        cells[c] = cell_missing(&test_schema->columns[c]);
    cells[0] = cell_number(41);
    event_encode(test_schema, &event, &value);
    value.bytes -= test_schema->column_count - 1; /* a null is one byte */
    dlq_content_read(reader, SPAN_LITERAL("7"), buffer_span(&value), SPAN_NULL, &context, &content);
    assert_int_equal(content.value_code, EVENT_MALFORMED);
    assert_true(span_equal(content.event.event_id, SPAN_LITERAL("e-1")));
    assert_int_equal(content.event.occurred_at_ms, RECORD_MS);
    assert_true(content.event.cells[0].number == 41);
    assert_int_equal(content.event.cells[1].code, CELL_UNLISTED);
    assert_null(dlq_content_value_id(&content).data);
    value.bytes = 3;
    dlq_content_read(reader, SPAN_LITERAL("7"), buffer_span(&value), SPAN_NULL, &context, &content);
    assert_null(content.event.event_id.data);
    assert_int_equal(content.event.cells[0].code, CELL_UNLISTED);
    buffer_free(&value);
}

static void others_have_their_own(void **state)
{
    (void)state;
    struct dlq_content content =
        read_json("{\"employee_id\":\"7\",\"occurred_at\":\"2025-01-01T00:00:00Z\",\"attributes\":{\"Age\":400}}");
    assert_int_equal(content.value_code, EVENT_OK);
    assert_false(dlq_content_has_records_time(&content, RECORD_MS));
    content = read_json("nothing that can be read");
    assert_false(dlq_content_has_records_time(&content, RECORD_MS));
    assert_false(dlq_content_has_records_time(&content, 0));
    assert_null(dlq_content_value_id(&content).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_json_event_without_a_time_has_its_records),
                                       cmocka_unit_test(avro_is_read_up_to_its_fault),
                                       cmocka_unit_test(others_have_their_own)};
    return cmocka_run_group_tests_name("producer/dlq_content", tests, content_setup, content_teardown);
}
