/* The walk of shap_walk.c for WIDTH rows, the lanes of shap_vector.h, and POINTS points at once, as instructions of
 * TARGET; functions are called NAME(…). No guard: it is included once for each. */
#define lanes NAME(lanes)
#define rows NAME(rows)
#define fused NAME(fused)
#define shap_walk JOIN(NAME(walk_state), POINTS)
#define shap_branch JOIN(NAME(branch), POINTS)
#define EACH_POINT _Pragma("GCC unroll 8") for (size_t q = 0; q < POINTS; q++)

struct shap_walk {
    const struct shap_node *nodes;
    const struct shap_again *again;
    const float *x;
    lanes *contributions;
    rows passed[SHAP_MAX_DEPTH + 1]; /* by depth of the edge: those that pass all its feature's conditions so far */
};

/* A node at work. */
struct shap_branch {
    const struct shap_node *node;
    const double *at, *gain;
    lanes pull, share; /* e */
    rows left, right;  /* the rows that pass on along each edge */
};

INLINE(TARGET)
struct shap_branch JOIN(NAME(enter), POINTS)(const struct shap_walk *walk, const struct shap_node *node)
{
    rows left = NAME(rows_left)(walk->x + (size_t)node->slot * SHAP_LANES, node->threshold);
    rows passed = walk->passed[node->above];
    return (struct shap_branch){.node = node,
                                .at = walk->again[node->again].pull,
                                .gain = node->above ? walk->again[node->again].gain : NULL,
                                .pull = NAME(pull)(left, passed, node->share),
                                .share = NAME(fill)(node->share),
                                .left = passed & left,
                                .right = passed & ~left};
}

INLINE(TARGET)
lanes JOIN(NAME(left_share), POINTS)(const struct shap_branch *branch, size_t q)
{
    return fused(NAME(fill)(branch->at[q]), branch->pull, branch->share);
}

/* A child's P, which becomes its mean. */
INLINE(TARGET)
void JOIN(NAME(descend), POINTS)(const struct shap_branch *branch, size_t side, const lanes *product, lanes *child)
{
    EACH_POINT
    {
        lanes share = JOIN(NAME(left_share), POINTS)(branch, q);
        child[q] = side ? fused(-product[q], share, product[q]) : product[q] * share;
    }
}

/* The means of the children, left and right (NULL: leaves), to that of the node, in place of its P; its contribution.
 * Points are added as shap_single.h adds them: four sums, and those in pairs. */
INLINE(TARGET)
void JOIN(NAME(leave), POINTS)(const struct shap_walk *walk, const struct shap_branch *branch, const lanes *left,
                               const lanes *right, lanes *product)
{
    const struct shap_node *node = branch->node;
    const double leaf[2] = {node->leaf[0], node->leaf[1]}, known = node->known;
    lanes *contribution = &walk->contributions[node->column];
    lanes step[POINTS], mean[POINTS], sum[4] = {{0}};
    EACH_POINT
    {
        lanes low = right ? right[q] : NAME(fill)(leaf[1]);
        step[q] = (left ? left[q] : NAME(fill)(leaf[0])) - low;
        mean[q] = fused(JOIN(NAME(left_share), POINTS)(branch, q), step[q], low);
    }
    if (branch->gain)
        EACH_POINT step[q] *= branch->gain[q];
    EACH_POINT
    {
        sum[q % 4] = q < 4 ? product[q] * step[q] : fused(product[q], step[q], sum[q % 4]);
        product[q] = mean[q];
    }
    *contribution = fused((sum[0] + sum[2]) + (sum[1] + sum[3]) + known, branch->pull, *contribution);
}

TARGET static void JOIN(NAME(visit), POINTS)(struct shap_walk *walk, const struct shap_node *node, lanes *product);

INLINE(TARGET)
void JOIN(NAME(child), POINTS)(struct shap_walk *walk, const struct shap_node *node, lanes *product)
{
    if (!node->last) {
        JOIN(NAME(visit), POINTS)(walk, node, product);
        return;
    }
    const struct shap_branch branch = JOIN(NAME(enter), POINTS)(walk, node);
    JOIN(NAME(leave), POINTS)(walk, &branch, NULL, NULL, product);
}

/* P becomes the mean. Recursion is bounded by SHAP_MAX_DEPTH. The right child goes first: children add in the order of
 * shap_single.h. */
TARGET static void JOIN(NAME(visit), POINTS)(struct shap_walk *walk, const struct shap_node *node, lanes *product)
{
    lanes left[POINTS], right[POINTS];
    const struct shap_branch branch = JOIN(NAME(enter), POINTS)(walk, node);
    const struct shap_node *left_child = walk->nodes + node->child[0], *right_child = walk->nodes + node->child[1];
    if (!node->child[0]) {
        walk->passed[node->depth + 1] = branch.right;
        JOIN(NAME(descend), POINTS)(&branch, 1, product, right);
        JOIN(NAME(child), POINTS)(walk, right_child, right);
        JOIN(NAME(leave), POINTS)(walk, &branch, NULL, right, product);
    } else if (!node->child[1]) {
        walk->passed[node->depth + 1] = branch.left;
        JOIN(NAME(descend), POINTS)(&branch, 0, product, left);
        JOIN(NAME(child), POINTS)(walk, left_child, left);
        JOIN(NAME(leave), POINTS)(walk, &branch, left, NULL, product);
    } else {
        walk->passed[node->depth + 1] = branch.right;
        JOIN(NAME(descend), POINTS)(&branch, 1, product, right);
        JOIN(NAME(descend), POINTS)(&branch, 0, product, left);
        JOIN(NAME(child), POINTS)(walk, right_child, right);
        walk->passed[node->depth + 1] = branch.left;
        JOIN(NAME(child), POINTS)(walk, left_child, left);
        JOIN(NAME(leave), POINTS)(walk, &branch, left, right, product);
    }
}

/* Adds one tree's contributions, at the points of one chunk, for the rows at x. */
TARGET static void JOIN(NAME(tree), POINTS)(const struct shap *shap, const struct shap_tree *tree, size_t chunk,
                                            const float *x, double *contributions)
{
    struct shap_walk walk;
    const struct shap_points *points = &shap->points[tree->points][chunk];
    lanes weight[POINTS];
    EACH_POINT weight[q] = NAME(fill)(points->weight[q]);
    walk.x = x;
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
#undef POINTS
