/* Vitter's reservoir (1985, algorithm R): see row_sample.h. */
#include "trainer/report/row_sample.h"

#include <stdlib.h>

#include "trainer/random.h"

enum { CODES_MOST = 1 << 25, PAIR_STEPS_MOST = 1 << 29, SEED = 1 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void row_sample_init(struct row_sample *sample, size_t columns)
{
    size_t pairs = columns * (columns - 1) / 2;
    size_t most = smaller(CODES_MOST / (columns + 1), PAIR_STEPS_MOST / (pairs + 1));
    *sample = (struct row_sample){.columns = columns, .most = smaller(most, ROW_SAMPLE_MOST), .state = SEED};
    sample->codes = mem_zeroed(sample->most * columns + 1, sizeof *sample->codes);
}

void row_sample_add(struct row_sample *sample, const uint32_t *codes)
{
    size_t row = sample->count < sample->most ? sample->count : random_below(&sample->state, sample->seen + 1);
    sample->seen++;
    if (row >= sample->most)
        return;
    sample->count += row == sample->count;
    for (size_t c = 0; c < sample->columns; c++)
        sample->codes[c * sample->most + row] = codes[c];
}

void row_sample_free(struct row_sample *sample)
{
    free(sample->codes);
    *sample = (struct row_sample){0};
}
