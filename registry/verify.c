/* registry verify: would the scorer load it, and what would it have? Called by main on its only thread; writes nothing
 * but its `key: value` lines. */
#include <stdio.h>

#include "base/clock.h"
#include "registry/commands.h"
#include "registry/model_file.h"

struct verified {
    struct model_version version;
    struct buffer file;
    struct schema *schema;
    struct pipeline *pipeline;
    bool contract_noted;
    int64_t load_us;
};

static enum status verify(struct verified *verified, struct registry *registry, const struct options *options,
                          struct error *err)
{
    const char *uri = options_argument(options, 0);
    if (registry_resolve(registry, uri, &verified->version, err) != STATUS_OK ||
        registry_read(registry, &verified->version, &verified->file, err) != STATUS_OK ||
        schema_load(options_text(options, OPTION_SCHEMAS_DIR), &verified->schema, err) != STATUS_OK)
        return err->status;
    int64_t before = clock_steady_us(&clock_system);
    enum status status =
        model_file_load(verified->schema, buffer_span(&verified->file), options_text(options, OPTION_POSITIVE_LABEL),
                        options_text(options, OPTION_COLUMNS), &verified->pipeline, err);
    verified->load_us = clock_steady_us(&clock_system) - before;
    if (status == STATUS_OK)
        status =
            model_file_check_contract(registry, &verified->version, verified->pipeline, &verified->contract_noted, err);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "%.200s", uri);
}

static void print_columns(const struct verified *verified)
{
    const struct pipeline_input *inputs;
    size_t count = pipeline_inputs(verified->pipeline, &inputs), used = 0;
    for (size_t i = 0; i < count; i++)
        used += inputs[i].used;
    printf("inputs: %zu\ncolumns_used: %zu\ncolumns_unused:", count, used);
    for (size_t i = 0; i < count; i++)
        if (!inputs[i].used)
            printf(" %s", verified->schema->columns[inputs[i].column].name);
    printf("\ncontract: %s\ncontract_registered: %s\ncontract_columns: %s\n", pipeline_contract(verified->pipeline),
           verified->contract_noted ? "the same" : "not noted", pipeline_contract_columns(verified->pipeline));
}

static void print_golden(const struct pipeline *pipeline)
{
    struct pipeline_golden golden = pipeline_golden(pipeline);
    printf("golden_rows: %zu\n", golden.rows);
    if (golden.rows)
        printf("golden_worst_difference: %.3g\ngolden_tolerance: %.3g\n", golden.worst, golden.tolerance);
}

static void print_verified(const struct verified *verified)
{
    const struct pipeline *pipeline = verified->pipeline;
    size_t trees = pipeline_tree_count(pipeline);
    printf("name: %s\nversion: %s\nkind: %s\n", verified->version.name, verified->version.version,
           pipeline_kind_name(pipeline));
    if (trees)
        printf("trees: %zu\n", trees);
    printf("positive_class: %s\nthreshold: %.15g\nreasons: %s\n", pipeline_positive_label(pipeline),
           pipeline_threshold(pipeline),
           pipeline_kind(pipeline) == PIPELINE_STEPS ? "none: no exact method is known for this form"
           : !pipeline_has_reasons(pipeline)         ? "none: import it with --background FILE"
           : trees                                   ? "by covers"
                                                     : "by reference");
    print_golden(pipeline);
    print_columns(verified);
    printf("load_ms: %.3f\nfile_bytes: %zu\nmemory_bytes: %zu\n", (double)verified->load_us / 1e3, verified->file.bytes,
           pipeline_bytes(pipeline));
}

enum status command_verify(const struct options *options, struct error *err)
{
    struct registry *registry = NULL;
    struct verified verified = {0};
    enum status status = registry_open_options(options, &registry, err);
    if (status == STATUS_OK)
        status = verify(&verified, registry, options, err);
    if (status == STATUS_OK)
        print_verified(&verified);
    pipeline_free(verified.pipeline);
    schema_free(verified.schema);
    buffer_free(&verified.file);
    model_version_clear(&verified.version);
    registry_close(registry);
    return status;
}
