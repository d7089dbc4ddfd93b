/* Why a tree ensemble gave its score: shap_make is called at load, shap_row by trees.c for every row whose reasons are
 * wanted, on any thread; it must not allocate.
 *
 * The game of one leaf (value v, features 1 … m on its path): a coalition S gets v × product of r over the features not
 * in S (r: the share of training rows that pass all of that feature's conditions), or nothing if S holds a feature
 * whose conditions the row breaks. Shapley's weight of a coalition of size s is ∫ t^s (1 − t)^(m − s − 1) dt over 0 …
 * 1, so sums over coalitions become integrals of products: with f = t + (1 − t) r for a feature that the row passes and
 * f = (1 − t) r for one that it breaks, F = v × product of f, contribution of a passed feature = ∫ F (1 − r) / f dt, of
 * a broken one = − ∫ F / (1 − t) dt. The integrands are polynomials of degree m − 1, for which ⌈m / 2⌉ points of Gauss
 * and Legendre are exact. So one walk over the tree carries the products at those points down and the sums of F up:
 * linear in nodes × depth, no division, no cancellation. Where a feature stands on a path again, its factor is
 * replaced, and what the upper one was given for the leaves below is taken back. (The idea of carrying polynomials: Yu
 * et al., Linear TreeShap, 2022.) */
#include "pipeline/shap.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/trees_program.h"

enum { MAX_POINTS = SHAP_MAX_PATH / 2 };
static const double PI = 3.14159265358979323846;

/* What the edge into a node knows. */
struct shap_edge {
    double share;     /* of the parent's rows */
    double passed;    /* r: share² … of all this feature's edges down to here */
    uint32_t above;   /* the node whose edge has the same feature, further up; 0: none */
    uint32_t column;  /* of the feature; SHAP_MAX_COLUMNS: none */
    uint32_t depth;   /* of the node */
    uint32_t inverse; /* where 1 / (t + (1 − t) r) stands, for each point */
};

struct shap_tree {
    uint32_t first;  /* node */
    uint32_t points; /* how many */
};

struct shap {
    const struct ensemble *ensemble;
    const struct packed_node *nodes;
    size_t class;
    struct shap_edge *edges; /* by node */
    struct shap_tree *trees;
    double *inverses;
    size_t inverse_count, bytes;
    uint32_t *columns;
    size_t column_count;
    double base;
    double at[MAX_POINTS + 1][MAX_POINTS], weight[MAX_POINTS + 1][MAX_POINTS], rest[MAX_POINTS + 1][MAX_POINTS];
};

/* Points and weights for polynomials on 0 … 1, by Newton's method on Legendre's polynomial; rest = 1 / (1 − t). */
static void points_find(struct shap *shap, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double x = cos(PI * ((double)i + 0.75) / ((double)count + 0.5)), slope = 1;
        for (int step = 0; step < 50; step++) {
            double low = 1, value = x;
            for (size_t k = 2; k <= count; k++) {
                double next = ((2 * (double)k - 1) * x * value - ((double)k - 1) * low) / (double)k;
                low = value;
                value = next;
            }
            slope = (double)count * (x * value - low) / (x * x - 1);
            double change = value / slope;
            x -= change;
            if (fabs(change) < 1e-16)
                break;
        }
        shap->at[count][i] = (1 - x) / 2;
        shap->weight[count][i] = 1 / ((1 - x * x) * slope * slope);
        shap->rest[count][i] = 1 / (1 - shap->at[count][i]);
    }
}

