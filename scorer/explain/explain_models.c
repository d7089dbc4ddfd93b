/* Versions by registry address: see explain_models.h. Called by explain.c on the main thread; blocks as long as the
 * registry does. Must never use another version than the one that a row names. */
#include "scorer/explain/explain_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/sha256.h"
#include "base/text_print.h"
#include "pipeline/onnx/onnx_limits.h"
#include "registry/model_file.h"

struct explain_models {
    const struct options *options;
    const struct schema *schema;
    struct registry *registry; /* NULL: not opened yet */
    struct explain_model **list;
    size_t count, capacity;
};

/* What the version of a model has that was used as a file. */
static const char bare_version[] = "0";

struct explain_models *explain_models_new(const struct options *options, const struct schema *schema)
{
    struct explain_models *models = mem_zeroed(1, sizeof *models);
    models->options = options;
    models->schema = schema;
    return models;
}

static void model_free(struct explain_model *model)
{
    pipeline_free(model->pipeline);
    free(model->name);
    free(model->version);
    free(model->address);
    free(model->fault);
    free(model);
}

void explain_models_free(struct explain_models *models)
{
    if (!models)
        return;
    for (size_t m = 0; m < models->count; m++)
        model_free(models->list[m]);
    free(models->list);
    registry_close(models->registry);
    free(models);
}

/* Whether `path` is a file of the name that the rows of a bare file have: its base name without .onnx. */
static bool is_file_named(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t bytes = strlen(name);
    return strncmp(base, name, bytes) == 0 && (!base[bytes] || strcmp(base + bytes, ".onnx") == 0);
}

static enum status read_bare(const struct explain_models *models, struct explain_model *model, struct buffer *file,
                             struct error *err)
{
    const char *uri = options_text(models->options, OPTION_MODEL_URI);
    model->address = mem_text(model->name);
    if (strncmp(uri, "models:/", 8) == 0 || !is_file_named(uri, model->name))
        return error_set(err, STATUS_NOT_FOUND,
                         "it was a file %.200s, not a registered version: give that file as --model-uri", model->name);
    free(model->address);
    model->address = mem_text(uri);
    return file_read(uri, ONNX_MAX_BYTES, file, err);
}

/* registry_read compares the file with the digest that it was registered with. */
static enum status read_registered(struct explain_models *models, struct explain_model *model,
                                   struct model_version *version, struct buffer *file, struct error *err)
{
    model->address = text_print("models:/%s/%s", model->name, model->version);
    if (!models->registry && registry_open_options(models->options, &models->registry, err) != STATUS_OK)
        return err->status;
    if (registry_resolve(models->registry, model->address, version, err) != STATUS_OK)
        return err->status;
    return registry_read(models->registry, version, file, err);
}

static enum status model_load(struct explain_models *models, struct explain_model *model, struct error *err)
{
    struct model_version version = {0};
    struct buffer file = {0};
    bool bare = strcmp(model->version, bare_version) == 0;
    enum status status =
        bare ? read_bare(models, model, &file, err) : read_registered(models, model, &version, &file, err);
    if (status == STATUS_OK) {
        sha256_hex(buffer_span(&file), model->digest);
        status = model_file_load(models->schema, buffer_span(&file),
                                 options_text(models->options, OPTION_POSITIVE_LABEL), NULL, &model->pipeline, err);
    }
    if (status == STATUS_OK && !bare)
        status = model_file_check_contract(models->registry, &version, model->pipeline, NULL, err);
    if (status == STATUS_OK)
        model->labels = labels_of(models->schema, model->pipeline);
    buffer_free(&file);
    model_version_clear(&version);
    return status;
}

/* Only what another attempt would answer otherwise is an error of the run. */
static enum status model_settle(struct explain_model *model, enum status status, const struct error *err)
{
    if (status == STATUS_OK || status == STATUS_UNAVAILABLE || status == STATUS_DENIED)
        return status;
    pipeline_free(model->pipeline);
    model->pipeline = NULL;
    model->fault = mem_text(err->text);
    return STATUS_OK;
}

enum status explain_models_find(struct explain_models *models, const char *name, const char *version,
                                struct explain_model **out, struct error *err)
{
    for (size_t m = 0; m < models->count; m++)
        if (!strcmp(models->list[m]->name, name) && !strcmp(models->list[m]->version, version)) {
            *out = models->list[m];
            return STATUS_OK;
        }
    struct explain_model *model = mem_zeroed(1, sizeof *model);
    model->name = mem_text(name);
    model->version = mem_text(version);
    models->list = mem_grow(models->list, &models->capacity, models->count + 1, sizeof *models->list);
    models->list[models->count++] = model;
    if (model_settle(model, model_load(models, model, err), err) != STATUS_OK)
        return err->status;
    *out = model;
    return STATUS_OK;
}

size_t explain_models_list(const struct explain_models *models, struct explain_model *const **out)
{
    *out = models->list;
    return models->count;
}
