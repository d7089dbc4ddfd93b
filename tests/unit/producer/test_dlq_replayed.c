/* Which letters were replayed: added in any order, written with an offset, read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "producer/dlq_replayed.h"

enum { LETTERS = 500, ROUNDS = 200 };

/* Letters at every `step`-th offset, as transactions' markers leave them. */
static void visit(struct dlq_replayed *replayed, bool *wanted, bool *done, int64_t step)
{
    replayed->next = replayed->base;
    for (int64_t n = 0; n < LETTERS; n++) {
        int64_t offset = n * step;
        if (offset < replayed->base)
            continue;
        assert_int_equal(dlq_replayed_have(replayed, offset), done[n]);
        if (!done[n] && wanted[n] && dlq_replayed_add(replayed, offset))
            done[n] = true;
        dlq_replayed_pass(replayed, offset);
    }
}

static void replayed_offsets_survive_their_text(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        bool done[LETTERS] = {false}, wanted[LETTERS];
        struct dlq_replayed replayed = {0}, again = {0};
        struct buffer text = {0};
        int64_t step = 1 + rand() % 3;
        for (int pass = 0; pass < 4; pass++) {
            for (int n = 0; n < LETTERS; n++)
                wanted[n] = rand() % 5 <= round % 5;
            visit(&replayed, wanted, done, step);
            dlq_replayed_write(&replayed, &text);
            assert_true(text.bytes <= DLQ_REPLAYED_BYTES);
            assert_true(dlq_replayed_read(&again, replayed.base, text.data, text.bytes - 1));
            assert_int_equal(again.count, replayed.count);
            for (int n = 0; n < LETTERS; n++)
                assert_int_equal(dlq_replayed_have(&again, n * step), done[n]);
        }
        dlq_replayed_free(&replayed);
        dlq_replayed_free(&again);
        buffer_free(&text);
    }
}

static void everything_replayed_is_one_offset(void **state)
{
    (void)state;
    struct dlq_replayed replayed = {0};
    for (int64_t offset = 0; offset < 1000; offset += 7) {
        assert_true(dlq_replayed_add(&replayed, offset));
        dlq_replayed_pass(&replayed, offset);
    }
    assert_int_equal(replayed.base, 995);
    assert_int_equal(replayed.count, 0);
    dlq_replayed_free(&replayed);
}

static void too_many_ranges_are_refused(void **state)
{
    (void)state;
    struct dlq_replayed replayed = {0};
    struct buffer text = {0};
    bool fits = true;
    for (int64_t offset = 1; fits; offset++) {
        fits = offset % 2 ? dlq_replayed_add(&replayed, offset) : fits;
        dlq_replayed_pass(&replayed, offset);
        assert_true(offset < 4 * DLQ_REPLAYED_BYTES);
    }
    dlq_replayed_write(&replayed, &text);
    assert_true(text.bytes <= DLQ_REPLAYED_BYTES);
    replayed.next = 0;
    for (int64_t offset = 0; offset < 200; offset++) { /* what lies between them still fits, and makes room */
        assert_true(dlq_replayed_have(&replayed, offset) || dlq_replayed_add(&replayed, offset));
        dlq_replayed_pass(&replayed, offset);
    }
    assert_true(replayed.base >= 200);
    dlq_replayed_raise(&replayed, 4 * DLQ_REPLAYED_BYTES); /* the log lost them all */
    assert_int_equal(replayed.count, 0);
    assert_int_equal(replayed.base, 4 * DLQ_REPLAYED_BYTES);
    dlq_replayed_free(&replayed);
    buffer_free(&text);
}

static void foreign_texts_are_not_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "x", "1", "1+", "1+0", "1+2,", ",1+2", "1+2;3+4", "-1+2", "1+99999999999999999999", "9223372036854775807+9"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct dlq_replayed replayed = {0};
        assert_false(dlq_replayed_read(&replayed, 10, texts[t], strlen(texts[t])));
        assert_int_equal(replayed.base, 10);
        assert_int_equal(replayed.count, 0);
        dlq_replayed_free(&replayed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replayed_offsets_survive_their_text),
        cmocka_unit_test(everything_replayed_is_one_offset),
        cmocka_unit_test(too_many_ranges_are_refused),
        cmocka_unit_test(foreign_texts_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
