/* scorer/stream/rejected_records.h: bisecting ends with the record that the broker means in a bounded number of rounds,
 * and with each record that it refuses in turn; what is refused even with the present time is an error. */
#include "tests/support/scorer.h"

#include "scorer/stream/rejected_records.h"

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
static bool is_oversize(const struct refused_records *refused, size_t record)
{
    const struct refused_suspect *suspect = refused_records_find(refused, source_of(record));
    return suspect && suspect->oversize;
}

/* False: the batch was refused. */
static bool flush(struct broker *broker, struct refused_records *refused)
{
    bool bad = false;
    for (size_t i = 0; i < broker->batch_count; i++)
        bad |= broker->bad[broker->batch[i]] && !is_oversize(refused, broker->batch[i]);
    for (size_t i = 0; i < broker->batch_count && bad; i++)
        refused_records_add(refused, source_of(broker->batch[i]));
    broker->batch_count = 0;
    return !bad;
}

/* One attempt at the whole work. True: it is committed. */
static bool try_work(struct broker *broker, struct refused_records *refused)
{
    size_t published = 0;
    bool whole = true;
    refused_records_begin(refused);
    for (size_t r = 0; r < RECORDS && whole; r++) {
        if (refused_records_isolate(refused, source_of(r)) || broker->batch_count == BATCH_MAX)
            whole = flush(broker, refused);
        if (whole)
            broker->batch[broker->batch_count++] = r;
        published += whole;
    }
    if (whole)
        whole = flush(broker, refused);
    if (whole)
        refused_records_committed(refused);
    else
        refused_records_redo(refused, published);
    return whole;
}

static size_t count_oversize(const struct refused_records *refused, const struct broker *broker)
{
    size_t count = 0;
    for (size_t r = 0; r < RECORDS; r++)
        if (is_oversize(refused, r)) {
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
    struct refused_records refused;
    struct error err;
    refused_records_init(&refused, &settings, "worker 0");
    assert_false(refused_records_is_bisecting(&refused));
    for (*found = 0; !try_work(broker, &refused); tries++) {
        assert_true(tries < ROUNDS_MAX);
        assert_int_equal(
            refused_records_bisect(&refused, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.output_topic, &err),
            STATUS_OK);
        assert_true(refused_records_is_bisecting(&refused) && refused.group <= group);
        group = refused.group;
        *found = count_oversize(&refused, broker);
    }
    assert_false(refused_records_is_bisecting(&refused));
    refused_records_free(&refused);
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
static enum status refuse_one(struct refused_records *refused, rd_kafka_resp_err_t code, const char *topic,
                              struct error *err)
{
    refused_records_begin(refused);
    refused_records_add(refused, source_of(7));
    refused_records_redo(refused, 1);
    return refused_records_bisect(refused, code, topic, err);
}

static void a_dead_letter_gets_smaller(void **state)
{
    (void)state;
    static const enum dead_letter_detail expected[] = {DETAIL_NO_VALUE, DETAIL_BARE, DETAIL_BARE};
    struct refused_records refused;
    struct error err;
    refused_records_init(&refused, &settings, "worker 0");
    assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.output_topic, &err),
                     STATUS_OK);
    assert_int_equal(refused_records_find(&refused, source_of(7))->dead_letter, DETAIL_WHOLE);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.dlq_topic, &err),
                         STATUS_OK);
        assert_int_equal(refused_records_find(&refused, source_of(7))->dead_letter, expected[i]);
    }
    refused_records_forget(&refused);
    assert_false(refused_records_is_bisecting(&refused));
    assert_null(refused_records_find(&refused, source_of(7)));
    refused_records_free(&refused);
}

static void a_refused_present_time_is_an_error(void **state)
{
    (void)state;
    struct refused_records refused;
    struct error err = {0};
    refused_records_init(&refused, &settings, "worker 0");
    assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.outcome_topic, &err),
                     STATUS_OK);
    assert_true(refused_records_find(&refused, source_of(7))->untimed);
    assert_false(refused_records_find(&refused, source_of(7))->oversize);
    assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.outcome_topic, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "topic outcomes refuses the present time"));
    refused_records_forget(&refused);
    /* predictions have the present time from the beginning */
    assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.output_topic, &err),
                     STATUS_INVALID);
    refused_records_free(&refused);
}

/* Nothing less can stand for a current record, and its timestamp is the present time already. */
static void a_refused_current_record_is_an_error(void **state)
{
    (void)state;
    struct refused_records refused;
    struct error err = {0};
    refused_records_init(&refused, &settings, "worker 0");
    assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, settings.state_topic, &err),
                     STATUS_LIMIT);
    assert_non_null(strstr(err.text, "topic state refuses a current record"));
    refused_records_forget(&refused);
    assert_int_equal(refuse_one(&refused, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, settings.state_topic, &err),
                     STATUS_INVALID);
    refused_records_free(&refused);
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
