/* probe: the hot paths one by one, for tests/bench/instructions.sh: `instructions_probe` lists their names,
 * `instructions_probe NAME` runs one and prints how many units (events, rows, records) were counted. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else /* then there is no valgrind to count with, either */
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#include "base/json.h"
#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/validate.h"
#include "pipeline/onnx/onnx_write.h"
#include "scorer/sink/sink_rows.h"
#include "scorer/stream/record_changes.h"
#include "tests/support/forest.h"
#include "tests/support/records.h"

enum { ROWS = 512, FOREST_ROWS = 128, TOP = 3, COLUMNS_MAX = 64, WIDE = 30, TREES = 100, DEEPEST = 22, LEAVES = 150 };

static struct error err;
static struct schema *schema;
static uint64_t seed = 42;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void need(bool fine)
{
    if (fine)
        return;
    fprintf(stderr, "instructions_probe: %s\n", err.status ? err.text : "a case has failed");
    exit(1);
}

/* --- events and records of the shipped schema --- */

static struct decoder *decoder;
static struct buffer values, records, out, stamp_encoded;
static size_t value_ends[ROWS + 1], record_ends[ROWS + 1];
static struct cell cells[ROWS * COLUMNS_MAX];
static struct sink_rows *sink;
static struct model_stamp stamp = {.name = {"attrition", 9},
                                   .version = {"7", 1},
                                   .alias = {"production", 10},
                                   .run_id = {"0123456789abcdef0123456789abcdef", 32}};

/* Lowers what a rule holds to be at most another, until all rules are kept. */
static void keep_rules(struct cell *row)
{
    for (size_t round = 0; round < schema->rule_count; round++)
        for (size_t r = 0; r < schema->rule_count; r++) {
            const struct rule *rule = &schema->rules[r];
            row[rule->left].number = fmin(row[rule->left].number, row[rule->right].number);
        }
}

static void event_make(int64_t number, struct cell *row)
{
    char id[40], employee[16];
    snprintf(id, sizeof id, "%08x-0000-4000-8000-%012llx", (unsigned)draw(UINT32_MAX), (long long)number);
    snprintf(employee, sizeof employee, "%lld", (long long)number);
    record_cells(schema, number, row);
    keep_rules(row);
    const struct event event = {.event_id = span_of(id),
                                .employee_id = span_of(employee),
                                .occurred_at_ms = 1700000000000 + number,
                                .cells = row};
    event_encode(schema, &event, &values);
}

static void records_make(void)
{
    need(schema_load("schemas", &schema, &err) == STATUS_OK && schema->column_count <= COLUMNS_MAX);
    need(decoder_new(schema, &decoder, &err) == STATUS_OK);
    need(sink_rows_new(schema, "MkU3OEVBNTcwNTJENDM2Qk", &sink, &err) == STATUS_OK);
    model_stamp_encode(&stamp, &stamp_encoded);
    stamp.encoded = buffer_span(&stamp_encoded);
    for (int64_t r = 0; r < ROWS; r++) {
        const struct record_plan plan = {.number = r, .employee = r, .channel = CHANNEL_STREAM};
        event_make(r, cells + (size_t)r * schema->column_count);
        value_ends[r + 1] = values.bytes;
        record_prediction(schema, &plan, &records);
        record_ends[r + 1] = records.bytes;
    }
}

static struct span part(const struct buffer *whole, const size_t *ends, size_t r)
{
    return (struct span){whole->data + ends[r], ends[r + 1] - ends[r]};
}

static void decode(void)
{
    struct fault fault;
    for (size_t r = 0; r < ROWS; r++) {
        struct event event = {.cells = cells + r * schema->column_count};
        need(decoder_decode(decoder, part(&values, value_ends, r), &event, &fault) == EVENT_OK);
    }
}

/* A blank behind each comma and colon between members; none of the texts has a quote before one. */
static void json_space(void)
{
    struct buffer spaced = {0};
    for (size_t r = 0, at = 0; r < ROWS; r++) {
        for (; at < value_ends[r + 1]; at++) {
            char byte = values.data[at];
            buffer_add_u8(&spaced, (uint8_t)byte);
            if ((byte == ':' && values.data[at - 1] == '"') || (byte == ',' && values.data[at + 1] == '"'))
                buffer_add_u8(&spaced, ' ');
        }
        value_ends[r + 1] = spaced.bytes;
    }
    buffer_free(&values);
    values = spaced;
}

