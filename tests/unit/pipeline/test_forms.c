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

static Onnx__TensorShapeProto shape;
static Onnx__TensorShapeProto__Dimension dims[2], *dim_list[2] = {&dims[0], &dims[1]};
static Onnx__StringStringEntryProto entry, *entries[] = {&entry};

/* float_input [N, width] → LinearClassifier; names: the file's own, or NULL. */
static void table_graph(int64_t width, const char *key, const char *names)
{
    onnx__tensor_shape_proto__init(&shape);
    for (size_t d = 0; d < 2; d++)
        onnx__tensor_shape_proto__dimension__init(&dims[d]);
    dims[1].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    dims[1].dim_value = width;
    shape.n_dim = 2;
    shape.dim = dim_list;
    graph_init(&g, 15, 3);
    graph_input(&g, "float_input", DTYPE_FLOAT);
    g.tensor_types[0].shape = &shape;
    static const float weights[] = {-0.5f, -0.25f, 0.5f, 0.25f};
    classifier("float_input", weights, 4, OFFSETS, 2, "LOGISTIC");
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)key;
    entry.value = (char *)names;
    g.model.metadata_props = entries;
    g.model.n_metadata_props = names != NULL;
}

static void test_a_table_gets_a_hint_how_to_name_its_columns(void **state)
{
    (void)state;
    table_graph(51, NULL, NULL);
    expect_refused(STATUS_UNSUPPORTED, "--columns A,B,C, or export with one input [N, 1] for each column");
}

static void test_a_tables_columns_have_names_in_its_order(void **state)
{
    (void)state;
    static const char *const KEYS[] = {"attrition.columns", "feature_names"}, *const NAMES[] = {" pay , age ",
                                                                                                "[\"pay\", \"age\"]"};
    for (int form = 0; form < 2; form++) {
        const struct pipeline_input *inputs;
        table_graph(2, KEYS[form], NAMES[form]);
        struct pipeline *pipeline = expect_loaded();
        assert_true(score_of(pipeline, 3, NULL, 8).margin == 0.5 * 8 + 0.25 * 3 - 0.25);
        assert_int_equal(pipeline_inputs(pipeline, &inputs), 2);
        assert_int_equal(inputs[0].column, PAY);
        assert_int_equal(inputs[1].column, AGE);
        assert_string_equal(pipeline_contract_columns(pipeline), "age int numeric float, pay double ordinal float");
        pipeline_free(pipeline);
    }
}

static void test_a_tables_names_must_be_its_columns(void **state)
{
    (void)state;
    static const struct {
        int64_t width;
        const char *names, *says;
        enum status status;
    } CASES[] = {{2, "pay", "names 1 columns for the model's input 'float_input', which has 2", STATUS_INVALID},
                 {2, "pay,age,city", "more columns than the model's inputs have, from 'city' on", STATUS_INVALID},
                 {2, "pay,salary", "the schema has no column 'salary'", STATUS_NOT_FOUND},
                 {2, "pay,pay", "column pay is named twice", STATUS_INVALID},
                 {2, "pay,city", "input city takes float, but the column is text", STATUS_UNSUPPORTED},
                 {51, "pay,age", "has 51 columns, more than the schema", STATUS_INVALID},
                 {2, "", "names 0 columns", STATUS_INVALID}};
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        table_graph(CASES[c].width, "attrition.columns", CASES[c].names);
        expect_refused(CASES[c].status, CASES[c].says);
    }
}

static void labelled_graph(int64_t first, int64_t second, int64_t third)
{
    const int64_t labels[] = {first, second, third};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    Onnx__NodeProto *node = graph_node(&g, "ml.LinearClassifier", "age", "label,probabilities");
    graph_floats(&g, node, "coefficients", OPPOSED, 2);
    graph_floats(&g, node, "intercepts", OFFSETS, 2);
    graph_text(&g, node, "post_transform", "LOGISTIC");
    graph_ints(&g, node, "classlabels_ints", labels, third ? 3 : 2);
    graph_output(&g, "label", DTYPE_INT64);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
}

