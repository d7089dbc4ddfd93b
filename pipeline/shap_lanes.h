/* The walk of shap_walk.c, for WIDTH rows and POINTS points at once, as instructions of TARGET; functions are called
 * NAME(…). No guard: it is included once for each. */
typedef double NAME(lanes) __attribute__((vector_size(WIDTH * sizeof(double))));
typedef int64_t NAME(masks) __attribute__((vector_size(WIDTH * sizeof(int64_t))));
typedef float NAME(floats) __attribute__((vector_size(WIDTH * sizeof(float))));
#define lanes NAME(lanes)
#define masks NAME(masks)
#define floats NAME(floats)
#define shap_walk NAME(walk_state)
#define shap_frame NAME(frame)

struct shap_walk {
    const struct shap_node *nodes;
    const struct shap_again *again;
    const double *at;
    const float *x;
    lanes *contributions;
    masks passed[SHAP_MAX_DEPTH + 1]; /* by depth of the edge: the rows that pass all its feature's conditions so far */
};

/* A branch at work. */
struct shap_frame {
    lanes mean[2][POINTS]; /* of the children */
    lanes product[POINTS]; /* P of the child that is next */
    lanes left[POINTS];    /* h */
    lanes pull;            /* e */
    masks passing;         /* the rows that pass on along the left edge */
};

TARGET static inline void NAME(fill)(lanes *to, double value)
{
    for (size_t l = 0; l < WIDTH; l++)
        (*to)[l] = value;
}

/* e into *pull; and who passes on along either edge: right into walk->passed. */
INLINE(TARGET)
void NAME(node_pull)(struct shap_walk *walk, const struct shap_node *node, size_t depth, lanes *pull, masks *passing)
{
    floats value;
    lanes one;
    memcpy(&value, walk->x + (size_t)node->slot * SHAP_LANES, sizeof value);
    masks left = __builtin_convertvector(value <= node->threshold, masks);
    NAME(fill)(&one, 1);
    *pull = (lanes)((masks)one & left) - node->share;
    masks right = ~left;
    if (node->above) {
        masks before = walk->passed[node->above];
        *pull = (lanes)((masks)*pull & before);
        left &= before;
        right &= before;
    }
    *passing = left;
    walk->passed[depth + 1] = right;
}

/* In pairs: the order in which shap_single.h adds the lanes of its vector. */
INLINE(TARGET)
void NAME(points_add)(lanes *terms, lanes *sum)
{
    for (size_t count = POINTS; count > 1; count = (count + 1) / 2)
        for (size_t q = 0; q < count / 2 || (q == count / 2 && count % 2); q++)
            terms[q] = 2 * q + 1 < count ? terms[2 * q] + terms[2 * q + 1] : terms[2 * q];
    *sum = terms[0];
}

/* Both children are leaves: mean and contribution at once. */
INLINE(TARGET)
void NAME(last_walk)(struct shap_walk *walk, const struct shap_node *node, size_t depth, const lanes *product,
                     lanes *mean)
{
    masks passing;
    lanes pull, sum, terms[POINTS];
    const double step = node->leaf[0] - node->leaf[1];
    const double *at = node->above ? walk->again[node->again].pull : walk->at;
    NAME(node_pull)(walk, node, depth, &pull, &passing);
    for (size_t q = 0; q < POINTS; q++) {
        double gained = node->above ? step * walk->again[node->again].gain[q] : step;
        mean[q] = node->leaf[1] + (node->share + at[q] * pull) * step;
        terms[q] = product[q] * gained;
    }
    NAME(points_add)(terms, &sum);
    walk->contributions[node->column] += sum * pull;
}

INLINE(TARGET)
void NAME(node_enter)(struct shap_walk *walk, const struct shap_node *node, size_t depth, const lanes *product,
                      struct shap_frame *frame)
{
    const double *at = node->above ? walk->again[node->again].pull : walk->at;
    NAME(node_pull)(walk, node, depth, &frame->pull, &frame->passing);
    for (size_t q = 0; q < POINTS; q++) {
        frame->left[q] = node->share + at[q] * frame->pull;
        frame->product[q] = product[q] - product[q] * frame->left[q];
    }
    for (size_t side = 0; side < 2; side++)
        for (size_t q = 0; q < POINTS && !node->child[side]; q++)
            NAME(fill)(&frame->mean[side][q], node->leaf[side]);
}

/* From the right child, which goes first, to the left: children add in the order of shap_single.h. */
INLINE(TARGET)
void NAME(node_turn)(struct shap_walk *walk, size_t depth, const lanes *product, struct shap_frame *frame)
{
    walk->passed[depth + 1] = frame->passing;
    for (size_t q = 0; q < POINTS; q++)
        frame->product[q] = product[q] * frame->left[q];
}

INLINE(TARGET)
void NAME(node_leave)(struct shap_walk *walk, const struct shap_node *node, const lanes *product,
                      const struct shap_frame *frame, lanes *mean)
{
    lanes sum, terms[POINTS];
    for (size_t q = 0; q < POINTS; q++) {
        lanes step = frame->mean[0][q] - frame->mean[1][q];
        mean[q] = frame->mean[1][q] + frame->left[q] * step;
        if (node->above)
            step *= walk->again[node->again].gain[q];
        terms[q] = product[q] * step;
    }
    NAME(points_add)(terms, &sum);
    walk->contributions[node->column] += sum * frame->pull;
}

/* Recursion is bounded by SHAP_MAX_DEPTH. */
TARGET static void NAME(visit)(struct shap_walk *walk, const struct shap_node *node, size_t depth, const lanes *product,
                               lanes *mean)
{
    if (node->last) {
        NAME(last_walk)(walk, node, depth, product, mean);
        return;
    }
    struct shap_frame frame;
    NAME(node_enter)(walk, node, depth, product, &frame);
    if (node->child[1])
        NAME(visit)(walk, walk->nodes + node->child[1], depth + 1, frame.product, frame.mean[1]);
    NAME(node_turn)(walk, depth, product, &frame);
    if (node->child[0])
        NAME(visit)(walk, walk->nodes + node->child[0], depth + 1, frame.product, frame.mean[0]);
    NAME(node_leave)(walk, node, product, &frame, mean);
}

/* Adds one tree's contributions, at the points of one chunk, for the rows at x. */
TARGET static void NAME(tree)(const struct shap *shap, const struct shap_tree *tree, size_t chunk, const float *x,
                              double *contributions)
{
    struct shap_walk walk;
    const struct shap_points *points = &shap->points[tree->points][chunk];
    lanes weight[POINTS], mean[POINTS];
    for (size_t q = 0; q < POINTS; q++)
        NAME(fill)(&weight[q], points->weight[q]);
    walk.x = x;
    walk.at = points->at;
    walk.nodes = shap->nodes + tree->first;
    walk.again = shap->again + tree->again + chunk * tree->again_count;
    walk.contributions = (lanes *)contributions;
    NAME(visit)(&walk, walk.nodes, 0, weight, mean);
}

#undef lanes
#undef masks
#undef floats
#undef shap_walk
#undef shap_frame
#undef POINTS
#undef NAME