/* Rows of every node from those of the leaves: children come after their parents. */
static enum status covers_sum(const struct ensemble *ensemble, const double *covers, double *sums, struct error *err)
{
    for (size_t t = 0; t < ensemble->tree_count; t++) {
        for (size_t n = ensemble->starts[t + 1]; n-- > ensemble->starts[t];) {
            const struct tree_node *node = &ensemble->nodes[n];
            const double *left = &sums[ensemble->starts[t] + node->left];
            sums[n] = node->left ? left[0] + left[1] : covers[node->source];
            if (!(sums[n] >= 0) || isinf(sums[n]))
                return error_set(err, STATUS_INVALID, "attrition.reference: a cover of tree %zu is not a number ≥ 0",
                                 t);
        }
        if (sums[ensemble->starts[t]] <= 0)
            return error_set(err, STATUS_INVALID, "attrition.reference: no training row came to tree %zu", t);
    }
    return STATUS_OK;
}

/* The edge into child `c` (within the tree) from `parent`. */
static void edge_make(struct shap *shap, const struct features *features, const double *sums, uint32_t start,
                      uint32_t parent, uint32_t c)
{
    const struct tree_node *nodes = shap->ensemble->nodes + start;
    struct shap_edge *edges = shap->edges + start, *edge = &edges[c];
    int32_t column = features_column(features, nodes[parent].feature);
    double rows = sums[start + parent];
    edge->share = rows > 0 ? sums[start + c] / rows : 0.5; /* nobody came by: either way */
    edge->depth = edges[parent].depth + 1;
    edge->column = column < 0 ? SHAP_MAX_COLUMNS : (uint32_t)column;
    edge->passed = edge->share;
}

/* Parents by node, within one tree. */
static void parents_find(const struct ensemble *ensemble, size_t t, uint32_t *parents)
{
    uint32_t start = ensemble->starts[t];
    for (uint32_t n = start; n < ensemble->starts[t + 1]; n++)
        if (ensemble->nodes[n].left)
            parents[ensemble->nodes[n].left] = parents[ensemble->nodes[n].left + 1] = n - start;
}

/* Edges of one tree, and how many different features its longest path has. */
static uint32_t edges_make(struct shap *shap, const struct features *features, const double *sums, size_t t,
                           uint32_t *parents, uint32_t *different)
{
    const struct ensemble *ensemble = shap->ensemble;
    uint32_t start = ensemble->starts[t], count = ensemble->starts[t + 1] - start, most = 0;
    struct shap_edge *edges = shap->edges + start;
    parents_find(ensemble, t, parents);
    edges[0].depth = 0;
    different[0] = 0;
    for (uint32_t c = 1; c < count; c++) {
        uint32_t parent = parents[c], up = parent;
        edge_make(shap, features, sums, start, parent, c);
        while (up != 0 && ensemble->nodes[start + parents[up]].feature != ensemble->nodes[start + parent].feature)
            up = parents[up];
        edges[c].above = up;
        edges[c].passed *= up ? edges[up].passed : 1;
        different[c] = different[parent] + (up == 0);
        most = most > different[c] ? most : different[c];
    }
    return most;
}

/* What the division by each edge's factor would be, at the tree's points. */
static void inverses_make(struct shap *shap, size_t t)
{
    uint32_t start = shap->ensemble->starts[t], points = shap->trees[t].points;
    for (uint32_t n = start + 1; n < shap->ensemble->starts[t + 1]; n++) {
        shap->edges[n].inverse = (uint32_t)shap->inverse_count;
        for (uint32_t q = 0; q < points; q++) {
            double at = shap->at[points][q];
            shap->inverses[shap->inverse_count++] = 1 / (at + (1 - at) * shap->edges[n].passed);
        }
    }
}

static double tree_mean(const struct shap *shap, const double *sums, size_t t)
{
    const struct ensemble *ensemble = shap->ensemble;
    double mean = 0, all = sums[ensemble->starts[t]];
    for (size_t n = ensemble->starts[t]; n < ensemble->starts[t + 1]; n++)
        if (!ensemble->nodes[n].left)
            mean += sums[n] / all * ensemble->nodes[n].value[shap->class];
    return mean;
}

