/* Run, version and alias: see register.h. Called once, last, when the model has proved itself. It writes in this order,
 * so that whatever it is stopped at, the alias names a whole version or none. */
#include "trainer/kinds/kinds.h"
#include "trainer/register.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/evaluation_json.h"
#include "pipeline/contract.h"
#include "trainer/report/report.h"
#include "trainer/search_runs.h"

enum { PAIR_MOST = 32 + RUN_LABELS_TAGS_MOST };

/* Pairs whose values are made here; the keys are literals. */
struct pairs {
    struct run_pair items[PAIR_MOST];
    size_t count;
    struct arena texts;
};

static void pairs_add(struct pairs *pairs, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
static void pairs_add(struct pairs *pairs, const char *key, const char *format, ...)
{
    char text[RUN_LABELS_TEXT_MOST + 1];
    va_list args;
    va_start(args, format);
    text_vprint(text, sizeof text, format, args);
    va_end(args); /* a file's or user's name may be any bytes; MLflow takes UTF-8 */
    assert(pairs->count < PAIR_MOST);
    pairs->items[pairs->count++] = (struct run_pair){key, arena_text(&pairs->texts, text, strlen(text))};
}

static void add_excluded(const struct table *table, struct pairs *out)
{
    struct buffer names = {0};
    table_name_excluded(table, &names);
    if (names.bytes)
        pairs_add(out, "exclude", "%.*s", (int)names.bytes, names.data);
    buffer_free(&names);
}

static void add_params(const struct training *training, struct pairs *out)
{
    const struct train_settings *settings = training->settings;
    const struct evaluation *evaluation = training->evaluation;
    struct train_settings_param params[TRAIN_SETTINGS_PARAM_MOST];
    char texts[TRAIN_SETTINGS_PARAM_MOST][TRAIN_SETTINGS_TEXT_BYTES], rule[THRESHOLD_TEXT_BYTES];
    size_t count = train_settings_params(settings, training->model->chosen, params, texts);
    pairs_add(out, "model", "%s", settings->kind->name);
    for (size_t p = 0; p < count; p++)
        pairs_add(out, params[p].name, "%s", params[p].value);
    pairs_add(out, "calibrate", "%s", train_settings_calibration(settings->calibration));
    add_excluded(training->table, out);
    threshold_describe(&settings->threshold, rule);
    if (training->search)
        pairs_add(out, "search", "%zu", training->search->trial_count);
    pairs_add(out, "seed", "%llu", (unsigned long long)settings->seed);
    pairs_add(out, "folds", "%zu", evaluation->fold_count);
    pairs_add(out, "repeats", "%zu", evaluation->repeat_count);
    pairs_add(out, "test_size", "%.15g", settings->test_share);
    pairs_add(out, "threshold_rule", "%s", rule);
    pairs_add(out, "threshold", "%.15g", evaluation->threshold);
    pairs_add(out, "rows", "%zu", training->table->row_count);
    pairs_add(out, "rows_left_out", "%zu", training->table->left_out);
    pairs_add(out, "positive_rows", "%zu", training->table->positive_count);
}

/* What identifies a version: the tags of the run and of the version. */
static void add_identity(const struct training *training, struct pairs *out)
{
    char sha256[SHA256_HEX_BYTES];
    sha256_hex(training->file, sha256);
    pairs_add(out, "data.sha256", "%s", training->table->sha256);
    pairs_add(out, "data.rows", "%zu", training->table->row_count);
    pairs_add(out, "model.kind", "%s", training->settings->kind->name);
    pairs_add(out, MODEL_SHA256_TAG, "%s", sha256);
    pairs_add(out, "schema.digest", "%s", training->table->schema->digest);
    pairs_add(out, "threshold", "%.15g", training->evaluation->threshold);
    pairs_add(out, "trainer.version", "%s", VERSION);
}

/* The feature contract, from the file itself: loading is what binds its inputs. */
static enum status add_contract(const struct training *training, struct pairs *out, struct error *err)
{
    struct pipeline *pipeline;
    const struct schema *schema = training->table->schema;
    const struct pipeline_options options = {.scores_only = true};
    if (pipeline_load(training->file, schema->columns, schema->column_count, &options, &pipeline, err) != STATUS_OK)
        return err->status;
    const char *columns = pipeline_contract_columns(pipeline);
    assert(out->count + 2 <= PAIR_MOST);
    pairs_add(out, CONTRACT_TAG, "%s", pipeline_contract(pipeline));
    if (strlen(columns) <= CONTRACT_TEXT_MAX)
        out->items[out->count++] =
            (struct run_pair){CONTRACT_COLUMNS_TAG, arena_text(&out->texts, columns, strlen(columns))};
    pipeline_free(pipeline);
    return STATUS_OK;
}

static const char *run_name(const struct training *training)
{
    return training->labels->name ? training->labels->name : training->settings->kind->name;
}

static void add_run_tags(const struct training *training, struct pairs *out)
{
    const char *user = getenv("USER"), *slash = strrchr(training->data_path, '/');
    if (training->evaluation->repeat_count)
        pairs_add(out, "folds.sha256", "%s", training->evaluation->folds_sha256);
    if (training->search)
        pairs_add(out, SEARCH_KEY_TAG, "%s", training->search->key);
    pairs_add(out, "data.name", "%s", slash ? slash + 1 : training->data_path);
    pairs_add(out, "mlflow.runName", "%s", run_name(training));
    if (training->labels->description)
        pairs_add(out, "mlflow.note.content", "%s", training->labels->description);
    for (size_t t = 0; t < training->labels->tag_count; t++)
        pairs_add(out, training->labels->tags[t].key, "%s", training->labels->tags[t].value);
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
static const char *const low_names[METRIC_COUNT] = {
#define LOW_NAME(name, help) #name "_low",
    METRIC_TABLE(LOW_NAME)
#undef LOW_NAME
};
static const char *const high_names[METRIC_COUNT] = {
#define HIGH_NAME(name, help) #name "_high",
    METRIC_TABLE(HIGH_NAME)
#undef HIGH_NAME
};
static const char *const test_names[METRIC_COUNT] = {
#define TEST_NAME(name, help) "test_" #name,
    METRIC_TABLE(TEST_NAME)
#undef TEST_NAME
};

static const char *const in_use_names[METRIC_COUNT] = {
#define IN_USE_NAME(name, help) "in_use_" #name,
    METRIC_TABLE(IN_USE_NAME)
#undef IN_USE_NAME
};

struct metric_list {
    struct run_metric *items;
    size_t count;
};

/* A figure that is not known is left out. */
static void metric_list_add(struct metric_list *list, const char *key, double value, size_t step)
{
    if (isfinite(value))
        list->items[list->count++] = (struct run_metric){key, value, (int64_t)step};
}

/* Yours to free: items. Folds are the steps of fold_NAME. */
static struct metric_list list_metrics(const struct training *training)
{
    const struct evaluation *evaluation = training->evaluation;
    const struct assessment *assessment = evaluation_main(evaluation), *held_out = &evaluation->held_out;
    size_t fits = evaluation->fold_count * evaluation->repeat_count;
    struct metric_list list = {.items = mem_zeroed(METRIC_COUNT * (fits + 5) + 6, sizeof *list.items)};
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        metric_list_add(&list, metric_names[m], metric_value(&assessment->metrics, m), 0);
        metric_list_add(&list, low_names[m], assessment->intervals[m].low, 0);
        metric_list_add(&list, high_names[m], assessment->intervals[m].high, 0);
        if (held_out->count)
            metric_list_add(&list, test_names[m], metric_value(&held_out->metrics, m), 0);
        if (training->in_use)
            metric_list_add(&list, in_use_names[m], metric_value(&training->in_use->metrics, m), 0);
        for (size_t f = 0; f < fits; f++)
            metric_list_add(&list, fold_names[m], metric_value(&evaluation->folds[f], m), f);
    }
    metric_list_add(&list, "calibration_error", assessment->calibration.expected_error, 0);
    if (assessment->uncalibrated.bin_count)
        metric_list_add(&list, "uncalibrated_error", assessment->uncalibrated.expected_error, 0);
    metric_list_add(&list, "flip_test", flips_most(&evaluation->flips), 0);
    metric_list_add(&list, "calibration_slope", assessment->calibration.slope, 0);
    metric_list_add(&list, "calibration_intercept", assessment->calibration.intercept, 0);
    return list;
}

/* kept: NULL, or the note of a run that is kept because its server is unavailable. */
static enum status register_log_run(struct registry *registry, const struct training *training,
                                    const struct destination *destination, const char *key, const struct run_kept *kept,
                                    char **run_id, struct error *err)
{
    struct pairs params = {0}, tags = {0};
    struct metric_list metrics = list_metrics(training);
    add_params(training, &params);
    add_identity(training, &tags);
    add_run_tags(training, &tags);
    if (kept && add_contract(training, &tags, ERROR_IGNORED) != STATUS_OK)
        kept = NULL; /* the file was loaded before: this cannot be */
    struct buffer evaluation = {0};
    evaluation_write_json(training->evaluation, &evaluation);
    struct report report;
    struct run_artifact artifacts[2 + REPORT_MOST] = {{"model/model.onnx", training->file},
                                                      {"evaluation.json", buffer_span(&evaluation)}};
    report_make(training, &report);
    for (size_t f = 0; f < report.count; f++)
        artifacts[2 + f] = (struct run_artifact){report.files[f].path, buffer_span(&report.files[f].bytes)};
    const struct run run = {.experiment = destination->experiment,
                            .key = key,
                            .kept = kept,
                            .run_name = run_name(training),
                            .started_ms = training->started_ms,
                            .ended_ms = training->ended_ms,
                            .params = params.items,
                            .param_count = params.count,
                            .tags = tags.items,
                            .tag_count = tags.count,
                            .metrics = metrics.items,
                            .metric_count = metrics.count,
                            .artifacts = artifacts,
                            .artifact_count = 2 + report.count};
    enum status status = registry_log_run(registry, &run, run_id, err);
    report_clear(&report);
    buffer_free(&evaluation);
    free(metrics.items);
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

/* The server became unavailable in mid-run: what it was to get is kept in a directory, under the same key. Returns the
 * failure, which stays one: nothing was registered. */
static enum status keep_run(const char *url, const struct training *training, const struct destination *destination,
                            const char *key, struct error *err)
{
    struct registry *directory;
    struct error kept_err;
    char *run_id = NULL;
    const struct run_kept kept = {
        .to = url, .name = destination->name, .alias = destination->alias, .promote = destination->promote};
    enum status status = registry_open(destination->keep_dir, &directory, &kept_err);
    if (status == STATUS_OK) {
        status = register_log_run(directory, training, destination, key, &kept, &run_id, &kept_err);
        registry_close(directory);
    }
    char *why = mem_text(err->text);
    if (status == STATUS_OK)
        (void)error_set(err, STATUS_UNAVAILABLE,
                        "%.260s; the run is kept in %.100s: `registry sync %.60s` sends it when the server is back",
                        why, destination->keep_dir, destination->keep_dir);
    else
        (void)error_set(err, STATUS_UNAVAILABLE, "%.220s; nor could the run be kept: %.240s", why, kept_err.text);
    free(why);
    free(run_id);
    return STATUS_UNAVAILABLE;
}

enum status register_training(struct registry *registry, const struct training *training,
                              const struct destination *destination, struct registered *out, struct error *err)
{
    char key[RUN_KEY_BYTES];
    struct registered registered = {0};
    struct pairs tags = {0};
    add_identity(training, &tags);
    run_draw_key(key);
    if (training->search)
        memcpy(key, training->search->key, sizeof key);
    enum status status = add_contract(training, &tags, err);
    if (status == STATUS_OK)
        status = register_log_run(registry, training, destination, key, NULL, &registered.run_id, err);
    if (status == STATUS_OK)
        status = registry_create_version(registry, destination->name, registered.run_id, tags.items, tags.count,
                                         &registered.version, err);
    if (status == STATUS_OK)
        status = settle_alias(registry, destination, &registered, err);
    arena_free(&tags.texts);
    if (status == STATUS_UNAVAILABLE && registry_is_server(registry))
        status = keep_run(registry_root(registry), training, destination, key, err);
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
