/* Tree ensembles: every comparison at its boundary, NaN's way, both links and both classes, one row and batches alike;
 * and every way in which a list of nodes is no forest, refused. */
#include "tests/unit/pipeline/graph.h"

#include "pipeline/expr.h"
#include "pipeline/pipeline_program.h"
#include "pipeline/trees_vector.h"

enum { FOREST_NODES = 4096 };

/* A TreeEnsembleClassifier's lists over the inputs age and pay. */
struct forest {
    size_t count, weight_count;
    int64_t trees[FOREST_NODES], ids[FOREST_NODES], features[FOREST_NODES], trues[FOREST_NODES], falses[FOREST_NODES],
        missing[FOREST_NODES];
    const char *modes[FOREST_NODES];
    float values[FOREST_NODES];
    int64_t weight_trees[FOREST_NODES], weight_ids[FOREST_NODES], classes[FOREST_NODES];
    float weights[FOREST_NODES];
    float base;
    const char *transform;
    int dtype;
};

static struct forest forest;
static struct graph g;

static void forest_start(const char *transform, float base)
{
    memset(&forest, 0, sizeof forest);
    forest.transform = transform;
    forest.base = base;
    forest.dtype = DTYPE_FLOAT;
}

static void branch(int64_t tree, int64_t id, const char *mode, int64_t feature, float value, int64_t yes, int64_t no,
                   bool missing_true)
{
    size_t n = forest.count++;
    forest.trees[n] = tree;
    forest.ids[n] = id;
    forest.modes[n] = mode;
    forest.features[n] = feature;
    forest.values[n] = value;
    forest.trues[n] = yes;
    forest.falses[n] = no;
    forest.missing[n] = missing_true;
}

static void leaf(int64_t tree, int64_t id, float weight)
{
    size_t w = forest.weight_count++;
    branch(tree, id, "LEAF", 0, 0, 0, 0, false);
    forest.weight_trees[w] = tree;
    forest.weight_ids[w] = id;
    forest.weights[w] = weight;
}

static Onnx__NodeProto *forest_node(void)
{
    Onnx__NodeProto *node = graph_node(&g, "ml.TreeEnsembleClassifier", "rows", "label,probabilities");
    Onnx__AttributeProto *list = graph_attribute(&g, node, "nodes_modes", ATTRIBUTE_TEXTS);
    list->n_strings = forest.count;
    list->strings = arena_take(&g.arena, (forest.count + 1) * sizeof *list->strings);
    for (size_t n = 0; n < forest.count; n++)
        list->strings[n] = (ProtobufCBinaryData){strlen(forest.modes[n]), (uint8_t *)forest.modes[n]};
    graph_ints(&g, node, "nodes_treeids", forest.trees, forest.count);
    graph_ints(&g, node, "nodes_nodeids", forest.ids, forest.count);
    graph_ints(&g, node, "nodes_featureids", forest.features, forest.count);
    graph_ints(&g, node, "nodes_truenodeids", forest.trues, forest.count);
    graph_ints(&g, node, "nodes_falsenodeids", forest.falses, forest.count);
    graph_ints(&g, node, "nodes_missing_value_tracks_true", forest.missing, forest.count);
    graph_floats(&g, node, "nodes_values", forest.values, forest.count);
    graph_ints(&g, node, "class_treeids", forest.weight_trees, forest.weight_count);
    graph_ints(&g, node, "class_nodeids", forest.weight_ids, forest.weight_count);
    graph_ints(&g, node, "class_ids", forest.classes, forest.weight_count);
    graph_floats(&g, node, "class_weights", forest.weights, forest.weight_count);
    if (forest.base != 0)
        graph_floats(&g, node, "base_values", &forest.base, 1);
    graph_text(&g, node, "post_transform", forest.transform);
    graph_texts(&g, node, "classlabels_strings", "No,Yes");
    return node;
}

static Onnx__NodeProto *forest_graph(void)
{
    graph_init(&g, 15, 3);
    graph_input(&g, "age", forest.dtype);
    graph_input(&g, "pay", forest.dtype);
    graph_int(&g, graph_node(&g, "Concat", "age,pay", "rows"), "axis", 1);
    Onnx__NodeProto *node = forest_node();
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    return node;
}

