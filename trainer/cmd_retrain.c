/* trainer retrain: the prediction log's earlier dates train a model, its last one assesses it beside the version in
 * use, and it is registered as challenger. Called by main, on its only thread. It never moves the alias in use. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "registry/model_file.h"
#include "trainer/commands.h"
#include "trainer/findings.h"
#include "trainer/log_dates.h"
#include "trainer/log_table.h"
#include "trainer/print.h"
#include "trainer/train_run.h"

/* What is at hand while one is made. */
struct retraining {
    const struct options *options;
    const struct train_settings *settings;
    const struct run_labels *labels;
    struct schema *schema;
    struct registry *registry;
    struct buffer csv;
    struct buffer name;               /* of the data: the dates */
    size_t later_from, later_count;   /* rows */
    char *in_use_version;             /* NULL: there is none */
    struct pipeline *in_use_pipeline; /* likewise */
    struct evaluation in_use;
};

/* --- the table --- */

/* A label of the training period must have been known when the later one began, or it would know of it. */
static enum status check_dates(const struct log_dates *dates, int64_t horizon_us, struct error *err)
{
    if (dates->count < 2)
        return error_set(err, STATUS_INVALID,
                         "--as-of: give two dates or more: the last is the later period that the model is assessed "
                         "by, the others train it");
    const char *last = dates->items[dates->count - 1], *before = dates->items[dates->count - 2];
    if (log_date_ms(before) + horizon_us / 1000 > log_date_ms(last))
        return error_set(err, STATUS_INVALID,
                         "--as-of %s: its horizon ends after the last date (%s): its labels would know of the later "
                         "period: leave it out, or shorten --horizon",
                         before, last);
    return STATUS_OK;
}

static enum status read_dates(struct retraining *retraining, struct log_reader *rows, const struct log_dates *dates,
                              struct error *err)
{
    const struct log_table_rules rules = log_table_rules_of(retraining->options);
    enum status status = check_dates(dates, rules.horizon_us, err);
    log_table_header(retraining->schema, &retraining->csv);
    buffer_printf(&retraining->name, "prediction log as of ");
    for (size_t d = 0; d < dates->count && status == STATUS_OK; d++) {
        struct log_table_date date;
        bool last = d + 1 == dates->count;
        status = log_table_add(rows, retraining->schema, dates->items[d], &rules, &retraining->csv, &date, err);
        if (status != STATUS_OK)
            break;
        log_table_report(&date);
        *(last ? &retraining->later_count : &retraining->later_from) += date.rows[LOG_ROW_KEPT];
        buffer_printf(&retraining->name, "%s%s", last ? ", assessed as of " : d ? ", " : "", dates->items[d]);
    }
    buffer_add_u8(&retraining->name, '\0');
    if (status == STATUS_OK && (!retraining->later_from || !retraining->later_count))
        return error_set(err, STATUS_NOT_FOUND,
                         "no row is left %s: give dates (--as-of) at which records had been scored and whose horizon "
                         "has passed; of a history that was sent later: --known-since occurred",
                         retraining->later_from ? "of the later period" : "to train on");
    return status;
}

static enum status read_log(struct retraining *retraining, struct error *err)
{
    struct log_reader *rows;
    struct log_dates dates;
    const char *conninfo = options_text(retraining->options, OPTION_DATABASE_URL);
    enum status status = log_reader_open(conninfo, "attrition-retrain", &rows, err);
    if (status != STATUS_OK)
        return status;
    status = log_dates_read(retraining->options, rows, 2, &dates, err);
    if (status == STATUS_OK) {
        status = read_dates(retraining, rows, &dates, err);
        log_dates_clear(&dates);
    }
    log_reader_close(rows);
    return status;
}

