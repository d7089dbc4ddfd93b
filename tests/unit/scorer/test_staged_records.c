/* scorer/stream/staged_records.h: records come back as they were, in order; the bound holds; nothing is allocated once
 * it is warm. */
#include "tests/support/scorer.h"

#include <stdio.h>

#include "scorer/stream/staged_records.h"

enum { LIMIT = 64 * 1024 };

static struct transaction_record numbered(const char *text, int number)
{
    return (struct transaction_record){.topic = (size_t)number % 3,
                                       .partition = number,
                                       .key = span_of(text),
                                       .value = span_of(text),
                                       .timestamp_ms = number * 1000,
                                       .opaque = (void *)(uintptr_t)number};
}

static void records_come_back_in_order(void **state)
{
    (void)state;
    struct staged_records staged = {0};
    struct transaction_record record;
    char text[32];
    for (int i = 1; i <= 200; i++) {
        snprintf(text, sizeof text, "record %d", i);
        record = numbered(text, i);
        assert_true(staged_records_add(&staged, &record, LIMIT));
    }
    for (int i = 1; i <= 200; i++) {
        snprintf(text, sizeof text, "record %d", i);
        assert_true(staged_records_next(&staged, &record));
        assert_true(span_equal(record.key, span_of(text)) && span_equal(record.value, span_of(text)));
        assert_int_equal(record.partition, i);
        assert_int_equal(record.topic, i % 3);
        assert_int_equal(record.timestamp_ms, i * 1000);
        assert_int_equal((uintptr_t)record.opaque, i);
    }
    assert_false(staged_records_next(&staged, &record));
    staged_records_free(&staged);
}

static void null_differs_from_empty(void **state)
{
    (void)state;
    struct staged_records staged = {0};
    struct transaction_record record = {.key = SPAN_LITERAL(""), .value = SPAN_NULL};
    assert_true(staged_records_add(&staged, &record, LIMIT));
    record = (struct transaction_record){.key = SPAN_NULL, .value = SPAN_LITERAL("")};
    assert_true(staged_records_add(&staged, &record, LIMIT));
    assert_true(staged_records_next(&staged, &record));
    assert_true(record.key.data && !record.key.bytes && !record.value.data);
    assert_true(staged_records_next(&staged, &record));
    assert_true(!record.key.data && record.value.data && !record.value.bytes);
    staged_records_free(&staged);
}

static void the_bound_holds_and_the_memory_is_used_again(void **state)
{
    (void)state;
    struct staged_records staged = {0};
    const struct transaction_record record = numbered("a result of some length", 1);
    size_t count = 0;
    while (staged_records_add(&staged, &record, LIMIT))
        count++;
    assert_in_range(count, 100, LIMIT / (2 * record.key.bytes));
    const char *bytes = staged.bytes.data;
    const void *records = staged.records;
    for (int round = 0; round < 3; round++) {
        staged_records_clear(&staged);
        for (size_t i = 0; i < count; i++)
            assert_true(staged_records_add(&staged, &record, LIMIT));
        assert_false(staged_records_add(&staged, &record, LIMIT));
    }
    assert_ptr_equal(staged.bytes.data, bytes);
    assert_ptr_equal(staged.records, records);
    staged_records_free(&staged);
}

static void headers_belong_to_one_side(void **state)
{
    (void)state;
    struct staged_records staged = {0};
    struct transaction_record record = numbered("x", 1);
    for (int i = 0; i < 2; i++) {
        record.headers = rd_kafka_headers_new(1);
        assert_true(staged_records_add(&staged, &record, LIMIT));
    }
    assert_true(staged_records_next(&staged, &record)); /* the caller's now */
    rd_kafka_headers_destroy(record.headers);
    staged_records_clear(&staged); /* the other one */
    staged_records_free(&staged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order),
        cmocka_unit_test(null_differs_from_empty),
        cmocka_unit_test(the_bound_holds_and_the_memory_is_used_again),
        cmocka_unit_test(headers_belong_to_one_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
