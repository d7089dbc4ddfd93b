/* ONNX bytes → struct onnx_graph. The only reader that sees protobuf-c; called by pipeline_load on any thread.
 *
 * Names and texts stay in the unpacked message, which the file keeps; tensors are converted into the file's arena. What
 * a graph may hold but no tabular pipeline needs (functions, sparse or external tensors) is refused here, by name. */
#include "pipeline/onnx/onnx_read.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "onnx/onnx.pb-c.h"
#include "pipeline/onnx/onnx_limits.h"

enum { OPSET_MIN = 9, OPSET_MAX = 28, OPSET_ML_MIN = 1, OPSET_ML_MAX = 5 };
enum { GRAPH_MAX_VALUES = 4096, GRAPH_MAX_TENSORS = 65536, FILE_MAX_ELEMENTS = 1 << 25 };

struct onnx_file {
    struct arena arena;
    Onnx__ModelProto *model;
    struct onnx_graph graph;
    size_t elements; /* of all tensors: each takes up to eight times the bytes it has in the file */
};

const char *dtype_name(enum dtype dtype)
{
    static const struct {
        enum dtype dtype;
        const char *name;
    } NAMES[] = {{DTYPE_FLOAT, "float"}, {DTYPE_INT32, "int32"},   {DTYPE_INT64, "int64"}, {DTYPE_TEXT, "string"},
                 {DTYPE_BOOL, "bool"},   {DTYPE_DOUBLE, "double"}, {DTYPE_UINT8, "uint8"}};
    for (size_t n = 0; n < sizeof NAMES / sizeof *NAMES; n++)
        if (NAMES[n].dtype == dtype)
            return NAMES[n].name;
    return "another type";
}

/* protobuf-c leaves an absent text NULL. */
static const char *onnx_text_of(const char *text)
{
    return text ? text : "";
}

static struct span span_of_bytes(const ProtobufCBinaryData *data)
{
    return (struct span){data->len ? (const char *)data->data : "", data->len};
}

static const struct span *file_texts(struct onnx_file *file, const ProtobufCBinaryData *data, size_t count)
{
    struct span *texts = arena_zeroed(&file->arena, count, sizeof *texts);
    for (size_t t = 0; t < count; t++)
        texts[t] = span_of_bytes(&data[t]);
    return texts;
}

/* An element of raw_data, little-endian as the format demands (and as every machine we build for is). */
static double raw_number(enum dtype dtype, const uint8_t *at, bool *exact)
{
    union {
        float f;
        double d;
        int32_t i;
        int64_t l;
    } raw;
    switch (dtype) {
    case DTYPE_FLOAT:
        memcpy(&raw.f, at, sizeof raw.f);
        return raw.f;
    case DTYPE_DOUBLE:
        memcpy(&raw.d, at, sizeof raw.d);
        return raw.d;
    case DTYPE_INT32:
        memcpy(&raw.i, at, sizeof raw.i);
        return raw.i;
    case DTYPE_INT64:
        memcpy(&raw.l, at, sizeof raw.l);
        *exact &= raw.l >= -(INT64_C(1) << 53) && raw.l <= INT64_C(1) << 53;
        return (double)raw.l;
    case DTYPE_UINT8:
        return *at;
    default:
        return *at != 0;
    }
}

static size_t dtype_bytes(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_FLOAT:
    case DTYPE_INT32:
        return 4;
    case DTYPE_DOUBLE:
    case DTYPE_INT64:
        return 8;
    default:
        return 1;
    }
}

static enum status tensor_raw(const Onnx__TensorProto *from, struct onnx_tensor *tensor, double *numbers,
                              struct error *err)
{
    size_t size = dtype_bytes(tensor->dtype);
    if (from->raw_data.len != tensor->count * size)
        return error_set(err, STATUS_INVALID, "tensor '%s': %zu bytes of data where its shape needs %zu",
                         onnx_text_of(from->name), from->raw_data.len, tensor->count * size);
    bool exact = true;
    for (size_t n = 0; n < tensor->count; n++)
        numbers[n] = raw_number(tensor->dtype, from->raw_data.data + n * size, &exact);
    if (!exact)
        return error_set(err, STATUS_UNSUPPORTED, "tensor '%s': an integer beyond 2^53", onnx_text_of(from->name));
    return STATUS_OK;
}

