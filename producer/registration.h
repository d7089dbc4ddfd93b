/* The schema by which events are sent, and its id: of ids.json, or as the schema registry gives it. */
#pragma once

#include "base/options.h"
#include "events/schema.h"

/* How a subcommand that sends begins: the schema of SCHEMAS_DIR, and signals caught (stop.h). NULL: logged. Free with
 * schema_free. */
struct schema *registration_schema(const struct options *options, const char *where);

/* With SCHEMA_REGISTRY_URL set: registers the event schema for the input topic (or finds it there) and sets
 * schema->event_schema_id. Waits up to half a minute for the registry. Nothing to do without one. */
MUST_USE enum status registration_do(const struct options *options, struct schema *schema, struct error *err);
