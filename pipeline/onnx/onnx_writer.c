/* Messages of a file: see onnx_writer.h. Called by the writers alone. */
#include "pipeline/onnx/onnx_writer.h"

#include <string.h>

char *writer_text(struct onnx_writer *writer, const char *text)
{
    return arena_text(&writer->arena, text, strlen(text));
}

ProtobufCBinaryData writer_bytes(struct onnx_writer *writer, struct span span)
{
    return (ProtobufCBinaryData){span.bytes, (uint8_t *)arena_text(&writer->arena, span.data, span.bytes)};
}

Onnx__TensorProto *writer_tensor(struct onnx_writer *writer, const char *name, int32_t type, const int64_t *dims,
                                 size_t rank)
{
    Onnx__TensorProto *tensor = arena_zeroed(&writer->arena, 1, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->name = writer_text(writer, name);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = rank;
    tensor->dims = arena_zeroed(&writer->arena, rank, sizeof *tensor->dims);
    memcpy(tensor->dims, dims, rank * sizeof *dims);
    writer->graph.initializer[writer->graph.n_initializer++] = tensor;
    return tensor;
}

double *writer_doubles(struct onnx_writer *writer, const char *name, int64_t rows, int64_t columns)
{
    int64_t dims[2] = {rows, columns};
    Onnx__TensorProto *tensor = writer_tensor(writer, name, FLOAT64, dims, 2);
    tensor->n_double_data = (size_t)(rows * columns);
    tensor->double_data = arena_zeroed(&writer->arena, tensor->n_double_data, sizeof(double));
    return tensor->double_data;
}

Onnx__NodeProto *writer_node_list(struct onnx_writer *writer, const char *op, const char *domain, char **inputs,
                                  size_t count, const char *output)
{
    Onnx__NodeProto *node = arena_zeroed(&writer->arena, 1, sizeof *node);
    onnx__node_proto__init(node);
    node->op_type = writer_text(writer, op);
    node->domain = domain ? writer_text(writer, domain) : NULL;
    node->name = writer_text(writer, output);
    node->n_input = count;
    node->input = inputs;
    node->n_output = 1;
    node->output = arena_zeroed(&writer->arena, 1, sizeof *node->output);
    node->output[0] = node->name;
    node->attribute = arena_zeroed(&writer->arena, NODE_ATTRIBUTES, sizeof *node->attribute);
    writer->graph.node[writer->graph.n_node++] = node;
    return node;
}

Onnx__NodeProto *writer_node(struct onnx_writer *writer, const char *op, const char *domain, const char *a,
                             const char *b, const char *c, const char *output)
{
    const char *given[3] = {a, b, c};
    char **inputs = arena_zeroed(&writer->arena, 3, sizeof *inputs);
    size_t count = 0;
    while (count < 3 && given[count]) {
        inputs[count] = writer_text(writer, given[count]);
        count++;
    }
    return writer_node_list(writer, op, domain, inputs, count, output);
}

Onnx__AttributeProto *node_attribute(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name,
                                     Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = arena_zeroed(&writer->arena, 1, sizeof *attribute);
    onnx__attribute_proto__init(attribute);
    attribute->name = writer_text(writer, name);
    attribute->has_type = 1;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

void node_int(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = node_attribute(writer, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attribute->has_i = 1;
    attribute->i = value;
}

int64_t *node_ints(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, size_t count)
{
    Onnx__AttributeProto *attribute = node_attribute(writer, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attribute->n_ints = count;
    attribute->ints = arena_zeroed(&writer->arena, count, sizeof *attribute->ints);
    return attribute->ints;
}

Onnx__ValueInfoProto *writer_value(struct onnx_writer *writer, const char *name, int32_t type, int64_t width)
{
    size_t rank = width > 0 ? 2 : 1;
    Onnx__TensorShapeProto *shape = arena_zeroed(&writer->arena, 1, sizeof *shape);
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = rank;
    shape->dim = arena_zeroed(&writer->arena, rank, sizeof *shape->dim);
    for (size_t d = 0; d < rank; d++) {
        Onnx__TensorShapeProto__Dimension *dim = shape->dim[d] = arena_zeroed(&writer->arena, 1, sizeof *dim);
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = d == 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                 : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (d == 0)
            dim->dim_param = writer_text(writer, "N");
        else
            dim->dim_value = width;
    }
    Onnx__TypeProto__Tensor *tensor = arena_zeroed(&writer->arena, 1, sizeof *tensor);
    onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = type;
    tensor->shape = shape;
    Onnx__ValueInfoProto *value = arena_zeroed(&writer->arena, 1, sizeof *value);
    onnx__value_info_proto__init(value);
    value->name = writer_text(writer, name);
    value->type = arena_zeroed(&writer->arena, 1, sizeof *value->type);
    onnx__type_proto__init(value->type);
    value->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    value->type->tensor_type = tensor;
    return value;
}
