/* events/prediction.h: what prediction_encode writes, prediction_decode reads; cut or changed bytes are refused. */
#include "tests/unit/events/unit.h"

#include "events/event_encoder.h"
#include "events/prediction.h"

static const struct reason reasons[] = {{UNIT_LEVEL, 0.75}, {UNIT_COUNT, -0.5}};
static const struct challenger_score challengers[] = {{SPAN_LITERAL("attrition/8"), 0.25}};

static struct prediction full(const struct cell *cells)
{
    return (struct prediction){
        .event_id = SPAN_LITERAL("e-1"),
        .employee_id = SPAN_LITERAL("n-1"),
        .occurred_at_ms = 1700000000123,
        .label = 1,
        .probability = 0.625,
        .threshold = 0.5,
        .margin = 0.51,
        .base = -1.5,
        .reasons = reasons,
        .reason_count = 2,
        .model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), SPAN_LITERAL("production"), SPAN_LITERAL("0123")},
        .challengers = challengers,
        .challenger_count = 1,
        .scored_at_us = 1700000000123456,
        .latency_us = 1500,
        .source_topic = SPAN_LITERAL("events"),
        .source_partition = 3,
        .source_offset = INT64_C(1) << 40,
        .channel = CHANNEL_STREAM,
        .has_change = true,
        .change = {-0.25, 0.125},
        .cells = cells,
    };
}

struct fixture {
    struct schema *schema;
    struct arena arena;
    struct buffer bytes;
    struct cell cells[UNIT_COLUMNS];
    struct prediction in;
    struct fault fault;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    fixture->schema = unit_schema();
    unit_row(fixture->schema, fixture->cells);
    fixture->in = full(fixture->cells);
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    schema_free(fixture->schema);
    arena_free(&fixture->arena);
    buffer_free(&fixture->bytes);
    free(fixture);
    return 0;
}

static void assert_optional_equal(struct span a, struct span b)
{
    assert_int_equal(a.data == NULL, b.data == NULL);
    assert_true(span_equal(a, b));
}

static void assert_round_trip(struct fixture *fixture)
{
    const struct prediction *in = &fixture->in;
    struct prediction out;
    buffer_clear(&fixture->bytes);
    prediction_encode(fixture->schema, in, &fixture->bytes);
    assert_int_equal(
        prediction_decode(fixture->schema, buffer_span(&fixture->bytes), &fixture->arena, &out, &fixture->fault),
        EVENT_OK);
    assert_optional_equal(out.event_id, in->event_id);
    assert_optional_equal(out.employee_id, in->employee_id);
    assert_int_equal(out.occurred_at_ms, in->occurred_at_ms);
    assert_int_equal(out.label, in->label);
    assert_memory_equal(&out.probability, &in->probability, 4 * sizeof(double));
    assert_int_equal(out.reason_count, in->reason_count);
    for (size_t r = 0; r < in->reason_count; r++)
        assert_true(out.reasons[r].column == in->reasons[r].column &&
                    out.reasons[r].contribution == in->reasons[r].contribution);
    assert_optional_equal(out.model.name, in->model.name);
    assert_optional_equal(out.model.version, in->model.version);
    assert_optional_equal(out.model.alias, in->model.alias);
    assert_optional_equal(out.model.run_id, in->model.run_id);
    assert_int_equal(out.challenger_count, in->challenger_count);
    assert_int_equal(out.scored_at_us, in->scored_at_us);
    assert_int_equal(out.latency_us, in->latency_us);
    assert_optional_equal(out.source_topic, in->source_topic);
    assert_int_equal(out.source_partition, in->source_topic.data ? in->source_partition : 0);
    assert_int_equal(out.source_offset, in->source_topic.data ? in->source_offset : 0);
    assert_int_equal(out.channel, in->channel);
    assert_int_equal(out.has_change, in->has_change);
    assert_true(!in->has_change || !memcmp(&out.change, &in->change, sizeof in->change));
    struct buffer attributes = {0};
    attributes_encode(fixture->schema, fixture->cells, &attributes);
    assert_optional_equal(out.attributes, buffer_span(&attributes));
    buffer_free(&attributes);
}

