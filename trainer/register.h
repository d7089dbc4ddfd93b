/* A trained model into the tracking store: run, version, alias. */
#pragma once

#include "registry/registry.h"
#include "trainer/evaluation.h"
#include "trainer/run_labels.h"
#include "trainer/search.h"

/* What a run says of itself. Borrowed. */
struct training {
    const char *data_path;
    const struct table *table;
    const struct train_settings *settings;
    const struct model *model;
    const struct evaluation *evaluation;
    const struct run_labels *labels;
    struct span file; /* the model file's bytes */
    int64_t started_ms, ended_ms;
    const struct search *search;     /* that the settings come from; NULL: none */
    const struct assessment *in_use; /* the held-out rows under the version in use; NULL: not compared */
    const char *in_use_version;
};

/* Where it goes. Borrowed. */
struct destination {
    const char *experiment, *name, *alias;
    const char *keep_dir; /* where the run is kept when the server becomes unavailable */
    bool promote;         /* the alias moves even if another version has it */
};

/* What became of it; texts are the caller's: registered_clear. */
struct registered {
    char *run_id, *version;
    char *alias_holder; /* version the alias points at now: this one, or an older one that kept it */
};

/* Logs the run, registers the next version, then sets the alias if nothing has it (or to promote). STATUS_UNAVAILABLE:
 * the server became unavailable in mid-run; the run is kept in keep_dir, as err says. */
MUST_USE enum status register_training(struct registry *registry, const struct training *training,
                                       const struct destination *destination, struct registered *out,
                                       struct error *err);
void registered_clear(struct registered *registered);
