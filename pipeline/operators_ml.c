/* The operators of ai.onnx.ml that prepare features and classify, as onnxruntime computes them. Called during the walk
 * (compile.c), at load only. Their attributes are floats; what onnxruntime rounds to float is rounded here. */
#include "base/order.h"
#include "pipeline/operators.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/expr_shapes.h"

static struct span *pool_texts(struct operation *operation, const struct onnx_attribute *attribute)
{
    struct span *texts = expr_pool_take(operation->pool, attribute->count, sizeof *texts);
    for (size_t t = 0; t < attribute->count; t++)
        texts[t] = expr_pool_text(operation->pool, attribute->texts[t]);
    return texts;
}

static double *pool_numbers(struct operation *operation, const struct onnx_attribute *attribute)
{
    double *numbers = expr_pool_take(operation->pool, attribute->count, sizeof *numbers);
    for (size_t n = 0; n < attribute->count; n++)
        numbers[n] = attribute->type == ATTRIBUTE_INTS ? (double)attribute->ints[n] : (double)attribute->floats[n];
    return numbers;
}

/* An attribute of that list type, or NULL. */
static const struct onnx_attribute *list_attribute(struct operation *operation, const char *name,
                                                   enum attribute_type type)
{
    const struct onnx_attribute *attribute = onnx_attribute_find(operation->node, name);
    return attribute && attribute->type == type && attribute->count ? attribute : NULL;
}

/* Runtimes differ in which of two equal keys counts. One of the lists is NULL. */
static enum status keys_unique(struct operation *operation, const struct span *texts, const double *numbers,
                               size_t count)
{
    size_t size = texts ? sizeof *texts : sizeof *numbers;
    char *sorted = mem_zeroed(count, size);
    bool twice = false;
    memcpy(sorted, texts ? (const void *)texts : (const void *)numbers, count * size);
    qsort(sorted, count, size, texts ? texts_order : order_doubles);
    for (size_t k = 1; k < count; k++)
        twice |= (texts ? texts_order : order_doubles)(sorted + (k - 1) * size, sorted + k * size) == 0;
    free(sorted);
    return twice ? operation_unsupported(operation, "a duplicate key or category") : STATUS_OK;
}

static enum status encoder_keys(struct operation *operation, const struct value *input, struct expr_map *map)
{
    const struct onnx_attribute *texts = list_attribute(operation, "keys_strings", ATTRIBUTE_TEXTS);
    const struct onnx_attribute *ints = list_attribute(operation, "keys_int64s", ATTRIBUTE_INTS);
    if ((texts && ints) || (!texts && !ints))
        return operation_unsupported(operation, "keys that are neither texts nor integers");
    if (texts ? input->dtype != DTYPE_TEXT : input->dtype != DTYPE_INT64)
        return operation_invalid(operation, "keys of another type than the input");
    map->count = texts ? texts->count : ints->count;
    if (map->count > EXPR_MAX_KEYS)
        return error_set(operation->err, STATUS_LIMIT, "more than %d keys", EXPR_MAX_KEYS);
    if (texts)
        map->text_keys = pool_texts(operation, texts);
    else
        map->number_keys = pool_numbers(operation, ints);
    return keys_unique(operation, map->text_keys, map->number_keys, map->count);
}

static enum status encoder_values(struct operation *operation, struct expr_map *map, enum dtype *dtype)
{
    const struct onnx_attribute *texts = list_attribute(operation, "values_strings", ATTRIBUTE_TEXTS);
    const struct onnx_attribute *ints = list_attribute(operation, "values_int64s", ATTRIBUTE_INTS);
    const struct onnx_attribute *floats = list_attribute(operation, "values_floats", ATTRIBUTE_FLOATS);
    const struct onnx_attribute *values = texts ? texts : ints ? ints : floats;
    if (!values || values->count != map->count || (texts && (ints || floats)) || (ints && floats))
        return operation_invalid(operation, "values that do not match the keys");
    *dtype = texts ? DTYPE_TEXT : ints ? DTYPE_INT64 : DTYPE_FLOAT;
    if (texts)
        map->text_values = pool_texts(operation, texts);
    else
        map->number_values = pool_numbers(operation, values);
    const struct onnx_attribute *text = onnx_attribute_find(operation->node, "default_string");
    const struct onnx_attribute *real = onnx_attribute_find(operation->node, "default_float");
    int64_t whole = 0;
    enum status status = operation_int(operation, "default_int64", -1, &whole);
    if ((text && text->type != ATTRIBUTE_TEXT) || (real && real->type != ATTRIBUTE_FLOAT))
        return operation_invalid(operation, "a default of another type");
    map->text_default = text ? expr_pool_text(operation->pool, text->texts[0]) : SPAN_LITERAL("_Unused");
    map->number_default = ints ? (double)whole : real ? (double)real->floats[0] : -0.0;
    return status;
}

