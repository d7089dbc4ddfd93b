/* The model versions that made past decisions: each is looked up in the registry and loaded once. */
#pragma once

#include "events/schema.h"
#include "pipeline/pipeline.h"
#include "scorer/model/labels.h"

/* A version, loaded or not. Owned by explain_models. */
struct explain_model {
    char *name, *version;
    char *address;             /* models:/NAME/VERSION, or a file */
    char digest[65];           /* SHA-256 of the file; "" where it could not be read */
    struct pipeline *pipeline; /* NULL: it cannot be used … */
    char *fault;               /* … for this reason */
    struct labels labels;
    uint64_t equal, differing, failed; /* what its decisions came to */
};

struct options;
struct explain_models;

/* Borrows both. Nothing is opened yet. */
struct explain_models *explain_models_new(const struct options *options, const struct schema *schema);
void explain_models_free(struct explain_models *models);

/* The version that a row names. A version that is gone is one with a fault; an unavailable server is the error. Valid
 * until explain_models_free. */
MUST_USE enum status explain_models_find(struct explain_models *models, const char *name, const char *version,
                                         struct explain_model **out, struct error *err);
/* Those that were asked for, in that order. */
size_t explain_models_list(const struct explain_models *models, struct explain_model *const **out);
