/* One row through one tree, the points as lanes of a vector, as instructions of TARGET: see treeshap_rows.c. Without
 * recursion or branches on the tree's shape, which a row alone would pay for at every node; level by level, so that a
 * node does not wait for the one before. The same operations as treeshap_lanes.h, and what they give is added in the
 * same order, for the same bits. No guard: it is included once for each instruction set. */
#define lanes NAME(lanes)
#define PARTS (TREESHAP_CHUNK / WIDTH)
#define EACH_PART _Pragma("GCC unroll 4") for (size_t i = 0; i < PARTS; i++)

/* By node; one past the last stands for all leaves. */
enum { NAME(SINGLE_PLACES) = TREESHAP_SINGLE_NODES + 32 };
struct NAME(single_state) {
    lanes state[NAME(SINGLE_PLACES)][PARTS], share[NAME(SINGLE_PLACES)][PARTS]; /* P, on the way up the mean; h */
    double four[NAME(SINGLE_PLACES)][4];                        /* what the node adds, but for e: points by fours */
    double pull[NAME(SINGLE_PLACES)], sum[NAME(SINGLE_PLACES)]; /* e; what the node adds, but for e */
    int32_t left[NAME(SINGLE_PLACES)];                          /* −1: the row goes there; else 0 */
    bool
        passed[NAME(SINGLE_PLACES)]; /* by treeshap_again: whether the row passes all conditions on the feature above */
    const struct treeshap_again *again;
};
_Static_assert(sizeof(struct NAME(single_state)) <= TREESHAP_ROOM, "a walk fits its room");

/* e of every node. */
INLINE(TARGET)
void NAME(single_pulls)(struct NAME(single_state) * state, const struct treeshap_single *nodes,
                        const struct treeshap_tests *tests, const float *x, const struct treeshap_tree *tree,
                        const struct treeshap_repeat *repeats)
{
    static const double NONE_OR_ONE[] = {0, 1}; /* a look-up, since a branch on the row's values is guessed wrong */
    for (size_t n = 0; n < tree->count; n += TREESHAP_TESTS, tests++)
        NAME(tests_ask)(tests, x, &state->left[n], &state->pull[n]);
    state->passed[0] = true;
    for (size_t a = 1; a < tree->again_count; a++) {
        const struct treeshap_repeat *repeat = &repeats[a];
        bool passed = state->passed[nodes[repeat->above].again] & (state->left[repeat->above] == repeat->left);
        state->passed[a] = passed;
        state->pull[repeat->node] *= NONE_OR_ONE[passed];
    }
}

/* The place of a child. */
INLINE(TARGET)
lanes *NAME(single_child)(struct NAME(single_state) * state, uint16_t child)
{
    return (lanes *)((double *)state->state + child);
}

/* h of a node. */
INLINE(TARGET)
NAME(lanes)
NAME(single_share)(const struct NAME(single_state) * state, const struct treeshap_single *node, size_t n, size_t i)
{
    const double *at = state->again[node->again].pull;
    return NAME(fused)(NAME(load)(at + i * WIDTH), NAME(fill)(state->pull[n]), NAME(fill)(node->share));
}

INLINE(TARGET)
void NAME(single_down)(struct NAME(single_state) * state, const struct treeshap_single *node, size_t n)
{
    lanes *first = NAME(single_child)(state, node->child[0]);
    lanes *second = NAME(single_child)(state, node->child[1]);
    EACH_PART
    {
        lanes product = state->state[n][i], share = NAME(single_share)(state, node, n, i);
        state->share[n][i] = share;
        first[i] = product * share;
        second[i] = NAME(fused)(-product, share, product);
    }
}

INLINE(TARGET)
void NAME(single_turn)(struct NAME(single_state) * state, const struct treeshap_single *node, size_t n)
{
    const double *gain = state->again[node->again].gain;
    lanes leaf = NAME(fill)(node->leaf), step[PARTS];
    EACH_PART step[i] = leaf * NAME(load)(gain + i * WIDTH);
    NAME(four_add)(state->state[n], step, state->four[n]);
    EACH_PART state->state[n][i] = NAME(fused)(NAME(single_share)(state, node, n, i), leaf, NAME(fill)(node->rest));
}

/* A leaf's mean is 0: what it is stands in its parent's `rest`, which is 0 where there is none. */
INLINE(TARGET)
void NAME(single_up)(struct NAME(single_state) * state, const struct treeshap_single *node, size_t n)
{
    const double *gain = state->again[node->again].gain;
    const lanes *first = NAME(single_child)(state, node->child[0]);
    const lanes *second = NAME(single_child)(state, node->child[1]);
    lanes mean[PARTS], step[PARTS];
    EACH_PART
    {
        step[i] = first[i] - second[i];
        mean[i] = NAME(fused)(state->share[n][i], step[i], second[i] + node->rest);
        step[i] *= NAME(load)(gain + i * WIDTH);
    }
    NAME(four_add)(state->state[n], step, state->four[n]);
    EACH_PART state->state[n][i] = mean[i];
}

TARGET static void NAME(single)(const struct treeshap *shap, const struct treeshap_tree *tree, size_t chunk,
                                const float *x, const float *last, double *contributions, void *room)
{
    (void)last;
    const double *weight = shap->points[tree->points][chunk].weight;
    const struct treeshap_single *nodes = shap->singles + tree->first;
    const struct treeshap_tests *tests = shap->tests + tree->tests;
    const struct treeshap_end *ends = shap->ends + tree->first;
    struct NAME(single_state) *state = room;
    size_t count = tree->count;
    state->again = shap->again + tree->again + chunk * tree->again_count;
    NAME(single_pulls)(state, nodes, tests, x, tree, shap->repeats + tree->repeat);
    EACH_PART state->state[0][i] = NAME(load)(weight + i * WIDTH);
    for (size_t n = 0; n < tree->inner; n++)
        NAME(single_down)(state, &nodes[n], n);
    for (size_t n = tree->inner; n < count; n++)
        NAME(single_turn)(state, &nodes[n], n);
    EACH_PART state->state[count][i] = (lanes){0};
    memset(state->four[count], 0, (TREESHAP_TESTS - 1) * sizeof *state->four);
    for (size_t n = tree->inner; n-- > 0;)
        NAME(single_up)(state, &nodes[n], n);
    for (size_t n = 0; n < count; n += TREESHAP_TESTS, tests++)
        NAME(fours_add)(state->four[n], tests->known, &state->sum[n]);
    for (const struct treeshap_end *end = ends; end < ends + count; end++) {
        double *contribution = &contributions[(size_t)end->column * 2 * WIDTH];
        *contribution = fma(state->sum[end->node], state->pull[end->node], *contribution);
    }
}

#undef lanes
#undef PARTS
#undef EACH_PART
