/* Lists of our records as jsonb fields of their rows. */
#pragma once

#include "events/alert.h"
#include "events/prediction.h"

/* An array of {model, probability}. */
void sink_json_challengers(struct buffer *out, const struct prediction *prediction);
/* An array of {feature, before, after, contribution_before, contribution_after}; null where the alert has none. */
void sink_json_drivers(struct buffer *out, const struct alert *alert);