enum status compile_label_encoder(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    if (input->kind != VALUE_TENSOR)
        return operation_unsupported(operation, "recoding of class labels");
    struct expr_map *map = expr_pool_take(operation->pool, 1, sizeof *map);
    enum dtype dtype = DTYPE_NONE;
    if (encoder_keys(operation, input, map) != STATUS_OK || encoder_values(operation, map, &dtype) != STATUS_OK)
        return operation->err->status;
    uint32_t *cells = operation_output(operation, dtype, input->rows, input->rank, input->dims);
    for (size_t c = 0; c < input->count && !operation->pool->overflow; c++)
        cells[c] = expr_encode(operation->pool, dtype, input->cells[c], map);
    return STATUS_OK;
}

/* zeros = 0: an unknown category is an error in other runtimes, and no score here. */
static enum status known_demand(struct operation *operation, const struct value *input, const struct span *keys,
                                const double *numbers, size_t count)
{
    struct expr_pool *pool = operation->pool;
    struct expr_map *map = expr_pool_take(pool, 1, sizeof *map);
    double *ones = expr_pool_take(pool, count, sizeof *ones);
    for (size_t k = 0; k < count; k++)
        ones[k] = 1;
    *map = (struct expr_map){.count = count, .text_keys = keys, .number_keys = numbers, .number_values = ones};
    for (size_t c = 0; c < input->count && !pool->overflow; c++) {
        uint32_t known = expr_encode(pool, DTYPE_FLOAT, input->cells[c], map);
        if (!pool->overflow)
            expr_demand(pool, known);
    }
    uint64_t cost = 0; /* of one row: they are evaluated without sharing */
    for (size_t d = 0; d < pool->demand_count; d++)
        cost += expr_at(pool, pool->demands[d])->cost;
    return cost <= MIXED_MAX_COST ? STATUS_OK
                                  : error_set(operation->err, STATUS_LIMIT, "categories of too long an expression");
}

/* Each element becomes one indicator for each category, on a new last axis. */
enum status compile_one_hot_encoder(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    const struct onnx_attribute *texts = list_attribute(operation, "cats_strings", ATTRIBUTE_TEXTS);
    const struct onnx_attribute *ints = list_attribute(operation, "cats_int64s", ATTRIBUTE_INTS);
    int64_t zeros = 1;
    if (operation_int(operation, "zeros", 1, &zeros) != STATUS_OK)
        return operation->err->status;
    if ((texts && ints) || (!texts && !ints) || input->rank == TENSOR_MAX_RANK || input->kind != VALUE_TENSOR)
        return operation_unsupported(operation, "other than one list of categories");
    if (texts ? input->dtype != DTYPE_TEXT : input->dtype == DTYPE_TEXT || input->dtype == DTYPE_BOOL)
        return operation_unsupported(operation, "categories of another type than the input");
    const struct onnx_attribute *categories = texts ? texts : ints;
    if (categories->count > EXPR_MAX_KEYS)
        return error_set(operation->err, STATUS_LIMIT, "more than %d categories", EXPR_MAX_KEYS);
    const struct span *keys = texts ? pool_texts(operation, texts) : NULL;
    const double *numbers = texts ? NULL : pool_numbers(operation, ints);
    if (keys_unique(operation, keys, numbers, categories->count) != STATUS_OK)
        return operation->err->status;
    if (zeros != 1 && known_demand(operation, input, keys, numbers, categories->count) != STATUS_OK)
        return operation->err->status;
    size_t dims[TENSOR_MAX_RANK] = {0};
    for (size_t d = 0; d < input->rank; d++)
        dims[d] = input->dims[d];
    dims[input->rank] = categories->count;
    uint32_t *cells = operation_output(operation, DTYPE_FLOAT, input->rows, input->rank + 1, dims);
    for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++) {
        size_t k = c % categories->count;
        cells[c] = expr_indicate(operation->pool, input->cells[c / categories->count], keys ? keys[k] : SPAN_NULL,
                                 numbers ? numbers[k] : 0);
    }
    return STATUS_OK;
}

