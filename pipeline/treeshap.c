/* Why a tree ensemble gave its score, exactly: treeshap_make is called at load; treeshap_rows.c does the rows.
 *
 * The game: a feature that is known sends a row where its value says; one that is not sends it both ways, in the shares
 * of the training rows (the path-dependent game of Lundberg et al., 2020). If each feature is known with probability t,
 * independently, the expected score is a polynomial E(t1, …, tm), and Shapley's value of feature j is the integral of
 * ∂E / ∂tj over 0 … 1 with all t equal (Owen's multilinear extension, 1972). No leaf's path has more than m different
 * features, so the integrand's degree is at most m − 1, for which Radau's rule is exact with ⌊m / 2⌋ points besides
 * t = 0. At t = 0 nothing is known, so that what it adds is the same for all rows and costs none of them. At
 * one point, all derivatives come of one walk down and up the tree: linear in nodes × depth, no division, nothing that
 * cancels. (Polynomials carried over trees for TreeSHAP: Yu et al., Linear TreeShap, 2022.) */
#include "pipeline/treeshap_program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/trees_program.h"

static const double PI = 3.14159265358979323846;

struct builder {
    struct treeshap *shap;
    const struct trees *trees;
    const struct tree_node *nodes; /* the tree's */
    const struct packed_node *packed;
    uint32_t *by_source;        /* the tree's nodes in the file's order */
    double *sums;               /* rows that came to each node of the tree */
    const uint32_t *places;     /* in shap->columns, by column */
    double *means;              /* the value that each node of the tree has for a row of which nothing is known */
    uint32_t *branches;         /* a branch's place among the tree's; of a leaf: one past the last */
    struct treeshap_tree *tree; /* being made */
    double *passed;             /* r of the edges above the tree's repeated nodes: of each, or each different one */
    uint32_t *slots;            /* an open hash of places in `passed`; 0: free */
    size_t slot_mask;
    uint32_t passed_count, most; /* in `passed`; different features on a path */
    uint32_t begun, ended;       /* nodes of the tree */
    struct {
        uint32_t feature, node;
        double passed; /* the shares of all edges with this feature down to here, multiplied */
        uint16_t side;
        bool again;                 /* an edge further down has the feature, too */
        bool repeated;              /* or one down the other side */
    } path[TREESHAP_MAX_DEPTH + 1]; /* by depth of the edge */
};

/* In as few chunks as can be, alike in size. */
static size_t chunk_points(size_t points)
{
    size_t chunks = (points + TREESHAP_CHUNK - 1) / TREESHAP_CHUNK, chunk = chunks ? (points + chunks - 1) / chunks : 0;
    return chunk < TREESHAP_CHUNK_LEAST ? TREESHAP_CHUNK_LEAST : chunk;
}

/* Radau's points and weights on 0 … 1 besides the point 0, exact up to degree 2 × count: roots of P(n − 1) + P(n), n =
 * count + 1, by Newton's method on Legendre's polynomials. */
static void points_find(struct treeshap_points *points, size_t count)
{
    size_t chunk = chunk_points(count);
    double n = (double)count + 1;
    for (size_t i = 0; i < TREESHAP_CHUNKS * TREESHAP_CHUNK; i++)
        points[i / TREESHAP_CHUNK].at[i % TREESHAP_CHUNK] = 0.5;
    for (size_t i = 0; i < count; i++) {
        double x = -cos(2 * PI * (double)(i + 1) / (2 * n - 1)), low = 1, value = x;
        for (int step = 0; step < 50; step++) {
            low = 1;
            value = x;
            for (size_t k = 2; k <= count + 1; k++) {
                double next = ((2 * (double)k - 1) * x * value - ((double)k - 1) * low) / (double)k;
                low = value;
                value = next;
            }
            double change = (1 - x) / n * (low + value) / (low - value);
            x -= change;
            if (fabs(change) < 1e-16)
                break;
        }
        points[i / chunk].at[i % chunk] = (1 + x) / 2;
        points[i / chunk].weight[i % chunk] = (1 - x) / (2 * n * n * low * low);
    }
}

