/* The directory as a backend: reading runs and tags back, and the table that registry.c calls through. What writes is
 * in runs.c and versions.c. Reading takes no lock: what writers place, they place whole. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "pipeline/onnx/onnx_limits.h"
#include "registry/store.h"
#include "registry/yaml.h"

enum { RUNS_MOST = 100000 };

static void directory_close(struct registry *registry)
{
    if (registry->hold >= 0)
        store_unlock(registry->hold);
}

/* The files of FOLDER/NAME as keys and values, sorted by key. */
static void read_pairs(const char *folder, const char *name, struct text_list *keys, struct text_list *values)
{
    struct buffer text = {0};
    char *path = text_print("%s/%s", folder, name);
    store_entries(path, keys);
    for (size_t k = 0; k < keys->count; k++) {
        char *file = text_print("%s/%s", path, keys->items[k]);
        text_list_add(values, store_read(file, &text, ERROR_IGNORED) == STATUS_OK ? text.data : "");
        free(file);
    }
    buffer_free(&text);
    free(path);
}

/* Lines of `milliseconds value step`. */
static void parse_series(char *text, struct metric_series *out)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *at = NULL;
        strtoll(line, &at, 10);
        double value = strtod(at, &at);
        out->steps = mem_resize(out->steps, out->count + 1, sizeof *out->steps);
        out->values = mem_resize(out->values, out->count + 1, sizeof *out->values);
        out->steps[out->count] = strtoll(at, NULL, 10);
        out->values[out->count++] = value;
    }
}

static void directory_read_series(const char *folder, const char *key, struct metric_series *out)
{
    struct buffer text = {0};
    *out = (struct metric_series){0};
    char *path = text_print("%s/metrics/%s", folder, key);
    if (store_read(path, &text, ERROR_IGNORED) == STATUS_OK)
        parse_series(text.data, out);
    buffer_free(&text);
    free(path);
}

/* The value of the last step, as MLflow shows it. */
static double latest(const struct metric_series *series)
{
    size_t last = 0;
    for (size_t v = 1; v < series->count; v++)
        if (series->steps[v] >= series->steps[last])
            last = v;
    return series->count ? series->values[last] : 0;
}

static void read_metrics(const char *folder, struct run_details *out)
{
    char *path = text_print("%s/metrics", folder);
    store_entries(path, &out->metric_keys);
    out->metric_values = mem_zeroed(out->metric_keys.count + 1, sizeof *out->metric_values);
    for (size_t m = 0; m < out->metric_keys.count; m++) {
        struct metric_series series;
        directory_read_series(folder, out->metric_keys.items[m], &series);
        out->metric_values[m] = latest(&series);
        metric_series_clear(&series);
    }
    free(path);
}

static char *meta_text(struct span meta, const char *key)
{
    struct buffer scratch = {0};
    char *text = yaml_scalar(meta, key, &scratch) ? mem_text(scratch.data) : mem_text("");
    buffer_free(&scratch);
    return text;
}

static int64_t meta_number(struct span meta, const char *key)
{
    char *text = meta_text(meta, key);
    int64_t number = strtoll(text, NULL, 10);
    free(text);
    return number;
}

static const char *status_text(int64_t number)
{
    static const char *const names[] = {"UNKNOWN", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};
    return number > 0 && number < (int64_t)(sizeof names / sizeof *names) ? names[number] : names[0];
}

/* False: no run there, or a deleted one. */
static bool directory_read_run(const char *folder, const char *run_id, struct run_details *out)
{
    struct buffer text = {0};
    char *path = text_print("%s/meta.yaml", folder);
    bool found = store_read(path, &text, ERROR_IGNORED) == STATUS_OK;
    free(path);
    char *stage = found ? meta_text(buffer_span(&text), "lifecycle_stage") : NULL;
    found = found && strcmp(stage, "deleted") != 0;
    free(stage);
    if (found) {
        const struct span meta = buffer_span(&text);
        *out = (struct run_details){.run_id = mem_text(run_id),
                                    .name = meta_text(meta, "run_name"),
                                    .status = mem_text(status_text(meta_number(meta, "status"))),
                                    .started_ms = meta_number(meta, "start_time"),
                                    .ended_ms = meta_number(meta, "end_time")};
        read_pairs(folder, "params", &out->param_keys, &out->param_values);
        read_pairs(folder, "tags", &out->tag_keys, &out->tag_values);
        read_metrics(folder, out);
    }
    buffer_free(&text);
    return found;
}

static enum status no_run(const struct registry *registry, const char *run_id, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "no run %.64s in %.200s", run_id, registry->root);
}

static enum status directory_run(const struct registry *registry, const char *run_id, struct run_details *out,
                                 struct error *err)
{
    char *folder = store_find(registry, run_id, store_is_directory);
    bool found = folder && directory_read_run(folder, run_id, out);
    free(folder);
    return found ? STATUS_OK : no_run(registry, run_id, err);
}

