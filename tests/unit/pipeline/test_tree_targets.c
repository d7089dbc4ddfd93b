/* Trees that give scores instead of classes: TreeEnsemble (ai.onnx.ml 5) with sets of numbers, and
 * TreeEnsembleRegressor; with reasons where a sigmoid or 1 − x makes probabilities of them, as steps otherwise; and
 * what is no forest, refused. */
#include <stdio.h>

#include "pipeline/expr.h"
#include "pipeline/pipeline_program.h"
#include "tests/unit/pipeline/graph.h"

static struct graph g;

static void tensor_attribute(Onnx__NodeProto *node, const char *name, int type, const void *data, size_t count,
                             size_t size)
{
    Onnx__AttributeProto *attribute = graph_attribute(&g, node, name, ATTRIBUTE_TENSOR);
    Onnx__TensorProto *tensor = attribute->t = arena_take(&g.arena, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = 1;
    tensor->dims = arena_take(&g.arena, sizeof *tensor->dims);
    tensor->dims[0] = (int64_t)count;
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){count * size, (uint8_t *)data};
}

/* What the tests change. */
static struct lists {
    uint8_t modes[4];
    float splits[4], weights[5], members[5];
    int64_t features[4], trues[4], true_leaves[4], falses[4], false_leaves[4], missing[4], targets[5], roots[2];
    size_t member_count, root_count;
} lists;

/* Tree 0: age in {1, 3}? leaf 0 : pay = 5? leaf 1 : leaf 2. Tree 1: age ≤ 2? leaf 3 : pay in {7}? leaf 3 : leaf 4,
 * where missing pay counts as in. */
static void two_trees(void)
{
    lists = (struct lists){.modes = {6, 4, 0, 6},
                           .splits = {NAN, 5, 2, NAN},
                           .weights = {-1, 0.5f, 0.25f, 2, -0.75f},
                           .members = {1, 3, NAN, 7, NAN},
                           .features = {0, 1, 0, 1},
                           .trues = {0, 1, 3, 3},
                           .true_leaves = {1, 1, 1, 1},
                           .falses = {1, 2, 3, 4},
                           .false_leaves = {0, 1, 0, 1},
                           .missing = {0, 0, 0, 1},
                           .roots = {0, 2},
                           .member_count = 5,
                           .root_count = 2};
}

static double by_hand(double age, double pay)
{
    double first = age == 1 || age == 3 ? -1 : pay == 5 ? 0.5 : 0.25;
    return first + (age <= 2 || pay == 7 || isnan(pay) ? 2 : -0.75);
}

/* As the trainer writes them, but in another order. Tree 0: pay ≤ 5? (age ≤ 2? leaf 1 : leaf 2) : leaf 0. Tree 1: age ≤
 * 3? leaf 3 : (pay ≤ 6, or missing? leaf 3 : leaf 4). */
static void two_plain_trees(void)
{
    lists = (struct lists){.splits = {2, 5, 6, 3},
                           .weights = {-1, 0.5f, 0.25f, 2, -0.75f},
                           .features = {0, 1, 1, 0},
                           .trues = {1, 0, 3, 3},
                           .true_leaves = {1, 0, 1, 1},
                           .falses = {2, 0, 4, 2},
                           .false_leaves = {1, 1, 1, 0},
                           .missing = {0, 0, 1, 0},
                           .roots = {1, 3},
                           .root_count = 2};
}

static double plain_by_hand(double age, double pay)
{
    double first = pay <= 5 ? age <= 2 ? 0.5 : 0.25 : -1;
    return first + (age <= 3 || pay <= 6 || isnan(pay) ? 2 : -0.75);
}