/* A list of floats with one element for each column of the rows, or one for all. */
static enum status column_floats(struct operation *operation, const char *name, const struct value *input,
                                 const struct onnx_attribute **out)
{
    const struct onnx_attribute *floats = list_attribute(operation, name, ATTRIBUTE_FLOATS);
    if (input->kind != VALUE_TENSOR || !input->rows || input->rank != 2 || !dtype_is_real(input->dtype))
        return operation_unsupported(operation, "other than rows of numbers");
    if (!floats || (floats->count != 1 && floats->count != input->count))
        return operation_unsupported(operation, name);
    *out = floats;
    return STATUS_OK;
}

/* Whether x is the number that is replaced. */
static uint32_t replaced_find(struct expr_pool *pool, enum dtype dtype, uint32_t x, float replaced)
{
    if (isnan(replaced))
        return expr_unary(pool, EXPR_IS_NAN, DTYPE_BOOL, x);
    uint32_t number = expr_number(pool, dtype, replaced);
    return pool->overflow ? 0 : expr_arithmetic(pool, EXPR_EQUAL, DTYPE_BOOL, x, number);
}

enum status compile_imputer(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    const struct onnx_attribute *fill = NULL;
    const struct onnx_attribute *replaced = onnx_attribute_find(operation->node, "replaced_value_float");
    if (column_floats(operation, "imputed_value_floats", input, &fill) != STATUS_OK)
        return operation->err->status;
    if (!replaced || replaced->type != ATTRIBUTE_FLOAT)
        return operation_unsupported(operation, "imputing of other than one float");
    struct expr_pool *pool = operation->pool;
    uint32_t *cells = operation_output(operation, input->dtype, true, 2, input->dims);
    for (size_t c = 0; c < input->count && !pool->overflow; c++) {
        uint32_t missing = replaced_find(pool, input->dtype, input->cells[c], replaced->floats[0]);
        uint32_t number = expr_number(pool, input->dtype, fill->floats[fill->count == 1 ? 0 : c]);
        if (!pool->overflow)
            cells[c] = expr_where(pool, missing, number, input->cells[c]);
    }
    return STATUS_OK;
}

enum status operation_floats(struct operation *operation, const struct value *input, struct value *out)
{
    *out = *input;
    if (!dtype_is_whole(input->dtype) || input->kind != VALUE_TENSOR)
        return STATUS_OK;
    uint32_t *cells = expr_pool_take(operation->pool, input->count, sizeof *cells);
    for (size_t c = 0; c < input->count && !operation->pool->overflow; c++)
        cells[c] = expr_unary(operation->pool, EXPR_CAST, DTYPE_FLOAT, input->cells[c]);
    out->dtype = DTYPE_FLOAT;
    out->cells = cells;
    return operation->pool->overflow
               ? error_set(operation->err, STATUS_LIMIT, "the graph is too large or too deep to compile")
               : STATUS_OK;
}

