/* Legal forms that exporters seldom write, and hostile ones: exact or refused in words, within bounded work. */
#include "tests/unit/pipeline/graph.h"

#include <stdio.h>

static struct graph g;

static void expect_refused(enum status status, const char *says)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_equal(graph_load(&g, &pipeline, &err), status);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static struct pipeline *expect_loaded(void)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    return pipeline;
}

static struct score score_of(const struct pipeline *pipeline, double age, const char *city, double pay)
{
    struct cell cells[COLUMNS];
    struct score score;
    fixture_row(cells, age, city, pay, NULL);
    pipeline_score(pipeline, cells, 1, 0, &score, NULL);
    return score;
}

static Onnx__NodeProto *classifier(const char *input, const float *weights, size_t count, const float *bias,
                                   size_t classes, const char *link)
{
    Onnx__NodeProto *node = graph_node(&g, "ml.LinearClassifier", input, "label,probabilities");
    graph_floats(&g, node, "coefficients", weights, count);
    graph_floats(&g, node, "intercepts", bias, classes);
    graph_text(&g, node, "post_transform", link);
    graph_texts(&g, node, "classlabels_strings", "No,Yes");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    return node;
}

static const float OPPOSED[] = {-0.5f, 0.5f}, OFFSETS[] = {0.25f, -0.25f};

static void age_graph(int dtype)
{
    graph_init(&g, 15, 3);
    graph_input(&g, "age", dtype);
}

static void test_one_row_and_softmax(void **state)
{
    (void)state;
    static const float both[] = {0.5f, 1.25f}, bias[] = {1, -2};
    age_graph(DTYPE_FLOAT);
    classifier("age", OPPOSED + 1, 1, OFFSETS + 1, 1, "LOGISTIC");
    struct pipeline *pipeline = expect_loaded();
    assert_true(score_of(pipeline, 3, NULL, 0).margin == 1.25);
    pipeline_free(pipeline);
    age_graph(DTYPE_FLOAT);
    classifier("age", both, 2, bias, 2, "SOFTMAX");
    pipeline = expect_loaded();
    struct score score = score_of(pipeline, 3, NULL, 0);
    assert_true(score.margin == 0.75 * 3 - 3);
    assert_true(fabs(score.probability - 1 / (1 + exp(0.75))) < 1e-7);
    pipeline_free(pipeline);
    age_graph(DTYPE_FLOAT);
    classifier("age", both, 1, bias, 1, "SOFTMAX");
    expect_refused(STATUS_UNSUPPORTED, "operator LinearClassifier (node 'label')");
}

