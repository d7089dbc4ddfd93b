/* events/json_event.h and input_map.h: every form of an event as JSON, what fills what it leaves open, and every code.
 */
#include "tests/unit/events/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "events/decoder.h"
#include "events/json_event.h"

struct fixture {
    struct schema *schema;
    struct json_settings settings;
    struct json_events *events;
    struct record_context context;
    struct cell cells[UNIT_COLUMNS];
    struct event out;
    struct fault faults[8];
    struct json_faults found;
    char *copy;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    fixture->schema = unit_schema();
    fixture->events = json_events_new(fixture->schema, &fixture->settings);
    fixture->context = (struct record_context){
        .topic = SPAN_LITERAL("events"), .partition = 3, .offset = 42, .timestamp_ms = 1700000000000};
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    json_events_free(fixture->events);
    input_map_free((struct input_map *)fixture->settings.map);
    schema_free(fixture->schema);
    free(fixture->copy);
    free(fixture);
    return 0;
}

static void settle(struct fixture *fixture)
{
    json_events_free(fixture->events);
    fixture->events = json_events_new(fixture->schema, &fixture->settings);
}

static enum status load_map(struct fixture *fixture, const char *text, struct error *err)
{
    char path[] = "/tmp/test-map-XXXXXX";
    int file = mkstemp(path);
    struct input_map *map = NULL;
    assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    enum status status = input_map_load(path, fixture->schema, &map, err);
    unlink(path);
    fixture->settings.map = map;
    return status;
}

/* Reads a copy that ends where its memory ends. */
static enum event_code read_event(struct fixture *fixture, const char *text)
{
    free(fixture->copy);
    fixture->copy = (char *)unit_copy(span_of(text)).data;
    fixture->out = (struct event){.cells = fixture->cells};
    fixture->found = (struct json_faults){.list = fixture->faults, .capacity = 8};
    return json_events_read(fixture->events, (struct span){fixture->copy, strlen(text)}, &fixture->context,
                            &fixture->out, &fixture->found);
}

static void assert_read(struct fixture *fixture, const char *text)
{
    if (read_event(fixture, text) != EVENT_OK)
        fail_msg("%s: %s: %s", text, event_code_name(fixture->faults[0].code), fixture->faults[0].text);
}

static void assert_refused(struct fixture *fixture, const char *text, enum event_code code, const char *says)
{
    enum event_code got = read_event(fixture, text);
    if (got != code || strncmp(fixture->faults[0].text, says, strlen(says)) != 0)
        fail_msg("%s: %s: %s", text, event_code_name(got), fixture->found.count ? fixture->faults[0].text : "");
}

static void assert_event(const struct fixture *fixture, const char *event_id, const char *employee_id, int64_t ms,
                         enum event_type type)
{
    const struct event *out = &fixture->out;
    if (!span_equal(out->event_id, span_of(event_id)) || !span_equal(out->employee_id, span_of(employee_id)) ||
        out->occurred_at_ms != ms || out->type != (int32_t)type)
        fail_msg("event %.*s of %.*s at %lld, type %d", (int)out->event_id.bytes, out->event_id.data,
                 (int)out->employee_id.bytes, out->employee_id.data, (long long)out->occurred_at_ms, out->type);
}

#define ATTRIBUTES "{\"count\":41,\"grade\":\"yy\",\"score\":-2.5,\"share\":null}"

static void assert_cells(const struct fixture *fixture)
{
    assert_true(fixture->cells[UNIT_COUNT].number == 41);
    assert_int_equal(fixture->cells[UNIT_GRADE].code, 1);
    assert_true(fixture->cells[UNIT_SCORE].number == -2.5);
    assert_int_equal(fixture->cells[UNIT_SHARE].code, CELL_MISSING);
    assert_int_equal(fixture->cells[UNIT_LEVEL].code, CELL_MISSING);
    assert_false(fixture->out.without_attributes);
}

static void a_plain_event_is_read(void **state)
{
    struct fixture *fixture = *state;
    assert_read(fixture, " {\"event_id\":\"e\",\"event_type\":\"HIRED\",\"employee_id\":\"Zo\\u00eb\",\"occurred_at\":"
                         "\"1970-01-01T00:00:01Z\",\"attributes\":" ATTRIBUTES "}\n");
    assert_event(fixture, "e", "Zo\xc3\xab", 1000, EVENT_TYPE_HIRED);
    assert_int_equal(fixture->out.form, EVENT_FORM_PLAIN);
    assert_cells(fixture);
    assert_read(fixture, "{\"attributes\":" ATTRIBUTES ",\"employee_id\":7,\"event_type\":\"MOVED\"}");
    assert_event(fixture, "events/3/42", "7", 1700000000000, EVENT_TYPE_TERMINATED + 1);
    assert_cells(fixture);
}

#define ENVELOPE \
    "{\"event_id\":\"e\",\"event_type\":\"HIRED\",\"employee_id\":\"E\",\"occurred_at\":1000,\"attributes\":"

static const char *event_of(const char *attributes)
{
    static char text[512];
    snprintf(text, sizeof text, ENVELOPE "%s}", attributes);
    return text;
}

