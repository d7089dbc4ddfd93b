/* One row through one tree, the points as lanes of a vector, as instructions of TARGET: see shap_walk.c. Without
 * recursion or branches on the tree's shape, which a row alone would pay for at every node. The same operations in the
 * same order as shap_lanes.h, for the same bits. No guard: it is included once for each instruction set. */
typedef double NAME(lane_points) __attribute__((vector_size(SHAP_CHUNK * sizeof(double))));
typedef int64_t NAME(choice) __attribute__((vector_size(SHAP_CHUNK * sizeof(int64_t))));
#define vector NAME(lane_points)
#define choice NAME(choice)

struct NAME(single_state) {
    const struct shap_again *own; /* what stands for shap_again where the feature is not repeated */
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
    vector at, product = state->product[n];
    bool left = state->x[(size_t)node->slot * SHAP_LANES] <= node->threshold, before;
    double pulls[2] = {-node->share, 1 - node->share};
    state->passed[node->depth] = state->edge[n];
    before = state->passed[node->above];
    state->pull[n] = before ? pulls[left] : 0;
    memcpy(&at, (node->above ? &state->again[node->again] : state->own)->pull, sizeof at);
    state->left[n] = node->share + at * state->pull[n];
    state->product[node->child[0]] = product * state->left[n];
    state->product[node->child[1]] = product - product * state->left[n];
    state->edge[node->child[0]] = before & left;
    state->edge[node->child[1]] = before & !left;
}

INLINE(TARGET)
vector NAME(single_mean)(const struct NAME(single_state) * state, const struct shap_node *node, size_t side)
{
    choice branch = (choice){0} - (int64_t)(node->child[side] != 0);
    vector leaf = node->leaf[side] - (vector){0};
    return (vector)(((choice)state->mean[node->child[side]] & branch) | ((choice)leaf & ~branch));
}

INLINE(TARGET)
void NAME(single_up)(struct NAME(single_state) * state, const struct shap_node *node, size_t n, size_t width,
                     double *contributions)
{
    vector gain, right = NAME(single_mean)(state, node, 1), step = NAME(single_mean)(state, node, 0) - right;
    state->mean[n] = right + state->left[n] * step;
    memcpy(&gain, (node->above ? &state->again[node->again] : state->own)->gain, sizeof gain);
    vector terms = state->product[n] * (step * gain);
    double sum = ((terms[0] + terms[1]) + (terms[2] + terms[3])) + ((terms[4] + terms[5]) + (terms[6] + terms[7]));
    contributions[node->column * width] += sum * state->pull[n];
}

TARGET static void NAME(single)(const struct shap *shap, const struct shap_tree *tree, size_t chunk, const float *x,
                                double *contributions)
{
    const struct shap_points *at = &shap->points[tree->points][chunk];
    const struct shap_node *nodes = shap->nodes + tree->first;
    struct NAME(single_state) state;
    struct shap_again own;
    vector weight;
    for (size_t q = 0; q < SHAP_CHUNK; q++) {
        own.pull[q] = at->at[q];
        own.gain[q] = 1;
    }
    memcpy(&weight, at->weight, sizeof weight);
    state.own = &own;
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
#undef choice