/* Rows of every node of the tree from those of its leaves. The leaves' are in the file's order, where a tree's nodes
 * stand together; the nodes are laid out breadth-first, so children come after their parents. */
static enum status covers_sum(struct builder *builder, size_t t, const double *covers, struct error *err)
{
    const struct ensemble *ensemble = builder->trees->ensemble;
    uint32_t start = ensemble->starts[t], count = ensemble->starts[t + 1] - start;
    const struct tree_node *nodes = ensemble->nodes + start;
    double *sums = builder->sums;
    for (uint32_t n = 0; n < count; n++)
        builder->by_source[nodes[n].source - start] = n;
    for (uint32_t s = 0; s < count; s++)
        if (!nodes[builder->by_source[s]].left)
            sums[builder->by_source[s]] = *covers++;
    for (uint32_t n = count; n-- > 0;) {
        if (nodes[n].left)
            sums[n] = sums[nodes[n].left] + sums[nodes[n].left + 1];
        if (!(sums[n] >= 0) || isinf(sums[n]))
            return error_set(err, STATUS_INVALID, "attrition.reference: a cover of tree %zu is not a number ≥ 0", t);
    }
    if (sums[0] <= 0)
        return error_set(err, STATUS_INVALID, "attrition.reference: no training row came to tree %zu", t);
    return STATUS_OK;
}

/* Depth of the lowest edge above with this feature; 0: none. */
static uint32_t feature_above(const struct builder *builder, uint32_t feature, uint32_t depth)
{
    for (; depth > 0; depth--)
        if (builder->path[depth].feature == feature)
            break;
    return depth;
}

/* The share of the training rows that go down the path to here, the conditions on this feature left out. */
static double others_share(const struct builder *builder, uint32_t feature, uint32_t depth)
{
    double share = 1;
    for (uint32_t edge = 1; edge <= depth; edge++)
        if (!builder->path[edge].again && builder->path[edge].feature != feature)
            share *= builder->path[edge].passed;
    return share;
}

/* Of the rows that come to a branch, those that go left; either way where nobody came by. */
static double left_share(const struct builder *builder, uint32_t n)
{
    double rows = builder->sums[n];
    return rows > 0 ? builder->sums[builder->nodes[n].left] / rows : 0.5;
}

/* Who gets what the feature adds. */
static uint32_t player_of(const struct builder *builder, uint32_t feature)
{
    const uint32_t *players = builder->trees->ensemble->players;
    return players ? players[feature] : feature;
}

static double value_of(const struct builder *builder, uint32_t n)
{
    return builder->nodes[n].value[builder->trees->class];
}

/* All but what is known of the children. */
static struct treeshap_node node_plain(const struct builder *builder, uint32_t n, uint32_t depth, uint32_t above,
                                       bool first_is_left)
{
    const struct tree_node *from = &builder->nodes[n];
    int32_t column = features_column(builder->trees->features, from->feature);
    double left = left_share(builder, n), share = first_is_left ? left : 1 - left;
    double step = builder->means[from->left] - builder->means[from->left + 1];
    return (struct treeshap_node){.share = share,
                                  .pull = {first_is_left ? 1 - share : -share, first_is_left ? -share : 1 - share},
                                  .known = others_share(builder, player_of(builder, from->feature), depth) *
                                           (first_is_left ? step : -step),
                                  .threshold = builder->packed[n].threshold,
                                  .slot = (uint16_t)(builder->packed[n].packed >> PACKED_SLOT_SHIFT),
                                  .column = (uint16_t)builder->places[column],
                                  .above = above ? (uint16_t)treeshap_edge(above, builder->path[above].side) : 0,
                                  .depth = (uint16_t)depth};
}

static void node_make(struct builder *builder, uint32_t n, uint32_t depth, uint32_t different, double zero);

