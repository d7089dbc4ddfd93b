/* Graphs as other exporters write them: exact where they load, refused by operator and node name where not. */
#include "tests/unit/pipeline/graph.h"

#include <stdio.h>

static const float FILL[] = {36, 4900}, OFFSET[] = {36.9f, 6500.25f}, SCALE[] = {0.11f, 0.0002f};
static const float COEFFICIENTS[] = {-0.75f, 1.25f, -0.5f, 0.25f, 0.75f, -1.25f, 0.5f, -0.25f},
                   INTERCEPTS[] = {0.6f, -0.6f};

/* skl2onnx's float graph: Imputer, Scaler, text imputation by LabelEncoder + Where, OneHotEncoder, LinearClassifier. */
static void float_graph(struct graph *g)
{
    graph_init(g, 12, 1);
    graph_input(g, "age", DTYPE_FLOAT);
    graph_input(g, "pay", DTYPE_FLOAT);
    graph_input(g, "city", DTYPE_TEXT);
    graph_int64s(g, "zero", (const int64_t[]){0}, 1);
    graph_int64s(g, "shape", (const int64_t[]){-1, 2}, 2);
    graph_int(g, graph_node(g, "Concat", "age,pay", "numbers"), "axis", 1);
    Onnx__NodeProto *node = graph_node(g, "ml.Imputer", "numbers", "imputed");
    graph_floats(g, node, "imputed_value_floats", FILL, 2);
    graph_float(g, node, "replaced_value_float", NAN);
    node = graph_node(g, "ml.Scaler", "imputed", "scaled");
    graph_floats(g, node, "offset", OFFSET, 2);
    graph_floats(g, node, "scale", SCALE, 2);
    node = graph_node(g, "ml.LabelEncoder", "zero", "fill");
    graph_ints(g, node, "keys_int64s", (const int64_t[]){0}, 1);
    graph_texts(g, node, "values_strings", "Ulm");
    graph_text(g, node, "default_string", "Ulm");
    graph_node(g, "ml.ArrayFeatureExtractor", "city,zero", "picked");
    node = graph_node(g, "ml.LabelEncoder", "picked", "empty");
    graph_texts(g, node, "keys_strings", "");
    graph_ints(g, node, "values_int64s", (const int64_t[]){1}, 1);
    graph_int(g, node, "default_int64", 0);
    graph_int(g, graph_node(g, "Cast", "empty", "missing"), "to", DTYPE_BOOL);
    graph_node(g, "Where", "missing,fill,picked", "texts");
    graph_int(g, graph_node(g, "Gather", "texts,zero", "text"), "axis", 1);
    node = graph_node(g, "ml.OneHotEncoder", "text", "onehot");
    graph_texts(g, node, "cats_strings", "Bonn & Köln,Ulm");
    graph_int(g, node, "zeros", 1);
    graph_node(g, "Reshape", "onehot,shape", "flat");
    graph_int(g, graph_node(g, "Concat", "scaled,flat", "features"), "axis", 1);
    node = graph_node(g, "ml.LinearClassifier", "features", "label,probabilities");
    graph_texts(g, node, "classlabels_strings", "No,Yes");
    graph_floats(g, node, "coefficients", COEFFICIENTS, 8);
    graph_floats(g, node, "intercepts", INTERCEPTS, 2);
    graph_text(g, node, "post_transform", "LOGISTIC");
    graph_output(g, "label", DTYPE_TEXT);
    graph_output(g, "probabilities", DTYPE_FLOAT);
}

static float float_term(size_t column, double number)
{
    float x = isnan(number) ? FILL[column] : (float)number;
    return (x - OFFSET[column]) * SCALE[column];
}