/* (x − offset) × scale, in float */
enum status compile_scaler(struct operation *operation)
{
    struct value numbers;
    const struct value *input = &numbers;
    const struct onnx_attribute *offset = NULL, *scale = NULL;
    if (operation_floats(operation, operation->inputs[0], &numbers) != STATUS_OK ||
        column_floats(operation, "offset", input, &offset) != STATUS_OK ||
        column_floats(operation, "scale", input, &scale) != STATUS_OK)
        return operation->err->status;
    if (input->dtype != DTYPE_FLOAT)
        return operation_unsupported(operation, dtype_name(input->dtype));
    struct expr_pool *pool = operation->pool;
    uint32_t *cells = operation_output(operation, DTYPE_FLOAT, true, 2, input->dims);
    for (size_t c = 0; c < input->count && !pool->overflow; c++) {
        uint32_t from = expr_number(pool, DTYPE_FLOAT, offset->floats[offset->count == 1 ? 0 : c]);
        uint32_t by = expr_number(pool, DTYPE_FLOAT, scale->floats[scale->count == 1 ? 0 : c]);
        if (pool->overflow)
            break;
        uint32_t centred = expr_arithmetic(pool, EXPR_SUB, DTYPE_FLOAT, input->cells[c], from);
        if (!pool->overflow)
            cells[c] = expr_arithmetic(pool, EXPR_MUL, DTYPE_FLOAT, centred, by);
    }
    return STATUS_OK;
}

/* 1 where x is above the threshold. */
enum status compile_binarizer(struct operation *operation)
{
    struct value numbers;
    struct expr_pool *pool = operation->pool;
    const struct onnx_attribute *threshold = onnx_attribute_find(operation->node, "threshold");
    if (operation_floats(operation, operation->inputs[0], &numbers) != STATUS_OK)
        return operation->err->status;
    if (numbers.kind != VALUE_TENSOR || numbers.dtype != DTYPE_FLOAT ||
        (threshold && threshold->type != ATTRIBUTE_FLOAT))
        return operation_unsupported(operation, "other than numbers");
    uint32_t *cells = operation_output(operation, DTYPE_FLOAT, numbers.rows, numbers.rank, numbers.dims);
    uint32_t least = expr_number(pool, DTYPE_FLOAT, threshold ? (double)threshold->floats[0] : 0);
    for (size_t c = 0; c < operation->outputs[0].count && !pool->overflow; c++) {
        uint32_t above = expr_arithmetic(pool, EXPR_LESS, DTYPE_BOOL, least, numbers.cells[c]);
        cells[c] = pool->overflow ? 0 : expr_unary(pool, EXPR_CAST, DTYPE_FLOAT, above);
    }
    return STATUS_OK;
}

/* The model's classes in words, since its author knows them by name. */
static enum status labels_refuse(struct operation *operation, const struct onnx_attribute *labels)
{
    struct buffer names = {0};
    for (size_t l = 0; l < labels->count && names.bytes < 200; l++)
        if (labels->type == ATTRIBUTE_INTS)
            buffer_printf(&names, "%s%lld", l ? ", " : "", (long long)labels->ints[l]);
        else
            buffer_printf(&names, "%s'%.*s'", l ? ", " : "",
                          labels->texts[l].bytes < 40 ? (int)labels->texts[l].bytes : 40, labels->texts[l].data);
    enum status status = error_set(operation->err, STATUS_UNSUPPORTED,
                                   "the model has %zu classes (%.*s) and a risk is one of two: train with two",
                                   labels->count, (int)names.bytes, names.data);
    buffer_free(&names);
    return status;
}

enum status operation_labels(struct operation *operation, const char *ints_name, const char *texts_name,
                             const struct class_labels **out)
{
    const struct onnx_attribute *ints = list_attribute(operation, ints_name, ATTRIBUTE_INTS);
    const struct onnx_attribute *texts = list_attribute(operation, texts_name, ATTRIBUTE_TEXTS);
    const struct onnx_attribute *labels = ints ? ints : texts;
    if (!labels)
        return STATUS_OK;
    if (ints && texts)
        return operation_unsupported(operation, "class labels of two types");
    if (labels->count != CLASS_COUNT)
        return labels_refuse(operation, labels);
    struct class_labels *named = expr_pool_take(operation->pool, 1, sizeof *named);
    named->integers = ints != NULL;
    named->count = CLASS_COUNT;
    for (size_t l = 0; l < CLASS_COUNT; l++) {
        char digits[32] = "";
        if (ints)
            snprintf(digits, sizeof digits, "%lld", (long long)ints->ints[l]);
        named->texts[l] = expr_pool_text(operation->pool, ints ? span_of(digits) : texts->texts[l]);
    }
    *out = named;
    return STATUS_OK;
}

