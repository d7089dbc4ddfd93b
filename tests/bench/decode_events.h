/* Events to decode: rows of the CSV file named by DATA, else random ones that keep the schema's ranges and rules; as
 * Avro, and the same as JSON. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/csv.h"
#include "events/decoder.h"
#include "events/event_encoder.h"

enum { EVENTS = 4096, ROUNDS = 4, REPEATS = 150, REPEATS_SLOW = 15, COLUMNS_MAX = 64, OLDER_ID = 7 };

struct fixture {
    struct schema *schema;
    struct decoder *decoder;
    struct arena arena;
    struct buffer bytes;
    struct span values[EVENTS];
    struct cell cells[COLUMNS_MAX];
};

static uint64_t random_state = 88172645463325252u;

static inline uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* Lowers what a rule holds to be at most another, until all rules are kept. */
static inline void keep_rules(const struct schema *schema, struct cell *cells)
{
    for (size_t round = 0; round < schema->rule_count; round++)
        for (size_t r = 0; r < schema->rule_count; r++) {
            const struct rule *rule = &schema->rules[r];
            cells[rule->left].number = fmin(cells[rule->left].number, cells[rule->right].number);
        }
}

static inline void fill_cells(const struct schema *schema, struct cell *cells)
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
static inline void read_cells(const struct schema *schema, FILE *file, struct csv **csv, struct cell *cells,
                              struct arena *arena)
{
    static int32_t columns[COLUMNS_MAX];
    struct csv_record record;
    struct error err;
    struct fault fault;
    bool more = false;
    static struct byte_reader *reader;
    while (!*csv || csv_next(*csv, &record, &more, &err) != STATUS_OK || !more) {
        csv_free(*csv);
        byte_reader_free(reader);
        rewind(file);
        reader = byte_reader_of_descriptor(fileno(file), "DATA");
        *csv = csv_new(reader, "DATA", 0);
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

static inline const char *schemas_directory(void)
{
    return getenv("SCHEMAS_DIR") ? getenv("SCHEMAS_DIR") : "schemas";
}

static inline void fixture_load(struct fixture *fixture, const char *directory)
{
    struct error err;
    if (schema_load(directory, &fixture->schema, &err) == STATUS_OK &&
        decoder_new(fixture->schema, &fixture->decoder, &err) == STATUS_OK)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

static inline void fixture_free(struct fixture *fixture)
{
    decoder_free(fixture->decoder);
    schema_free(fixture->schema);
    buffer_free(&fixture->bytes);
    arena_free(&fixture->arena);
}

/* Once all bytes are there. */
static inline void fixture_cut(struct fixture *fixture, const size_t *ends)
{
    for (size_t e = 0, start = 0; e < EVENTS; start = ends[e++])
        fixture->values[e] = (struct span){fixture->bytes.data + start, ends[e] - start};
}

static inline void fixture_encode(struct fixture *fixture, size_t number)
{
    char id[40], employee[16];
    struct event event = {
        .type = EVENT_TYPE_SNAPSHOT, .occurred_at_ms = 1700000000000 + (int64_t)number, .cells = fixture->cells};
    snprintf(id, sizeof id, "%08x-0000-4000-8000-%012zx", (unsigned)random_below(UINT32_MAX), number);
    snprintf(employee, sizeof employee, "%zu", number);
    event.event_id = span_of(id);
    event.employee_id = span_of(employee);
    event_encode(fixture->schema, &event, &fixture->bytes);
}

static inline void fixture_make(struct fixture *fixture)
{
    size_t ends[EVENTS];
    FILE *file = getenv("DATA") ? fopen(getenv("DATA"), "rb") : NULL;
    struct csv *csv = NULL;
    fixture_load(fixture, schemas_directory());
    for (size_t e = 0; e < EVENTS; e++) {
        if (file)
            read_cells(fixture->schema, file, &csv, fixture->cells, &fixture->arena);
        else
            fill_cells(fixture->schema, fixture->cells);
        fixture_encode(fixture, e);
        ends[e] = fixture->bytes.bytes;
    }
    csv_free(csv);
    if (file)
        fclose(file);
    fixture_cut(fixture, ends);
}

/* The same events as JSON. */
static inline void fixture_make_json(struct fixture *fixture, struct fixture *same)
{
    static const struct json_settings settings = {.time_unit = TIME_UNIT_NONE};
    size_t ends[EVENTS];
    fixture_load(fixture, schemas_directory());
    decoder_take_json(fixture->decoder, INPUT_FORMAT_AUTO, &settings);
    for (size_t e = 0; e < EVENTS; e++) {
        struct event event = {.cells = fixture->cells};
        struct fault fault;
        if (decoder_decode(same->decoder, same->values[e], &event, &fault) != EVENT_OK)
            abort();
        buffer_printf(&fixture->bytes,
                      "{\"event_id\":\"%.*s\",\"event_type\":\"SNAPSHOT\",\"employee_id\":\"%.*s\",\"occurred_at\":"
                      "\"2023-11-14T22:13:20.%03zuZ\",\"attributes\":",
                      (int)event.event_id.bytes, event.event_id.data, (int)event.employee_id.bytes,
                      event.employee_id.data, e % 1000);
        json_add_row(&fixture->bytes, fixture->schema->columns, fixture->schema->column_count, fixture->cells);
        buffer_add_u8(&fixture->bytes, '}');
        ends[e] = fixture->bytes.bytes;
    }
    fixture_cut(fixture, ends);
}