/* The sides of the branch n, first and second, into its node. */
static void sides_make(struct builder *builder, uint32_t n, uint32_t different, double zero, double passed,
                       bool first_is_left, struct treeshap_node *node)
{
    const struct tree_node *from = &builder->nodes[n];
    uint32_t edge = node->depth + 1u, children[2] = {from->left + !first_is_left, from->left + first_is_left};
    bool inner[2] = {builder->nodes[children[0]].left != 0, builder->nodes[children[1]].left != 0};
    node->last = !inner[0];
    node->both = inner[1];
    if (!inner[1]) {
        node->rest = value_of(builder, children[1]) - zero;
        zero = value_of(builder, children[1]);
    }
    if (!inner[0])
        node->leaf = value_of(builder, children[0]) - zero;
    builder->path[edge].feature = player_of(builder, from->feature);
    builder->path[edge].node = builder->branches[n];
    builder->path[edge].repeated = false;
    for (uint32_t k = 0; k < 2; k++) {
        builder->path[edge].side = (uint16_t)(first_is_left ? k : !k);
        builder->path[edge].again = false;
        builder->path[edge].passed = passed * (k ? 1 - node->share : node->share);
        if (inner[k])
            node_make(builder, children[k], edge, different, zero);
    }
    node->repeated = builder->path[edge].repeated;
}

/* Of an r: where its place in the tree's list is, or belongs. */
static uint32_t *passed_slot(const struct builder *builder, double passed)
{
    uint64_t bits;
    memcpy(&bits, &passed, sizeof bits);
    size_t at = bits * 0x9E3779B97F4A7C15u >> 32 & builder->slot_mask;
    while (builder->slots[at] && builder->passed[builder->slots[at]] != passed)
        at = (at + 1) & builder->slot_mask;
    return &builder->slots[at];
}

/* Its place in the tree's list. One row alone goes by node; else equal ones are one: deep down, where few rows come,
 * most are. */
static uint32_t repeat_add(struct builder *builder, uint32_t node, uint32_t above, double passed)
{
    struct treeshap *shap = builder->shap;
    uint32_t *slot = passed_slot(builder, passed);
    if (*slot > 0 && !shap->all_small)
        return *slot;
    if (shap->all_small)
        shap->repeats[builder->tree->repeat + builder->passed_count] =
            (struct treeshap_repeat){node, builder->path[above].node, -(builder->path[above].side == 0)};
    *slot = builder->passed_count;
    builder->passed[builder->passed_count] = passed;
    return builder->passed_count++;
}

/* The branch n once more, as one row alone reads it. */
static void single_make(struct builder *builder, uint32_t n, const struct treeshap_node *node, bool first_is_left)
{
    uint32_t place = builder->branches[n], left = builder->nodes[n].left;
    struct treeshap_tests *tests = &builder->shap->tests[builder->tree->tests + place / TREESHAP_TESTS];
    builder->shap->singles[builder->tree->first + place] =
        (struct treeshap_single){.share = node->share,
                                 .leaf = node->leaf,
                                 .rest = node->rest,
                                 .again = (uint16_t)node->again,
                                 .child = {(uint16_t)(builder->branches[left + !first_is_left] * TREESHAP_CHUNK),
                                           (uint16_t)(builder->branches[left + first_is_left] * TREESHAP_CHUNK)}};
    place %= TREESHAP_TESTS;
    tests->share[place] = node->share;
    tests->known[place] = node->known;
    tests->threshold[place] = node->threshold;
    tests->slot[place] = (int32_t)node->slot * TREESHAP_LANES;
    tests->right[place] = -!first_is_left;
    builder->shap->ends[builder->tree->first + builder->ended++] =
        (struct treeshap_end){(uint16_t)node->column, (uint16_t)builder->branches[n]};
}

/* The branch n, whose edge has this depth, and all below it. `different`: features on the path so far; zero: what
 * values are relative to. Recursion is bounded by TREESHAP_MAX_DEPTH, which trees_make has checked. */
