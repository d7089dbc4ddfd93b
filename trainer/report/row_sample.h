/* Rows of a table for what takes whole rows: all of a small one, else some that are drawn so that each is as likely.
 * Memory is bounded whatever the table's size. */
#pragma once

#include <stdint.h>

#include "base/memory.h"

enum { ROW_SAMPLE_MOST = 100000 };

/* row_sample_init, row_sample_free. Plain data. */
struct row_sample {
    uint32_t *codes; /* of column c and row r at c × most + r; UINT32_MAX: no value */
    size_t columns, most;
    size_t count; /* rows kept */
    size_t seen;  /* rows there were */
    uint64_t state;
};

/* Room for as many rows as 2^25 codes and 2^29 steps over all pairs of columns allow, at most ROW_SAMPLE_MOST. */
void row_sample_init(struct row_sample *sample, size_t columns);
/* One code a column. The same rows in the same order give the same sample. */
void row_sample_add(struct row_sample *sample, const uint32_t *codes);
void row_sample_free(struct row_sample *sample);
