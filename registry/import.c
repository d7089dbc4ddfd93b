/* registry import: a model that somebody else trained becomes a version. Called by main on its only thread.
 *
 * The file is compiled against the schema as the scorer does it, so what the scorer would refuse is refused here. What
 * is added (golden rows, a reference, the positive class) goes into the file's metadata, everything else in it stays
 * byte for byte; the result is loaded once more before anything is registered. Registering writes run, version and
 * alias in this order, each whole or not at all. */
#include "registry/import.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "pipeline/onnx/onnx_limits.h"
#include "pipeline/onnx/onnx_metadata.h"
#include "registry/commands.h"
#include "registry/model_file.h"
#include "registry/registry.h"

enum { PROPERTY_MOST = 4, TAG_MOST = 16 };

struct import {
    const char *path;
    struct schema *schema;
    struct buffer source, file; /* as given, as registered */
    struct pipeline *pipeline;  /* of the latter */
    int64_t started_ms;
};

static enum status reference_make(struct import *import, const char *path, const struct pipeline *pipeline,
                                  struct buffer *out, struct error *err)
{
    struct import_rows rows = {0};
    if (import_background(path, import->schema, &rows, err) != STATUS_OK)
        return err->status;
    enum status status = pipeline_reference(pipeline, rows.cells, rows.count, out, err);
    if (status != STATUS_OK)
        status = error_prefix(err, "%.200s", path);
    if (status == STATUS_OK)
        status = import_side(path, &rows, import->schema->column_count, pipeline, err);
    import_rows_free(&rows);
    return status;
}

/* The file with what the options add to it. */
static enum status metadata_add(struct import *import, const struct options *options, const struct pipeline *pipeline,
                                struct error *err)
{
    const char *golden_path = options_text(options, OPTION_GOLDEN),
               *label = options_text(options, OPTION_POSITIVE_LABEL), *columns = options_text(options, OPTION_COLUMNS);
    const char *background_path = options_text(options, OPTION_BACKGROUND);
    struct model_property properties[PROPERTY_MOST];
    size_t count = 0;
    struct buffer golden = {0}, reference = {0};
    enum status status = STATUS_OK;
    if (label)
        properties[count++] = (struct model_property){"attrition.positive_label", span_of(label)};
    if (columns)
        properties[count++] = (struct model_property){"attrition.columns", span_of(columns)};
    if (golden_path) {
        status = import_golden(golden_path, options_word(options, OPTION_GOLDEN_FROM) == GOLDEN_FROM_FILE,
                               import->schema, pipeline, &golden, err);
        properties[count++] = (struct model_property){"attrition.golden", buffer_span(&golden)};
    }
    if (status == STATUS_OK && background_path) {
        status = reference_make(import, background_path, pipeline, &reference, err);
        properties[count++] = (struct model_property){"attrition.reference", buffer_span(&reference)};
    }
    if (status == STATUS_OK)
        status = onnx_set_metadata(buffer_span(&import->source), properties, count, &import->file, err);
    buffer_free(&golden);
    buffer_free(&reference);
    return status;
}

/* Everything but the registry. */
static enum status import_prepare(struct import *import, const struct options *options, struct error *err)
{
    struct pipeline *pipeline;
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &import->schema, err) != STATUS_OK ||
        file_read(import->path, ONNX_MAX_BYTES, &import->source, err) != STATUS_OK)
        return err->status;
    if (model_file_load(import->schema, buffer_span(&import->source), options_text(options, OPTION_POSITIVE_LABEL),
                        options_text(options, OPTION_COLUMNS), &pipeline, err) != STATUS_OK)
        return error_prefix(err, "%.200s", import->path);
    enum status status = metadata_add(import, options, pipeline, err);
    pipeline_free(pipeline);
    if (status != STATUS_OK)
        return status;
    status = model_file_load(import->schema, buffer_span(&import->file), NULL, NULL, &import->pipeline, err);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "%.200s with what is added to it", import->path);
}

static void import_clear(struct import *import)
{
    pipeline_free(import->pipeline);
    buffer_free(&import->source);
    buffer_free(&import->file);
    schema_free(import->schema);
}

struct tags {
    struct run_pair items[TAG_MOST];
    size_t count;
    struct arena texts;
};

static void tags_add(struct tags *tags, const char *key, const char *value)
{
    char *text = arena_text(&tags->texts, value, strlen(value));
    text_flatten(text); /* a file's or user's name may be any bytes; MLflow takes UTF-8 */
    assert(tags->count < TAG_MOST);
    tags->items[tags->count++] = (struct run_pair){key, text};
}