static void node_make(struct builder *builder, uint32_t n, uint32_t depth, uint32_t different, double zero)
{
    const struct tree_node *from = &builder->nodes[n];
    uint32_t above = feature_above(builder, player_of(builder, from->feature), depth);
    struct treeshap_node *nodes = builder->shap->nodes + builder->tree->first, *node = &nodes[builder->begun++];
    double passed = above ? builder->path[above].passed : 1;
    bool first_is_left = builder->nodes[from->left].left || !builder->nodes[from->left + 1].left;
    *node = node_plain(builder, n, depth, above, first_is_left);
    node->second = depth > 0 && node[-1].depth + 1u != depth;
    if (above)
        node->again = repeat_add(builder, builder->branches[n], above, passed);
    builder->path[above].again = builder->path[above].repeated = true;
    different += above == 0;
    builder->most = builder->most > different ? builder->most : different;
    sides_make(builder, n, different, zero, passed, first_is_left, node);
    builder->path[above].again = false;
    if (builder->shap->all_small)
        single_make(builder, n, node, first_is_left);
    if (!node->last)
        nodes[builder->begun - 1].ends++;
}

/* Places of the tree's branches, from its nodes, which stand level by level. */
static void branches_place(struct builder *builder, size_t count)
{
    const struct tree_node *nodes = builder->nodes;
    struct treeshap_tree *tree = builder->tree;
    tree->count = (uint32_t)count / 2;
    for (size_t pass = 0, place = 0; pass < 2; pass++) {
        for (size_t n = 0; n < count; n++) {
            bool leaf = !nodes[n].left, last = !leaf && !nodes[nodes[n].left].left && !nodes[nodes[n].left + 1].left;
            if (leaf)
                builder->branches[n] = tree->count;
            else if (last == pass)
                builder->branches[n] = (uint32_t)place++;
        }
        tree->inner = pass ? tree->inner : (uint32_t)place;
    }
}

/* The lists of the tree's repeated nodes, one for each chunk of points; before them what all others use. */
static void again_fill(struct builder *builder, struct treeshap_tree *tree)
{
    struct treeshap *shap = builder->shap;
    size_t chunk = chunk_points(tree->points), count = builder->passed_count;
    tree->chunks = tree->points ? (tree->points + chunk - 1) / chunk : tree->count > 0;
    tree->chunk = chunk;
    tree->again = shap->again_count;
    tree->again_count = builder->passed_count;
    shap->again_count += tree->chunks * count;
    shap->again = mem_resize(shap->again, shap->again_count + 1, sizeof *shap->again);
    for (size_t i = 0; i < tree->chunks * count; i++) {
        struct treeshap_again *again = &shap->again[tree->again + i];
        double r = builder->passed[i % count];
        for (size_t q = 0; q < TREESHAP_CHUNK; q++) {
            double t = shap->points[tree->points][i / count].at[q], factor = t + (1 - t) * r;
            again->pull[q] = t / factor;
            again->gain[q] = r / (factor * factor);
        }
    }
}

static void means_fill(struct builder *builder, size_t count)
{
    for (size_t n = count; n-- > 0;) {
        const double *below = &builder->means[builder->nodes[n].left];
        builder->means[n] = builder->nodes[n].left ? below[1] + left_share(builder, (uint32_t)n) * (below[0] - below[1])
                                                   : builder->nodes[n].value[builder->trees->class];
    }
}

/* Each chunk of points adds its part of what the point 0 does. */
static void known_weigh(struct treeshap *shap, const struct treeshap_tree *tree)
{
    double points = (double)tree->points + 1, weight = 1 / (points * points * (double)tree->chunks);
    for (size_t n = tree->first; n < shap->node_count; n++)
        shap->nodes[n].known *= weight;
    for (size_t n = 0; shap->all_small && n < tree->count; n++)
        shap->tests[tree->tests + n / TREESHAP_TESTS].known[n % TREESHAP_TESTS] *= weight;
}

/* Room for them once more as one row alone reads them. */
static void singles_begin(struct treeshap *shap, struct treeshap_tree *tree)
{
    tree->repeat = (uint32_t)shap->repeat_count;
    tree->tests = (uint32_t)shap->test_count;
    shap->test_count += (tree->count + TREESHAP_TESTS - 1) / TREESHAP_TESTS;
    shap->singles = mem_resize(shap->singles, shap->node_count + 1, sizeof *shap->singles);
    shap->tests = mem_resize(shap->tests, shap->test_count + 1, sizeof *shap->tests);
    memset(&shap->tests[tree->tests], 0, (shap->test_count - tree->tests) * sizeof *shap->tests);
    shap->ends = mem_resize(shap->ends, shap->node_count + 1, sizeof *shap->ends);
    shap->repeats = mem_resize(shap->repeats, shap->repeat_count + tree->count + 1, sizeof *shap->repeats);
}

