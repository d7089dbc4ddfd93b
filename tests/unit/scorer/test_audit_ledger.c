/* scorer/audit/audit_ledger.h and audit_pairs.h: each kind of fault, found once and at its place; and what is none. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "scorer/audit/audit_ledger.h"

static const struct audit_names names = {"in", {"out", "dead", "left", "alerts"}};

/* A ledger of two input partitions and two of each output topic, ten offsets each. */
static struct audit_ledger *ledger_of(struct audit_rules rules, int64_t output_low)
{
    struct audit_ledger *ledger = audit_ledger_new(&rules, &names);
    const struct audit_input input = {.low = 0, .high = 10, .committed = 10, .start = 0, .end = 10};
    const struct audit_log log = {.low = output_low, .end = 20, .stored = 20};
    for (int p = 0; p < 2; p++)
        audit_ledger_add_input(ledger, &input, false);
    for (int t = 0; t < SINK_TOPIC_COUNT; t++)
        for (int p = 0; p < 2; p++)
            audit_ledger_add_log(ledger, (enum sink_topic)t, &log, false);
    return ledger;
}

static const struct audit_rules strict = {.exactly_once = true}, stored = {.exactly_once = true, .database = true};

static struct audit_record prediction(int32_t partition, int64_t offset, int32_t source, int64_t source_offset)
{
    return (struct audit_record){.topic = SINK_TOPIC_OUTPUT,
                                 .partition = partition,
                                 .offset = offset,
                                 .end = AUDIT_PREDICTION,
                                 .source = AUDIT_SOURCE_KNOWN,
                                 .source_partition = source,
                                 .source_offset = source_offset,
                                 .employee = 7,
                                 .digest = 1000 + (uint64_t)offset};
}

static void end_with(struct audit_ledger *ledger, int64_t offset, int64_t source_offset)
{
    const struct audit_record record = prediction(0, offset, 0, source_offset);
    audit_ledger_record(ledger, &record);
}

static void sources(struct audit_ledger *ledger, int64_t count)
{
    for (int64_t o = 0; o < count; o++) {
        char value[24];
        snprintf(value, sizeof value, "value %d", (int)o);
        audit_ledger_source(ledger, 0, o, SPAN_LITERAL("employee"), span_of(value));
    }
}

static struct audit_row row_of(int64_t offset)
{
    return (struct audit_row){.topic = SINK_TOPIC_OUTPUT,
                              .offset = offset,
                              .end = AUDIT_PREDICTION,
                              .source_partition = -1,
                              .digest = 1000 + (uint64_t)offset};
}

static void add_row(struct audit_ledger *ledger, int64_t offset)
{
    const struct audit_row row = row_of(offset);
    audit_ledger_row(ledger, &row);
}

/* Closes it and expects this one fault (or none: offset -1). */
static void expect(struct audit_ledger *ledger, enum audit_fault_kind kind, const char *topic, int64_t offset)
{
    const struct audit_fault *places;
    audit_ledger_close(ledger);
    for (enum audit_fault_kind k = 0; k < AUDIT_FAULT_COUNT; k++)
        assert_int_equal(audit_ledger_faults(ledger, k), k == kind && offset >= 0);
    assert_int_equal(audit_ledger_places(ledger, &places), offset >= 0);
    assert_int_equal(audit_ledger_is_clean(ledger), offset < 0);
    if (offset >= 0) {
        assert_string_equal(places[0].topic, topic);
        assert_int_equal(places[0].offset, offset);
    }
    audit_ledger_free(ledger);
}

static void expect_clean(struct audit_ledger *ledger)
{
    expect(ledger, AUDIT_FAULT_MISSING, NULL, -1);
}

static void one_end_for_each_is_clean(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    end_with(ledger, 0, 0);
    end_with(ledger, 5, 2); /* offsets of markers lie between, on both sides */
    sources(ledger, 1);
    audit_ledger_source(ledger, 0, 2, SPAN_NULL, SPAN_LITERAL("x"));
    audit_ledger_match(ledger);
    expect_clean(ledger);
}

