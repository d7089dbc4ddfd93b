/* An evaluation as one JSON object: `evaluate --json`, and the run's evaluation.json. */
#ifndef TRAINER_EVALUATION_JSON_H
#define TRAINER_EVALUATION_JSON_H

#include "trainer/evaluation.h"

/* Appends it; figures that are not known are null. */
void evaluation_write_json(const struct evaluation *evaluation, struct buffer *out);

#endif