static void test_whole_numbers_cannot_be_missing(void **state)
{
    (void)state;
    static const double BAD[] = {NAN, 1.5, 3e10};
    age_graph(DTYPE_INT32);
    classifier("age", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    struct pipeline *pipeline = expect_loaded();
    assert_true(score_of(pipeline, 3, NULL, 0).margin == 1.25);
    for (size_t b = 0; b < 3; b++) {
        struct score score = score_of(pipeline, BAD[b], NULL, 0);
        assert_true(isnan(score.probability) && isnan(score.margin) && score.reason_count == 0);
    }
    pipeline_free(pipeline);
    graph_init(&g, 15, 3);
    graph_input(&g, "pay", DTYPE_INT64);
    classifier("pay", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    expect_refused(STATUS_UNSUPPORTED, "input pay takes int64, but the column is a number");
}

static void test_a_table_gets_a_hint_how_to_export_it(void **state)
{
    (void)state;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[2], *list[2] = {&dims[0], &dims[1]};
    onnx__tensor_shape_proto__init(&shape);
    for (size_t d = 0; d < 2; d++)
        onnx__tensor_shape_proto__dimension__init(&dims[d]);
    dims[1].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    dims[1].dim_value = 51;
    shape.n_dim = 2;
    shape.dim = list;
    graph_init(&g, 15, 3);
    graph_input(&g, "float_input", DTYPE_FLOAT);
    g.tensor_types[0].shape = &shape;
    classifier("float_input", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    expect_refused(STATUS_UNSUPPORTED, "export with one input [N, 1] for each column");
}

/* share is the sigmoid of 0.5 × age − 0.25; labels in this order. */
static void rest_graph(const char *labels)
{
    static const double one[] = {1}, weight[] = {0.5}, bias[] = {-0.25};
    Onnx__TensorProto *names;
    static ProtobufCBinaryData texts[2];
    age_graph(DTYPE_DOUBLE);
    graph_doubles(&g, "one", one, 1, 1);
    graph_doubles(&g, "weight", weight, 1, 1);
    graph_doubles(&g, "bias", bias, 1, 1);
    names = graph_tensor(&g, "labels", DTYPE_TEXT, 1, (const int64_t[]){2});
    texts[0] = (ProtobufCBinaryData){strcspn(labels, ","), (uint8_t *)labels};
    texts[1] = (ProtobufCBinaryData){strlen(labels) - texts[0].len - 1, (uint8_t *)labels + texts[0].len + 1};
    names->n_string_data = 2;
    names->string_data = texts;
    graph_node(&g, "MatMul", "age,weight", "product");
    graph_node(&g, "Add", "product,bias", "raw");
    graph_node(&g, "Sigmoid", "raw", "share");
    graph_node(&g, "Sub", "one,share", "rest");
    graph_int(&g, graph_node(&g, "Concat", "rest,share", "probabilities"), "axis", -1);
    graph_int(&g, graph_node(&g, "ArgMax", "probabilities", "index"), "axis", -1);
    graph_node(&g, "ml.ArrayFeatureExtractor", "labels,index", "label");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_DOUBLE);
}

static void test_the_positive_class_may_be_the_rest_of_one(void **state)
{
    (void)state;
    static const char *const ORDERS[] = {"No,Yes", "Yes,Zebra"};
    for (int first = 0; first < 2; first++) {
        rest_graph(ORDERS[first]);
        struct pipeline *pipeline = expect_loaded();
        struct score score = score_of(pipeline, 3, NULL, 0);
        assert_true(score.margin == (first ? -1.25 : 1.25));
        assert_true(fabs(score.probability - 1 / (1 + exp(-score.margin))) < 1e-15);
        pipeline_free(pipeline);
    }
}

static void test_maps_must_name_the_classes_as_the_label_does(void **state)
{
    (void)state;
    age_graph(DTYPE_FLOAT);
    classifier("age", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    graph_texts(&g, graph_node(&g, "ml.ZipMap", "probabilities", "map"), "classlabels_strings", "Yes,No");
    g.values[2].name = (char *)"map";
    g.types[2].value_case = ONNX__TYPE_PROTO__VALUE__NOT_SET;
    g.types[2].tensor_type = NULL;
    expect_refused(STATUS_UNSUPPORTED, "names the classes otherwise");
}

/* The model knows a text that the schema does not list, behind a sum over one column's categories. */
static void test_sums_of_one_column_know_the_models_texts(void **state)
{
    (void)state;
    static const double weights[] = {2, 3};
    graph_init(&g, 15, 3);
    graph_input(&g, "city", DTYPE_TEXT);
    graph_doubles(&g, "weights", weights, 2, 1);
    graph_int64s(&g, "shape", (const int64_t[]){-1, 2}, 2);
    graph_texts(&g, graph_node(&g, "ml.OneHotEncoder", "city", "hot"), "cats_strings", "Atlantis,Ulm");
    graph_node(&g, "Reshape", "hot,shape", "flat");
    graph_int(&g, graph_node(&g, "Cast", "flat", "wide"), "to", DTYPE_DOUBLE);
    graph_node(&g, "MatMul", "wide,weights", "sum");
    classifier("sum", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    struct pipeline *pipeline = expect_loaded();
    assert_true(score_of(pipeline, 0, "Atlantis", 0).margin == 0.5 * 2 - 0.25);
    assert_true(score_of(pipeline, 0, "Ulm", 0).margin == 0.5 * 3 - 0.25);
    assert_true(score_of(pipeline, 0, "elsewhere", 0).margin == -0.25);
    pipeline_free(pipeline);
}

static void test_a_duplicate_category_or_attribute(void **state)
{
    (void)state;
    graph_init(&g, 15, 3);
    graph_input(&g, "city", DTYPE_TEXT);
    Onnx__NodeProto *node = graph_node(&g, "ml.OneHotEncoder", "city", "hot");
    graph_texts(&g, node, "cats_strings", "Ulm,Ulm");
    classifier("hot", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    expect_refused(STATUS_UNSUPPORTED, "operator OneHotEncoder (node 'hot'): a duplicate key or category");
    age_graph(DTYPE_FLOAT);
    node = classifier("age", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    graph_text(&g, node, "post_transform", "LOGISTIC");
    expect_refused(STATUS_INVALID, "duplicate attribute 'post_transform'");
}

static void test_bounds_as_attributes_or_left_out(void **state)
{
    (void)state;
    for (int64_t opset = 9; opset <= 11; opset += 2) {
        age_graph(DTYPE_FLOAT);
        g.opsets[0].version = opset;
        graph_float(&g, graph_node(&g, "Clip", "age", "clipped"), "max", 2);
        classifier("clipped", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
        if (opset == 11) {
            expect_refused(STATUS_INVALID, "operator Clip (node 'clipped'): max");
            continue;
        }
        struct pipeline *pipeline = expect_loaded();
        assert_true(score_of(pipeline, 41, NULL, 0).margin == 0.75);
        pipeline_free(pipeline);
    }
}

static void test_features_that_mix_columns_name_who_mixed(void **state)
{
    (void)state;
    static const float weights[] = {1, 2, 3, 4};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    graph_input(&g, "pay", DTYPE_FLOAT);
    graph_int(&g, graph_node(&g, "Concat", "age,pay", "rows"), "axis", 1);
    Onnx__TensorProto *matrix = graph_tensor(&g, "components", DTYPE_FLOAT, 2, (const int64_t[]){2, 1});
    matrix->n_float_data = 2;
    matrix->float_data = (float *)weights;
    graph_node(&g, "MatMul", "rows,components", "rotated");
    graph_node(&g, "Abs", "rotated", "after");
    classifier("after", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    expect_refused(STATUS_UNSUPPORTED, "operator MatMul (node 'rotated') mixes columns");
}

/* Sums of sums of constants: small in the file, 1000^levels steps if each were computed again. */
static void test_constant_sums_are_folded_once(void **state)
{
    (void)state;
    enum { WIDTH = 200, LEVELS = 12 };
    static double ones[WIDTH * WIDTH], row[WIDTH];
    static char names[LEVELS + 1][8];
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_DOUBLE);
    for (size_t i = 0; i < WIDTH * WIDTH; i++)
        ones[i] = 1.0 / WIDTH;
    for (size_t i = 0; i < WIDTH; i++)
        row[i] = 1;
    graph_doubles(&g, "ones", ones, WIDTH, WIDTH);
    graph_doubles(&g, "row", row, 1, WIDTH);
    Onnx__TensorProto *never = graph_tensor(&g, "never", DTYPE_BOOL, 2, (const int64_t[]){1, 1});
    never->n_int32_data = 1;
    never->int32_data = (int32_t[]){0};
    graph_node(&g, "Where", "never,age,row", "x0");
    snprintf(names[0], sizeof names[0], "x0");
    for (size_t l = 1; l <= LEVELS; l++) {
        char inputs[16];
        snprintf(names[l], sizeof names[l], "x%zu", l);
        snprintf(inputs, sizeof inputs, "%s,ones", names[l - 1]);
        graph_node(&g, "MatMul", inputs, names[l]);
    }
    graph_int(&g, graph_node(&g, "ReduceSum", names[LEVELS], "sum"), "keepdims", 1);
    classifier("sum", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_not_equal(graph_load(&g, &pipeline, &err), STATUS_OK);
    assert_non_null(strchr(err.text, ' '));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_row_and_softmax),
        cmocka_unit_test(test_whole_numbers_cannot_be_missing),
        cmocka_unit_test(test_a_table_gets_a_hint_how_to_export_it),
        cmocka_unit_test(test_the_positive_class_may_be_the_rest_of_one),
        cmocka_unit_test(test_maps_must_name_the_classes_as_the_label_does),
        cmocka_unit_test(test_sums_of_one_column_know_the_models_texts),
        cmocka_unit_test(test_a_duplicate_category_or_attribute),
        cmocka_unit_test(test_bounds_as_attributes_or_left_out),
        cmocka_unit_test(test_features_that_mix_columns_name_who_mixed),
        cmocka_unit_test(test_constant_sums_are_folded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