static void an_offset_without_an_end_is_missing(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    end_with(ledger, 0, 0);
    end_with(ledger, 1, 2);
    sources(ledger, 3);
    audit_ledger_match(ledger);
    expect(ledger, AUDIT_FAULT_MISSING, "in", 1);
}

static void a_second_end_is_a_duplicate_or_a_repeat(void **state)
{
    (void)state;
    const struct audit_rules loose = {.exactly_once = false};
    for (int exactly_once = 0; exactly_once < 2; exactly_once++) {
        struct audit_ledger *ledger = ledger_of(exactly_once ? strict : loose, 0);
        end_with(ledger, 0, 0);
        end_with(ledger, 1, 1);
        end_with(ledger, 2, 0); /* after 1, and yet not out of order */
        sources(ledger, 2);
        audit_ledger_match(ledger);
        expect(ledger, AUDIT_FAULT_DUPLICATE, "in", exactly_once ? 0 : -1);
    }
}

static void order_is_of_one_partition_and_topic(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    const struct audit_record other = prediction(0, 1, 1, 0);
    struct audit_record letter = prediction(0, 0, 0, 2);
    letter.topic = SINK_TOPIC_DLQ;
    letter.end = AUDIT_DEAD_LETTER;
    end_with(ledger, 0, 3);
    audit_ledger_record(ledger, &other); /* of another input partition */
    end_with(ledger, 2, 1);
    audit_ledger_record(ledger, &letter); /* letters may overtake */
    letter = prediction(0, 1, 0, 0);
    letter.topic = SINK_TOPIC_DLQ;
    letter.end = AUDIT_DEAD_LETTER;
    audit_ledger_record(ledger, &letter);
    sources(ledger, 4);
    audit_ledger_source(ledger, 1, 0, SPAN_NULL, SPAN_LITERAL("x"));
    audit_ledger_match(ledger);
    expect(ledger, AUDIT_FAULT_DISORDER, "out", 2);
}

static void an_end_for_what_no_reader_sees_is_unexplained(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    end_with(ledger, 0, 0);
    end_with(ledger, 1, 1);
    sources(ledger, 1);
    audit_ledger_match(ledger);
    expect(ledger, AUDIT_FAULT_UNEXPLAINED, "in", 1);
}

static void a_record_that_names_nothing_is_unexplained(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    struct audit_record record = prediction(1, 4, 0, 0);
    record.source = AUDIT_SOURCE_NONE;
    audit_ledger_record(ledger, &record);
    record.source = AUDIT_SOURCE_HTTP;
    record.offset++;
    audit_ledger_record(ledger, &record);
    record.source = AUDIT_SOURCE_OTHER;
    record.offset++;
    audit_ledger_record(ledger, &record);
    audit_ledger_match(ledger);
    expect(ledger, AUDIT_FAULT_UNEXPLAINED, "out", 4);
}

/* An erasure by its key, an outcome by its value; equal ones in order. */
static void records_without_a_source_are_matched(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    struct audit_record record = {.topic = SINK_TOPIC_OUTPUT,
                                  .end = AUDIT_ERASURE,
                                  .source = AUDIT_SOURCE_UNKNOWN,
                                  .match = audit_hash(0, SPAN_LITERAL("e1"))};
    for (record.offset = 0; record.offset < 2; record.offset++)
        audit_ledger_record(ledger, &record);
    record = (struct audit_record){.topic = SINK_TOPIC_OUTCOME,
                                   .end = AUDIT_OUTCOME,
                                   .source = AUDIT_SOURCE_UNKNOWN,
                                   .match = audit_hash(0, SPAN_LITERAL("gone"))};
    audit_ledger_record(ledger, &record);
    for (int64_t o = 0; o < 3; o++)
        audit_ledger_source(ledger, 1, o, SPAN_LITERAL("e1"), SPAN_NULL);
    audit_ledger_source(ledger, 1, 3, SPAN_LITERAL("e2"), SPAN_LITERAL("gone"));
    audit_ledger_match(ledger);
    const struct audit_input *inputs;
    audit_ledger_close(ledger);
    assert_int_equal(audit_ledger_inputs(ledger, &inputs), 2);
    assert_int_equal(inputs[1].by_key, 3);
    assert_int_equal(inputs[1].ends[AUDIT_ERASURE], 2);
    assert_int_equal(inputs[1].ends[AUDIT_OUTCOME], 1);
    assert_int_equal(inputs[1].faults[AUDIT_FAULT_MISSING], 1);
    audit_ledger_free(ledger);
}