static void members_may_stand_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    static const char *const same[] = {
        ATTRIBUTES,
        "{\"count\": 41, \"grade\": \"yy\", \"score\": -2.5, \"share\": null}",
        " {\n\t\"count\" :41 ,\r\n\"grade\":  \"yy\",\"score\":-2.5,\"share\":null\n}\n",
        "{\"share\":null,\"score\":-25e-1,\"grade\":\"yy\",\"count\":41}",
        "{\"grade\":\"yy\",\"score\":-2.5,\"count\":41}",
        "{\"\\u0063ount\":41,\"gr\\u0061de\":\"y\\u0079\",\"score\":-2.5}",
        "{\"level\":null,\"count\":41.0,\"score\":-2.50,\"grade\":\"yy\"}",
    };
    fixture->settings.time_unit = TIME_UNIT_EXACT_MS;
    settle(fixture);
    for (size_t s = 0; s < sizeof same / sizeof *same; s++) {
        assert_read(fixture, event_of(same[s]));
        assert_event(fixture, "e", "E", 1000, EVENT_TYPE_HIRED);
        assert_cells(fixture);
    }
    assert_read(fixture, "{\"attributes\":" ATTRIBUTES ",\"occurred_at\":1000,\"employee_id\":\"E\","
                         "\"event_type\":\"HIRED\",\"event_\\u0069d\":\"e\"}");
    assert_event(fixture, "e", "E", 1000, EVENT_TYPE_HIRED);
    assert_cells(fixture);
}

static void a_duplicate_is_found_wherever_it_stands(void **state)
{
    struct fixture *fixture = *state;
    static const char *const twice[] = {
        "{\"count\":1,\"grade\":\"yy\",\"count\":1}",      "{\"count\":1,\"\\u0063ount\":1}",
        "{\"grade\":\"yy\",\"count\":1,\"grade\":\"yy\"}", "{\"count\":null,\"grade\":\"yy\",\"count\":null}",
        "{\"other\":1,\"count\":1,\"other\":1}",
    };
    for (size_t t = 0; t < sizeof twice / sizeof *twice; t++)
        assert_refused(fixture, event_of(twice[t]), EVENT_MALFORMED, "JSON with a duplicate key");
    assert_refused(fixture, "{\"event_id\":\"e\",\"event_type\":\"HIRED\",\"event_id\":\"e\",\"attributes\":{}}",
                   EVENT_MALFORMED, "JSON with a duplicate key (column 49)");
    assert_refused(fixture, event_of("{\"count\":1,\"grade\":\"yy\",\"count\":1}"), EVENT_MALFORMED,
                   "JSON with a duplicate key (column 120)");
}

/* Also where little is left of the document behind them. */
static void numbers_of_few_digits_are_themselves(void **state)
{
    struct fixture *fixture = *state;
    char attributes[64];
    int64_t number = 0;
    fixture->settings.time_unit = TIME_UNIT_EXACT_MS;
    settle(fixture);
    for (int digits = 1; digits <= 15; digits++) {
        number = number * 10 + digits % 10;
        snprintf(attributes, sizeof attributes, "{\"total\":%lld}", (long long)number);
        assert_read(fixture, event_of(attributes));
        assert_true(fixture->cells[UNIT_TOTAL].number == (double)number);
        snprintf(attributes, sizeof attributes, "{\"total\":%lld,\"score\":%lld.5}", (long long)number,
                 (long long)number % 1000);
        assert_read(fixture, event_of(attributes));
        assert_true(fixture->cells[UNIT_TOTAL].number == (double)number);
        assert_true(fixture->cells[UNIT_SCORE].number == (double)(number % 1000) + 0.5);
        snprintf(attributes, sizeof attributes, "{\"total\":0%lld}", (long long)number);
        assert_refused(fixture, event_of(attributes), EVENT_MALFORMED, "not JSON: a number that is not written");
    }
    assert_read(fixture, event_of("{\"total\":0,\"score\":-0}"));
    assert_true(fixture->cells[UNIT_TOTAL].number == 0 && fixture->cells[UNIT_SCORE].number == 0);
}

static void what_is_cut_off_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char whole[] = ENVELOPE "{\"count\":41,\"grade\":\"yy\",\"level\":7}}";
    char text[sizeof whole];
    for (size_t bytes = 1; bytes < sizeof whole - 1; bytes++) {
        memcpy(text, whole, bytes);
        text[bytes] = '\0';
        assert_refused(fixture, text, EVENT_MALFORMED, "not JSON: it ends too early");
    }
}

static void what_is_absent_comes_from_the_record(void **state)
{
    struct fixture *fixture = *state;
    assert_read(fixture, "{\"employee_id\":\"E\",\"attributes\":" ATTRIBUTES "}");
    assert_event(fixture, "events/3/42", "E", 1700000000000, EVENT_TYPE_SNAPSHOT);
    assert_read(fixture, "{\"employee_id\":\"E\",\"event_id\":null,\"occurred_at\":null,\"event_type\":null,"
                         "\"attributes\":{}}");
    assert_event(fixture, "events/3/42", "E", 1700000000000, EVENT_TYPE_SNAPSHOT);
    assert_read(fixture, "{\"employee_id\":\"E\",\"event_type\":\"TERMINATED\"}");
    assert_true(fixture->out.without_attributes);
    assert_int_equal(fixture->cells[UNIT_COUNT].code, CELL_MISSING);
    assert_read(fixture, "{\"employee_id\":\"E\",\"event_type\":\"TERMINATED\",\"attributes\":null}");
    assert_true(fixture->out.without_attributes);
    char topic[250];
    memset(topic, 't', sizeof topic);
    fixture->context.topic = (struct span){topic, 249};
    assert_read(fixture, "{\"employee_id\":\"E\",\"attributes\":{}}");
    assert_int_equal(fixture->out.event_id.bytes, 200 + strlen("/3/42"));
    fixture->context.timestamp_ms = -1;
    assert_refused(fixture, "{\"employee_id\":\"E\",\"attributes\":{}}", EVENT_MISSING_REQUIRED, "occurred_at: ");
}

