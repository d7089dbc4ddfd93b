/* Runs that were kept in a directory while their server was unavailable, sent when it is back: `registry sync`.
 * Called on one thread. The run's key, which the trainer drew before it first spoke to the server, makes
 * this idempotent: a run that was begun with it is gone on with, a version of that run is not made twice, and the kept
 * run is marked when everything has arrived. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "registry/registry.h"
#include "registry/commands.h"
#include "registry/store.h"

static const size_t artifact_most = (size_t)1 << 30;

struct run_sent {
    const char *kept_run_id, *run_id, *name, *version, *alias;
};

/* A kept run in memory, as it is logged again. */
struct parcel {
    struct run_pair *params, *tags;
    size_t param_count, tag_count;
    struct run_metric *metrics;
    size_t metric_count;
    struct text_list paths;
    struct buffer *files; /* beside paths */
    struct run_artifact *artifacts;
};

static void parcel_clear(struct parcel *parcel)
{
    for (size_t f = 0; parcel->files && f < parcel->paths.count; f++)
        buffer_free(&parcel->files[f]);
    free(parcel->files);
    free(parcel->artifacts);
    text_list_clear(&parcel->paths);
    free(parcel->params);
    free(parcel->tags);
    free(parcel->metrics);
}

static struct run_pair *sync_pairs_of(const struct text_list *keys, const struct text_list *values, size_t *count)
{
    struct run_pair *pairs = mem_zeroed(keys->count + 1, sizeof *pairs);
    for (size_t k = 0; k < keys->count; k++)
        if (strncmp(keys->items[k], "attrition.kept.", 15) != 0 && strcmp(keys->items[k], RUN_KEY_TAG) != 0)
            pairs[(*count)++] = (struct run_pair){keys->items[k], values->items[k]};
    return pairs;
}

static enum status pack_metrics(const struct registry *kept, const struct run_details *run, struct parcel *parcel,
                                struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t m = 0; m < run->metric_keys.count && status == STATUS_OK; m++) {
        struct metric_series series;
        status = registry_metric(kept, run->run_id, run->metric_keys.items[m], &series, err);
        if (status != STATUS_OK)
            break;
        parcel->metrics = mem_resize(parcel->metrics, parcel->metric_count + series.count + 1, sizeof *parcel->metrics);
        for (size_t v = 0; v < series.count; v++)
            parcel->metrics[parcel->metric_count++] =
                (struct run_metric){run->metric_keys.items[m], series.values[v], series.steps[v]};
        metric_series_clear(&series);
    }
    return status;
}

/* Every file below FOLDER/PREFIX but MLmodel, which is rewritten with the new run's id. */
static void list_files(const char *folder, const char *prefix, int depth, struct text_list *out)
{
    struct text_list entries;
    char *path = text_print("%s/%s", folder, prefix);
    store_entries(path, &entries);
    free(path);
    for (size_t e = 0; e < entries.count; e++) {
        char *name = text_print("%s%s%s", prefix, *prefix ? "/" : "", entries.items[e]);
        char *full = text_print("%s/%s", folder, name);
        if (store_is_file(full) && strcmp(name, "model/MLmodel") != 0)
            text_list_add(out, name);
        else if (store_is_directory(full) && depth < 16)
            list_files(folder, name, depth + 1, out);
        free(name);
        free(full);
    }
    text_list_clear(&entries);
}

static enum status pack_files(const char *folder, struct parcel *parcel, struct error *err)
{
    enum status status = STATUS_OK;
    list_files(folder, "", 0, &parcel->paths);
    parcel->files = mem_zeroed(parcel->paths.count + 1, sizeof *parcel->files);
    parcel->artifacts = mem_zeroed(parcel->paths.count + 1, sizeof *parcel->artifacts);
    for (size_t f = 0; f < parcel->paths.count && status == STATUS_OK; f++) {
        char *path = text_print("%s/%s", folder, parcel->paths.items[f]);
        status = file_read(path, artifact_most, &parcel->files[f], err);
        parcel->artifacts[f] = (struct run_artifact){parcel->paths.items[f], buffer_span(&parcel->files[f])};
        free(path);
    }
    return status;
}