static void null_values_may_be_ignored(void **state)
{
    (void)state;
    for (int ignored = 0; ignored < 2; ignored++) {
        struct audit_ledger *ledger =
            ledger_of((struct audit_rules){.exactly_once = true, .null_value_ignored = ignored}, 0);
        audit_ledger_source(ledger, 0, 4, SPAN_LITERAL("e1"), SPAN_NULL);
        audit_ledger_match(ledger);
        expect(ledger, AUDIT_FAULT_MISSING, "in", ignored ? -1 : 4);
    }
}

/* What reports no change of an employee, be that known before or after the record is seen. */
static void other_records_may_be_ignored(void **state)
{
    (void)state;
    for (int ignored = 0; ignored < 3; ignored++) {
        struct audit_ledger *ledger = ledger_of((struct audit_rules){.exactly_once = true}, 0);
        if (ignored == 1)
            audit_ledger_ignored(ledger, 0, 4);
        audit_ledger_source(ledger, 0, 4, SPAN_NULL, SPAN_LITERAL("{\"op\":\"t\"}"));
        if (ignored == 2)
            audit_ledger_ignored(ledger, 0, 4);
        audit_ledger_match(ledger);
        expect(ledger, AUDIT_FAULT_MISSING, "in", ignored ? -1 : 4);
    }
}

static void every_record_has_one_row_unaltered(void **state)
{
    (void)state;
    for (int fault = 0; fault < 4; fault++) {
        struct audit_ledger *ledger = ledger_of(stored, 0);
        end_with(ledger, 0, 0);
        end_with(ledger, 1, 1);
        sources(ledger, 2);
        audit_ledger_match(ledger);
        add_row(ledger, 0);
        struct audit_row row = row_of(1);
        row.digest += fault == 1;
        if (fault != 2)
            audit_ledger_row(ledger, &row);
        if (fault == 3)
            audit_ledger_row(ledger, &row);
        static const enum audit_fault_kind kinds[] = {AUDIT_FAULT_MISSING, AUDIT_FAULT_ROW_ALTERED,
                                                      AUDIT_FAULT_ROW_MISSING, AUDIT_FAULT_ROW_DUPLICATE};
        expect(ledger, kinds[fault], "out", fault ? 1 : -1);
    }
}

static void a_row_at_no_record_is_unexplained(void **state)
{
    (void)state;
    static const int64_t offsets[] = {3, 20, 1000};
    for (size_t i = 0; i < 3; i++) {
        struct audit_ledger *ledger = ledger_of(stored, 0);
        add_row(ledger, offsets[i]);
        expect(ledger, AUDIT_FAULT_ROW_UNEXPLAINED, "out", offsets[i]);
    }
}

static void a_refused_record_has_its_row_elsewhere(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(stored, 0);
    end_with(ledger, 0, 0);
    sources(ledger, 1);
    audit_ledger_match(ledger);
    struct audit_row row = row_of(0);
    row.refused = true;
    row.digest = 0;
    audit_ledger_row(ledger, &row);
    expect_clean(ledger);
}

/* The erasure came from source offset 1: what came before it may be gone or anonymous, what came after may not. */
static void an_erasure_reaches_back_and_not_forth(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        struct audit_ledger *ledger = ledger_of(stored, 0);
        audit_ledger_erased(ledger, 7, 0, 3);
        struct audit_record record = prediction(0, 3, 0, 1);
        record.end = AUDIT_ERASURE;
        struct audit_record outcome = prediction(1, 0, 0, after ? 2 : 0);
        outcome.topic = SINK_TOPIC_OUTCOME;
        outcome.end = AUDIT_OUTCOME;
        audit_ledger_record(ledger, &record);
        audit_ledger_record(ledger, &outcome);
        end_with(ledger, 4, after ? 3 : 2);
        sources(ledger, after ? 4 : 3);
        if (after)
            end_with(ledger, 5, 0); /* whose place does not matter here */
        audit_ledger_match(ledger);
        for (int64_t o = 3; o < 5 + after; o++) {
            struct audit_row row = row_of(o);
            row.end = o == 3 ? AUDIT_ERASURE : AUDIT_PREDICTION;
            audit_ledger_row(ledger, &row);
        }
        audit_ledger_close(ledger);
        assert_int_equal(audit_ledger_faults(ledger, AUDIT_FAULT_ROW_MISSING), after);
        audit_ledger_free(ledger);
    }
}

