/* One row through one tree, the points as lanes of a vector, as instructions of TARGET: see shap_walk.c. Without
 * recursion or branches on the tree's shape, which a row alone would pay for at every node. The same operations in the
 * same order as shap_lanes.h, for the same bits. No guard: it is included once for each instruction set. */
#define lanes NAME(lanes)
#define PARTS (SHAP_CHUNK / WIDTH)
#define EACH_PART _Pragma("GCC unroll 4") for (size_t i = 0; i < PARTS; i++)

struct NAME(single_state) {
    const struct shap_again *again;
    const float *x;
    double *contributions;
    lanes product[SHAP_SINGLE_NODES][PARTS], mean[SHAP_SINGLE_NODES][PARTS], left[SHAP_SINGLE_NODES][PARTS];
    double pull[SHAP_SINGLE_NODES];
    double passed[SHAP_EDGES]; /* by shap_edge: 1 where the row passes all its feature's conditions so far, else 0 */
};

/* A leaf's place is 0, the root's, which nothing reads after the root but the end. */
INLINE(TARGET)
void NAME(single_down)(struct NAME(single_state) * state, const struct shap_node *node, size_t n)
{
    static const double ONE_OR_NONE[] = {0, 1}; /* a look-up, since a branch on the row's values is guessed wrong */
    const double *at = state->again[node->again].pull, share = node->share, before = state->passed[node->above];
    double *edges = &state->passed[shap_edge((size_t)node->depth + 1, 0)];
    double left = ONE_OR_NONE[state->x[(size_t)node->slot * SHAP_LANES] <= node->threshold];
    double pull = (left - share) * before;
    state->pull[n] = pull;
    edges[0] = before * left;
    edges[1] = before - before * left;
    EACH_PART
    {
        lanes h = NAME(fused)(NAME(load)(at + i * WIDTH), NAME(fill)(pull), NAME(fill)(share)),
              product = state->product[n][i];
        state->left[n][i] = h;
        state->product[node->child[0]][i] = product * h;
        state->product[node->child[1]][i] = NAME(fused)(-product, h, product);
    }
}

INLINE(TARGET)
void NAME(single_up)(struct NAME(single_state) * state, const struct shap_node *node, size_t n)
{
    const double *gain = state->again[node->again].gain;
    double *contribution = &state->contributions[(size_t)node->column * 2 * WIDTH];
    lanes step[PARTS];
    EACH_PART
    {
        lanes left = NAME(choose)(node->inner[0], state->mean[node->child[0]][i], NAME(fill)(node->leaf[0]));
        lanes right = NAME(choose)(node->inner[1], state->mean[node->child[1]][i], NAME(fill)(node->leaf[1]));
        step[i] = left - right;
        state->mean[n][i] = NAME(fused)(state->left[n][i], step[i], right);
        step[i] *= NAME(load)(gain + i * WIDTH);
    }
    *contribution = fma(NAME(points_add)(state->product[n], step) + node->known, state->pull[n], *contribution);
}

TARGET static void NAME(single)(const struct shap *shap, const struct shap_tree *tree, size_t chunk, const float *x,
                                const float *last, double *contributions)
{
    (void)last;
    const double *weight = shap->points[tree->points][chunk].weight;
    const struct shap_node *nodes = shap->nodes + tree->first;
    struct NAME(single_state) state;
    state.again = shap->again + tree->again + chunk * tree->again_count;
    state.x = x;
    state.contributions = contributions;
    state.passed[0] = 1;
    EACH_PART state.product[0][i] = state.mean[0][i] = NAME(load)(weight + i * WIDTH); /* a leaf's mean is left out */
    for (size_t n = 0; n < tree->count; n++)
        NAME(single_down)(&state, &nodes[n], n);
    EACH_PART state.product[0][i] = NAME(load)(weight + i * WIDTH);
    for (size_t n = tree->count; n-- > 0;)
        NAME(single_up)(&state, &nodes[n], n);
}

#undef lanes
#undef PARTS
#undef EACH_PART
