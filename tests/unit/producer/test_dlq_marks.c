/* Which letters were replayed: marked in any order, written beside an offset, read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "producer/dlq_marks.h"

enum { LETTERS = 500, ROUNDS = 200 };

/* Letters at every `step`-th offset, as transactions' markers leave them. */
static void visit(struct dlq_marks *marks, bool *wanted, bool *done, int64_t step)
{
    marks->next = marks->base;
    for (int64_t n = 0; n < LETTERS; n++) {
        int64_t offset = n * step;
        if (offset < marks->base)
            continue;
        assert_int_equal(dlq_marks_have(marks, offset), done[n]);
        if (!done[n] && wanted[n] && dlq_marks_add(marks, offset))
            done[n] = true;
        dlq_marks_pass(marks, offset);
    }
}

static void marks_survive_their_text(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        bool done[LETTERS] = {false}, wanted[LETTERS];
        struct dlq_marks marks = {0}, again = {0};
        struct buffer text = {0};
        int64_t step = 1 + rand() % 3;
        for (int pass = 0; pass < 4; pass++) {
            for (int n = 0; n < LETTERS; n++)
                wanted[n] = rand() % 5 <= round % 5;
            visit(&marks, wanted, done, step);
            dlq_marks_write(&marks, &text);
            assert_true(text.bytes <= DLQ_MARKS_BYTES);
            assert_true(dlq_marks_read(&again, marks.base, text.data, text.bytes - 1));
            assert_int_equal(again.count, marks.count);
            for (int n = 0; n < LETTERS; n++)
                assert_int_equal(dlq_marks_have(&again, n * step), done[n]);
        }
        dlq_marks_free(&marks);
        dlq_marks_free(&again);
        buffer_free(&text);
    }
}

static void everything_replayed_is_one_offset(void **state)
{
    (void)state;
    struct dlq_marks marks = {0};
    for (int64_t offset = 0; offset < 1000; offset += 7) {
        assert_true(dlq_marks_add(&marks, offset));
        dlq_marks_pass(&marks, offset);
    }
    assert_int_equal(marks.base, 995);
    assert_int_equal(marks.count, 0);
    dlq_marks_free(&marks);
}

static void too_many_ranges_are_refused(void **state)
{
    (void)state;
    struct dlq_marks marks = {0};
    struct buffer text = {0};
    bool fits = true;
    for (int64_t offset = 1; fits; offset++) {
        fits = offset % 2 ? dlq_marks_add(&marks, offset) : fits;
        dlq_marks_pass(&marks, offset);
        assert_true(offset < 4 * DLQ_MARKS_BYTES);
    }
    dlq_marks_write(&marks, &text);
    assert_true(text.bytes <= DLQ_MARKS_BYTES);
    marks.next = 0;
    for (int64_t offset = 0; offset < 200; offset++) { /* what lies between them still fits, and makes room */
        assert_true(dlq_marks_have(&marks, offset) || dlq_marks_add(&marks, offset));
        dlq_marks_pass(&marks, offset);
    }
    assert_true(marks.base >= 200);
    dlq_marks_raise(&marks, 4 * DLQ_MARKS_BYTES); /* the log lost them all */
    assert_int_equal(marks.count, 0);
    assert_int_equal(marks.base, 4 * DLQ_MARKS_BYTES);
    dlq_marks_free(&marks);
    buffer_free(&text);
}

static void foreign_texts_are_not_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "x", "1", "1+", "1+0", "1+2,", ",1+2", "1+2;3+4", "-1+2", "1+99999999999999999999", "9223372036854775807+9"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct dlq_marks marks = {0};
        assert_false(dlq_marks_read(&marks, 10, texts[t], strlen(texts[t])));
        assert_int_equal(marks.base, 10);
        assert_int_equal(marks.count, 0);
        dlq_marks_free(&marks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_survive_their_text),
        cmocka_unit_test(everything_replayed_is_one_offset),
        cmocka_unit_test(too_many_ranges_are_refused),
        cmocka_unit_test(foreign_texts_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
