/* What becomes of rows that PostgreSQL refuses, by SQLSTATE: the row's fault, the server's, or nobody knows. */
#include "tests/support/sink.h"

/* Predictions 0 … count - 1 under that refusal, written so often as `writes` at most; returns how many are stored. */
static long long write_refused(const char *sqlstate, const char *event_id, int64_t count, int writes)
{
    struct fixture f;
    struct error err;
    (void)empty_tables(NULL);
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    refuse(sqlstate, event_id);
    for (int64_t offset = 0; offset < count; offset++)
        add_prediction(&f, 0, offset);
    for (int w = 0; w < writes && sink_batch_count(f.batch); w++)
        (void)!sink_batch_write(f.batch, &err);
    long long rows = number("SELECT count(*) FROM attrition.predictions");
    refuse_no_more();
    write_now(&f);
    assert_identity(&f);
    assert_int_equal(number("SELECT (SELECT count(*) FROM attrition.predictions) + (SELECT count(*) FROM "
                            "attrition.dead_letters WHERE stage = 'sink')"),
                     count);
    fixture_close(&f);
    return rows;
}

static void a_row_refused_for_an_unforeseen_reason_is_set_aside(void **state)
{
    (void)state;
    static const char *const codes[] = {"0A000", "21000", "2F003", "38000", "39P01", "44000",
                                        "AT001", "P0002", "XX000", "42501", "42883", "HV000"};
    static const char *const events[] = {"event-0", "event-26", "event-78"}; /* first, middle, last of 40 */
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
        char sql[200];
        assert_int_equal(write_refused(codes[c], events[c % 3], 40, 8), 39);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM attrition.dead_letters WHERE code = 'sql_%s' AND value IS NOT NULL", codes[c]);
        assert_int_equal(number(sql), 1);
    }
    /* With no other row to compare. */
    assert_int_equal(write_refused("38000", "event-0", 1, 8), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters WHERE code = 'sql_38000'"), 1);
}

static void no_row_is_blamed_for_the_server(void **state)
{
    (void)state;
    static const char *const codes[] = {"08006", "25006", "28000", "3D000", "40001", "53100", "53200",
                                        "55P03", "57014", "57P03", "58030", "XX001", "F0000"};
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
        write_refused(codes[c], "event-26", 40, 12);
        assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters"), 0);
    }
    /* Every row fails: a table is missing, a right; or it may be the server, and one row every few tries goes at most.
     */
    assert_int_equal(write_refused("42P01", NULL, 40, 12), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters"), 0);
    assert_int_equal(write_refused("42501", NULL, 40, 12), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters"), 0);
    assert_int_equal(write_refused("XX000", NULL, 40, 12), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_row_refused_for_an_unforeseen_reason_is_set_aside, empty_tables),
        cmocka_unit_test_setup(no_row_is_blamed_for_the_server, empty_tables),
    };
    return cmocka_run_group_tests(tests, start_all, end_all);
}
