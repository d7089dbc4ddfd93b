/* Trials as nested runs: see search_runs.h. Called by search.c's rounds, on the trainer's only thread. A trial's key
 * follows from the search's, so a run of it that was begun is ended and never doubled. */
#include "trainer/search_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "registry/registry.h"
#include "trainer/kinds/kinds.h"

#define FAILED_TAG "search.failed"

enum { PAIRS = 12, TEXT_BYTES = 64, METRICS = METRIC_COUNT + 2 };

struct search_runs {
    struct registry *registry;
    struct search *search;
    const struct options *options;
    const char *experiment;
    char *parent; /* id of the run that trials are nested in */
    int64_t started_ms;
};

/* --- keys --- */

static void key_of(const char *text, char out[RUN_KEY_BYTES])
{
    char sha256[SHA256_HEX_BYTES];
    sha256_hex(span_of(text), sha256);
    memcpy(out, sha256, RUN_KEY_BYTES - 1);
    out[RUN_KEY_BYTES - 1] = '\0';
}

/* Where a search is recorded, and all that its runs' parameters and figures depend on, as text. */
static void describe_search(const struct search_runs *runs, const struct table *table, struct buffer *out)
{
    const struct search *search = runs->search;
    const char *null_values = options_text(runs->options, OPTION_NULL_VALUES);
    const struct train_settings *settings = &search->trials[0].settings;
    struct train_settings_param params[TRAIN_SETTINGS_PARAM_MOST];
    char texts[TRAIN_SETTINGS_PARAM_MOST][TRAIN_SETTINGS_TEXT_BYTES], rule[THRESHOLD_TEXT_BYTES];
    size_t count = train_settings_params(settings, 0, params, texts);
    threshold_describe(&settings->threshold, rule);
    buffer_printf(out, "%s\n%s\n%s %s %zu %zu %s %s", runs->experiment, null_values ? null_values : "", table->sha256,
                  table->schema->digest, table->row_count, table->positive_count, VERSION, settings->kind->name);
    for (size_t p = 0; p < count; p++)
        buffer_printf(out, " %s=%s", params[p].name, params[p].value);
    for (size_t r = 0; r < search->range_count; r++)
        buffer_printf(out, " %s", search->ranges[r]->param);
    buffer_printf(out, " %zu %llu %u %.17g %s %s ", search->trial_count, (unsigned long long)settings->seed,
                  settings->fold_count, settings->test_share, train_settings_calibration(settings->calibration), rule);
    buffer_printf(out, "%lld %lld ", (long long)options_integer(runs->options, OPTION_FOLDS),
                  (long long)options_integer(runs->options, OPTION_REPEATS));
    table_name_excluded(table, out);
}

/* STATUS_NOT_FOUND: no finished run has that key. */
static enum status find_finished(const struct search_runs *runs, const char *key, struct run_details *out,
                                 struct error *err)
{
    enum status status = registry_run_of_key(runs->registry, runs->experiment, key, out, err);
    if (status == STATUS_OK && strcmp(out->status, "FINISHED") != 0) {
        status = error_set(err, STATUS_NOT_FOUND, "run %.32s has not finished", out->run_id);
        run_details_clear(out);
    }
    return status;
}

/* STATUS_NOT_FOUND: the search of that key has no version yet; there is something left to do. */
static enum status find_registered(const struct search_runs *runs, const char *key, struct error *err)
{
    struct run_details found;
    char *version = NULL;
    enum status status = find_finished(runs, key, &found, err);
    if (status != STATUS_OK)
        return status;
    status = registry_version_of_run(runs->registry, options_text(runs->options, OPTION_MODEL_NAME), found.run_id,
                                     &version, err);
    run_details_clear(&found);
    free(version);
    return status;
}

/* The first key of the search's text, with a number, whose run no version was made of. */
static enum status choose_key(const struct table *table, struct search_runs *runs, struct error *err)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;
    for (unsigned number = 0; status == STATUS_OK; number++) {
        buffer_clear(&text);
        describe_search(runs, table, &text);
        buffer_printf(&text, " %u", number);
        key_of(text.data, runs->search->key);
        status = find_registered(runs, runs->search->key, err);
    }
    buffer_free(&text);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void trial_key(const struct search_runs *runs, const struct trial *trial, char out[RUN_KEY_BYTES])
{
    char text[RUN_KEY_BYTES + TEXT_BYTES];
    snprintf(text, sizeof text, "%s %zu %zu", runs->search->key, trial->number, trial->round);
    key_of(text, out);
}

/* --- reading back --- */

static double details_metric(const struct run_details *details, const char *key)
{
    long at = run_details_metric(details, key);
    return at < 0 ? NAN : details->metric_values[at];
}

static enum status trial_read(void *context, struct trial *trial, struct error *err)
{
    const struct search_runs *runs = context;
    char key[RUN_KEY_BYTES];
    double values[METRIC_COUNT];
    struct run_details found;
    trial_key(runs, trial, key);
    enum status status = find_finished(runs, key, &found, err);
    if (status != STATUS_OK)
        return status;
    for (size_t m = 0; m < METRIC_COUNT; m++)
        values[m] = details_metric(&found, metric_names[m]);
    trial->metrics = metrics_of(values);
    trial->log_loss =
        (struct interval){details_metric(&found, "log_loss_low"), details_metric(&found, "log_loss_high")};
    const char *failed = run_details_tag(&found, FAILED_TAG);
    if (failed)
        (void)error_set(&trial->err, STATUS_INVALID, "%s", failed);
    run_details_clear(&found);
    return STATUS_OK;
}