static struct pipeline *forest_load(void)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    forest_graph();
    if (graph_load(&g, &pipeline, &err))
        fail_msg("%s", err.text);
    return pipeline;
}

static void forest_refused(enum status status, const char *says)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_equal(graph_load(&g, &pipeline, &err), status);
    assert_null(pipeline);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
    if (!strstr(err.text, "TreeEnsembleClassifier"))
        fail_msg("'%s' does not name the operator", err.text);
}

static double covers[FOREST_NODES]; /* by node: rows that came there; branches by covers_sum */

static size_t child_of(size_t n, bool yes)
{
    size_t child = 0;
    while (forest.trees[child] != forest.trees[n] || forest.ids[child] != (yes ? forest.trues[n] : forest.falses[n]))
        child++;
    return child;
}

static bool at_leaf(size_t n)
{
    return !strcmp(forest.modes[n], "LEAF");
}

static double covers_sum(size_t n)
{
    if (!at_leaf(n))
        covers[n] = covers_sum(child_of(n, true)) + covers_sum(child_of(n, false));
    return covers[n];
}

/* Loads the forest with its covers as metadata; the covers' text is NULL: made of `covers`. */
static enum status explained_load(const char *text, struct pipeline **out, struct error *err)
{
    struct buffer json = {0};
    buffer_add_text(&json, "{\"kind\":\"tree\",\"covers\":[");
    for (size_t n = 0; n < forest.count; n++) {
        bool first = n == 0 || forest.trees[n] != forest.trees[n - 1];
        buffer_printf(&json, "%s", !first ? "" : n ? "],[" : "[");
        if (at_leaf(n))
            buffer_printf(&json, "%s%.17g", json.data[json.bytes - 1] == '[' ? "" : ",", covers[n]);
    }
    buffer_add_text(&json, "]]}");
    buffer_add_u8(&json, 0);
    static Onnx__StringStringEntryProto entry, *list[] = {&entry};
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)"attrition.reference";
    entry.value = (char *)(text ? text : json.data);
    forest_graph();
    g.model.n_metadata_props = 1;
    g.model.metadata_props = list;
    enum status status = graph_load(&g, out, err);
    buffer_free(&json);
    return status;
}

/* Two trees with all four comparisons; the second sends what is missing to the true side. */
static void four_comparisons(void)
{
    forest_start("LOGISTIC", 0.1f);
    branch(0, 0, "BRANCH_LEQ", 0, 30, 1, 2, false);
    leaf(0, 1, -0.5f);
    branch(0, 2, "BRANCH_LT", 1, 5000, 3, 4, false);
    leaf(0, 3, 0.25f);
    leaf(0, 4, 0.75f);
    branch(7, 3, "BRANCH_GT", 0, 50, 1, 2, true);
    leaf(7, 1, 0.5f);
    branch(7, 2, "BRANCH_GTE", 1, 100, 0, 9, true);
    leaf(7, 0, -0.125f);
    leaf(7, 9, 2);
}

static double four_by_hand(double age, double pay)
{
    double first = age <= 30 ? -0.5 : pay < 5000 ? 0.25 : 0.75;
    double second = age > 50 || isnan(age) ? 0.5 : pay >= 100 || isnan(pay) ? -0.125 : 2;
    return first + second + (double)0.1f;
}