static enum status trees_make(struct shap *shap, const struct features *features, const double *sums, struct error *err)
{
    const struct ensemble *ensemble = shap->ensemble;
    uint32_t *parents = mem_zeroed(TREE_MAX_NODES, sizeof *parents),
             *different = mem_zeroed(TREE_MAX_NODES, sizeof *different);
    enum status status = STATUS_OK;
    size_t inverses = 0;
    for (size_t t = 0; t < ensemble->tree_count && !status; t++) {
        uint32_t most = edges_make(shap, features, sums, t, parents, different);
        uint32_t points = most ? (most + 1) / 2 : 1;
        if (most > SHAP_MAX_PATH || ensemble->depths[t] > 2 * SHAP_MAX_PATH)
            status = error_set(err, STATUS_LIMIT,
                               "attrition.reference: tree %zu is too deep for reasons (%d features on a path)", t,
                               SHAP_MAX_PATH);
        shap->trees[t] = (struct shap_tree){ensemble->starts[t], points};
        shap->base += tree_mean(shap, sums, t);
        inverses += (size_t)points * (ensemble->starts[t + 1] - ensemble->starts[t]);
    }
    free(parents);
    free(different);
    if (!status && inverses > UINT32_MAX)
        status = error_set(err, STATUS_LIMIT, "attrition.reference: the trees are too large for reasons");
    if (status)
        return status;
    shap->inverses = mem_zeroed(inverses, sizeof *shap->inverses);
    shap->bytes += inverses * sizeof *shap->inverses;
    for (size_t t = 0; t < ensemble->tree_count; t++)
        inverses_make(shap, t);
    return STATUS_OK;
}

static void columns_list(struct shap *shap, size_t column_count)
{
    bool used[SHAP_MAX_COLUMNS + 1] = {false};
    for (size_t t = 0; t < shap->ensemble->tree_count; t++)
        for (size_t n = shap->ensemble->starts[t] + 1; n < shap->ensemble->starts[t + 1]; n++)
            used[shap->edges[n].column] = true;
    shap->columns = mem_zeroed(column_count, sizeof *shap->columns);
    for (uint32_t c = 0; c < column_count; c++)
        if (used[c])
            shap->columns[shap->column_count++] = c;
}

enum status shap_make(const struct ensemble *ensemble, const struct features *features, const struct packed_node *nodes,
                      size_t class, size_t column_count, const double *covers, struct shap **out, struct error *err)
{
    if (column_count > SHAP_MAX_COLUMNS)
        return error_set(err, STATUS_LIMIT, "attrition.reference: more than %d columns", SHAP_MAX_COLUMNS);
    struct shap *shap = mem_zeroed(1, sizeof *shap);
    shap->ensemble = ensemble;
    shap->nodes = nodes;
    shap->class = class;
    shap->edges = mem_zeroed(ensemble->node_count, sizeof *shap->edges);
    shap->trees = mem_zeroed(ensemble->tree_count, sizeof *shap->trees);
    shap->bytes =
        sizeof *shap + ensemble->node_count * sizeof *shap->edges + ensemble->tree_count * sizeof *shap->trees;
    for (size_t count = 1; count <= MAX_POINTS; count++)
        points_find(shap, count);
    double *sums = mem_zeroed(ensemble->node_count, sizeof *sums);
    enum status status = covers_sum(ensemble, covers, sums, err);
    if (!status)
        status = trees_make(shap, features, sums, err);
    free(sums);
    if (status) {
        shap_free(shap);
        return status;
    }
    columns_list(shap, column_count);
    *out = shap;
    return STATUS_OK;
}

void shap_free(struct shap *shap)
{
    if (!shap)
        return;
    free(shap->edges);
    free(shap->trees);
    free(shap->inverses);
    free(shap->columns);
    free(shap);
}

double shap_base(const struct shap *shap)
{
    return shap->base;
}

size_t shap_columns(const struct shap *shap, const uint32_t **out)
{
    *out = shap->columns;
    return shap->column_count;
}