void operation_classify(struct operation *operation, uint32_t *probabilities, const struct class_labels *labels)
{
    struct value both = {.kind = VALUE_TENSOR,
                         .dtype = DTYPE_FLOAT,
                         .rows = true,
                         .rank = 2,
                         .dims = {1, CLASS_COUNT},
                         .count = CLASS_COUNT,
                         .cells = probabilities,
                         .labels = labels};
    operation->outputs[0] = both;
    operation->outputs[0].kind = VALUE_CLASS;
    operation->outputs[0].dtype = labels->integers ? DTYPE_INT64 : DTYPE_TEXT;
    operation->outputs[0].rank = 1;
    if (operation->output_count > 1)
        operation->outputs[1] = both;
}

/* A LinearClassifier's attributes. */
struct linear_classes {
    const float *weights, *intercepts;
    size_t rows, width; /* of coefficients; one row: the second class's score, and the first class's is its negative */
    bool softmax, raw;  /* raw: the scores themselves */
};

static enum status linear_classes_read(struct operation *operation, const struct value *input,
                                       struct linear_classes *out)
{
    const struct onnx_attribute *transform = onnx_attribute_find(operation->node, "post_transform");
    const struct onnx_attribute *coefficients = list_attribute(operation, "coefficients", ATTRIBUTE_FLOATS);
    const struct onnx_attribute *intercepts = list_attribute(operation, "intercepts", ATTRIBUTE_FLOATS);
    struct span link = transform && transform->type == ATTRIBUTE_TEXT ? transform->texts[0] : SPAN_LITERAL("NONE");
    bool softmax = span_equal(link, SPAN_LITERAL("SOFTMAX"));
    if (input->kind != VALUE_TENSOR || !input->rows || input->rank != 2 || !dtype_is_real(input->dtype))
        return operation_unsupported(operation, "other than rows of numbers");
    bool raw = span_equal(link, SPAN_LITERAL("NONE"));
    if (!softmax && !raw && !span_equal(link, SPAN_LITERAL("LOGISTIC")))
        return operation_unsupported(operation, "post_transform other than NONE, LOGISTIC and SOFTMAX");
    if (coefficients && intercepts && intercepts->count <= CLASS_COUNT &&
        coefficients->count > intercepts->count * input->count)
        return error_set(operation->err, STATUS_UNSUPPORTED,
                         "the model has coefficients for %zu features, but %zu are computed before it: the exporter "
                         "left some out, as skl2onnx does with SimpleImputer(add_indicator=True): use the converter in "
                         "docs/MODELS.md, or train without it",
                         coefficients->count / intercepts->count, input->count);
    if (!coefficients || !intercepts || intercepts->count > CLASS_COUNT ||
        coefficients->count != intercepts->count * input->count ||
        ((softmax || raw) && intercepts->count != CLASS_COUNT))
        return operation_unsupported(operation, "other than a row of coefficients and an intercept for each class");
    *out = (struct linear_classes){
        coefficients->floats, intercepts->floats, intercepts->count, input->count, softmax, raw};
    return STATUS_OK;
}

/* What stands before feature f of class k's score; f = width: its intercept. */
static double linear_weight(const struct linear_classes *linear, size_t k, size_t f)
{
    const float *list = f == linear->width ? linear->intercepts : linear->weights;
    size_t stride = f == linear->width ? 1 : linear->width, at = f == linear->width ? 0 : f;
    if (linear->rows == 1)
        return k ? (double)list[at] : -(double)list[at];
    double own = (double)list[k * stride + at];
    return linear->softmax ? own - (double)list[(1 - k) * stride + at]
                           : own; /* of two: the sigmoid of the difference */
}

