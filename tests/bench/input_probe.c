/* bench: rows a second from a file to encoded events, as `producer backfill` makes them, without a broker:
 *   build/bin/producer generate --count 200000 --out people.csv; make build/release/tests/bench/input_probe
 *   build/release/tests/bench/input_probe people.csv people.csv.gz        (valgrind --tool=callgrind counts
 * instructions) `zcat people.csv.gz | input_probe -` is what gzip is compared with. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "events/event_encoder.h"
#include "producer/input.h"

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void read_file(const char *path, const struct schema *schema)
{
    const struct input_settings settings = {
        .schema = schema, .clock = &clock_system, .validate = true, .max_future_us = INT64_C(86400000000)};
    struct input_row *row = mem_zeroed(1, sizeof *row);
    struct buffer value = {0};
    struct input *input = NULL;
    struct error err;
    size_t rows = 0, bytes = 0;
    bool more = true;
    double began = seconds_now();
    if (input_open(path, &settings, &input, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    while (input_next(input, row, &more, &err) == STATUS_OK && more) {
        rows++;
        if (row->fault_count)
            continue;
        buffer_clear(&value);
        event_encode(schema, &row->event, &value);
        bytes += value.bytes;
    }
    double seconds = seconds_now() - began;
    printf("%-30s %9zu rows %7.3f s %10.0f rows/s  %.0f bytes an event\n", path, rows, seconds, (double)rows / seconds,
           (double)bytes / (double)rows);
    input_free(input);
    buffer_free(&value);
    free(row);
}

int main(int argc, char **argv)
{
    struct schema *schema = NULL;
    struct error err;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    if (schema_load("schemas", &schema, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (int a = 1; a < argc; a++)
        read_file(argv[a], schema);
    schema_free(schema);
    return 0;
}
