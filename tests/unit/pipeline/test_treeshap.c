/* pipeline/treeshap*.c: trees from one branch to paths of twenty features, against Shapley's sums written out leaf by
 * leaf; the same bits from every instruction set that this processor has, alone and in any company. */
#include <stdio.h>

#include "base/memory.h"
#include "pipeline/pipeline_program.h"
#include "pipeline/treeshap_program.h"
#include "pipeline/trees_program.h"
#include "tests/support/forest.h"
#include "tests/unit/pipeline/fixture.h"

enum { WIDE = 40, TREES = 14, ROWS = 75, DEEPEST = 26 };

static struct forest forest;
static struct column columns[WIDE];
static struct cell cells[ROWS * WIDE];
static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* Returns the rows that come to the node. Some leaves have none. */
static double grow(int64_t tree, int64_t *next, unsigned depth, bool bushy)
{
    size_t n = forest_node(&forest, tree, next);
    if (depth == 0) {
        float weight = ((float)draw(2000) - 1000) / 997;
        return forest_leaf(&forest, n, weight, n && draw(9) == 0 ? 0 : 1 + draw(50));
    }
    bool left_goes_on = bushy || draw(2);
    uint32_t feature = draw(WIDE);
    forest_branch(&forest, n, feature, (float)draw(20));
    forest.covers[n] = grow(tree, next, left_goes_on || draw(6) == 0 ? depth - 1 : 0, bushy);
    forest.falses[n] = *next;
    return forest.covers[n] += grow(tree, next, !left_goes_on || bushy || draw(6) == 0 ? depth - 1 : 0, bushy);
}

static struct pipeline *forest_make(unsigned largest_bush, bool scores_only)
{
    static struct graph g;
    struct pipeline *pipeline = NULL;
    struct error err;
    seed = 11;
    memset(&forest, 0, sizeof forest);
    forest.scores_only = scores_only;
    for (int64_t tree = 0, next = 0; tree < TREES; tree++, next = 0)
        grow(tree, &next,
             tree < TREES / 2    ? (unsigned)tree + 1
             : tree == TREES - 1 ? largest_bush
                                 : DEEPEST,
             tree < TREES / 2 || tree == TREES - 1);
    if (forest_load(&g, &forest, columns, WIDE, &pipeline, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ROWS * WIDE; i++)
        cells[i] = cell_number(draw(22));
    return pipeline;
}

/* What is known of a path's feature: the share of the rows that pass all its conditions, and whether the row does. */
struct factor {
    int64_t feature;
    double share, passes;
};

/* A leaf's part of every contribution: the polynomial of the other features' factors, each with its own weight. */
static void leaf_add(double value, const struct factor *path, size_t count, double *contributions)
{
    for (size_t j = 0; j < count; j++) {
        double by_known[DEEPEST + 1] = {1}, sum = 0, weight = 1.0 / (double)count; /* k! (count − 1 − k)! / count! */
        for (size_t i = 0, degree = 0; i < count; i++) {
            if (i == j)
                continue;
            degree++;
            for (size_t k = degree + 1; k-- > 0;)
                by_known[k] = by_known[k] * path[i].share + (k ? by_known[k - 1] * path[i].passes : 0);
        }
        for (size_t k = 0; k < count; k++) {
            sum += weight * by_known[k];
            weight *= (double)(k + 1) / (double)(count - 1 - k);
        }
        contributions[path[j].feature] += value * sum * (path[j].passes - path[j].share);
    }
}

/* The nodes of a tree are in preorder. Returns the node after n's subtree. */
static size_t reference_walk(size_t n, size_t *leaf, const struct cell *row, const struct factor *path, size_t count,
                             double *contributions)
{
    if (*forest.modes[n] == 'L') {
        leaf_add(forest.weights[(*leaf)++], path, count, contributions);
        return n + 1;
    }
    size_t next = n + 1;
    double share = 0.5, rows = forest.covers[n];
    for (int side = 0; side < 2; side++) {
        struct factor below[DEEPEST + 1];
        size_t at = 0;
        bool passes = (row[forest.features[n]].number <= forest.values[n]) == !side;
        share = side ? 1 - share : rows > 0 ? forest.covers[next] / rows : 0.5;
        memcpy(below, path, count * sizeof *path);
        while (at < count && path[at].feature != forest.features[n])
            at++;
        if (at == count)
            below[at] = (struct factor){forest.features[n], 1, 1};
        below[at].share *= share;
        below[at].passes *= passes;
        next = reference_walk(next, leaf, row, below, count + (at == count), contributions);
    }
    return next;
}

static void contributions_of(const struct score *score, const struct reason *reasons, double *out)
{
    memset(out, 0, WIDE * sizeof *out);
    for (uint32_t k = 0; k < score->reason_count; k++)
        out[reasons[k].column] = reasons[k].contribution;
}

static void check_against_the_sums(const struct score *scores, const struct reason *reasons)
{
    const struct factor none = {0};
    for (size_t r = 0; r < ROWS; r++) {
        double wanted[WIDE] = {0}, found[WIDE], sum = scores[r].base;
        contributions_of(&scores[r], reasons + r * WIDE, found);
        for (size_t n = 0, leaf = 0; n < forest.count;)
            n = reference_walk(n, &leaf, cells + r * WIDE, &none, 0, wanted);
        for (size_t c = 0; c < WIDE; c++) {
            assert_true(fabs(found[c] - wanted[c]) < 1e-12);
            sum += found[c];
        }
        assert_true(fabs(sum - scores[r].margin) < 1e-12);
    }
}

/* Every instruction set, every size of a batch: the bits of the first. */
static void check_bits(const struct pipeline *pipeline, const struct score *scores, const struct reason *reasons)
{
    static const size_t SIZES[] = {1, 2, 4, 5, 8, 9, 16, 17, 33, ROWS};
    static struct score again[ROWS];
    static struct reason reasons_again[ROWS * WIDE];
    const struct treeshap_walk *const *walks;
    size_t walk_count = treeshap_walks(&walks);
    for (size_t w = 0; w < walk_count; w++)
        for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
            pipeline->trees->shap->walk = walks[w];
            for (size_t r = 0, size; r < ROWS; r += size) {
                size = SIZES[s] < ROWS - r ? SIZES[s] : ROWS - r;
                pipeline_score(pipeline, cells + r * WIDE, size, WIDE, again + r, reasons_again + r * WIDE);
            }
            for (size_t r = 0; r < ROWS; r++) {
                double first[WIDE], now[WIDE];
                contributions_of(&scores[r], reasons + r * WIDE, first);
                contributions_of(&again[r], reasons_again + r * WIDE, now);
                assert_memory_equal(first, now, sizeof now);
            }
        }
}

