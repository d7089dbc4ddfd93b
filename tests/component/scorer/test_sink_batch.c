/* The sink without Kafka, against a PostgreSQL of the test's own: what is stored once, whatever goes wrong. */
#include "tests/support/sink.h"

#include "base/clock.h"
#include "tests/support/cut_commit.h"

static void every_kind_of_record_becomes_its_row(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    const struct record_plan changed = {.number = 20, .employee = 3, .has_change = true};
    add_plan(&f, 0, 10, &changed);
    add(&f, SINK_TOPIC_OUTPUT, 1, 4, SPAN_LITERAL("employee-9"), SPAN_NULL, NULL, 0);
    const struct sink_header headers[] = {
        {"__connect.errors.topic", SPAN_LITERAL("employee-events")},
        {"__connect.errors.partition", SPAN_LITERAL("3")},
        {"__connect.errors.offset", SPAN_LITERAL("77")},
        {"__connect.errors.exception.message", SPAN_LITERAL("too old")},
        {"attrition.error.code", SPAN_LITERAL("out_of_range")},
        {"attrition.error.field", SPAN_LITERAL("Age")},
        {"trace", {"\xff\0", 2}},
        {"none", SPAN_NULL},
    };
    add(&f, SINK_TOPIC_DLQ, 0, 5, SPAN_NULL, SPAN_LITERAL("\0raw"), headers, 8);
    struct buffer value = {0};
    record_outcome(schema, 1, &value);
    add(&f, SINK_TOPIC_OUTCOME, 0, 6, SPAN_LITERAL("employee-1"), buffer_span(&value), NULL, 0);
    buffer_clear(&value);
    const struct alert_assessment before = {0, 0.25, -0.5, 0.5, SPAN_LITERAL("attrition"), SPAN_LITERAL("3")};
    record_alert(schema, 1, &before, &value);
    add(&f, SINK_TOPIC_ALERT, 0, 7, SPAN_LITERAL("employee-1"), buffer_span(&value), NULL, 0);
    buffer_clear(&value);
    record_alert(schema, 2, NULL, &value);
    add(&f, SINK_TOPIC_ALERT, 0, 8, SPAN_LITERAL("employee-2"), buffer_span(&value), NULL, 0);
    buffer_free(&value);
    write_now(&f);
    assert_identity(&f);
    assert_int_equal(released, 6);
    assert_text(
        "SELECT concat_ws('|', event_id, employee_id, occurred_at AT TIME ZONE 'UTC', prediction, probability, "
        "margin, base, model_name, model_version, model_alias, run_id, channel, source_topic, source_partition, "
        "source_offset, cluster_id, output_partition, output_offset, reasons, challengers, change) "
        "FROM attrition.predictions",
        "event-20|employee-3|2026-09-21 14:13:20.02|Yes|0.625|0.875|1|attrition|3|production|STREAM|"
        "employee-events|2|20|cluster-a|0|10|[{\"feature\": \"Age\", \"contribution\": -0.75}, "
        "{\"feature\": \"BusinessTravel\", \"contribution\": 0.5}, "
        "{\"feature\": \"DailyRate\", \"contribution\": 0.125}]|[]|{\"model\": -0.125, \"record\": 0.375}");
    assert_int_equal(number("SELECT count(*) FROM attrition.latest_predictions WHERE change ->> 'model' = '-0.125'"),
                     1);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions, jsonb_object_keys(input)"),
                     schema->column_count);
    assert_text("SELECT concat_ws('|', receipt = attrition.receipt('employee-9'), employee_id, output_partition, "
                "output_offset) "
                "FROM attrition.erasures",
                "t|1|4");
    assert_text("SELECT concat_ws('|', stage, code, field, message, topic, partition, \"offset\", value, "
                "dlq_partition, dlq_offset, headers -> 6, headers -> 7) FROM attrition.dead_letters",
                "score|out_of_range|Age|too old|employee-events|3|77|\\x00726177|0|5|"
                "{\"key\": \"trace\", \"value\": {\"hex\": \"ff00\"}}|{\"key\": \"none\", \"value\": null}");
    assert_text("SELECT concat_ws('|', event_id, employee_id, event_type, topic, \"offset\") FROM attrition.outcomes",
                "outcome-1|employee-1|TERMINATED|attrition-outcomes|6");
    assert_text("SELECT string_agg(concat_ws(' ', topic, partition, next_offset), ', ' ORDER BY topic, partition) "
                "FROM attrition.sink_offsets",
                "attrition-alerts 0 9, attrition-outcomes 0 7, attrition-predictions 0 11, attrition-predictions 1 5, "
                "employee-events-dlq 0 6");
    assert_text(
        "SELECT concat_ws('|', event_id, employee_id, occurred_at AT TIME ZONE 'UTC', kind, before_prediction, "
        "before_probability, before_margin, before_threshold, before_model_name, before_model_version, "
        "after_prediction, after_probability, after_margin, after_threshold, after_model_name, after_model_version, "
        "model_change, cause, cluster_id, topic, partition, \"offset\") FROM attrition.alerts WHERE \"offset\" = 7",
        "event-1|employee-1|2026-09-21 "
        "14:13:20|CROSSED_UP|No|0.25|-0.5|0.5|attrition|3|Yes|0.75|1.25|0.5|attrition|4|0|"
        "RECORD|cluster-a|attrition-alerts|0|7");
    assert_text("SELECT drivers -> 0 FROM attrition.alerts WHERE \"offset\" = 7",
                "{\"after\": 29, \"before\": 41, \"feature\": \"Age\", \"contribution_after\": 0.5, "
                "\"contribution_before\": -0.25}");
    assert_text("SELECT drivers -> 1 ->> 'after' FROM attrition.alerts WHERE \"offset\" = 7", "Yes");
    assert_int_equal(number("SELECT count(*) FROM attrition.alerts WHERE \"offset\" = 8 AND kind = 'FIRST' AND "
                            "coalesce(before_prediction, before_model_name, drivers::text) IS NULL"),
                     1);
    fixture_close(&f);
}

