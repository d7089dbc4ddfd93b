/* A row's counterfactual as `scorer score` and /predict write it. */
#pragma once

#include "base/json_writer.h"
#include "events/schema.h"
#include "pipeline/pipeline.h"

/* The member "counterfactual": {"feature":…,"value":…,"probability":…}, or null where no single change gives the other
 * prediction. ruled: the schema's cross-field rules hold for the row and are to hold for the proposal. */
void counterfactual_json(const struct schema *schema, const struct pipeline *pipeline, const struct cell *row,
                         bool ruled, struct json_writer *json);
