/* Once warm, an event's way through this process takes no memory: decode, validate, score, encode, refusals included.
 * What the Kafka client takes for its own copies is not ours and not counted. */
#include "tests/support/records.h"
#include "tests/support/scorer.h"

#include <stdatomic.h>

#include "base/json.h"
#include "events/decoder.h"
#include "events/validate.h"
#include "pipeline/pipeline.h"

enum { EVENTS = 10000, BATCH = 512, REASONS = 3 };

static atomic_bool counting;
static atomic_ulong taken;

static void note(void)
{
    if (counting)
        taken++;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int __sanitizer_install_malloc_and_free_hooks(void (*taken_hook)(const volatile void *, size_t),
                                              void (*freed_hook)(const volatile void *));

static void on_malloc(const volatile void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
    note();
}

static void on_free(const volatile void *memory)
{
    (void)memory;
}

static void watch_allocations(void)
{
    assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
}
#else
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

void *malloc(size_t bytes)
{
    note();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    note();
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    note();
    return __libc_realloc(memory, bytes);
}

static void watch_allocations(void)
{
}
#endif

/* Every column, the numbers first; equal weights, and a reference so that reasons are made too. */
static struct pipeline *all_columns(const struct schema *schema)
{
    struct fitted_column *fitted = mem_zeroed(schema->column_count, sizeof *fitted);
    struct buffer file = {0}, reference = {0};
    double weights[256];
    struct pipeline *pipeline;
    struct error err;
    size_t count = 0;
    for (size_t i = 0; i < 256; i++)
        weights[i] = 0.01 * (double)(i + 1);
    buffer_add_text(&reference, "{\"kind\":\"linear\",\"columns\":{");
    for (int nominal = 0; nominal < 2; nominal++)
        for (size_t c = 0; c < schema->column_count; c++) {
            const struct column *column = &schema->columns[c];
            if ((column->kind == COLUMN_NOMINAL) != nominal)
                continue;
            buffer_printf(&reference, "%s\"%s\":", count ? "," : "", column->name);
            buffer_add_text(&reference, nominal ? "{" : "5");
            for (size_t v = 0; nominal && v < column->value_count; v++)
                buffer_printf(&reference, "%s\"%.*s\":%.17g", v ? "," : "", (int)column->values[v].bytes,
                              column->values[v].data, 1.0 / (double)column->value_count);
            buffer_add_text(&reference, nominal ? "}" : "");
            fitted[count++] = (struct fitted_column){.column = column,
                                                     .median = 5,
                                                     .mean = 5,
                                                     .scale = 10,
                                                     .categories = column->values,
                                                     .category_count = nominal ? column->value_count : 0,
                                                     .weights = weights};
        }
    buffer_add_text(&reference, "}}");
    const struct model_property property = {"attrition.reference", buffer_span(&reference)};
    const struct linear_model model = {.columns = fitted,
                                       .column_count = count,
                                       .intercept = -1,
                                       .labels = schema->target_values,
                                       .properties = &property,
                                       .property_count = 1,
                                       .producer_version = "test"};
    const struct pipeline_options options = {.positive_label = "Yes"};
    if (onnx_write_linear(&model, &file, &err) != STATUS_OK ||
        pipeline_load(buffer_span(&file), schema->columns, schema->column_count, &options, &pipeline, &err) !=
            STATUS_OK)
        fail_msg("%s", err.text);
    assert_true(pipeline_has_reasons(pipeline));
    buffer_free(&file);
    buffer_free(&reference);
    free(fitted);
    return pipeline;
}

struct path {
    struct schema *schema;
    struct pipeline *pipeline;
    struct decoder *decoder;
    struct buffer value;
    struct span messages[EVENTS];
    struct event events[BATCH];
    struct cell *cells;
    struct score scores[BATCH];
    struct reason reasons[BATCH * REASONS];
    size_t scored, refused;
};

static void make_message(struct path *path, int number, struct buffer *out)
{
    char id[32];
    record_cells(path->schema, number, path->cells);
    for (size_t c = 0; c < path->schema->column_count; c++) /* the least of every number breaks no rule */
        if (path->schema->columns[c].kind != COLUMN_NOMINAL)
            path->cells[c] = cell_number(path->schema->columns[c].low);
    snprintf(id, sizeof id, "employee-%d", number);
    const struct event event = {
        .event_id = span_of(id), .employee_id = span_of(id), .type = EVENT_TYPE_SNAPSHOT, .cells = path->cells};
    if (number % 5 != 1) {
        event_encode(path->schema, &event, out);
        return;
    }
    buffer_printf(out, "{\"employee_id\":\"\\u0065mployee-%d\",\"event_id\":\"e\",\"occurred_at\":\"2026-01-01\",",
                  number);
    buffer_add_text(out, "\"attributes\":");
    json_add_row(out, path->schema->columns, path->schema->column_count, path->cells);
    buffer_add_u8(out, '}');
}

/* Every tenth is cut short; every fifth is JSON, with an escape. */
static void make_messages(struct path *path)
{
    for (int i = 0; i < EVENTS; i++) {
        struct buffer one = {0};
        make_message(path, i, &one);
        path->messages[i] = (struct span){one.data, i % 10 == 3 ? one.bytes / 2 : one.bytes};
    }
}

/* Every tenth has another key than its id. */
static size_t decode(struct path *path, size_t first, size_t count)
{
    size_t rows = 0;
    decoder_reset(path->decoder);
    for (size_t i = first; i < first + count; i++) {
        struct fault fault;
        struct event *event = &path->events[rows];
        event->cells = path->cells + rows * path->schema->column_count;
        if (decoder_decode(path->decoder, path->messages[i], event, &fault) == EVENT_OK &&
            validate_event(path->schema, event, i % 10 == 7 ? SPAN_LITERAL("other") : event->employee_id, INT64_MAX,
                           &fault) == EVENT_OK)
            rows++;
        else
            path->refused++;
    }
    return rows;
}

static void encode(struct path *path, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        const struct prediction prediction = {
            .event_id = path->events[r].event_id,
            .employee_id = path->events[r].employee_id,
            .occurred_at_ms = path->events[r].occurred_at_ms,
            .probability = path->scores[r].probability,
            .margin = path->scores[r].margin,
            .base = path->scores[r].base,
            .reasons = path->reasons + r * REASONS,
            .reason_count = path->scores[r].reason_count,
            .model = {SPAN_LITERAL("m"), SPAN_LITERAL("1"), SPAN_NULL, SPAN_NULL},
            .source_topic = SPAN_LITERAL("employee-events"),
            .cells = path->events[r].cells,
            .attributes = path->events[r].attributes,
        };
        assert_int_equal(prediction.reason_count, REASONS);
        buffer_clear(&path->value);
        prediction_encode(path->schema, &prediction, &path->value);
    }
    path->scored += rows;
}

