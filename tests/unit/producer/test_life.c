/* producer/life.h, drift_and_bias.h, arrival.h: a staff's events are valid, in order, and follow the planted risk. */
#include "tests/unit/producer/unit.h"

#include <math.h>

#include "base/file.h"
#include "events/validate.h"
#include "producer/life.h"
#include "producer/recipe_parts.h"

enum { STAFF = 300, EVENTS_MAX = 200000 };
#define YEAR_MS (INT64_C(365) * 86400000)

/* A staff, and what is known of each employee. */
struct bench {
    struct recipe *recipe;
    struct drift_and_bias planted;
    struct life_settings settings;
    struct known {
        int64_t time_ms;
        uint32_t number;
        bool here;
        struct cell cells[64];
    } * known; /* by index */
    uint64_t events, exits, hires;
    double expected_exits;
};

static void setup_bench(struct bench *bench, int years, bool partial, const char *bias)
{
    struct error err = {0};
    *bench = (struct bench){0};
    assert_in_range(test_schema->column_count, 1, 64);
    assert_int_equal(recipe_load("producer/recipe.json", test_schema, &bench->recipe, &err), STATUS_OK);
    assert_int_equal(bias_read(&bench->planted, test_schema, bias, &err), STATUS_OK);
    bench->settings = (struct life_settings){.recipe = bench->recipe,
                                             .schema = test_schema,
                                             .planted = &bench->planted,
                                             .staff = STAFF,
                                             .seed = 7,
                                             .start_ms = 1500000000000,
                                             .end_ms = 1500000000000 + years * YEAR_MS,
                                             .partial = partial};
    bench->known = calloc(EVENTS_MAX, sizeof *bench->known);
}

static void teardown_bench(struct bench *bench)
{
    recipe_free(bench->recipe);
    free(bench->known);
}

/* What a scorer would hold of the employee after the event. */
static void merge(struct known *known, const struct life_event *event)
{
    for (size_t c = 0; c < test_schema->column_count; c++)
        if (event->cells[c].code != CELL_UNLISTED)
            known->cells[c] = event->cells[c];
}

/* From the last event on: the rate changes where a bias begins. */
static double expected_exits(const struct bench *bench, const struct known *known, int64_t to_ms)
{
    double exits = 0, margin = recipe_margin(bench->recipe, known->cells);
    for (int64_t from_ms = known->time_ms, next_ms; from_ms < to_ms; from_ms = next_ms) {
        next_ms = bias_next_ms(&bench->planted, from_ms);
        next_ms = next_ms < to_ms ? next_ms : to_ms;
        exits += (double)(next_ms - from_ms) / (double)YEAR_MS *
                 log1p(exp(margin + bias_margin(&bench->planted, from_ms, known->cells)));
    }
    return exits;
}

static void check_event(struct bench *bench, const struct life_event *event, int64_t *last_ms)
{
    struct known *known = &bench->known[event->index];
    struct fault fault;
    assert_true(event->index < EVENTS_MAX);
    assert_true(event->time_ms >= *last_ms && event->time_ms < bench->settings.end_ms);
    *last_ms = event->time_ms;
    assert_int_equal(event->number, known->number);
    assert_int_equal(event->number == 0, event->type == EVENT_TYPE_SNAPSHOT || event->type == EVENT_TYPE_HIRED);
    assert_int_equal(event->partial, bench->settings.partial && event->type == EVENT_TYPE_CHANGED);
    if (known->here)
        bench->expected_exits += expected_exits(bench, known, event->time_ms);
    merge(known, event);
    if (validate_row(test_schema, known->cells, &fault) != EVENT_OK)
        fail_msg("employee %llu, event %u: %s", (unsigned long long)event->index, event->number, fault.text);
    known->number++;
    known->time_ms = event->time_ms;
    known->here = event->type != EVENT_TYPE_TERMINATED;
    bench->exits += !known->here;
    bench->hires += event->type == EVENT_TYPE_HIRED;
    bench->events++;
}

static void run(struct bench *bench)
{
    struct lives *lives = lives_new(&bench->settings);
    struct life_event event;
    int64_t last_ms = 0;
    while (lives_next(lives, &event))
        check_event(bench, &event, &last_ms);
    lives_free(lives);
}

