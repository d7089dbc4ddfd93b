/* A model, compiled: ties reading, compiling, folding and the file's metadata together. pipeline_load is called by the
 * model holder's watcher, the trainer and the tools; pipeline_score by every worker. After load nothing here is written
 * to. */
#include "pipeline/pipeline.h"

#include <math.h>
#include <stdlib.h>

#include "base/sha256.h"
#include "pipeline/background.h"
#include "pipeline/contract.h"
#include "pipeline/linear.h"
#include "pipeline/metadata.h"
#include "pipeline/trees.h"

enum { MAX_PROPERTIES = 1024 };

struct property {
    struct span key, value; /* NUL-terminated */
};

struct pipeline {
    struct expr_pool pool;
    struct linear *linear; /* one of these two */
    struct trees *trees;
    const struct expr *whole; /* inputs that take whole numbers alone: a row without one has no score */
    size_t whole_count;
    struct property *properties;
    size_t property_count;
    struct span positive_label;
    double threshold;
    size_t column_count;
    struct pipeline_input *inputs;
    size_t input_count;
    const char *contract_columns;
    char contract[SHA256_HEX_BYTES];
    struct pipeline_golden golden;
};

static struct span property_find(const struct pipeline *pipeline, const char *key)
{
    for (size_t p = 0; p < pipeline->property_count; p++)
        if (!strcmp(pipeline->properties[p].key.data, key))
            return pipeline->properties[p].value;
    return SPAN_NULL;
}