/* The rows as the trainer reads a table, by a file that is nobody else's and gone afterwards. */
static enum status read_table(const struct retraining *retraining, struct table *out, struct error *err)
{
    const char *directory = getenv("TMPDIR");
    char *path = text_print("%s/attrition-log-XXXXXX", directory && *directory ? directory : "/tmp");
    int file = mkstemp(path);
    FILE *stream = file >= 0 ? fdopen(file, "w") : NULL;
    bool written = stream && fwrite(retraining->csv.data, 1, retraining->csv.bytes, stream) == retraining->csv.bytes;
    written &= stream && fclose(stream) == 0;
    enum status status = STATUS_OK;
    if (written)
        status =
            table_read(path, retraining->schema, 0, NULL, options_text(retraining->options, OPTION_EXCLUDE), out, err);
    else
        status = error_set(err, STATUS_IO, "cannot write the table to %.200s: %s: make room, or set TMPDIR", path,
                           strerror(errno));
    if (file >= 0)
        (void)unlink(path);
    free(path);
    return status;
}

/* Both periods have both classes, and no column gives the label away: such a model would be registered for nothing. */
static enum status check_table(const struct retraining *retraining, const struct table *table, struct error *err)
{
    size_t positives[2] = {0, 0};
    for (size_t r = 0; r < table->row_count; r++)
        positives[r >= retraining->later_from] += table->labels[r];
    for (size_t p = 0; p < 2; p++) {
        size_t rows = p ? retraining->later_count : retraining->later_from;
        if (positives[p] == 0 || positives[p] == rows)
            return error_set(err, STATUS_INVALID, "%s has one class alone (%zu exits in %zu rows): give other dates",
                             p ? "the later period" : "the training period", positives[p], rows);
    }
    if (findings_warn(table, retraining->name.data))
        return error_set(err, STATUS_INVALID,
                         "a column gives the label away, so nothing is trained: see the warning, and leave it out with "
                         "--exclude");
    return STATUS_OK;
}

/* --- the version in use --- */

static enum status load_in_use(struct retraining *retraining, struct error *err)
{
    const struct options *options = retraining->options;
    struct model_version version;
    struct buffer file = {0};
    const char *name = options_text(options, OPTION_MODEL_NAME), *alias = options_text(options, OPTION_ALIAS);
    enum status status = registry_alias(retraining->registry, name, alias, &retraining->in_use_version, err);
    if (status == STATUS_NOT_FOUND) {
        log_warn("trainer", "%s@%s points at no version: there is nothing to compare with", name, alias);
        return STATUS_OK;
    }
    char *uri = text_print("models:/%s/%s", name, retraining->in_use_version ? retraining->in_use_version : "");
    if (status == STATUS_OK)
        status = registry_resolve(retraining->registry, uri, &version, err);
    free(uri);
    if (status != STATUS_OK)
        return status;
    status = registry_read(retraining->registry, &version, &file, err);
    if (status == STATUS_OK)
        status = model_file_load(retraining->schema, buffer_span(&file), NULL, NULL, &retraining->in_use_pipeline, err);
    buffer_free(&file);
    model_version_clear(&version);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "the version in use (%s@%s)", name, alias);
}

/* The version in use on the later period; by its own threshold. */
static enum status assess_in_use(struct retraining *retraining, const struct table *table, struct error *err)
{
    size_t count = retraining->later_count, unscored = 0;
    double *probabilities = mem_zeroed(count, sizeof *probabilities);
    uint32_t *rows = mem_zeroed(count, sizeof *rows);
    evaluation_predict(retraining->in_use_pipeline, table, retraining->later_from, count, probabilities);
    for (size_t r = 0; r < count; r++) {
        rows[r] = (uint32_t)(retraining->later_from + r);
        unscored += probabilities[r] != probabilities[r];
    }
    retraining->in_use.schema = table->schema;
    retraining->in_use.threshold = pipeline_threshold(retraining->in_use_pipeline);
    if (!unscored)
        evaluation_hold_out(table, rows, count, probabilities, NULL, retraining->settings->seed, &retraining->in_use);
    free(probabilities);
    free(rows);
    if (unscored)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the version in use gives %zu of %zu rows of the later period no score: nothing to compare",
                         unscored, count);
    return STATUS_OK;
}

