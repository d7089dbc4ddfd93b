/* The model's training reference, and what came of its scores: see sink_reference.h. Called by sink.c after a batch is
 * stored, on the sink's thread. */
#include "scorer/sink/sink_reference.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOOK_EVERY_S = 3600 };

/* The stamp's texts are the model's own, which end with a NUL. */
static enum status store_of(struct sink_store *store, const struct model *model, struct error *err)
{
    const char *json = pipeline_metadata(model->pipeline, "attrition.distributions");
    if (json)
        return sink_store_reference(store, model->stamp.name.data, model->stamp.version.data, json, err);
    log_debug("sink", "%s version %s has no attrition.distributions: nothing is said of its drift",
              model->stamp.name.data, model->stamp.version.data);
    return STATUS_OK;
}

static void store_reference(struct sink_reference *reference, struct sink_store *store)
{
    struct error err;
    const struct model *model = reference->models ? model_acquire(reference->models) : NULL;
    if (!model)
        return;
    if (model->loaded_at_us != reference->loaded_at_us) {
        enum status status = store_of(store, model, &err);
        if (status != STATUS_OK)
            log_warn("sink",
                     "the training reference of %s version %s is not stored, so drift_against_training does not "
                     "have it: %s",
                     model->stamp.name.data, model->stamp.version.data, err.text);
        if (status != STATUS_UNAVAILABLE)
            reference->loaded_at_us = model->loaded_at_us;
    }
    model_release(model);
}

static void look_at_checks(struct sink_reference *reference, struct sink_store *store, struct counters *counters)
{
    struct error err;
    uint64_t versions;
    int64_t now_us = clock_steady_us(&clock_system);
    if (now_us < reference->next_look_us)
        return;
    reference->next_look_us = now_us + (int64_t)LOOK_EVERY_S * 1000 * 1000;
    if (sink_store_contradicted(store, &versions, &err) == STATUS_OK)
        counter_set(counters, COUNTER_PERFORMANCE_CONTRADICTED, versions);
    else
        log_warn("sink", "attrition_performance_contradicted stays as it is for an hour: %s", err.text);
}

void sink_reference_exchange(struct sink_reference *reference, struct sink_store *store, struct counters *counters)
{
    store_reference(reference, store);
    look_at_checks(reference, store, counters);
}
