/* The model in use: immutable compiled models behind a reference count. A watcher thread looks the alias up, loads and
 * verifies off the hot path and swaps; loops take a reference per batch. A load that fails keeps the model before. */
#pragma once

#include "events/prediction.h"
#include "pipeline/pipeline.h"
#include "scorer/counters.h"
#include "scorer/model/labels.h"
#include "scorer/settings.h"

/* Immutable once published. */
struct model {
    struct pipeline *pipeline;
    struct model_stamp stamp; /* texts live as long as the model */
    double threshold;
    struct labels labels;
    int64_t loaded_at_us; /* real clock */
};

struct model_holder;

/* What became of a look at the registry that found something new. Plain data. */
struct model_event {
    int64_t at_us; /* real clock */
    bool loaded;   /* and put to use; false: the model before stays, and text says why */
    char name[128], version[32], alias[128], text[512];
};
enum { MODEL_EVENTS_KEPT = 20 };

/* Loads the first model and starts the watcher. Where it cannot be had: with the role score that is a failure, without
 * it the watcher goes on looking. */
MUST_USE enum status model_holder_new(const struct settings *settings, struct counters *counters,
                                      struct model_holder **out, struct error *err);
/* Another URI under the same settings (a challenger's; borrowed), which may be without a model for as long as it takes.
 */
MUST_USE enum status model_holder_new_challenger(const struct settings *settings, const char *uri,
                                                 struct counters *counters, struct model_holder **out,
                                                 struct error *err);
void model_holder_free(struct model_holder *holder); /* stops the watcher */

/* The current model, with a reference that model_release gives back. NULL only while
 * there is none yet: without the role score, or for a challenger. Any thread. */
const struct model *model_acquire(struct model_holder *holder);
void model_release(const struct model *model);

/* Looks the alias up now (SIGHUP). Any thread. */
void model_holder_refresh(struct model_holder *holder);
/* Text of the last failed load, or false. */
bool model_holder_problem(struct model_holder *holder, struct error *out);
/* The latest events, newest first; returns how many. */
size_t model_holder_events(struct model_holder *holder, struct model_event *out, size_t capacity);