/* The same events as JSON, with the blanks that many writers put, or without any. */
static void json_make(bool spaced)
{
    static const struct json_settings settings = {.time_unit = TIME_UNIT_NONE};
    records_make();
    decoder_take_json(decoder, INPUT_FORMAT_AUTO, &settings);
    buffer_clear(&values);
    for (size_t r = 0; r < ROWS; r++) {
        buffer_printf(
            &values,
            "{\"event_id\":\"%08x-0000-4000-8000-%012zx\",\"event_type\":\"SNAPSHOT\",\"employee_id\":\"%zu\","
            "\"occurred_at\":\"2023-11-14T22:13:20.%03zuZ\",\"attributes\":",
            (unsigned)draw(UINT32_MAX), r, r, r);
        json_add_row(&values, schema->columns, schema->column_count, cells + r * schema->column_count);
        buffer_add_u8(&values, '}');
        value_ends[r + 1] = values.bytes;
    }
    if (spaced)
        json_space();
}

static void json_compact_make(void)
{
    json_make(false);
}

static void json_spaced_make(void)
{
    json_make(true);
}

static void decode_validate(void)
{
    struct fault fault;
    for (size_t r = 0; r < ROWS; r++) {
        struct event event = {.cells = cells + r * schema->column_count};
        need(decoder_decode(decoder, part(&values, value_ends, r), &event, &fault) == EVENT_OK);
        need(validate_event(schema, &event, event.employee_id, INT64_MAX, &fault) == EVENT_OK);
    }
}

static void encode(bool copied)
{
    static const struct reason reasons[TOP] = {{0, 0.5}, {3, -0.25}, {18, 0.125}};
    struct prediction prediction = {
        .event_id = SPAN_LITERAL("00000000-0000-4000-8000-000000000000"),
        .employee_id = SPAN_LITERAL("1234"),
        .occurred_at_ms = 1700000000000,
        .label = 1,
        .probability = 0.75,
        .threshold = 0.5,
        .margin = 1.1,
        .base = -2,
        .reasons = reasons,
        .reason_count = TOP,
        .model = stamp,
        .scored_at_us = 1700000000000000,
        .latency_us = 1500,
        .source_topic = SPAN_LITERAL("employee-events"),
        .source_partition = 3,
        .source_offset = 123456,
    };
    buffer_clear(&out);
    for (size_t r = 0; r < ROWS; r++) {
        prediction.cells = cells + r * schema->column_count;
        prediction.attributes = copied ? (struct span){values.data + value_ends[r] + 5, 130} : SPAN_NULL;
        prediction_encode(schema, &prediction, &out);
    }
}

static void encode_cells(void)
{
    encode(false);
}

static void encode_copied(void)
{
    encode(true);
}

static void sink_add(void)
{
    sink_rows_clear(sink);
    for (size_t r = 0; r < ROWS; r++) {
        const struct sink_record record = {.topic = SINK_TOPIC_OUTPUT,
                                           .topic_name = "attrition-predictions",
                                           .offset = (int64_t)r,
                                           .key = SPAN_LITERAL("employee"),
                                           .value = part(&records, record_ends, r)};
        need(sink_rows_add(sink, &record) == SINK_RESULT_PREDICTION);
    }
}

/* --- models --- */

static struct pipeline *pipeline;
static size_t row_cells, batch_rows = ROWS; /* columns of a row of `cells` */
static struct score scores[ROWS];
static struct reason reasons_found[ROWS * TOP];

static void linear_add_reference(struct buffer *json, const struct column *column)
{
    buffer_printf(json, "%s\"%s\":", json->data[json->bytes - 1] == '{' ? "" : ",", column->name);
    if (column->kind != COLUMN_NOMINAL)
        buffer_add_text(json, "5.1");
    for (size_t v = 0; v < column->value_count && column->kind == COLUMN_NOMINAL; v++)
        buffer_printf(json, "%s\"%.*s\":%.17g", v ? "," : "{", (int)column->values[v].bytes, column->values[v].data,
                      1.0 / (double)column->value_count);
    if (column->kind == COLUMN_NOMINAL)
        buffer_add_text(json, "}");
}