static void every_fault_has_its_code_and_field(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        enum event_code code;
        const char *says;
    } cases[] = {
        {"", EVENT_MALFORMED, "not JSON: it ends too early (column 1)"},
        {"{\"employee_id\":\"E\",\n\"attributes\":{\"count\":01}}", EVENT_MALFORMED,
         "not JSON: a number that is not written as JSON wants it (line 2, column 24)"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"nothing\":1}} x", EVENT_MALFORMED, "not JSON: something follows"},
        {"[]", EVENT_MALFORMED, "not a JSON object"},
        {"{\"employee_id\":\"E\",\"employee_id\":\"E\",\"attributes\":{}}", EVENT_MALFORMED,
         "JSON with a duplicate key"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"count\":1,\"count\":1}}", EVENT_MALFORMED, "JSON with a duplicate"},
        {"{\"employee_id\":\"E\",\"attributes\":{},\"attributes\":{}}", EVENT_MALFORMED, "JSON with a duplicate key"},
        {"{\"employee_id\":\"E\",\"attributes\":{},\"x\":1,\"x\":1}", EVENT_MALFORMED, "JSON with a duplicate key"},
        {"{\"employee_id\":\"\xff\",\"attributes\":{}}", EVENT_MALFORMED, "not UTF-8"},
        {"{}", EVENT_MISSING_REQUIRED, "employee_id: is absent, and it is no CloudEvent"},
        {"{\"count\":1}", EVENT_MISSING_REQUIRED, "employee_id: is absent, and it is no CloudEvent"},
        {"{\"employee_id\":null,\"attributes\":{}}", EVENT_MISSING_REQUIRED, "employee_id: required, but null"},
        {"{\"attributes\":{}}", EVENT_MISSING_REQUIRED, "employee_id: "},
        {"{\"employee_id\":\"E\"}", EVENT_MISSING_REQUIRED, "attributes: required, unless"},
        {"{\"employee_id\":\"E\",\"attributes\":null}", EVENT_MISSING_REQUIRED, "attributes: required, unless"},
        {"{\"employee_id\":\"E\",\"attributes\":[1]}", EVENT_WRONG_TYPE, "attributes: not an object"},
        {"{\"employee_id\":\"E\",\"attributes\":nul}", EVENT_MALFORMED, "not JSON"},
        {"{\"employee_id\":1.5,\"attributes\":{}}", EVENT_WRONG_TYPE, "employee_id: neither"},
        {"{\"employee_id\":{\"a\":1},\"attributes\":{}}", EVENT_WRONG_TYPE, "employee_id: neither"},
        {"{\"employee_id\":\"E\",\"event_id\":true,\"attributes\":{}}", EVENT_WRONG_TYPE, "event_id: neither"},
        {"{\"employee_id\":\"E\",\"event_type\":3,\"attributes\":{}}", EVENT_WRONG_TYPE, "event_type: not a text"},
        {"{\"employee_id\":\"E\",\"event_type\":\"\",\"attributes\":{}}", EVENT_UNKNOWN_CATEGORY, "event_type: not a"},
        {"{\"employee_id\":\"E\",\"occurred_at\":1741046400000,\"attributes\":{}}", EVENT_WRONG_TYPE,
         "occurred_at: a bare number has no unit: write ISO 8601 (2025-03-04, "},
        {"{\"employee_id\":\"E\",\"occurred_at\":\"soon\",\"attributes\":{}}", EVENT_WRONG_TYPE,
         "occurred_at: not ISO"},
        {"{\"employee_id\":\"E\",\"occurred_at\":false,\"attributes\":{}}", EVENT_WRONG_TYPE, "occurred_at: neither"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"Count\":1}}", EVENT_UNKNOWN_FIELD, "Count: the schema has no"},
        {"{\"employee_id\":\"E\",\"count\":1}", EVENT_UNKNOWN_FIELD, "count: no field of an event: attributes belong"},
        {"{\"employee_id\":\"E\",\"x\":1,\"attributes\":{}}", EVENT_UNKNOWN_FIELD, "x: no field of an event"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"number\":1}}", EVENT_UNKNOWN_FIELD, "number: "},
        {"{\"employee_id\":\"E\",\"attributes\":{\"count\":\"1\"}}", EVENT_WRONG_TYPE, "count: not a number"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"count\":1.5}}", EVENT_WRONG_TYPE, "count: not an integer"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"count\":NaN}}", EVENT_NOT_FINITE, "count: not a finite number"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"score\":1e999}}", EVENT_NOT_FINITE, "score: not a finite number"},
        {"{\"employee_id\":\"E\",\"attributes\":{\"grade\":[{\"x\":[]}]}}", EVENT_WRONG_TYPE, "grade: not a text"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_refused(fixture, cases[c].text, cases[c].code, cases[c].says);
}

static void depth_is_a_limit(void **state)
{
    struct fixture *fixture = *state;
    struct buffer text = {0};
    buffer_add_text(&text, "{\"employee_id\":\"E\",\"attributes\":{\"count\":");
    for (int i = 0; i < 10000; i++)
        buffer_add_u8(&text, '[');
    buffer_add_u8(&text, 0);
    assert_refused(fixture, text.data, EVENT_LIMIT, "nested too deeply");
    buffer_free(&text);
}

static void bare_numbers_have_the_unit_that_was_set(void **state)
{
    struct fixture *fixture = *state;
    fixture->settings.time_unit = TIME_UNIT_S;
    settle(fixture);
    assert_read(fixture, "{\"employee_id\":\"E\",\"occurred_at\":1741046400,\"attributes\":{}}");
    assert_event(fixture, "events/3/42", "E", 1741046400000, EVENT_TYPE_SNAPSHOT);
    assert_read(fixture, "{\"employee_id\":\"E\",\"occurred_at\":\"1970-06-01\",\"attributes\":{}}");
    assert_read(fixture, "{\"employee_id\":\"E\",\"occurred_at\":-5,\"attributes\":{}}");
    assert_refused(fixture, "{\"employee_id\":\"E\",\"occurred_at\":20250304,\"attributes\":{}}", EVENT_WRONG_TYPE,
                   "occurred_at: a number that would be a time in 1970");
    assert_refused(fixture, "{\"employee_id\":\"E\",\"occurred_at\":\"0\",\"attributes\":{}}", EVENT_WRONG_TYPE,
                   "occurred_at: a number that would be a time in 1970");
    assert_refused(fixture, "{\"employee_id\":\"E\",\"occurred_at\":5.0,\"attributes\":{}}", EVENT_WRONG_TYPE,
                   "occurred_at: neither");
}

/* --- CloudEvents --- */

static void cloud_events_are_read_in_both_modes(void **state)
{
    struct fixture *fixture = *state;
    assert_read(fixture, "{\"specversion\":\"1.0\",\"id\":\"c-1\",\"source\":\"/hr\",\"type\":\"changed\",\"time\":"
                         "\"1970-01-01T00:00:02Z\",\"subject\":\"E7\",\"data\":" ATTRIBUTES "}");
    assert_event(fixture, "c-1", "E7", 2000, EVENT_TYPE_SNAPSHOT);
    assert_int_equal(fixture->out.form, EVENT_FORM_CLOUD);
    assert_cells(fixture);
    /* what the data says itself counts more */
    assert_read(fixture,
                "{\"data\":{\"event_id\":\"e\",\"event_type\":\"HIRED\",\"employee_id\":\"E8\",\"occurred_at\":"
                "\"1970-01-01T00:00:01Z\",\"attributes\":" ATTRIBUTES "},\"specversion\":\"1.0\",\"id\":\"c-1\","
                "\"source\":\"/hr\",\"type\":\"changed\",\"subject\":\"E7\"}");
    assert_event(fixture, "e", "E8", 1000, EVENT_TYPE_HIRED);
    assert_cells(fixture);
    fixture->context.ce_specversion = SPAN_LITERAL("1.0");
    fixture->context.ce_id = SPAN_LITERAL("c-2");
    fixture->context.ce_time = SPAN_LITERAL("1970-01-01T00:00:03Z");
    fixture->context.ce_subject = SPAN_LITERAL("E9");
    assert_read(fixture, ATTRIBUTES);
    assert_event(fixture, "c-2", "E9", 3000, EVENT_TYPE_SNAPSHOT);
    assert_cells(fixture);
    assert_read(fixture, "{\"employee_id\":\"E1\",\"event_type\":\"TERMINATED\",\"attributes\":" ATTRIBUTES "}");
    assert_event(fixture, "c-2", "E1", 3000, EVENT_TYPE_TERMINATED);
}

static void what_is_wrong_with_a_cloud_event_is_named(void **state)
{
    struct fixture *fixture = *state;
#define CLOUD(MEMBERS) "{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"s\",\"type\":\"t\"," MEMBERS "}"
    assert_refused(fixture, "{\"specversion\":\"0.3\",\"data\":{}}", EVENT_UNRESOLVABLE, "specversion: not \"1.0\"");
    assert_refused(fixture, CLOUD("\"subject\":\"E\""), EVENT_MISSING_REQUIRED, "data: no object");
    assert_refused(fixture, CLOUD("\"data\":\"x\""), EVENT_WRONG_TYPE, "data: no object");
    assert_refused(fixture, CLOUD("\"data_base64\":\"eA==\""), EVENT_WRONG_TYPE, "data: data_base64 is not read");
    assert_refused(fixture, CLOUD("\"data\":{\"count\":1}"), EVENT_MISSING_REQUIRED, "employee_id: required");
    assert_refused(fixture, CLOUD("\"subject\":\"E\",\"data\":{\"what\":1}"), EVENT_UNKNOWN_FIELD, "what: ");
    assert_refused(fixture, CLOUD("\"subject\":\"E\",\"time\":\"x\",\"data\":{\"count\":1}"), EVENT_WRONG_TYPE,
                   "occurred_at: not ISO");
    assert_refused(fixture, CLOUD("\"subject\":\"E\",\"subject\":\"E\",\"data\":{\"count\":1}"), EVENT_MALFORMED,
                   "JSON with a duplicate key");
    fixture->context.ce_specversion = SPAN_LITERAL("0.3");
    assert_refused(fixture, ATTRIBUTES, EVENT_UNRESOLVABLE, "ce_specversion: ");
}

/* --- Debezium --- */

#define ROW "{\"number\":7,\"count\":41,\"grade\":\"yy\",\"score\":-2.5,\"share\":null,\"other\":\"x\",\"left\":\"No\"}"
#define SOURCE "\"source\":{\"connector\":\"postgresql\",\"ts_ms\":5000,\"table\":\"employees\"},\"ts_ms\":6000"

static void changes_of_rows_are_read(void **state)
{
    struct fixture *fixture = *state;
    static const char *const rows[] = {
        "{\"before\":null,\"after\":" ROW "," SOURCE ",\"op\":\"c\",\"transaction\":null}",
        "{\"before\":null,\"after\":" ROW "," SOURCE ",\"op\":\"r\"}",
        "{\"op\":\"u\",\"before\":{\"number\":7,\"count\":1},\"after\":" ROW "," SOURCE "}",
        "{\"schema\":{\"type\":\"struct\",\"fields\":[]},\"payload\":{\"op\":\"u\",\"before\":null,\"after\":" ROW
        "," SOURCE "}}",
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        assert_read(fixture, rows[r]);
        assert_int_equal(fixture->out.form, EVENT_FORM_CHANGE);
        assert_event(fixture, "events/3/42", "7", 5000, EVENT_TYPE_SNAPSHOT);
        assert_cells(fixture);
    }
    assert_read(fixture, "{\"op\":\"c\",\"after\":" ROW ",\"ts_ms\":6000}");
    assert_event(fixture, "events/3/42", "7", 6000, EVENT_TYPE_SNAPSHOT);
}

static void deleted_rows_are_terminations(void **state)
{
    struct fixture *fixture = *state;
    assert_read(fixture, "{\"before\":{\"number\":7,\"count\":\"bad\"},\"after\":null," SOURCE ",\"op\":\"d\"}");
    assert_event(fixture, "events/3/42", "7", 5000, EVENT_TYPE_TERMINATED);
    assert_true(fixture->out.without_attributes);
    assert_int_equal(fixture->cells[UNIT_COUNT].code, CELL_MISSING);
    assert_refused(fixture, "{\"before\":null,\"after\":null," SOURCE ",\"op\":\"d\"}", EVENT_MISSING_REQUIRED,
                   "employee_id: the deleted row's");
    /* when and by which event the row was changed last is not what deleted it */
    assert_read(fixture, "{\"before\":{\"number\":7,\"event_id\":\"last\",\"occurred_at\":\"1970-01-01T00:00:01Z\"},"
                         "\"after\":null," SOURCE ",\"op\":\"d\"}");
    assert_event(fixture, "events/3/42", "7", 5000, EVENT_TYPE_TERMINATED);
    assert_read(fixture, "{\"before\":{\"number\":7,\"occurred_at\":\"1970-01-01T00:00:01Z\"},\"op\":\"d\"}");
    assert_event(fixture, "events/3/42", "7", 1700000000000, EVENT_TYPE_TERMINATED);
    assert_refused(fixture, "{\"before\":{\"number\":7.5},\"op\":\"d\"}", EVENT_MISSING_REQUIRED,
                   "employee_id: the deleted row's");
    fixture->settings.refuse_deletes = true;
    settle(fixture);
    assert_refused(fixture, "{\"before\":{\"number\":7},\"after\":null," SOURCE ",\"op\":\"d\"}", EVENT_UNRESOLVABLE,
                   "op: a row was deleted");
}

static void what_is_no_change_of_a_row_is_ignored(void **state)
{
    struct fixture *fixture = *state;
    assert_read(fixture, "{\"op\":\"t\"," SOURCE "}");
    assert_true(fixture->out.ignored);
    assert_read(fixture, "{\"op\":\"m\",\"message\":{\"prefix\":\"p\",\"content\":\"eA==\"}," SOURCE "}");
    assert_true(fixture->out.ignored);
    assert_read(fixture, "{\"op\":\"c\",\"after\":" ROW "," SOURCE "}");
    assert_false(fixture->out.ignored);
}

static void what_is_wrong_with_a_change_is_named(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture,
                   "{\"op\":\"c\",\"after\":{\"number\":7,\"grade\":\""
                   "__debezium_unavailable_value\"}}",
                   EVENT_MISSING_REQUIRED, "grade: the connector sent a placeholder");
    assert_read(fixture,
                "{\"op\":\"c\",\"after\":{\"number\":7,\"count\":1,\"other\":\"__debezium_unavailable_value\"}}");
    assert_refused(fixture, "{\"op\":\"x\",\"after\":{}}", EVENT_UNRESOLVABLE, "op: none of");
    assert_refused(fixture, "{\"op\":\"u\",\"after\":null}", EVENT_MISSING_REQUIRED, "after: no row");
    assert_refused(fixture, "{\"op\":\"c\",\"after\":{\"number\":7,\"salary\":1}}", EVENT_UNKNOWN_FIELD, "salary: ");
    assert_refused(fixture, "{\"op\":\"c\",\"after\":{\"count\":1}}", EVENT_MISSING_REQUIRED, "employee_id: required");
}