/* The sigmoid of class k's score, or that itself. */
static uint32_t linear_share(struct operation *operation, const struct value *input,
                             const struct linear_classes *linear, size_t k)
{
    struct expr_pool *pool = operation->pool;
    if (!expr_pool_room(pool, input->count, sizeof(struct expr_term)))
        return 0;
    struct expr_terms *sum = expr_pool_take(pool, 1, sizeof *sum);
    struct expr_term *terms = expr_pool_take(pool, input->count, sizeof *terms);
    *sum = (struct expr_terms){input->count, terms};
    for (size_t f = 0; f < input->count && !pool->overflow; f++)
        terms[f] =
            (struct expr_term){expr_unary(pool, EXPR_CAST, DTYPE_FLOAT, input->cells[f]), linear_weight(linear, k, f)};
    if (pool->overflow)
        return 0;
    uint32_t score = expr_linear(pool, DTYPE_FLOAT, sum, linear_weight(linear, k, input->count));
    return pool->overflow || linear->raw ? score : expr_unary(pool, EXPR_SIGMOID, DTYPE_FLOAT, score);
}

enum status compile_linear_classifier(struct operation *operation)
{
    struct value input;
    struct linear_classes linear;
    const struct class_labels *labels = NULL;
    if (operation_labels(operation, "classlabels_ints", "classlabels_strings", &labels) != STATUS_OK ||
        operation_floats(operation, operation->inputs[0], &input) != STATUS_OK ||
        linear_classes_read(operation, &input, &linear) != STATUS_OK)
        return operation->err->status;
    if (!labels)
        return operation_unsupported(operation, "no class labels");
    uint32_t *probabilities = expr_pool_take(operation->pool, CLASS_COUNT, sizeof *probabilities);
    for (size_t k = 0; k < CLASS_COUNT && !operation->pool->overflow; k++)
        probabilities[k] = linear_share(operation, &input, &linear, k);
    operation_classify(operation, probabilities, labels);
    return STATUS_OK;
}

/* The elements at constant positions of the last axis. */
enum status compile_array_feature_extractor(struct operation *operation)
{
    const struct value *data = operation->inputs[0], *positions = operation->inputs[1];
    if (positions->kind == VALUE_CLASS && data->rank == 1)
        return compile_class_label(operation, data, positions);
    if (data->kind == VALUE_TENSOR && !data->rows && positions->kind == VALUE_TENSOR && positions->rows &&
        !dtype_is_real(data->dtype) && data->rank == 1 && data->count > CLASS_COUNT)
        return error_set(operation->err, STATUS_UNSUPPORTED,
                         "the model has %zu classes and a risk is one of two: train with two", data->count);
    if (data->kind == VALUE_TENSOR && !data->rows && positions->kind == VALUE_TENSOR && positions->rows)
        return operation_pick_nearest(operation, data, positions);
    if (data->kind != VALUE_TENSOR || !data->rows || data->rank != 2 || positions->dtype != DTYPE_INT64)
        return operation_unsupported(operation, "other than columns of rows");
    if (operation_constants(operation, positions, "positions that are not constant") != STATUS_OK)
        return operation->err->status;
    uint32_t *cells = operation_output(operation, data->dtype, true, 2, (size_t[]){1, positions->count});
    for (size_t c = 0; c < operation->outputs[0].count; c++) {
        double at = operation_constant(operation, positions, c);
        if (!(at >= 0 && at < (double)data->dims[1]))
            return operation_invalid(operation, "a position beyond the data");
        cells[c] = data->cells[(size_t)at];
    }
    return STATUS_OK;
}

enum status compile_zip_map(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    const struct class_labels *labels = input->labels;
    if (operation_labels(operation, "classlabels_int64s", "classlabels_strings", &labels) != STATUS_OK)
        return operation->err->status;
    if (input->kind != VALUE_TENSOR || !input->rows || input->count != CLASS_COUNT || !labels)
        return operation_unsupported(operation, "other than two probabilities with class labels");
    operation->outputs[0] = *input;
    operation->outputs[0].kind = VALUE_MAP;
    operation->outputs[0].labels = labels;
    return STATUS_OK;
}