static void test_round_trip(void **state)
{
    struct fixture *fixture = *state;
    assert_round_trip(fixture);
    fixture->in.employee_id = fixture->in.model.alias = fixture->in.model.run_id = SPAN_NULL;
    assert_round_trip(fixture);
    fixture->in.source_topic = SPAN_NULL;
    fixture->in.channel = CHANNEL_HTTP;
    fixture->in.reason_count = fixture->in.challenger_count = 0;
    fixture->in.label = 0;
    fixture->in.has_change = false;
    fixture->in.occurred_at_ms = INT64_MIN;
    fixture->in.latency_us = INT64_MAX;
    assert_round_trip(fixture);
    fixture->cells[UNIT_GRADE] = cell_missing(&fixture->schema->columns[UNIT_GRADE]);
    assert_round_trip(fixture);
}

/* A prediction.avsc of the user's own, of before there was that field. */
static void test_a_schema_without_change(void **state)
{
    struct fixture *fixture = *state;
    static const char prediction[] = UNIT_PREDICTION("", UNIT_FIELD_TYPES("", "", "", "", "", ""));
    struct schema *schema = NULL;
    struct buffer without = {0};
    struct prediction out;
    struct error err = {0};
    if (unit_load(unit_event, NULL, prediction, UNIT_IDS, &schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    prediction_encode(fixture->schema, &fixture->in, &fixture->bytes);
    prediction_encode(schema, &fixture->in, &without);
    assert_int_equal(without.bytes, fixture->bytes.bytes - 1 - 2 * sizeof(double));
    assert_int_equal(prediction_decode(schema, buffer_span(&without), &fixture->arena, &out, &fixture->fault),
                     EVENT_OK);
    assert_false(out.has_change);
    assert_int_equal(out.channel, CHANNEL_STREAM);
    buffer_free(&without);
    schema_free(schema);
}

static void test_an_encoded_stamp_is_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct buffer stamp = {0}, copied = {0};
    prediction_encode(fixture->schema, &fixture->in, &fixture->bytes);
    model_stamp_encode(&fixture->in.model, &stamp);
    fixture->in.model = (struct model_stamp){.encoded = buffer_span(&stamp)};
    prediction_encode(fixture->schema, &fixture->in, &copied);
    assert_true(span_equal(buffer_span(&fixture->bytes), buffer_span(&copied)));
    buffer_free(&stamp);
    buffer_free(&copied);
}

static void test_texts_listed_or_not_are_their_own_bytes(void **state)
{
    struct fixture *fixture = *state;
    const struct column *column = &fixture->schema->columns[UNIT_GRADE];
    for (size_t v = 0; v < column->value_count; v++) {
        struct cell listed = {
            .text = column->values[v].data, .text_bytes = (uint32_t)column->values[v].bytes, .code = (int32_t)v};
        struct buffer one = {0}, other = {0};
        fixture->cells[UNIT_GRADE] = listed;
        attributes_encode(fixture->schema, fixture->cells, &one);
        fixture->cells[UNIT_GRADE].code = CELL_OTHER;
        attributes_encode(fixture->schema, fixture->cells, &other);
        assert_true(span_equal(buffer_span(&one), buffer_span(&other)));
        buffer_free(&one);
        buffer_free(&other);
    }
}

static void test_copied_attributes_are_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct buffer attributes = {0}, copied = {0};
    attributes_encode(fixture->schema, fixture->cells, &attributes);
    prediction_encode(fixture->schema, &fixture->in, &fixture->bytes);
    fixture->in.attributes = buffer_span(&attributes);
    fixture->in.cells = NULL;
    prediction_encode(fixture->schema, &fixture->in, &copied);
    assert_true(span_equal(buffer_span(&copied), buffer_span(&fixture->bytes)));
    buffer_free(&attributes);
    buffer_free(&copied);
}