static void latest_is_the_newest_and_never_goes_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    /* number is the source offset too */
    const struct record_plan first[] = {
        {.number = 5, .employee = 1, .occurred_at_ms = 3000},
        {.number = 6, .employee = 1, .occurred_at_ms = 2000},
        {.number = 7, .employee = 2, .occurred_at_ms = 1000},
        {.number = 8, .employee = 2, .occurred_at_ms = 1000},
        {.number = 9, .employee = 3, .occurred_at_ms = 9000, .channel = CHANNEL_HTTP},
    };
    for (int64_t i = 0; i < 5; i++)
        add_plan(&f, 0, i, &first[i]);
    write_now(&f);
    static const char sql[] = "SELECT string_agg(employee_id || ' ' || event_id, ', ' ORDER BY employee_id) "
                              "FROM attrition.latest_predictions";
    assert_text(sql, "employee-1 event-5, employee-2 event-8");
    const struct record_plan second[] = {{.number = 4, .employee = 1, .occurred_at_ms = 3000},
                                         {.number = 20, .employee = 2, .occurred_at_ms = 1001}};
    for (int64_t i = 0; i < 2; i++)
        add_plan(&f, 0, 5 + i, &second[i]);
    write_now(&f);
    assert_text(sql, "employee-1 event-5, employee-2 event-20");
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 7);
    fixture_close(&f);
}

/* Of one time, in a partition that was added since, so at a lower offset: what was scored later is the latest, whether
 * both come in one transaction or not. */