static void an_anonymous_row_needs_an_erasure(void **state)
{
    (void)state;
    for (int erased = 0; erased < 2; erased++) {
        struct audit_ledger *ledger = ledger_of(stored, 0);
        if (erased)
            audit_ledger_erased(ledger, 7, 0, 3);
        end_with(ledger, 0, 0);
        sources(ledger, 1);
        audit_ledger_match(ledger);
        struct audit_row row = row_of(0);
        row.digest++;
        row.anonymous = true;
        audit_ledger_row(ledger, &row);
        expect(ledger, AUDIT_FAULT_ROW_ALTERED, "out", erased ? -1 : 0);
    }
}

/* The output log begins at 5. With rows for three of its five deleted records, one of them an outcome's without a
 * source, two missing ends are explained less than two. */
static void retention_excuses_what_it_deleted(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(stored, 5);
    end_with(ledger, 5, 4);
    sources(ledger, 6);
    audit_ledger_match(ledger);
    for (int64_t o = 0; o < 2; o++) {
        struct audit_row row = row_of(o);
        row.source_partition = 0;
        row.source_offset = o;
        audit_ledger_row(ledger, &row);
    }
    struct audit_row outcome = row_of(0);
    outcome.topic = SINK_TOPIC_OUTCOME;
    outcome.end = AUDIT_OUTCOME;
    audit_ledger_row(ledger, &outcome);
    add_row(ledger, 5);
    audit_ledger_close(ledger);
    const struct audit_input *inputs;
    audit_ledger_inputs(ledger, &inputs);
    assert_int_equal(inputs[0].by_row, 2);
    assert_int_equal(inputs[0].deleted, 1);                     /* 2 */
    assert_int_equal(inputs[0].faults[AUDIT_FAULT_MISSING], 2); /* 3 and 5 */
    audit_ledger_free(ledger);
}

static void places_are_bounded_and_all_are_counted(void **state)
{
    (void)state;
    struct audit_ledger *ledger = audit_ledger_new(&strict, &names);
    const struct audit_input input = {.high = 1000, .committed = 1000, .end = 1000};
    const struct audit_fault *places;
    audit_ledger_add_input(ledger, &input, false);
    for (int64_t o = 0; o < 1000; o++)
        audit_ledger_source(ledger, 0, o, SPAN_NULL, SPAN_LITERAL("x"));
    audit_ledger_match(ledger);
    audit_ledger_close(ledger);
    assert_int_equal(audit_ledger_faults(ledger, AUDIT_FAULT_MISSING), 1000);
    assert_int_equal(audit_ledger_places(ledger, &places), AUDIT_FAULTS_KEPT);
    audit_ledger_free(ledger);
}

static struct audit_record alert(int64_t offset, int64_t source_offset)
{
    struct audit_record record = prediction(0, offset, 0, source_offset);
    record.topic = SINK_TOPIC_ALERT;
    record.end = AUDIT_ALERT;
    return record;
}

/* Ten events with predictions, and an alert of the third. */
static struct audit_ledger *alerted_ledger(struct audit_rules rules, int64_t source_offset)
{
    struct audit_ledger *ledger = ledger_of(rules, 0);
    const struct audit_record of_it = alert(4, source_offset);
    for (int64_t o = 0; o < 10; o++)
        end_with(ledger, o, o);
    audit_ledger_record(ledger, &of_it);
    sources(ledger, 10);
    for (int64_t o = 0; o < 10; o++)
        audit_ledger_source(ledger, 1, o, SPAN_LITERAL("k"), SPAN_LITERAL("v"));
    for (int64_t o = 0; o < 10; o++) {
        const struct audit_record other = prediction(1, o, 1, o);
        audit_ledger_record(ledger, &other);
    }
    return ledger;
}