static void test_comparisons_at_their_boundaries(void **state)
{
    (void)state;
    static const double AGES[] = {29, 30, 30.000002, 30.0000019, 50, 50.000004, 1e30, -1e30, INFINITY, -INFINITY, NAN};
    static const double PAYS[] = {5000, 4999.9995, 100, 99.99999, -5, INFINITY, -INFINITY, NAN};
    four_comparisons();
    struct pipeline *pipeline = forest_load();
    for (size_t a = 0; a < sizeof AGES / sizeof *AGES; a++)
        for (size_t p = 0; p < sizeof PAYS / sizeof *PAYS; p++) {
            struct cell cells[COLUMNS];
            struct score score;
            fixture_row(cells, AGES[a], NULL, PAYS[p], NULL);
            pipeline_score(pipeline, cells, 1, 3, &score, NULL);
            double margin = four_by_hand((float)AGES[a], (float)PAYS[p]);
            assert_true(fabs(score.margin - margin) < 1e-15);
            assert_true(fabs(score.probability - 1 / (1 + exp(-margin))) < 2e-7);
            assert_int_equal(score.reason_count, 0);
        }
    assert_false(pipeline_has_reasons(pipeline));
    assert_true(pipeline_margin_is_log_odds(pipeline));
    pipeline_free(pipeline);
}

/* Doubles are compared as doubles, though the program holds floats: just beside a threshold, in either direction. */
static void test_double_rows(void **state)
{
    (void)state;
    static const char *const MODES[] = {"BRANCH_LEQ", "BRANCH_LT"};
    for (size_t m = 0; m < 2; m++) { /* LEQ: thresholds stay floats; LT: they do not */
        forest_start("LOGISTIC", 0);
        forest.dtype = DTYPE_DOUBLE;
        branch(0, 0, MODES[m], 0, 0.1f, 1, 2, false);
        leaf(0, 1, -1);
        leaf(0, 2, 1);
        branch(1, 0, MODES[m], 0, 0.7f, 1, 2, true);
        leaf(1, 1, -8);
        leaf(1, 2, 8);
        struct pipeline *pipeline = forest_load();
        const double edges[] = {(double)0.1f, (double)0.7f};
        for (size_t e = 0; e < 2; e++)
            for (int step = -1; step <= 1; step++) {
                double x = step < 0   ? nextafter(edges[e], -INFINITY)
                           : step > 0 ? nextafter(edges[e], INFINITY)
                                      : edges[e];
                bool first = m ? x < edges[0] : x <= edges[0], second = m ? x < edges[1] : x <= edges[1];
                struct cell cells[COLUMNS];
                struct score score;
                fixture_row(cells, x, NULL, 0, NULL);
                pipeline_score(pipeline, cells, 1, 0, &score, NULL);
                assert_true(score.margin == (first ? -1 : 1) + (second ? -8 : 8));
            }
        struct cell cells[COLUMNS];
        struct score score;
        fixture_row(cells, NAN, NULL, 0, NULL);
        pipeline_score(pipeline, cells, 1, 0, &score, NULL);
        assert_true(score.margin == 1 - 8);
        pipeline_free(pipeline);
    }
}

