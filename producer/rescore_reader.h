/* The current records of employees, out of the state topic up to its end as it is when the reading begins. */
#pragma once

#include "base/options.h"
#include "base/status.h"
#include "events/schema.h"
#include "producer/rescore_filter.h"
#include "producer/rescore_people.h"

/* Reads committed records alone; waits for a broker, and for a transaction that is open at the end, until *stop. */
MUST_USE enum status rescore_read_people(const struct options *options, const struct schema *schema, const char *topic,
                                         const struct rescore_filter *filter, const _Atomic bool *stop,
                                         struct rescore_people *people, struct error *err);