static const char *tag_or(const struct run_details *run, const char *key, const char *otherwise)
{
    const char *tag = run_details_tag(run, key);
    return tag ? tag : otherwise;
}

/* The version's tags are those of the run that distinguish versions: not MLflow's own. */
static size_t version_tags(const struct parcel *parcel, struct run_pair *out)
{
    size_t count = 0;
    for (size_t t = 0; t < parcel->tag_count; t++)
        if (strncmp(parcel->tags[t].key, "mlflow.", 7) != 0)
            out[count++] = parcel->tags[t];
    return count;
}

static enum status sync_version_and_alias(struct registry *registry, const struct run_details *run,
                                          const struct parcel *parcel, struct run_sent *sent, char **version,
                                          char **holder, struct error *err)
{
    struct run_pair *tags = mem_zeroed(parcel->tag_count + 1, sizeof *tags);
    size_t count = version_tags(parcel, tags);
    enum status status = registry_ensure_version(registry, sent->name, sent->run_id, tags, count, version, err);
    free(tags);
    if (status != STATUS_OK)
        return status;
    sent->version = *version;
    if (strcmp(tag_or(run, KEPT_PROMOTE_TAG, "false"), "true") != 0)
        return registry_offer_alias(registry, sent->name, sent->alias, *version, holder, err);
    *holder = mem_text(*version);
    return registry_set_alias(registry, sent->name, sent->alias, *version, err);
}

/* Marks the kept run: it is not sent again. */
static enum status mark(const char *folder, const struct registry *registry, const char *run_id, struct error *err)
{
    struct buffer text = {0};
    char *path = text_print("%s/tags/" KEPT_SENT_TAG, folder);
    buffer_printf(&text, "%s run %s", registry->root, run_id);
    enum status status = file_write_atomic(path, buffer_span(&text), err);
    buffer_free(&text);
    free(path);
    return status;
}

/* One kept run of a directory's, with where it lies. */
struct kept {
    struct run_details run;
    char *experiment, *folder;
};

static enum status send_parcel(struct registry *registry, const struct kept *kept, const struct parcel *parcel,
                               struct run_sent *sent, char **run_id, struct error *err)
{
    const struct run run = {.experiment = kept->experiment,
                            .run_name = kept->run.name,
                            .key = run_details_tag(&kept->run, RUN_KEY_TAG),
                            .started_ms = kept->run.started_ms,
                            .ended_ms = kept->run.ended_ms,
                            .params = parcel->params,
                            .param_count = parcel->param_count,
                            .tags = parcel->tags,
                            .tag_count = parcel->tag_count,
                            .metrics = parcel->metrics,
                            .metric_count = parcel->metric_count,
                            .artifacts = parcel->artifacts,
                            .artifact_count = parcel->paths.count};
    enum status status = registry_log_run(registry, &run, run_id, err);
    sent->run_id = *run_id;
    return status;
}

static enum status sync_send_run(struct registry *registry, const struct registry *store, const struct kept *kept,
                                 struct error *err)
{
    struct parcel parcel = {0};
    char *run_id = NULL, *version = NULL, *holder = NULL, *artifacts = NULL;
    struct run_sent sent = {.kept_run_id = kept->run.run_id,
                            .name = tag_or(&kept->run, KEPT_NAME_TAG, "attrition"),
                            .alias = tag_or(&kept->run, KEPT_ALIAS_TAG, "production")};
    artifacts = text_print("%s/artifacts", kept->folder);
    parcel.params = sync_pairs_of(&kept->run.param_keys, &kept->run.param_values, &parcel.param_count);
    parcel.tags = sync_pairs_of(&kept->run.tag_keys, &kept->run.tag_values, &parcel.tag_count);
    enum status status = pack_metrics(store, &kept->run, &parcel, err);
    if (status == STATUS_OK)
        status = pack_files(artifacts, &parcel, err);
    if (status == STATUS_OK)
        status = send_parcel(registry, kept, &parcel, &sent, &run_id, err);
    if (status == STATUS_OK)
        status = sync_version_and_alias(registry, &kept->run, &parcel, &sent, &version, &holder, err);
    if (status == STATUS_OK)
        status = mark(kept->folder, registry, run_id, err);
    if (status == STATUS_OK)
        printf("kept run %s is run %s: model %s version %s; alias %s -> version %s\n", sent.kept_run_id, sent.run_id,
               sent.name, sent.version, sent.alias, holder);
    parcel_clear(&parcel);
    free(artifacts);
    free(run_id);
    free(version);
    free(holder);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "kept run %.32s", kept->run.run_id);
}

