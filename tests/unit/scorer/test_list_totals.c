/* scorer/http/list_totals.c: how long a total is kept. */
#include "tests/support/test.h"

#include <stdio.h>

#include "scorer/http/list_totals.h"

enum { MS = 1000, S = 1000 * MS };

static void what_took_long_is_kept_a_hundred_times_as_long(void **state)
{
    (void)state;
    struct list_totals *totals = list_totals_new();
    struct span question = SPAN_LITERAL("e1\nAge 0 0 30..39\n");
    uint64_t total = 7;
    list_totals_keep(totals, question, 1234, 0, 5 * MS - 1);
    assert_false(list_totals_find(totals, question, 5 * MS, &total));
    list_totals_keep(totals, question, 1234, 0, 20 * MS);
    assert_true(list_totals_find(totals, question, 20 * MS + 2 * S - 1, &total));
    assert_int_equal(total, 1234);
    assert_false(list_totals_find(totals, SPAN_LITERAL("e2\nAge 0 0 30..39\n"), 20 * MS, &total));
    assert_false(list_totals_find(totals, question, 20 * MS + 2 * S, &total));
    list_totals_free(totals);
}

static void none_is_kept_beyond_ten_seconds_and_the_newest_of_many_are_there(void **state)
{
    (void)state;
    struct list_totals *totals = list_totals_new();
    uint64_t total;
    char text[12];
    for (int n = 0; n < 100; n++) {
        snprintf(text, sizeof text, "%d", n);
        list_totals_keep(totals, span_of(text), (uint64_t)n, n * MS, n * MS + S);
    }
    assert_false(list_totals_find(totals, SPAN_LITERAL("0"), S, &total));
    assert_true(list_totals_find(totals, SPAN_LITERAL("99"), 99 * MS + 11 * S - 1, &total));
    assert_int_equal(total, 99);
    assert_false(list_totals_find(totals, SPAN_LITERAL("99"), 99 * MS + 11 * S, &total));
    list_totals_free(totals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_took_long_is_kept_a_hundred_times_as_long),
        cmocka_unit_test(none_is_kept_beyond_ten_seconds_and_the_newest_of_many_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
