/* A fitted model as one ONNX file with everything the scorer wants to know about it. */
#ifndef TRAINER_EXPORT_H
#define TRAINER_EXPORT_H

#include "trainer/fold.h"

/* Appends the file's bytes to out: the same model, table and validation give the same bytes. The file has been loaded
 * back by the pipeline, which replayed its golden rows against this model's own probabilities. */
MUST_USE enum status export_model(const struct model *model, const struct table *table,
                                  const struct validation *validation, struct buffer *out, struct error *err);

#endif
