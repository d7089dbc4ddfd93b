/* scorer/stream/rejected_bisection.h: bisecting ends with the record that the broker means in a bounded number of
 * rounds, and with each record that it refuses in turn; what is refused even with the present time is an error. */
#include "tests/support/scorer.h"

#include "scorer/stream/rejected_bisection.h"

enum { RECORDS = 512, BATCH_MAX = 100, ROUNDS_MAX = 64 };

static const struct settings settings = {
    .output_topic = "predictions", .dlq_topic = "dead", .outcome_topic = "outcomes", .state_topic = "state"};

/* A broker that refuses each batch with one of these records in it; a refused batch breaks the transaction. */
struct broker {
    bool bad[RECORDS];
    size_t batch[RECORDS], batch_count;
};

static void *source_of(size_t record)
{
    return (void *)(uintptr_t)(record + 1);
}

/* What was found goes as a dead letter, which is not. */
static bool is_oversize(const struct rejected_bisection *rejected, size_t record)
{
    const struct rejected_suspect *suspect = rejected_bisection_find(rejected, source_of(record));
    return suspect && suspect->oversize;
}

/* False: the batch was rejected. */
static bool flush(struct broker *broker, struct rejected_bisection *rejected)
{
    bool bad = false;
    for (size_t i = 0; i < broker->batch_count; i++)
        bad |= broker->bad[broker->batch[i]] && !is_oversize(rejected, broker->batch[i]);
    for (size_t i = 0; i < broker->batch_count && bad; i++)
        rejected_bisection_add(rejected, source_of(broker->batch[i]));
    broker->batch_count = 0;
    return !bad;
}

/* One attempt at the whole work. True: it is committed. */
static bool try_work(struct broker *broker, struct rejected_bisection *rejected)
{
    size_t published = 0;
    bool whole = true;
    rejected_bisection_begin(rejected);
    for (size_t r = 0; r < RECORDS && whole; r++) {
        if (rejected_bisection_isolate(rejected, source_of(r)) || broker->batch_count == BATCH_MAX)
            whole = flush(broker, rejected);
        if (whole)
            broker->batch[broker->batch_count++] = r;
        published += whole;
    }
    if (whole)
        whole = flush(broker, rejected);
    if (whole)
        rejected_bisection_committed(rejected);
    else
        rejected_bisection_redo(rejected, published);
    return whole;
}

static size_t count_oversize(const struct rejected_bisection *rejected, const struct broker *broker)
{
    size_t count = 0;
    for (size_t r = 0; r < RECORDS; r++)
        if (is_oversize(rejected, r)) {
            assert_true(broker->bad[r]);
            count++;
        }
    return count;
}

/* The number of attempts until it is committed. Groups only get smaller. */
static size_t do_work(struct broker *broker, size_t *found)
{
    size_t tries = 1;
    uint64_t group = RECORDS;
    struct rejected_bisection rejected;
    struct error err;
    rejected_bisection_init(&rejected, &settings, "worker 0");
    assert_false(rejected_bisection_is_active(&rejected));
    for (*found = 0; !try_work(broker, &rejected); tries++) {
        assert_true(tries < ROUNDS_MAX);
        assert_int_equal(
            rejected_bisection_next_round(&rejected, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.output_topic, &err),
            STATUS_OK);
        assert_true(rejected_bisection_is_active(&rejected) && rejected.group <= group);
        group = rejected.group;
        *found = count_oversize(&rejected, broker);
    }
    assert_false(rejected_bisection_is_active(&rejected));
    rejected_bisection_free(&rejected);
    return tries;
}

static void one_oversize_record_is_found_by_halving(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < RECORDS; bad += 37) {
        struct broker broker = {0};
        size_t found;
        broker.bad[bad] = true;
        /* 100 records are halved down to one; each group may once share its batch with records not isolated */
        assert_true(do_work(&broker, &found) <= 1 + 2 * 7 + 1);
        assert_int_equal(found, 1);
    }
}

static void each_of_several_is_found(void **state)
{
    (void)state;
    struct broker broker = {.bad = {[3] = true, [4] = true, [250] = true, [511] = true}};
    size_t found;
    assert_true(do_work(&broker, &found) > 1);
    assert_int_equal(found, 4);
}

/* A single record in a refused batch, by itself. */
static enum status refuse_one(struct rejected_bisection *rejected, rd_kafka_resp_err_t code, const char *topic,
                              struct error *err)
{
    rejected_bisection_begin(rejected);
    rejected_bisection_add(rejected, source_of(7));
    rejected_bisection_redo(rejected, 1);
    return rejected_bisection_next_round(rejected, code, topic, err);
}

static void a_dead_letter_gets_smaller(void **state)
{
    (void)state;
    static const enum dead_letter_detail expected[] = {DETAIL_NO_VALUE, DETAIL_BARE, DETAIL_BARE};
    struct rejected_bisection rejected;
    struct error err;
    rejected_bisection_init(&rejected, &settings, "worker 0");
    assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.output_topic, &err),
                     STATUS_OK);
    assert_int_equal(rejected_bisection_find(&rejected, source_of(7))->dead_letter, DETAIL_WHOLE);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.dlq_topic, &err),
                         STATUS_OK);
        assert_int_equal(rejected_bisection_find(&rejected, source_of(7))->dead_letter, expected[i]);
    }
    rejected_bisection_forget(&rejected);
    assert_false(rejected_bisection_is_active(&rejected));
    assert_null(rejected_bisection_find(&rejected, source_of(7)));
    rejected_bisection_free(&rejected);
}

static void a_refused_present_time_is_an_error(void **state)
{
    (void)state;
    struct rejected_bisection rejected;
    struct error err = {0};
    rejected_bisection_init(&rejected, &settings, "worker 0");
    assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.outcome_topic, &err),
                     STATUS_OK);
    assert_true(rejected_bisection_find(&rejected, source_of(7))->untimed);
    assert_false(rejected_bisection_find(&rejected, source_of(7))->oversize);
    assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.outcome_topic, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "topic outcomes refuses the present time"));
    rejected_bisection_forget(&rejected);
    /* predictions have the present time from the beginning */
    assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.output_topic, &err),
                     STATUS_INVALID);
    rejected_bisection_free(&rejected);
}

/* Nothing less can stand for a current record, and its timestamp is the present time already. */
static void a_refused_current_record_is_an_error(void **state)
{
    (void)state;
    struct rejected_bisection rejected;
    struct error err = {0};
    rejected_bisection_init(&rejected, &settings, "worker 0");
    assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.state_topic, &err),
                     STATUS_LIMIT);
    assert_non_null(strstr(err.text, "topic state refuses a current record"));
    rejected_bisection_forget(&rejected);
    assert_int_equal(refuse_one(&rejected, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.state_topic, &err),
                     STATUS_INVALID);
    rejected_bisection_free(&rejected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_oversize_record_is_found_by_halving),
        cmocka_unit_test(each_of_several_is_found),
        cmocka_unit_test(a_dead_letter_gets_smaller),
        cmocka_unit_test(a_refused_present_time_is_an_error),
        cmocka_unit_test(a_refused_current_record_is_an_error),
    };
    return cmocka_run_group_tests_name("scorer/refused", tests, NULL, NULL);
}
