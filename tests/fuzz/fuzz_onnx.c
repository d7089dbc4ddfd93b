/* Fuzz: any bytes as a model file. Loading must refuse or compile within bounds; what compiles must score any row
 * without a fault, and reasons must be columns of the schema. Seeds: files of the trainer and of skl2onnx. */
#include <assert.h>
#include <math.h>

#include "pipeline/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct span CITIES[] = {SPAN_LITERAL("Ulm"), SPAN_LITERAL("Bonn")};
static const struct column COLUMNS[] = {
    {.name = "a", .kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE},
    {.name = "age", .kind = COLUMN_NUMERIC, .type = COLUMN_INT},
    {.name = "city", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT, .values = CITIES, .value_count = 2},
    {.name = "pay", .kind = COLUMN_ORDINAL, .type = COLUMN_INT},
    {.name = "shift", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT},
};
enum { COUNT = sizeof COLUMNS / sizeof *COLUMNS, ROWS = 4 };

static void score(const struct pipeline *pipeline)
{
    struct cell cells[ROWS * COUNT];
    struct score scores[ROWS];
    struct reason reasons[ROWS * COUNT];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COUNT; c++) {
            struct cell *cell = &cells[r * COUNT + c];
            *cell = cell_missing(&COLUMNS[c]);
            if (r == 0)
                continue;
            if (COLUMNS[c].kind == COLUMN_NOMINAL)
                *cell = (struct cell){
                    .text = r == 1 ? "Ulm" : "elsewhere", .text_bytes = r == 1 ? 3 : 9, .code = CELL_OTHER};
            else
                *cell = cell_number(r == 1 ? 41 : r == 2 ? -1e308 : 5e-324);
        }
    pipeline_score(pipeline, cells, ROWS, COUNT, scores, reasons);
    for (size_t r = 0; r < ROWS; r++) {
        assert(isnan(scores[r].probability) || (scores[r].probability >= 0 && scores[r].probability <= 1));
        for (uint32_t k = 0; k < scores[r].reason_count; k++)
            assert(reasons[r * COUNT + k].column < COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct pipeline_options options = {.default_positive = "Yes"};
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    enum status status =
        pipeline_load((struct span){(const char *)data, bytes}, COLUMNS, COUNT, &options, &pipeline, &err);
    if (status) {
        assert(!pipeline && *err.text);
        return 0;
    }
    score(pipeline);
    pipeline_free(pipeline);
    return 0;
}
