/* scorer/http/event_reader.h and media_type.h: what a posted event becomes, and each fault with its place. */
#include "tests/support/scorer.h"

#include <jansson.h>

#include "base/memory.h"
#include "events/decoder.h"
#include "events/event_encoder.h"
#include "scorer/http/event_reader.h"
#include "scorer/http/media_type.h"

static const int64_t now_us = INT64_C(1767225600000000); /* 2026-01-01 */

struct fixture {
    struct options *options;
    struct schema *schema;
    struct settings settings;
    struct event_reader *reader;
    struct record_context context;
    struct event event;
    struct faults faults;
    char *copy; /* at its end, so that reading beyond it shows */
};

static int make(void **state)
{
    const char *words[] = {"--instance-id=x", NULL};
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct error err;
    fixture->options = scorer_options(words);
    fixture->schema = scorer_schema();
    assert_int_equal(settings_resolve(fixture->options, fixture->schema, &fixture->settings, &err), STATUS_OK);
    fixture->reader = event_reader_new(&fixture->settings, now_us);
    fixture->context = (struct record_context){
        .topic = SPAN_LITERAL("http/abc"), .partition = -1, .offset = 7, .timestamp_ms = now_us / 1000};
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    event_reader_free(fixture->reader);
    faults_clear(&fixture->faults);
    settings_release(&fixture->settings);
    options_free(fixture->options);
    schema_free(fixture->schema);
    free(fixture->copy);
    free(fixture);
    return 0;
}

static bool reads(struct fixture *fixture, const char *document)
{
    const struct loc loc = loc_index(loc_name((struct loc){0}, "body"), 4);
    size_t bytes = strlen(document);
    free(fixture->copy);
    fixture->copy = mem_zeroed(bytes, 1);
    memcpy(fixture->copy, document, bytes);
    return event_reader_read(fixture->reader, (struct span){fixture->copy, bytes}, &fixture->context, loc,
                             &fixture->event, &fixture->faults);
}

/* The answer has this fault. */
static void assert_fault(struct fixture *fixture, const char *document, const char *fault)
{
    struct answer answer = {0};
    assert_false(reads(fixture, document));
    assert_true(faults_answer(&fixture->faults, &answer));
    buffer_add_u8(&answer.body, 0);
    if (!strstr(answer.body.data, fault))
        fail_msg("%s is not in %s", fault, answer.body.data);
    buffer_free(&answer.body);
}

static void assert_text(struct span text, const char *wanted)
{
    assert_int_equal(text.bytes, strlen(wanted));
    assert_memory_equal(text.data, wanted, text.bytes);
}

static void an_event_that_leaves_much_open_is_filled(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "{\"employee_id\":1042,\"attributes\":{\"Age\":41}}"));
    assert_text(fixture->event.employee_id, "1042");
    assert_text(fixture->event.event_id, "http/abc/7");
    assert_int_equal(fixture->event.occurred_at_ms, now_us / 1000);
    assert_int_equal(fixture->event.type, EVENT_TYPE_SNAPSHOT);
}

static void what_it_encodes_is_read_again(void **state)
{
    struct fixture *fixture = *state;
    struct decoder *decoder;
    struct buffer value = {0};
    struct error err;
    struct fault fault;
    struct event read = {.cells = mem_zeroed(fixture->schema->column_count, sizeof(struct cell))};
    int32_t age = schema_column(fixture->schema, SPAN_LITERAL("Age"));
    assert_true(
        reads(fixture, "{\"op\":\"c\",\"after\":{\"EmployeeNumber\":7,\"Age\":30},\"source\":{\"ts_ms\":1000}}"));
    event_encode(fixture->schema, &fixture->event, &value);
    assert_int_equal(decoder_new(fixture->schema, &decoder, &err), STATUS_OK);
    assert_int_equal(decoder_decode(decoder, buffer_span(&value), &read, &fault), EVENT_OK);
    assert_text(read.employee_id, "7");
    assert_int_equal(read.occurred_at_ms, 1000);
    assert_true(read.cells[age].number == 30);
    decoder_free(decoder);
    buffer_free(&value);
    free(read.cells);
}

static void a_termination_needs_no_attributes(void **state)
{
    struct fixture *fixture = *state;
    assert_true(reads(fixture, "{\"employee_id\":\"1\",\"event_type\":\"TERMINATED\"}"));
    assert_int_equal(fixture->event.type, EVENT_TYPE_TERMINATED);
    assert_fault(fixture, "{\"employee_id\":\"1\"}", "[\"body\",4,\"attributes\"],\"msg\":\"required");
}

