/* The walk of treeshap_rows.c for WIDTH rows, the lanes of treeshap_vector.h, and POINTS points at once, as
 * instructions of TARGET; functions are called NAME(…). No guard: it is included once for each.
 *
 * Nodes come in the order in which they stand. P goes down and the mean goes up in registers; a level keeps what its
 * node needs on the way up. */
#define lanes NAME(lanes)
#define rows NAME(rows)
#define fused NAME(fused)
#define treeshap_level JOIN(NAME(level), POINTS)
#define treeshap_walk JOIN(NAME(walk_state), POINTS)
#define PARTS TREESHAP_PARTS(POINTS)
#define ALL (POINTS * PARTS)
#define EACH_POINT _Pragma("GCC unroll 16") for (size_t i = 0; i < ALL; i++)
#define EACH_PART _Pragma("GCC unroll 2") for (size_t h = 0; h < PARTS; h++)

struct treeshap_level {
    lanes product[ALL], share[ALL], first[ALL]; /* P, h, and the first child's mean where both are branches */
    lanes pull[PARTS];                          /* e */
    const struct treeshap_node *node;
};

struct treeshap_walk {
    const struct treeshap_again *again;
    const float *x[PARTS];
    lanes *contributions;
    struct treeshap_level levels[TREESHAP_MAX_DEPTH];
    rows passed[TREESHAP_EDGES][PARTS]; /* by treeshap_edge: those that pass all its feature's conditions so far */
};

/* A node begins: e. */
INLINE(TARGET)
void JOIN(NAME(enter), POINTS)(struct treeshap_walk *walk, const struct treeshap_node *node, lanes *pull)
{
    EACH_PART
    {
        rows left = NAME(rows_left)(walk->x[h] + (size_t)node->slot * TREESHAP_LANES, node->threshold);
        pull[h] = NAME(choose)(left, NAME(fill)(node->pull[0]), NAME(fill)(node->pull[1]));
        if (node->again)
            pull[h] = NAME(keep)(walk->passed[node->above][h], pull[h]);
        if (node->repeated) {
            rows passed = walk->passed[node->above][h];
            walk->passed[treeshap_edge((size_t)node->depth + 1, 0)][h] = passed & left;
            walk->passed[treeshap_edge((size_t)node->depth + 1, 1)][h] = passed & ~left;
        }
    }
}

/* h of a node at a point. */
INLINE(TARGET)
lanes JOIN(NAME(share), POINTS)(const struct treeshap_walk *walk, const struct treeshap_node *node, const lanes *pull,
                                size_t i)
{
    return fused(NAME(fill)(walk->again[node->again].pull[i / PARTS]), pull[i % PARTS], NAME(fill)(node->share));
}

/* Points are added as treeshap_single_row.h adds them: four sums, and those in pairs. */
INLINE(TARGET)
void JOIN(NAME(add), POINTS)(lanes *sum, size_t i, lanes product, lanes step)
{
    sum[i % (4 * PARTS)] = i < 4 * PARTS ? product * step : fused(product, step, sum[i % (4 * PARTS)]);
}

/* A node ends: its contribution is the sum over the points of P times its first child's mean less its second's. */
INLINE(TARGET)
void JOIN(NAME(contribute), POINTS)(const struct treeshap_walk *walk, const struct treeshap_node *node,
                                    const lanes *pull, const lanes *sum)
{
    lanes *contribution = &walk->contributions[(size_t)node->column * 2];
    EACH_PART contribution[h] = fused(
        (sum[h] + sum[PARTS + h]) + (sum[2 * PARTS + h] + sum[3 * PARTS + h]) + node->known, pull[h], contribution[h]);
}

/* A node over two leaves: P becomes its mean. */
INLINE(TARGET)
void JOIN(NAME(turn), POINTS)(const struct treeshap_walk *walk, const struct treeshap_node *node, const lanes *pull,
                              lanes *state, bool again)
{
    const double *gain = walk->again[node->again].gain;
    lanes leaf = NAME(fill)(node->leaf), rest = NAME(fill)(node->rest), sum[4 * PARTS] = {{0}};
    EACH_POINT
    {
        JOIN(NAME(add), POINTS)(sum, i, state[i], again ? leaf * gain[i / PARTS] : leaf);
        state[i] = fused(JOIN(NAME(share), POINTS)(walk, node, pull, i), leaf, rest);
    }
    JOIN(NAME(contribute), POINTS)(walk, node, pull, sum);
}

