/* A model file under the schema of today: loading it, and whether its version was registered for that. */
#pragma once

#include "events/schema.h"
#include "pipeline/contract.h"
#include "pipeline/pipeline.h"
#include "registry/registry.h"

/* Compiles the file, applies its metadata and replays its golden rows. label: NULL, or overrules the file's; where
 * neither has one, the schema's last target value is the positive class. columns: likewise, the names of a table's
 * columns. */
MUST_USE enum status model_file_load(const struct schema *schema, struct span file, const char *label,
                                     const char *columns, struct pipeline **out, struct error *err);

/* Compares the model's feature contract with the one in the version's tags. *noted (may be NULL): there was one; a bare
 * file's and older versions' are not compared. STATUS_INVALID: it changed; else what registry_describe says. */
MUST_USE enum status model_file_check_contract(struct registry *registry, const struct model_version *version,
                                               const struct pipeline *pipeline, bool *noted, struct error *err);

/* A registered version as the scorer loads it, its contract checked: whether it can serve. *out is the caller's and
 * borrows the schema. *noted: as above. STATUS_NOT_FOUND: no such version, or its file is gone. */
MUST_USE enum status model_file_load_version(struct registry *registry, const struct schema *schema, const char *label,
                                             const char *name, const char *number, bool *noted, struct pipeline **out,
                                             struct error *err);