/* At most half of them are taken. */
static void slots_clear(struct builder *builder)
{
    builder->slot_mask = 1;
    while (builder->slot_mask < 2 * (size_t)builder->tree->count)
        builder->slot_mask = 2 * builder->slot_mask + 1;
    builder->slots = mem_resize(builder->slots, builder->slot_mask + 1, sizeof *builder->slots);
    memset(builder->slots, 0, (builder->slot_mask + 1) * sizeof *builder->slots);
}

/* Room for the tree's nodes. */
static void tree_begin(struct builder *builder, size_t t)
{
    const struct ensemble *ensemble = builder->trees->ensemble;
    struct treeshap *shap = builder->shap;
    uint32_t start = ensemble->starts[t];
    builder->tree = &shap->trees[t];
    builder->nodes = ensemble->nodes + start;
    builder->packed = builder->trees->nodes + start;
    builder->passed_count = 1;
    builder->most = builder->begun = builder->ended = 0;
    branches_place(builder, ensemble->starts[t + 1] - start);
    slots_clear(builder);
    builder->tree->first = (uint32_t)shap->node_count;
    shap->node_count += builder->tree->count;
    shap->nodes = mem_resize(shap->nodes, shap->node_count + 1, sizeof *shap->nodes);
    if (shap->all_small)
        singles_begin(shap, builder->tree);
}

/* STATUS_LIMIT: too deep, or all are too large. */
static enum status tree_make(struct builder *builder, size_t t)
{
    const struct ensemble *ensemble = builder->trees->ensemble;
    struct treeshap *shap = builder->shap;
    if (ensemble->depths[t] > TREESHAP_MAX_DEPTH || shap->node_count > TREESHAP_MAX_NODES)
        return STATUS_LIMIT;
    tree_begin(builder, t);
    struct treeshap_tree *tree = builder->tree;
    means_fill(builder, ensemble->starts[t + 1] - ensemble->starts[t]);
    if (builder->nodes[0].left)
        node_make(builder, 0, 0, 0, 0);
    if (builder->most > TREESHAP_MAX_PATH)
        return STATUS_LIMIT;
    tree->points = builder->most / 2;
    if (shap->all_small)
        shap->repeat_count += builder->passed_count;
    again_fill(builder, tree);
    known_weigh(shap, tree);
    shap->base += builder->means[0];
    shap->tree_count++;
    return STATUS_OK;
}

static enum status trees_make(struct builder *builder, const double *covers, struct error *err)
{
    const struct ensemble *ensemble = builder->trees->ensemble;
    for (size_t t = 0; t < ensemble->tree_count; t++) {
        size_t leaf = (ensemble->starts[t] + t) / 2; /* every branch has two children */
        if (covers_sum(builder, t, covers + leaf, err) != STATUS_OK)
            return err->status;
        if (tree_make(builder, t) != STATUS_OK)
            return error_set(
                err, STATUS_LIMIT,
                "attrition.reference: tree %zu is too deep for reasons (%d features, %d levels), or all are too large",
                t, TREESHAP_MAX_PATH, TREESHAP_MAX_DEPTH);
    }
    return STATUS_OK;
}

/* places[column] in shap->columns. */
static void columns_list(struct treeshap *shap, const struct trees *trees, uint32_t *places)
{
    bool used[TREESHAP_MAX_COLUMNS] = {false};
    for (size_t n = 0; n < trees->ensemble->node_count; n++) {
        const struct tree_node *node = &trees->ensemble->nodes[n];
        int32_t column = node->left ? features_column(trees->features, node->feature) : EXPR_NO_COLUMN;
        if (column >= 0)
            used[column] = true;
    }
    shap->columns = mem_zeroed(trees->column_count, sizeof *shap->columns);
    for (uint32_t c = 0; c < trees->column_count; c++)
        if (used[c]) {
            places[c] = (uint32_t)shap->column_count;
            shap->columns[shap->column_count++] = c;
        }
}