static void latest_of_one_time_is_what_was_scored_last_where_the_topic_has_grown(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    static const char sql[] = "SELECT string_agg(employee_id || ' ' || event_id, ', ' ORDER BY employee_id) "
                              "FROM attrition.latest_predictions";
    const struct record_plan plans[] = {
        {.number = 900, .employee = 1, .occurred_at_ms = 3000},
        {.number = 3, .employee = 1, .occurred_at_ms = 3000, .partition = 4, .scored_at_us = 5000},
        {.number = 800, .employee = 2, .occurred_at_ms = 3000},
        {.number = 4, .employee = 2, .occurred_at_ms = 3000, .partition = 4, .scored_at_us = 5000},
    };
    for (int64_t i = 0; i < 3; i++)
        add_plan(&f, 0, i, &plans[i]);
    write_now(&f);
    assert_text(sql, "employee-1 event-3, employee-2 event-800");
    add_plan(&f, 0, 3, &plans[3]);
    write_now(&f);
    assert_text(sql, "employee-1 event-3, employee-2 event-4");
    add_plan(&f, 0, 4, &plans[2]); /* read again */
    write_now(&f);
    assert_text(sql, "employee-1 event-3, employee-2 event-4");
    fixture_close(&f);
}

static void refused_rows_are_set_aside_and_the_rest_land(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    char *wide = mem_zeroed(300000, 1); /* too wide for the index on event_id, whatever the compression */
    for (size_t i = 0; i < 300000; i++)
        wide[i] = (char)('a' + (i * 2654435761u >> 13) % 26);
    const struct record_plan bad[] = {{.event_id = "a\0b", .event_id_bytes = 3},
                                      {.occurred_at_ms = INT64_MAX},
                                      {.event_id = wide, .event_id_bytes = 300000}};
    for (int64_t offset = 0; offset < 600; offset++)
        if (offset == 0 || offset == 299 || offset == 599)
            add_plan(&f, 0, offset, &bad[offset / 299]);
        else
            add_prediction(&f, 0, offset);
    add(&f, SINK_TOPIC_OUTPUT, 1, 0, SPAN_LITERAL("k"), SPAN_LITERAL("garbage"), NULL, 0);
    add(&f, SINK_TOPIC_OUTPUT, 1, 1, SPAN_NULL, SPAN_NULL, NULL, 0);
    write_now(&f);
    assert_identity(&f);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 597);
    assert_int_equal(counted(&f, COUNTER_SINK_PREDICTIONS), 597);
    assert_int_equal(counted(&f, COUNTER_SINK_REFUSED), 5);
    assert_text("SELECT string_agg(concat_ws(' ', stage, code, topic, partition, \"offset\", key), ', ' "
                "ORDER BY partition, \"offset\") FROM attrition.dead_letters",
                "sink sql_22021 attrition-predictions 0 0 \\x6b6579, sink sql_22008 attrition-predictions 0 299 "
                "\\x6b6579, sink sql_54000 attrition-predictions 0 599 \\x6b6579, sink bad_frame "
                "attrition-predictions 1 0 \\x6b, sink null_key attrition-predictions 1 1");
    free(wide);
    fixture_close(&f);
}

static void another_group_stores_nothing_twice(void **state)
{
    (void)state;
    static const char *const groups[] = {"group-sink", "other-sink", "group-sink"};
    for (int g = 0; g < 3; g++) {
        struct fixture f;
        fixture_open_group(&f, postgres.url, "cluster-a", groups[g]);
        sync_now(&f);
        for (int64_t offset = 0; offset < 100 + g * 10; offset++)
            add_prediction(&f, 0, offset);
        write_now(&f);
        assert_int_equal(counted(&f, COUNTER_SINK_PREDICTIONS), g ? 10 : 100);
        assert_identity(&f);
        fixture_close(&f);
    }
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 120);
    assert_int_equal(number("SELECT count(DISTINCT (output_topic, output_offset)) FROM attrition.predictions"), 120);
    assert_text("SELECT group_id || ' ' || next_offset FROM attrition.sink_offsets", "group-sink 120");
}

