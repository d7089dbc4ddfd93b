/* An evaluation as one JSON object: `evaluate --json`, and the run's evaluation.json. */
#pragma once

#include "trainer/evaluation.h"

/* Appends it; figures that are not known are null. */
void evaluation_write_json(const struct evaluation *evaluation, struct buffer *out);