/* A column more is refused until the schema has it, or ignores it; one less is missing; another type is named. */
static void tables_may_change(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture, "{\"op\":\"u\",\"after\":{\"number\":7,\"count\":1,\"wing\":\"B\"}}", EVENT_UNKNOWN_FIELD,
                   "wing: ");
    assert_read(fixture, "{\"op\":\"u\",\"after\":{\"number\":7,\"count\":1,\"other\":\"B\"}}");
    assert_read(fixture, "{\"op\":\"u\",\"before\":{\"number\":7,\"gone\":1},\"after\":{\"number\":7,\"count\":1}}");
    assert_int_equal(fixture->cells[UNIT_SCORE].code, CELL_MISSING);
    assert_false(fixture->out.partial);
    assert_refused(fixture, "{\"op\":\"u\",\"after\":{\"number\":7,\"count\":\"1\"}}", EVENT_WRONG_TYPE,
                   "count: not a number");
    assert_refused(fixture, "{\"op\":\"u\",\"after\":{\"number\":7,\"count\":1.5}}", EVENT_WRONG_TYPE,
                   "count: not an integer");
    assert_refused(fixture, "{\"op\":\"u\",\"after\":{\"emp_no\":7,\"count\":1}}", EVENT_UNKNOWN_FIELD, "emp_no: ");
}

