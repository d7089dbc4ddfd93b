/* producer/rescore_people.h, rescore_filter.h, moment.h: whom `producer rescore` sends an event. */
#include "tests/unit/producer/unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "producer/moment.h"
#include "producer/rescore_filter.h"
#include "producer/rescore_people.h"

static void note(struct rescore_people *people, const char *id, int32_t partition, int64_t offset, bool present)
{
    const struct rescore_person person = {
        .partition = partition, .offset = offset, .occurred_at_ms = offset * 10, .present = present, .wanted = present};
    rescore_people_note(people, span_of(id), &person);
}

static const struct rescore_person *find(const struct rescore_people *people, const char *id, int32_t partition)
{
    const struct rescore_person *found = NULL;
    for (size_t i = 0; i < people->count; i++)
        if (people->items[i].partition == partition &&
            span_equal(rescore_person_id(people, &people->items[i]), span_of(id))) {
            assert_null(found);
            found = &people->items[i];
        }
    assert_non_null(found);
    return found;
}

static void the_last_record_of_each_counts(void **state)
{
    (void)state;
    struct rescore_people people = {0};
    note(&people, "a", 0, 1, true);
    note(&people, "ab", 0, 2, true);
    note(&people, "a", 1, 3, true); /* of another partition: other events made it */
    note(&people, "a", 0, 4, true);
    note(&people, "ab", 0, 5, false); /* left, or erased */
    assert_int_equal(people.count, 3);
    assert_int_equal(find(&people, "a", 0)->offset, 4);
    assert_int_equal(find(&people, "a", 0)->occurred_at_ms, 40);
    assert_int_equal(find(&people, "a", 1)->offset, 3);
    assert_false(find(&people, "ab", 0)->wanted);
    note(&people, "ab", 0, 6, true); /* rehired */
    assert_true(find(&people, "ab", 0)->wanted);
    rescore_people_free(&people);
}

static void many_are_kept_apart(void **state)
{
    (void)state;
    struct rescore_people people = {0};
    char id[16];
    for (int64_t round = 0; round < 2; round++)
        for (int n = 0; n < 5000; n++) {
            snprintf(id, sizeof id, "p%d", n);
            note(&people, id, n % 3, round * 5000 + n, n % 7 != 0 || round == 0);
        }
    assert_int_equal(people.count, 5000);
    for (int n = 0; n < 5000; n += 499) {
        snprintf(id, sizeof id, "p%d", n);
        assert_int_equal(find(&people, id, n % 3)->offset, 5000 + n);
        assert_int_equal(find(&people, id, n % 3)->wanted, n % 7 != 0);
    }
    rescore_people_free(&people);
}

/* --- filters --- */

static struct rescore_filter filter;

static enum status read_filter(char **arguments, struct error *err)
{
    static const struct subcommand rows[] = {{"rescore", "", "", .run = NULL}, {0}};
    char name[] = "producer", command[] = "rescore", *argv[16] = {name, command}, *none[] = {NULL};
    int argc = 2;
    bool exit_now;
    static struct options *options; /* values borrow from it */
    while (*arguments)
        argv[argc++] = *arguments++;
    options_free(options);
    options = NULL;
    rescore_filter_free(&filter);
    assert_int_equal(options_parse(PROGRAM_PRODUCER, rows, argc, argv, none, &options, &exit_now, err), STATUS_OK);
    return rescore_filter_read(options, test_schema, &filter, err);
}

#define ASKED(...) ((char **)(uintptr_t)(const char *[]){__VA_ARGS__, NULL})

struct person {
    struct cell *cells;
    struct employee_state record;
};