static enum status properties_copy(struct pipeline *pipeline, const struct onnx_graph *graph, struct error *err)
{
    if (graph->property_count > MAX_PROPERTIES)
        return error_set(err, STATUS_LIMIT, "the file has more than %d metadata entries", MAX_PROPERTIES);
    pipeline->properties = expr_pool_take(&pipeline->pool, graph->property_count, sizeof *pipeline->properties);
    for (size_t p = 0; p < graph->property_count; p++) {
        const struct onnx_property *from = &graph->properties[p];
        bool ours = !strncmp(from->key, "attrition.", 10);
        if (ours && property_find(pipeline, from->key).data)
            return error_set(err, STATUS_INVALID, "the metadata key %.60s stands twice", from->key);
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

/* Option, metadata, the schema's default, else the integer 1. */
static enum status positive_find(const struct pipeline *pipeline, const struct class_labels *labels,
                                 const struct pipeline_options *options, size_t *out, struct error *err)
{
    struct span named = property_find(pipeline, "attrition.positive_label");
    const char *wanted = options->positive_label ? options->positive_label : named.data;
    if (span_equal(labels->texts[0], labels->texts[1]))
        return error_set(err, STATUS_INVALID, "both classes of the model are called '%.60s'", labels->texts[0].data);
    const char *tried = wanted ? wanted : options->default_positive;
    int found = tried ? label_find(labels, tried) : -1;
    if (found < 0 && wanted)
        return label_missing(labels, wanted, options->positive_label ? "positive-label option" : "the file's metadata",
                             err);
    if (found < 0 && labels->integers)
        found = label_find(labels, "1");
    if (found < 0)
        return label_missing(labels, options->default_positive ? options->default_positive : "1", "default", err);
    *out = (size_t)found;
    return STATUS_OK;
}

static enum status metadata_apply(struct pipeline *pipeline, const struct column *columns, size_t column_count,
                                  struct error *err)
{
    struct span threshold = property_find(pipeline, "attrition.threshold");
    struct span reference = property_find(pipeline, "attrition.reference");
    struct span golden = property_find(pipeline, "attrition.golden");
    pipeline->threshold = 0.5;
    enum status status = STATUS_OK;
    if (threshold.data)
        status = metadata_threshold(threshold.data, &pipeline->threshold, err);
    if (!status && reference.data && pipeline->linear)
        status = metadata_reference(reference.data, columns, column_count, pipeline->linear, err);
    if (!status && reference.data && pipeline->trees)
        status = metadata_covers(reference.data, pipeline->trees, err);
    if (!status && golden.data)
        status = metadata_golden(golden.data, columns, column_count, pipeline, &pipeline->golden, err);
    return status;
}

/* The compiler has bound every input of the graph to the column of its name. */
static void inputs_note(struct pipeline *pipeline, const struct onnx_graph *graph)
{
    const struct column *columns = pipeline->pool.columns;
    struct buffer text = {0};
    pipeline->inputs = expr_pool_take(&pipeline->pool, graph->input_count, sizeof *pipeline->inputs);
    pipeline->input_count = graph->input_count;
    for (size_t i = 0; i < graph->input_count; i++) {
        struct pipeline_input *input = &pipeline->inputs[i];
        *input = (struct pipeline_input){.type = dtype_name(graph->inputs[i].dtype)};
        while (!span_equal(span_of(columns[input->column].name), graph->inputs[i].name))
            input->column++;
        input->used = pipeline->trees ? background_trees_use(pipeline->trees, input->column)
                                      : background_linear_uses(pipeline->linear, input->column);
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

static enum status pipeline_compile(struct pipeline *pipeline, const struct onnx_graph *graph,
                                    const struct column *columns, size_t column_count,
                                    const struct pipeline_options *options, struct error *err)
{
    struct compiled compiled;
    size_t positive = 0;
    enum status status = properties_copy(pipeline, graph, err);
    if (!status)
        status = compile_graph(graph, column_count, &pipeline->pool, &compiled, err);
    if (!status)
        status = positive_find(pipeline, &compiled.labels, options, &positive, err);
    if (status)
        return status;
    pipeline->positive_label = compiled.labels.texts[positive];
    whole_gather(pipeline);
    if (trees_match(&pipeline->pool, &compiled))
        status = trees_fold(&pipeline->pool, &compiled, positive, column_count, &pipeline->trees, err);
    else
        status = linear_fold(&pipeline->pool, &compiled, positive, column_count, &pipeline->linear, err);
    if (status)
        return status;
    inputs_note(pipeline, graph);
    return metadata_apply(pipeline, columns, column_count, err);
}

enum status pipeline_load(struct span file, const struct column *columns, size_t column_count,
                          const struct pipeline_options *options, struct pipeline **out, struct error *err)
{
    struct onnx_file *onnx = NULL;
    enum status status = onnx_open(file, &onnx, err);
    if (status)
        return status;
    struct pipeline *pipeline = mem_zeroed(1, sizeof *pipeline);
    pipeline->pool.columns = columns;
    pipeline->column_count = column_count;
    status = pipeline_compile(pipeline, onnx_file_graph(onnx), columns, column_count, options, err);
    expr_pool_forget(&pipeline->pool);
    onnx_close(onnx);
    if (status)
        pipeline_free(pipeline);
    else
        *out = pipeline;
    return status;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    linear_free(pipeline->linear);
    trees_free(pipeline->trees);
    expr_pool_free(&pipeline->pool);
    free(pipeline);
}

static bool fits_whole(const struct expr *input, const struct cell *cell)
{
    double most = input->dtype == DTYPE_INT32 ? 2147483647.0 : 9007199254740992.0;
    return cell->code != CELL_MISSING && fabs(cell->number) <= most && cell->number == trunc(cell->number);
}

/* A tensor of whole numbers cannot say "missing": no number is better than a confident one. */
static __attribute__((noinline, cold)) void rows_refuse(const struct pipeline *pipeline, const struct cell *cells,
                                                        size_t row_count, struct score *scores)
{
    for (size_t r = 0; r < row_count; r++)
        for (size_t w = 0; w < pipeline->whole_count; w++)
            if (!fits_whole(&pipeline->whole[w],
                            &cells[r * pipeline->column_count + (size_t)pipeline->whole[w].column]))
                scores[r] = (struct score){.probability = NAN, .margin = NAN, .base = scores[r].base};
}

void pipeline_score(const struct pipeline *pipeline, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                    struct score *scores, struct reason *reasons)
{
    if (pipeline->trees)
        trees_score(pipeline->trees, cells, row_count, top_reasons, scores, reasons);
    else
        linear_score(pipeline->linear, cells, row_count, top_reasons, scores, reasons);
    if (pipeline->whole_count)
        rows_refuse(pipeline, cells, row_count, scores);
}

double pipeline_threshold(const struct pipeline *pipeline)
{
    return pipeline->threshold;
}

const char *pipeline_positive_label(const struct pipeline *pipeline)
{
    return pipeline->positive_label.data;
}

bool pipeline_has_reasons(const struct pipeline *pipeline)
{
    return pipeline->trees ? trees_has_reasons(pipeline->trees) : linear_has_reference(pipeline->linear);
}

const char *pipeline_metadata(const struct pipeline *pipeline, const char *key)
{
    return property_find(pipeline, key).data;
}

size_t pipeline_bytes(const struct pipeline *pipeline)
{
    return sizeof *pipeline + pipeline->pool.capacity * sizeof *pipeline->pool.exprs + pipeline->pool.arena_bytes +
           (pipeline->trees ? trees_bytes(pipeline->trees) : linear_bytes(pipeline->linear));
}

size_t pipeline_inputs(const struct pipeline *pipeline, const struct pipeline_input **out)
{
    *out = pipeline->inputs;
    return pipeline->input_count;
}

const struct column *pipeline_columns(const struct pipeline *pipeline, size_t *count)
{
    *count = pipeline->column_count;
    return pipeline->pool.columns;
}

const struct trees *pipeline_trees(const struct pipeline *pipeline)
{
    return pipeline->trees;
}

size_t pipeline_tree_count(const struct pipeline *pipeline)
{
    return pipeline->trees ? trees_tree_count(pipeline->trees) : 0;
}

double pipeline_tolerance(const struct pipeline *pipeline)
{
    return pipeline->linear && linear_dtype(pipeline->linear) == DTYPE_DOUBLE ? 1e-12 : 1e-6;
}

const char *pipeline_contract(const struct pipeline *pipeline)
{
    return pipeline->contract;
}

const char *pipeline_contract_columns(const struct pipeline *pipeline)
{
    return pipeline->contract_columns;
}

struct pipeline_golden pipeline_golden(const struct pipeline *pipeline)
{
    return pipeline->golden;
}

enum status pipeline_reference(const struct pipeline *pipeline, const struct cell *cells, size_t row_count,
                               struct buffer *out, struct error *err)
{
    const struct background background = {pipeline->pool.columns, pipeline->column_count, cells, row_count};
    for (size_t i = 0; i < pipeline->input_count; i++)
        if (pipeline->inputs[i].used && !background_has(&background, pipeline->inputs[i].column))
            return error_set(err, STATUS_INVALID, "no row has a value in column %s, which the model reads",
                             background.columns[pipeline->inputs[i].column].name);
    if (pipeline->trees)
        background_covers(pipeline->trees, &background, out);
    else
        background_means(pipeline->linear, &background, out);
    return STATUS_OK;
}