/* The end of a log lies past its last record: commit markers. */
static void positions_move_without_records(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    assert_false(sink_batch_is_ahead(f.batch));
    struct sink_partition *first = sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 0);
    struct sink_partition *second = sink_batch_partition(f.batch, SINK_TOPIC_OUTCOME, 1);
    add_prediction(&f, 0, 10);
    first->next = 12; /* the marker is at 11 */
    second->next = 0; /* empty */
    write_now(&f);
    static const char sql[] = "SELECT string_agg(concat_ws(' ', topic, partition, next_offset, last_offset), ', ' "
                              "ORDER BY topic) FROM attrition.sink_offsets";
    assert_text(sql, "attrition-outcomes 1 0, attrition-predictions 0 12 10");
    assert_false(sink_batch_is_ahead(f.batch));
    char *digest = postgres_text(&postgres, "SELECT last_digest FROM attrition.sink_offsets WHERE last_offset = 10");
    first->next = 15;
    assert_true(sink_batch_is_ahead(f.batch));
    write_now(&f);
    assert_text(sql, "attrition-outcomes 1 0, attrition-predictions 0 15 10");
    assert_text("SELECT last_digest FROM attrition.sink_offsets WHERE last_offset = 10", digest);
    free(digest);
    fixture_close(&f);
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    first = sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 0);
    assert_int_equal(first->next, 15);
    assert_int_equal(first->last_offset, 10);
    fixture_close(&f);
}

/* A row that is refused must not take the position past its batch's other rows. */
static void a_position_at_the_end_waits_for_the_records_before_it(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    refuse("57P03", "event-26");
    for (int64_t offset = 0; offset < 40; offset++)
        add_prediction(&f, 0, offset);
    sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 0)->next = 45;
    assert_int_equal(sink_batch_write(f.batch, &err), STATUS_UNAVAILABLE);
    assert_int_equal(number("SELECT count(*) FROM attrition.sink_offsets"), 0);
    refuse("23514", "event-26");
    write_now(&f);
    refuse_no_more();
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 39);
    assert_int_equal(number("SELECT next_offset FROM attrition.sink_offsets"), 45);
    fixture_close(&f);
}

/* Once all of a partition is stored, so is the marker behind it: retention may delete both before the next write. */
static void a_position_at_the_end_does_not_wait_for_other_partitions(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    static const struct record_plan bad = {.event_id = "a\0b", .event_id_bytes = 3};
    add_plan(&f, 1, 0, &bad);
    sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 1)->next = 2; /* the marker is at 1 */
    for (int64_t offset = 0; offset < 40; offset++)
        add_prediction(&f, 0, offset);
    sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 0)->next = 45;
    refuse("57P03", "event-70");
    assert_int_equal(sink_batch_write(f.batch, &err), STATUS_UNAVAILABLE);
    static const char sql[] = "SELECT string_agg(concat_ws(' ', partition, next_offset, last_offset), ', ' "
                              "ORDER BY partition) FROM attrition.sink_offsets";
    assert_text(sql, "0 19 18, 1 2 0");
    refuse_no_more();
    write_now(&f);
    assert_text(sql, "0 45 39, 1 2 0");
    fixture_close(&f);
}

static void headers_count_for_the_size_of_a_batch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    char *wide = mem_zeroed(100000, 1);
    memset(wide, 'x', 100000);
    const struct sink_header headers[] = {{"note", {wide, 100000}}, {"none", SPAN_NULL}};
    add(&f, SINK_TOPIC_DLQ, 0, 0, SPAN_LITERAL("k"), SPAN_LITERAL("v"), headers, 2);
    assert_in_range(sink_batch_bytes(f.batch), 100000, 101000);
    write_now(&f);
    assert_int_equal(sink_batch_bytes(f.batch), 0);
    free(wide);
    fixture_close(&f);
}

