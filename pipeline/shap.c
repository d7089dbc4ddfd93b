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

/* Four points at a time, in the registers of any processor; trees with longer paths are walked once for each four. */
typedef double quad __attribute__((vector_size(32), aligned(16)));
enum { QUAD = 4, MAX_POINTS = SHAP_MAX_PATH / 2, MAX_QUADS = MAX_POINTS / QUAD };
static const double PI = 3.14159265358979323846;

/* What the edge into a node knows, for one quad of points. */
struct shap_edge {
    quad taken,
        missed;      /* what F's product is multiplied by where the row passes and where it breaks the feature here, */
                     /* if it passed all conditions on that feature above */
    quad gain;       /* (1 − r) / (t + (1 − t) r) */
    double share;    /* of the parent's rows: the factor where the feature was broken above already */
    double passed;   /* r: the shares of all edges with this feature down to here, multiplied */
    uint32_t above;  /* the node whose edge has the same feature, further up; 0: none */
    uint32_t column; /* of the feature; SHAP_MAX_COLUMNS: none */
    uint32_t depth;  /* of the node */
};

struct shap_tree {
    uint32_t first; /* node */
    uint32_t quads; /* of points */
    size_t edges;   /* quads lists of them, one for each quad of points, by node */
};

struct shap {
    const struct ensemble *ensemble;
    const struct packed_node *nodes;
    size_t class;
    struct shap_edge *edges;
    struct shap_tree *trees;
    size_t bytes;
    uint32_t *columns;
    size_t column_count;
    double base;
    double at[MAX_QUADS + 1][MAX_POINTS], weight[MAX_QUADS + 1][MAX_POINTS],
        rest[MAX_QUADS + 1][MAX_POINTS]; /* by quads */
};

