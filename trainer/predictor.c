/* Rows with one column replaced, block by block: see predictor.h. Pure. */
#include "trainer/predictor.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pipeline/pipeline.h"

enum { AT_ONCE = 256 };

static void predict_by_file(const void *context, const struct cell *cells, size_t count, double *probabilities)
{
    struct score *scores = mem_zeroed(count + 1, sizeof *scores);
    pipeline_score(context, cells, count, 0, scores, NULL);
    for (size_t r = 0; r < count; r++)
        probabilities[r] = scores[r].probability;
    free(scores);
}

struct predictor predictor_of_file(const struct pipeline *pipeline)
{
    return (struct predictor){predict_by_file, pipeline};
}

struct cell predictor_cell(const struct column *column, double value)
{
    if (column->kind != COLUMN_NOMINAL)
        return cell_number(value);
    struct span text = column->values[(size_t)value];
    return (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = (int32_t)value};
}

void predictor_run(const struct predictor *predictor, const struct table *table, const uint32_t *rows, size_t row_count,
                   const struct replacement *replacement, double *probabilities)
{
    size_t columns = table->schema->column_count, place = replacement->column;
    struct cell *cells = mem_zeroed(AT_ONCE * columns + 1, sizeof *cells);
    for (size_t first = 0; first < row_count; first += AT_ONCE) {
        size_t count = row_count - first < AT_ONCE ? row_count - first : AT_ONCE;
        for (size_t r = 0; r < count; r++) {
            struct cell *row = cells + r * columns;
            memcpy(row, table_row(table, rows[first + r]), columns * sizeof *row);
            row[place] =
                replacement->givers ? table_row(table, replacement->givers[first + r])[place] : replacement->cell;
        }
        predictor->predict(predictor->context, cells, count, probabilities + first);
    }
    free(cells);
}