/* What came before a request by its source goes, whenever it is stored; what came after stays, whenever. */
static void erasures_follow_the_source(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer value = {0}, alert = {0};
    record_outcome(schema, 9, &value); /* of employee-9 */
    record_alert(schema, 9, NULL, &alert);
    for (int late = 0; late < 2; late++) {
        (void)empty_tables(NULL);
        fixture_open(&f, postgres.url, "cluster-a");
        sync_now(&f);
        for (int turn = 0; turn < 2; turn++) {
            if (turn == late) {
                for (int after = 0; after < 2; after++) {
                    const struct sink_header outcome[] = {{"attrition.source.topic", SPAN_LITERAL("employee-events")},
                                                          {"attrition.source.partition", SPAN_LITERAL("3")},
                                                          {"attrition.source.offset", span_of(after ? "78" : "76")}};
                    const struct sink_header letter[] = {{"__connect.errors.topic", SPAN_LITERAL("employee-events")},
                                                         {"__connect.errors.partition", SPAN_LITERAL("3")},
                                                         {"__connect.errors.offset", span_of(after ? "79" : "75")}};
                    add(&f, SINK_TOPIC_OUTCOME, 0, after, SPAN_LITERAL("employee-9"), buffer_span(&value), outcome, 3);
                    add(&f, SINK_TOPIC_ALERT, 0, after, SPAN_LITERAL("employee-9"), buffer_span(&alert), outcome, 3);
                    add(&f, SINK_TOPIC_DLQ, 0, after, SPAN_LITERAL("employee-9"), SPAN_LITERAL("v"), letter, 3);
                    add(&f, SINK_TOPIC_DLQ, 1, after, SPAN_LITERAL("\xff"), SPAN_LITERAL("v"), letter, 3);
                }
            } else {
                const struct sink_header request[] = {{"attrition.source.topic", SPAN_LITERAL("employee-events")},
                                                      {"attrition.source.partition", SPAN_LITERAL("3")},
                                                      {"attrition.source.offset", SPAN_LITERAL("77")}};
                add(&f, SINK_TOPIC_OUTPUT, 1, 4, SPAN_LITERAL("employee-9"), SPAN_NULL, request, 3);
            }
            write_now(&f);
        }
        assert_text("SELECT string_agg(source_offset::text, ' ') FROM attrition.outcomes", "78");
        assert_text("SELECT string_agg(\"offset\"::text, ' ') FROM attrition.dead_letters WHERE key <> '\\xff'", "79");
        assert_text("SELECT string_agg(source_offset::text, ' ') FROM attrition.alerts", "78");
        assert_text("SELECT concat_ws(' ', output_topic, source_topic, source_partition, source_offset, outcomes, "
                    "dead_letters, alerts) FROM attrition.erasures WHERE erased_at IS NOT NULL",
                    "attrition-predictions employee-events 3 77 1 1 1");
        assert_identity(&f);
        fixture_close(&f);
    }
    buffer_free(&value);
    buffer_free(&alert);
}

/* A repeat of at-least-once delivery is a row, and one of alerts_once. */
static void a_repeated_alert_is_one_of_alerts_once(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer value = {0};
    const struct sink_header source[] = {{"attrition.source.topic", SPAN_LITERAL("employee-events")},
                                         {"attrition.source.partition", SPAN_LITERAL("3")},
                                         {"attrition.source.offset", SPAN_LITERAL("76")}};
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    record_alert(schema, 9, NULL, &value);
    for (int64_t offset = 0; offset < 3; offset++)
        add(&f, SINK_TOPIC_ALERT, 0, offset, SPAN_LITERAL("employee-9"), buffer_span(&value), source, 3);
    add(&f, SINK_TOPIC_ALERT, 0, 3, SPAN_LITERAL("employee-9"), SPAN_LITERAL("no alert"), source, 3);
    add(&f, SINK_TOPIC_ALERT, 0, 4, SPAN_LITERAL("employee-9"), SPAN_NULL, NULL, 0);
    write_now(&f);
    assert_identity(&f);
    assert_int_equal(counted(&f, COUNTER_SINK_ALERTS), 3);
    assert_int_equal(counted(&f, COUNTER_SINK_REFUSED), 2);
    assert_int_equal(number("SELECT count(*) FROM attrition.alerts"), 3);
    assert_text("SELECT string_agg(\"offset\"::text, ' ') FROM attrition.alerts_once", "0");
    assert_text("SELECT string_agg(code || ' ' || \"offset\", ', ' ORDER BY \"offset\") FROM attrition.dead_letters",
                "bad_frame 3, bad_frame 4");
    fixture_close(&f);
    buffer_free(&value);
}

