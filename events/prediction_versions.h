/* Predictions of any version: what a scorer of another day wrote, read as today's prediction. One per thread. */
#pragma once

#include "events/prediction.h"
#include "avro/registry_client.h"

struct prediction_versions;

/* Borrows the schema. */
struct prediction_versions *prediction_versions_new(const struct schema *schema);
void prediction_versions_free(struct prediction_versions *versions);
void prediction_versions_use_registry(struct prediction_versions *versions, struct registry_client *registry);

/* As prediction_decode; `header` and *waits as of decoder_read. */
enum event_code prediction_versions_read(struct prediction_versions *versions, struct span value, struct span header,
                                         struct arena *arena, struct prediction *out, struct fault *fault, bool *waits);
