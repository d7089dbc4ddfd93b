/* events/prediction_versions.h: a prediction of another version is read as what our own version of it says. */
#include "tests/unit/events/unit.h"

#include "events/event_encoder.h"
#include "events/prediction_versions.h"

enum { OLDER_ID = 8, OUR_ID = 9 };

#define OLDER_IDS \
    "{\"event\":[{\"id\":7,\"file\":\"employee_event.avsc\"}],\"prediction\":[{\"id\":8,\"file\":\"older.avsc\"}," \
    "{\"id\":9,\"file\":\"prediction.avsc\"}]}"

struct fixture {
    struct schema *schema;
    struct prediction_versions *versions;
    struct arena arena;
    struct buffer bytes, again;
    struct cell cells[UNIT_COLUMNS];
    struct fault fault;
};

static void replace(char *text, const char *old, const char *new)
{
    char *at = strstr(text, old);
    assert_non_null(at);
    memmove(at + strlen(new), at + strlen(old), strlen(at + strlen(old)) + 1);
    memcpy(at, new, strlen(new));
}

/* The older version has the same bytes for the same values, but other types: a symbol more, numbers narrower. */
static int make(void **state)
{
    static char older[sizeof unit_prediction + 100];
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct error err = {0};
    strcpy(older, unit_prediction);
    replace(older, "[\"STREAM\",\"HTTP\"]", "[\"STREAM\",\"HTTP\",\"BATCH\"]");
    replace(older, "\"latency_us\",\"type\":\"long\"", "\"latency_us\",\"type\":\"int\"");
    if (unit_load(unit_event, older, unit_prediction, OLDER_IDS, &fixture->schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    fixture->versions = prediction_versions_new(fixture->schema);
    unit_row(fixture->schema, fixture->cells);
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    prediction_versions_free(fixture->versions);
    schema_free(fixture->schema);
    arena_free(&fixture->arena);
    buffer_free(&fixture->bytes);
    buffer_free(&fixture->again);
    free(fixture);
    return 0;
}

static struct prediction plain(const struct fixture *fixture)
{
    return (struct prediction){
        .event_id = SPAN_LITERAL("e\0\n\xc3\xa4"),
        .occurred_at_ms = -1,
        .label = 1,
        .probability = 1.0 / 3,
        .threshold = 1,
        .margin = -INFINITY,
        .base = INFINITY,
        .model = {SPAN_LITERAL("attrition"), SPAN_LITERAL(""), SPAN_NULL, SPAN_LITERAL("0123")},
        .scored_at_us = INT64_MAX,
        .latency_us = INT32_MAX,
        .channel = CHANNEL_HTTP,
        .cells = fixture->cells,
    };
}

static enum event_code read_older(struct fixture *fixture, struct prediction *out)
{
    bool waits;
    fixture->bytes.data[4] = OLDER_ID;
    enum event_code code = prediction_versions_read(fixture->versions, buffer_span(&fixture->bytes), SPAN_NULL,
                                                    &fixture->arena, out, &fixture->fault, &waits);
    fixture->bytes.data[4] = OUR_ID;
    assert_false(waits);
    return code;
}

/* What is read says what was written: encoded again it is the same. */
static void assert_survives(struct fixture *fixture, const struct prediction *in)
{
    struct prediction out;
    buffer_clear(&fixture->bytes);
    buffer_clear(&fixture->again);
    prediction_encode(fixture->schema, in, &fixture->bytes);
    assert_int_equal(read_older(fixture, &out), EVENT_OK);
    out.attributes = SPAN_NULL;
    prediction_encode(fixture->schema, &out, &fixture->again);
    assert_true(span_equal(buffer_span(&fixture->again), buffer_span(&fixture->bytes)));
}

static void test_every_field_is_read(void **state)
{
    static const struct reason reasons[] = {{UNIT_LEVEL, 0.75}, {UNIT_COUNT, NAN}};
    static const struct challenger_score challengers[] = {{SPAN_LITERAL("attrition/8"), 0.1}};
    struct fixture *fixture = *state;
    struct prediction in = plain(fixture);
    assert_survives(fixture, &in);
    in.employee_id = SPAN_LITERAL("n-1");
    in.reasons = reasons;
    in.reason_count = 2;
    in.model.alias = SPAN_LITERAL("production");
    in.challengers = challengers;
    in.challenger_count = 1;
    in.source_topic = SPAN_LITERAL("events");
    in.source_partition = 3;
    in.source_offset = INT64_C(1) << 40;
    in.channel = CHANNEL_STREAM;
    in.has_change = true;
    in.change = (struct margin_change){-0.5, 1e-300};
    fixture->cells[UNIT_COUNT] = cell_missing(&fixture->schema->columns[UNIT_COUNT]);
    fixture->cells[UNIT_GRADE] = unit_text(fixture->schema, UNIT_GRADE, "another");
    assert_survives(fixture, &in);
}

static void test_what_has_no_place_is_unresolvable(void **state)
{
    struct fixture *fixture = *state;
    struct prediction in = plain(fixture), out;
    prediction_encode(fixture->schema, &in, &fixture->bytes);
    struct buffer attributes = {0};
    attributes_encode(fixture->schema, fixture->cells, &attributes);
    char *channel = fixture->bytes.data + fixture->bytes.bytes - attributes.bytes - 2; /* then no change */
    assert_int_equal(*channel, CHANNEL_HTTP << 1);
    *channel = 2 << 1;
    assert_int_equal(read_older(fixture, &out), EVENT_UNRESOLVABLE);
    buffer_free(&attributes);
}

/* The channel's byte is followed by that of a change that is null, and then by the attributes. */
static void test_a_version_without_change_has_none(void **state)
{
    struct fixture *fixture = *state;
    static const char older[] = UNIT_PREDICTION("", UNIT_FIELD_TYPES("", "", "", "", "", ""));
    struct schema *schema = NULL;
    struct error err = {0};
    if (unit_load(unit_event, older, unit_prediction, OLDER_IDS, &schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    struct prediction_versions *versions = prediction_versions_new(schema);
    struct prediction in = plain(fixture), out;
    struct buffer attributes = {0};
    bool waits;
    attributes_encode(schema, fixture->cells, &attributes);
    prediction_encode(schema, &in, &fixture->bytes);
    size_t change = fixture->bytes.bytes - attributes.bytes - 1;
    assert_int_equal(fixture->bytes.data[change], 0);
    memmove(fixture->bytes.data + change, fixture->bytes.data + change + 1, attributes.bytes);
    fixture->bytes.bytes--;
    fixture->bytes.data[4] = OLDER_ID;
    assert_int_equal(prediction_versions_read(versions, buffer_span(&fixture->bytes), SPAN_NULL, &fixture->arena, &out,
                                              &fixture->fault, &waits),
                     EVENT_OK);
    assert_true(!out.has_change && out.channel == CHANNEL_HTTP && out.scored_at_us == INT64_MAX);
    buffer_free(&attributes);
    prediction_versions_free(versions);
    schema_free(schema);
}

static void test_an_unknown_feature_is_unresolvable(void **state)
{
    static const struct reason reasons[] = {{UNIT_SHARE, 0.75}};
    struct fixture *fixture = *state;
    struct prediction in = plain(fixture), out;
    in.reasons = reasons;
    in.reason_count = 1;
    prediction_encode(fixture->schema, &in, &fixture->bytes);
    char *feature = memmem(fixture->bytes.data, fixture->bytes.bytes, "share", 5);
    assert_non_null(feature);
    feature[0] = 'z';
    assert_int_equal(read_older(fixture, &out), EVENT_UNRESOLVABLE);
    assert_string_equal(fixture->fault.text, "a reason names a feature that the schema lacks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_field_is_read, make, unmake),
        cmocka_unit_test_setup_teardown(test_what_has_no_place_is_unresolvable, make, unmake),
        cmocka_unit_test_setup_teardown(test_a_version_without_change_has_none, make, unmake),
        cmocka_unit_test_setup_teardown(test_an_unknown_feature_is_unresolvable, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
