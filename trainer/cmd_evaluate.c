/* trainer evaluate: an existing model's figures on a labelled table. Called by main, on its only thread. It evaluates
 * by the model's own threshold or a given one: a threshold chosen on these very rows would flatter the model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "pipeline/pipeline.h"
#include "registry/model_file.h"
#include "trainer/commands.h"
#include "trainer/dependence.h"
#include "trainer/evaluation_json.h"
#include "trainer/fold.h"
#include "trainer/permutation.h"
#include "trainer/print.h"

static enum status read_threshold(const struct options *options, const struct pipeline *pipeline,
                                  struct evaluation *out, struct error *err)
{
    out->rule = (struct threshold_rule){THRESHOLD_GIVEN, pipeline_threshold(pipeline)};
    if (options_given(options, OPTION_THRESHOLD)) {
        if (threshold_parse(options_text(options, OPTION_THRESHOLD), &out->rule, err) != STATUS_OK)
            return err->status;
        if (out->rule.kind != THRESHOLD_GIVEN)
            return error_set(err, STATUS_INVALID,
                             "--threshold: evaluate takes a number; a threshold chosen on the rows that it is assessed "
                             "by flatters the model");
    }
    out->threshold = out->rule.value;
    return STATUS_OK;
}

static void warn_if_known(const struct pipeline *pipeline, const struct table *table)
{
    const char *digest = pipeline_metadata(pipeline, "attrition.data_sha256");
    if (digest && strcmp(digest, table->sha256) == 0)
        log_warn("trainer", "the model was trained on this very table: its figures here flatter it; those of its "
                            "cross-validation are in its run");
}

static void evaluate_columns(const struct options *options, const struct pipeline *pipeline, const struct table *table,
                             const uint32_t *rows, struct evaluation *out)
{
    const struct predictor predictor = predictor_of_file(pipeline);
    size_t times = (size_t)options_integer(options, OPTION_PERMUTATIONS), threads = train_settings_threads(options);
    if (times == 0)
        return;
    permutation_measure(&predictor, table, rows, table->row_count, times,
                        (uint64_t)options_integer(options, OPTION_SEED), threads, out);
    dependence_measure(&predictor, table, rows, table->row_count, threads, out);
}

static enum status evaluate_table(const struct options *options, struct span file, const struct table *table,
                                  struct error *err)
{
    struct pipeline *pipeline;
    struct evaluation evaluation = {.schema = table->schema};
    if (model_file_load(table->schema, file, NULL, NULL, &pipeline, err) != STATUS_OK)
        return err->status;
    enum status status = read_threshold(options, pipeline, &evaluation, err);
    if (status == STATUS_OK) {
        double *probabilities = mem_zeroed(table->row_count, sizeof *probabilities);
        uint32_t *rows = mem_zeroed(table->row_count, sizeof *rows);
        for (size_t r = 0; r < table->row_count; r++)
            rows[r] = (uint32_t)r;
        warn_if_known(pipeline, table);
        evaluation_predict(pipeline, table, 0, table->row_count, probabilities);
        evaluation_hold_out(table, rows, table->row_count, probabilities, NULL,
                            (uint64_t)options_integer(options, OPTION_SEED), &evaluation);
        evaluate_columns(options, pipeline, table, rows, &evaluation);
        const struct fold_rows all = {.training = rows, .training_count = table->row_count};
        status = evaluation_explain(file, table, &all, train_settings_threads(options), &evaluation, err);
        free(probabilities);
        free(rows);
    }
    pipeline_free(pipeline);
    if (status == STATUS_OK && options_flag(options, OPTION_TRAINER_JSON)) {
        struct buffer text = {0};
        evaluation_write_json(&evaluation, &text);
        fwrite(text.data, 1, text.bytes, stdout);
        buffer_free(&text);
    } else if (status == STATUS_OK) {
        print_evaluation(&evaluation, "rows of the table");
    }
    evaluation_clear(&evaluation);
    return status;
}

static enum status evaluate_read_model(const struct options *options, struct buffer *file, struct error *err)
{
    struct registry *registry;
    struct model_version version;
    if (registry_open_options(options, &registry, err) != STATUS_OK)
        return err->status;
    enum status status = registry_resolve(registry, options_argument(options, 0), &version, err);
    if (status == STATUS_OK) {
        status = registry_read(registry, &version, file, err);
        model_version_clear(&version);
    }
    registry_close(registry);
    return status;
}

enum status command_evaluate(const struct options *options, struct error *err)
{
    struct schema *schema;
    struct table table;
    struct buffer file = {0};
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err) != STATUS_OK)
        return err->status;
    enum status status = evaluate_read_model(options, &file, err);
    if (status == STATUS_OK)
        status = table_read(options_argument(options, 1), schema, options_integer(options, OPTION_TRAIN_MAX_REJECTS),
                            options_text(options, OPTION_NULL_VALUES), NULL, &table, err);
    if (status == STATUS_OK) {
        status = evaluate_table(options, buffer_span(&file), &table, err);
        table_free(&table);
    }
    buffer_free(&file);
    schema_free(schema);
    return status;
}