static enum status tensor_typed(const Onnx__TensorProto *from, struct onnx_tensor *tensor, double *numbers,
                                struct error *err)
{
    size_t held = tensor->dtype == DTYPE_FLOAT    ? from->n_float_data
                  : tensor->dtype == DTYPE_DOUBLE ? from->n_double_data
                  : tensor->dtype == DTYPE_INT64  ? from->n_int64_data
                                                  : from->n_int32_data;
    if (held != tensor->count)
        return error_set(err, STATUS_INVALID, "tensor '%s': %zu elements where its shape needs %zu",
                         onnx_text_of(from->name), held, tensor->count);
    for (size_t n = 0; n < held; n++) {
        bool exact = true;
        if (tensor->dtype == DTYPE_FLOAT)
            numbers[n] = from->float_data[n];
        else if (tensor->dtype == DTYPE_DOUBLE)
            numbers[n] = from->double_data[n];
        else if (tensor->dtype == DTYPE_INT64)
            numbers[n] = raw_number(DTYPE_INT64, (const uint8_t *)&from->int64_data[n], &exact);
        else
            numbers[n] = tensor->dtype == DTYPE_BOOL ? from->int32_data[n] != 0 : from->int32_data[n];
        if (!exact)
            return error_set(err, STATUS_UNSUPPORTED, "tensor '%s': an integer beyond 2^53", onnx_text_of(from->name));
    }
    return STATUS_OK;
}

static enum status tensor_shape(const Onnx__TensorProto *from, struct onnx_tensor *tensor, struct error *err)
{
    if (from->n_dims > TENSOR_MAX_RANK)
        return error_set(err, STATUS_UNSUPPORTED, "tensor '%s': %zu dimensions, more than %d", onnx_text_of(from->name),
                         from->n_dims, TENSOR_MAX_RANK);
    tensor->rank = from->n_dims;
    tensor->count = 1;
    for (size_t d = 0; d < from->n_dims; d++) {
        tensor->dims[d] = from->dims[d];
        if (from->dims[d] < 0 || from->dims[d] > ONNX_MAX_BYTES ||
            __builtin_mul_overflow(tensor->count, (size_t)from->dims[d], &tensor->count) ||
            tensor->count > ONNX_MAX_BYTES)
            return error_set(err, STATUS_INVALID, "tensor '%s': a shape that cannot be", onnx_text_of(from->name));
    }
    return STATUS_OK;
}