static void the_slower_of_two_sinks_stores_nothing_twice(void **state)
{
    (void)state;
    struct fixture a, b;
    fixture_open(&a, postgres.url, "cluster-a");
    fixture_open(&b, postgres.url, "cluster-a");
    sync_now(&a);
    sync_now(&b);
    for (int64_t offset = 0; offset < 100; offset++)
        add_prediction(&a, 0, offset);
    for (int64_t offset = 0; offset < 150; offset++)
        add_prediction(&b, 0, offset);
    write_now(&a);
    write_now(&b);
    assert_identity(&b);
    assert_int_equal(counted(&b, COUNTER_SINK_SKIPPED), 100);
    assert_int_equal(counted(&b, COUNTER_SINK_PREDICTIONS), 50);
    add_prediction(&a, 0, 100); /* a has not heard of b yet */
    add_prediction(&a, 0, 149);
    add_prediction(&a, 0, 150);
    write_now(&a);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 151);
    assert_int_equal(number("SELECT count(DISTINCT output_offset) FROM attrition.predictions"), 151);
    fixture_close(&a);
    fixture_close(&b);
}

static void offsets_that_went_back_are_read_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    for (int64_t offset = 0; offset < 10; offset++)
        add_prediction(&f, 0, offset);
    write_now(&f);
    assert_false(sink_batch_take_rewound(f.batch));
    postgres_run(&postgres, "DELETE FROM attrition.predictions WHERE output_offset >= 4; "
                            "UPDATE attrition.sink_offsets SET next_offset = 4");
    struct sink_partition *partition = sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 0);
    add_prediction(&f, 0, 10);
    partition->checked = true;
    partition->verify = 9; /* the record there has not come yet */
    write_now(&f);
    assert_true(sink_batch_take_rewound(f.batch));
    assert_int_equal(partition->next, 4);
    assert_int_equal(partition->verify, SINK_NO_OFFSET);
    assert_false(partition->checked);
    for (int64_t offset = 4; offset < 11; offset++)
        add_prediction(&f, 0, offset);
    write_now(&f);
    assert_int_equal(number("SELECT count(DISTINCT output_offset) FROM attrition.predictions"), 11);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 11);
    assert_identity(&f);
    fixture_close(&f);
}

static void a_crash_leaves_all_or_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    for (int64_t offset = 0; offset < 50; offset++)
        add_prediction(&f, 0, offset);
    postgres_crash(&postgres);
    assert_int_equal(sink_batch_write(f.batch, &err), STATUS_UNAVAILABLE);
    assert_int_equal(sink_batch_count(f.batch), 50);
    assert_int_equal(sink_batch_write(f.batch, &err), STATUS_UNAVAILABLE);
    postgres_start(&postgres);
    write_now(&f);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 50);
    assert_identity(&f);
    fixture_close(&f);
}

/* The first try runs out of time behind another session's lock; the next one is given longer. */
static void a_slow_server_is_given_more_time(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    fixture_open(&f, postgres.url, "cluster-a");
    sync_now(&f);
    sink_store_limit(f.store, 400000);
    add_prediction(&f, 0, 0);
    PGconn *other = PQconnectdb(postgres.url);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE attrition.latest_predictions IN ACCESS EXCLUSIVE MODE"));
    sink_store_close(f.store); /* a new session takes the limit over */
    int64_t waits_us[2];
    for (int try = 0; try < 2; try++) {
        int64_t start_us = clock_steady_us(&clock_system);
        assert_int_equal(sink_batch_write(f.batch, &err), STATUS_UNAVAILABLE);
        waits_us[try] = clock_steady_us(&clock_system) - start_us;
    }
    assert_true(waits_us[0] >= 300000);
    assert_true(waits_us[1] >= 700000);
    PQfinish(other);
    write_now(&f);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 1);
    fixture_close(&f);
}

