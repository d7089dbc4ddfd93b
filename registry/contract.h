/* Was the version registered for what the schema says today? */
#pragma once

#include "pipeline/contract.h"
#include "registry/registry.h"

/* Compares the model's feature contract with the one in the version's tags. *noted (may be NULL): there was one; a bare
 * file's and older versions' are not compared. STATUS_INVALID: it changed; else what registry_describe says. */
MUST_USE enum status registry_check_contract(struct registry *registry, const struct model_version *version,
                                             const struct pipeline *pipeline, bool *noted, struct error *err);
