/* Experiments and runs on an MLflow server: see rest.h. Called by the trainer, `registry sync` and `registry show`. A
 * run is made RUNNING and becomes FINISHED when everything of it is there, MLmodel last of its files; whoever registers
 * it comes after. With a key, a run that was begun and broken off goes on: every step may be done twice. */
#include "base/clock.h"
#include "registry/rest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "registry/store.h"

/* Of a server's call: MLflow's limits are 1,000 metrics and 100 of the others. Of an answer's pages: ours. */
enum { BATCH_METRICS = 500, BATCH_PAIRS = 50, PAGE_RUNS = 500, PAGES_MOST = 20, PAGE_VALUES = 10000 };

static enum status experiment_find(const struct registry *registry, const char *name, char **id, struct error *err)
{
    json_t *answer;
    char *path = rest_query("experiments/get-by-name", "experiment_name", name, (char *)NULL);
    enum status status = rest_call(registry, HTTP_GET, path, NULL, true, &answer, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    const json_t *experiment = json_object_get(answer, "experiment");
    const char *found = rest_text(experiment, "experiment_id");
    if (strcmp(rest_text(experiment, "lifecycle_stage"), "deleted") == 0)
        status = error_set(err, STATUS_INVALID,
                           "experiment \"%.100s\" was deleted on %.150s: restore it, or give another name", name,
                           registry->root);
    else if (!*found)
        status = error_set(err, STATUS_INVALID, "%.200s answered without an experiment's id", registry->root);
    else
        *id = mem_text(found);
    json_decref(answer);
    return status;
}

static enum status rest_experiment_ensure(const struct registry *registry, const char *name, char **id,
                                          struct error *err)
{
    enum status status = experiment_find(registry, name, id, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = rest_call(registry, HTTP_POST, "experiments/create", json_pack("{s:s}", "name", name), false, NULL, err);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        return status;
    return experiment_find(registry, name, id, err);
}

/* A run as the server has it begun. */
struct begun {
    char *run_id, *artifacts;
    bool finished;
};

static void begun_clear(struct begun *begun)
{
    free(begun->run_id);
    free(begun->artifacts);
    *begun = (struct begun){0};
}

static enum status read_begun(const struct registry *registry, const json_t *run, struct begun *out, struct error *err)
{
    const json_t *info = json_object_get(run, "info");
    const char *run_id, *artifacts;
    enum status status = rest_run_place(registry, run, &run_id, &artifacts, err);
    if (status != STATUS_OK)
        return status;
    *out = (struct begun){.run_id = mem_text(run_id),
                          .artifacts = mem_text(artifacts),
                          .finished = strcmp(rest_text(info, "status"), "FINISHED") == 0};
    return STATUS_OK;
}

/* *run: json_decref. STATUS_NOT_FOUND: no run was begun with that key. */
static enum status run_find(const struct registry *registry, const char *experiment, const char *key, json_t **run,
                            struct error *err)
{
    char filter[128];
    json_t *answer;
    snprintf(filter, sizeof filter, "tags.`%s` = '%.32s'", RUN_KEY_TAG, key);
    enum status status =
        rest_call(registry, HTTP_POST, "runs/search",
                  json_pack("{s:[s], s:s, s:i}", "experiment_ids", experiment, "filter", filter, "max_results", 1),
                  true, &answer, err);
    if (status != STATUS_OK)
        return status;
    *run = json_incref(json_array_get(json_object_get(answer, "runs"), 0));
    json_decref(answer);
    return *run ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "no run of key %.32s", key);
}

static enum status run_create(const struct registry *registry, const char *experiment, const struct run *run,
                              struct begun *out, struct error *err)
{
    json_t *answer, *tags = json_array();
    if (run->key)
        json_array_append_new(tags, json_pack("{s:s, s:s}", "key", RUN_KEY_TAG, "value", run->key));
    json_t *body = json_pack("{s:s, s:s, s:I, s:o}", "experiment_id", experiment, "run_name", run->run_name,
                             "start_time", (json_int_t)run->started_ms, "tags", tags);
    if (rest_call(registry, HTTP_POST, "runs/create", body, false, &answer, err) != STATUS_OK)
        return err->status;
    enum status status = read_begun(registry, json_object_get(answer, "run"), out, err);
    json_decref(answer);
    return status;
}

static enum status run_begin(const struct registry *registry, const char *experiment, const struct run *run,
                             struct begun *out, struct error *err)
{
    json_t *found;
    enum status status = run->key ? run_find(registry, experiment, run->key, &found, err) : STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? run_create(registry, experiment, run, out, err) : status;
    status = read_begun(registry, found, out, err);
    json_decref(found);
    return status;
}

static enum status log_batch(const struct registry *registry, const char *run_id, const char *kind, json_t *items,
                             struct error *err)
{
    return rest_call(registry, HTTP_POST, "runs/log-batch", json_pack("{s:s, s:o}", "run_id", run_id, kind, items),
                     true, NULL, err);
}

static enum status log_pairs(const struct registry *registry, const char *run_id, const char *kind,
                             const struct run_pair *pairs, size_t count, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t first = 0; first < count && status == STATUS_OK; first += BATCH_PAIRS) {
        size_t more = count - first < BATCH_PAIRS ? count - first : BATCH_PAIRS;
        status = log_batch(registry, run_id, kind, rest_pair_array(pairs, first, more), err);
    }
    return status;
}