/* The server's process behind the store's connection stands still, until the test is done with it. */
static pid_t freeze_backend(void)
{
    pid_t pid = (pid_t)number("SELECT pid FROM pg_stat_activity WHERE application_name = 'attrition-sink' "
                              "ORDER BY backend_start DESC LIMIT 1");
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    return pid;
}

/* However often it had no answer before: the loop stands still meanwhile, and only a commit would end the backoff. */
static void an_idle_ping_never_waits_longer(void **state)
{
    enum { TRIES = 3 };
    (void)state;
    struct fixture f;
    struct error err;
    pid_t frozen[TRIES];
    fixture_open(&f, postgres.url, "cluster-a");
    sink_store_limit(f.store, 300000);
    for (int try = 0; try < TRIES; try++) {
        sync_now(&f);
        frozen[try] = freeze_backend();
        assert_int_equal(sink_store_ping(f.store, &err), STATUS_UNAVAILABLE);
        if (!strstr(err.text, "no answer within 0.3 s"))
            fail_msg("try %d: %s", try, err.text);
    }
    for (int try = 0; try < TRIES; try++)
        kill(frozen[try], SIGCONT);
    fixture_close(&f);
}

static void an_unanswered_commit_is_not_repeated(void **state)
{
    (void)state;
    char url[CUT_COMMIT_URL_BYTES];
    struct fixture f;
    struct error err;
    cut_commit_start(postgres.directory, url);
    fixture_open(&f, url, "cluster-a");
    sync_now(&f);
    for (int64_t offset = 0; offset < 20; offset++)
        add_prediction(&f, offset % 2, offset);
    cut_commit.cut = true;
    assert_int_equal(sink_batch_write(f.batch, &err), STATUS_UNAVAILABLE);
    assert_int_equal(cut_commit.cuts, 1);
    add_prediction(&f, 0, 20);
    write_now(&f);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 21);
    assert_int_equal(counted(&f, COUNTER_SINK_PREDICTIONS), 21);
    assert_int_equal(counted(&f, COUNTER_SINK_SKIPPED), 0);
    assert_identity(&f);
    fixture_close(&f);
    cut_commit_stop();
}

static void clusters_have_offsets_of_their_own(void **state)
{
    (void)state;
    for (int c = 0; c < 2; c++) {
        struct fixture f;
        fixture_open(&f, postgres.url, c ? "cluster-b" : "cluster-a");
        sync_now(&f);
        assert_int_equal(sink_batch_partition(f.batch, SINK_TOPIC_OUTPUT, 0)->next, SINK_NO_OFFSET);
        add_prediction(&f, 0, 0);
        write_now(&f);
        fixture_close(&f);
    }
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 2);
    assert_int_equal(number("SELECT count(DISTINCT cluster_id) FROM attrition.sink_offsets"), 2);
}

static void trouble_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum status status;
        const char *says;
    } cases[] = {
        {"postgresql:///nowhere?host=%s/socket&user=postgres", STATUS_NOT_FOUND, "sql/migrate"},
        {"postgresql:///postgres?host=%s/socket&user=postgres", STATUS_NOT_FOUND, "sql/migrate"},
        {"postgresql:///attrition?host=%s/socket&user=nobody", STATUS_DENIED, "DATABASE_URL"},
        {"postgresql:///attrition?host=%s/elsewhere&user=postgres", STATUS_UNAVAILABLE, "socket"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char url[200];
        struct error err;
        struct sink_store *store;
        snprintf(url, sizeof url, cases[c].url, postgres.directory); /* NOLINT */
        assert_int_equal(sink_store_new((struct secret){.text = url}, "group", &store, &err), STATUS_OK);
        assert_int_equal(sink_store_open(store, &err), cases[c].status);
        if (!strstr(err.text, cases[c].says) || strchr(err.text, '\n'))
            fail_msg("%s", err.text);
        sink_store_free(store);
    }
    struct sink_store *store;
    struct error err;
    assert_int_equal(sink_store_new((struct secret){.text = "postgresql://a:secret@[::"}, "group", &store, &err),
                     STATUS_INVALID);
    assert_null(strstr(err.text, "secret"));
}

