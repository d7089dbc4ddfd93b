/* Rows with one column replaced, block by block: see predictor.h. Pure. */
#include "trainer/predictor.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { AT_ONCE = 256 };

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