/* --- recording --- */

struct trial_texts {
    char key[RUN_KEY_BYTES], name[TEXT_BYTES], number[TEXT_BYTES], round[TEXT_BYTES], rows[TEXT_BYTES];
    char values[TRAIN_SETTINGS_PARAM_MOST][TRAIN_SETTINGS_TEXT_BYTES];
    struct train_settings_param params[TRAIN_SETTINGS_PARAM_MOST];
};

static size_t list_trial_metrics(const struct trial *trial, struct run_metric *out)
{
    size_t count = 0;
    if (isnan(trial->metrics.log_loss))
        return 0;
    for (size_t m = 0; m < METRIC_COUNT; m++)
        if (isfinite(metric_value(&trial->metrics, m)))
            out[count++] = (struct run_metric){metric_names[m], metric_value(&trial->metrics, m), 0};
    if (isfinite(trial->log_loss.low)) {
        out[count++] = (struct run_metric){"log_loss_low", trial->log_loss.low, 0};
        out[count++] = (struct run_metric){"log_loss_high", trial->log_loss.high, 0};
    }
    return count;
}

static size_t list_trial_tags(const struct search_runs *runs, const struct trial *trial,
                              const struct trial_texts *texts, struct run_pair *out)
{
    size_t count = 0;
    out[count++] = (struct run_pair){"mlflow.parentRunId", runs->parent};
    out[count++] = (struct run_pair){"mlflow.runName", texts->name};
    out[count++] = (struct run_pair){"mlflow.source.name", "trainer"};
    out[count++] = (struct run_pair){"mlflow.source.type", "LOCAL"};
    out[count++] = (struct run_pair){"search.trial", texts->number};
    out[count++] = (struct run_pair){"search.round", texts->round};
    out[count++] = (struct run_pair){"model.kind", trial->settings.kind->name};
    if (isnan(trial->metrics.log_loss))
        out[count++] = (struct run_pair){FAILED_TAG, trial->err.text};
    return count;
}

static size_t list_trial_params(const struct trial *trial, struct trial_texts *texts, struct run_pair *out)
{
    size_t count = 0, params = train_settings_params(&trial->settings, 0, texts->params, texts->values);
    out[count++] = (struct run_pair){"model", trial->settings.kind->name};
    out[count++] = (struct run_pair){"rows", texts->rows};
    for (size_t p = 0; p < params; p++)
        out[count++] = (struct run_pair){texts->params[p].name, texts->params[p].value};
    return count;
}

static enum status trial_write(void *context, const struct trial *trial, struct error *err)
{
    struct search_runs *runs = context;
    struct trial_texts texts;
    struct run_pair tags[PAIRS], params[PAIRS + TRAIN_SETTINGS_PARAM_MOST];
    struct run_metric metrics[METRICS];
    char *run_id;
    trial_key(runs, trial, texts.key);
    snprintf(texts.name, sizeof texts.name, "trial %zu, round %zu", trial->number, trial->round + 1);
    snprintf(texts.number, sizeof texts.number, "%zu", trial->number);
    snprintf(texts.round, sizeof texts.round, "%zu", trial->round + 1);
    snprintf(texts.rows, sizeof texts.rows, "%zu", trial->rows);
    const struct run run = {.experiment = runs->experiment,
                            .run_name = texts.name,
                            .key = texts.key,
                            .started_ms = runs->started_ms,
                            .ended_ms = clock_real_ms(&clock_system),
                            .tags = tags,
                            .tag_count = list_trial_tags(runs, trial, &texts, tags),
                            .params = params,
                            .param_count = list_trial_params(trial, &texts, params),
                            .metrics = metrics,
                            .metric_count = list_trial_metrics(trial, metrics)};
    enum status status = registry_log_run(runs->registry, &run, &run_id, err);
    if (status != STATUS_OK)
        return error_prefix(err, "trial %zu was not recorded (the same command goes on from here)", trial->number);
    free(run_id);
    runs->started_ms = run.ended_ms;
    return STATUS_OK;
}

enum status search_runs_open(const struct options *options, const struct table *table, struct search *search,
                             struct search_runs **out, struct trial_store *store, struct error *err)
{
    struct search_runs *runs = *out = mem_zeroed(1, sizeof *runs);
    runs->options = options;
    runs->search = search;
    runs->experiment = options_text(options, OPTION_EXPERIMENT);
    runs->started_ms = clock_real_ms(&clock_system);
    enum status status = registry_open_options(options, &runs->registry, err);
    if (status == STATUS_OK)
        status = choose_key(table, runs, err);
    if (status != STATUS_OK)
        return status;
    const struct run parent = {.experiment = runs->experiment,
                               .run_name = search->trials[0].settings.kind->name,
                               .key = search->key,
                               .started_ms = runs->started_ms};
    *store = (struct trial_store){trial_read, trial_write, runs};
    return registry_begin_run(runs->registry, &parent, &runs->parent, err);
}

void search_runs_fail(struct search_runs *runs)
{
    if (runs && runs->parent)
        (void)!registry_fail_run(runs->registry, runs->parent, ERROR_IGNORED); /* the caller reports the failure */
}

void search_runs_close(struct search_runs *runs)
{
    if (!runs)
        return;
    registry_close(runs->registry);
    free(runs->parent);
    free(runs);
}
