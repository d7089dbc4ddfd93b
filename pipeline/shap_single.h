/* One row through one tree, the points as lanes of a vector, as instructions of TARGET: see shap_walk.c. Without
 * recursion or branches on the tree's shape, which a row alone would pay for at every node. The same operations in the
 * same order as shap_lanes.h, for the same bits. No guard: it is included once for each instruction set. */
struct NAME(vector) {
    NAME(lanes) part[SHAP_CHUNK / WIDTH];
};
#define vector struct NAME(vector)
#define EACH_PART _Pragma("GCC unroll 4") for (size_t i = 0; i < SHAP_CHUNK / WIDTH; i++)

struct NAME(single_state) {
    const struct shap_again *again;
    const float *x;
    vector product[SHAP_SINGLE_NODES], mean[SHAP_SINGLE_NODES], left[SHAP_SINGLE_NODES];
    double pull[SHAP_SINGLE_NODES];
    bool edge[SHAP_SINGLE_NODES];    /* whether the row passes on along the edge above */
    bool passed[SHAP_MAX_DEPTH + 1]; /* the same by depth, for the path of the node at hand */
};

/* A leaf's place is 0, the root's, which nothing reads after the root but the end. */
INLINE(TARGET)
void NAME(single_down)(struct NAME(single_state) * state, const struct shap_node *node, size_t n)
{
    vector at, *product = &state->product[n];
    bool left = state->x[(size_t)node->slot * SHAP_LANES] <= node->threshold, before;
    state->passed[node->depth] = state->edge[n];
    before = state->passed[node->above];
    state->pull[n] = (left - node->share) * before;
    memcpy(&at, state->again[node->again].pull, sizeof at);
    EACH_PART
    {
        NAME(lanes)
        share = NAME(fused)(at.part[i], NAME(fill)(state->pull[n]), NAME(fill)(node->share)), whole = product->part[i];
        state->left[n].part[i] = share;
        state->product[node->child[0]].part[i] = whole * share;
        state->product[node->child[1]].part[i] = NAME(fused)(-whole, share, whole);
    }
    state->edge[node->child[0]] = before & left;
    state->edge[node->child[1]] = before & !left;
}

INLINE(TARGET)
NAME(lanes)
NAME(single_mean)(const struct NAME(single_state) * state, const struct shap_node *node, size_t side, size_t i)
{
    return NAME(choose)(node->child[side] != 0, state->mean[node->child[side]].part[i], NAME(fill)(node->leaf[side]));
}

INLINE(TARGET)
void NAME(single_up)(struct NAME(single_state) * state, const struct shap_node *node, size_t n, size_t width,
                     double *contributions)
{
    vector gain, step, *product = &state->product[n];
    NAME(four) products[2], steps[2];
    memcpy(&gain, state->again[node->again].gain, sizeof gain);
    EACH_PART
    {
        NAME(lanes) right = NAME(single_mean)(state, node, 1, i);
        step.part[i] = NAME(single_mean)(state, node, 0, i) - right;
        state->mean[n].part[i] = NAME(fused)(state->left[n].part[i], step.part[i], right);
        step.part[i] *= gain.part[i];
    }
    memcpy(products, product, sizeof products);
    memcpy(steps, &step, sizeof steps);
    NAME(four) sum = products[0] * steps[0];
    NAME(fuse_four)(&products[1], &steps[1], &sum);
    double whole = ((sum[0] + sum[2]) + (sum[1] + sum[3])) + node->known;
    contributions[node->column * width] = fma(whole, state->pull[n], contributions[node->column * width]);
}

TARGET static void NAME(single)(const struct shap *shap, const struct shap_tree *tree, size_t chunk, const float *x,
                                const float *last, double *contributions)
{
    (void)last;
    const struct shap_points *at = &shap->points[tree->points][chunk];
    const struct shap_node *nodes = shap->nodes + tree->first;
    struct NAME(single_state) state;
    vector weight;
    memcpy(&weight, at->weight, sizeof weight);
    state.again = shap->again + tree->again + chunk * tree->again_count;
    state.x = x;
    state.product[0] = weight;
    state.mean[0] = weight; /* read for leaves, and left out */
    state.edge[0] = true;
    for (size_t n = 0; n < tree->count; n++)
        NAME(single_down)(&state, &nodes[n], n);
    state.product[0] = weight;
    for (size_t n = tree->count; n-- > 0;)
        NAME(single_up)(&state, &nodes[n], n, shap->walk->width, contributions);
}

#undef vector
#undef EACH_PART
