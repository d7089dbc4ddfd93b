/* SVMClassifier's attributes → struct support_vectors. Called during the walk (compile.c), at load only. */
#include "pipeline/operators.h"

#include <math.h>

#include "pipeline/support_vectors.h"

static enum status kernel_read(struct operation *operation, struct support_vectors *machine)
{
    static const struct span NAMES[] = {SPAN_LITERAL("LINEAR"), SPAN_LITERAL("POLY"), SPAN_LITERAL("RBF"),
                                        SPAN_LITERAL("SIGMOID")};
    const struct onnx_attribute *kernel = onnx_attribute_find(operation->node, "kernel_type"),
                                *parameters = onnx_attribute_find(operation->node, "kernel_params");
    struct span name = kernel && kernel->type == ATTRIBUTE_TEXT ? kernel->texts[0] : NAMES[KERNEL_LINEAR];
    size_t k = 0;
    while (k < sizeof NAMES / sizeof *NAMES && !span_equal(name, NAMES[k]))
        k++;
    if (k == sizeof NAMES / sizeof *NAMES)
        return operation_unsupported(operation, "kernel_type");
    if (parameters && (parameters->type != ATTRIBUTE_FLOATS || (parameters->count && parameters->count != 3)))
        return operation_invalid(operation, "kernel_params other than gamma, coef0 and degree");
    machine->kernel = (enum kernel)k;
    if (parameters && parameters->count) {
        machine->gamma = parameters->floats[0];
        machine->coef0 = parameters->floats[1];
        machine->degree = parameters->floats[2];
    }
    return STATUS_OK;
}

/* A list of `count` finite floats, copied. */
static enum status floats_read(struct operation *operation, const char *name, size_t count, const float **out)
{
    const struct onnx_attribute *list = onnx_attribute_find(operation->node, name);
    if (!list || list->type != ATTRIBUTE_FLOATS || list->count != count)
        return operation_invalid(operation, name);
    if (!expr_pool_room(operation->pool, count, sizeof(float)))
        return error_set(operation->err, STATUS_LIMIT, "too many support vectors");
    float *copy = expr_pool_take(operation->pool, count, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = list->floats[i];
        if (!isfinite(copy[i]))
            return error_set(operation->err, STATUS_INVALID, "%s has a number that is not finite: train again", name);
    }
    *out = copy;
    return STATUS_OK;
}

static enum status vectors_read(struct operation *operation, struct support_vectors *machine)
{
    const struct onnx_attribute *per_class = onnx_attribute_find(operation->node, "vectors_per_class"),
                                *rho = onnx_attribute_find(operation->node, "rho"),
                                *slope = onnx_attribute_find(operation->node, "prob_a"),
                                *shift = onnx_attribute_find(operation->node, "prob_b"),
                                *link = onnx_attribute_find(operation->node, "post_transform");
    machine->raw = !slope || (slope->type == ATTRIBUTE_FLOATS && slope->count == 0);
    if (!machine->raw && (slope->type != ATTRIBUTE_FLOATS || slope->count != 1 || !shift ||
                          shift->type != ATTRIBUTE_FLOATS || shift->count != 1))
        return operation_unsupported(operation, "prob_a or prob_b other than one number");
    if (!per_class || per_class->type != ATTRIBUTE_INTS || per_class->count != CLASS_COUNT || !rho ||
        rho->type != ATTRIBUTE_FLOATS || rho->count != 1 || per_class->ints[0] < 0 || per_class->ints[1] < 0 ||
        per_class->ints[0] > EXPR_MAX || per_class->ints[1] > EXPR_MAX)
        return operation_unsupported(operation, "other than one score for two classes");
    if (link && (link->type != ATTRIBUTE_TEXT || !span_equal(link->texts[0], SPAN_LITERAL("NONE"))))
        return operation_unsupported(operation, "post_transform other than NONE");
    machine->slope = machine->raw ? 0 : slope->floats[0];
    machine->shift = machine->raw ? 0 : shift->floats[0];
    if (!isfinite(rho->floats[0]) || !isfinite(machine->slope) || !isfinite(machine->shift))
        return operation_invalid(operation, "rho, prob_a or prob_b that is not finite");
    machine->count = (size_t)(per_class->ints[0] + per_class->ints[1]);
    machine->rho = rho->floats[0];
    if (floats_read(operation, "support_vectors", machine->count * machine->width, &machine->vectors) != STATUS_OK)
        return operation->err->status;
    if (floats_read(operation, "coefficients", machine->count, &machine->weights) != STATUS_OK)
        return operation->err->status;
    bool mixed = false;
    for (size_t v = 0; v < machine->count; v++)
        mixed |= machine->weights[v] < 0;
    return mixed || !machine->raw ? STATUS_OK : operation_unsupported(operation, "coefficients that are all positive");
}

enum status compile_svm_classifier(struct operation *operation)
{
    struct value input;
    const struct class_labels *labels = NULL;
    struct support_vectors *machine = expr_pool_take(operation->pool, 1, sizeof *machine);
    if (operation_labels(operation, "classlabels_ints", "classlabels_strings", &labels) != STATUS_OK ||
        operation_floats(operation, operation->inputs[0], &input) != STATUS_OK)
        return operation->err->status;
    if (input.kind != VALUE_TENSOR || !input.rows || input.rank != 2 || input.dtype != DTYPE_FLOAT || !labels)
        return operation_unsupported(operation, "other than rows of floats with class labels");
    if (input.count > SUPPORT_MAX_WIDTH)
        return error_set(operation->err, STATUS_LIMIT, "support vectors of %zu numbers, more than %d", input.count,
                         SUPPORT_MAX_WIDTH);
    *machine = (struct support_vectors){.width = input.count, .inputs = input.cells};
    if (kernel_read(operation, machine) != STATUS_OK || vectors_read(operation, machine) != STATUS_OK)
        return operation->err->status;
    uint32_t *probabilities = expr_pool_take(operation->pool, CLASS_COUNT, sizeof *probabilities);
    for (uint32_t k = 0; k < CLASS_COUNT && !operation->pool->overflow; k++)
        probabilities[k] = expr_vectors(operation->pool, machine, k);
    operation_classify(operation, probabilities, labels);
    return STATUS_OK;
}
