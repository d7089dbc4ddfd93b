/* Runs: one training, logged whole. A run's directory is built aside and renamed into its experiment, so that a run
 * that can be seen is finished. Called by the trainer, on its only thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random_hex.h"
#include "base/sha256.h"
#include "base/text_print.h"
#include "registry/store.h"
#include "registry/yaml.h"

enum { SOURCE_LOCAL = 4, RUN_FINISHED = 3 }; /* MLflow's numbers in a run's meta.yaml */

bool store_experiment_name(const struct registry *registry, const char *id, struct buffer *name)
{
    struct buffer text = {0};
    char *path = store_path(registry, "%s/meta.yaml", id);
    bool named = strcmp(id, "models") != 0 && store_read(path, &text, ERROR_IGNORED) == STATUS_OK &&
                 yaml_scalar(buffer_span(&text), "name", name);
    buffer_free(&text);
    free(path);
    return named;
}

char *store_find_experiment(const struct registry *registry, const char *name)
{
    struct text_list entries;
    struct buffer value = {0};
    char *found = NULL;
    store_entries(registry->root, &entries);
    for (size_t e = 0; e < entries.count && !found; e++)
        if (store_experiment_name(registry, entries.items[e], &value) && strcmp(value.data, name) == 0)
            found = mem_text(entries.items[e]);
    buffer_free(&value);
    text_list_clear(&entries);
    return found;
}

/* 18 digits, as MLflow draws them. */
static void experiment_draw_id(char out[19])
{
    char hex[19];
    random_hex(hex, 18);
    for (size_t d = 0; d < 18; d++)
        out[d] = (char)('0' + (hex[d] <= '9' ? hex[d] - '0' : hex[d] - 'a' + 10) * 10 / 16);
    out[0] = out[0] == '0' ? '1' : out[0];
    out[18] = '\0';
}

