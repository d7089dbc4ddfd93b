/* What a training table has that spoils a model without a sign of it: said before anything is fitted. */
#pragma once

#include "trainer/table.h"

/* Warns, one line each: columns that alone give the label away (AUC from 0.98 on; ten rows of each class at least),
 * columns of one value, integer columns with another value in nearly every row, ids that several rows have, rows that
 * differ in nothing but the label. Excluded columns are passed over. Returns how many columns give the label away. */
size_t findings_warn(const struct table *table, const char *path);
