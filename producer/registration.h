/* The id under which events are sent: of ids.json, or as the schema registry gives it. */
#pragma once

#include "base/options.h"
#include "events/schema.h"

/* With SCHEMA_REGISTRY_URL set: registers the event schema for the input topic (or finds it there) and sets
 * schema->event_schema_id. Waits up to half a minute for the registry. Nothing to do without one. */
MUST_USE enum status registration_do(const struct options *options, struct schema *schema, struct error *err);