static void contributions_are_shapleys_and_their_bits_do_not_depend_on_the_machine(void **state)
{
    (void)state;
    static struct score scores[ROWS];
    static struct reason reasons[ROWS * WIDE];
    for (unsigned bush = 9; bush <= 11; bush += 2) { /* the larger one is too large for the way of one row alone */
        struct pipeline *pipeline = forest_make(bush, false);
        assert_true(pipeline->trees->shap->all_small == (bush == 9));
        assert_true((pipeline->trees->shap->singles != NULL) == (bush == 9)); /* who has no use for them has none */
        assert_true(pipeline->trees->shap->trees[0].points == 0 && pipeline->trees->shap->trees[TREES - 2].chunks > 1);
        pipeline_score(pipeline, cells, ROWS, WIDE, scores, reasons);
        check_against_the_sums(scores, reasons);
        check_bits(pipeline, scores, reasons);
        pipeline_free(pipeline);
    }
}

static void scores_alone_need_no_tables_of_reasons(void **state)
{
    (void)state;
    static struct score scores[ROWS], alone[ROWS];
    static struct reason reasons[ROWS * 3];
    struct pipeline *pipeline = forest_make(11, false), *lean = forest_make(11, true);
    pipeline_score(pipeline, cells, ROWS, 3, scores, reasons);
    pipeline_score(lean, cells, ROWS, 3, alone, reasons);
    for (size_t r = 0; r < ROWS; r++) {
        assert_true(alone[r].probability == scores[r].probability && alone[r].margin == scores[r].margin);
        assert_int_equal(scores[r].reason_count, 3);
        assert_int_equal(alone[r].reason_count, 0);
    }
    assert_true(pipeline_has_reasons(pipeline) && !pipeline_has_reasons(lean));
    assert_int_equal(pipeline_bytes(pipeline) - pipeline_bytes(lean), treeshap_bytes(pipeline->trees->shap));
    pipeline_free(pipeline);
    pipeline_free(lean);
}

static void rows_below_a_probability_are_left_out(void **state)
{
    (void)state;
    static struct score scores[ROWS], some[ROWS];
    static struct reason reasons[ROWS * 3], some_reasons[ROWS * 3];
    struct pipeline *pipeline = forest_make(9, false);
    pipeline_score(pipeline, cells, ROWS, 3, scores, reasons);
    for (size_t chosen = 0; chosen < ROWS; chosen += 7) {
        double least = scores[chosen].probability;
        pipeline_score_from(pipeline, cells, ROWS, 3, least, some, some_reasons);
        for (size_t r = 0; r < ROWS; r++) {
            bool explained = scores[r].probability >= least;
            assert_true(some[r].probability == scores[r].probability && some[r].margin == scores[r].margin);
            assert_int_equal(some[r].reason_count, explained ? 3 : 0);
            for (uint32_t k = 0; k < some[r].reason_count; k++) {
                assert_int_equal(some_reasons[r * 3 + k].column, reasons[r * 3 + k].column);
                assert_true(some_reasons[r * 3 + k].contribution == reasons[r * 3 + k].contribution);
            }
        }
    }
    pipeline_free(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_are_shapleys_and_their_bits_do_not_depend_on_the_machine),
        cmocka_unit_test(scores_alone_need_no_tables_of_reasons),
        cmocka_unit_test(rows_below_a_probability_are_left_out),
    };
    return cmocka_run_group_tests_name("pipeline/treeshap", tests, NULL, NULL);
}
