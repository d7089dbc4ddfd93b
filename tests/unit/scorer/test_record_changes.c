/* scorer/stream/record_changes.h: a change of the margin is split into the record's and the model's part. */
#include "tests/support/scorer.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "scorer/stream/record_changes.h"

enum { COLUMNS_MAX = 64 };

struct fixture {
    struct schema *schema;
    struct settings settings;
    struct state *state;
    struct record_changes *changes;
    struct model old, present;
    struct cell cells[COLUMNS_MAX];
    int64_t offset;
};

/* margin = intercept + (first number - its least) / 10 */
static struct model make_model(const struct schema *schema, double intercept, const char *version)
{
    char path[] = "/tmp/record-changes-XXXXXX";
    const struct pipeline_options options = {.positive_label = "Yes"};
    struct buffer file = {0};
    struct pipeline *pipeline;
    struct error err;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    scorer_write_model(schema, path, intercept);
    if (file_read(path, 1 << 20, &file, &err) != STATUS_OK ||
        pipeline_load(buffer_span(&file), schema->columns, schema->column_count, &options, &pipeline, &err) !=
            STATUS_OK)
        fail_msg("%s", err.text);
    buffer_free(&file);
    assert_int_equal(unlink(path), 0);
    return (struct model){
        .pipeline = pipeline, .stamp = {SPAN_LITERAL("m"), span_of(version), SPAN_NULL, SPAN_NULL}, .threshold = 0.5};
}

static int make(void **state)
{
    struct fixture *f = mem_zeroed(1, sizeof *f);
    f->schema = scorer_schema();
    f->settings = (struct settings){.schema = f->schema};
    f->state = state_new();
    (void)state_open(f->state, 0);
    f->changes = record_changes_new(&f->settings, f->state);
    f->old = make_model(f->schema, 0.3, "1");
    f->present = make_model(f->schema, -0.45, "2");
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *f = *state;
    pipeline_free(f->old.pipeline);
    pipeline_free(f->present.pipeline);
    record_changes_free(f->changes);
    state_free(f->state);
    schema_free(f->schema);
    free(f);
    return 0;
}

/* An event of the employee: her first number, and what it says of the change. Then its prediction is in the record. */
static struct prediction send_event(struct fixture *f, enum event_type type, int64_t time, double number,
                                    const struct model *model)
{
    const struct input_message message = {.offset = f->offset++};
    struct event event = {.event_id = SPAN_LITERAL("e"),
                          .employee_id = SPAN_LITERAL("7"),
                          .occurred_at_ms = time,
                          .type = (int32_t)type,
                          .cells = f->cells};
    struct fault fault;
    struct score score;
    size_t numbered = 0;
    for (size_t c = f->schema->column_count; c-- > 0;) {
        f->cells[c] = cell_missing(&f->schema->columns[c]);
        numbered = f->schema->columns[c].kind == COLUMN_NOMINAL ? numbered : c;
    }
    f->cells[numbered] = cell_number(number);
    const struct record_change change = record_changes_merge(f->changes, &message, true, &event, &fault);
    pipeline_score(model->pipeline, f->cells, 1, 0, &score, NULL);
    struct prediction scored = {.margin = score.margin, .model = model->stamp};
    record_changes_split(f->changes, &change, model, &scored);
    if (change.how != STATE_CHANGE_RECORD)
        return scored;
    const struct state_model kept = {model->stamp.name, model->stamp.version, model->threshold};
    const struct state_record record = {.employee_id = event.employee_id,
                                        .source_offset = message.offset,
                                        .scored = true,
                                        .model = state_model_number(f->state, &kept),
                                        .margin = score.margin};
    state_set_score(f->state, 0, change.place, &record);
    return scored;
}

static void the_same_model_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct prediction before = send_event(f, EVENT_TYPE_SNAPSHOT, 1, 20, &f->old);
    assert_false(before.has_change);
    struct prediction after = send_event(f, EVENT_TYPE_SNAPSHOT, 2, 45, &f->old);
    assert_true(after.has_change && after.change.model == 0);
    assert_true(after.change.record == after.margin - before.margin);
    assert_true(fabs(after.change.record - 2.5) < 1e-6);
    after = send_event(f, EVENT_TYPE_SNAPSHOT, 3, 45, &f->old);
    assert_true(after.has_change && after.change.record == 0 && after.change.model == 0);
}

static void another_model_is_apart(void **state)
{
    struct fixture *f = *state;
    struct prediction before = send_event(f, EVENT_TYPE_SNAPSHOT, 1, 20, &f->old);
    struct prediction after = send_event(f, EVENT_TYPE_SNAPSHOT, 2, 45, &f->present);
    assert_true(after.has_change);
    assert_true(fabs(after.change.model + 0.75) < 1e-6 && fabs(after.change.record - 2.5) < 1e-6);
    assert_true(fabs(after.change.record + after.change.model - (after.margin - before.margin)) <= 1e-12);
    before = after;
    after = send_event(f, EVENT_TYPE_SNAPSHOT, 3, 45, &f->old); /* back again, and the record is the same */
    assert_true(after.has_change && after.change.record == 0);
    assert_true(after.change.model == after.margin - before.margin);
}

static void what_nobody_stood_before_has_no_change(void **state)
{
    struct fixture *f = *state;
    (void)send_event(f, EVENT_TYPE_SNAPSHOT, 5, 20, &f->old);
    assert_false(send_event(f, EVENT_TYPE_SNAPSHOT, 4, 30, &f->old).has_change); /* older: it does not come to stand */
    assert_true(send_event(f, EVENT_TYPE_SNAPSHOT, 6, 30, &f->old).has_change);
    assert_false(send_event(f, EVENT_TYPE_HIRED, 7, 30, &f->old).has_change); /* begins again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_model_changes_nothing, make, unmake),
        cmocka_unit_test_setup_teardown(another_model_is_apart, make, unmake),
        cmocka_unit_test_setup_teardown(what_nobody_stood_before_has_no_change, make, unmake),
    };
    return cmocka_run_group_tests_name("scorer/record_changes", tests, NULL, NULL);
}