/* The shipped schema's columns as the trainer's kind of model. */
static void linear_make(void)
{
    static struct fitted_column fitted[COLUMNS_MAX];
    static double weights[COLUMNS_MAX][COLUMNS_MAX];
    struct buffer file = {0}, reference = {0};
    records_make();
    row_cells = schema->column_count;
    buffer_add_text(&reference, "{\"kind\":\"linear\",\"columns\":{");
    for (size_t pass = 0, f = 0; pass < 2; pass++)
        for (size_t c = 0; c < schema->column_count; c++) {
            const struct column *column = &schema->columns[c];
            if ((column->kind == COLUMN_NOMINAL) != pass)
                continue;
            for (size_t v = 0; v < COLUMNS_MAX; v++)
                weights[f][v] = (double)draw(2000) / 1000 - 1;
            fitted[f] = (struct fitted_column){.column = column,
                                               .median = 5,
                                               .mean = 5.1,
                                               .scale = 2.3,
                                               .categories = column->values,
                                               .category_count = column->value_count,
                                               .weights = weights[f]};
            linear_add_reference(&reference, column);
            f++;
        }
    buffer_add_text(&reference, "}}");
    const struct model_property property = {"attrition.reference", buffer_span(&reference)};
    const struct linear_model model = {.columns = fitted,
                                       .column_count = schema->column_count,
                                       .intercept = -1.5,
                                       .labels = schema->target_values,
                                       .properties = &property,
                                       .property_count = 1};
    const struct pipeline_options options = {.positive_label = schema->target_values[1].data};
    need(onnx_write_linear(&model, &file, &err) == STATUS_OK);
    need(pipeline_load(buffer_span(&file), schema->columns, schema->column_count, &options, &pipeline, &err) ==
         STATUS_OK);
    buffer_free(&file);
    buffer_free(&reference);
}

static struct forest forest;

static double tree_grow(int64_t tree, int64_t *next, unsigned depth, uint32_t rows, bool full)
{
    size_t n = forest_node(&forest, tree, next);
    if (depth == 0 || rows == 1)
        return forest_leaf(&forest, n, ((float)draw(2000) - 1000) / 1000, rows);
    uint32_t feature = draw(WIDE), left = full ? rows / 2 : 1 + draw(rows - 1);
    forest_branch(&forest, n, feature, (float)draw(100));
    double cover = tree_grow(tree, next, depth - 1, left, full);
    forest.falses[n] = *next;
    return forest.covers[n] = cover + tree_grow(tree, next, depth - 1, rows - left, full);
}

/* Trees as scikit-learn's grow, or full ones of a depth. */
static void forest_make(unsigned full_depth)
{
    static struct graph g;
    static struct column columns[WIDE];
    for (int64_t tree = 0, next = 0; tree < TREES; tree++, next = 0)
        tree_grow(tree, &next, full_depth ? full_depth : DEEPEST, full_depth ? 1u << full_depth : LEAVES, full_depth);
    need(forest_load(&g, &forest, columns, WIDE, &pipeline, &err) == STATUS_OK);
    row_cells = WIDE;
    batch_rows = FOREST_ROWS;
    for (size_t i = 0; i < ROWS * WIDE; i++)
        cells[i] = cell_number(draw(100));
}

static void grown_make(void)
{
    forest_make(0);
}

static void full_make(void)
{
    forest_make(8);
}

static void score_rows(void)
{
    pipeline_score(pipeline, cells, batch_rows, 0, scores, reasons_found);
}

static void explain_rows(void)
{
    pipeline_score(pipeline, cells, batch_rows, TOP, scores, reasons_found);
}

enum { SINGLE_ROWS = 16 };

static void score_single(void)
{
    for (size_t r = 0; r < SINGLE_ROWS; r++)
        pipeline_score(pipeline, cells + r * row_cells, 1, 0, scores, reasons_found);
}

static void explain_single(void)
{
    for (size_t r = 0; r < SINGLE_ROWS; r++)
        pipeline_score(pipeline, cells + r * row_cells, 1, TOP, scores, reasons_found);
}

/* --- current records and alerts, without what Kafka's client makes of them --- */

static struct settings settings = {.input_topic = "employee-events", .alert_topic = "attrition-alerts"};
static struct state *state;
static struct record_changes *changes;
static struct event events[ROWS];
static struct model model;
static size_t published;

void publish_state(struct publish *publish, const struct input_message *source, struct span employee_id,
                   struct span value)
{
    (void)publish, (void)source;
    published += employee_id.bytes + value.bytes;
}

void publish_alert(struct publish *publish, const struct input_message *source, struct span employee_id,
                   struct span value)
{
    publish_state(publish, source, employee_id, value);
}

