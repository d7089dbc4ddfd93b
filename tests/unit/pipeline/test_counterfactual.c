/* Counterfactuals beside brute force: linear models and random forests behind a scaler, in small, wide and continuous
 * ranges, with a cross-field rule, with missing values and from either side of the threshold. */
#include "pipeline/counterfactual.h"
#include "tests/unit/pipeline/graph.h"

enum { TREES = 12, TREE_NODES = 15, NODES = TREES * TREE_NODES, LEAVES = TREES * 8, GRID = 8 };

static struct column columns[COLUMNS];
static const struct rule RULE = {AGE, PAY}; /* age ≤ pay */

static void columns_set(double age_high, double pay_high)
{
    memcpy(columns, SCHEMA, sizeof columns);
    columns[AGE].low = 18;
    columns[AGE].high = age_high;
    columns[PAY].low = 0;
    columns[PAY].high = pay_high;
}

static uint64_t seed = 11;
static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static struct pipeline *loaded(struct span file)
{
    const struct pipeline_options options = {.default_positive = "Yes"};
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    if (pipeline_load(file, columns, COLUMNS, &options, &pipeline, &err))
        fail_msg("%s", err.text);
    return pipeline;
}

static struct pipeline *linear_loaded(void)
{
    struct buffer file = fixture_file(NULL, NULL);
    struct pipeline *pipeline = loaded(buffer_span(&file));
    buffer_free(&file);
    return pipeline;
}

/* age and pay → scaled, one of them by a negative factor → trees of seven branches and eight leaves in heap order. */
static struct pipeline *forest_loaded(double age_high, double pay_high)
{
    static struct graph g;
    static int64_t trees[NODES], ids[NODES], features[NODES], trues[NODES], falses[NODES], leaf_trees[LEAVES],
        leaf_ids[LEAVES], classes[LEAVES];
    static float values[NODES], weights[LEAVES];
    static char *modes[NODES];
    const float offset[] = {40, 7}, scale[] = {0.1f, -0.37f};
    for (size_t n = 0; n < NODES; n++) {
        int64_t id = (int64_t)n % TREE_NODES;
        bool branch = id < TREE_NODES / 2;
        trees[n] = (int64_t)n / TREE_NODES;
        ids[n] = id;
        features[n] = draw(2);
        trues[n] = branch ? 2 * id + 1 : 0;
        falses[n] = branch ? 2 * id + 2 : 0;
        float at = (float)draw(1000) / 1000 * (float)(features[n] ? pay_high : age_high);
        values[n] = (at - offset[features[n]]) * scale[features[n]];
        modes[n] = (char *)(!branch ? "LEAF" : draw(2) ? "BRANCH_LEQ" : "BRANCH_LT");
    }
    for (size_t w = 0; w < LEAVES; w++) {
        leaf_trees[w] = (int64_t)w / 8;
        leaf_ids[w] = TREE_NODES / 2 + (int64_t)w % 8;
        weights[w] = ((float)draw(2000) - 1000) / 997;
    }
    graph_init(&g, 15, 3);
    graph_input(&g, "age", DTYPE_FLOAT);
    graph_input(&g, "pay", DTYPE_FLOAT);
    graph_int(&g, graph_node(&g, "Concat", "age,pay", "raw"), "axis", 1);
    Onnx__NodeProto *scaler = graph_node(&g, "ml.Scaler", "raw", "rows");
    graph_floats(&g, scaler, "offset", offset, 2);
    graph_floats(&g, scaler, "scale", scale, 2);
    Onnx__NodeProto *node = graph_node(&g, "ml.TreeEnsembleClassifier", "rows", "label,probabilities");
    Onnx__AttributeProto *list = graph_attribute(&g, node, "nodes_modes", ATTRIBUTE_TEXTS);
    list->n_strings = NODES;
    list->strings = arena_take(&g.arena, NODES * sizeof *list->strings);
    for (size_t n = 0; n < NODES; n++)
        list->strings[n] = (ProtobufCBinaryData){strlen(modes[n]), (uint8_t *)modes[n]};
    graph_ints(&g, node, "nodes_treeids", trees, NODES);
    graph_ints(&g, node, "nodes_nodeids", ids, NODES);
    graph_ints(&g, node, "nodes_featureids", features, NODES);
    graph_ints(&g, node, "nodes_truenodeids", trues, NODES);
    graph_ints(&g, node, "nodes_falsenodeids", falses, NODES);
    graph_floats(&g, node, "nodes_values", values, NODES);
    graph_ints(&g, node, "class_treeids", leaf_trees, LEAVES);
    graph_ints(&g, node, "class_nodeids", leaf_ids, LEAVES);
    graph_ints(&g, node, "class_ids", classes, LEAVES);
    graph_floats(&g, node, "class_weights", weights, LEAVES);
    graph_text(&g, node, "post_transform", "LOGISTIC");
    graph_texts(&g, node, "classlabels_strings", "No,Yes");
    graph_output(&g, "label", DTYPE_TEXT);
    graph_output(&g, "probabilities", DTYPE_FLOAT);
    struct buffer file = {0};
    graph_pack(&g, &file);
    struct pipeline *pipeline = loaded(buffer_span(&file));
    buffer_free(&file);
    return pipeline;
}