struct kept_list {
    struct kept *items;
    size_t count;
};

static void kept_list_clear(struct kept_list *list)
{
    for (size_t k = 0; k < list->count; k++) {
        run_details_clear(&list->items[k].run);
        free(list->items[k].experiment);
        free(list->items[k].folder);
    }
    free(list->items);
}

/* An experiment's runs that are kept and not sent; the others are let go. */
static void take_experiment(const struct registry *store, const char *id, const char *name, struct kept_list *list)
{
    struct run_list runs;
    if (registry_runs(store, name, &runs, ERROR_IGNORED) != STATUS_OK)
        return;
    if (runs.cut)
        log_warn("registry",
                 "experiment %.100s has more runs than the %zu that are looked at: delete sent ones, then repeat", name,
                 runs.count);
    list->items = mem_resize(list->items, list->count + runs.count + 1, sizeof *list->items);
    for (size_t r = 0; r < runs.count; r++) {
        struct run_details *run = &runs.items[r];
        if (!run_details_tag(run, KEPT_TO_TAG) || run_details_tag(run, KEPT_SENT_TAG) ||
            !run_details_tag(run, RUN_KEY_TAG))
            continue;
        list->items[list->count++] = (struct kept){
            .run = *run, .experiment = mem_text(name), .folder = store_path(store, "%s/%s", id, run->run_id)};
        *run = (struct run_details){0};
    }
    run_list_clear(&runs);
}

static int oldest_first(const void *a, const void *b)
{
    int64_t left = ((const struct kept *)a)->run.started_ms, right = ((const struct kept *)b)->run.started_ms;
    return (left > right) - (left < right);
}

static enum status take_all(const struct registry *store, struct kept_list *list, struct error *err)
{
    struct text_list experiments;
    struct buffer name = {0};
    if (store_list(store->root, &experiments, err) != STATUS_OK)
        return err->status;
    for (size_t e = 0; e < experiments.count; e++)
        if (store_experiment_name(store, experiments.items[e], &name))
            take_experiment(store, experiments.items[e], name.data, list);
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, oldest_first);
    buffer_free(&name);
    text_list_clear(&experiments);
    return STATUS_OK;
}

/* One after the other, oldest first; each once: what a broken-off attempt left is gone on with. Stops at the first that
 * fails. */
static enum status sync_directory(struct registry *registry, const char *directory, size_t *sent, struct error *err)
{
    struct registry *store;
    struct kept_list list = {0};
    if (!registry_is_server(registry))
        return error_set(
            err, STATUS_UNSUPPORTED,
            "kept runs are sent to an MLflow server: set MLFLOW_TRACKING_URI to its address, not to %.200s",
            registry->root);
    enum status status = registry_open(directory, &store, err);
    if (status != STATUS_OK)
        return status;
    if (registry_is_server(store))
        status = error_set(err, STATUS_INVALID, "%.200s is a server: give the directory that holds the kept runs",
                           directory);
    if (status == STATUS_OK)
        status = take_all(store, &list, err);
    for (size_t k = 0; k < list.count && status == STATUS_OK; k++) {
        status = sync_send_run(registry, store, &list.items[k], err);
        *sent += status == STATUS_OK;
    }
    kept_list_clear(&list);
    registry_close(store);
    return status;
}

enum status command_sync(const struct options *options, struct error *err)
{
    struct registry *registry = NULL;
    size_t sent = 0;
    const char *directory =
        options_argument_count(options) ? options_argument(options, 0) : options_text(options, OPTION_KEEP_DIR);
    enum status status = registry_open_options(options, &registry, err);
    if (status == STATUS_OK)
        status = sync_directory(registry, directory, &sent, err);
    if (status == STATUS_OK && sent == 0)
        printf("no kept runs in %s\n", directory);
    registry_close(registry);
    return status;
}