/* Everybody is positive, or nobody. */
static void changes_make(bool positive)
{
    struct fault fault;
    linear_make();
    settings.schema = schema;
    settings.alert_rules = (struct alert_rules){.hysteresis = 0.02, .delta = 2};
    state = state_new();
    changes = record_changes_new(&settings, state);
    model = (struct model){
        .pipeline = pipeline, .stamp = stamp, .threshold = positive ? 0 : 2, .labels = labels_of(schema, pipeline)};
    for (size_t r = 0; r < ROWS; r++) {
        events[r] = (struct event){.cells = cells + r * schema->column_count};
        need(decoder_decode(decoder, part(&values, value_ends, r), &events[r], &fault) == EVENT_OK);
    }
    pipeline_score(pipeline, cells, ROWS, 0, scores, NULL);
}

static void change(size_t r, int64_t offset)
{
    struct fault fault;
    const struct input_message message = {.offset = offset};
    const struct score *score = &scores[r];
    const struct record_change made = record_changes_merge(changes, &message, true, &events[r], &fault);
    struct prediction scored = {.event_id = events[r].event_id,
                                .employee_id = events[r].employee_id,
                                .occurred_at_ms = events[r].occurred_at_ms,
                                .label = score->probability >= model.threshold ? model.labels.positive
                                                                               : model.labels.negative,
                                .probability = score->probability,
                                .threshold = model.threshold,
                                .margin = score->margin,
                                .model = stamp};
    const struct record_result result = {&message, &events[r], &scored, &model};
    record_changes_split(changes, &made, &model, &scored);
    (void)record_changes_publish(changes, NULL, &made, &result);
}

static void change_all(void)
{
    static int64_t offset;
    for (size_t r = 0; r < ROWS; r++)
        change(r, offset++);
    state_mark(state);
    state_committed(state);
}

static void records_first(void)
{
    (void)state_open(state, 0);
    change_all();
}

static void nobody_make(void)
{
    changes_make(false);
    (void)state_open(state, 0);
}

static void everybody_make(void)
{
    changes_make(true);
    (void)state_open(state, 0);
}

/* The second time all cross the threshold. */
static void records_cross(void)
{
    model.threshold = model.threshold > 1 ? 0 : 2;
    change_all();
}

/* --- the cases --- */

static const struct bench_case {
    const char *name;
    void (*make)(void), (*run)(void);
    size_t units;
} CASES[] = {
    {"decode", records_make, decode, ROWS},
    {"decode-validate", records_make, decode_validate, ROWS},
    {"decode-json", json_compact_make, decode, ROWS},
    {"decode-json-spaced", json_spaced_make, decode, ROWS},
    {"encode-cells", records_make, encode_cells, ROWS},
    {"encode-copied", records_make, encode_copied, ROWS},
    {"sink-row", records_make, sink_add, ROWS},
    {"record-first", nobody_make, records_first, ROWS},
    {"record-again", nobody_make, change_all, ROWS},
    {"alert-first", everybody_make, records_first, ROWS},
    {"alert-crossed", nobody_make, records_cross, ROWS},
    {"linear-batch", linear_make, score_rows, ROWS},
    {"linear-batch-reasons", linear_make, explain_rows, ROWS},
    {"linear-single", linear_make, score_single, SINGLE_ROWS},
    {"linear-single-reasons", linear_make, explain_single, SINGLE_ROWS},
    {"grown-batch", grown_make, score_rows, FOREST_ROWS},
    {"grown-batch-reasons", grown_make, explain_rows, FOREST_ROWS},
    {"grown-single", grown_make, score_single, SINGLE_ROWS},
    {"grown-single-reasons", grown_make, explain_single, SINGLE_ROWS},
    {"full8-batch", full_make, score_rows, FOREST_ROWS},
    {"full8-batch-reasons", full_make, explain_rows, FOREST_ROWS},
    {"full8-single-reasons", full_make, explain_single, SINGLE_ROWS},
};

int main(int count, char **arguments)
{
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (count < 2)
            printf("%s\n", CASES[i].name);
        else if (strcmp(arguments[1], CASES[i].name) == 0) {
            CASES[i].make();
            CASES[i].run(); /* buffers grow */
            CALLGRIND_START_INSTRUMENTATION;
            CASES[i].run();
            CALLGRIND_STOP_INSTRUMENTATION;
            printf("%zu\n", CASES[i].units);
            return 0;
        }
    }
    return count < 2 ? 0 : 2;
}