/* JSON has no word for what is not finite; MLflow reads these texts. */
static json_t *metric_number(double value)
{
    if (isfinite(value))
        return json_real(value);
    return json_string(isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}

static enum status log_metrics(const struct registry *registry, const char *run_id, const struct run *run,
                               struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t m = 0; m < run->metric_count && status == STATUS_OK;) {
        json_t *items = json_array();
        for (; m < run->metric_count && json_array_size(items) < BATCH_METRICS; m++)
            if (!run_metric_repeated(run, m))
                json_array_append_new(items,
                                      json_pack("{s:s, s:o, s:I, s:I}", "key", run->metrics[m].key, "value",
                                                metric_number(run->metrics[m].value), "timestamp",
                                                (json_int_t)run->ended_ms, "step", (json_int_t)run->metrics[m].step));
        status = log_batch(registry, run_id, "metrics", items, err);
    }
    return status;
}

static enum status upload_all(const struct registry *registry, const struct begun *begun, const struct run *run,
                              struct error *err)
{
    char *folder;
    struct mlmodel_files beside;
    if (!run->artifact_count)
        return STATUS_OK;
    enum status status = rest_artifact_path(registry, begun->artifacts, &folder, err);
    if (status != STATUS_OK)
        return status;
    mlmodel_files_make(run, begun->run_id, &beside);
    for (size_t a = 0; a < run->artifact_count && status == STATUS_OK; a++)
        status = rest_upload(registry, folder, run->artifacts[a].path, run->artifacts[a].bytes, err);
    for (size_t f = 0; f < beside.count && status == STATUS_OK; f++) {
        const struct run_artifact file = mlmodel_files_at(&beside, f);
        status = rest_upload(registry, folder, file.path, file.bytes, err);
    }
    mlmodel_files_clear(&beside);
    free(folder);
    return status;
}

static enum status run_end(const struct registry *registry, const char *run_id, const char *outcome, int64_t ended_ms,
                           struct error *err)
{
    return rest_call(
        registry, HTTP_POST, "runs/update",
        json_pack("{s:s, s:s, s:I}", "run_id", run_id, "status", outcome, "end_time", (json_int_t)ended_ms), true, NULL,
        err);
}

static enum status run_fill(const struct registry *registry, const struct begun *begun, const struct run *run,
                            struct error *err)
{
    if (log_pairs(registry, begun->run_id, "tags", run->tags, run->tag_count, err) != STATUS_OK ||
        log_pairs(registry, begun->run_id, "params", run->params, run->param_count, err) != STATUS_OK ||
        log_metrics(registry, begun->run_id, run, err) != STATUS_OK ||
        upload_all(registry, begun, run, err) != STATUS_OK)
        return err->status;
    return run_end(registry, begun->run_id, "FINISHED", run->ended_ms, err);
}

/* In its experiment, which is made where there is none. begun_clear, whatever comes of it. */
static enum status run_open(const struct registry *registry, const struct run *run, struct begun *out,
                            struct error *err)
{
    char *experiment;
    *out = (struct begun){0};
    if (rest_experiment_ensure(registry, run->experiment, &experiment, err) != STATUS_OK)
        return err->status;
    enum status status = run_begin(registry, experiment, run, out, err);
    free(experiment);
    return status;
}

enum status rest_begin_run(struct registry *registry, const struct run *run, char **run_id, struct error *err)
{
    struct begun begun;
    enum status status = run_open(registry, run, &begun, err);
    if (status == STATUS_OK)
        *run_id = mem_text(begun.run_id);
    begun_clear(&begun);
    return status;
}

enum status rest_fail_run(const struct registry *registry, const char *run_id, struct error *err)
{
    return run_end(registry, run_id, "FAILED", clock_real_ms(&clock_system), err);
}

enum status rest_log_run(struct registry *registry, const struct run *run, char **run_id, struct error *err)
{
    struct begun begun;
    enum status status = run_open(registry, run, &begun, err);
    if (status == STATUS_OK && !begun.finished)
        status = run_fill(registry, &begun, run, err);
    if (status != STATUS_OK && begun.run_id && status != STATUS_UNAVAILABLE)
        (void)!rest_fail_run(registry, begun.run_id, ERROR_IGNORED); /* the failure is in err */
    if (status == STATUS_OK)
        *run_id = mem_text(begun.run_id);
    begun_clear(&begun);
    return status;
}