static enum status directory_run_of_key(const struct registry *registry, const char *experiment, const char *key,
                                        struct run_details *out, struct error *err)
{
    char run_id[RUN_KEY_BYTES], *id = store_find_experiment(registry, experiment);
    bool found = id && store_run_of_key(registry, id, key, run_id);
    char *folder = found ? store_path(registry, "%s/%s", id, run_id) : NULL;
    found = found && directory_read_run(folder, run_id, out);
    free(folder);
    free(id);
    return found ? STATUS_OK : no_run(registry, key, err);
}

static int newest_first(const void *a, const void *b)
{
    int64_t left = ((const struct run_details *)a)->started_ms, right = ((const struct run_details *)b)->started_ms;
    return (left < right) - (left > right);
}

static enum status directory_runs(const struct registry *registry, const char *experiment, struct run_list *out,
                                  struct error *err)
{
    struct text_list entries;
    char *id = store_find_experiment(registry, experiment);
    if (!id)
        return error_set(err, STATUS_NOT_FOUND, "no experiment \"%.100s\" in %.200s: `trainer train` makes one",
                         experiment, registry->root);
    char *path = store_path(registry, "%s", id);
    enum status status = store_list(path, &entries, err);
    free(path);
    if (status == STATUS_OK) {
        *out = (struct run_list){.items = mem_zeroed(entries.count + 1, sizeof *out->items)};
        size_t e = 0;
        for (; e < entries.count && out->count < RUNS_MOST; e++) {
            char *folder = store_path(registry, "%s/%s", id, entries.items[e]);
            out->count += directory_read_run(folder, entries.items[e], &out->items[out->count]);
            free(folder);
        }
        out->cut = e < entries.count;
        qsort(out->items, out->count, sizeof *out->items, newest_first);
        text_list_clear(&entries);
    }
    free(id);
    return status;
}

static enum status directory_metric(const struct registry *registry, const char *run_id, const char *key,
                                    struct metric_series *out, struct error *err)
{
    char *folder = store_find(registry, run_id, store_is_directory);
    if (!folder)
        return no_run(registry, run_id, err);
    directory_read_series(folder, key, out);
    free(folder);
    return STATUS_OK;
}

static enum status directory_version_of_run(struct registry *registry, const char *name, const char *run_id,
                                            char **version, struct error *err)
{
    struct text_list versions;
    struct version_details details;
    if (store_versions(registry, name, &versions, err) != STATUS_OK)
        return err->status;
    char *found = NULL;
    for (size_t v = 0; v < versions.count && !found; v++) {
        if (store_describe(registry, name, versions.items[v], &details, ERROR_IGNORED) != STATUS_OK)
            continue;
        if (details.version.run_id && strcmp(details.version.run_id, run_id) == 0)
            found = mem_text(versions.items[v]);
        version_details_clear(&details);
    }
    text_list_clear(&versions);
    if (!found)
        return error_set(err, STATUS_NOT_FOUND, "model \"%s\" has no version of run %.64s", name, run_id);
    *version = found;
    return STATUS_OK;
}

static enum status directory_model_tag(const struct registry *registry, const char *name, const char *key, char **value,
                                       struct error *err)
{
    struct buffer text = {0};
    char *path = store_path(registry, "models/%s/tags/%s", name, key);
    enum status status = store_read(path, &text, err);
    if (status == STATUS_OK)
        *value = mem_text(text.data);
    buffer_free(&text);
    free(path);
    return status;
}

static enum status directory_locate(struct registry *registry, const char *name, const char *alias, const char *version,
                                    struct model_version *out, struct error *err)
{
    char *aliased = NULL;
    struct version_details details;
    enum status status = alias ? store_alias(registry, name, alias, &aliased, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = store_describe(registry, name, aliased ? aliased : version, &details, err);
    free(aliased);
    if (status != STATUS_OK)
        return status;
    if (!details.version.path) {
        status = error_set(
            err, STATUS_NOT_FOUND,
            "model \"%.100s\" version %s: no model file at %.200s: restore it, or train and promote another version",
            name, details.version.version, details.source ? details.source : "the source in its meta.yaml");
    } else {
        *out = details.version;
        out->alias = alias ? mem_text(alias) : NULL;
        details.version = (struct model_version){0};
    }
    version_details_clear(&details);
    return status;
}

static enum status directory_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                                  struct error *err)
{
    (void)registry; /* the path says it all */
    return file_read(version->path, ONNX_MAX_BYTES, out, err);
}

const struct backend store_backend = {
    .close = directory_close,
    .log_run = store_log_run,
    .begin_run = store_begin_run,
    .run = directory_run,
    .run_of_key = directory_run_of_key,
    .runs = directory_runs,
    .metric = directory_metric,
    .create_version = store_create_version,
    .version_of_run = directory_version_of_run,
    .models = store_models,
    .versions = store_versions,
    .describe = store_describe,
    .alias = store_alias,
    .move_alias = store_move_alias,
    .model_tag = directory_model_tag,
    .locate = directory_locate,
    .read = directory_read,
};
