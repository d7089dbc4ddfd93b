/* `check`: the newest records of the input topic, checked as the score loop would check them. */
#pragma once

#include "events/error_codes.h"
#include "scorer/settings.h"

/* Plain data: read = good + counts. */
struct check_sample {
    uint64_t read, good; /* good: a prediction, an erasure or an outcome */
    uint64_t counts[EVENT_CODE_COUNT];
    uint64_t unread; /* their schema or their partition did not come in time */
};

/* About `wanted` records over the topic's partitions, without a group: nothing is committed and nobody notices. Ends
 * after about 10 s, whatever answers. */
MUST_USE enum status check_sample_take(const struct settings *settings, struct schema *schema, int partitions,
                                       uint64_t wanted, struct check_sample *out, struct error *err);
