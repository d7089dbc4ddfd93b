/* bench: ns per event of decoding, validating and encoding, beside a decoder written by hand for exactly this schema */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/csv.h"
#include "events/decoder.h"
#include "events/encode.h"
#include "events/prediction.h"
#include "events/validate.h"

enum { EVENTS = 4096, ROUNDS = 4, REPEATS = 150, COLUMNS_MAX = 64 };

struct fixture {
    struct schema *schema;
    struct decoder *decoder;
    struct arena arena;
    struct buffer bytes;
    struct span values[EVENTS];
    struct cell cells[COLUMNS_MAX];
};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- data: rows of the CSV file named by DATA, else random ones that keep the schema's ranges and rules ---- */

/* Lowers what a rule holds to be at most another, until all rules are kept. */
static void keep_rules(const struct schema *schema, struct cell *cells)
{
    for (size_t round = 0; round < schema->rule_count; round++)
        for (size_t r = 0; r < schema->rule_count; r++) {
            const struct rule *rule = &schema->rules[r];
            cells[rule->left].number = fmin(cells[rule->left].number, cells[rule->right].number);
        }
}

static void fill_cells(const struct schema *schema, struct cell *cells)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (column->kind == COLUMN_NOMINAL) {
            size_t v = random_below(column->value_count);
            cells[c] = (struct cell){
                .text = column->values[v].data, .text_bytes = (uint32_t)column->values[v].bytes, .code = (int32_t)v};
        } else {
            double span = column->high - column->low;
            cells[c] = cell_number(column->low + (double)random_below((uint64_t)(span < 30000 ? span : 30000) + 1));
        }
    }
    keep_rules(schema, cells);
}

/* Fills cells from the next record, going round at the end of the file. Fields are taken by the header's names. */
static void read_cells(const struct schema *schema, FILE *file, struct csv **csv, struct cell *cells,
                       struct arena *arena)
{
    static int32_t columns[COLUMNS_MAX];
    struct csv_record record;
    struct error err;
    struct fault fault;
    bool more = false;
    while (!*csv || csv_next(*csv, &record, &more, &err) != STATUS_OK || !more) {
        csv_free(*csv);
        rewind(file);
        *csv = csv_new(file, "DATA");
        if (csv_next(*csv, &record, &more, &err) != STATUS_OK || record.field_count > COLUMNS_MAX)
            abort();
        for (size_t f = 0; f < record.field_count; f++)
            columns[f] = schema_column(schema, record.fields[f]);
    }
    for (size_t f = 0; f < record.field_count; f++) {
        struct span text = record.fields[f];
        text.data = arena_text(arena, text.data, text.bytes);
        if (columns[f] >= 0 && validate_text_cell(&schema->columns[columns[f]], text, true, &cells[columns[f]], &fault,
                                                  columns[f]) != EVENT_OK)
            abort();
    }
}

static void fixture_make(struct fixture *fixture)
{
    struct error err;
    if (schema_load(getenv("SCHEMAS_DIR") ? getenv("SCHEMAS_DIR") : "schemas", &fixture->schema, &err) != STATUS_OK ||
        decoder_new(fixture->schema, &fixture->decoder, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    size_t ends[EVENTS];
    FILE *file = getenv("DATA") ? fopen(getenv("DATA"), "rb") : NULL;
    struct csv *csv = NULL;
    for (size_t e = 0; e < EVENTS; e++) {
        char id[40], employee[16];
        struct event event = {
            .type = EVENT_TYPE_SNAPSHOT, .occurred_at_ms = 1700000000000 + (int64_t)e, .cells = fixture->cells};
        snprintf(id, sizeof id, "%08x-0000-4000-8000-%012zx", (unsigned)random_below(UINT32_MAX), e);
        snprintf(employee, sizeof employee, "%zu", e);
        event.event_id = span_of(id);
        event.employee_id = span_of(employee);
        if (file)
            read_cells(fixture->schema, file, &csv, fixture->cells, &fixture->arena);
        else
            fill_cells(fixture->schema, fixture->cells);
        event_encode(fixture->schema, &event, &fixture->bytes);
        ends[e] = fixture->bytes.bytes;
    }
    csv_free(csv);
    if (file)
        fclose(file);
    for (size_t e = 0, start = 0; e < EVENTS; start = ends[e++])
        fixture->values[e] = (struct span){fixture->bytes.data + start, ends[e] - start};
}

/* ---- the rival: one function that knows the shipped schema by heart ---- */

struct flat_event {
    struct span event_id, employee_id;
    int64_t type, occurred_at;
    int64_t whole[COLUMNS_MAX];
    struct span text[COLUMNS_MAX];
    bool present[COLUMNS_MAX];
};

static inline __attribute__((always_inline)) bool flat_long(const uint8_t **at, const uint8_t *end, int64_t *out)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
            return true;
        }
    }
    return false;
}

