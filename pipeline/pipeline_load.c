/* Making a model: ties reading, compiling, folding and the file's metadata together. Called by the model holder's
 * watcher, the trainer and the tools; never while scoring. */
#include "pipeline/pipeline_program.h"

#include <stdlib.h>

#include "pipeline/background.h"
#include "pipeline/contract.h"
#include "pipeline/metadata.h"

enum { MAX_PROPERTIES = 1024 };

static enum status properties_copy(struct pipeline *pipeline, const struct onnx_graph *graph, struct error *err)
{
    if (graph->property_count > MAX_PROPERTIES)
        return error_set(err, STATUS_LIMIT, "the file has more than %d metadata entries", MAX_PROPERTIES);
    pipeline->properties = expr_pool_take(&pipeline->pool, graph->property_count, sizeof *pipeline->properties);
    for (size_t p = 0; p < graph->property_count; p++) {
        const struct onnx_property *from = &graph->properties[p];
        bool ours = !strncmp(from->key, "attrition.", 10);
        if (ours && pipeline_property(pipeline, from->key).data)
            return error_set(err, STATUS_INVALID, "duplicate metadata key %.60s", from->key);
        pipeline->properties[p].key = expr_pool_text(&pipeline->pool, span_of(from->key));
        pipeline->properties[p].value = expr_pool_text(&pipeline->pool, span_of(from->value));
        pipeline->property_count++;
    }
    return STATUS_OK;
}

/* −1: none of the labels. */
static int label_find(const struct class_labels *labels, const char *text)
{
    for (size_t l = 0; l < labels->count; l++)
        if (span_equal(labels->texts[l], span_of(text)))
            return (int)l;
    return -1;
}

static enum status label_missing(const struct class_labels *labels, const char *wanted, const char *source,
                                 struct error *err)
{
    return error_set(err, STATUS_INVALID,
                     "the model has no class '%.60s' (%s); it has '%.60s' and '%.60s': give one with --positive-label",
                     wanted, source, labels->texts[0].data, labels->texts[1].data);
}

/* Nothing says which class is the risk: of 1 and 2 it may be either. */
static enum status label_unclear(const struct class_labels *labels, const char *usual, struct error *err)
{
    return error_set(err, STATUS_INVALID,
                     "the model's classes are '%.60s' and '%.60s', neither the schema's ('%.60s') nor the integers 0 "
                     "and 1: say which of the two is the risk with --positive-label (docs/MODELS.md)",
                     labels->texts[0].data, labels->texts[1].data, usual ? usual : "no target value");
}

static bool labels_are_0_and_1(const struct class_labels *labels)
{
    return labels->integers && label_find(labels, "0") >= 0 && label_find(labels, "1") >= 0;
}

/* Option, metadata, the schema's default, else 1 of the integers 0 and 1. */
static enum status positive_find(const struct pipeline *pipeline, const struct class_labels *labels,
                                 const struct pipeline_options *options, size_t *out, struct error *err)
{
    struct span named = pipeline_property(pipeline, "attrition.positive_label");
    const char *wanted = options->positive_label ? options->positive_label : named.data;
    if (span_equal(labels->texts[0], labels->texts[1]))
        return error_set(err, STATUS_INVALID, "both classes of the model are called '%.60s'", labels->texts[0].data);
    const char *tried = wanted ? wanted : options->default_positive;
    int found = tried ? label_find(labels, tried) : -1;
    if (found < 0 && wanted)
        return label_missing(labels, wanted, options->positive_label ? "positive-label option" : "the file's metadata",
                             err);
    if (found < 0 && labels_are_0_and_1(labels))
        found = label_find(labels, "1");
    if (found < 0)
        return label_unclear(labels, options->default_positive, err);
    *out = (size_t)found;
    return STATUS_OK;
}

static enum status metadata_apply(struct pipeline *pipeline, const struct column *columns, size_t column_count,
                                  bool scores_only, struct error *err)
{
    struct span threshold = pipeline_property(pipeline, "attrition.threshold");
    struct span reference = pipeline_property(pipeline, "attrition.reference");
    struct span golden = pipeline_property(pipeline, "attrition.golden");
    pipeline->threshold = 0.5;
    enum status status = STATUS_OK;
    if (threshold.data)
        status = metadata_threshold(threshold.data, &pipeline->threshold, err);
    if (status == STATUS_OK && reference.data && pipeline->steps)
        status =
            error_set(err, STATUS_UNSUPPORTED,
                      "attrition.reference: no exact reasons are known for a model of this form: import it without");
    if (status == STATUS_OK && reference.data && pipeline->linear)
        status = metadata_reference(reference.data, columns, column_count, pipeline->linear, err);
    if (status == STATUS_OK && reference.data && pipeline->trees && !scores_only)
        status = metadata_covers(reference.data, pipeline->trees, err);
    if (status == STATUS_OK && golden.data)
        status = metadata_golden(golden.data, columns, column_count, pipeline, &pipeline->golden, err);
    return status;
}

static void inputs_note(struct pipeline *pipeline, const struct compiled *compiled)
{
    const struct column *columns = pipeline->pool.columns;
    struct buffer text = {0};
    pipeline->inputs = expr_pool_take(&pipeline->pool, compiled->input_count, sizeof *pipeline->inputs);
    pipeline->input_count = compiled->input_count;
    for (size_t i = 0; i < compiled->input_count; i++) {
        struct pipeline_input *input = &pipeline->inputs[i];
        *input = (struct pipeline_input){.column = compiled->inputs[i].column,
                                         .type = dtype_name(compiled->inputs[i].dtype)};
        input->used = pipeline->trees    ? background_trees_use(pipeline->trees, input->column)
                      : pipeline->linear ? background_linear_uses(pipeline->linear, input->column)
                                         : steps_use(pipeline->steps, input->column);
    }
    contract_write(columns, pipeline->inputs, pipeline->input_count, &text);
    pipeline->contract_columns = expr_pool_text(&pipeline->pool, buffer_span(&text)).data;
    sha256_hex(buffer_span(&text), pipeline->contract);
    buffer_free(&text);
}

