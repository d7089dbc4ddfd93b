/* bench: one model over rows as JSON Lines: `models_bound MODEL.onnx LABEL ROWS.jsonl SCHEMAS` prints one JSON object:
 * ns per row, 1 and 1,000 rows at a time, with 0, 3 and all reasons; ms to load; bytes held. The best of many short
 * runs on one thread. For tests/bench/models.py, which measures others beside it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "events/json_row.h"
#include "pipeline/pipeline.h"

enum { ROWS = 1000, CHUNK = 50, FILE_MAX_BYTES = 1 << 28 };
static const double ATTEMPT_NS = 30e6;
enum { ATTEMPTS = 12 };

static struct schema *schema;
static struct pipeline *pipeline;
static struct cell *cells;
static struct score scores[ROWS];
static struct reason *reasons;
static struct buffer rows_text; /* the cells borrow from it, and from the reader */
static struct json_reader reader;

static void need(enum status status, const struct error *err)
{
    if (status) {
        fprintf(stderr, "%s\n", err->text);
        exit(1);
    }
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void rows_read(const char *path)
{
    struct error err;
    need(file_read(path, FILE_MAX_BYTES, &rows_text, &err), &err);
    const char *at = rows_text.data;
    for (size_t r = 0; r < ROWS; r++) {
        const char *end = memchr(at, '\n', (size_t)(rows_text.data + rows_text.bytes - at));
        const struct span line = {at, end ? (size_t)(end - at) : 0};
        struct fault fault;
        if (!end || json_row_read_text(&reader, line, schema, false, cells + r * schema->column_count, &fault, 1)) {
            fprintf(stderr, "%s: line %zu is no row of the schema, or is missing (%d are needed)\n", path, r + 1, ROWS);
            exit(1);
        }
        at = end + 1;
    }
}

static double load_ms(const char *path, const char *label)
{
    struct buffer file = {0};
    struct error err;
    const struct pipeline_options options = {.positive_label = label};
    double best = INFINITY;
    need(file_read(path, FILE_MAX_BYTES, &file, &err), &err);
    for (int attempt = 0; attempt < 3; attempt++) {
        pipeline_free(pipeline);
        double start = now_ns();
        need(pipeline_load(buffer_span(&file), schema->columns, schema->column_count, &options, &pipeline, &err), &err);
        best = fmin(best, (now_ns() - start) / 1e6);
    }
    buffer_free(&file);
    return best;
}

/* The clock is read once for at least CHUNK rows. */
static double measure(size_t batch, uint32_t top)
{
    double best = INFINITY;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        double start = now_ns(), took = 0;
        size_t rows = 0, r = 0;
        while (took < ATTEMPT_NS) {
            for (size_t until = rows + CHUNK; rows < until; rows += batch, r = (r + batch) % ROWS)
                pipeline_score(pipeline, cells + r * schema->column_count, batch, top, scores + r, reasons + r * top);
            took = now_ns() - start;
        }
        best = fmin(best, took / (double)rows);
    }
    return best;
}

int main(int count, char **arguments)
{
    struct error err;
    if (count != 5) {
        fprintf(stderr, "usage: models_bound MODEL.onnx LABEL ROWS.jsonl SCHEMAS\n");
        return 2;
    }
    need(schema_load(arguments[4], &schema, &err), &err);
    uint32_t all = (uint32_t)schema->column_count;
    cells = mem_zeroed(ROWS * schema->column_count, sizeof *cells);
    reasons = mem_zeroed(ROWS * schema->column_count, sizeof *reasons);
    double load = load_ms(arguments[1], arguments[2]);
    rows_read(arguments[3]);
    printf("{\"load_ms\":%.3f,\"bytes\":%zu,\"reasons\":%s", load, pipeline_bytes(pipeline),
           pipeline_has_reasons(pipeline) ? "true" : "false");
    const uint32_t tops[] = {0, 3, all};
    static const char *const NAMES[] = {"none", "three", "all"};
    for (size_t t = 0; t < 3; t++)
        printf(",\"single_%s\":%.2f,\"batch_%s\":%.2f", NAMES[t], measure(1, tops[t]), NAMES[t],
               measure(ROWS, tops[t]));
    printf("}\n");
    json_reader_free(&reader);
    buffer_free(&rows_text);
    pipeline_free(pipeline);
    schema_free(schema);
    free(cells);
    free(reasons);
    return 0;
}
