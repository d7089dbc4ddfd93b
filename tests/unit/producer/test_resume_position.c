/* producer/resume_position.h: what the brokers keep of an input, and whether it is still the same. */
#include "producer/resume_position.h"
#include "tests/unit/producer/unit.h"

static struct resume_position after(const char *const *rows)
{
    struct resume_position position = {0};
    for (; *rows; rows++)
        resume_position_add_row(&position, span_of(*rows), true);
    return position;
}

static void test_written_and_read(void **state)
{
    (void)state;
    char text[RESUME_POSITION_TEXT_BYTES];
    struct resume_position found = {0}, written = after((const char *const[]){"1,41", "2,42", NULL});
    written.failed = 3;
    written.complete = true;
    resume_position_write(&written, text);
    assert_true(resume_position_read(&found, 2, span_of(text)));
    assert_memory_equal(&found, &written, sizeof found);
}

static void test_what_is_not_ours(void **state)
{
    (void)state;
    struct resume_position found = {.rows = 7};
    static const char *const texts[] = {
        "", "2+5", "1 00 0", "3 0000000000000000 0 0", "1 0000000000000000 0 0 x", "1 zz 0 0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(resume_position_read(&found, 1, span_of(texts[i])));
    assert_true(resume_position_read(&found, 7, span_of("1 0000000000000000 0 0"))); /* of an older version */
    assert_false(resume_position_read(&found, 1, SPAN_NULL));
    assert_false(resume_position_read(&found, -1001, span_of("1 0000000000000000 0 0")));
    assert_int_equal(found.rows, 7);
}

static void test_any_change_shows(void **state)
{
    (void)state;
    static const char *const rows[] = {"1,41,Sales,Yes", "2,42", "", NULL};
    static const char *const others[][4] = {{"1,41,Sales,No", "2,42", "", NULL},
                                            {"2,42", "1,41,Sales,Yes", "", NULL},
                                            {"1,41,Sales,Yes2", ",42", "", NULL},
                                            {"1,41,Sales,Yes", "2,42\x01", "", NULL},
                                            {"1,41,Sales,Yes", "", "2,42", NULL}};
    struct resume_position position = after(rows), rejected = after((const char *const[]){rows[0], rows[1], NULL});
    assert_int_equal(position.rows, 3);
    assert_int_equal(position.digest, after(rows).digest);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_not_equal(position.digest, after(others[i]).digest);
    resume_position_add_row(&rejected, span_of(""), false);
    assert_int_not_equal(position.digest, rejected.digest);
}

/* The same rows under another header or with another meaning are other events. */
static void test_the_shape_counts(void **state)
{
    (void)state;
    struct resume_position same = {.shape = 1}, other = {.shape = 2};
    resume_position_add_row(&same, span_of("1,41"), true);
    uint64_t digest = same.digest;
    same.shape = 2; /* an input that has no rows leaves no trace */
    assert_int_equal(same.digest, digest);
    resume_position_add_row(&other, span_of("1,41"), true);
    assert_int_not_equal(digest, other.digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_what_is_not_ours),
        cmocka_unit_test(test_any_change_shows),
        cmocka_unit_test(test_the_shape_counts),
    };
    return cmocka_run_group_tests_name("producer/position", tests, NULL, NULL);
}
