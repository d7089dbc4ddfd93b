/* scorer/stream/alerts: which alert is due, and that it adds up. */
#include "tests/support/scorer.h"

#include <math.h>

#include "base/memory.h"
#include "events/fault.h"
#include "scorer/state/state_row.h"
#include "scorer/stream/alerts.h"

enum { COLUMNS_MAX = 64, USED = 3 };

/* --- kinds --- */

static enum alert_kind kind_at(double hysteresis, const struct alert_score *last, double probability)
{
    const struct alert_rules rules = {hysteresis, 0.1};
    const struct alert_score now = {probability, 0.5, probability >= 0.5};
    return alert_kind_of(&rules, last, &now);
}

static void the_first_prediction_alerts_where_it_is_positive(void **state)
{
    (void)state;
    assert_int_equal(kind_at(0, NULL, 0.5), ALERT_FIRST);
    assert_int_equal(kind_at(0.2, NULL, 0.5), ALERT_FIRST);
    assert_int_equal(kind_at(0, NULL, 0.49), ALERT_KIND_COUNT);
}

static void a_crossing_is_of_what_was_said_last(void **state)
{
    (void)state;
    const struct alert_score no = {.probability = 0.45}, yes = {.probability = 0.55, .positive = true};
    assert_int_equal(kind_at(0, &no, 0.5), ALERT_CROSSED_UP);
    assert_int_equal(kind_at(0, &no, 0.499), ALERT_KIND_COUNT);
    assert_int_equal(kind_at(0, &yes, 0.499), ALERT_CROSSED_DOWN);
    assert_int_equal(kind_at(0, &yes, 0.5), ALERT_KIND_COUNT);
    assert_int_equal(kind_at(0, &no, 0.9), ALERT_CROSSED_UP); /* one alert, though it has moved too */
}

static void within_the_hysteresis_there_is_no_crossing(void **state)
{
    (void)state;
    const struct alert_score no = {.probability = 0.45}, yes = {.probability = 0.55, .positive = true};
    assert_int_equal(kind_at(0.0625, &no, 0.54), ALERT_KIND_COUNT);
    assert_int_equal(kind_at(0.0625, &no, 0.5625), ALERT_CROSSED_UP);
    assert_int_equal(kind_at(0.0625, &yes, 0.46), ALERT_KIND_COUNT);
    assert_int_equal(kind_at(0.0625, &yes, 0.4375), ALERT_MOVED);
    assert_int_equal(kind_at(0.0625, &yes, 0.4374), ALERT_CROSSED_DOWN);
}

static void a_move_is_from_what_was_said_last(void **state)
{
    (void)state;
    const struct alert_score last = {.probability = 0.2};
    assert_int_equal(kind_at(0, &last, 0.29), ALERT_KIND_COUNT);
    assert_int_equal(kind_at(0, &last, 0.31), ALERT_MOVED);
    assert_int_equal(kind_at(0, &last, 0.09), ALERT_MOVED);
}

/* --- what an alert says --- */

struct fixture {
    struct schema *schema;
    struct model old, present;
    struct alerts *alerts;
    struct alert_reader *reader;
    struct alert_rules rules;
    struct cell before[COLUMNS_MAX], after[COLUMNS_MAX];
    struct buffer row;
    struct state_record record; /* before */
    struct state_model model_before;
    struct state_record now;
    struct arena arena;
    struct alert alert;
};

/* Of the first numbers, each with another weight. */
static struct pipeline *make_pipeline(const struct schema *schema, double factor, bool reference)
{
    struct fitted_column fitted[USED];
    double weights[USED];
    struct buffer file = {0}, text = {0};
    struct pipeline *pipeline;
    struct error err;
    buffer_add_text(&text, "{\"kind\":\"linear\",\"columns\":{");
    for (size_t c = 0, n = 0; n < USED; c++) {
        const struct column *column = &schema->columns[c];
        if (column->kind == COLUMN_NOMINAL)
            continue;
        weights[n] = factor * (0.1 + 0.7 * (double)n);
        fitted[n] = (struct fitted_column){
            .column = column, .median = column->low + 1, .mean = column->low, .scale = 10, .weights = &weights[n]};
        buffer_printf(&text, "%s\"%s\":%.17g", n ? "," : "", column->name, column->low + 0.3);
        n++;
    }
    buffer_add_text(&text, "}}");
    const struct model_property property = {"attrition.reference", buffer_span(&text)};
    const struct linear_model model = {.columns = fitted,
                                       .column_count = USED,
                                       .intercept = -0.3,
                                       .labels = schema->target_values,
                                       .properties = &property,
                                       .property_count = reference,
                                       .producer_version = "test"};
    const struct pipeline_options options = {.positive_label = "Yes"};
    if (onnx_write_linear(&model, &file, &err) != STATUS_OK ||
        pipeline_load(buffer_span(&file), schema->columns, schema->column_count, &options, &pipeline, &err) !=
            STATUS_OK)
        fail_msg("%s", err.text);
    buffer_free(&file);
    buffer_free(&text);
    return pipeline;
}