static void test_one_is_the_risk_of_0_and_1_alone(void **state)
{
    (void)state;
    for (int64_t first = 0; first < 2; first++) {
        labelled_graph(first, 1 - first, 0);
        struct pipeline *pipeline = expect_loaded();
        assert_string_equal(pipeline_positive_label(pipeline), "1");
        assert_true(score_of(pipeline, 3, NULL, 0).margin == (first ? -1.25 : 1.25));
        pipeline_free(pipeline);
    }
    labelled_graph(1, 2, 0);
    expect_refused(STATUS_INVALID,
                   "classes are '1' and '2', neither the schema's ('Yes') nor the integers 0 and 1: say "
                   "which of the two is the risk with --positive-label");
    labelled_graph(-1, 1, 0);
    expect_refused(STATUS_INVALID, "--positive-label");
    labelled_graph(4, 5, 6);
    expect_refused(STATUS_UNSUPPORTED, "has 3 classes (4, 5, 6)");
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

/* What mixes columns is computed as the graph says; there are no reasons. */
static void test_features_that_mix_columns_are_steps(void **state)
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
    struct pipeline *pipeline = expect_loaded();
    assert_int_equal(pipeline_kind(pipeline), PIPELINE_STEPS);
    assert_false(pipeline_has_reasons(pipeline));
    struct score score = score_of(pipeline, 3, NULL, -2.5);
    assert_true(fabs(score.probability - 1 / (1 + exp(-0.75))) < 1e-7);
    assert_true(score.margin == score.probability && score.reason_count == 0);
    assert_true(isnan(score_of(pipeline, NAN, NULL, 1).probability));
    pipeline_free(pipeline);
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

static void graph_list(const char *name, const float *values, size_t count)
{
    Onnx__TensorProto *tensor = graph_tensor(&g, name, DTYPE_FLOAT, 1, (const int64_t[]){(int64_t)count});
    tensor->n_float_data = count;
    tensor->float_data = (float *)values;
}

/* Below 10 the first of the list, else the one at `place`: as QuantileTransformer searches, all rows in one line. */
static void search_graph(int64_t place, const char *added)
{
    static const float limit[] = {10}, list[] = {7, 9};
    static const int64_t first = 0;
    age_graph(DTYPE_FLOAT);
    graph_input(&g, "pay", DTYPE_FLOAT);
    graph_list("limit", limit, 1);
    graph_list("list", list, 2);
    graph_int64s(&g, "first", &first, 1);
    graph_int64s(&g, "place", &place, 1);
    graph_int(&g, graph_node(&g, "Flatten", "age", "line"), "axis", 0);
    graph_node(&g, "GreaterOrEqual", "line,limit", "above");
    graph_node(&g, "Where", "above,place,first", "found");
    graph_node(&g, "Gather", "list,found", "picked");
    graph_node(&g, "Add", added, "sum");
    graph_node(&g, "Shape", "age", "shape");
    graph_node(&g, "Reshape", "sum,shape", "feature");
    classifier("feature", OPPOSED, 2, OFFSETS, 2, "LOGISTIC");
}

static void test_computed_places_are_picked_within_the_list(void **state)
{
    (void)state;
    search_graph(1, "picked,limit");
    struct pipeline *pipeline = expect_loaded();
    assert_true(score_of(pipeline, 9, NULL, 0).margin == 0.5 * 17 - 0.25);
    assert_true(score_of(pipeline, 10, NULL, 0).margin == 0.5 * 19 - 0.25);
    assert_true(score_of(pipeline, NAN, NULL, 0).margin == 0.5 * 17 - 0.25);
    pipeline_free(pipeline);
    for (int64_t outside = -1; outside < 3; outside += 3) {
        search_graph(outside, "picked,limit");
        expect_refused(STATUS_UNSUPPORTED, "places that may lie outside the list");
    }
}

static void test_rows_in_one_line_meet_their_like_alone(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {"picked,pay", "picked,list"};
    for (size_t o = 0; o < 2; o++) {
        search_graph(1, OTHERS[o]);
        expect_refused(STATUS_UNSUPPORTED, "all rows in one line");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_row_and_softmax),
        cmocka_unit_test(test_whole_numbers_cannot_be_missing),
        cmocka_unit_test(test_a_table_gets_a_hint_how_to_name_its_columns),
        cmocka_unit_test(test_a_tables_columns_have_names_in_its_order),
        cmocka_unit_test(test_a_tables_names_must_be_its_columns),
        cmocka_unit_test(test_one_is_the_risk_of_0_and_1_alone),
        cmocka_unit_test(test_the_positive_class_may_be_the_rest_of_one),
        cmocka_unit_test(test_maps_must_name_the_classes_as_the_label_does),
        cmocka_unit_test(test_sums_of_one_column_know_the_models_texts),
        cmocka_unit_test(test_a_duplicate_category_or_attribute),
        cmocka_unit_test(test_bounds_as_attributes_or_left_out),
        cmocka_unit_test(test_features_that_mix_columns_are_steps),
        cmocka_unit_test(test_constant_sums_are_folded_once),
        cmocka_unit_test(test_computed_places_are_picked_within_the_list),
        cmocka_unit_test(test_rows_in_one_line_meet_their_like_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