/* The mean of its last child becomes the node's. */
INLINE(TARGET)
void JOIN(NAME(leave), POINTS)(const struct treeshap_walk *walk, const struct treeshap_level *level, lanes *state,
                               bool both, bool again)
{
    const struct treeshap_node *node = level->node;
    const double *gain = walk->again[node->again].gain;
    lanes rest = NAME(fill)(node->rest), sum[4 * PARTS] = {{0}};
    EACH_POINT
    {
        lanes step = both ? level->first[i] - state[i] : state[i];
        state[i] = fused(level->share[i], step, both ? state[i] : rest);
        JOIN(NAME(add), POINTS)(sum, i, level->product[i], again ? step * gain[i / PARTS] : step);
    }
    JOIN(NAME(contribute), POINTS)(walk, node, level->pull, sum);
}

/* A case for each kind of node: what differs between them is decided once, not at every point. */
INLINE(TARGET)
void JOIN(NAME(leave_any), POINTS)(const struct treeshap_walk *walk, const struct treeshap_level *level, lanes *state)
{
    const struct treeshap_node *node = level->node;
    if (node->both && node->again)
        JOIN(NAME(leave), POINTS)(walk, level, state, true, true);
    else if (node->both)
        JOIN(NAME(leave), POINTS)(walk, level, state, true, false);
    else if (node->again)
        JOIN(NAME(leave), POINTS)(walk, level, state, false, true);
    else
        JOIN(NAME(leave), POINTS)(walk, level, state, false, false);
}

/* Adds one tree's contributions, at the points of one chunk, for the rows at x. */
TARGET static void JOIN(NAME(tree), POINTS)(const struct treeshap *shap, const struct treeshap_tree *tree, size_t chunk,
                                            const float *x, const float *last, double *contributions, void *room)
{
    struct treeshap_walk *walk = room;
    const struct treeshap_points *points = &shap->points[tree->points][chunk];
    const struct treeshap_node *nodes = shap->nodes + tree->first;
    lanes state[ALL]; /* P on the way down, the mean on the way up */
    EACH_POINT state[i] = NAME(fill)(points->weight[i / PARTS]);
    walk->x[0] = x;
    walk->x[PARTS - 1] = last;
    walk->again = shap->again + tree->again + chunk * tree->again_count;
    walk->contributions = (lanes *)contributions;
    memset(&walk->passed[0], 0xff, sizeof walk->passed[0]);
    for (const struct treeshap_node *node = nodes, *end = nodes + tree->count; node < end; node++) {
        struct treeshap_level *level = &walk->levels[node->depth];
        if (node->second)
            EACH_POINT
            {
                level[-1].first[i] = state[i];
                state[i] = fused(-level[-1].product[i], level[-1].share[i], level[-1].product[i]);
            }
        lanes pull[PARTS];
        JOIN(NAME(enter), POINTS)(walk, node, pull);
        if (!node->last) {
            level->node = node;
            EACH_PART level->pull[h] = pull[h];
            EACH_POINT
            {
                lanes share = JOIN(NAME(share), POINTS)(walk, node, pull, i);
                level->product[i] = state[i];
                level->share[i] = share;
                state[i] *= share;
            }
            continue;
        }
        if (node->again)
            JOIN(NAME(turn), POINTS)(walk, node, pull, state, true);
        else
            JOIN(NAME(turn), POINTS)(walk, node, pull, state, false);
        for (size_t up = node->ends; up > 0; up--)
            JOIN(NAME(leave_any), POINTS)(walk, --level, state);
    }
}
_Static_assert(sizeof(struct treeshap_walk) <= TREESHAP_ROOM, "a walk fits its room");

#undef lanes
#undef rows
#undef fused
#undef treeshap_level
#undef treeshap_walk
#undef EACH_POINT
#undef EACH_PART
#undef POINTS
#undef PARTS
#undef ALL