static struct model make_model(const struct schema *schema, double factor, bool reference, const char *version)
{
    struct pipeline *pipeline = make_pipeline(schema, factor, reference);
    return (struct model){.pipeline = pipeline,
                          .stamp = {SPAN_LITERAL("m"), span_of(version), SPAN_NULL, SPAN_NULL},
                          .threshold = 0.5,
                          .labels = labels_of(schema, pipeline)};
}

static void make(struct fixture *f, bool reference, const char *version)
{
    *f = (struct fixture){.schema = scorer_schema(), .rules = {0, 0.1}};
    f->old = make_model(f->schema, 1, true, "1");
    f->present = make_model(f->schema, version[0] == '1' ? 1 : -1.5, reference, version);
    f->alerts = alerts_new(f->schema, &f->rules);
    f->reader = alert_reader_new(f->schema);
    for (size_t c = 0; c < f->schema->column_count; c++)
        f->before[c] = f->after[c] = cell_missing(&f->schema->columns[c]);
}

static void unmake(struct fixture *f)
{
    pipeline_free(f->old.pipeline);
    pipeline_free(f->present.pipeline);
    alerts_free(f->alerts);
    alert_reader_free(f->reader);
    buffer_free(&f->row);
    arena_free(&f->arena);
    schema_free(f->schema);
}

static void set(const struct fixture *f, struct cell *cells, size_t n, double number)
{
    for (size_t c = 0;; c++)
        if (f->schema->columns[c].kind != COLUMN_NOMINAL && n-- == 0) {
            cells[c] = cell_number(number);
            return;
        }
}

static struct score score_of(const struct model *model, const struct cell *cells)
{
    struct score score;
    pipeline_score(model->pipeline, cells, 1, 0, &score, NULL);
    return score;
}

/* The record before as the state has it, predicted by the old model. */
static void keep_before(struct fixture *f, double alerted)
{
    const struct score score = score_of(&f->old, f->before);
    char *row = buffer_reserve(&f->row, state_row_bound(f->schema, f->before));
    f->model_before = (struct state_model){f->old.stamp.name, f->old.stamp.version, f->old.threshold};
    f->record = (struct state_record){
        .scored = true,
        .alerted = true,
        .alerted_probability = alerted,
        .alerted_label = alerted >= 0.5 ? f->old.labels.positive : f->old.labels.negative,
        .label = (uint8_t)(score.probability >= 0.5 ? f->old.labels.positive : f->old.labels.negative),
        .probability = score.probability,
        .margin = score.margin,
        .row = {row, state_row_pack(f->schema, f->before, row)},
    };
}

/* The kind of the alert of the present record, which is read back. */
static enum alert_kind check(struct fixture *f, const struct state_record *before)
{
    const struct score score = score_of(&f->present, f->after);
    const struct event event = {.cells = f->after};
    const struct prediction scored = {
        .event_id = SPAN_LITERAL("e"),
        .employee_id = SPAN_LITERAL("7"),
        .label = score.probability >= 0.5 ? f->present.labels.positive : f->present.labels.negative,
        .probability = score.probability,
        .margin = score.margin,
        .threshold = 0.5,
        .model = f->present.stamp,
    };
    const struct alert_subject subject = {&event, &scored, &f->present, before, before ? &f->model_before : NULL};
    struct fault fault;
    struct span value;
    bool waits;
    f->now = before ? *before : (struct state_record){0};
    enum alert_kind kind = alerts_check(f->alerts, &subject, &f->now, &value);
    if (kind == ALERT_KIND_COUNT)
        return kind;
    assert_int_equal(alert_read(f->reader, value, SPAN_NULL, &f->arena, &f->alert, &fault, &waits), EVENT_OK);
    assert_int_equal(f->alert.kind, kind);
    assert_true(f->now.alerted_probability == score.probability);
    return kind;
}

static void assert_adds_up(const struct alert *alert)
{
    double sum = alert->model_change, last = INFINITY;
    for (size_t d = 0; d < alert->driver_count; d++) {
        double change = alert->drivers[d].contribution_after - alert->drivers[d].contribution_before;
        assert_true(change != 0 && fabs(change) <= last);
        last = fabs(change);
        sum += change;
    }
    assert_true(fabs(sum - (alert->after.margin - alert->before.margin)) <= 1e-12);
}