static enum status directory_experiment_ensure(struct registry *registry, const char *name, char **id,
                                               struct error *err)
{
    int lock;
    char *path = store_path(registry, ".experiments.lock");
    enum status status = store_lock(path, &lock, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    *id = store_find_experiment(registry, name);
    if (!*id) {
        char drawn[19];
        experiment_draw_id(drawn);
        status = store_make_experiment(registry, drawn, name, err);
        *id = status == STATUS_OK ? mem_text(drawn) : NULL;
    }
    store_unlock(lock);
    return status;
}

static void run_meta(struct buffer *out, const struct run *run, const char *experiment, const char *run_id,
                     const char *place)
{
    struct buffer uri = {0};
    buffer_printf(&uri, "%s/artifacts", place);
    yaml_add_text(out, 0, "artifact_uri", uri.data);
    yaml_add_int(out, 0, "end_time", run->ended_ms);
    yaml_add_text(out, 0, "entry_point_name", "");
    yaml_add_text(out, 0, "experiment_id", experiment);
    yaml_add_text(out, 0, "lifecycle_stage", "active");
    yaml_add_text(out, 0, "run_id", run_id);
    yaml_add_text(out, 0, "run_name", run->run_name);
    yaml_add_text(out, 0, "source_name", "");
    yaml_add_int(out, 0, "source_type", SOURCE_LOCAL);
    yaml_add_text(out, 0, "source_version", "");
    yaml_add_int(out, 0, "start_time", run->started_ms);
    yaml_add_int(out, 0, "status", RUN_FINISHED);
    buffer_add_text(out, "tags: []\n");
    yaml_add_text(out, 0, "user_id", "");
    buffer_free(&uri);
}

static bool is_same_series(const struct run_metric *a, const struct run_metric *b)
{
    return strcmp(a->key, b->key) == 0;
}

/* The lines of the series that starts at `first`, one per step: `milliseconds value step`. MLflow's migration refuses a
 * duplicate line, so a step that is given twice counts once. */
static void metric_lines(const struct run *run, size_t first, struct buffer *out)
{
    const struct run_metric *metrics = run->metrics;
    for (size_t m = first; m < run->metric_count; m++) {
        if (is_same_series(&metrics[m], &metrics[first]) && !run_metric_repeated(run, m))
            buffer_printf(out, "%" PRId64 " %.17g %" PRId64 "\n", run->ended_ms, metrics[m].value, metrics[m].step);
    }
}

static enum status write_metrics(const char *directory, const struct run *run, struct error *err)
{
    struct buffer lines = {0};
    char *path = text_print("%s/metrics", directory);
    enum status status = file_make_directories(path, err);
    for (size_t m = 0; m < run->metric_count && status == STATUS_OK; m++) {
        bool written = false;
        for (size_t before = 0; before < m && !written; before++)
            written = is_same_series(&run->metrics[before], &run->metrics[m]);
        if (written)
            continue;
        buffer_clear(&lines);
        metric_lines(run, m, &lines);
        status = store_check_key("metric", run->metrics[m].key, err);
        if (status == STATUS_OK)
            status = store_write(path, run->metrics[m].key, buffer_span(&lines), err);
    }
    buffer_free(&lines);
    free(path);
    return status;
}

static enum status write_artifact(const char *directory, const struct run_artifact *artifact, struct error *err)
{
    char *path = NULL;
    if (artifact->path[0] == '/' || strstr(artifact->path, ".."))
        return error_set(err, STATUS_INVALID, "artifact %.200s: the path must stay below the run", artifact->path);
    path = text_print("%s/artifacts/%s", directory, artifact->path);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    enum status status = file_make_directories(path, err);
    *slash = '/';
    if (status == STATUS_OK)
        status = file_write_atomic(path, artifact->bytes, err);
    free(path);
    return status;
}

/* All artifacts; then what MLflow wants beside a model, model/MLmodel last. */
static enum status write_artifacts(const char *directory, const struct run *run, const char *run_id, struct error *err)
{
    struct mlmodel_files beside;
    enum status status = STATUS_OK;
    mlmodel_files_make(run, run_id, &beside);
    for (size_t a = 0; a < run->artifact_count && status == STATUS_OK; a++)
        status = write_artifact(directory, &run->artifacts[a], err);
    for (size_t f = 0; f < beside.count && status == STATUS_OK; f++) {
        const struct run_artifact file = mlmodel_files_at(&beside, f);
        status = write_artifact(directory, &file, err);
    }
    mlmodel_files_clear(&beside);
    return status;
}

/* What run->key and run->kept say, as tags: see sync.c. */
static enum status write_notes(const char *built, const struct run *run, struct error *err)
{
    const struct run_kept *kept = run->kept;
    struct run_pair notes[5];
    size_t count = 0;
    if (run->key)
        notes[count++] = (struct run_pair){RUN_KEY_TAG, run->key};
    if (kept) {
        notes[count++] = (struct run_pair){KEPT_TO_TAG, kept->to};
        notes[count++] = (struct run_pair){KEPT_NAME_TAG, kept->name};
        notes[count++] = (struct run_pair){KEPT_ALIAS_TAG, kept->alias};
        notes[count++] = (struct run_pair){KEPT_PROMOTE_TAG, kept->promote ? "true" : "false"};
    }
    return store_write_pairs(built, "tags", notes, count, err);
}

static enum status write_run(const char *built, const char *place, const struct run *run, const char *experiment,
                             const char *run_id, struct error *err)
{
    struct buffer meta = {0};
    char *artifacts = text_print("%s/artifacts", built);
    run_meta(&meta, run, experiment, run_id, place);
    enum status status = file_make_directories(artifacts, err);
    if (status == STATUS_OK)
        status = store_write_pairs(built, "params", run->params, run->param_count, err);
    if (status == STATUS_OK)
        status = store_write_pairs(built, "tags", run->tags, run->tag_count, err);
    if (status == STATUS_OK)
        status = write_notes(built, run, err);
    if (status == STATUS_OK)
        status = write_metrics(built, run, err);
    if (status == STATUS_OK)
        status = write_artifacts(built, run, run_id, err);
    if (status == STATUS_OK)
        status = store_write(built, "meta.yaml", buffer_span(&meta), err);
    if (status == STATUS_OK)
        status = store_place(built, place, err);
    free(artifacts);
    buffer_free(&meta);
    return status;
}

static bool is_deleted(const char *meta_path)
{
    struct buffer text = {0}, stage = {0};
    bool deleted = store_read(meta_path, &text, ERROR_IGNORED) == STATUS_OK &&
                   yaml_scalar(buffer_span(&text), "lifecycle_stage", &stage) && strcmp(stage.data, "deleted") == 0;
    buffer_free(&text);
    buffer_free(&stage);
    return deleted;
}

bool store_run_of_key(const struct registry *registry, const char *experiment, const char *key, char id[RUN_KEY_BYTES])
{
    char sha256[SHA256_HEX_BYTES];
    snprintf(id, RUN_KEY_BYTES, "%s", key);
    for (;;) {
        char *path = store_path(registry, "%s/%s/meta.yaml", experiment, id);
        bool there = store_is_file(path), deleted = there && is_deleted(path);
        free(path);
        if (!deleted)
            return there;
        sha256_hex(span_of(id), sha256);
        snprintf(id, RUN_KEY_BYTES, "%.32s", sha256);
    }
}

enum status store_begin_run(struct registry *registry, const struct run *run, char **run_id, struct error *err)
{
    char id[RUN_KEY_BYTES], *experiment = store_find_experiment(registry, run->experiment);
    (void)err;
    if (experiment)
        (void)store_run_of_key(registry, experiment, run->key, id);
    *run_id = mem_text(experiment ? id : run->key);
    free(experiment);
    return STATUS_OK;
}

enum status store_log_run(struct registry *registry, const struct run *run, char **run_id, struct error *err)
{
    char id[RUN_KEY_BYTES], *experiment = NULL;
    if (store_prepare(registry, err) != STATUS_OK ||
        directory_experiment_ensure(registry, run->experiment, &experiment, err) != STATUS_OK)
        return err->status;
    random_hex(id, 32);
    if (run->key && !run->kept && store_run_of_key(registry, experiment, run->key, id)) {
        *run_id = mem_text(id);
        free(experiment);
        return STATUS_OK;
    }
    char *built = store_new_path(registry), *place = store_path(registry, "%s/%s", experiment, id);
    enum status status = write_run(built, place, run, experiment, id, err);
    if (status == STATUS_OK)
        *run_id = mem_text(id);
    else
        store_discard(built);
    free(built);
    free(place);
    free(experiment);
    return status;
}