static int make_person(void **state)
{
    struct person *person = mem_zeroed(1, sizeof *person);
    size_t columns = test_schema->column_count;
    person->cells = mem_zeroed(columns, sizeof *person->cells);
    for (size_t c = 0; c < columns; c++)
        person->cells[c] = cell_missing(&test_schema->columns[c]);
    int32_t age = schema_column(test_schema, SPAN_LITERAL("Age")),
            overtime = schema_column(test_schema, SPAN_LITERAL("OverTime"));
    const struct column *column = &test_schema->columns[overtime];
    person->cells[age] = cell_number(41);
    person->cells[overtime] =
        (struct cell){.text = "Yes", .text_bytes = 3, .code = column_code(column, span_of("Yes"))};
    person->record = (struct employee_state){.cells = person->cells, .scored = true};
    *state = person;
    return 0;
}

static int free_person(void **state)
{
    struct person *person = *state;
    free(person->cells);
    free(person);
    rescore_filter_free(&filter);
    return 0;
}

static bool passes(const struct person *person, int64_t written_ms, char **arguments)
{
    struct error err = {0};
    if (read_filter(arguments, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return rescore_filter_passes(&filter, test_schema, &person->record, written_ms);
}

static void fields_choose(void **state)
{
    struct person *person = *state;
    assert_true(passes(person, 1, ASKED(NULL)));
    assert_true(passes(person, 1, ASKED("--where", "Age=41")));
    assert_true(passes(person, 1, ASKED("--where", "Age=41.0", "--where", "OverTime=Yes")));
    assert_false(passes(person, 1, ASKED("--where", "Age=41", "--where", "OverTime=No")));
    assert_true(passes(person, 1, ASKED("--where", "OverTime=No", "--where", "Age=41", "--where", "OverTime=Yes")));
    assert_true(passes(person, 1, ASKED("--where", "MonthlyIncome=")));
    assert_false(passes(person, 1, ASKED("--where", "MonthlyIncome=1")));
    assert_false(passes(person, 1, ASKED("--where", "Age=")));
}

static void times_choose(void **state)
{
    struct person *person = *state;
    assert_true(passes(person, 999, ASKED("--scored-before", "1970-01-01T00:00:01Z")));
    assert_false(passes(person, 1000, ASKED("--scored-before", "1970-01-01T00:00:01Z")));
    person->record.scored = false; /* never: the record alone is that old */
    assert_true(passes(person, 1000, ASKED("--scored-before", "1970-01-01T00:00:01Z")));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *where, *says;
    } cases[] = {{"Age", "--where Age: it takes FIELD=VALUE"},
                 {"Shoe=3", "--where Shoe=3: the event schema has no such attribute"},
                 {"Age=old", "--where Age=old: not a value of this field"},
                 {"OverTime=Maybe", "--where OverTime=Maybe: not one of its categories: No, Yes"}};
    struct error err;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        assert_int_equal(read_filter(ASKED("--where", cases[c].where), &err), STATUS_INVALID);
        assert_string_equal(err.text, cases[c].says);
    }
    assert_int_equal(read_filter(ASKED("--scored-before", "soon"), &err), STATUS_INVALID);
    assert_string_equal(err.text, "--scored-before soon: " MOMENT_FORMS);
}

static void ages_are_moments(void **state)
{
    (void)state;
    int64_t found, now = clock_real_us(&clock_system) / 1000;
    assert_true(moment_parse("2d", &found));
    assert_in_range(found - (now - 2 * 86400000), 0, 60000);
    assert_true(moment_parse("1970-01-01T00:00:01Z", &found));
    assert_int_equal(found, 1000);
    assert_false(moment_parse("", &found));
    assert_false(moment_parse("2w", &found));
    assert_false(moment_parse("99999999999999999d", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_record_of_each_counts),
        cmocka_unit_test(many_are_kept_apart),
        cmocka_unit_test_setup_teardown(fields_choose, make_person, free_person),
        cmocka_unit_test_setup_teardown(times_choose, make_person, free_person),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(ages_are_moments),
    };
    return cmocka_run_group_tests_name("producer/rescore", tests, unit_setup, unit_teardown);
}
