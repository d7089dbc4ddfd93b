/* Current records of a partition to be written to files and read back, for the tests of snapshots. Everything asserts.
 */
#pragma once

#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "events/schema.h"
#include "scorer/state/snapshots.h"
#include "scorer/state/state_row.h"
#include "tests/support/wait.h"

enum { COLUMNS_MAX = 64, ROW_BYTES = 2048, PARTITION = 2, TOMBSTONES_MS = 86400000 };

static uint64_t seed = 1;

static uint64_t random_below(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static struct schema *schema;

static int load(void **unused)
{
    struct error err;
    (void)unused;
    return schema_load("schemas", &schema, &err) != STATUS_OK;
}

static int unload(void **unused)
{
    (void)unused;
    schema_free(schema);
    return 0;
}

static struct snapshot_about about(void)
{
    return (struct snapshot_about){"cluster", "state", "group", "in", PARTITION, 4, schema};
}

/* --- records --- */

static struct span id_of(size_t who, char text[static 32])
{
    return (struct span){text, (size_t)snprintf(text, 32, "employee-%zu", who)};
}

/* Rows are of different sizes, so that records move; the margin shows which one it is. */
static void put(struct state *state, size_t who, int64_t source_offset, double margin)
{
    char text[32], row[ROW_BYTES];
    struct cell cells[COLUMNS_MAX];
    const struct state_model model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), 0.25};
    size_t values = random_below(schema->column_count);
    for (size_t c = 0; c < schema->column_count; c++)
        cells[c] = c < values ? schema->columns[c].kind == COLUMN_NOMINAL
                                    ? (struct cell){.text = "no category", .text_bytes = 11, .code = CELL_OTHER}
                                    : cell_number((double)random_below(100000))
                              : cell_missing(&schema->columns[c]);
    const struct state_record record = {.employee_id = id_of(who, text),
                                        .source_offset = source_offset,
                                        .occurred_at_ms = 1700000000000 + source_offset,
                                        .scored = true,
                                        .alerted = who % 2,
                                        .label = 1,
                                        .model = state_model_number(state, &model),
                                        .probability = 0.5,
                                        .margin = margin,
                                        .row = {row, state_row_pack(schema, cells, row)}};
    state_put(state, PARTITION, &record);
}

static void put_marker(struct state *state, size_t who, int64_t source_offset)
{
    char text[32];
    const struct state_record record = {
        .employee_id = id_of(who, text), .source_offset = source_offset, .left = true, .row = SPAN_LITERAL("")};
    state_put(state, PARTITION, &record);
}

static void commit(struct state *state, int64_t position, int64_t origin)
{
    state_mark(state);
    state_committed(state);
    state_set_position(state, PARTITION, position);
    state_set_origin(state, PARTITION, (struct state_origin){origin, 77});
}

static struct state *state_of(size_t people)
{
    const struct state_model first = {SPAN_LITERAL("another"), SPAN_LITERAL("1"), 0.5};
    struct state *state = state_new();
    (void)state_open(state, PARTITION);
    (void)state_model_number(state, &first);
    for (size_t who = 0; who < people; who++)
        if (who % 5)
            put(state, who, (int64_t)who, (double)who);
        else
            put_marker(state, who, (int64_t)who);
    commit(state, (int64_t)people, 1000);
    return state;
}

/* Into a process that knows other models. */
static enum status read_file(struct span bytes, const struct snapshot_about *whose, struct state **out,
                             struct snapshot_point *point, struct error *err)
{
    const struct state_model own = {SPAN_LITERAL("its own"), SPAN_LITERAL("9"), 0.1};
    struct state *state = state_new();
    (void)state_model_number(state, &own);
    enum status status = snapshot_file_read(bytes, whose, state, state_open(state, PARTITION), point, err);
    if (status == STATUS_OK && out)
        *out = state;
    else
        state_free(state);
    return status;
}