/* --- the whole --- */

static enum status register_challenger(const struct retraining *retraining, const struct training *training,
                                       struct error *err)
{
    const struct options *options = retraining->options;
    struct registered registered;
    const struct destination destination = {.experiment = options_text(options, OPTION_EXPERIMENT),
                                            .keep_dir = options_text(options, OPTION_KEEP_DIR),
                                            .name = options_text(options, OPTION_MODEL_NAME),
                                            .alias = options_text(options, OPTION_CHALLENGER_ALIAS),
                                            .promote = true};
    enum status status = register_training(retraining->registry, training, &destination, &registered, err);
    if (status != STATUS_OK)
        return status;
    print_registered(retraining->registry, &destination, &registered);
    printf("alias %s stays as it is: `registry promote %s %s --alias %s --replay 10000` shows what would change\n",
           options_text(options, OPTION_ALIAS), destination.name, registered.version,
           options_text(options, OPTION_ALIAS));
    registered_clear(&registered);
    return STATUS_OK;
}

static enum status retrain_on(struct retraining *retraining, const struct table *table, int64_t started_ms,
                              struct error *err)
{
    struct train_run run;
    struct training training = {.data_path = retraining->name.data,
                                .table = table,
                                .settings = retraining->settings,
                                .labels = retraining->labels,
                                .started_ms = started_ms,
                                .in_use_version = retraining->in_use_version};
    if (check_table(retraining, table, err) != STATUS_OK)
        return err->status;
    if (retraining->in_use_pipeline && assess_in_use(retraining, table, err) != STATUS_OK)
        return err->status;
    enum status status = train_run_make(retraining->options, retraining->later_from, &training, &run, err);
    if (retraining->in_use_pipeline)
        training.in_use = &retraining->in_use.held_out;
    if (status == STATUS_OK) {
        print_training(&training);
        if (training.in_use)
            print_beside(&training);
        status = register_challenger(retraining, &training, err);
    }
    train_run_clear(&run);
    return status;
}

static enum status check_names(const struct options *options, struct error *err)
{
    const char *alias = options_text(options, OPTION_CHALLENGER_ALIAS);
    if (strcmp(alias, options_text(options, OPTION_ALIAS)) == 0)
        return error_set(err, STATUS_INVALID,
                         "--challenger-alias %s is the alias in use (--alias), which retrain never moves: give another",
                         alias);
    return registry_check_names(options_text(options, OPTION_EXPERIMENT), options_text(options, OPTION_MODEL_NAME),
                                alias, err);
}

static enum status retrain(struct retraining *retraining, struct error *err)
{
    const struct options *options = retraining->options;
    int64_t started_ms = clock_real_ms(&clock_system);
    struct table table;
    enum status status = check_names(options, err);
    if (status == STATUS_OK)
        status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &retraining->schema, err);
    if (status == STATUS_OK)
        status = registry_open_options(options, &retraining->registry, err);
    if (status == STATUS_OK)
        status = load_in_use(retraining, err);
    if (status == STATUS_OK)
        status = read_log(retraining, err);
    if (status == STATUS_OK)
        status = read_table(retraining, &table, err);
    if (status != STATUS_OK)
        return status;
    status = retrain_on(retraining, &table, started_ms, err);
    table_free(&table);
    return status;
}

static enum status retrain_once(const struct options *options, const struct train_settings *settings,
                                const struct run_labels *labels, struct error *err)
{
    struct retraining retraining = {.options = options, .settings = settings, .labels = labels};
    enum status status = retrain(&retraining, err);
    evaluation_clear(&retraining.in_use);
    pipeline_free(retraining.in_use_pipeline);
    free(retraining.in_use_version);
    registry_close(retraining.registry);
    schema_free(retraining.schema);
    buffer_free(&retraining.csv);
    buffer_free(&retraining.name);
    return status;
}

int command_retrain(const struct options *options)
{
    return train_command(options, retrain_once);
}
