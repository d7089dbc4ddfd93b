/* See model_file.h. Called by whoever loads a registered version: the scorer's model watcher on its thread, `scorer
 * score`, and the tool's verify. Reads the registry, writes nothing. */
#include "registry/model_file.h"

#include <stdlib.h>

#include "base/text_print.h"

static const char *tag_find(const struct version_details *details, const char *key)
{
    for (size_t t = 0; t < details->tag_keys.count; t++)
        if (!strcmp(details->tag_keys.items[t], key))
            return details->tag_values.items[t];
    return NULL;
}

enum status model_file_load(const struct schema *schema, struct span file, const char *label, const char *columns,
                            struct pipeline **out, struct error *err)
{
    const struct pipeline_options options = {
        .positive_label = label,
        .columns = columns,
        .default_positive = schema->target_count ? schema->target_values[schema->target_count - 1].data : NULL,
    };
    return pipeline_load(file, schema->columns, schema->column_count, &options, out, err);
}

enum status model_file_check_contract(struct registry *registry, const struct model_version *version,
                                      const struct pipeline *pipeline, bool *noted, struct error *err)
{
    struct version_details details;
    if (noted)
        *noted = false;
    if (!strcmp(version->version, "0")) /* a bare file */
        return STATUS_OK;
    enum status status = registry_describe(registry, version->name, version->version, &details, err);
    if (status != STATUS_OK)
        return status;
    const char *hash = tag_find(&details, CONTRACT_TAG);
    if (hash)
        status = contract_check(pipeline, hash, tag_find(&details, CONTRACT_COLUMNS_TAG), err);
    if (noted)
        *noted = hash != NULL;
    version_details_clear(&details);
    return status;
}

enum status model_file_load_version(struct registry *registry, const struct schema *schema, const char *label,
                                    const char *name, const char *number, bool *noted, struct pipeline **out,
                                    struct error *err)
{
    struct model_version version;
    struct buffer file = {0};
    char *uri = text_print("models:/%s/%s", name, number);
    enum status status = registry_resolve(registry, uri, &version, err);
    free(uri);
    if (status != STATUS_OK)
        return status;
    struct pipeline *pipeline = NULL;
    status = registry_read(registry, &version, &file, err);
    if (status == STATUS_OK)
        status = model_file_load(schema, buffer_span(&file), label, NULL, &pipeline, err);
    if (status == STATUS_OK)
        status = model_file_check_contract(registry, &version, pipeline, noted, err);
    buffer_free(&file);
    model_version_clear(&version);
    if (status == STATUS_OK)
        *out = pipeline;
    else
        pipeline_free(pipeline);
    return status;
}
