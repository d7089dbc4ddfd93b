/* Training references into PostgreSQL: what a model file says of its training data (metadata attrition.distributions)
 * is stored beside the predictions of that version, for drift_against_training. Never in the way of the records: what
 * cannot be stored is said once. One owner, the sink. */
#pragma once

#include "scorer/model/model_holder.h"
#include "scorer/sink/sink_store.h"

/* Zeroed: no models, and nothing is done. */
struct sink_reference {
    struct model_holder *models; /* borrowed */
    int64_t loaded_at_us;        /* of the model that was dealt with last */
};

/* The model's in use, unless that is done. On an open store, outside of a transaction; one exchange at most. */
void sink_reference_store(struct sink_reference *reference, struct sink_store *store);
