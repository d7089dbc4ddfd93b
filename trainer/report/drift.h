/* The training table's distributions, as JSON: what live data are compared with (sql/0021_training_reference.sql). It
 * is part of the model file, and lies beside it in the run. */
#pragma once

#include "trainer/evaluation.h"

/* Of each column its bins or categories; of the score the bins of those that the evaluation gave to rows its model had
 * not seen, if there was one. */
void drift_write_reference(const struct table *table, const struct evaluation *evaluation, struct buffer *out);
