/* Run, version and alias: see register.h. Called once, last, when the model has proved itself. It writes in this order,
 * so that whatever it is stopped at, the alias names a whole version or none. */
#include "trainer/register.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

enum { PAIR_MOST = 24, METRIC_MOST = METRIC_COUNT * (1 + FOLD_MOST) };

/* Pairs whose values are made here; the keys are literals. */
struct pairs {
    struct run_pair items[PAIR_MOST];
    size_t count;
    struct arena texts;
};

static void pairs_add(struct pairs *pairs, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
static void pairs_add(struct pairs *pairs, const char *key, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_flatten(text); /* a file's or user's name may be any bytes; MLflow takes UTF-8 */
    assert(pairs->count < PAIR_MOST);
    pairs->items[pairs->count++] = (struct run_pair){key, arena_text(&pairs->texts, text, strlen(text))};
}

static void add_params(const struct training *training, struct pairs *out)
{
    const struct recipe *recipe = training->recipe;
    pairs_add(out, "model", "%s", recipe->kind);
    if (recipe->penalised)
        pairs_add(out, "C", "%.15g", recipe->inverse_penalty);
    pairs_add(out, "class_weight", "%s", recipe->balanced ? "balanced" : "None");
    pairs_add(out, "max_iter", "%u", recipe->max_iterations);
    pairs_add(out, "seed", "%llu", (unsigned long long)recipe->seed);
    pairs_add(out, "folds", "%zu", training->validation->fold_count);
    pairs_add(out, "threshold_rule", "%s", isnan(recipe->threshold) ? "max-f1" : "given");
    pairs_add(out, "threshold", "%.15g", training->validation->threshold);
    pairs_add(out, "rows", "%zu", training->table->row_count);
    pairs_add(out, "rows_left_out", "%zu", training->table->left_out);
    pairs_add(out, "positive_rows", "%zu", training->table->positive_count);
}

/* What tells a version from its neighbours: the tags of the run and of the version. */
static void add_identity(const struct training *training, struct pairs *out)
{
    char sha256[SHA256_HEX_BYTES];
    sha256_hex(training->file, sha256);
    pairs_add(out, "data.sha256", "%s", training->table->sha256);
    pairs_add(out, "data.rows", "%zu", training->table->row_count);
    pairs_add(out, "model.kind", "%s", training->recipe->kind);
    pairs_add(out, "model.sha256", "%s", sha256);
    pairs_add(out, "schema.digest", "%s", training->table->schema->digest);
    pairs_add(out, "threshold", "%.15g", training->validation->threshold);
    pairs_add(out, "trainer.version", "%s", VERSION);
}

static void add_run_tags(const struct training *training, struct pairs *out)
{
    const char *user = getenv("USER"), *slash = strrchr(training->data_path, '/');
    pairs_add(out, "data.name", "%s", slash ? slash + 1 : training->data_path);
    pairs_add(out, "mlflow.runName", "%s", training->recipe->kind);
    pairs_add(out, "mlflow.source.name", "trainer");
    pairs_add(out, "mlflow.source.type", "LOCAL");
    if (user)
        pairs_add(out, "mlflow.user", "%s", user);
}

static const char *const fold_names[METRIC_COUNT] = {
#define FOLD_NAME(name, help) "fold_" #name,
    METRIC_TABLE(FOLD_NAME)
#undef FOLD_NAME
};

static size_t add_metrics(const struct validation *validation, struct run_metric *out)
{
    size_t count = 0;
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        out[count++] = (struct run_metric){metric_names[m], metric_value(&validation->metrics, m), 0};
        for (size_t fold = 0; fold < validation->fold_count; fold++)
            out[count++] = (struct run_metric){fold_names[m], metric_value(&validation->folds[fold], m), (int64_t)fold};
    }
    return count;
}

static enum status log_run(struct registry *registry, const struct training *training, const char *experiment,
                           char **run_id, struct error *err)
{
    struct pairs params = {0}, tags = {0};
    struct run_metric metrics[METRIC_MOST];
    add_params(training, &params);
    add_identity(training, &tags);
    add_run_tags(training, &tags);
    const struct run_artifact artifact = {"model/model.onnx", training->file};
    const struct run run = {.experiment = experiment,
                            .run_name = training->recipe->kind,
                            .started_ms = training->started_ms,
                            .ended_ms = training->ended_ms,
                            .params = params.items,
                            .param_count = params.count,
                            .tags = tags.items,
                            .tag_count = tags.count,
                            .metrics = metrics,
                            .metric_count = add_metrics(training->validation, metrics),
                            .artifacts = &artifact,
                            .artifact_count = 1};
    enum status status = registry_log_run(registry, &run, run_id, err);
    arena_free(&params.texts);
    arena_free(&tags.texts);
    return status;
}

static enum status settle_alias(struct registry *registry, const struct destination *destination,
                                struct registered *out, struct error *err)
{
    const char *name = destination->name, *alias = destination->alias, *version = out->version;
    enum status status = destination->promote
                             ? registry_set_alias(registry, name, alias, version, err)
                             : registry_offer_alias(registry, name, alias, version, &out->alias_holder, err);
    if (status != STATUS_OK)
        return error_prefix(err, "version %s is registered, but alias %s was not set", version, alias);
    if (destination->promote)
        out->alias_holder = mem_text(version);
    return STATUS_OK;
}

enum status register_training(struct registry *registry, const struct training *training,
                              const struct destination *destination, struct registered *out, struct error *err)
{
    struct registered registered = {0};
    struct pairs tags = {0};
    add_identity(training, &tags);
    enum status status = log_run(registry, training, destination->experiment, &registered.run_id, err);
    if (status == STATUS_OK)
        status = registry_create_version(registry, destination->name, registered.run_id, tags.items, tags.count,
                                         &registered.version, err);
    if (status == STATUS_OK)
        status = settle_alias(registry, destination, &registered, err);
    arena_free(&tags.texts);
    if (status == STATUS_OK)
        *out = registered;
    else
        registered_clear(&registered);
    return status;
}

void registered_clear(struct registered *registered)
{
    free(registered->run_id);
    free(registered->version);
    free(registered->alias_holder);
    *registered = (struct registered){0};
}
