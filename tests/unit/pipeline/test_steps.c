/* Models as steps: joined ones, encoders that refuse what they do not know, isotonic calibration; exact, the same in a
 * block as alone, or refused in words. */
#include "tests/unit/pipeline/graph.h"

static struct graph g;

static struct pipeline *expect_loaded(void)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    return pipeline;
}

static void expect_refused(enum status status, const char *says)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_equal(graph_load(&g, &pipeline, &err), status);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static double share_of(const struct pipeline *pipeline, double age, const char *city)
{
    struct cell cells[COLUMNS];
    struct score score;
    fixture_row(cells, age, city, 1, NULL);
    pipeline_score(pipeline, cells, 1, 4, &score, NULL);
    assert_int_equal(score.reason_count, 0);
    return score.probability;
}

static Onnx__TensorProto *floats(const char *name, const float *values, int64_t count)
{
    Onnx__TensorProto *tensor = graph_tensor(&g, name, DTYPE_FLOAT, 1, &count);
    tensor->n_float_data = (size_t)count;
    tensor->float_data = (float *)values;
    return tensor;
}

static void linear(const char *input, const char *outputs, const float *weights, size_t count, const char *link)
{
    static const float bias[] = {0, 0};
    Onnx__NodeProto *node = graph_node(&g, "ml.LinearClassifier", input, outputs);
    graph_floats(&g, node, "coefficients", weights, count);
    graph_floats(&g, node, "intercepts", bias, 2);
    graph_text(&g, node, "post_transform", link);
    graph_texts(&g, node, "classlabels_strings", "No,Yes");
}

static void label_by(const char *scores)
{
    static ProtobufCBinaryData texts[] = {{2, (uint8_t *)"No"}, {3, (uint8_t *)"Yes"}};
    Onnx__TensorProto *names = graph_tensor(&g, "labels", DTYPE_TEXT, 1, (const int64_t[]){2});
    names->n_string_data = 2;
    names->string_data = texts;
    graph_int(&g, graph_node(&g, "ArgMax", scores, "index"), "axis", 1);
    graph_node(&g, "ml.ArrayFeatureExtractor", "labels,index", "label");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
}

/* (1 × σ(age / 10) + 3 × σ(−age / 5)) / 4 */
static void test_a_vote_of_two_with_weights(void **state)
{
    (void)state;
    static const float up[] = {-0.1f, 0.1f}, down[] = {0.2f, -0.2f}, first[] = {0.25f}, second[] = {0.75f};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    floats("w0", first, 1);
    floats("w1", second, 1);
    linear("age", "label_0,shares_0", up, 2, "LOGISTIC");
    linear("age", "label_1,shares_1", down, 2, "LOGISTIC");
    graph_node(&g, "Mul", "shares_0,w0", "part_0");
    graph_node(&g, "Mul", "shares_1,w1", "part_1");
    graph_node(&g, "Sum", "part_0,part_1", "probabilities");
    label_by("probabilities");
    struct pipeline *pipeline = expect_loaded();
    assert_string_equal(pipeline_kind_name(pipeline), "steps");
    struct cell cells[150 * COLUMNS];
    struct score scores[150];
    for (size_t r = 0; r < 150; r++)
        fixture_row(cells + r * COLUMNS, (double)r - 70, NULL, 1, NULL);
    pipeline_score(pipeline, cells, 150, 0, scores, NULL);
    for (size_t r = 0; r < 150; r++) {
        double age = (double)r - 70, expected = 0.25 / (1 + exp(-age / 10)) + 0.75 / (1 + exp(age / 5));
        assert_true(fabs(scores[r].probability - expected) < 1e-7);
        assert_true(scores[r].probability == share_of(pipeline, age, NULL));
    }
    pipeline_free(pipeline);
}