static Onnx__NodeProto *trees_node(void)
{
    graph_init(&g, 15, 5);
    graph_input(&g, "age", DTYPE_FLOAT);
    graph_input(&g, "pay", DTYPE_FLOAT);
    graph_int(&g, graph_node(&g, "Concat", "age,pay", "rows"), "axis", 1);
    Onnx__NodeProto *node = graph_node(&g, "ml.TreeEnsemble", "rows", "score");
    graph_int(&g, node, "n_targets", 1);
    tensor_attribute(node, "nodes_modes", DTYPE_UINT8, lists.modes, 4, 1);
    tensor_attribute(node, "nodes_splits", DTYPE_FLOAT, lists.splits, 4, sizeof(float));
    tensor_attribute(node, "leaf_weights", DTYPE_FLOAT, lists.weights, 5, sizeof(float));
    tensor_attribute(node, "membership_values", DTYPE_FLOAT, lists.members, lists.member_count, sizeof(float));
    graph_ints(&g, node, "nodes_featureids", lists.features, 4);
    graph_ints(&g, node, "nodes_truenodeids", lists.trues, 4);
    graph_ints(&g, node, "nodes_trueleafs", lists.true_leaves, 4);
    graph_ints(&g, node, "nodes_falsenodeids", lists.falses, 4);
    graph_ints(&g, node, "nodes_falseleafs", lists.false_leaves, 4);
    graph_ints(&g, node, "nodes_missing_value_tracks_true", lists.missing, 4);
    graph_ints(&g, node, "leaf_targetids", lists.targets, 5);
    graph_ints(&g, node, "tree_roots", lists.roots, lists.root_count);
    return node;
}

/* p of the column "share" [N, 1]: label and probabilities of it. */
static void classify(void)
{
    static ProtobufCBinaryData texts[] = {{2, (uint8_t *)"No"}, {3, (uint8_t *)"Yes"}};
    static float ones[] = {1};
    Onnx__TensorProto *one = graph_tensor(&g, "one", DTYPE_FLOAT, 1, (const int64_t[]){1});
    one->n_float_data = 1;
    one->float_data = ones;
    Onnx__TensorProto *names = graph_tensor(&g, "labels", DTYPE_TEXT, 1, (const int64_t[]){2});
    names->n_string_data = 2;
    names->string_data = texts;
    graph_node(&g, "Sub", "one,share", "rest");
    graph_int(&g, graph_node(&g, "Concat", "rest,share", "probabilities"), "axis", 1);
    graph_int(&g, graph_node(&g, "ArgMax", "probabilities", "index"), "axis", 1);
    graph_node(&g, "ml.ArrayFeatureExtractor", "labels,index", "label");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
}

static void refused(enum status status, const char *says)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_equal(graph_load(&g, &pipeline, &err), status);
    assert_null(pipeline);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static struct pipeline *loaded(void)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    return pipeline;
}

static const double AGES[] = {0, 1, 2, 2.5, 3, 4, NAN}, PAYS[] = {5, 6, 7, 4.999, NAN};

static void expect_shares(const struct pipeline *pipeline, double (*hand)(double age, double pay), bool reasons)
{
    for (size_t a = 0; a < sizeof AGES / sizeof *AGES; a++)
        for (size_t p = 0; p < sizeof PAYS / sizeof *PAYS; p++) {
            struct cell cells[COLUMNS];
            struct score score;
            struct reason list[COLUMNS];
            fixture_row(cells, AGES[a], NULL, PAYS[p], NULL);
            pipeline_score(pipeline, cells, 1, COLUMNS, &score, list);
            double margin = hand(AGES[a], PAYS[p]), sum = score.base;
            assert_true(fabs(score.probability - 1 / (1 + exp(-margin))) < 2e-7);
            for (uint32_t k = 0; k < score.reason_count; k++)
                sum += list[k].contribution;
            assert_true(!reasons || fabs(sum - margin) < 1e-12);
        }
}

/* The sigmoid of the lists' trees, with covers. */
static struct pipeline *explained(void)
{
    static Onnx__StringStringEntryProto entry, *list[] = {&entry};
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)"attrition.reference";
    entry.value = (char *)"{\"kind\":\"tree\",\"covers\":[[10,20,5],[7,8,20]]}";
    trees_node();
    graph_node(&g, "Sigmoid", "score", "share");
    classify();
    g.model.n_metadata_props = 1;
    g.model.metadata_props = list;
    struct pipeline *pipeline = loaded();
    assert_non_null(pipeline->trees);
    assert_true(pipeline_has_reasons(pipeline));
    return pipeline;
}

static void test_sets_of_numbers_with_reasons(void **state)
{
    (void)state;
    two_trees();
    struct pipeline *pipeline = explained();
    expect_shares(pipeline, by_hand, true);
    pipeline_free(pipeline);
}