static void whole_gather(struct pipeline *pipeline)
{
    size_t count = 0;
    for (size_t e = 0; e < pipeline->pool.count; e++)
        count += pipeline->pool.exprs[e].op == EXPR_INPUT && dtype_is_whole(pipeline->pool.exprs[e].dtype);
    struct expr *whole = expr_pool_take(&pipeline->pool, count, sizeof *whole);
    for (size_t e = 0; e < pipeline->pool.count; e++)
        if (pipeline->pool.exprs[e].op == EXPR_INPUT && dtype_is_whole(pipeline->pool.exprs[e].dtype))
            whole[pipeline->whole_count++] = pipeline->pool.exprs[e];
    pipeline->whole = whole;
}

/* Texts that a demand does not list are compared one by one: only what the schema lists is tabulated. */
static void demands_gather(struct pipeline *pipeline)
{
    struct expr_pool *pool = &pipeline->pool;
    struct demand *demands = expr_pool_take(pool, pool->demand_count, sizeof *demands);
    struct cell *cells = mem_zeroed(pipeline->column_count, sizeof *cells);
    for (size_t d = 0; d < pool->demand_count; d++) {
        int32_t c = expr_at(pool, pool->demands[d])->column;
        demands[d] = (struct demand){.expr = pool->demands[d], .column = c};
        if (c < 0 || pool->columns[c].kind != COLUMN_NOMINAL)
            continue;
        uint8_t *met = expr_pool_take(pool, pool->columns[c].value_count + 2, sizeof *met);
        for (int32_t code = CELL_MISSING; code < (int32_t)pool->columns[c].value_count; code++) {
            cells[c] = (struct cell){.code = code};
            met[code + 2] = code != CELL_OTHER && expr_evaluate(pool, demands[d].expr, cells).number != 0;
        }
        demands[d].met = met;
    }
    pipeline->demands = demands;
    free(cells);
}

/* One linear score, one ensemble, or else the steps of the graph. */
static enum status program_choose(struct pipeline *pipeline, const struct compiled *compiled, size_t positive,
                                  struct error *err)
{
    const struct expr_pool *pool = &pipeline->pool;
    enum status status = trees_match(pool, compiled)
                             ? trees_compile(pool, compiled, positive, pipeline->column_count, &pipeline->trees, err)
                             : linear_compile(pool, compiled, positive, pipeline->column_count, &pipeline->linear, err);
    if (status != STATUS_UNSUPPORTED)
        return status;
    struct error other = {0};
    status = steps_compile(pool, compiled, positive, pipeline->column_count, &pipeline->steps, &other);
    if (status == STATUS_OK)
        status = steps_check(pipeline->steps, pool, compiled, positive, &other);
    if (status != STATUS_OK)
        *err = other;
    return status;
}

/* Names of a table's columns: the option's, ours, or what others write. */
static struct span table_columns(const struct pipeline *pipeline, const struct pipeline_options *options)
{
    static const char *const KEYS[] = {"attrition.columns", "feature_names", "columns"};
    struct span names = options->columns ? span_of(options->columns) : SPAN_NULL;
    for (size_t k = 0; k < sizeof KEYS / sizeof *KEYS && !names.data; k++)
        names = pipeline_property(pipeline, KEYS[k]);
    return names;
}

static enum status pipeline_compile(struct pipeline *pipeline, const struct onnx_graph *graph, size_t column_count,
                                    const struct pipeline_options *options, struct error *err)
{
    struct compiled compiled;
    size_t positive = 0;
    enum status status = properties_copy(pipeline, graph, err);
    if (status == STATUS_OK)
        status = compile_graph(graph, column_count, table_columns(pipeline, options), &pipeline->pool, &compiled, err);
    if (status == STATUS_OK && options->columns && !compiled.has_table)
        status =
            error_set(err, STATUS_INVALID,
                      "--columns names the columns of a table, but each of the model's inputs is named as a column "
                      "already: leave it out");
    if (status == STATUS_OK)
        status = positive_find(pipeline, &compiled.labels, options, &positive, err);
    if (status != STATUS_OK)
        return status;
    pipeline->positive_label = compiled.labels.texts[positive];
    whole_gather(pipeline);
    demands_gather(pipeline);
    status = program_choose(pipeline, &compiled, positive, err);
    if (status != STATUS_OK)
        return status;
    inputs_note(pipeline, &compiled);
    return STATUS_OK;
}

enum status pipeline_load(struct span file, const struct column *columns, size_t column_count,
                          const struct pipeline_options *options, struct pipeline **out, struct error *err)
{
    struct onnx_file *onnx = NULL;
    if (onnx_open(file, &onnx, err) != STATUS_OK)
        return err->status;
    struct pipeline *pipeline = mem_zeroed(1, sizeof *pipeline);
    pipeline->pool.columns = columns;
    pipeline->column_count = column_count;
    enum status status = pipeline_compile(pipeline, onnx_file_graph(onnx), column_count, options, err);
    expr_pool_forget(&pipeline->pool);
    onnx_close(onnx); /* before the reasons' tables, which are as large */
    if (status == STATUS_OK)
        status = metadata_apply(pipeline, columns, column_count, options->scores_only, err);
    if (status != STATUS_OK)
        pipeline_free(pipeline);
    else
        *out = pipeline;
    return status;
}