/* y of the x nearest to the score, of equally near ones the first: skl2onnx's isotonic calibration. */
static void test_isotonic_calibration_takes_the_nearest(void **state)
{
    (void)state;
    static const float identity[] = {-1, 1}, x[] = {-2, 0, 1, 5}, y[] = {0.125f, 0.25f, 0.5f, 0.875f}, one[] = {1};
    static const struct {
        double age, share;
    } CASES[] = {{-9, 0.125},  {-1.5, 0.125}, {-1, 0.125},  {-0.5, 0.25}, {0.5, 0.25},
                 {0.625, 0.5}, {3, 0.5},      {3.5, 0.875}, {77, 0.875}};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    floats("x", x, 4);
    floats("y", y, 4);
    floats("one", one, 1);
    graph_int64s(&g, "second", (const int64_t[]){1}, 1);
    graph_int64s(&g, "column", (const int64_t[]){-1, 1}, 2);
    linear("age", "raw_label,raw", identity, 2, "NONE");
    graph_node(&g, "ml.ArrayFeatureExtractor", "raw,second", "score");
    graph_node(&g, "Sub", "score,x", "distance");
    graph_node(&g, "Abs", "distance", "size");
    graph_int(&g, graph_node(&g, "ArgMin", "size", "place"), "axis", 1);
    graph_node(&g, "ml.ArrayFeatureExtractor", "y,place", "picked");
    graph_node(&g, "Reshape", "picked,column", "share");
    graph_node(&g, "Sub", "one,share", "rest");
    graph_int(&g, graph_node(&g, "Concat", "rest,share", "probabilities"), "axis", 1);
    label_by("probabilities");
    struct pipeline *pipeline = expect_loaded();
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++)
        assert_true(share_of(pipeline, CASES[c].age, NULL) == CASES[c].share);
    pipeline_free(pipeline);
}

static void test_scores_are_no_probabilities(void **state)
{
    (void)state;
    static const float identity[] = {-1, 1};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    linear("age", "label,probabilities", identity, 2, "NONE");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    expect_refused(STATUS_UNSUPPORTED, "no probabilities");
}

/* zeros = 0, as scikit-learn's encoder is exported by default. */
static void test_an_encoder_that_knows_its_categories_alone(void **state)
{
    (void)state;
    static const float weights[] = {-1, -3, 1, 3};
    graph_init(&g, 15, 3);
    graph_input(&g, "city", DTYPE_TEXT);
    Onnx__NodeProto *encoder = graph_node(&g, "ml.OneHotEncoder", "city", "encoded");
    graph_texts(&g, encoder, "cats_strings", "Ulm,Elsewhere");
    graph_int(&g, encoder, "zeros", 0);
    graph_int64s(&g, "wide", (const int64_t[]){-1, 2}, 2);
    graph_node(&g, "Reshape", "encoded,wide", "rows");
    linear("rows", "label,probabilities", weights, 4, "LOGISTIC");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    struct pipeline *pipeline = expect_loaded();
    assert_int_equal(pipeline_kind(pipeline), PIPELINE_LINEAR);
    assert_true(fabs(share_of(pipeline, 1, "Ulm") - 1 / (1 + exp(-1))) < 1e-7);
    assert_true(fabs(share_of(pipeline, 1, "Elsewhere") - 1 / (1 + exp(-3))) < 1e-7);
    static const char *const UNKNOWN[] = {"Nowhere", "Atlantis", NULL};
    for (size_t u = 0; u < 3; u++) {
        struct cell cells[COLUMNS];
        int32_t column = -1;
        fixture_row(cells, 1, UNKNOWN[u], 1, NULL);
        assert_true(isnan(share_of(pipeline, 1, UNKNOWN[u])));
        assert_true(pipeline_refuses(pipeline, cells, &column));
        assert_int_equal(column, CITY);
    }
    pipeline_free(pipeline);
}

/* The number of rows is known to nobody: shapes are made of it, nothing is computed. */
static void test_the_number_of_rows_is_no_number(void **state)
{
    (void)state;
    for (int cast = 0; cast < 2; cast++) {
        static const int64_t limits[] = {5, 5};
        static const float up[] = {-0.1f, 0.1f};
        graph_init(&g, 15, 3);
        graph_input(&g, "age", DTYPE_FLOAT);
        graph_int64s(&g, "limit", limits, 2);
        graph_node(&g, "Shape", "age", "shape");
        if (cast)
            graph_int(&g, graph_node(&g, "Cast", "shape", "many"), "to", DTYPE_FLOAT);
        else
            graph_int(&g, (graph_node(&g, "Greater", "shape,limit", "more"), graph_node(&g, "Cast", "more", "many")),
                      "to", DTYPE_FLOAT);
        linear("age", "label_0,shares", up, 2, "LOGISTIC");
        graph_node(&g, "Mul", "shares,many", "probabilities");
        label_by("probabilities");
        expect_refused(STATUS_UNSUPPORTED, "the number of rows");
    }
}