static enum status tensor_read(struct onnx_file *file, const Onnx__TensorProto *from, struct onnx_tensor *tensor,
                               struct error *err)
{
    tensor->name = span_of(onnx_text_of(from->name));
    tensor->dtype = (enum dtype)from->data_type;
    if (from->n_external_data || from->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return error_set(err, STATUS_UNSUPPORTED,
                         "tensor '%s': its data lies in another file: save the model as one file",
                         onnx_text_of(from->name));
    if (from->segment || !strcmp(dtype_name(tensor->dtype), "another type"))
        return error_set(err, STATUS_UNSUPPORTED, "tensor '%s': element type %d", onnx_text_of(from->name),
                         from->data_type);
    if (tensor_shape(from, tensor, err) != STATUS_OK)
        return err->status;
    if (tensor->dtype == DTYPE_TEXT) {
        if (from->n_string_data != tensor->count)
            return error_set(err, STATUS_INVALID, "tensor '%s': %zu texts where its shape needs %zu",
                             onnx_text_of(from->name), from->n_string_data, tensor->count);
        tensor->texts = file_texts(file, from->string_data, tensor->count);
        return STATUS_OK;
    }
    /* Every element stands in the file, so what is allocated here is bounded by the file's own size. */
    size_t most =
        from->raw_data.len + from->n_float_data + from->n_double_data + from->n_int64_data + from->n_int32_data;
    if (tensor->count > most)
        return error_set(err, STATUS_INVALID, "tensor '%s': less data than its shape needs", onnx_text_of(from->name));
    file->elements += tensor->count;
    if (file->elements > FILE_MAX_ELEMENTS)
        return error_set(err, STATUS_LIMIT, "the file's tensors hold more than %d numbers", FILE_MAX_ELEMENTS);
    double *numbers = arena_zeroed(&file->arena, tensor->count, sizeof *numbers);
    tensor->numbers = numbers;
    return from->has_raw_data ? tensor_raw(from, tensor, numbers, err) : tensor_typed(from, tensor, numbers, err);
}

static enum status attribute_read(struct onnx_file *file, const Onnx__AttributeProto *from,
                                  struct onnx_attribute *attribute, struct error *err)
{
    attribute->name = onnx_text_of(from->name);
    attribute->type = (enum attribute_type)from->type;
    attribute->count = 1;
    switch (attribute->type) {
    case ATTRIBUTE_FLOAT:
        attribute->floats = &from->f;
        return STATUS_OK;
    case ATTRIBUTE_INT:
        attribute->ints = &from->i;
        return STATUS_OK;
    case ATTRIBUTE_TEXT:
        attribute->texts = file_texts(file, &from->s, 1);
        return STATUS_OK;
    case ATTRIBUTE_FLOATS:
        attribute->floats = from->floats;
        attribute->count = from->n_floats;
        return STATUS_OK;
    case ATTRIBUTE_INTS:
        attribute->ints = from->ints;
        attribute->count = from->n_ints;
        return STATUS_OK;
    case ATTRIBUTE_TEXTS:
        attribute->texts = file_texts(file, from->strings, from->n_strings);
        attribute->count = from->n_strings;
        return STATUS_OK;
    case ATTRIBUTE_TENSOR:
        break;
    default:
        attribute->type = ATTRIBUTE_OTHER;
        return STATUS_OK;
    }
    if (!from->t)
        return error_set(err, STATUS_INVALID, "attribute '%s' has no tensor", onnx_text_of(from->name));
    struct onnx_tensor *tensor = arena_zeroed(&file->arena, 1, sizeof *tensor);
    attribute->tensor = tensor;
    return tensor_read(file, from->t, tensor, err);
}

static const struct span *names_read(struct onnx_file *file, char **from, size_t count)
{
    struct span *names = arena_zeroed(&file->arena, count, sizeof *names);
    for (size_t n = 0; n < count; n++)
        names[n] = span_of(from[n]);
    return names;
}

static enum status node_read(struct onnx_file *file, const Onnx__NodeProto *from, struct onnx_node *node,
                             struct error *err)
{
    node->op = onnx_text_of(from->op_type);
    node->domain = strcmp(onnx_text_of(from->domain), "ai.onnx") ? onnx_text_of(from->domain) : "";
    node->ml = !strcmp(node->domain, "ai.onnx.ml");
    node->name = *onnx_text_of(from->name) ? from->name : from->n_output ? from->output[0] : "";
    node->inputs = names_read(file, from->input, from->n_input);
    node->input_count = from->n_input;
    node->outputs = names_read(file, from->output, from->n_output);
    node->output_count = from->n_output;
    struct onnx_attribute *attributes = arena_zeroed(&file->arena, from->n_attribute, sizeof *attributes);
    node->attributes = attributes;
    node->attribute_count = from->n_attribute;
    for (size_t a = 0; a < from->n_attribute; a++) {
        if (attribute_read(file, from->attribute[a], &attributes[a], err) != STATUS_OK)
            return error_prefix(err, "operator %s (node '%s')", node->op, node->name);
    }
    return STATUS_OK;
}

static enum status onnx_read_value(const Onnx__ValueInfoProto *from, struct onnx_value *value, struct error *err)
{
    value->name = span_of(onnx_text_of(from->name));
    if (!from->type || from->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !from->type->tensor_type)
        return STATUS_OK;
    const Onnx__TypeProto__Tensor *tensor = from->type->tensor_type;
    value->is_tensor = true;
    value->dtype = (enum dtype)tensor->elem_type;
    if (!tensor->shape)
        return STATUS_OK;
    if (tensor->shape->n_dim > TENSOR_MAX_RANK)
        return error_set(err, STATUS_UNSUPPORTED, "'%s' has %zu dimensions", onnx_text_of(from->name),
                         tensor->shape->n_dim);
    value->has_shape = true;
    value->rank = tensor->shape->n_dim;
    for (size_t d = 0; d < value->rank; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = tensor->shape->dim[d];
        bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        value->dims[d] = known ? dim->dim_value : -1;
    }
    return STATUS_OK;
}

/* Old files list initializers among the inputs too. Sorted names of them; free. */
static const char **initializer_names(const Onnx__GraphProto *graph)
{
    const char **names = mem_zeroed(graph->n_initializer + 1, sizeof *names);
    for (size_t i = 0; i < graph->n_initializer; i++)
        names[i] = onnx_text_of(graph->initializer[i]->name);
    if (graph->n_initializer)
        qsort(names, graph->n_initializer, sizeof *names, order_texts);
    return names;
}

static enum status values_read(struct onnx_file *file, const Onnx__GraphProto *from, struct error *err)
{
    if (from->n_input > GRAPH_MAX_VALUES || from->n_output > GRAPH_MAX_VALUES ||
        from->n_initializer > GRAPH_MAX_TENSORS)
        return error_set(err, STATUS_LIMIT, "the graph has more than %d inputs or outputs, or %d tensors",
                         GRAPH_MAX_VALUES, GRAPH_MAX_TENSORS);
    struct onnx_value *inputs = arena_zeroed(&file->arena, from->n_input, sizeof *inputs);
    struct onnx_value *outputs = arena_zeroed(&file->arena, from->n_output, sizeof *outputs);
    const char **initializers = initializer_names(from);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < from->n_input && status == STATUS_OK; i++) {
        const char *name = onnx_text_of(from->input[i]->name);
        if (!bsearch(&name, initializers, from->n_initializer, sizeof name, order_texts))
            status = onnx_read_value(from->input[i], &inputs[file->graph.input_count++], err);
    }
    free(initializers);
    for (size_t o = 0; o < from->n_output && status == STATUS_OK; o++)
        status = onnx_read_value(from->output[o], &outputs[file->graph.output_count++], err);
    file->graph.inputs = inputs;
    file->graph.outputs = outputs;
    return status;
}