/* Covers name leaves as branches do, from each root on: 10 rows came to leaf 0, 20 to leaf 1. */
static void test_plain_trees_with_reasons(void **state)
{
    (void)state;
    struct score score;
    struct cell cells[COLUMNS];
    two_plain_trees();
    struct pipeline *pipeline = explained();
    expect_shares(pipeline, plain_by_hand, true);
    fixture_row(cells, 1, NULL, 1, NULL);
    pipeline_score(pipeline, cells, 1, 0, &score, NULL);
    assert_true(fabs(score.base - (-1 * 10 + 0.5 * 20 + 0.25 * 5) / 35 - (2 * 7 + 2 * 8 - 0.75 * 20) / 35) < 1e-12);
    pipeline_free(pipeline);
}

/* Its weight counts for nothing: were it the trees', a negative one would say that they are no probabilities. */
static void test_a_leaf_that_no_branch_names(void **state)
{
    (void)state;
    struct cell cells[COLUMNS];
    struct score score;
    two_plain_trees();
    memcpy(lists.weights, (const float[]){0.125f, 0.5f, 0.25f, 0.25f, -0.75f}, sizeof lists.weights);
    lists.falses[2] = 3;
    trees_node()->output[0] = (char *)"share";
    classify();
    struct pipeline *pipeline = loaded();
    assert_non_null(pipeline->trees);
    fixture_row(cells, 4, NULL, 7, NULL);
    pipeline_score(pipeline, cells, 1, 0, &score, NULL);
    assert_true(score.probability == 0.125 + 0.25);
    pipeline_free(pipeline);
}

/* What a sigmoid of twice the half is: no ensemble's own any more. */
static void test_scores_among_steps(void **state)
{
    (void)state;
    static float halves[] = {0.5f};
    two_trees();
    trees_node();
    Onnx__TensorProto *half = graph_tensor(&g, "half", DTYPE_FLOAT, 1, (const int64_t[]){1});
    half->n_float_data = 1;
    half->float_data = halves;
    graph_node(&g, "Mul", "score,half", "halved");
    graph_node(&g, "Add", "halved,halved", "again");
    graph_node(&g, "Sigmoid", "again", "share");
    classify();
    struct pipeline *pipeline = loaded();
    assert_non_null(pipeline->steps);
    expect_shares(pipeline, by_hand, false);
    pipeline_free(pipeline);
}

static void test_a_regressor_as_a_share(void **state)
{
    (void)state;
    static const int64_t zeros[] = {0, 0, 0}, ids[] = {0, 1, 2}, trues[] = {1, 0, 0}, falses[] = {2, 0, 0},
                         nodes[] = {1, 2};
    static const float values[] = {30, 0, 0}, weights[] = {0.25f, 0.75f};
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    Onnx__NodeProto *node = graph_node(&g, "ml.TreeEnsembleRegressor", "age", "share");
    graph_int(&g, node, "n_targets", 1);
    graph_texts(&g, node, "nodes_modes", "BRANCH_LEQ,LEAF,LEAF");
    graph_ints(&g, node, "nodes_treeids", zeros, 3);
    graph_ints(&g, node, "nodes_nodeids", ids, 3);
    graph_ints(&g, node, "nodes_featureids", zeros, 3);
    graph_ints(&g, node, "nodes_truenodeids", trues, 3);
    graph_ints(&g, node, "nodes_falsenodeids", falses, 3);
    graph_floats(&g, node, "nodes_values", values, 3);
    graph_ints(&g, node, "target_treeids", zeros, 2);
    graph_ints(&g, node, "target_nodeids", nodes, 2);
    graph_ints(&g, node, "target_ids", zeros, 2);
    graph_floats(&g, node, "target_weights", weights, 2);
    classify();
    struct pipeline *pipeline = loaded();
    struct cell cells[COLUMNS];
    struct score score;
    assert_non_null(pipeline->trees);
    for (int age = 29; age < 33; age++) {
        fixture_row(cells, age, NULL, 1, NULL);
        pipeline_score(pipeline, cells, 1, 0, &score, NULL);
        assert_true(score.probability == (age <= 30 ? 0.25 : 0.75));
    }
    pipeline_free(pipeline);
}

static void ensemble_refused(enum status status, const char *says)
{
    trees_node();
    graph_node(&g, "Sigmoid", "score", "share");
    classify();
    refused(status, says);
}

