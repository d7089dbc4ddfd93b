/* The table of errors, and what holds of a transaction without any broker that answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka/transaction.h"

/* What trying again can never fix must not be in the table's default. */
static void errors_that_last_are_not_tried_again(void **state)
{
    static const rd_kafka_resp_err_t lasting[] = {
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_INVALID_RECORD,
        RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    };
    (void)state;
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        assert_int_equal(error_class_of(lasting[i]), ERROR_CLASS_FATAL);
}

static void errors_of_one_record_are_not_those_of_its_topic(void **state)
{
    (void)state;
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), ERROR_CLASS_TOO_LARGE);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE), ERROR_CLASS_TOO_LARGE);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP), ERROR_CLASS_TIMESTAMP);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION), ERROR_CLASS_TOPIC);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), ERROR_CLASS_TOPIC);
}

static void a_fence_is_not_a_broken_producer(void **state)
{
    (void)state;
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR__FENCED), ERROR_CLASS_FENCED);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_PRODUCER_FENCED), ERROR_CLASS_FENCED);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH), ERROR_CLASS_FENCED);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER), ERROR_CLASS_NEW_PRODUCER);
    assert_int_equal(error_class_of(RD_KAFKA_RESP_ERR_INVALID_TXN_STATE), ERROR_CLASS_NEW_PRODUCER);
}

static void what_passes_is_tried_again(void **state)
{
    static const rd_kafka_resp_err_t passing[] = {
        RD_KAFKA_RESP_ERR__TRANSPORT,          RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,      RD_KAFKA_RESP_ERR__STATE,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,  RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    };
    (void)state;
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        assert_int_equal(error_class_of(passing[i]), ERROR_CLASS_RETRIABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_that_last_are_not_tried_again),
        cmocka_unit_test(errors_of_one_record_are_not_those_of_its_topic),
        cmocka_unit_test(a_fence_is_not_a_broken_producer),
        cmocka_unit_test(what_passes_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
