/* What the database knows of the model beside its predictions. What a model file says of its training data (metadata
 * attrition.distributions) is stored for drift_against_training; how many versions expected_against_realised
 * contradicts is looked up for the metric. Never in the way of the records: what fails is logged. One owner, the
 * sink. */
#pragma once

#include "scorer/counters.h"
#include "scorer/model/model_holder.h"
#include "scorer/sink/sink_store.h"

/* Zeroed: no models, and nothing is stored. */
struct sink_reference {
    struct model_holder *models; /* borrowed */
    int64_t loaded_at_us;        /* of the model that was dealt with last */
    int64_t next_look_us;        /* steady clock: the metric stays as it is before */
};

/* The reference of the model in use, unless that is done, and the metric once an hour. On an open store, outside of a
 * transaction; two exchanges at most. */
void sink_reference_exchange(struct sink_reference *reference, struct sink_store *store, struct counters *counters);
