/* Who leaves and is hired again at one time: latest_predictions, in whatever order two topics' records are stored. */
#include "tests/support/sink.h"

enum { EVENTS_MAX = 4 };

/* Events of one employee and time in the order of their partition: Hired, Changed, Terminated. */
struct story {
    const char *events;
    bool there; /* at the end */
};

static const struct story stories[] = {
    {"H", true},     {"TH", true},    {"HT", false},  {"TC", false},   {"CTC", false},  {"THC", true},
    {"CTH", true},   {"HTC", false},  {"TCH", true},  {"THT", false},  {"HTH", true},   {"THCC", true},
    {"THCT", false}, {"HTCC", false}, {"HTHC", true}, {"CTHT", false}, {"THTC", false}, {"THTH", true},
};

static void add_event(struct fixture *f, int64_t employee, char type, int64_t offset)
{
    static const struct sink_header hired = {"attrition.event_type", SPAN_LITERAL("HIRED")};
    static char numbers[64][24];
    static struct sink_header source[64][3];
    struct buffer value = {0};
    if (type == 'T') {
        size_t slot = (size_t)offset % 64;
        snprintf(numbers[slot], sizeof numbers[slot], "%lld", (long long)offset);
        source[slot][0] = (struct sink_header){"attrition.source.topic", SPAN_LITERAL("employee-events")};
        source[slot][1] = (struct sink_header){"attrition.source.partition", SPAN_LITERAL("2")};
        source[slot][2] = (struct sink_header){"attrition.source.offset", span_of(numbers[slot])};
        record_outcome(schema, employee, &value);
        add(f, SINK_TOPIC_OUTCOME, 0, offset, SPAN_LITERAL("key"), buffer_span(&value), source[slot], 3);
    } else {
        const struct record_plan plan = {
            .number = offset, .employee = employee, .occurred_at_ms = INT64_C(1790000000000)};
        record_prediction(schema, &plan, &value);
        add(f, SINK_TOPIC_OUTPUT, 0, offset, SPAN_LITERAL("key"), buffer_span(&value), &hired, type == 'H');
    }
    buffer_free(&value);
}

/* Each topic's records in order; bit n of `turns`: at turn n it is an outcome that is stored. False: no such order. */
static bool order_of(const char *events, unsigned turns, size_t *order)
{
    size_t count = strlen(events), outcome = 0, prediction = 0;
    for (size_t n = 0; n < count; n++) {
        bool left = turns >> n & 1;
        size_t *next = left ? &outcome : &prediction;
        while (*next < count && (events[*next] == 'T') != left)
            ++*next;
        if (*next == count)
            return false;
        order[n] = (*next)++;
    }
    return true;
}

/* Bit n of `ends`: a transaction ends after the nth record. */
static void store(struct fixture *f, int64_t employee, const struct story *story, unsigned turns, unsigned ends)
{
    size_t order[EVENTS_MAX], count = strlen(story->events);
    char text[120];
    if (!order_of(story->events, turns, order))
        return;
    for (size_t n = 0; n < count; n++) {
        add_event(f, employee, story->events[order[n]], employee * EVENTS_MAX + (int64_t)order[n]);
        if (ends >> n & 1 || n + 1 == count)
            write_now(f);
    }
    snprintf(text, sizeof text, "SELECT count(*) FROM attrition.latest_predictions WHERE employee_id = 'employee-%lld'",
             (long long)employee);
    if (number(text) != story->there)
        fail_msg("%s, outcomes at %x, transactions end at %x: %s", story->events, turns, ends,
                 story->there ? "not there" : "there");
}

static void the_last_of_hired_and_terminated_decides(void **state)
{
    (void)state;
    struct fixture f;
    int64_t employee = 0;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    for (size_t s = 0; s < sizeof stories / sizeof *stories; s++) {
        unsigned all = 1U << strlen(stories[s].events);
        for (unsigned turns = 0; turns < all; turns++)
            for (unsigned ends = 0; ends < all / 2; ends++)
                store(&f, employee++, &stories[s], turns, ends);
    }
    assert_int_equal(number("SELECT attrition.remove_leavers()"), 0);
    assert_identity(&f);
    fixture_close(&f);
}

/* What an earlier scorer wrote says of nobody that he was hired. */
static void without_the_header_nobody_comes_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    add_event(&f, 1, 'T', 0);
    add_event(&f, 1, 'C', 1);
    write_now(&f);
    assert_int_equal(number("SELECT count(*) FROM attrition.latest_predictions"), 0);
    const struct sink_header other = {"attrition.event_type", SPAN_LITERAL("REHIRED")};
    const struct record_plan plan = {.number = 2, .employee = 1, .occurred_at_ms = INT64_C(1790000000000)};
    struct buffer value = {0};
    record_prediction(schema, &plan, &value);
    add(&f, SINK_TOPIC_OUTPUT, 0, 2, SPAN_LITERAL("key"), buffer_span(&value), &other, 1);
    buffer_free(&value);
    write_now(&f);
    assert_int_equal(number("SELECT count(*) FROM attrition.latest_predictions"), 0);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_last_of_hired_and_terminated_decides, empty_tables),
        cmocka_unit_test_setup(without_the_header_nobody_comes_back, empty_tables),
    };
    return cmocka_run_group_tests(tests, start_all, end_all);
}