static void run_all(struct path *path)
{
    path->scored = path->refused = 0;
    for (size_t first = 0; first < EVENTS; first += BATCH) {
        size_t count = EVENTS - first < BATCH ? EVENTS - first : BATCH;
        size_t rows = decode(path, first, count);
        pipeline_score(path->pipeline, path->cells, rows, REASONS, path->scores, path->reasons);
        encode(path, rows);
    }
}

static void events_take_no_memory(void **state)
{
    (void)state;
    static struct path path;
    struct error err;
    watch_allocations();
    path.schema = scorer_schema();
    path.pipeline = all_columns(path.schema);
    assert_int_equal(decoder_new(path.schema, &path.decoder, &err), STATUS_OK);
    decoder_take_json(path.decoder, INPUT_FORMAT_AUTO, &(const struct json_settings){0});
    path.cells = mem_zeroed((BATCH + 1) * path.schema->column_count, sizeof *path.cells);
    counting = true;
    make_messages(&path);
    assert_true(taken >= EVENTS); /* the count counts */
    run_all(&path);
    taken = 0;
    run_all(&path);
    counting = false;
    assert_int_equal(taken, 0);
    assert_int_equal(path.refused, EVENTS / 5);
    assert_int_equal(path.scored, EVENTS - EVENTS / 5);
    for (size_t i = 0; i < EVENTS; i++)
        free((void *)path.messages[i].data);
    buffer_free(&path.value);
    free(path.cells);
    decoder_free(path.decoder);
    pipeline_free(path.pipeline);
    schema_free(path.schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_take_no_memory)};
    return cmocka_run_group_tests_name("scorer/allocations", tests, NULL, NULL);
}
