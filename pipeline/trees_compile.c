/* Ensemble → struct trees: packs the checked trees for the walk. Called by pipeline_load, at load only. */
#include "pipeline/treeshap.h"
#include "pipeline/trees.h"
#include "pipeline/trees_program.h"
#include "pipeline/trees_vector.h"

#include <math.h>
#include <stdlib.h>

/* A sum of probabilities may pass 1 by its rounding, not by more. */
static const double SHARE_SLACK = 1e-3;

static const struct expr *trees_expr(const struct expr_pool *pool, const struct compiled *compiled, size_t class)
{
    const struct expr *share = expr_at(pool, compiled->probabilities[class]);
    return share->op == EXPR_TREES && share->b == class ? share : NULL;
}

bool trees_match(const struct expr_pool *pool, const struct compiled *compiled)
{
    const struct expr *a = trees_expr(pool, compiled, 0), *b = trees_expr(pool, compiled, 1);
    return a && b && a->trees == b->trees;
}

/* Without a sigmoid the sum of leaves is the probability, and must be one for every row. */
static enum status shares_check(const struct trees *trees, struct error *err)
{
    const struct ensemble *ensemble = trees->ensemble;
    double low = ensemble->base, high = ensemble->base;
    if (ensemble->raw)
        return error_set(err, STATUS_UNSUPPORTED,
                         "negative weights without LOGISTIC are no probabilities: export a classifier");
    for (size_t t = 0; t < ensemble->tree_count; t++) {
        double least = INFINITY, most = -INFINITY;
        for (size_t n = ensemble->starts[t]; n < ensemble->starts[t + 1]; n++)
            if (!ensemble->nodes[n].left) {
                least = fmin(least, ensemble->nodes[n].value[trees->class]);
                most = fmax(most, ensemble->nodes[n].value[trees->class]);
            }
        low += least;
        high += most;
    }
    if (low < -SHARE_SLACK || high > 1 + SHARE_SLACK)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the trees' sums reach from %.4g to %.4g, so they are no probabilities: export a classifier",
                         low, high);
    return STATUS_OK;
}

static bool values_are_floats(const struct trees *trees)
{
    for (size_t n = 0; n < trees->ensemble->node_count; n++) {
        const struct tree_node *node = &trees->ensemble->nodes[n];
        if (!node->left && (double)(float)node->value[trees->class] != node->value[trees->class])
            return false;
    }
    return true;
}

static void nodes_pack(struct trees *trees)
{
    const struct ensemble *ensemble = trees->ensemble;
    trees->nodes = mem_zeroed(ensemble->node_count, sizeof *trees->nodes);
    for (size_t t = 0; t < ensemble->tree_count; t++)
        for (uint32_t n = ensemble->starts[t]; n < ensemble->starts[t + 1]; n++) {
            const struct tree_node *node = &ensemble->nodes[n];
            struct packed_node *packed = &trees->nodes[n];
            if (!node->left) {
                *packed = (struct packed_node){(float)node->value[trees->class], 0};
                continue;
            }
            struct feature_slot at = features_slot(trees->features, node->feature);
            uint32_t slot = node->missing_left ? at.low : at.slot;
            *packed = (struct packed_node){features_threshold(trees->features, node->feature, node->threshold),
                                           slot << PACKED_SLOT_SHIFT | (node->left - (n - ensemble->starts[t]))};
        }
    if (values_are_floats(trees))
        return;
    trees->values = mem_zeroed(ensemble->node_count, sizeof *trees->values);
    for (size_t n = 0; n < ensemble->node_count; n++)
        trees->values[n] = ensemble->nodes[n].left ? 0 : ensemble->nodes[n].value[trees->class];
}

/* Of an ensemble alone; `given`: its features are computed elsewhere. */
static enum status trees_make(const struct expr_pool *pool, const struct ensemble *ensemble, size_t class, bool given,
                              size_t column_count, struct trees **out, struct error *err)
{
    struct trees *trees = mem_zeroed(1, sizeof *trees);
    trees->ensemble = ensemble;
    trees->column_count = column_count;
    trees->vector = trees_vector_runs();
    trees->class = ensemble->binary ? 0 : class;
    trees->opposite = ensemble->binary && class == 0;
    enum status status = given || ensemble->logistic ? STATUS_OK : shares_check(trees, err);
    if (status == STATUS_OK)
        status = features_compile(pool, ensemble, column_count, given, &trees->features, err);
    if (status != STATUS_OK) {
        trees_free(trees);
        return status;
    }
    nodes_pack(trees);
    *out = trees;
    return STATUS_OK;
}

enum status trees_compile(const struct expr_pool *pool, const struct compiled *compiled, size_t positive,
                          size_t column_count, struct trees **out, struct error *err)
{
    return trees_make(pool, trees_expr(pool, compiled, positive)->trees, positive, false, column_count, out, err);
}

enum status trees_compile_member(const struct expr_pool *pool, const struct ensemble *ensemble, size_t class,
                                 struct trees **out, struct error *err)
{
    return trees_make(pool, ensemble, class, true, 0, out, err);
}

size_t trees_tree_count(const struct trees *trees)
{
    return trees->ensemble->tree_count;
}

size_t trees_tree_leaves(const struct trees *trees, size_t tree)
{
    return (trees->ensemble->starts[tree + 1] - trees->ensemble->starts[tree] + 1) /
           2; /* every branch has two children */
}

size_t trees_leaf_count(const struct trees *trees)
{
    return (trees->ensemble->node_count + trees->ensemble->tree_count) / 2;
}

enum status trees_set_covers(struct trees *trees, const double *covers, struct error *err)
{
    const struct ensemble *ensemble = trees->ensemble;
    struct treeshap *shap = NULL;
    enum status status = treeshap_make(trees, covers, &shap, err);
    if (status != STATUS_OK)
        return status;
    treeshap_free(trees->shap);
    trees->shap = shap;
    double mean = treeshap_base(shap) + ensemble->base;
    trees->base = !trees->opposite ? mean : ensemble->logistic ? -mean : 1 - mean;
    return STATUS_OK;
}

bool trees_has_reasons(const struct trees *trees)
{
    return trees->shap != NULL;
}

bool trees_are_logistic(const struct trees *trees)
{
    return trees->ensemble->logistic;
}

void trees_free(struct trees *trees)
{
    if (!trees)
        return;
    treeshap_free(trees->shap);
    features_free(trees->features);
    free(trees->nodes);
    free(trees->values);
    free(trees);
}

size_t trees_bytes(const struct trees *trees)
{
    size_t node = sizeof *trees->nodes + (trees->values ? sizeof *trees->values : 0);
    return sizeof *trees + trees->ensemble->node_count * node + features_bytes(trees->features) +
           (trees->shap ? treeshap_bytes(trees->shap) : 0);
}