static enum event_code decode_copy(struct fixture *fixture, struct span bytes)
{
    struct span copy = unit_copy(bytes);
    struct prediction out;
    arena_reset(&fixture->arena);
    enum event_code code = prediction_decode(fixture->schema, copy, &fixture->arena, &out, &fixture->fault);
    free((char *)copy.data);
    return code;
}

static void test_cut_or_changed_bytes(void **state)
{
    struct fixture *fixture = *state;
    prediction_encode(fixture->schema, &fixture->in, &fixture->bytes);
    struct span whole = buffer_span(&fixture->bytes);
    for (size_t bytes = 0; bytes < whole.bytes; bytes++)
        assert_int_equal(decode_copy(fixture, (struct span){whole.data, bytes}),
                         bytes < 5 ? EVENT_BAD_FRAME : EVENT_MALFORMED);
    for (size_t at = 0; at < whole.bytes; at++) {
        char kept = fixture->bytes.data[at];
        for (int byte = 0; byte < 256; byte++) {
            fixture->bytes.data[at] = (char)byte;
            (void)decode_copy(fixture, whole);
        }
        fixture->bytes.data[at] = kept;
    }
    assert_int_equal(decode_copy(fixture, whole), EVENT_OK);
    buffer_add_u8(&fixture->bytes, 0);
    assert_int_equal(decode_copy(fixture, buffer_span(&fixture->bytes)), EVENT_MALFORMED);
}

static void test_foreign_reasons_are_unresolvable(void **state)
{
    struct fixture *fixture = *state;
    prediction_encode(fixture->schema, &fixture->in, &fixture->bytes);
    char *name = memmem(fixture->bytes.data, fixture->bytes.bytes, "\nlevel", 6);
    assert_non_null(name);
    name[1] = 'L';
    assert_int_equal(decode_copy(fixture, buffer_span(&fixture->bytes)), EVENT_UNRESOLVABLE);
    fixture->bytes.data[4] ^= 1;
    assert_int_equal(decode_copy(fixture, buffer_span(&fixture->bytes)), EVENT_UNKNOWN_SCHEMA_ID);
}

/* Arrays may come in several blocks, sized or not. */
static void test_arrays_in_blocks(void **state)
{
    struct fixture *fixture = *state;
    fixture->in.reason_count = 1;
    prediction_encode(fixture->schema, &fixture->in, &fixture->bytes);
    struct span whole = buffer_span(&fixture->bytes);
    const char *name = memmem(whole.data, whole.bytes, "\nlevel", 6);
    size_t before = (size_t)(name - whole.data) - 1; /* up to the block's count */
    struct buffer twice = {0};
    buffer_add(&twice, whole.data, before);
    buffer_add(&twice, "\1\x1c", 2); /* −1 items in 14 bytes */
    buffer_add(&twice, name, 14);
    buffer_add(&twice, whole.data + before, whole.bytes - before);
    struct prediction out;
    assert_int_equal(prediction_decode(fixture->schema, buffer_span(&twice), &fixture->arena, &out, &fixture->fault),
                     EVENT_OK);
    assert_int_equal(out.reason_count, 2);
    assert_int_equal(out.reasons[1].column, UNIT_LEVEL);
    twice.data[before + 1] = 0x1a;
    assert_int_equal(decode_copy(fixture, buffer_span(&twice)), EVENT_MALFORMED);
    buffer_free(&twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, make, unmake),
        cmocka_unit_test_setup_teardown(test_a_schema_without_change, make, unmake),
        cmocka_unit_test_setup_teardown(test_an_encoded_stamp_is_the_same_bytes, make, unmake),
        cmocka_unit_test_setup_teardown(test_texts_listed_or_not_are_their_own_bytes, make, unmake),
        cmocka_unit_test_setup_teardown(test_copied_attributes_are_the_same_bytes, make, unmake),
        cmocka_unit_test_setup_teardown(test_cut_or_changed_bytes, make, unmake),
        cmocka_unit_test_setup_teardown(test_foreign_reasons_are_unresolvable, make, unmake),
        cmocka_unit_test_setup_teardown(test_arrays_in_blocks, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