static double probability_with(const struct pipeline *pipeline, const struct cell *row, uint32_t column,
                               struct cell value)
{
    struct cell changed[COLUMNS];
    struct score score;
    memcpy(changed, row, sizeof changed);
    changed[column] = value;
    pipeline_score(pipeline, changed, 1, 0, &score, NULL);
    return score.probability;
}

static bool allowed(const struct cell *row, uint32_t column, double number, size_t rules)
{
    double age = column == AGE ? number : row[AGE].number, pay = column == PAY ? number : row[PAY].number;
    return number >= columns[column].low && number <= columns[column].high && !(rules && age > pay);
}

/* The least cost of all whole ages, of pays in steps of 1/8, and of categories; INFINITY: nothing crosses. */
static double brute_cost(const struct pipeline *pipeline, const struct cell *row, size_t rules)
{
    bool positive = probability_with(pipeline, row, AGE, row[AGE]) >= 0.5;
    double least = INFINITY;
    for (uint32_t column = 0; column < COLUMNS; column++) {
        const struct column *schema = &columns[column];
        bool text = schema->kind == COLUMN_NOMINAL;
        size_t steps =
            text ? schema->value_count : (size_t)(schema->high - schema->low) * (column == PAY ? GRID : 1) + 1;
        for (size_t s = 0; s < steps; s++) {
            double number = schema->low + (double)s / (column == PAY ? GRID : 1);
            if (!text && !allowed(row, column, number, rules))
                continue;
            struct cell value = text ? fixture_text((int)column, schema->values[s].data) : cell_number(number);
            if ((probability_with(pipeline, row, column, value) >= 0.5) == positive)
                continue;
            bool jump = text || row[column].code == CELL_MISSING;
            least = fmin(least, jump ? 1 : fabs(number - row[column].number) / (schema->high - schema->low));
        }
    }
    return least;
}

/* What is found keeps the contract, and nothing a little nearer would do. */
static void check_found(const struct pipeline *pipeline, const struct cell *row, size_t rules,
                        const struct counterfactual *found)
{
    const struct column *schema = &columns[found->column];
    double before = probability_with(pipeline, row, AGE, row[AGE]);
    assert_true(probability_with(pipeline, row, found->column, found->value) == found->probability);
    assert_true((found->probability >= 0.5) != (before >= 0.5));
    if (schema->kind == COLUMN_NOMINAL) {
        assert_true(found->cost == 1 && found->value.code >= 0 && found->value.code != row[found->column].code);
        return;
    }
    double number = found->value.number, now = row[found->column].number;
    assert_true(allowed(row, found->column, number, rules));
    if (found->column == AGE)
        assert_true(number == floor(number));
    if (isnan(now)) {
        assert_true(found->cost == 1);
        return;
    }
    assert_true(found->cost == fabs(number - now) / (schema->high - schema->low));
    double nearer = found->column == AGE ? number + (now > number ? 1 : -1) : nextafter(number, now);
    assert_true((probability_with(pipeline, row, found->column, cell_number(nearer)) >= 0.5) == (before >= 0.5));
}

