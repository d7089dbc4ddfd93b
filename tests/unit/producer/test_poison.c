/* producer/poison.h: every kind is refused under the code that it is counted under, and nothing else is spoilt. */
#include "tests/unit/producer/unit.h"

#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/validate.h"
#include "producer/poison.h"
#include "producer/recipe.h"

static const enum event_code expected[] = {
#define EXPECTED(id, name, code, ...) [POISON_##id] = EVENT_##code,
    POISON_TABLE(EXPECTED)
#undef EXPECTED
        [POISON_NONE] = EVENT_OK,
};

struct bench {
    struct recipe *recipe;
    struct decoder *decoder;
    struct cell *drawn, *decoded;
    struct poison poison;
    struct buffer value;
};

static enum event_code decode_and_validate(struct bench *bench, struct span key)
{
    struct event event = {.cells = bench->decoded};
    struct fault fault;
    enum event_code code = decoder_decode(bench->decoder, buffer_span(&bench->value), &event, &fault);
    return code == EVENT_OK ? validate_event(test_schema, &event, key, INT64_MAX, &fault) : code;
}

static enum poison_kind make(struct bench *bench, uint64_t index, struct span *key)
{
    struct random random;
    uint32_t label;
    random_seed(&random, 1, 0, index);
    draw_row(bench->recipe, &random, bench->drawn, &label);
    struct event event = {.event_id = SPAN_LITERAL("01234567-89ab-8def-8123-456789abcdef"),
                          .employee_id = SPAN_LITERAL("E0000001"),
                          .occurred_at_ms = 1795428000000,
                          .cells = bench->drawn};
    *key = event.employee_id;
    enum poison_kind kind = poison_event(&bench->poison, index, &event, key);
    buffer_clear(&bench->value);
    event_encode(test_schema, &event, &bench->value);
    poison_bytes(&bench->poison, kind, &bench->value);
    return kind;
}

static void test_each_kind_is_refused_as_said(void **state)
{
    (void)state;
    struct bench bench = {0};
    struct error err;
    uint64_t counts[POISON_KIND_COUNT + 1] = {0};
    assert_int_equal(recipe_load("producer/recipe.json", test_schema, &bench.recipe, &err), STATUS_OK);
    assert_int_equal(decoder_new(test_schema, &bench.decoder, &err), STATUS_OK);
    bench.drawn = calloc(test_schema->column_count, sizeof *bench.drawn);
    bench.decoded = calloc(test_schema->column_count, sizeof *bench.decoded);
    poison_init(&bench.poison, test_schema, 0.5, 3);
    for (uint64_t i = 0; i < 20000; i++) {
        struct span key;
        enum poison_kind kind = make(&bench, i, &key);
        counts[kind]++;
        if (decode_and_validate(&bench, key) != expected[kind])
            fail_msg("event %llu, kind %d: code %d", (unsigned long long)i, (int)kind,
                     (int)decode_and_validate(&bench, key));
    }
    assert_in_range(counts[POISON_NONE], 9700, 10300);
    for (size_t k = 0; k < POISON_KIND_COUNT; k++) {
        assert_int_equal(counts[k], bench.poison.counts[k]);
        assert_in_range(counts[k], 1000, 1250);
    }
    assert_int_equal(poison_total(&bench.poison), 20000 - counts[POISON_NONE]);
    decoder_free(bench.decoder);
    recipe_free(bench.recipe);
    buffer_free(&bench.value);
    free(bench.drawn);
    free(bench.decoded);
}

static void test_share_ends(void **state)
{
    (void)state;
    struct poison none, all;
    struct cell *cells = calloc(test_schema->column_count, sizeof *cells);
    poison_init(&none, test_schema, 0, 1);
    poison_init(&all, test_schema, 1, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        struct event event = {.cells = cells};
        struct span key = SPAN_NULL;
        assert_int_equal(poison_event(&none, i, &event, &key), POISON_NONE);
        assert_int_not_equal(poison_event(&all, i, &event, &key), POISON_NONE);
    }
    free(cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_kind_is_refused_as_said),
                                       cmocka_unit_test(test_share_ends)};
    return cmocka_run_group_tests_name("producer/poison", tests, unit_setup, unit_teardown);
}