/* Points and weights for polynomials on 0 … 1, by Newton's method on Legendre's polynomial; rest = 1 / (1 − t). */
static void points_find(struct shap *shap, size_t quads)
{
    size_t count = quads * QUAD;
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
        shap->at[quads][i] = (1 - x) / 2;
        shap->weight[quads][i] = 1 / ((1 - x * x) * slope * slope);
        shap->rest[quads][i] = 1 / (1 - shap->at[quads][i]);
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
static void edge_make(const struct shap *shap, const struct features *features, const double *sums, uint32_t start,
                      uint32_t parent, uint32_t c, struct shap_edge *edges)
{
    const struct tree_node *nodes = shap->ensemble->nodes + start;
    struct shap_edge *edge = &edges[c];
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

/* Edges of one tree but for what depends on the points, and how many different features its longest path has. */
static uint32_t edges_make(const struct shap *shap, const struct features *features, const double *sums, size_t t,
                           uint32_t *parents, uint32_t *different, struct shap_edge *edges)
{
    const struct ensemble *ensemble = shap->ensemble;
    uint32_t start = ensemble->starts[t], count = ensemble->starts[t + 1] - start, most = 0;
    parents_find(ensemble, t, parents);
    memset(&edges[0], 0, sizeof edges[0]);
    different[0] = 0;
    for (uint32_t c = 1; c < count; c++) {
        uint32_t parent = parents[c], up = parent;
        edge_make(shap, features, sums, start, parent, c, edges);
        while (up != 0 && ensemble->nodes[start + parents[up]].feature != ensemble->nodes[start + parent].feature)
            up = parents[up];
        edges[c].above = up;
        edges[c].passed *= up ? edges[up].passed : 1;
        different[c] = different[parent] + (up == 0);
        most = most > different[c] ? most : different[c];
    }
    return most;
}

/* What depends on the points, for one quad of them. */
static void edges_fill(const struct shap *shap, size_t quads, size_t quad_index, uint32_t count,
                       struct shap_edge *edges)
{
    for (uint32_t n = 1; n < count; n++)
        for (size_t q = 0; q < QUAD; q++) {
            struct shap_edge *edge = &edges[n];
            double at = shap->at[quads][quad_index * QUAD + q], r = edge->passed;
            double before = edge->above ? at + (1 - at) * edges[edge->above].passed : 1;
            edge->taken[q] = (at + (1 - at) * r) / before;
            edge->missed[q] = (1 - at) * r / before;
            edge->gain[q] = (1 - r) / (at + (1 - at) * r);
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

/* Appends the edges of one tree, a list for each quad of points. */
static void tree_append(struct shap *shap, size_t t, size_t quads, const struct shap_edge *edges, size_t *used)
{
    uint32_t start = shap->ensemble->starts[t], count = shap->ensemble->starts[t + 1] - start;
    shap->trees[t] = (struct shap_tree){start, (uint32_t)quads, *used};
    shap->edges = mem_resize(shap->edges, *used + quads * count, sizeof *shap->edges);
    for (size_t q = 0; q < quads; q++) {
        struct shap_edge *into = shap->edges + *used;
        memcpy(into, edges, count * sizeof *edges);
        edges_fill(shap, quads, q, count, into);
        *used += count;
    }
}

static enum status trees_make(struct shap *shap, const struct features *features, const double *sums, struct error *err)
{
    const struct ensemble *ensemble = shap->ensemble;
    size_t largest = 0, used = 0;
    for (size_t t = 0; t < ensemble->tree_count; t++)
        if (ensemble->starts[t + 1] - ensemble->starts[t] > largest)
            largest = ensemble->starts[t + 1] - ensemble->starts[t];
    uint32_t *parents = mem_zeroed(largest, sizeof *parents), *different = mem_zeroed(largest, sizeof *different);
    struct shap_edge *edges = mem_zeroed(largest, sizeof *edges);
    enum status status = STATUS_OK;
    for (size_t t = 0; t < ensemble->tree_count && !status; t++) {
        uint32_t most = ensemble->depths[t] > 2 * SHAP_MAX_PATH
                            ? UINT32_MAX
                            : edges_make(shap, features, sums, t, parents, different, edges);
        if (most > SHAP_MAX_PATH || used > SHAP_MAX_EDGES) {
            status = error_set(
                err, STATUS_LIMIT,
                "attrition.reference: tree %zu is too deep for reasons (%d features, %d levels), or all are too large",
                t, SHAP_MAX_PATH, 2 * SHAP_MAX_PATH);
            break;
        }
        size_t points = (most + 1) / 2, quads = points ? (points + QUAD - 1) / QUAD : 1;
        tree_append(shap, t, quads, edges, &used);
        shap->base += tree_mean(shap, sums, t);
    }
    shap->bytes += used * sizeof *shap->edges;
    free(parents);
    free(different);
    free(edges);
    return status;
}

static void columns_list(struct shap *shap, size_t column_count)
{
    bool used[SHAP_MAX_COLUMNS + 1] = {false};
    for (size_t t = 0; t < shap->ensemble->tree_count; t++)
        for (size_t n = 1; n < shap->ensemble->starts[t + 1] - shap->ensemble->starts[t]; n++)
            used[shap->edges[shap->trees[t].edges + n].column] = true;
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
    shap->trees = mem_zeroed(ensemble->tree_count, sizeof *shap->trees);
    shap->bytes = sizeof *shap + ensemble->tree_count * sizeof *shap->trees;
    for (size_t quads = 1; quads <= MAX_QUADS; quads++)
        points_find(shap, quads);
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

/* One row in one tree at one quad of points. */
struct shap_walk {
    const struct tree_node *nodes;
    const struct packed_node *packed;
    const struct shap_edge *edges;
    quad rest; /* 1 / (1 − t) */
    size_t class;
    const float *x;
    quad *contributions;                /* by column */
    bool passed[2 * SHAP_MAX_PATH + 1]; /* by depth: does the row pass all conditions of that edge's feature? */
};

/* What the feature of the edge into c is given for the leaves below, whose F add up to `below`. */
static inline void edge_give(const struct shap_walk *walk, const struct shap_edge *edge, bool passed, const quad *below)
{
    quad given = passed ? *below * edge->gain : -*below * walk->rest;
    if (edge->above)
        given -= *below * walk->edges[edge->above].gain;
    walk->contributions[edge->column] += given;
}

/* Adds the F of all leaves below n to `sums`. Recursion is bounded by 2 × SHAP_MAX_PATH. */
static void shap_visit(struct shap_walk *walk, uint32_t n, const quad *products, quad *sums)
{
    const struct packed_node *packed = &walk->packed[n];
    float value = walk->x[(packed->packed >> PACKED_SLOT_SHIFT) * FEATURE_LANES];
    uint32_t left = walk->nodes[n].left, taken = left + !(value <= packed->threshold);
    for (uint32_t c = left; c < left + 2; c++) {
        const struct shap_edge *edge = &walk->edges[c];
        bool before = edge->above == 0 || walk->passed[walk->edges[edge->above].depth], passed = before && c == taken;
        quad product = *products, below = {0, 0, 0, 0};
        product *= passed   ? edge->taken
                   : before ? edge->missed
                            : (quad){edge->share, edge->share, edge->share, edge->share};
        walk->passed[edge->depth] = passed;
        if (walk->nodes[c].left)
            shap_visit(walk, c, &product, &below);
        else
            below = product * walk->nodes[c].value[walk->class];
        if (before) /* else the edge above was given all there is */
            edge_give(walk, edge, passed, &below);
        *sums += below;
    }
}

static inline void quad_load(quad *to, const double *from)
{
    memcpy(to, from, sizeof *to);
}

static void tree_walk(const struct shap *shap, size_t t, size_t quad_index, const float *x, quad *contributions)
{
    const struct shap_tree *tree = &shap->trees[t];
    size_t count = shap->ensemble->starts[t + 1] - tree->first;
    struct shap_walk walk = {.nodes = shap->ensemble->nodes + tree->first,
                             .packed = shap->nodes + tree->first,
                             .edges = shap->edges + tree->edges + quad_index * count,
                             .class = shap->class,
                             .x = x,
                             .contributions = contributions};
    quad weight, sums = {0, 0, 0, 0};
    quad_load(&weight, shap->weight[tree->quads] + quad_index * QUAD);
    quad_load(&walk.rest, shap->rest[tree->quads] + quad_index * QUAD);
    if (count > 1)
        shap_visit(&walk, 0, &weight, &sums);
}

void shap_row(const struct shap *shap, const float *x, double *contributions)
{
    quad given[SHAP_MAX_COLUMNS + 1];
    for (size_t c = 0; c < shap->column_count; c++)
        given[shap->columns[c]] = (quad){0, 0, 0, 0};
    given[SHAP_MAX_COLUMNS] = (quad){0, 0, 0, 0};
    for (size_t t = 0; t < shap->ensemble->tree_count; t++)
        for (size_t q = 0; q < shap->trees[t].quads; q++)
            tree_walk(shap, t, q, x, given);
    for (size_t c = 0; c < shap->column_count; c++) {
        quad sum = given[shap->columns[c]];
        contributions[shap->columns[c]] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}