static uint64_t seed = 7;
static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* A random tree in heap order: node i has 2i + 1 and 2i + 2. */
static void random_tree(int64_t tree, int64_t id, unsigned depth)
{
    if (depth == 0 || draw(5) == 0) {
        leaf(tree, id, ((float)draw(2000) - 1000) / 997);
        return;
    }
    static const char *const MODES[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ", "BRANCH_NEQ"};
    branch(tree, id, MODES[draw(4)], draw(2), (float)draw(20), 2 * id + 1, 2 * id + 2, draw(2));
    random_tree(tree, 2 * id + 1, depth - 1);
    random_tree(tree, 2 * id + 2, depth - 1);
}

/* The side that a row takes at branch n, as onnxruntime's comparisons say. */
static bool goes_yes(size_t n, const float *x)
{
    const char *mode = forest.modes[n];
    float value = x[forest.features[n]], threshold = forest.values[n];
    bool yes = !strcmp(mode, "BRANCH_LEQ")  ? value <= threshold
               : !strcmp(mode, "BRANCH_LT") ? value < threshold
               : !strcmp(mode, "BRANCH_EQ") ? value == threshold
                                            : value != threshold;
    return yes || (isnan(value) && forest.missing[n]);
}

static float naive_margin(const float *x)
{
    float sum = 0;
    for (size_t root = 0, w = 0; root < forest.count;) {
        size_t n = root;
        while (strcmp(forest.modes[n], "LEAF") != 0) {
            int64_t id = goes_yes(n, x) ? forest.trues[n] : forest.falses[n], tree = forest.trees[n];
            for (n = root; forest.trees[n] != tree || forest.ids[n] != id;)
                n++;
        }
        for (w = 0; forest.weight_trees[w] != forest.trees[n] || forest.weight_ids[w] != forest.ids[n];)
            w++;
        sum += forest.weights[w];
        int64_t tree = forest.trees[root];
        while (root < forest.count && forest.trees[root] == tree)
            root++;
    }
    return sum;
}

enum { MANY_ROWS = 300 };

static void rows_draw(struct pipeline *pipeline, struct cell *cells, struct score *alone)
{
    for (size_t r = 0; r < MANY_ROWS; r++) {
        const float x[] = {draw(10) ? (float)draw(22) : NAN, draw(10) ? (float)draw(22) : NAN};
        fixture_row(cells + r * COLUMNS, x[0], NULL, x[1], NULL);
        pipeline_score(pipeline, cells + r * COLUMNS, 1, 0, &alone[r], NULL);
        assert_true(alone[r].probability == (double)expr_sigmoid_float(naive_margin(x)));
    }
}

/* With AVX-512, too, where the processor has it; trees of unequal depth, more and fewer than walk at once. */
static void test_one_row_and_batches_agree(void **state)
{
    (void)state;
    static struct cell cells[MANY_ROWS * COLUMNS];
    static struct score alone[MANY_ROWS], batch[MANY_ROWS];
    static const size_t SIZES[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 60, 64, 65, 127, 128, 129, 132, 133, MANY_ROWS};
    static const int64_t TREES[] = {3, 45, 66};
    for (size_t way = 0; way < 3 * sizeof TREES / sizeof *TREES; way++) {
        forest_start("LOGISTIC", 0);
        for (int64_t tree = 0; tree < TREES[way / 3]; tree++)
            random_tree(tree, 0, 2 + (unsigned)tree % 4);
        struct pipeline *pipeline = forest_load();
        pipeline->trees->vector = trees_vector_runs() && way % 3 > 0;
        rows_draw(pipeline, cells, alone);
        pipeline->trees->vector = trees_vector_runs() && way % 3 != 1;
        for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
            pipeline_score(pipeline, cells, SIZES[s], 0, batch, NULL);
            for (size_t r = 0; r < SIZES[s]; r++)
                assert_true(batch[r].probability == alone[r].probability && batch[r].margin == alone[r].margin);
        }
        pipeline_free(pipeline);
    }
}

/* A stump of shares as forests export them: class 0 alone, which is the second label's; or both classes. */
static void test_shares_and_classes(void **state)
{
    (void)state;
    struct cell cells[COLUMNS];
    struct score score;
    fixture_row(cells, 20, NULL, 0, NULL);
    for (int both = 0; both < 2; both++) {
        forest_start("NONE", 0);
        branch(0, 0, "BRANCH_LEQ", 0, 30, 1, 2, false);
        leaf(0, 1, 0.25f);
        leaf(0, 2, 0.5f);
        for (size_t w = 0; w < 2 && both; w++) { /* the same leaves again, for the second class */
            size_t to = forest.weight_count++;
            forest.weight_ids[to] = forest.weight_ids[w];
            forest.classes[to] = 1;
            forest.weights[to] = 1 - forest.weights[w];
        }
        struct pipeline *pipeline = forest_load();
        pipeline_score(pipeline, cells, 1, 0, &score, NULL);
        assert_true(score.probability == (both ? 0.75 : 0.25) && score.margin == score.probability);
        assert_false(pipeline_margin_is_log_odds(pipeline));
        pipeline_free(pipeline);
        struct buffer file = {0};
        struct error err;
        forest_graph();
        size_t bytes = onnx__model_proto__get_packed_size(&g.model);
        file.bytes = onnx__model_proto__pack(&g.model, (uint8_t *)buffer_reserve(&file, bytes));
        const struct pipeline_options options = {.positive_label = "No"};
        assert_int_equal(pipeline_load(buffer_span(&file), SCHEMA, COLUMNS, &options, &pipeline, &err), STATUS_OK);
        pipeline_score(pipeline, cells, 1, 0, &score, NULL);
        assert_true(score.probability == (both ? 0.25 : 0.75) && score.margin == score.probability);
        pipeline_free(pipeline);
        buffer_free(&file);
        arena_free(&g.arena);
    }
}