static enum status graph_read(struct onnx_file *file, const Onnx__GraphProto *from, struct error *err)
{
    if (from->n_sparse_initializer)
        return error_set(err, STATUS_UNSUPPORTED, "the ONNX file holds sparse tensors");
    struct onnx_node *nodes = arena_zeroed(&file->arena, from->n_node, sizeof *nodes);
    struct onnx_tensor *initializers = arena_zeroed(&file->arena, from->n_initializer, sizeof *initializers);
    enum status status = STATUS_OK;
    for (size_t n = 0; n < from->n_node && status == STATUS_OK; n++)
        status = node_read(file, from->node[n], &nodes[n], err);
    for (size_t i = 0; i < from->n_initializer && status == STATUS_OK; i++)
        status = tensor_read(file, from->initializer[i], &initializers[i], err);
    file->graph.nodes = nodes;
    file->graph.node_count = from->n_node;
    file->graph.initializers = initializers;
    file->graph.initializer_count = from->n_initializer;
    return status != STATUS_OK ? status : values_read(file, from, err);
}

static enum status opset_read(struct onnx_graph *graph, const Onnx__OperatorSetIdProto *from, struct error *err)
{
    const char *domain = onnx_text_of(from->domain);
    bool main = !*domain || !strcmp(domain, "ai.onnx"), ml = !strcmp(domain, "ai.onnx.ml");
    if (!main && !ml)
        return STATUS_OK; /* a node of that domain is refused by name; an import alone does no harm */
    int64_t low = main ? OPSET_MIN : OPSET_ML_MIN, high = main ? OPSET_MAX : OPSET_ML_MAX;
    if (from->version < low || from->version > high)
        return error_set(err, STATUS_UNSUPPORTED,
                         "operator set %s %lld: versions %lld to %lld are read: export with target_opset",
                         main ? "ai.onnx" : "ai.onnx.ml", (long long)from->version, (long long)low, (long long)high);
    int64_t *version = main ? &graph->opset : &graph->opset_ml;
    if (*version && *version != from->version)
        return error_set(err, STATUS_INVALID, "the file imports the operator set %s twice: export the model again",
                         main ? "ai.onnx" : "ai.onnx.ml");
    *version = from->version;
    return STATUS_OK;
}

static enum status onnx_read_model(struct onnx_file *file, struct error *err)
{
    const Onnx__ModelProto *model = file->model;
    if (!model->graph)
        return error_set(err, STATUS_INVALID, "not an ONNX model: it holds no graph");
    if (model->n_functions || model->n_training_info)
        return error_set(err, STATUS_UNSUPPORTED, "the ONNX file holds model-local functions or training graphs");
    for (size_t o = 0; o < model->n_opset_import; o++) {
        if (opset_read(&file->graph, model->opset_import[o], err) != STATUS_OK)
            return err->status;
    }
    struct onnx_property *properties = arena_zeroed(&file->arena, model->n_metadata_props, sizeof *properties);
    for (size_t p = 0; p < model->n_metadata_props; p++)
        properties[p] = (struct onnx_property){onnx_text_of(model->metadata_props[p]->key),
                                               onnx_text_of(model->metadata_props[p]->value)};
    file->graph.properties = properties;
    file->graph.property_count = model->n_metadata_props;
    return graph_read(file, model->graph, err);
}

enum status onnx_open(struct span bytes, struct onnx_file **out, struct error *err)
{
    enum status status = onnx_limits_check(bytes, err);
    if (status != STATUS_OK)
        return status;
    struct onnx_file *file = mem_zeroed(1, sizeof *file);
    file->model = onnx__model_proto__unpack(NULL, bytes.bytes, (const uint8_t *)bytes.data);
    if (!file->model)
        status =
            error_set(err, STATUS_INVALID, "not a sound ONNX file: protobuf cannot unpack it: export or copy it again");
    else
        status = onnx_read_model(file, err);
    if (status == STATUS_OK)
        *out = file;
    else
        onnx_close(file);
    return status;
}

void onnx_close(struct onnx_file *file)
{
    if (!file)
        return;
    if (file->model)
        onnx__model_proto__free_unpacked(file->model, NULL);
    arena_free(&file->arena);
    free(file);
}

const struct onnx_graph *onnx_file_graph(const struct onnx_file *file)
{
    return &file->graph;
}

const struct onnx_attribute *onnx_attribute_find(const struct onnx_node *node, const char *name)
{
    for (size_t a = 0; a < node->attribute_count; a++)
        if (!strcmp(node->attributes[a].name, name))
            return &node->attributes[a];
    return NULL;
}