static inline __attribute__((always_inline)) bool flat_text(const uint8_t **at, const uint8_t *end, struct span *out)
{
    int64_t bytes;
    if (!flat_long(at, end, &bytes) || bytes < 0 || bytes > end - *at)
        return false;
    *out = (struct span){(const char *)*at, (size_t)bytes};
    *at += bytes;
    return true;
}

static inline __attribute__((always_inline)) bool flat_optional(const uint8_t **at, const uint8_t *end,
                                                                struct flat_event *out, size_t column)
{
    int64_t branch;
    if (!flat_long(at, end, &branch) || branch < 0 || branch > 1)
        return false;
    out->present[column] = branch;
    return true;
}

#define WHOLE(c) (flat_optional(&at, end, out, c) && (!out->present[c] || flat_long(&at, end, &out->whole[c])))
#define TEXT(c) (flat_optional(&at, end, out, c) && (!out->present[c] || flat_text(&at, end, &out->text[c])))

static __attribute__((noinline)) bool flat_decode(struct span value, struct flat_event *out)
{
    const uint8_t *at = (const uint8_t *)value.data + 5, *end = (const uint8_t *)value.data + value.bytes;
    return value.bytes > 5 && flat_text(&at, end, &out->event_id) && flat_long(&at, end, &out->type) &&
           flat_text(&at, end, &out->employee_id) && flat_long(&at, end, &out->occurred_at) && WHOLE(0) && TEXT(1) &&
           WHOLE(2) && TEXT(3) && WHOLE(4) && WHOLE(5) && TEXT(6) && WHOLE(7) && TEXT(8) && WHOLE(9) && WHOLE(10) &&
           WHOLE(11) && TEXT(12) && WHOLE(13) && TEXT(14) && WHOLE(15) && WHOLE(16) && WHOLE(17) && TEXT(18) &&
           WHOLE(19) && WHOLE(20) && WHOLE(21) && WHOLE(22) && WHOLE(23) && WHOLE(24) && WHOLE(25) && WHOLE(26) &&
           WHOLE(27) && WHOLE(28) && WHOLE(29) && at == end;
}

/* ---- measuring: the best of some repeats ---- */

static bool run_flat(struct fixture *fixture, size_t e)
{
    static struct flat_event out;
    return flat_decode(fixture->values[e], &out);
}

static bool run_decode(struct fixture *fixture, size_t e)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    return decoder_decode(fixture->decoder, fixture->values[e], &event, &fault) == EVENT_OK;
}

static bool run_validated(struct fixture *fixture, size_t e)
{
    struct fault fault;
    return run_decode(fixture, e) && (validate_row(fixture->schema, fixture->cells, &fault) | true);
}

static void encode(struct fixture *fixture, struct span attributes)
{
    static struct buffer out;
    static const struct reason reasons[] = {{0, 0.5}, {3, -0.25}, {18, 0.125}};
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
        .reason_count = 3,
        .model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), SPAN_LITERAL("production"),
                  SPAN_LITERAL("0123456789abcdef0123456789abcdef")},
        .scored_at_us = 1700000000000000,
        .latency_us = 1500,
        .source_topic = SPAN_LITERAL("employee-events"),
        .source_partition = 3,
        .source_offset = 123456,
        .cells = fixture->cells,
        .attributes = attributes,
    };
    buffer_clear(&out);
    prediction_encode(fixture->schema, &prediction, &out);
}

static bool run_encode_cells(struct fixture *fixture, size_t e)
{
    (void)e;
    encode(fixture, SPAN_NULL);
    return true;
}

static bool run_encode_copied(struct fixture *fixture, size_t e)
{
    encode(fixture, (struct span){fixture->values[e].data + 5, 130});
    return true;
}

static double measure(struct fixture *fixture, bool (*run)(struct fixture *, size_t))
{
    double best = 1e30;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double start = now_ns();
        for (size_t round = 0; round < ROUNDS; round++)
            for (size_t e = 0; e < EVENTS; e++)
                if (!run(fixture, e))
                    abort();
        double each = (now_ns() - start) / ((double)ROUNDS * EVENTS);
        best = each < best ? each : best;
    }
    return best;
}

int main(void)
{
    static struct fixture fixture;
    fixture_make(&fixture);
    double flat = measure(&fixture, run_flat), decode = measure(&fixture, run_decode);
    double validated = measure(&fixture, run_validated);
    printf("events of %.0f bytes on average\n", (double)fixture.bytes.bytes / EVENTS);
    printf("decode: %.1f ns per event; by hand, without categories and checks of text: %.1f ns; ratio %.2f (aim: 120 "
           "ns)\n",
           decode, flat, decode / flat);
    printf("decode and validate: %.1f ns per event\n", validated);
    printf("encode a prediction with 3 reasons: %.1f ns from cells, %.1f ns with attributes copied\n",
           measure(&fixture, run_encode_cells), measure(&fixture, run_encode_copied));
    decoder_free(fixture.decoder);
    schema_free(fixture.schema);
    buffer_free(&fixture.bytes);
    arena_free(&fixture.arena);
    return 0;
}
