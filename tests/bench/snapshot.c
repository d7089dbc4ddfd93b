/* bench: memory of a million current records, how long a score loop copies them for a snapshot, and how long a restart
 * takes with it. */
/* Copying is measured a turn of the loop at a time: the longest is what events wait. Loading is set beside reading the
 * same file and checking its CRC-32 alone, the least that it can cost. CPU seconds of the thread, and wall. Aims: at
 * most 250 bytes an employee, loaded within 1 s. What a restart reads from the topic: state.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32.h"
#include "base/file.h"
#include "base/memory.h"
#include "scorer/state/snapshots.h"
#include "scorer/state/state_row.h"

enum { PEOPLE = 1000000, COLUMNS_MAX = 256, ROW_BYTES = 4096, TOMBSTONES_MS = 86400000 };

struct times {
    double wall, cpu;
};

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct times times_now(void)
{
    return (struct times){seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_THREAD_CPUTIME_ID)};
}

static struct times since(struct times began)
{
    struct times now = times_now();
    return (struct times){now.wall - began.wall, now.cpu - began.cpu};
}

static void die(const char *text)
{
    fprintf(stderr, "bench snapshot: %s\n", text);
    exit(1);
}

/* Every attribute has a value. */
static void put(struct state *state, const struct schema *schema, size_t who)
{
    char id[32], row[ROW_BYTES];
    struct cell cells[COLUMNS_MAX];
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        size_t value = (who * 2654435761u + c * 40503u) >> 8;
        cells[c] = column->kind == COLUMN_NOMINAL ? (struct cell){.code = (int32_t)(value % column->value_count)}
                                                  : cell_number((double)(value % 20000));
    }
    const struct state_record record = {
        .employee_id = {id, (size_t)snprintf(id, sizeof id, "E%07zu", who)},
        .occurred_at_ms = 1700000000000 + (int64_t)who,
        .source_offset = (int64_t)who,
        .scored = true,
        .alerted = true,
        .label = 1,
        .probability = 0.25,
        .margin = -1.1,
        .alerted_probability = 0.25,
        .row = {row, state_row_pack(schema, cells, row)},
    };
    state_put(state, 0, &record);
}

static void fill(struct state *state, const struct schema *schema)
{
    const struct state_model model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), 0.25};
    (void)state_open(state, 0);
    (void)state_model_number(state, &model);
    for (size_t who = 0; who < PEOPLE; who++) {
        put(state, schema, who);
        if (who % 10000 == 0) {
            state_mark(state);
            state_committed(state);
        }
    }
    state_mark(state);
    state_committed(state);
    state_set_position(state, 0, PEOPLE);
    state_set_origin(state, 0, (struct state_origin){PEOPLE, 77});
}

static struct snapshots *snapshots_of(const struct settings *settings, struct state *state, struct counters *counters)
{
    struct snapshots *snapshots;
    struct error err;
    if (snapshots_new(settings, state, counters, &clock_system, &snapshots, &err) != STATUS_OK)
        die(err.text);
    snapshots_set_topic(snapshots, "cluster", 1, TOMBSTONES_MS);
    return snapshots;
}

static void write_it(const struct settings *settings, struct state *state, struct counters *counters)
{
    struct snapshots *snapshots = snapshots_of(settings, state, counters);
    struct times longest = {0}, all = {0}, began = times_now();
    size_t turns = 0;
    snapshots_start(snapshots);
    for (bool more = true; more || !turns; turns++) {
        struct times turn_began = times_now();
        more = snapshots_turn(snapshots);
        struct times turn = since(turn_began);
        longest.wall = turn.wall > longest.wall ? turn.wall : longest.wall;
        longest.cpu = turn.cpu > longest.cpu ? turn.cpu : longest.cpu;
        all.cpu += turn.cpu;
        if (turn.cpu < 1e-5)
            usleep(1000); /* it is being written in the background */
    }
    printf("writing: %.2f s in all; of the loop %.2f CPU s, at most %.1f CPU ms a turn (%.1f ms wall)\n",
           since(began).wall, all.cpu, longest.cpu * 1e3, longest.wall * 1e3);
    if (counter_get(counters, COUNTER_SNAPSHOTS_WRITTEN) != 1)
        die("no snapshot was written");
    snapshots_free(snapshots);
}

static void read_it(const struct settings *settings, struct counters *counters, const char *path)
{
    struct state *state = state_new();
    struct snapshots *snapshots = snapshots_of(settings, state, counters);
    struct snapshot_point point;
    struct buffer bytes = {0};
    struct error err;
    struct times began = times_now();
    if (file_read(path, (size_t)1 << 40, &bytes, &err) != STATUS_OK)
        die(err.text);
    uint32_t crc = crc32_of(buffer_span(&bytes));
    struct times bound = since(began);
    size_t size = bytes.bytes;
    buffer_free(&bytes);
    began = times_now();
    if (!snapshots_load(snapshots, 0, state_open(state, 0), &point) || state_count(state) != PEOPLE)
        die("it is not loaded");
    struct times loaded = since(began);
    printf("loading %.0f MB: %.2f CPU s, %.2f s wall (aim 1 s); reading it and its CRC-32 (%08x) alone: %.2f CPU s\n",
           (double)size / 1e6, loaded.cpu, loaded.wall, crc, bound.cpu);
    snapshots_free(snapshots);
    state_free(state);
}

int main(void)
{
    char directory[] = "/tmp/attrition-bench-XXXXXX", command[128], path[256] = "";
    struct schema *schema;
    struct error err;
    static struct counters counters;
    if (schema_load("schemas", &schema, &err) != STATUS_OK || !mkdtemp(directory))
        die("no schema, or no directory");
    const struct settings settings = {
        .schema = schema, .group_id = "group", .input_topic = "in", .state_topic = "state", .snapshot_dir = directory};
    struct state *state = state_new();
    struct times began = times_now();
    fill(state, schema);
    printf("%d records: %.0f bytes each in memory (aim 250), filled in %.2f CPU s\n", PEOPLE,
           (double)state_bytes(state) / PEOPLE, since(began).cpu);
    write_it(&settings, state, &counters);
    state_free(state);
    snprintf(command, sizeof command, "ls %s/*.snapshot", directory);
    FILE *list = popen(command, "r");
    if (!list || !fgets(path, sizeof path, list) || pclose(list))
        die("there is no file");
    path[strcspn(path, "\n")] = '\0';
    read_it(&settings, &counters, path);
    if (unlink(path) || rmdir(directory))
        die("its directory cannot be removed");
    schema_free(schema);
    return 0;
}