static void test_lists_that_are_no_forest(void **state)
{
    (void)state;
    two_trees();
    lists.false_leaves[2] = 0, lists.falses[2] = 1; /* of the other tree */
    ensemble_refused(STATUS_INVALID, "two parents");
    two_trees();
    lists.falses[0] = 0;
    ensemble_refused(STATUS_INVALID, "two parents");
    two_trees();
    lists.falses[3] = 5;
    ensemble_refused(STATUS_INVALID, "a leaf that is not there");
    two_trees();
    lists.falses[0] = -1;
    ensemble_refused(STATUS_INVALID, "a node that is not there");
    two_trees();
    lists.root_count = 1;
    ensemble_refused(STATUS_INVALID, "no root reaches");
    two_trees();
    lists.root_count = 0;
    ensemble_refused(STATUS_INVALID, "no root reaches");
    two_trees();
    lists.member_count = 3;
    ensemble_refused(STATUS_INVALID, "fewer sets");
    two_trees();
    lists.modes[3] = 4;
    lists.splits[3] = 7;
    ensemble_refused(STATUS_INVALID, "more sets");
    two_trees();
    lists.modes[1] = 7;
    ensemble_refused(STATUS_UNSUPPORTED, "BRANCH_MEMBER");
    two_trees();
    lists.features[0] = 2;
    ensemble_refused(STATUS_INVALID, "reads feature 2 of 2");
    for (int b = 2; b < 4; b++) { /* by the number that it has in the file */
        char says[48];
        snprintf(says, sizeof says, "node %d of tree 1 reads feature 2", b);
        two_trees();
        lists.features[b] = 2;
        ensemble_refused(STATUS_INVALID, says);
    }
    two_trees();
    lists.targets[4] = 1;
    ensemble_refused(STATUS_INVALID, "a target that is not there");
    two_trees();
    lists.weights[0] = INFINITY;
    ensemble_refused(STATUS_INVALID, "not finite");
    two_trees();
    graph_int(&g, trees_node(), "post_transform", 2);
    graph_node(&g, "Sigmoid", "score", "share");
    classify();
    refused(STATUS_UNSUPPORTED, "post_transform");
    two_trees();
    graph_int(&g, trees_node(), "aggregate_function", 0);
    graph_node(&g, "Sigmoid", "score", "share");
    classify();
    refused(STATUS_UNSUPPORTED, "aggregate_function");
}

/* The same, of trees that need no other lists: what is wrong is said in the same words. */
static void test_plain_lists_that_are_no_forest(void **state)
{
    (void)state;
    static const struct {
        int64_t *place, value;
        const char *says;
    } faults[] = {
        {&lists.trues[1], 1, "two parents"},
        {&lists.roots[1], 1, "two parents"},
        {&lists.falses[0], 5, "a leaf that is not there"},
        {&lists.trues[1], 4, "a node that is not there"},
        {&lists.trues[1], -1, "a node that is not there"},
        {&lists.features[0], 2, "node 0 of tree 0 reads feature 2 of 2"},
        {&lists.targets[4], 1, "a target that is not there"},
    };
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        two_plain_trees();
        *faults[f].place = faults[f].value;
        ensemble_refused(STATUS_INVALID, faults[f].says);
    }
    two_plain_trees();
    lists.false_leaves[0] = 0, lists.falses[0] = 2; /* of the other tree */
    ensemble_refused(STATUS_INVALID, "two parents");
    two_plain_trees();
    lists.root_count = 1;
    ensemble_refused(STATUS_INVALID, "no root reaches");
    two_plain_trees();
    lists.splits[2] = NAN;
    ensemble_refused(STATUS_INVALID, "node 2 in tree 1 is not a number");
    two_plain_trees();
    lists.weights[1] = INFINITY;
    ensemble_refused(STATUS_INVALID, "not finite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_of_numbers_with_reasons),   cmocka_unit_test(test_plain_trees_with_reasons),
        cmocka_unit_test(test_a_leaf_that_no_branch_names),    cmocka_unit_test(test_scores_among_steps),
        cmocka_unit_test(test_a_regressor_as_a_share),         cmocka_unit_test(test_lists_that_are_no_forest),
        cmocka_unit_test(test_plain_lists_that_are_no_forest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