static void test_nodes_that_are_no_forest(void **state)
{
    (void)state;
    const struct {
        void *field;
        int64_t value;
        const char *says;
    } FAULTS[] = {
        {&forest.trues[0], 99, "child that is not there"},
        {&forest.falses[2], -1, "child that is not there"},
        {&forest.falses[2], 0, "loop"},
        {&forest.trues[0], 0, "loop"},
        {&forest.falses[2], 3, "two parents"},
        {&forest.trues[0], 4, "two parents"},
        {&forest.ids[4], 3, "duplicate node"},
        {&forest.features[2], 2, "reads feature 2 of 2"},
        {&forest.features[0], -1, "reads feature -1"},
        {&forest.weight_ids[0], 2, "weight 0 belongs to no leaf"},
        {&forest.weight_ids[0], 77, "weight 0 belongs to no leaf"},
        {&forest.weight_ids[1], 1, "or its leaf has another"},
        {&forest.weight_trees[0], 5, "weight 0 belongs to no leaf"},
        {&forest.trees[1], 3, "weight 0 belongs to no leaf"},
        {&forest.falses[0], 1, "does not reach"},
    };
    for (size_t f = 0; f < sizeof FAULTS / sizeof *FAULTS; f++) {
        four_comparisons();
        *(int64_t *)FAULTS[f].field = FAULTS[f].value;
        forest_graph();
        forest_refused(STATUS_INVALID, FAULTS[f].says);
    }
    four_comparisons();
    leaf(7, 20, 1);
    forest_graph();
    forest_refused(STATUS_INVALID, "does not reach");
}

static void test_numbers_and_lengths(void **state)
{
    (void)state;
    static const char *const LISTS[] = {"nodes_treeids",     "nodes_nodeids",      "nodes_featureids",
                                        "nodes_truenodeids", "nodes_falsenodeids", "class_treeids",
                                        "class_nodeids",     "class_ids",          "nodes_missing_value_tracks_true"};
    for (size_t l = 0; l < sizeof LISTS / sizeof *LISTS; l++) {
        four_comparisons();
        Onnx__NodeProto *node = forest_graph();
        for (size_t a = 0; a < node->n_attribute; a++)
            if (!strcmp(node->attribute[a]->name, LISTS[l]))
                node->attribute[a]->n_ints--;
        forest_refused(STATUS_INVALID, LISTS[l]);
    }
    static const float WRONG[] = {NAN, -INFINITY};
    for (size_t w = 0; w < 2; w++) {
        four_comparisons();
        forest.values[2] = WRONG[w];
        forest_graph();
        forest_refused(STATUS_INVALID, "the threshold of node 2 in tree 0");
    }
    four_comparisons();
    forest.weights[3] = INFINITY;
    forest_graph();
    forest_refused(STATUS_INVALID, "weight 3 is not finite");
    four_comparisons();
    forest.base = NAN;
    forest_graph();
    forest_refused(STATUS_INVALID, "base_values");
}

