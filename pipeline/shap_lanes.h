/* The walk of shap_walk.c for WIDTH rows, the lanes of shap_vector.h, and POINTS points at once, as instructions of
 * TARGET; functions are called NAME(…). No guard: it is included once for each. */
#define lanes NAME(lanes)
#define rows NAME(rows)
#define fused NAME(fused)
#define shap_walk JOIN(NAME(walk_state), POINTS)
#define shap_branch JOIN(NAME(branch), POINTS)
#define PARTS SHAP_PARTS(POINTS)
#define ALL (POINTS * PARTS)
#define EACH_POINT _Pragma("GCC unroll 16") for (size_t i = 0; i < ALL; i++)
#define EACH_PART _Pragma("GCC unroll 2") for (size_t h = 0; h < PARTS; h++)

struct shap_walk {
    const struct shap_node *nodes;
    const struct shap_again *again;
    const float *x[PARTS];
    lanes *contributions;
    rows passed[SHAP_EDGES][PARTS]; /* by shap_edge: those that pass all its feature's conditions so far */
};

/* A node at work. */
struct shap_branch {
    const struct shap_node *node;
    const double *at, *gain;
    lanes pull[PARTS], share; /* e */
};

INLINE(TARGET)
void JOIN(NAME(enter), POINTS)(struct shap_walk *walk, const struct shap_node *node, struct shap_branch *branch)
{
    branch->node = node;
    branch->at = walk->again[node->again].pull;
    branch->gain = node->above ? walk->again[node->again].gain : NULL;
    branch->share = NAME(fill)(node->share);
    EACH_PART
    {
        rows left = NAME(rows_left)(walk->x[h] + (size_t)node->slot * SHAP_LANES, node->threshold);
        rows passed = walk->passed[node->above][h];
        branch->pull[h] = NAME(pull)(left, passed, node->share);
        walk->passed[shap_edge((size_t)node->depth + 1, 0)][h] = passed & left;
        walk->passed[shap_edge((size_t)node->depth + 1, 1)][h] = passed & ~left;
    }
}

INLINE(TARGET)
lanes JOIN(NAME(left_share), POINTS)(const struct shap_branch *branch, size_t i)
{
    return fused(NAME(fill)(branch->at[i / PARTS]), branch->pull[i % PARTS], branch->share);
}

/* A child's P, which becomes its mean. */
INLINE(TARGET)
void JOIN(NAME(descend), POINTS)(const struct shap_branch *branch, size_t side, const lanes *product, lanes *child)
{
    EACH_POINT
    {
        lanes share = JOIN(NAME(left_share), POINTS)(branch, i);
        child[i] = side ? fused(-product[i], share, product[i]) : product[i] * share;
    }
}

/* The means of the children, left and right (NULL: leaves), to that of the node, in place of its P; its contribution.
 * Points are added as shap_single.h adds them: four sums, and those in pairs. */
INLINE(TARGET)
void JOIN(NAME(leave), POINTS)(struct shap_walk *walk, const struct shap_branch *branch, const lanes *left,
                               const lanes *right, lanes *product)
{
    const struct shap_node *node = branch->node;
    const double leaf[2] = {node->leaf[0], node->leaf[1]}, known = node->known;
    lanes *contribution = &walk->contributions[(size_t)node->column * 2];
    lanes step[ALL], mean[ALL], sum[4 * PARTS] = {{0}};
    EACH_POINT
    {
        lanes low = right ? right[i] : NAME(fill)(leaf[1]);
        step[i] = (left ? left[i] : NAME(fill)(leaf[0])) - low;
        mean[i] = fused(JOIN(NAME(left_share), POINTS)(branch, i), step[i], low);
    }
    if (branch->gain)
        EACH_POINT step[i] *= branch->gain[i / PARTS];
    EACH_POINT
    {
        sum[i % (4 * PARTS)] = i < 4 * PARTS ? product[i] * step[i] : fused(product[i], step[i], sum[i % (4 * PARTS)]);
        product[i] = mean[i];
    }
    EACH_PART contribution[h] = fused((sum[h] + sum[2 * PARTS + h]) + (sum[PARTS + h] + sum[3 * PARTS + h]) + known,
                                      branch->pull[h], contribution[h]);
}

TARGET static void JOIN(NAME(visit), POINTS)(struct shap_walk *walk, const struct shap_node *node, lanes *product);

INLINE(TARGET)
void JOIN(NAME(child), POINTS)(struct shap_walk *walk, const struct shap_node *node, lanes *product)
{
    if (!node->last) {
        JOIN(NAME(visit), POINTS)(walk, node, product);
        return;
    }
    struct shap_branch branch;
    JOIN(NAME(enter), POINTS)(walk, node, &branch);
    JOIN(NAME(leave), POINTS)(walk, &branch, NULL, NULL, product);
}

/* P becomes the mean. Recursion is bounded by SHAP_MAX_DEPTH. The right child goes first: children add in the order of
 * shap_single.h. */
TARGET static void JOIN(NAME(visit), POINTS)(struct shap_walk *walk, const struct shap_node *node, lanes *product)
{
    lanes left[ALL], right[ALL];
    struct shap_branch branch;
    JOIN(NAME(enter), POINTS)(walk, node, &branch);
    const struct shap_node *left_child = walk->nodes + node->child[0], *right_child = walk->nodes + node->child[1];
    if (!node->child[0]) {
        JOIN(NAME(descend), POINTS)(&branch, 1, product, right);
        JOIN(NAME(child), POINTS)(walk, right_child, right);
        JOIN(NAME(leave), POINTS)(walk, &branch, NULL, right, product);
    } else if (!node->child[1]) {
        JOIN(NAME(descend), POINTS)(&branch, 0, product, left);
        JOIN(NAME(child), POINTS)(walk, left_child, left);
        JOIN(NAME(leave), POINTS)(walk, &branch, left, NULL, product);
    } else {
        JOIN(NAME(descend), POINTS)(&branch, 1, product, right);
        JOIN(NAME(descend), POINTS)(&branch, 0, product, left);
        JOIN(NAME(child), POINTS)(walk, right_child, right);
        JOIN(NAME(child), POINTS)(walk, left_child, left);
        JOIN(NAME(leave), POINTS)(walk, &branch, left, right, product);
    }
}

/* Adds one tree's contributions, at the points of one chunk, for the rows at x. */
TARGET static void JOIN(NAME(tree), POINTS)(const struct shap *shap, const struct shap_tree *tree, size_t chunk,
                                            const float *x, const float *last, double *contributions)
{
    struct shap_walk walk;
    const struct shap_points *points = &shap->points[tree->points][chunk];
    lanes weight[ALL];
    EACH_POINT weight[i] = NAME(fill)(points->weight[i / PARTS]);
    walk.x[0] = x;
    walk.x[PARTS - 1] = last;
    walk.nodes = shap->nodes + tree->first;
    walk.again = shap->again + tree->again + chunk * tree->again_count;
    walk.contributions = (lanes *)contributions;
    memset(&walk.passed[0], 0xff, sizeof walk.passed[0]);
    JOIN(NAME(child), POINTS)(&walk, walk.nodes, weight);
}

#undef lanes
#undef rows
#undef fused
#undef shap_walk
#undef shap_branch
#undef EACH_POINT
#undef EACH_PART
#undef POINTS
#undef PARTS
#undef ALL