static void rest_read_run(const json_t *run, struct run_details *out)
{
    const json_t *info = json_object_get(run, "info"), *data = json_object_get(run, "data");
    const json_t *metrics = json_object_get(data, "metrics");
    *out = (struct run_details){.run_id = mem_text(rest_text(info, "run_id")),
                                .name = mem_text(rest_text(info, "run_name")),
                                .status = mem_text(rest_text(info, "status")),
                                .started_ms = rest_number(info, "start_time"),
                                .ended_ms = rest_number(info, "end_time")};
    rest_pairs(json_object_get(data, "params"), &out->param_keys, &out->param_values);
    rest_pairs(json_object_get(data, "tags"), &out->tag_keys, &out->tag_values);
    out->metric_values = mem_zeroed(json_array_size(metrics) + 1, sizeof *out->metric_values);
    for (size_t m = 0; m < json_array_size(metrics); m++) {
        const json_t *metric = json_array_get(metrics, m), *value = json_object_get(metric, "value");
        const char *text = json_string_value(value);
        out->metric_values[m] = text ? strtod(text, NULL) : json_number_value(value);
        text_list_add(&out->metric_keys, rest_text(metric, "key"));
    }
}

enum status rest_run(const struct registry *registry, const char *run_id, struct run_details *out, struct error *err)
{
    json_t *answer;
    if (rest_get_run(registry, run_id, &answer, err) != STATUS_OK)
        return err->status;
    rest_read_run(json_object_get(answer, "run"), out);
    json_decref(answer);
    return STATUS_OK;
}

enum status rest_run_of_key(const struct registry *registry, const char *experiment, const char *key,
                            struct run_details *out, struct error *err)
{
    char *id;
    json_t *found;
    enum status status = experiment_find(registry, experiment, &id, err);
    if (status != STATUS_OK)
        return status;
    status = run_find(registry, id, key, &found, err);
    free(id);
    if (status != STATUS_OK)
        return status;
    rest_read_run(found, out);
    json_decref(found);
    return STATUS_OK;
}

/* One page of an experiment's runs onto the list; *token, the caller's to free, is where the next one starts or NULL.
 */
static enum status add_page(const struct registry *registry, const char *experiment, struct run_list *list,
                            char **token, struct error *err)
{
    json_t *answer, *body = json_pack("{s:[s], s:i, s:[s]}", "experiment_ids", experiment, "max_results", PAGE_RUNS,
                                      "order_by", "attributes.start_time DESC");
    if (*token)
        json_object_set_new(body, "page_token", json_string(*token));
    free(*token);
    *token = NULL;
    if (rest_call(registry, HTTP_POST, "runs/search", body, true, &answer, err) != STATUS_OK)
        return err->status;
    const json_t *runs = json_object_get(answer, "runs");
    list->items = mem_resize(list->items, list->count + json_array_size(runs) + 1, sizeof *list->items);
    for (size_t r = 0; r < json_array_size(runs); r++)
        rest_read_run(json_array_get(runs, r), &list->items[list->count++]);
    const char *next = rest_text(answer, "next_page_token");
    *token = *next ? mem_text(next) : NULL;
    json_decref(answer);
    return STATUS_OK;
}

enum status rest_runs(const struct registry *registry, const char *experiment, struct run_list *out, struct error *err)
{
    char *id, *token = NULL;
    struct run_list list = {0};
    enum status status = experiment_find(registry, experiment, &id, err);
    if (status != STATUS_OK)
        return status;
    for (int page = 0; page < PAGES_MOST && status == STATUS_OK && (page == 0 || token); page++)
        status = add_page(registry, id, &list, &token, err);
    list.cut = token != NULL;
    free(token);
    free(id);
    if (status == STATUS_OK)
        *out = list;
    else
        run_list_clear(&list);
    return status;
}

struct point {
    int64_t step;
    double value;
};

static int by_step(const void *a, const void *b)
{
    int64_t left = ((const struct point *)a)->step, right = ((const struct point *)b)->step;
    return (left > right) - (left < right);
}

static void rest_read_series(const json_t *metrics, struct metric_series *out)
{
    size_t count = json_array_size(metrics);
    struct point *points = mem_zeroed(count + 1, sizeof *points);
    for (size_t v = 0; v < count; v++) {
        const json_t *metric = json_array_get(metrics, v), *value = json_object_get(metric, "value");
        const char *text = json_string_value(value);
        points[v] = (struct point){rest_number(metric, "step"), text ? strtod(text, NULL) : json_number_value(value)};
    }
    qsort(points, count, sizeof *points, by_step);
    *out = (struct metric_series){.steps = mem_zeroed(count + 1, sizeof *out->steps),
                                  .values = mem_zeroed(count + 1, sizeof *out->values),
                                  .count = count};
    for (size_t v = 0; v < count; v++) {
        out->steps[v] = points[v].step;
        out->values[v] = points[v].value;
    }
    free(points);
}

enum status rest_metric(const struct registry *registry, const char *run_id, const char *key, struct metric_series *out,
                        struct error *err)
{
    char most[16];
    json_t *answer;
    snprintf(most, sizeof most, "%d", PAGE_VALUES);
    char *path =
        rest_query("metrics/get-history", "run_id", run_id, "metric_key", key, "max_results", most, (char *)NULL);
    enum status status = rest_call(registry, HTTP_GET, path, NULL, true, &answer, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    rest_read_series(json_object_get(answer, "metrics"), out);
    json_decref(answer);
    return STATUS_OK;
}