static void test_forms_that_are_not_scored(void **state)
{
    (void)state;
    four_comparisons();
    forest.modes[0] = "BRANCH_MEMBER"; /* of TreeEnsemble alone */
    forest_graph();
    forest_refused(STATUS_UNSUPPORTED, "BRANCH_MEMBER");
    four_comparisons();
    forest.modes[0] = "BRANCH_EQ";
    forest.values[0] = NAN;
    forest_graph();
    forest_refused(STATUS_INVALID, "compares with no number");
    four_comparisons();
    forest.transform = "SOFTMAX";
    forest_graph();
    forest_refused(STATUS_UNSUPPORTED, "post_transform");
    four_comparisons();
    forest.transform = "NONE";
    forest_graph();
    forest_refused(STATUS_UNSUPPORTED, "no probabilities");
    four_comparisons();
    for (size_t w = 0; w < forest.weight_count; w++)
        forest.weights[w] = fabsf(forest.weights[w]);
    forest_graph();
    forest_refused(STATUS_UNSUPPORTED, "LOGISTIC without a negative weight");
    four_comparisons();
    forest.classes[0] = 2;
    forest_graph();
    forest_refused(STATUS_UNSUPPORTED, "two classes");
    four_comparisons();
    forest.classes[0] = 1;
    forest_graph();
    forest_refused(STATUS_UNSUPPORTED, "leaves with weights for some classes only");
    four_comparisons();
    graph_texts(&g, forest_graph(), "aggregate_function", "SUM");
    forest_refused(STATUS_UNSUPPORTED, "aggregate_function");
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    four_comparisons();
    forest.transform = "NONE";
    for (size_t w = 0; w < forest.weight_count; w++)
        forest.weights[w] = 0.75f;
    forest_graph();
    assert_int_equal(graph_load(&g, &pipeline, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.text, "no probabilities"));
}

/* The tree's mean over the rows that agree with x on the features of the coalition. */
static double coalition_mean(size_t n, const float *x, unsigned coalition)
{
    if (at_leaf(n)) {
        size_t w = 0;
        while (forest.weight_trees[w] != forest.trees[n] || forest.weight_ids[w] != forest.ids[n])
            w++;
        return forest.weights[w];
    }
    bool yes = goes_yes(n, x);
    size_t left = child_of(n, true), right = child_of(n, false);
    if (coalition & 1u << forest.features[n])
        return coalition_mean(yes ? left : right, x, coalition);
    double share = covers[n] > 0 ? covers[left] / covers[n] : 0.5;
    return share * coalition_mean(left, x, coalition) + (1 - share) * coalition_mean(right, x, coalition);
}

static double forest_mean(const float *x, unsigned coalition)
{
    double sum = 0;
    for (size_t n = 0; n < forest.count; n++)
        if (n == 0 || forest.trees[n] != forest.trees[n - 1])
            sum += coalition_mean(n, x, coalition);
    return sum;
}

static double contribution_of(const struct score *score, const struct reason *reasons, uint32_t column)
{
    for (uint32_t k = 0; k < score->reason_count; k++)
        if (reasons[k].column == column)
            return reasons[k].contribution;
    return 0;
}

/* Against Shapley's definition, on trees that ask for the same two features again and again; some leaves never reached.
 */
static void test_reasons_are_shapley_values(void **state)
{
    (void)state;
    seed = 8;
    forest_start("LOGISTIC", 0.25f);
    for (int64_t tree = 0; tree < 12; tree++)
        random_tree(tree, 0, 6);
    for (size_t n = 0; n < forest.count; n++)
        covers[n] = draw(6) ? 1 + draw(50) : 0;
    for (size_t n = 0; n < forest.count; n++)
        if (n == 0 || forest.trees[n] != forest.trees[n - 1])
            assert_true(covers_sum(n) > 0);
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    if (explained_load(NULL, &pipeline, &err))
        fail_msg("%s", err.text);
    assert_true(pipeline_has_reasons(pipeline));
    enum { ROWS = 50 };
    struct cell cells[ROWS * COLUMNS];
    struct score scores[ROWS], one;
    struct reason reasons[ROWS * 2], largest;
    float x[ROWS][2];
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t f = 0; f < 2; f++)
            x[r][f] = draw(8) ? (float)draw(22) : NAN;
        fixture_row(cells + r * COLUMNS, x[r][0], NULL, x[r][1], NULL);
    }
    pipeline_score(pipeline, cells, ROWS, 2, scores, reasons);
    for (size_t r = 0; r < ROWS; r++) {
        double none = forest_mean(x[r], 0), age = forest_mean(x[r], 1), pay = forest_mean(x[r], 2),
               both = forest_mean(x[r], 3);
        double first = contribution_of(&scores[r], reasons + 2 * r, AGE),
               second = contribution_of(&scores[r], reasons + 2 * r, PAY);
        assert_true(fabs(first - ((age - none) + (both - pay)) / 2) < 1e-12);
        assert_true(fabs(second - ((pay - none) + (both - age)) / 2) < 1e-12);
        assert_true(fabs(scores[r].base + first + second - scores[r].margin) < 1e-12);
        pipeline_score(pipeline, cells + r * COLUMNS, 1, 1, &one, &largest);
        assert_true(one.reason_count == 1 && largest.column == reasons[2 * r].column &&
                    largest.contribution == reasons[2 * r].contribution);
    }
    pipeline_free(pipeline);
}

