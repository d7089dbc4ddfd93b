/* Whether current records are kept, and where: the scorer's STATE_TOPIC and GROUP_ID, as the producer sees them. */
#pragma once

#include "base/options.h"
#include "events/schema.h"

/* The topic's name into `name` (emptied before, NUL-terminated). False, and nothing there: no records are kept. */
bool state_topic_find(const struct options *options, const struct schema *schema, struct buffer *name);