static void a_mebibyte_is_read(void **state)
{
    struct fixture *fixture = *state;
    enum { MEBIBYTE = 1 << 20 };
    struct buffer text = {0};
    buffer_add_text(&text, "{\"employee_id\":\"E\",\"attributes\":{\"count\":41,\"grade\":\"");
    while (text.bytes < MEBIBYTE - 3)
        buffer_add_u8(&text, 'y');
    buffer_add_text(&text, "\"}}");
    buffer_add_u8(&text, 0);
    assert_read(fixture, text.data); /* a text that is no category: validation's to refuse */
    assert_int_equal(fixture->cells[UNIT_GRADE].code, CELL_OTHER);
    assert_int_equal(fixture->cells[UNIT_GRADE].text_bytes,
                     MEBIBYTE - 3 - strlen("{\"employee_id\":\"E\",\"attributes\":{\"count\":41,\"grade\":\""));
    text.data[text.bytes - 2] = ' '; /* the last brace */
    assert_refused(fixture, text.data, EVENT_MALFORMED, "not JSON: it ends too early");
    buffer_free(&text);
}

/* --- lines of files --- */

static void rows_of_files_may_be_bare(void **state)
{
    struct fixture *fixture = *state;
    fixture->settings.rows = true;
    fixture->context = (struct record_context){.timestamp_ms = -1};
    settle(fixture);
    assert_read(fixture, "{\"number\":7,\"count\":41,\"grade\":\"yy\",\"score\":-2.5,\"left\":\"No\",\"other\":[1]}");
    assert_event(fixture, "", "7", INT64_MIN, EVENT_TYPE_SNAPSHOT);
    assert_cells(fixture);
    assert_read(fixture, "{\"id\":\"a\",\"attributes\":" ATTRIBUTES "}");
    assert_event(fixture, "", "a", INT64_MIN, EVENT_TYPE_SNAPSHOT);
    assert_read(fixture, "{\"count\":1}");
    assert_null(fixture->out.employee_id.data);
    assert_refused(fixture, "{\"count\":1,\"count\":1}", EVENT_MALFORMED, "JSON with a duplicate key");
    assert_refused(fixture, "{\"id\":\"a\",\"id\":\"b\",\"attributes\":{}}", EVENT_MALFORMED,
                   "JSON with a duplicate key");
    assert_refused(fixture, "{\"id\":\"a\",\"attributes\":{},\"employee_id\":\"b\"}", EVENT_MALFORMED,
                   "JSON with a duplicate key");
    assert_refused(fixture, "{\"number\":7,\"attributes\":{},\"id\":\"b\"}", EVENT_MALFORMED,
                   "JSON with a duplicate key");
}

