/* Events by which `producer rescore` has employees scored again as they are: partial ones that list nothing, with an id
 * `rescore/RUN/PARTITION-OFFSET`. The scorer never takes one for older than the record, and ignores it where the
 * employee is gone. */
#pragma once

#include "events/event.h"
#include "events/schema.h"

#define RESCORE_PREFIX "rescore/"

bool rescore_is_event(const struct schema *schema, const struct event *event);
/* Whether a value is one, as the producer writes them: by its id alone. */
bool rescore_is_value(struct span value);
