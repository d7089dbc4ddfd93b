/* A fitted model as one ONNX file with everything the scorer wants to know about it. */
#pragma once

#include "trainer/evaluation.h"

/* Writes the file into out, which is empty: the same model, rows and evaluation give the same bytes. `rows` (of the
 * table) are those the model was fitted to. Whether the scorer's own pipeline scores it as the trainer does is checked
 * by evaluation_explain, which loads it and so replays its golden rows against this model's own probabilities.
 * STATUS_LIMIT: larger than a scorer loads. */
MUST_USE enum status export_model(const struct model *model, const struct table *table, const uint32_t *rows,
                                  size_t row_count, const struct evaluation *evaluation, struct buffer *out,
                                  struct error *err);