static void test_a_float_graph_rounds_as_floats(void **state)
{
    (void)state;
    static struct graph g;
    struct pipeline *pipeline = NULL;
    struct error err;
    struct cell cells[COLUMNS];
    struct score score;
    static const char *const TEXTS[] = {NULL, "", "Ulm", "Bonn & Köln", "Nowhere", "elsewhere"};
    float_graph(&g);
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    for (size_t t = 0; t < 6; t++) {
        double age = t % 2 ? NAN : 41.3, pay = t % 3 ? 1e9 / 3 : NAN;
        double city = t < 3 ? -0.25 : t == 3 ? 0.5 : 0;
        fixture_row(cells, age, TEXTS[t], pay, NULL);
        pipeline_score(pipeline, cells, 1, 0, &score, NULL);
        double margin = 0.75 * (double)float_term(0, age) - 1.25 * (double)float_term(1, pay) + city - (double)0.6f;
        assert_true(fabs(score.margin - margin) <= 1e-12 * fmax(1, fabs(margin)));
        assert_true(fabs(score.probability - 1 / (1 + exp(-margin))) <= 1.2e-7);
        assert_true(score.probability == (double)(float)score.probability);
    }
    pipeline_free(pipeline);
}

/* skl2onnx's double graph for one number: MatMul, Sigmoid, normalised by the sum, integer labels; optionally bent. */
static Onnx__NodeProto *double_graph(struct graph *g, const char *op, const double *weights)
{
    static const double bias[] = {0.5, -0.5}, centre[] = {3}, spread[] = {2};
    graph_init(g, 18, 3);
    graph_input(g, "age", DTYPE_DOUBLE);
    graph_doubles(g, "weights", weights, 1, 2);
    graph_doubles(g, "bias", bias, 1, 2);
    graph_doubles(g, "centre", centre, 1, 1);
    graph_doubles(g, "spread", spread, 1, 1);
    graph_int64s(g, "one", (const int64_t[]){1}, 1);
    graph_int64s(g, "labels", (const int64_t[]){0, 1}, 2);
    graph_int64s(g, "open", (const int64_t[]){-1}, 1);
    graph_node(g, "IsNaN", "age", "missing");
    graph_node(g, "Where", "missing,centre,age", "imputed");
    graph_node(g, "Sub", "imputed,centre", "centred");
    Onnx__NodeProto *bent = graph_node(g, op, "centred,spread", "scaled");
    graph_node(g, "MatMul", "scaled,weights", "product");
    graph_node(g, "Add", "product,bias", "raw");
    graph_int(g, graph_node(g, "ArgMax", "raw", "index"), "axis", 1);
    graph_node(g, "Sigmoid", "raw", "shares");
    graph_node(g, "Abs", "shares", "positive");
    graph_int(g, graph_node(g, "ReduceSum", "positive,one", "sum"), "keepdims", 1);
    graph_node(g, "Div", "shares,sum", "probabilities");
    graph_node(g, "ml.ArrayFeatureExtractor", "labels,index", "picked");
    graph_int(g, graph_node(g, "Cast", "picked", "cast"), "to", DTYPE_DOUBLE);
    graph_node(g, "Reshape", "cast,open", "reshaped");
    graph_int(g, graph_node(g, "Cast", "reshaped", "label"), "to", DTYPE_INT64);
    graph_output(g, "label", DTYPE_INT64);
    graph_output(g, "probabilities", DTYPE_DOUBLE);
    return bent;
}

static void test_normalised_scores_and_integer_labels(void **state)
{
    (void)state;
    static struct graph g;
    struct pipeline *pipeline = NULL;
    struct error err;
    struct cell cells[COLUMNS];
    struct score score;
    double_graph(&g, "Div", (const double[]){-1.5, 1.5});
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    assert_string_equal(pipeline_positive_label(pipeline), "1");
    fixture_row(cells, 7, NULL, NAN, NULL);
    pipeline_score(pipeline, cells, 1, 0, &score, NULL);
    assert_true(score.margin == 1.5 * 2 - 0.5);
    assert_true(fabs(score.probability - 1 / (1 + exp(-2.5))) < 1e-15);
    pipeline_free(pipeline);
}

