/* base/memory.h: the arena aligns, grows past its blocks, and reuses them after a reset. */
#include "tests/unit/base/unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void texts_are_copied(void **state)
{
    (void)state;
    char *whole = mem_text("abc"), *part = mem_text_n("abcdef", 2), *empty = mem_text_n(NULL, 0);
    assert_string_equal(whole, "abc");
    assert_string_equal(part, "ab");
    assert_string_equal(empty, "");
    free(whole);
    free(part);
    free(empty);
}

static void arena_memory_is_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena = {0};
    unsigned char *taken[500];
    for (int i = 0; i < 500; i++) {
        size_t bytes = (size_t)i * 7 % 1000;
        taken[i] = arena_take(&arena, bytes);
        assert_int_equal((uintptr_t)taken[i] % 16, 0);
        memset(taken[i], i & 255, bytes);
    }
    for (int i = 0; i < 500; i++)
        for (size_t b = 0; b < (size_t)i * 7 % 1000; b++)
            assert_int_equal(taken[i][b], i & 255);
    arena_free(&arena);
}

static void arena_gives_more_than_a_block(void **state)
{
    (void)state;
    struct arena arena = {0};
    unsigned char *large = memset(arena_take(&arena, 1000000), 1, 1000000);
    unsigned char *small = memset(arena_take(&arena, 10), 2, 10);
    for (int i = 0; i < 1000000; i++)
        assert_int_equal(large[i], 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(small[i], 2);
    arena_free(&arena);
    assert_null(arena.first);
}

static void arena_reset_reuses_memory(void **state)
{
    (void)state;
    struct arena arena = {0};
    void *first = arena_take(&arena, 100);
    void *large = arena_take(&arena, 200000);
    arena_reset(&arena);
    assert_ptr_equal(arena_take(&arena, 100), first);
    assert_ptr_equal(arena_take(&arena, 200000), large);
    arena_reset(&arena);
    assert_string_equal(arena_text(&arena, "abcdef", 3), "abc");
    arena_free(&arena);
    assert_null(arena.first);
}

static void an_array_grows_and_keeps_its_items(void **state)
{
    (void)state;
    size_t capacity = 0, grown = 0, *items = NULL;
    for (size_t i = 0; i < 10000; i++) {
        size_t before = capacity;
        items = mem_grow(items, &capacity, i + 1, sizeof *items);
        assert_true(capacity > i);
        grown += capacity != before;
        items[i] = i;
    }
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(items[i], i);
    assert_in_range(grown, 1, 11); /* 16 to 16,384 */
    free(items);
}

static void an_array_grows_by_what_is_needed(void **state)
{
    (void)state;
    size_t capacity = 0;
    char *items = mem_grow(NULL, &capacity, 0, 1);
    assert_null(items);
    items = mem_grow(items, &capacity, 1000, 1);
    assert_int_equal(capacity, 1000);
    assert_ptr_equal(mem_grow(items, &capacity, 1000, 1), items);
    items = mem_grow(items, &capacity, 1001, 1);
    assert_int_equal(capacity, 2000);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(an_array_grows_and_keeps_its_items),
        cmocka_unit_test(an_array_grows_by_what_is_needed),
        cmocka_unit_test(arena_memory_is_aligned_and_apart),
        cmocka_unit_test(arena_gives_more_than_a_block),
        cmocka_unit_test(arena_reset_reuses_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