static Onnx__NodeProto *support_vectors(const char *kernel, const float *parameters, const float *weights)
{
    static const float vectors[] = {1, 2, 3, 1, 0, 4}, rho[] = {0.125f};
    static const int64_t per_class[] = {2, 1};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    graph_input(&g, "pay", DTYPE_FLOAT);
    graph_int(&g, graph_node(&g, "Concat", "age,pay", "rows"), "axis", 1);
    Onnx__NodeProto *node = graph_node(&g, "ml.SVMClassifier", "rows", "label,probabilities");
    graph_floats(&g, node, "coefficients", weights, 3);
    graph_floats(&g, node, "kernel_params", parameters, 3);
    graph_text(&g, node, "kernel_type", kernel);
    graph_floats(&g, node, "rho", rho, 1);
    graph_floats(&g, node, "support_vectors", vectors, 6);
    graph_ints(&g, node, "vectors_per_class", per_class, 2);
    graph_texts(&g, node, "classlabels_strings", "No,Yes");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    return node;
}

/* Values of onnxruntime 1.32. */
static void test_support_vectors(void **state)
{
    (void)state;
    static const float rbf[] = {0.25f, 0, 3}, poly[] = {0.125f, 1, 2}, weights[] = {1, 0.5f, -1.5f}, slope[] = {-1.5f},
                       shift[] = {0.25f}, none[] = {NAN, 0.5f, -1.5f};
    static const double ROWS[][4] = {{1, 2, 0.26742178201675415, 0.9577944874763489},
                                     {2, 3, 0.3977537453174591, 0.9913228154182434},
                                     {0, 4, 0.8671103715896606, 1},
                                     {2.5, 0.5, 0.256490021944046, 0.0743657723069191}};
    for (size_t way = 0; way < 2; way++) {
        Onnx__NodeProto *node = support_vectors(way ? "POLY" : "RBF", way ? poly : rbf, weights);
        graph_floats(&g, node, "prob_a", slope, 1);
        graph_floats(&g, node, "prob_b", shift, 1);
        struct pipeline *pipeline = expect_loaded();
        for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
            struct cell cells[COLUMNS];
            struct score score;
            fixture_row(cells, ROWS[r][0], NULL, ROWS[r][1], NULL);
            pipeline_score(pipeline, cells, 1, 0, &score, NULL);
            assert_true(fabs(score.probability - ROWS[r][2 + way]) < 2e-7);
        }
        pipeline_free(pipeline);
    }
    support_vectors("RBF", rbf, weights);
    expect_refused(STATUS_UNSUPPORTED, "SVC without probability=True");
    support_vectors("RBF", rbf, none);
    expect_refused(STATUS_INVALID, "not finite");
    support_vectors("PRECOMPUTED", rbf, weights);
    expect_refused(STATUS_UNSUPPORTED, "kernel_type");
}

/* Whoever trained the model knows it by its estimator's name. */
static void test_refusals_name_the_estimator(void **state)
{
    (void)state;
    static const float up[] = {-0.1f, 0.1f};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    graph_node(&g, "Scan", "age", "nearest");
    graph_node(&g, "Identity", "nearest", "uncal_probability");
    linear("uncal_probability", "label,probabilities", up, 2, "LOGISTIC");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    expect_refused(STATUS_UNSUPPORTED, "CalibratedClassifierCV of KNeighborsClassifier");
    static const float more[] = {-0.1f, 0.1f, 0.2f, 0.3f};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    linear("age", "label,probabilities", more, 4, "LOGISTIC");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    expect_refused(STATUS_UNSUPPORTED, "coefficients for 2 features, but 1 are computed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_support_vectors),
        cmocka_unit_test(test_refusals_name_the_estimator),
        cmocka_unit_test(test_the_number_of_rows_is_no_number),
        cmocka_unit_test(test_a_vote_of_two_with_weights),
        cmocka_unit_test(test_isotonic_calibration_takes_the_nearest),
        cmocka_unit_test(test_scores_are_no_probabilities),
        cmocka_unit_test(test_an_encoder_that_knows_its_categories_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