static void a_change_of_the_record_names_its_drivers(void **state)
{
    struct fixture f;
    (void)state;
    make(&f, true, "1");
    set(&f, f.before, 0, 30);
    set(&f, f.after, 0, 31);
    set(&f, f.after, 1, 200); /* from missing */
    set(&f, f.before, 2, 7);  /* to missing */
    keep_before(&f, 0.1);
    assert_int_equal(check(&f, &f.record), ALERT_CROSSED_UP);
    assert_int_equal(f.alert.driver_count, 3);
    assert_adds_up(&f.alert);
    assert_true(f.alert.model_change == 0);
    assert_int_equal(f.alert.cause, ALERT_CAUSE_RECORD);
    assert_true(span_equal(f.alert.drivers[0].before, SPAN_LITERAL("null")));
    assert_true(span_equal(f.alert.drivers[0].after, SPAN_LITERAL("200")));
    assert_true(f.alert.before.margin == f.record.margin && span_equal(f.alert.before.model_version, span_of("1")));
    unmake(&f);
}

static void a_change_of_the_model_is_apart(void **state)
{
    struct fixture f;
    (void)state;
    make(&f, true, "2");
    set(&f, f.before, 1, 800);
    set(&f, f.after, 1, 800);
    keep_before(&f, 0.99);
    assert_int_equal(check(&f, &f.record), ALERT_CROSSED_DOWN);
    assert_int_equal(f.alert.driver_count, 0);
    assert_true(f.alert.has_drivers && f.alert.model_change < 0);
    assert_adds_up(&f.alert);
    assert_int_equal(f.alert.cause, ALERT_CAUSE_MODEL);
    set(&f, f.after, 0, 55);
    assert_int_equal(check(&f, &f.record), ALERT_CROSSED_DOWN);
    assert_int_equal(f.alert.driver_count, 1);
    assert_adds_up(&f.alert);
    assert_int_equal(f.alert.cause, ALERT_CAUSE_BOTH);
    unmake(&f);
}

static void without_a_reference_there_are_no_drivers(void **state)
{
    struct fixture f;
    (void)state;
    make(&f, false, "2");
    set(&f, f.before, 1, 800);
    set(&f, f.after, 1, 700);
    keep_before(&f, 0.99);
    assert_int_equal(check(&f, &f.record), ALERT_CROSSED_DOWN);
    assert_false(f.alert.has_drivers);
    assert_true(f.alert.model_change == score_of(&f.present, f.before).margin - f.record.margin);
    unmake(&f);
}

static void the_first_one_has_nothing_before_it(void **state)
{
    struct fixture f;
    (void)state;
    make(&f, true, "1");
    set(&f, f.after, 1, 800);
    assert_int_equal(check(&f, NULL), ALERT_FIRST);
    assert_true(!f.alert.has_before && f.alert.has_drivers && f.alert.driver_count == 0);
    assert_true(f.now.alerted && f.now.alerted_label == f.present.labels.positive);
    unmake(&f);
}

/* The first prediction, alert or not, is what later ones are compared with; of a record from before there were alerts
 * it is the last prediction. */
static void later_ones_are_compared_with_the_first(void **state)
{
    struct fixture f;
    (void)state;
    make(&f, true, "1");
    set(&f, f.before, 1, 0);
    set(&f, f.after, 1, 0);
    assert_int_equal(check(&f, NULL), ALERT_KIND_COUNT);
    assert_true(f.now.alerted && f.now.alerted_probability == score_of(&f.old, f.before).probability);
    keep_before(&f, 0.9);
    f.record.alerted = false;
    set(&f, f.after, 1, 1);
    assert_int_equal(check(&f, &f.record), ALERT_KIND_COUNT);
    assert_true(f.now.alerted && f.now.alerted_probability == f.record.probability);
    unmake(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_prediction_alerts_where_it_is_positive),
        cmocka_unit_test(a_crossing_is_of_what_was_said_last),
        cmocka_unit_test(within_the_hysteresis_there_is_no_crossing),
        cmocka_unit_test(a_move_is_from_what_was_said_last),
        cmocka_unit_test(a_change_of_the_record_names_its_drivers),
        cmocka_unit_test(a_change_of_the_model_is_apart),
        cmocka_unit_test(without_a_reference_there_are_no_drivers),
        cmocka_unit_test(the_first_one_has_nothing_before_it),
        cmocka_unit_test(later_ones_are_compared_with_the_first),
    };
    return cmocka_run_group_tests_name("scorer/alerts", tests, NULL, NULL);
}