static size_t compare_rows(const struct pipeline *pipeline, size_t count)
{
    size_t crossed = 0;
    for (size_t r = 0; r < count; r++) {
        struct cell row[COLUMNS];
        double pay = draw((uint32_t)columns[PAY].high * GRID) / (double)GRID;
        double age = 18 + draw((uint32_t)columns[AGE].high - 17);
        fixture_row(row, draw(8) ? age : NAN, draw(5) ? CITY_VALUES[draw(3)].data : NULL, draw(8) ? pay : NAN, "day");
        size_t rules = draw(2) && !(age > pay);
        struct counterfactual found = {0};
        double least = brute_cost(pipeline, row, rules);
        bool any = pipeline_counterfactual(pipeline, &RULE, rules, row, &found);
        if (!any) {
            assert_true(isinf(least));
            continue;
        }
        assert_true(found.cost <= least);
        if (found.column != PAY)
            assert_true(found.cost == least);
        check_found(pipeline, row, rules, &found);
        crossed++;
    }
    return crossed;
}

static void test_linear_models(void **state)
{
    (void)state;
    static const double HIGHS[][2] = {{70, 9000}, {2500, 20000}};
    for (size_t h = 0; h < 2; h++) {
        columns_set(HIGHS[h][0], HIGHS[h][1]);
        struct pipeline *pipeline = linear_loaded();
        assert_in_range(compare_rows(pipeline, 12), 6, 12);
        pipeline_free(pipeline);
    }
}

static void test_forests(void **state)
{
    (void)state;
    static const double HIGHS[][2] = {{70, 60}, {2500, 2600}};
    size_t crossed = 0;
    for (size_t round = 0; round < 12; round++) {
        columns_set(HIGHS[round % 2][0], HIGHS[round % 2][1]);
        struct pipeline *pipeline = forest_loaded(columns[AGE].high, columns[PAY].high);
        crossed += compare_rows(pipeline, 6);
        pipeline_free(pipeline);
    }
    assert_in_range(crossed, 20, 72);
}

/* Cities alone can change the answer, and cost the same: the one that goes further wins. */
static void test_of_equal_costs_the_furthest(void **state)
{
    (void)state;
    struct cell row[COLUMNS];
    struct counterfactual found;
    columns_set(30, 0);
    columns[AGE].low = 30;
    struct pipeline *pipeline = linear_loaded();
    fixture_row(row, 30, "Bonn & Köln", 0, "day");
    double pay = 0;
    while (fixture_margin(30, "Bonn & Köln", pay, "day") > 0.05)
        pay += 1;
    columns[PAY].low = columns[PAY].high = pay;
    row[PAY] = cell_number(pay);
    assert_true(pipeline_counterfactual(pipeline, NULL, 0, row, &found));
    assert_int_equal(found.column, CITY);
    assert_int_equal(found.value.code, 0); /* Ulm: −0.25; Nowhere: 0 */
    pipeline_free(pipeline);
}

/* Without a range in the schema the search still ends, at a value that crosses. */
static void test_open_ranges(void **state)
{
    (void)state;
    struct cell row[COLUMNS];
    struct counterfactual found;
    columns_set(INFINITY, INFINITY);
    columns[AGE].low = columns[PAY].low = -INFINITY;
    struct pipeline *pipeline = linear_loaded();
    fixture_row(row, 40, "Ulm", 5000, "day");
    bool before = probability_with(pipeline, row, AGE, row[AGE]) >= 0.5;
    assert_true(pipeline_counterfactual(pipeline, NULL, 0, row, &found));
    assert_true((found.probability >= 0.5) != before);
    assert_true(found.cost < 1 && found.column != CITY);
    pipeline_free(pipeline);
}

/* A range of one value, or a rule that leaves none: nothing to propose, and *out stays as it was. */
static void test_nothing_to_change(void **state)
{
    (void)state;
    struct cell row[COLUMNS];
    struct counterfactual found = {.column = 77};
    columns_set(18, 0);
    struct pipeline *pipeline = linear_loaded();
    fixture_row(row, 18, "Ulm", 0, "day");
    columns[CITY].value_count = 1;
    assert_false(pipeline_counterfactual(pipeline, &RULE, 1, row, &found));
    assert_int_equal(found.column, 77);
    pipeline_free(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_models),
        cmocka_unit_test(test_forests),
        cmocka_unit_test(test_of_equal_costs_the_furthest),
        cmocka_unit_test(test_open_ranges),
        cmocka_unit_test(test_nothing_to_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