static void expect_refused(struct graph *g, enum status status, const char *says)
{
    struct pipeline *pipeline = NULL;
    struct error err;
    assert_int_equal(graph_load(g, &pipeline, &err), status);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static void test_refusals_name_operator_and_node(void **state)
{
    (void)state;
    static struct graph g;
    const double weights[] = {-1.5, 1.5};
    double_graph(&g, "BitShift", weights);
    expect_refused(&g, STATUS_UNSUPPORTED, "operator BitShift (node 'scaled') is not supported");
    double_graph(&g, "ml.Div", weights);
    expect_refused(&g, STATUS_UNSUPPORTED, "operator ai.onnx.ml.Div (node 'scaled')");
    double_graph(&g, "Div", weights)->domain = (char *)"com.example";
    expect_refused(&g, STATUS_UNSUPPORTED, "operator com.example.Div (node 'scaled')");
    graph_int(&g, double_graph(&g, "Div", weights), "fast", 1);
    expect_refused(&g, STATUS_UNSUPPORTED, "operator Div (node 'scaled'): attribute 'fast'");
    double_graph(&g, "Div", weights)->n_input = 1;
    expect_refused(&g, STATUS_UNSUPPORTED, "operator Div (node 'scaled'): 1 inputs");
    double_graph(&g, "Div", weights)->input[1] = (char *)"label";
    expect_refused(&g, STATUS_INVALID, "reads 'label'");
    double_graph(&g, "Div", weights)->output[0] = (char *)"age";
    expect_refused(&g, STATUS_INVALID, "'age' is made twice");
}

static void test_operator_sets_are_checked(void **state)
{
    (void)state;
    static struct graph g;
    const double weights[] = {-1.5, 1.5};
    double_graph(&g, "Div", weights);
    g.opsets[0].version = 8;
    expect_refused(&g, STATUS_UNSUPPORTED, "operator set ai.onnx 8");
    double_graph(&g, "Div", weights);
    g.opsets[1].version = 6;
    expect_refused(&g, STATUS_UNSUPPORTED, "operator set ai.onnx.ml 6");
    double_graph(&g, "Div", weights);
    g.model.n_opset_import = 0;
    expect_refused(&g, STATUS_INVALID, "does not import");
}

static void test_tensors_must_hold_what_they_claim(void **state)
{
    (void)state;
    static struct graph g;
    const double weights[] = {-1.5, 1.5};
    double_graph(&g, "Div", weights);
    g.tensors[0].raw_data.len--;
    expect_refused(&g, STATUS_INVALID, "tensor 'weights'");
    double_graph(&g, "Div", weights);
    g.tensors[0].dims[0] = INT64_MAX;
    expect_refused(&g, STATUS_INVALID, "tensor 'weights'");
    double_graph(&g, "Div", weights);
    g.tensors[0].dims[0] = -1;
    expect_refused(&g, STATUS_INVALID, "tensor 'weights'");
    double_graph(&g, "Div", weights);
    g.tensors[0].data_type = 5;
    expect_refused(&g, STATUS_UNSUPPORTED, "tensor 'weights': element type 5");
    double_graph(&g, "Div", weights);
    g.tensors[5].int64_data = (int64_t[]){INT64_MAX, 1};
    expect_refused(&g, STATUS_UNSUPPORTED, "beyond 2^53");
}

/* x + x + …: shared, so small in the file; 2^39 additions for a formula of the column, 39 steps. */
static void test_a_doubling_chain_is_steps(void **state)
{
    (void)state;
    static struct graph g;
    static char names[40][8];
    const double weights[] = {-1.5, 1.5};
    Onnx__NodeProto *divide = double_graph(&g, "Div", weights);
    snprintf(names[0], sizeof names[0], "age");
    for (size_t n = 1; n < 40; n++) {
        char inputs[24];
        snprintf(names[n], sizeof names[n], "x%zu", n);
        snprintf(inputs, sizeof inputs, "%s,%s", names[n - 1], names[n - 1]);
        graph_node(&g, "Add", inputs, names[n]);
    }
    /* The chain comes first. */
    Onnx__NodeProto *ordered[GRAPH_ROOM];
    size_t before = g.graph.n_node - 39;
    memcpy(ordered, g.node_list + before, 39 * sizeof *ordered);
    memcpy(ordered + 39, g.node_list, before * sizeof *ordered);
    memcpy(g.node_list, ordered, g.graph.n_node * sizeof *ordered);
    divide->input[0] = names[39];
    struct pipeline *pipeline = NULL;
    struct error err;
    struct cell cells[COLUMNS];
    struct score score;
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    fixture_row(cells, 0, NULL, NAN, NULL);
    pipeline_score(pipeline, cells, 1, 0, &score, NULL);
    assert_true(fabs(score.probability - 1 / (1 + exp(0.5))) < 1e-15);
    pipeline_free(pipeline);
}

/* As skl2onnx writes MinMaxScaler(clip=True) and SGDClassifier: bounds on a number, and 1 − p for the first class. */
static void test_clipped_numbers_and_the_rest_of_one(void **state)
{
    (void)state;
    static struct graph g;
    static const double one[] = {1}, low[] = {-2}, high[] = {3}, weight[] = {0.5}, bias[] = {-0.25};
    static const double AGES[] = {-5, -2, 0.5, 3, 8, INFINITY, -INFINITY};
    struct pipeline *pipeline = NULL;
    struct error err;
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_DOUBLE);
    graph_doubles(&g, "one", one, 1, 1);
    graph_doubles(&g, "low", low, 1, 1);
    graph_doubles(&g, "high", high, 1, 1);
    graph_doubles(&g, "weight", weight, 1, 1);
    graph_doubles(&g, "bias", bias, 1, 1);
    graph_int64s(&g, "labels", (const int64_t[]){0, 1}, 2);
    graph_node(&g, "Clip", "age,low,high", "clipped");
    graph_node(&g, "MatMul", "clipped,weight", "product");
    graph_node(&g, "Add", "product,bias", "raw");
    graph_node(&g, "Sigmoid", "raw", "share");
    graph_node(&g, "Sub", "one,share", "rest");
    graph_int(&g, graph_node(&g, "Concat", "rest,share", "probabilities"), "axis", 1);
    graph_int(&g, graph_node(&g, "ArgMax", "probabilities", "index"), "axis", 1);
    graph_node(&g, "ml.ArrayFeatureExtractor", "labels,index", "label");
    graph_output(&g, "label", DTYPE_INT64);
    graph_output(&g, "probabilities", DTYPE_DOUBLE);
    assert_int_equal(graph_load(&g, &pipeline, &err), STATUS_OK);
    for (size_t a = 0; a < sizeof AGES / sizeof *AGES; a++) {
        struct cell cells[COLUMNS];
        struct score score;
        fixture_row(cells, AGES[a], NULL, 0, NULL);
        pipeline_score(pipeline, cells, 1, 0, &score, NULL);
        assert_true(score.margin == 0.5 * fmin(fmax(AGES[a], -2), 3) - 0.25);
        assert_true(fabs(score.probability - 1 / (1 + exp(-score.margin))) < 1e-15);
    }
    pipeline_free(pipeline);
}

/* A node that no output needs is no reason to refuse. */
static void test_unneeded_nodes_are_left_out(void **state)
{
    (void)state;
    static struct graph g;
    struct pipeline *pipeline = NULL;
    struct error err;
    double_graph(&g, "Div", (const double[]){-1.5, 1.5});
    graph_node(&g, "Softmax", "raw", "unused");
    assert_int_equal(graph_load(&g, &pipeline, &err), STATUS_OK);
    pipeline_free(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_float_graph_rounds_as_floats),
        cmocka_unit_test(test_normalised_scores_and_integer_labels),
        cmocka_unit_test(test_refusals_name_operator_and_node),
        cmocka_unit_test(test_operator_sets_are_checked),
        cmocka_unit_test(test_tensors_must_hold_what_they_claim),
        cmocka_unit_test(test_a_doubling_chain_is_steps),
        cmocka_unit_test(test_clipped_numbers_and_the_rest_of_one),
        cmocka_unit_test(test_unneeded_nodes_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
