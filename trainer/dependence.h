/* Partial dependence (Friedman 2001): the mean probability of rows when a column has one value in all of them. */
#pragma once

#include "trainer/evaluation.h"
#include "trainer/predictor.h"

/* Of the columns that count most, over up to DEPENDENCE_ROWS of the rows listed, evenly taken: fills out->dependence.
 */
enum { DEPENDENCE_ROWS = 1000 };
void dependence_measure(const struct predictor *predictor, const struct table *table, const uint32_t *rows,
                        size_t row_count, size_t threads, struct evaluation *out);