static void events_are_valid_and_exits_follow_the_risk(void **state)
{
    (void)state;
    static const char *const biases[] = {NULL, "Gender=Male:1.5", "Gender=Male:-4@2024-01-01"};
    for (size_t b = 0; b < 3; b++) {
        struct bench bench;
        setup_bench(&bench, 10, false, biases[b]);
        run(&bench);
        assert_true(bench.exits > 200);
        assert_true(fabs((double)bench.exits - bench.expected_exits) < 4 * sqrt(bench.expected_exits));
        assert_in_range(bench.exits - bench.hires, 0, STAFF / 5); /* places are vacant for a month */
        teardown_bench(&bench);
    }
}

static void a_bias_begins_at_its_time(void **state)
{
    (void)state;
    struct bench bench;
    const int64_t from_ms = INT64_C(1577836800000); /* 2020-01-01 */
    setup_bench(&bench, 1, false, "Gender=Male:1.5@2020-01-01,Gender=Female:-1@2021-01-01,OverTime=Yes:2");
    struct cell cells[64] = {0};
    cells[schema_column(test_schema, SPAN_LITERAL("OverTime"))].code = bench.planted.biases[2].code;
    cells[bench.planted.biases[0].column].code = bench.planted.biases[0].code;
    assert_true(bias_margin(&bench.planted, from_ms - 1, cells) == 2);
    assert_true(bias_margin(&bench.planted, from_ms, cells) == 3.5);
    assert_true(bias_next_ms(&bench.planted, from_ms - 1) == from_ms);
    assert_true(bias_next_ms(&bench.planted, from_ms) == INT64_C(1609459200000));
    assert_true(bias_next_ms(&bench.planted, INT64_C(1609459200000)) == INT64_MAX);
    teardown_bench(&bench);
}

/* Partial events merged are the whole ones, employee by employee. */
static void partial_events_say_the_same(void **state)
{
    (void)state;
    struct bench whole, partial;
    setup_bench(&whole, 3, false, NULL);
    setup_bench(&partial, 3, true, NULL);
    run(&whole);
    run(&partial);
    assert_int_equal(whole.events, partial.events);
    for (size_t e = 0; e < STAFF; e++)
        for (size_t c = 0; c < test_schema->column_count; c++) {
            const struct cell *left = &whole.known[e].cells[c], *right = &partial.known[e].cells[c];
            assert_int_equal(left->code, right->code);
            assert_true(test_schema->columns[c].kind == COLUMN_NOMINAL || left->number == right->number);
        }
    teardown_bench(&whole);
    teardown_bench(&partial);
}

static double mean_age(uint64_t from, int64_t time_ms, const struct drift_and_bias *planted,
                       const struct recipe *recipe)
{
    struct cell cells[64];
    double sum = 0;
    int32_t age = schema_column(test_schema, SPAN_LITERAL("Age"));
    for (uint64_t i = from; i < from + 2000; i++) {
        struct random random;
        random_seed(&random, 1, 0, i);
        recipe_draw_row(recipe, &random, cells);
        drift_apply(planted, -1, time_ms, &random, cells);
        recipe_limit(recipe, cells);
        sum += cells[age].number;
    }
    return sum / 2000;
}

static void drift_begins_at_its_time(void **state)
{
    (void)state;
    struct drift_and_bias planted = {0};
    struct recipe *recipe = NULL;
    struct error err = {0};
    assert_int_equal(recipe_load("producer/recipe.json", test_schema, &recipe, &err), STATUS_OK);
    assert_int_equal(drift_read(&planted, test_schema, "Age=6@2026-03-01,OverTime=Yes:0.5", &err), STATUS_OK);
    assert_int_equal(planted.drift_count, 2);
    double before = mean_age(0, 1772323199999, &planted, recipe), after = mean_age(0, 1772323200000, &planted, recipe);
    assert_true(after - before > 5.5 && after - before <= 6); /* the range's end holds a few */
    recipe_free(recipe);
}