/* "age is one of 3, 5, 8" as LightGBM's exporter writes it: nodes that share the child for yes. */
static void one_of_three(void)
{
    forest_start("LOGISTIC", 0);
    branch(0, 0, "BRANCH_EQ", 0, 3, 1, 2, false);
    branch(0, 1, "BRANCH_LEQ", 1, 10, 4, 5, false);
    leaf(0, 4, 1);
    leaf(0, 5, 2);
    branch(0, 2, "BRANCH_EQ", 0, 5, 1, 3, true);
    branch(0, 3, "BRANCH_EQ", 0, 8, 1, 6, false);
    leaf(0, 6, -4);
}

static void test_chains_that_share_a_child(void **state)
{
    (void)state;
    one_of_three();
    struct pipeline *pipeline = forest_load();
    assert_int_equal(trees_leaf_count(pipeline->trees), 3);
    for (int age = 0; age < 10; age++)
        for (int missing = 0; missing < 2; missing++) {
            struct cell cells[COLUMNS];
            struct score score;
            bool in = missing || age == 3 || age == 5 || age == 8;
            fixture_row(cells, missing ? NAN : age, NULL, 4 * age, NULL);
            pipeline_score(pipeline, cells, 1, 0, &score, NULL);
            assert_true(score.margin == (!in ? -4 : 4 * age <= 10 ? 1 : 2));
        }
    pipeline_free(pipeline);
    one_of_three();
    forest.features[4] = 1; /* another feature: no chain, and a child of two */
    forest_graph();
    forest_refused(STATUS_INVALID, "two parents");
    one_of_three();
    forest.falses[5] = 0; /* back to the root */
    forest_graph();
    forest_refused(STATUS_INVALID, "a loop");
}

static void test_covers_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const WRONG[][2] = {
        {"{}", "kind"},
        {"{\"kind\":\"linear\",\"columns\":{}}", "kind"},
        {"{\"kind\":\"tree\",\"covers\":[[1,2,3]]}", "kind"},
        {"{\"kind\":\"tree\",\"covers\":[[1,2],[1,2,3]]}", "tree 0 has 3 leaves, not 2"},
        {"{\"kind\":\"tree\",\"covers\":[[1,2,-1],[1,2,3]]}", "tree 0"},
        {"{\"kind\":\"tree\",\"covers\":[[1,2,\"3\"],[1,2,3]]}", "tree 0"},
        {"{\"kind\":\"tree\",\"covers\":[[1,2,3],[0,0,0]]}", "no training row came to tree 1"},
    };
    for (size_t w = 0; w < sizeof WRONG / sizeof *WRONG; w++) {
        struct pipeline *pipeline = NULL;
        struct error err = {0};
        four_comparisons();
        assert_int_equal(explained_load(WRONG[w][0], &pipeline, &err), STATUS_INVALID);
        if (!strstr(err.text, WRONG[w][1]))
            fail_msg("'%s' does not say '%s'", err.text, WRONG[w][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons_at_their_boundaries), cmocka_unit_test(test_double_rows),
        cmocka_unit_test(test_one_row_and_batches_agree),       cmocka_unit_test(test_shares_and_classes),
        cmocka_unit_test(test_nodes_that_are_no_forest),        cmocka_unit_test(test_numbers_and_lengths),
        cmocka_unit_test(test_forms_that_are_not_scored),       cmocka_unit_test(test_reasons_are_shapley_values),
        cmocka_unit_test(test_covers_that_do_not_fit),          cmocka_unit_test(test_chains_that_share_a_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