static void rights_are_checked_by_name(void **state)
{
    (void)state;
    char url[200];
    struct error err;
    struct sink_store *store;
    postgres_run(&postgres,
                 "DROP ROLE IF EXISTS scorer_login; CREATE ROLE scorer_login LOGIN IN ROLE attrition_analyst");
    snprintf(url, sizeof url, "postgresql:///attrition?host=%s/socket&user=scorer_login", postgres.directory);
    assert_int_equal(sink_store_new((struct secret){.text = url}, "group", &store, &err), STATUS_OK);
    assert_int_equal(sink_store_open(store, &err), STATUS_OK);
    assert_int_equal(sink_store_check(store, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "GRANT attrition_writer TO scorer_login"));
    sink_store_free(store);
    postgres_run(&postgres, "GRANT attrition_writer TO scorer_login; REVOKE attrition_analyst FROM scorer_login");
    struct fixture f;
    fixture_open(&f, url, "cluster-a");
    sync_now(&f);
    assert_int_equal(sink_store_check(f.store, &err), STATUS_OK);
    add_prediction(&f, 0, 0);
    add(&f, SINK_TOPIC_OUTPUT, 0, 1, SPAN_LITERAL("k"), SPAN_NULL, NULL, 0);
    add(&f, SINK_TOPIC_OUTPUT, 0, 2, SPAN_LITERAL("k"), SPAN_LITERAL("?"), NULL, 0);
    write_now(&f);
    add_prediction(&f, 0, 7);
    write_now(&f);
    fixture_close(&f);
    postgres_run(&postgres, "DROP ROLE scorer_login");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_kind_of_record_becomes_its_row, empty_tables),
        cmocka_unit_test_setup(a_repeated_alert_is_one_of_alerts_once, empty_tables),
        cmocka_unit_test_setup(latest_is_the_newest_and_never_goes_back, empty_tables),
        cmocka_unit_test_setup(latest_of_one_time_is_what_was_scored_last_where_the_topic_has_grown, empty_tables),
        cmocka_unit_test_setup(refused_rows_are_set_aside_and_the_rest_land, empty_tables),
        cmocka_unit_test_setup(another_group_stores_nothing_twice, empty_tables),
        cmocka_unit_test_setup(positions_move_without_records, empty_tables),
        cmocka_unit_test_setup(a_position_at_the_end_waits_for_the_records_before_it, empty_tables),
        cmocka_unit_test_setup(a_position_at_the_end_does_not_wait_for_other_partitions, empty_tables),
        cmocka_unit_test_setup(headers_count_for_the_size_of_a_batch, empty_tables),
        cmocka_unit_test_setup(erasures_follow_the_source, empty_tables),
        cmocka_unit_test_setup(the_slower_of_two_sinks_stores_nothing_twice, empty_tables),
        cmocka_unit_test_setup(offsets_that_went_back_are_read_again, empty_tables),
        cmocka_unit_test_setup(a_crash_leaves_all_or_nothing, empty_tables),
        cmocka_unit_test_setup(a_slow_server_is_given_more_time, empty_tables),
        cmocka_unit_test_setup(an_idle_ping_never_waits_longer, empty_tables),
        cmocka_unit_test_setup(an_unanswered_commit_is_not_repeated, empty_tables),
        cmocka_unit_test_setup(clusters_have_offsets_of_their_own, empty_tables),
        cmocka_unit_test_setup(trouble_says_what_to_do, empty_tables),
        cmocka_unit_test_setup(rights_are_checked_by_name, empty_tables),
    };
    return cmocka_run_group_tests(tests, start_all, end_all);
}