static void an_alert_is_beside_its_prediction(void **state)
{
    (void)state;
    struct audit_ledger *ledger = alerted_ledger(strict, 3);
    const struct audit_input *inputs;
    audit_ledger_match(ledger);
    expect_clean(ledger);
    ledger = alerted_ledger(strict, 3);
    const struct audit_record again = alert(5, 3);
    audit_ledger_record(ledger, &again);
    audit_ledger_match(ledger);
    expect(ledger, AUDIT_FAULT_DUPLICATE, "in", 3);
    ledger = alerted_ledger((struct audit_rules){0}, 3);
    audit_ledger_record(ledger, &again);
    audit_ledger_match(ledger);
    audit_ledger_close(ledger);
    assert_true(audit_ledger_is_clean(ledger));
    assert_int_equal(audit_ledger_inputs(ledger, &inputs), 2);
    assert_true(inputs[0].repeats == 1 && inputs[0].ends[AUDIT_ALERT] == 1 && inputs[0].ends[AUDIT_PREDICTION] == 10);
    audit_ledger_free(ledger);
}

static void an_alert_needs_a_prediction(void **state)
{
    (void)state;
    struct audit_ledger *ledger = ledger_of(strict, 0);
    const struct audit_record letter = {.topic = SINK_TOPIC_DLQ,
                                        .end = AUDIT_DEAD_LETTER,
                                        .source = AUDIT_SOURCE_KNOWN,
                                        .source_offset = 0},
                              of_it = alert(4, 0);
    audit_ledger_record(ledger, &letter);
    audit_ledger_record(ledger, &of_it);
    sources(ledger, 1);
    struct audit_record nowhere = alert(6, 0);
    nowhere.source = AUDIT_SOURCE_NONE;
    audit_ledger_record(ledger, &nowhere);
    audit_ledger_match(ledger);
    audit_ledger_close(ledger);
    const struct audit_fault *places;
    assert_int_equal(audit_ledger_faults(ledger, AUDIT_FAULT_UNEXPLAINED), 2);
    assert_int_equal(audit_ledger_places(ledger, &places), 2);
    assert_string_equal(places[0].topic, "alerts");
    assert_true(places[0].offset == 4 && places[1].offset == 6);
    audit_ledger_free(ledger);
}

static void an_alert_has_its_row(void **state)
{
    (void)state;
    struct audit_ledger *ledger = alerted_ledger(stored, 3);
    audit_ledger_match(ledger);
    for (int64_t o = 0; o < 10; o++)
        for (int32_t p = 0; p < 2; p++) {
            struct audit_row row = row_of(o);
            row.partition = p;
            audit_ledger_row(ledger, &row);
        }
    expect(ledger, AUDIT_FAULT_ROW_MISSING, "alerts", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_is_beside_its_prediction),
        cmocka_unit_test(an_alert_needs_a_prediction),
        cmocka_unit_test(an_alert_has_its_row),
        cmocka_unit_test(one_end_for_each_is_clean),
        cmocka_unit_test(an_offset_without_an_end_is_missing),
        cmocka_unit_test(a_second_end_is_a_duplicate_or_a_repeat),
        cmocka_unit_test(order_is_of_one_partition_and_topic),
        cmocka_unit_test(an_end_for_what_no_reader_sees_is_unexplained),
        cmocka_unit_test(a_record_that_names_nothing_is_unexplained),
        cmocka_unit_test(records_without_a_source_are_matched),
        cmocka_unit_test(null_values_may_be_ignored),
        cmocka_unit_test(other_records_may_be_ignored),
        cmocka_unit_test(every_record_has_one_row_unaltered),
        cmocka_unit_test(a_row_at_no_record_is_unexplained),
        cmocka_unit_test(a_refused_record_has_its_row_elsewhere),
        cmocka_unit_test(an_erasure_reaches_back_and_not_forth),
        cmocka_unit_test(an_anonymous_row_needs_an_erasure),
        cmocka_unit_test(retention_excuses_what_it_deleted),
        cmocka_unit_test(places_are_bounded_and_all_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