/* What identifies the version. */
static void tags_identity(const struct import *import, struct tags *out)
{
    char sha256[SHA256_HEX_BYTES], threshold[32], kind[32];
    const char *slash = strrchr(import->path, '/'), *columns = pipeline_contract_columns(import->pipeline);
    tags_add(out, "source.name", slash ? slash + 1 : import->path);
    sha256_hex(buffer_span(&import->source), sha256);
    tags_add(out, "source.sha256", sha256);
    sha256_hex(buffer_span(&import->file), sha256);
    tags_add(out, MODEL_SHA256_TAG, sha256);
    snprintf(kind, sizeof kind, "imported %s", pipeline_kind_name(import->pipeline));
    tags_add(out, "model.kind", kind);
    tags_add(out, "schema.digest", import->schema->digest);
    snprintf(threshold, sizeof threshold, "%.15g", pipeline_threshold(import->pipeline));
    tags_add(out, "threshold", threshold);
    tags_add(out, "importer.version", VERSION);
    tags_add(out, CONTRACT_TAG, pipeline_contract(import->pipeline));
    if (strlen(columns) <= CONTRACT_TEXT_MAX)
        tags_add(out, CONTRACT_COLUMNS_TAG, columns);
}

static enum status import_log_run(const struct import *import, struct registry *registry, const char *experiment,
                                  const struct tags *identity, char **run_id, struct error *err)
{
    const char *user = getenv("USER");
    struct tags tags = {.count = identity->count};
    memcpy(tags.items, identity->items, sizeof tags.items);
    tags_add(&tags, "mlflow.runName", "imported");
    tags_add(&tags, "mlflow.source.name", "registry import");
    tags_add(&tags, "mlflow.source.type", "LOCAL");
    if (user)
        tags_add(&tags, "mlflow.user", user);
    const struct run_artifact artifact = {"model/model.onnx", buffer_span(&import->file)};
    const struct run run = {.experiment = experiment,
                            .run_name = "imported",
                            .started_ms = import->started_ms,
                            .ended_ms = clock_real_ms(&clock_system),
                            .tags = tags.items,
                            .tag_count = tags.count,
                            .artifacts = &artifact,
                            .artifact_count = 1};
    enum status status = registry_log_run(registry, &run, run_id, err);
    arena_free(&tags.texts);
    return status;
}

static enum status set_alias(struct registry *registry, const struct options *options, const char *version,
                             struct error *err)
{
    const char *name = options_text(options, OPTION_MODEL_NAME), *alias = options_text(options, OPTION_ALIAS);
    if (!options_given(options, OPTION_ALIAS)) {
        log_info("registry", "no alias points at it: `registry promote %s %s --alias %s` puts it to use", name, version,
                 alias);
        return STATUS_OK;
    }
    enum status status = registry_set_alias(registry, name, alias, version, err);
    return status == STATUS_OK
               ? STATUS_OK
               : error_prefix(err, "version %s is registered, but alias %s was not set", version, alias);
}

static enum status register_import(const struct import *import, const struct options *options, char **version,
                                   struct error *err)
{
    struct registry *registry;
    struct tags tags = {0};
    char *run_id = NULL;
    if (registry_open_options(options, &registry, err) != STATUS_OK)
        return err->status;
    tags_identity(import, &tags);
    enum status status =
        import_log_run(import, registry, options_text(options, OPTION_EXPERIMENT), &tags, &run_id, err);
    if (status == STATUS_OK)
        status = registry_create_version(registry, options_text(options, OPTION_MODEL_NAME), run_id, tags.items,
                                         tags.count, version, err);
    if (status == STATUS_OK)
        status = set_alias(registry, options, *version, err);
    free(run_id);
    arena_free(&tags.texts);
    registry_close(registry);
    return status;
}

static void import_log_summary(const struct import *import, const struct options *options, const char *version)
{
    const struct pipeline_input *inputs;
    size_t golden = pipeline_golden(import->pipeline).rows;
    log_info("registry", "%s version %s: %zu inputs, %s, positive class %s, %zu golden rows",
             options_text(options, OPTION_MODEL_NAME), version, pipeline_inputs(import->pipeline, &inputs),
             pipeline_kind_name(import->pipeline), pipeline_positive_label(import->pipeline), golden);
    if (pipeline_kind(import->pipeline) == PIPELINE_STEPS)
        log_warn("registry", "its reasons stay empty, and no counterfactuals are looked for: no exact method is known "
                             "for several models joined, or for features that mix columns");
    else if (!pipeline_has_reasons(import->pipeline))
        log_warn("registry", "without a reference its reasons stay empty: import it with --background FILE");
    if (golden == 0)
        log_warn("registry",
                 "nothing proves at load that it scores as where it was made: import it with --golden FILE");
}

int command_import(const struct options *options)
{
    struct error err;
    char *version = NULL;
    struct import import = {.started_ms = clock_real_ms(&clock_system)};
    import.path = options_argument(options, 0);
    if (registry_check_names(options_text(options, OPTION_EXPERIMENT), options_text(options, OPTION_MODEL_NAME),
                             options_text(options, OPTION_ALIAS), &err) != STATUS_OK) {
        log_error("registry", "%s", err.text);
        return 2;
    }
    enum status status = import_prepare(&import, options, &err);
    if (status == STATUS_OK)
        status = register_import(&import, options, &version, &err);
    if (status == STATUS_OK) {
        import_log_summary(&import, options, version);
        printf("%s\n", version);
    } else {
        log_error("registry", "%s", err.text);
    }
    free(version);
    import_clear(&import);
    return status == STATUS_OK ? 0 : 1;
}