/* Rows never part at a condition on a constant, whatever its covers say, and no column would get what it changes. */
static enum status features_check(const struct trees *trees, struct error *err)
{
    const struct ensemble *ensemble = trees->ensemble;
    for (size_t n = 0; n < ensemble->node_count; n++)
        if (ensemble->nodes[n].left && features_column(trees->features, ensemble->nodes[n].feature) < 0)
            return error_set(err, STATUS_UNSUPPORTED, "attrition.reference: a tree has a condition on a constant");
    return STATUS_OK;
}

enum status treeshap_make(const struct trees *trees, const double *covers, struct treeshap **out, struct error *err)
{
    const struct ensemble *ensemble = trees->ensemble;
    if (trees->column_count > TREESHAP_MAX_COLUMNS)
        return error_set(err, STATUS_LIMIT, "attrition.reference: more than %d columns", TREESHAP_MAX_COLUMNS);
    struct treeshap *shap = mem_zeroed(1, sizeof *shap);
    struct builder *builder = mem_zeroed(1, sizeof *builder);
    uint32_t *places = mem_zeroed(trees->column_count, sizeof *places);
    const struct treeshap_walk *const *walks;
    size_t walk_count = treeshap_walks(&walks);
    shap->trees = mem_zeroed(ensemble->tree_count, sizeof *shap->trees);
    shap->walk = walks[walk_count - 1];
    shap->all_small = true;
    for (size_t t = 0; t < ensemble->tree_count; t++)
        shap->all_small &= (ensemble->starts[t + 1] - ensemble->starts[t]) / 2 <= TREESHAP_SINGLE_NODES;
    for (size_t count = 0; count <= TREESHAP_MAX_PATH / 2; count++)
        points_find(shap->points[count], count);
    columns_list(shap, trees, places);
    *builder = (struct builder){.shap = shap, .trees = trees, .places = places};
    builder->passed = mem_zeroed(ensemble->node_count + 1, sizeof *builder->passed);
    builder->passed[0] = 1; /* for t itself */
    builder->by_source = mem_zeroed(ensemble->node_count, sizeof *builder->by_source);
    builder->sums = mem_zeroed(ensemble->node_count, sizeof *builder->sums);
    builder->means = mem_zeroed(ensemble->node_count, sizeof *builder->means);
    builder->branches = mem_zeroed(ensemble->node_count, sizeof *builder->branches);
    enum status status = features_check(trees, err);
    if (status == STATUS_OK)
        status = trees_make(builder, covers, err);
    free(builder->passed);
    free(builder->slots);
    free(builder->by_source);
    free(builder->sums);
    free(builder->means);
    free(builder->branches);
    free(builder);
    free(places);
    if (status != STATUS_OK)
        treeshap_free(shap);
    else
        *out = shap;
    return status;
}

void treeshap_free(struct treeshap *shap)
{
    if (!shap)
        return;
    free(shap->nodes);
    free(shap->singles);
    free(shap->tests);
    free(shap->ends);
    free(shap->again);
    free(shap->repeats);
    free(shap->trees);
    free(shap->columns);
    free(shap);
}

double treeshap_base(const struct treeshap *shap)
{
    return shap->base;
}

size_t treeshap_columns(const struct treeshap *shap, const uint32_t **out)
{
    *out = shap->columns;
    return shap->column_count;
}

size_t treeshap_bytes(const struct treeshap *shap)
{
    return sizeof *shap + shap->tree_count * sizeof *shap->trees +
           shap->node_count *
               (sizeof *shap->nodes + (shap->all_small ? sizeof *shap->singles + sizeof *shap->ends : 0)) +
           shap->test_count * sizeof *shap->tests + shap->again_count * sizeof *shap->again +
           shap->repeat_count * sizeof *shap->repeats + shap->column_count * sizeof *shap->columns;
}
