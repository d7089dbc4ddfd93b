/* bench: ns per row of linear scoring from decoded cells (30 columns), batch and single, reasons 0 and 3. Bound: 60 ns
 * in a batch without reasons. Beside it, in the same run: the same arithmetic written out by hand for this one model.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "pipeline/onnx/onnx_write.h"
#include "pipeline/pipeline.h"

enum {
    NUMBERS = 23,
    NOMINALS = 7,
    COLUMNS = NUMBERS + NOMINALS,
    CATEGORIES = 4,
    ROWS = 256,
    ROUNDS = 40,
    ATTEMPTS = 100,
    TOP = 3
};

static struct column columns[COLUMNS];
static struct fitted_column fitted[COLUMNS];
static struct span categories[CATEGORIES];
static double weights[COLUMNS][CATEGORIES];
static struct cell cells[ROWS * COLUMNS];
static struct score scores[ROWS];
static struct reason reasons[ROWS * TOP];
static const struct span LABELS[] = {SPAN_LITERAL("No"), SPAN_LITERAL("Yes")};
static uint64_t seed = 42;

static double draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static void make_columns(void)
{
    static const char *texts[CATEGORIES] = {"east", "north", "south", "west"};
    static char names[COLUMNS][8];
    for (size_t v = 0; v < CATEGORIES; v++)
        categories[v] = span_of(texts[v]);
    for (size_t c = 0; c < COLUMNS; c++) {
        bool nominal = c >= NUMBERS;
        snprintf(names[c], sizeof names[c], "c%zu", c);
        columns[c] = (struct column){.name = names[c],
                                     .kind = nominal ? COLUMN_NOMINAL : COLUMN_NUMERIC,
                                     .type = nominal ? COLUMN_TEXT : COLUMN_INT,
                                     .values = nominal ? categories : NULL,
                                     .value_count = nominal ? CATEGORIES : 0};
        for (size_t v = 0; v < CATEGORIES; v++)
            weights[c][v] = draw() - 0.5;
        fitted[c] = (struct fitted_column){.column = &columns[c],
                                           .median = 5,
                                           .mean = 5.1,
                                           .scale = 2.3,
                                           .categories = categories,
                                           .category_count = CATEGORIES,
                                           .weights = weights[c]};
    }
}

static void make_rows(void)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        size_t c = i % COLUMNS;
        int32_t code = (int32_t)(draw() * CATEGORIES);
        if (draw() < 0.02)
            cells[i] = cell_missing(&columns[c]);
        else if (c < NUMBERS)
            cells[i] = cell_number(floor(draw() * 10));
        else
            cells[i] = (struct cell){
                .text = categories[code].data, .text_bytes = (uint32_t)categories[code].bytes, .code = code};
    }
}

/* {"kind":"linear",…} with every mean 5.1 and equal frequencies */
static void make_reference(struct buffer *out)
{
    buffer_add_text(out, "{\"kind\":\"linear\",\"columns\":{");
    for (size_t c = 0; c < COLUMNS; c++)
        buffer_printf(out, "%s\"%s\":%s", c ? "," : "", columns[c].name,
                      c < NUMBERS ? "5.1" : "{\"east\":0.25,\"north\":0.25,\"south\":0.25,\"west\":0.25}");
    buffer_add_text(out, "}}");
}

static struct pipeline *make_model(void)
{
    struct buffer file = {0}, reference = {0};
    struct pipeline *pipeline = NULL;
    struct error err;
    make_reference(&reference);
    const struct model_property property = {"attrition.reference", buffer_span(&reference)};
    const struct linear_model model = {.columns = fitted,
                                       .column_count = COLUMNS,
                                       .intercept = -1.5,
                                       .labels = LABELS,
                                       .properties = &property,
                                       .property_count = 1};
    const struct pipeline_options options = {.positive_label = "Yes"};
    if (onnx_write_linear(&model, &file, &err) ||
        pipeline_load(buffer_span(&file), columns, COLUMNS, &options, &pipeline, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    buffer_free(&file);
    buffer_free(&reference);
    return pipeline;
}

/* The rival: no program, no tables of terms; the model's constants known to the compiler as arrays. */
static void score_by_hand(void)
{
    for (size_t r = 0; r < ROWS; r++) {
        const struct cell *row = cells + r * COLUMNS;
        double sum = 0;
        for (size_t c = 0; c < NUMBERS; c++) {
            double x = row[c].code == CELL_MISSING ? 5 : row[c].number;
            sum += weights[c][0] * ((x - 5.1) / 2.3);
        }
        for (size_t c = NUMBERS; c < COLUMNS; c++)
            sum += weights[c][row[c].code < 0 ? 0 : row[c].code];
        scores[r].probability = 1 / (1 + exp(-(sum - 1.5)));
    }
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The best of many short runs, so that a busy machine does not spoil the figure. */
static double measure(const struct pipeline *pipeline, size_t batch, uint32_t top)
{
    double best = INFINITY;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        double start = now_ns();
        for (int round = 0; round < ROUNDS; round++) {
            if (!pipeline)
                score_by_hand();
            for (size_t r = 0; pipeline && r < ROWS; r += batch)
                pipeline_score(pipeline, cells + r * COLUMNS, batch, top, scores + r, reasons + r * TOP);
        }
        best = fmin(best, (now_ns() - start) / ROUNDS / ROWS);
    }
    return best;
}

int main(void)
{
    make_columns();
    make_rows();
    struct pipeline *pipeline = make_model();
    double hand = measure(NULL, ROWS, 0);
    printf("by hand, batch              %6.1f ns/row\n", hand);
    static const struct {
        const char *name;
        size_t batch;
        uint32_t top;
    } RUNS[] = {{"program, batch, reasons 0", ROWS, 0},
                {"program, single, reasons 0", 1, 0},
                {"program, batch, reasons 3", ROWS, TOP},
                {"program, single, reasons 3", 1, TOP}};
    for (size_t r = 0; r < sizeof RUNS / sizeof *RUNS; r++) {
        double ns = measure(pipeline, RUNS[r].batch, RUNS[r].top);
        printf("%-27s %6.1f ns/row, %.2f of by hand%s\n", RUNS[r].name, ns, ns / hand,
               r == 0 ? ns <= 60 ? " (bound 60: kept)" : " (bound 60: MISSED)" : "");
    }
    pipeline_free(pipeline);
    return 0;
}