/* A row of a file is called by its number where it has no id, but not what comes from a system that has ids. */
static void whose_row_it_is_must_be_said(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    fixture->settings.rows = true;
    fixture->context = (struct record_context){.timestamp_ms = -1};
    settle(fixture);
    assert_refused(fixture, "{\"op\":\"c\",\"after\":{\"count\":1}}", EVENT_MISSING_REQUIRED, "employee_id: required");
    assert_refused(fixture, "{\"specversion\":\"1.0\",\"data\":{\"count\":1}}", EVENT_MISSING_REQUIRED,
                   "employee_id: required");
    assert_int_equal(load_map(fixture, "{\"employee_id\":\"/emp\",\"attributes\":{\"count\":\"/n\"}}", &err),
                     STATUS_OK);
    settle(fixture);
    assert_read(fixture, "{\"emp\":7,\"n\":1}");
    assert_refused(fixture, "{\"n\":1}", EVENT_MISSING_REQUIRED, "employee_id: required");
    assert_refused(fixture, "{\"attributes\":{\"count\":1}}", EVENT_MISSING_REQUIRED, "employee_id: ");
}

/* --- mappings --- */

static const char shipped_map[] =
    "{\"key\":\"/emp\",\"employee_id\":\"/emp\",\"occurred_at\":{\"path\":\"/at\",\"unit\":\"s\"},"
    "\"event_type\":{\"path\":\"/what\",\"values\":{\"HIRE\":\"HIRED\"}},\"attributes\":{\"count\":\"/deep/n\","
    "\"grade\":{\"path\":\"/g~1h\",\"values\":{\"Y\":\"yy\",\"true\":\"x\",\"3\":null}},\"score\":\"/list/1\","
    "\"level\":{\"path\":\"/rank\",\"values\":{\"top\":3}}},\"ignore\":[\"/photo\",\"/deep/rest\"]}";