static void what_cannot_be_planted_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {{"Age", "FEATURE="},
                {"Agee=1", "no column"},
                {"Age=x", "no number"},
                {"Age=1@soon", "no time"},
                {"OverTime=Yes", "must follow"},
                {"OverTime=Yes:2", "0 to 1"},
                {"OverTime=Maybe:0.5", "not one of the categories"}};
    struct error err = {0};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct drift_and_bias planted = {0};
        assert_int_equal(drift_read(&planted, test_schema, rows[r].text, &err), STATUS_INVALID);
        if (!strstr(err.text, rows[r].says))
            fail_msg("%s: %s", rows[r].text, err.text);
    }
    struct drift_and_bias planted = {0};
    assert_int_equal(bias_read(&planted, test_schema, "Age=41:1", &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "categories is needed"));
    assert_int_equal(bias_read(&planted, test_schema, "Gender=Male:1@soon", &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "--bias Gender: \"soon\" is no time"));
}

static void arrival_keeps_order_and_rate(void **state)
{
    (void)state;
    double last[3] = {0};
    for (double t = 0; t < 300; t += 0.25)
        for (enum arrival arrival = ARRIVAL_STEADY; arrival <= ARRIVAL_DAILY; arrival++) {
            double at = arrival_at(arrival, t, 10, 24);
            assert_true(at >= last[arrival] || t == 0);
            assert_true(fabs(at - t) <= 14);
            last[arrival] = at;
        }
    assert_true(arrival_at(ARRIVAL_BURSTS, 19.99, 10, 24) < 11);
    assert_true(arrival_at(ARRIVAL_DAILY, 24, 10, 24) == 24 + 8);
    assert_true(arrival_at(ARRIVAL_DAILY, 47.99, 10, 24) < 24 + 18);
}

static void softplus_is_ln_of_one_and_e_to_the_x(void **state)
{
    (void)state;
    for (double x = -30; x < 30; x += 0.37)
        assert_true(fabs(random_softplus(x) - log1p(exp(x))) <= 1e-9 * fmax(1, log1p(exp(x))));
}

static void a_life_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[]", "\"changes\", a list"},
        {"{\"vacant_days\": 1, \"changes\": [{\"effects\": []}], \"hired\": []}", "a \"name\""},
        {"{\"vacant_days\": 1, \"changes\": [{\"name\": \"a\", \"per_year\": 0, \"effects\": []}]}", "above 0"},
        {"{\"vacant_days\": 1, \"changes\": [{\"name\": \"a\", \"yearly\": true, \"effects\": [{\"column\": "
         "\"Age\"}]}]}",
         "exactly one of"},
        {"{\"vacant_days\": 1, \"changes\": [{\"name\": \"a\", \"yearly\": true, \"effects\": [{\"column\": "
         "\"Gender\", "
         "\"add\": 1}]}]}",
         "is for numbers"},
        {"{\"vacant_days\": 1, \"changes\": [{\"name\": \"a\", \"yearly\": true, \"effects\": [{\"column\": \"Age\", "
         "\"set\": 7}]}]}",
         "outside the column's range"}};
    struct buffer shipped = {0}, text = {0};
    struct error err = {0};
    assert_int_equal(file_read("producer/recipe.json", 1 << 20, &shipped, &err), STATUS_OK);
    const char *life = strstr(shipped.data, "\"life\":");
    assert_non_null(life);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct recipe *recipe = NULL;
        buffer_clear(&text);
        buffer_printf(&text, "%.*s\"life\": %s}", (int)(life - shipped.data), shipped.data, rows[r].text);
        assert_int_equal(recipe_load(unit_file("life.json", text.data), test_schema, &recipe, &err), STATUS_INVALID);
        if (!strstr(err.text, rows[r].says) || !strstr(err.text, "life"))
            fail_msg("%s: %s", rows[r].text, err.text);
    }
    buffer_free(&shipped);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_valid_and_exits_follow_the_risk),
        cmocka_unit_test(a_bias_begins_at_its_time),
        cmocka_unit_test(partial_events_say_the_same),
        cmocka_unit_test(drift_begins_at_its_time),
        cmocka_unit_test(what_cannot_be_planted_is_refused),
        cmocka_unit_test(arrival_keeps_order_and_rate),
        cmocka_unit_test(softplus_is_ln_of_one_and_e_to_the_x),
        cmocka_unit_test(a_life_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
