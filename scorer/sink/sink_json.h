/* Parts of our records as jsonb fields of their rows. */
#pragma once

#include "events/alert.h"
#include "events/prediction.h"

/* An object of the attributes. `names`: each column's name as JSON, with its colon. */
void sink_json_input(struct buffer *out, const struct schema *schema, const struct span *names,
                     const struct cell *cells);
/* An array of {feature, contribution}. */
void sink_json_reasons(struct buffer *out, const struct span *names, const struct prediction *prediction);
/* An array of {model, probability}. */
void sink_json_challengers(struct buffer *out, const struct prediction *prediction);
/* An object {record, model}; null where the prediction has none. */
void sink_json_change(struct buffer *out, const struct prediction *prediction);
/* An array of {feature, before, after, contribution_before, contribution_after}; null where the alert has none. */
void sink_json_drivers(struct buffer *out, const struct alert *alert);