static void a_mapping_reads_any_object(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(load_map(fixture, shipped_map, &err), STATUS_OK);
    settle(fixture);
    assert_read(
        fixture,
        "{\"emp\":7,\"at\":1741046400,\"what\":\"HIRE\",\"deep\":{\"rest\":[{}],\"n\":41},\"g/h\":\"Y\",\"list\":"
        "[0,-2.5,{}],\"photo\":{\"a\":\"b\"},\"rank\":\"top\"}");
    assert_event(fixture, "events/3/42", "7", 1741046400000, EVENT_TYPE_HIRED);
    assert_int_equal(fixture->out.form, EVENT_FORM_MAPPED);
    assert_true(fixture->cells[UNIT_LEVEL].number == 3);
    fixture->cells[UNIT_LEVEL] = cell_missing(&fixture->schema->columns[UNIT_LEVEL]);
    assert_cells(fixture);
    assert_refused(fixture, "{\"emp\":7,\"at\":20250304}", EVENT_WRONG_TYPE,
                   "occurred_at: a number that would be a time in 1970");
    assert_read(fixture, "{\"emp\":\"E\",\"g/h\":true,\"deep\":null}");
    assert_int_equal(fixture->cells[UNIT_GRADE].code, 0);
    assert_read(fixture, "{\"emp\":\"E\",\"g/h\":3,\"list\":[]}");
    assert_int_equal(fixture->cells[UNIT_GRADE].code, CELL_MISSING);
    assert_refused(fixture, "{\"emp\":\"E\",\"salary\":3}", EVENT_UNKNOWN_FIELD,
                   "salary: the mapping has no such path");
    assert_refused(fixture, "{\"emp\":\"E\",\"deep\":{\"x\":3}}", EVENT_UNKNOWN_FIELD, "x: the mapping");
    assert_refused(fixture, "{\"emp\":\"E\",\"deep\":3}", EVENT_WRONG_TYPE, "deep: neither an object");
    assert_refused(fixture, "{\"at\":-5}", EVENT_MISSING_REQUIRED, "employee_id: required");
    /* and the rows within other forms; an event in our own form stays one */
    assert_read(fixture, "{\"op\":\"c\",\"after\":{\"emp\":7,\"deep\":{\"n\":41}},\"source\":{\"ts_ms\":9}}");
    assert_event(fixture, "events/3/42", "7", 9, EVENT_TYPE_SNAPSHOT);
    assert_read(fixture, "{\"specversion\":\"1.0\",\"id\":\"c\",\"data\":{\"emp\":7,\"rank\":\"top\"}}");
    assert_event(fixture, "c", "7", 1700000000000, EVENT_TYPE_SNAPSHOT);
    assert_read(fixture, "{\"employee_id\":\"E\",\"attributes\":" ATTRIBUTES "}");
    assert_cells(fixture);
}

static void a_mapping_may_lead_into_attributes(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    assert_int_equal(load_map(fixture, "{\"employee_id\":\"/emp\",\"attributes\":{\"count\":\"/attributes/n\"}}", &err),
                     STATUS_OK);
    settle(fixture);
    assert_read(fixture, "{\"emp\":7,\"attributes\":{\"n\":41}}");
    assert_event(fixture, "events/3/42", "7", 1700000000000, EVENT_TYPE_SNAPSHOT);
    assert_int_equal(fixture->out.form, EVENT_FORM_MAPPED);
    assert_true(fixture->cells[UNIT_COUNT].number == 41);
    assert_read(fixture,
                "{\"specversion\":\"1.0\",\"id\":\"c\",\"subject\":\"E\",\"data\":{\"attributes\":{\"n\":42}}}");
    assert_event(fixture, "c", "E", 1700000000000, EVENT_TYPE_SNAPSHOT);
    assert_true(fixture->cells[UNIT_COUNT].number == 42);
    /* an event of ours, by an id that this mapping does not read */
    assert_read(fixture, "{\"employee_id\":\"E\",\"attributes\":" ATTRIBUTES "}");
    assert_cells(fixture);
    input_map_free((struct input_map *)fixture->settings.map);
    assert_int_equal(
        load_map(fixture, "{\"employee_id\":\"/employee_id\",\"attributes\":{\"count\":\"/attributes/n\"}}", &err),
        STATUS_OK);
    settle(fixture);
    assert_read(fixture, "{\"employee_id\":\"E\",\"attributes\":{\"n\":43}}");
    assert_true(fixture->cells[UNIT_COUNT].number == 43);
}

/* A number stands for an id or a time as one in the document does. */
static void a_mapping_may_give_numbers(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    assert_int_equal(load_map(fixture,
                              "{\"employee_id\":{\"path\":\"/emp\",\"values\":{\"old\":9007199254740993}},"
                              "\"occurred_at\":{\"path\":\"/at\",\"unit\":\"s\",\"values\":{\"first\":-5}},"
                              "\"event_type\":{\"path\":\"/what\",\"values\":{\"x\":null}},"
                              "\"attributes\":{\"score\":{\"path\":\"/s\",\"values\":{\"low\":0.5}}}}",
                              &err),
                     STATUS_OK);
    settle(fixture);
    assert_read(fixture, "{\"emp\":\"old\",\"at\":\"first\",\"what\":\"x\",\"s\":\"low\"}");
    assert_event(fixture, "events/3/42", "9007199254740993", -5000, EVENT_TYPE_SNAPSHOT);
    assert_true(fixture->cells[UNIT_SCORE].number == 0.5);
}