static void faults_have_their_places(void **state)
{
    struct fixture *fixture = *state;
    assert_fault(fixture, "{\"employee_id\":\"1\",\"attributes\":{\"Age\":411}}",
                 "[\"body\",4,\"attributes\",\"Age\"]");
    assert_fault(fixture, "{\"employee_id\":\"1\",\"attributes\":{\"Aeg\":1}}", "[\"body\",4,\"attributes\",\"Aeg\"]");
    assert_fault(fixture, "{\"employee_id\":\"1\",\"Aeg\":1,\"attributes\":{}}", "[\"body\",4,\"Aeg\"]");
    assert_fault(fixture, "{\"employee_id\":\"a\\nb\",\"attributes\":{}}", "[\"body\",4,\"employee_id\"]");
    assert_fault(fixture, "{\"employee_id\":\"1\",\"event_id\":\"\",\"attributes\":{}}", "[\"body\",4,\"event_id\"]");
    assert_fault(fixture, "{\"employee_id\":\"1\",\"occurred_at\":\"2026-01-03\",\"attributes\":{}}",
                 "[\"body\",4,\"occurred_at\"]");
    assert_fault(fixture, "{\"op\":\"m\",\"source\":{}}", "[\"body\",4,\"op\"]");
    assert_fault(fixture, "{\"employee_id\":\"1\",", "\"loc\":[\"body\",4],");
}

static void all_faults_are_reported_and_each_once(void **state)
{
    struct fixture *fixture = *state;
    assert_false(reads(fixture, "{\"employee_id\":[],\"occurred_at\":\"soon\",\"bogus\":1,\"attributes\":"
                                "{\"Age\":\"x\",\"JobLevel\":99,\"OverTime\":\"Maybe\",\"Aeg\":1}}"));
    assert_int_equal(fixture->faults.count, 7);
}

static void a_reader_is_good_for_more_than_one(void **state)
{
    struct fixture *fixture = *state;
    assert_false(reads(fixture, "{\"employee_id\":\"1\",\"attributes\":{\"Age\":411}}"));
    faults_clear(&fixture->faults);
    assert_true(reads(fixture, "{\"employee_id\":\"2\",\"attributes\":{\"JobLevel\":2}}"));
    assert_int_equal(fixture->faults.count, 0);
    assert_int_equal(fixture->event.cells[schema_column(fixture->schema, SPAN_LITERAL("Age"))].code, CELL_MISSING);
}

static void media_types_match_with_their_charset(void **state)
{
    (void)state;
    assert_true(media_type_is("application/json", "application/json"));
    assert_true(media_type_is("Application/JSON; charset=\"UTF-8\"", "application/json"));
    assert_false(media_type_is("application/json; charset=latin1", "application/json"));
    assert_false(media_type_is("application/jsonx", "application/json"));
    assert_false(media_type_is(NULL, "application/json"));
    assert_true(media_type_fits("application/x-ndjson", NULL, "/events"));
    assert_true(media_type_fits("application/cloudevents-batch+json; charset=utf-8", NULL, "/events"));
    assert_false(media_type_fits("application/cloudevents+avro", NULL, "/events"));
    assert_true(media_type_fits("application/json", NULL, "/predict"));
    assert_false(media_type_fits("application/x-ndjson", NULL, "/predict"));
    assert_false(media_type_fits(NULL, NULL, "/predict"));
    assert_true(media_type_fits(NULL, NULL, "/v2/models/attrition/infer"));
    assert_false(media_type_fits(NULL, "null", "/v2/models/attrition/infer"));
    assert_true(media_type_fits("application/json", "http://localhost", "/v2/models/attrition/infer"));
    assert_false(media_type_fits("application/octet-stream", NULL, "/v2/models/attrition/infer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_that_leaves_much_open_is_filled, make, unmake),
        cmocka_unit_test_setup_teardown(what_it_encodes_is_read_again, make, unmake),
        cmocka_unit_test_setup_teardown(a_termination_needs_no_attributes, make, unmake),
        cmocka_unit_test_setup_teardown(faults_have_their_places, make, unmake),
        cmocka_unit_test_setup_teardown(all_faults_are_reported_and_each_once, make, unmake),
        cmocka_unit_test_setup_teardown(a_reader_is_good_for_more_than_one, make, unmake),
        cmocka_unit_test(media_types_match_with_their_charset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