size_t shap_bytes(const struct shap *shap)
{
    return shap->bytes;
}

/* One row in one tree. */
struct shap_walk {
    const struct shap *shap;
    const struct tree_node *nodes;
    const struct packed_node *packed;
    const struct shap_edge *edges;
    const double *at, *rest;
    uint32_t points;
    const float *x;
    double *contributions;
    bool passed[2 * SHAP_MAX_PATH + 1]; /* by depth: does the row pass all conditions of that edge's feature? */
};

/* What an edge's feature is given for the leaves whose F add up to `sum`. */
static inline double edge_gain(const struct shap_walk *walk, uint32_t n, bool passed, const double *sum)
{
    const struct shap_edge *edge = &walk->edges[n];
    const double *by = passed ? walk->shap->inverses + edge->inverse : walk->rest;
    double total = 0;
    for (uint32_t q = 0; q < walk->points; q++)
        total += sum[q] * by[q];
    return passed ? total * (1 - edge->passed) : -total;
}

/* The products at the points, below the edge into n. */
static inline void edge_factor(const struct shap_walk *walk, uint32_t n, bool passed, const double *from, double *to)
{
    const struct shap_edge *edge = &walk->edges[n];
    bool before = edge->above == 0 || walk->passed[walk->edges[edge->above].depth];
    const double *by = edge->above ? walk->shap->inverses + walk->edges[edge->above].inverse : NULL;
    double r = before ? edge->passed : edge->share;
    for (uint32_t q = 0; q < walk->points; q++) {
        double factor = !before ? r : passed ? walk->at[q] + (1 - walk->at[q]) * r : (1 - walk->at[q]) * r;
        to[q] = from[q] * (before && by ? factor * by[q] : factor);
    }
}

/* Adds the F of all leaves below n to `sums`. Recursion is bounded by 2 × SHAP_MAX_PATH. */
static void shap_visit(struct shap_walk *walk, uint32_t n, const double *products, double *sums)
{
    const struct tree_node *node = &walk->nodes[n];
    if (!node->left) {
        for (uint32_t q = 0; q < walk->points; q++)
            sums[q] += products[q] * node->value[walk->shap->class];
        return;
    }
    const struct packed_node *packed = &walk->packed[n];
    float value = walk->x[(packed->packed >> PACKED_SLOT_SHIFT) * FEATURE_LANES];
    uint32_t taken = node->left + !(value <= packed->threshold);
    for (uint32_t c = node->left; c < node->left + 2; c++) {
        const struct shap_edge *edge = &walk->edges[c];
        double below[MAX_POINTS], added[MAX_POINTS] = {0};
        bool before = edge->above == 0 || walk->passed[walk->edges[edge->above].depth], passed = before && c == taken;
        edge_factor(walk, c, passed, products, below);
        walk->passed[edge->depth] = passed;
        shap_visit(walk, c, below, added);
        double gain = edge_gain(walk, c, passed, added);
        if (edge->above)
            gain -= edge_gain(walk, edge->above, before, added);
        walk->contributions[edge->column] += gain;
        for (uint32_t q = 0; q < walk->points; q++)
            sums[q] += added[q];
    }
}

void shap_row(const struct shap *shap, const float *x, double *contributions)
{
    for (size_t t = 0; t < shap->ensemble->tree_count; t++) {
        const struct shap_tree *tree = &shap->trees[t];
        struct shap_walk walk = {.shap = shap,
                                 .nodes = shap->ensemble->nodes + tree->first,
                                 .packed = shap->nodes + tree->first,
                                 .edges = shap->edges + tree->first,
                                 .at = shap->at[tree->points],
                                 .rest = shap->rest[tree->points],
                                 .points = tree->points,
                                 .x = x,
                                 .contributions = contributions};
        double sums[MAX_POINTS] = {0};
        shap_visit(&walk, 0, shap->weight[tree->points], sums);
    }
}