static void a_mapping_with_mistakes_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{\"employee_id\":\"/a\",\"employee_id\":\"/b\"}", "line 1"},
        {"{\"attributes\":{}}", "\"employee_id\": no path is given"},
        {"{\"employee_id\":\"\"}", "\"employee_id\": no path: give"},
        {"{\"employee_id\":7}", "\"employee_id\": no path: give"},
        {"{\"employee_id\":\"/a~2\"}", "\"employee_id\": a ~ that"},
        {"{\"employee_id\":\"/a\",\"attributes\":{\"salary\":\"/b\"}}", "\"salary\": the event schema has no such"},
        {"{\"employee_id\":\"/a\",\"attributes\":{\"count\":\"/a\"}}",
         "\"count\": /a is the path of another field too"},
        {"{\"employee_id\":\"/a\",\"attributes\":{\"count\":\"/a/b\"}}", "\"a\": this step is read"},
        {"{\"employee_id\":\"/a\",\"ignore\":[\"/a\"]}", "\"a\": this step is read"},
        {"{\"employee_id\":\"/a\",\"ignore\":\"/b\"}", "\"ignore\": not a list"},
        {"{\"employee_id\":\"/a\",\"occurred_at\":{\"path\":\"/b\",\"unit\":\"weeks\"}}", "\"occurred_at\": \"unit\""},
        {"{\"employee_id\":{\"path\":\"/b\",\"unit\":\"s\"}}", "\"employee_id\": \"unit\" is none of path, values"},
        {"{\"employee_id\":{\"path\":\"/b\",\"values\":{\"a\":[]}}}", "\"employee_id\": the value for \"a\""},
        {"{\"employee_id\":{\"path\":\"/b\",\"values\":{\"a\":7.5}}}",
         "\"employee_id\": the value for \"a\" is no integer"},
        {"{\"employee_id\":\"/a\",\"attributes\":{\"grade\":{\"path\":\"/b\",\"values\":{\"a\":1}}}}",
         "\"grade\": the value for \"a\" is a number"},
        {"{\"employee_id\":\"/a\",\"event_type\":{\"path\":\"/b\",\"values\":{\"a\":\"HIRE\"}}}",
         "\"event_type\": the value for \"a\" is no symbol"},
        {"{\"employee_id\":\"/a\",\"event_type\":{\"path\":\"/b\",\"values\":{\"a\":1}}}",
         "\"event_type\": the value for \"a\" is no symbol"},
        {"{\"employee_id\":\"/a\",\"salary\":\"/b\"}", "\"salary\": no field of an event"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct error err = {0};
        assert_int_equal(load_map(fixture, cases[c].text, &err), STATUS_INVALID);
        if (!strstr(err.text, cases[c].says))
            fail_msg("%s: %s", cases[c].text, err.text);
    }
}

/* --- which values are JSON --- */

static enum event_code decode(struct decoder *decoder, struct span value, struct span header, struct cell *cells)
{
    struct event out = {.cells = cells};
    struct fault fault;
    bool waits;
    const struct record_context context = {.topic = SPAN_LITERAL("t"), .timestamp_ms = 0};
    return decoder_read_record(decoder, value, header, &context, &out, &fault, &waits);
}

static void a_brace_is_json_where_it_may_be(void **state)
{
    struct fixture *fixture = *state;
    const struct span event = SPAN_LITERAL(" \n{\"employee_id\":\"E\",\"attributes\":{}}"), no = SPAN_LITERAL("no");
    struct decoder *decoder;
    struct error err;
    assert_int_equal(decoder_new(fixture->schema, &decoder, &err), STATUS_OK);
    assert_int_equal(decode(decoder, event, SPAN_NULL, fixture->cells), EVENT_BAD_FRAME);
    decoder_take_json(decoder, INPUT_FORMAT_AUTO, &fixture->settings);
    assert_int_equal(decode(decoder, event, SPAN_NULL, fixture->cells), EVENT_OK);
    assert_int_equal(decode(decoder, no, SPAN_NULL, fixture->cells), EVENT_BAD_FRAME);
    assert_int_equal(decode(decoder, SPAN_LITERAL(""), SPAN_NULL, fixture->cells), EVENT_BAD_FRAME);
    assert_int_equal(decode(decoder, SPAN_LITERAL("\0\0\0\0\11{}"), SPAN_NULL, fixture->cells),
                     EVENT_UNKNOWN_SCHEMA_ID);
    assert_int_equal(decode(decoder, event, SPAN_LITERAL("\0\0\0\0\11"), fixture->cells), EVENT_UNKNOWN_SCHEMA_ID);
    decoder_take_json(decoder, INPUT_FORMAT_JSON, &fixture->settings);
    assert_int_equal(decode(decoder, no, SPAN_NULL, fixture->cells), EVENT_MALFORMED);
    assert_int_equal(decode(decoder, SPAN_LITERAL("\0\0\0\0\11{}"), SPAN_NULL, fixture->cells),
                     EVENT_UNKNOWN_SCHEMA_ID);
    assert_int_equal(decoder_take_unframed(decoder, "7", &err), STATUS_OK);
    assert_int_equal(decode(decoder, event, SPAN_NULL, fixture->cells), EVENT_OK);
    decoder_take_json(decoder, INPUT_FORMAT_AUTO, &fixture->settings);
    assert_int_equal(decode(decoder, event, SPAN_NULL, fixture->cells), EVENT_MALFORMED);
    decoder_free(decoder);
}

int main(void)
{
#define WITH(TEST) cmocka_unit_test_setup_teardown(TEST, make, unmake)
    const struct CMUnitTest tests[] = {
        WITH(a_plain_event_is_read),
        WITH(members_may_stand_in_any_order),
        WITH(a_duplicate_is_found_wherever_it_stands),
        WITH(numbers_of_few_digits_are_themselves),
        WITH(what_is_cut_off_is_refused),
        WITH(what_is_absent_comes_from_the_record),
        WITH(every_fault_has_its_code_and_field),
        WITH(depth_is_a_limit),
        WITH(bare_numbers_have_the_unit_that_was_set),
        WITH(cloud_events_are_read_in_both_modes),
        WITH(what_is_wrong_with_a_cloud_event_is_named),
        WITH(changes_of_rows_are_read),
        WITH(deleted_rows_are_terminations),
        WITH(what_is_no_change_of_a_row_is_ignored),
        WITH(what_is_wrong_with_a_change_is_named),
        WITH(tables_may_change),
        WITH(a_mebibyte_is_read),
        WITH(rows_of_files_may_be_bare),
        WITH(a_mapping_reads_any_object),
        WITH(whose_row_it_is_must_be_said),
        WITH(a_mapping_may_lead_into_attributes),
        WITH(a_mapping_may_give_numbers),
        WITH(a_mapping_with_mistakes_is_refused),
        WITH(a_brace_is_json_where_it_may_be),
    };
    return cmocka_run_group_tests_name("events/json_event", tests, NULL, NULL);
}
