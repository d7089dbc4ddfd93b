/* Scoring with packed trees: the hot path of every event. Called by pipeline_score on any thread; the program is
 * read-only. Must never allocate, and must add the leaves in the trees' order, so that one row gives the same score
 * alone and in any batch, and the same as onnxruntime's sum in floats.
 *
 * Eight walks go at once, level by level without branches: eight rows through one tree in a batch (the tree stays in
 * the cache while all rows of the block pass), eight trees for one row alone. One walk is a chain of loads, each
 * waiting for the one before; eight of them fill the waiting. With AVX-512 it is 64 walks (trees_vector.h). */
#include "pipeline/treeshap.h"
#include "pipeline/trees.h"
#include "pipeline/trees_program.h"
#include "pipeline/trees_vector.h"

#include "pipeline/reasons.h"

enum { EXPLAINED_NUMBERS = (TREESHAP_MAX_COLUMNS + 1) * FEATURE_LANES };
enum { WALKS = TREES_VECTOR_WALKS, WALK_GROUPS = WALKS / FEATURE_LANES };
enum { LANES = FEATURE_LANES, BLOCK_FLOATS = 16384, BLOCK_MAX_ROWS = 128 };

/* The two sums of a row: as onnxruntime adds (floats for float graphs), and in double for the margin. */
struct sums {
    double exact[LANES];
    float rounded[LANES];
};

static inline const struct packed_node *walk_step(const struct packed_node *at, const float *x)
{
    struct packed_node node = *at;
    float value = x[(node.packed >> PACKED_SLOT_SHIFT) * LANES];
    return at + (node.packed & PACKED_STEP_MASK) + !(value <= node.threshold);
}

/* From at[l] in x + l × stride, for as many levels as the deepest tree has; who reached a leaf stays there. */
__attribute__((always_inline)) static inline void walk_eight(const struct packed_node **at, unsigned depth,
                                                             const float *x, size_t stride)
{
    const struct packed_node *a = at[0], *b = at[1], *c = at[2], *d = at[3];
    const struct packed_node *e = at[4], *f = at[5], *g = at[6], *h = at[7];
    for (unsigned level = 0; level < depth; level++) {
        a = walk_step(a, x);
        b = walk_step(b, x + stride);
        c = walk_step(c, x + 2 * stride);
        d = walk_step(d, x + 3 * stride);
        e = walk_step(e, x + 4 * stride);
        f = walk_step(f, x + 5 * stride);
        g = walk_step(g, x + 6 * stride);
        h = walk_step(h, x + 7 * stride);
    }
    const struct packed_node *const reached[LANES] = {a, b, c, d, e, f, g, h};
    memcpy(at, reached, sizeof reached);
}

static inline void leaf_add(const struct trees *trees, const struct packed_node *leaf, struct sums *sums, size_t lane)
{
    sums->exact[lane] += trees->values ? trees->values[leaf - trees->nodes] : (double)leaf->threshold;
    sums->rounded[lane] += leaf->threshold;
}

static void rows_add(const struct trees *trees, const float *x, size_t tree, struct sums *sums)
{
    const struct packed_node *root = trees->nodes + trees->ensemble->starts[tree];
    const struct packed_node *at[LANES] = {root, root, root, root, root, root, root, root};
    walk_eight(at, trees->ensemble->depths[tree], x, 1);
    for (size_t l = 0; l < LANES; l++)
        leaf_add(trees, at[l], sums, l);
}

/* As many groups of rows at once as there are walks. */
static void groups_add(const struct trees *trees, const float *x, size_t stride, size_t tree, struct sums *sums)
{
    uint32_t at[WALKS], from[WALKS];
    float reached[WALKS];
    for (size_t w = 0; w < WALKS; w++) {
        at[w] = trees->ensemble->starts[tree];
        from[w] = (uint32_t)(w / LANES * stride + w % LANES);
    }
    trees_vector_walk(trees->nodes, trees->ensemble->depths[tree], x, from, at, reached);
    for (size_t w = 0; w < WALKS; w += LANES)
        for (size_t l = 0; l < LANES; l++) {
            sums[w / LANES].rounded[l] += reached[w + l];
            sums[w / LANES].exact[l] += trees->values ? trees->values[at[w + l]] : (double)reached[w + l];
        }
}

/* One row, as many trees at a time as there are walks, as long as most of them have one. Returns how many trees. */
static size_t trees_add_row_vector(const struct trees *trees, const float *x, struct sums *sums)
{
    static const uint32_t FROM[WALKS] = {0};
    const struct ensemble *ensemble = trees->ensemble;
    size_t first = 0;
    for (size_t count; ensemble->tree_count - first > WALKS / 2; first += count) {
        uint32_t at[WALKS];
        float reached[WALKS];
        unsigned depth = 0;
        count = ensemble->tree_count - first < WALKS ? ensemble->tree_count - first : WALKS;
        for (size_t w = 0; w < WALKS; w++) { /* the last tree again, not added, where there are fewer */
            size_t tree = first + (w < count ? w : count - 1);
            at[w] = ensemble->starts[tree];
            depth = depth > ensemble->depths[tree] ? depth : ensemble->depths[tree];
        }
        trees_vector_walk(trees->nodes, depth, x, FROM, at, reached);
        for (size_t w = 0; w < count; w++)
            leaf_add(trees, trees->nodes + at[w], sums, 0);
    }
    return first;
}

/* One row, eight trees at a time (fewer at the end: the last one again, not added), from this tree on. */
static void trees_add_row(const struct trees *trees, const float *x, size_t first, struct sums *sums)
{
    const struct ensemble *ensemble = trees->ensemble;
    for (; first < ensemble->tree_count; first += LANES) {
        const struct packed_node *at[LANES];
        unsigned depth = 0;
        size_t count = ensemble->tree_count - first < LANES ? ensemble->tree_count - first : LANES;
        for (size_t l = 0; l < LANES; l++) {
            size_t tree = first + (l < count ? l : count - 1);
            at[l] = trees->nodes + ensemble->starts[tree];
            depth = depth > ensemble->depths[tree] ? depth : ensemble->depths[tree];
        }
        walk_eight(at, depth, x, 0);
        for (size_t l = 0; l < count; l++)
            leaf_add(trees, at[l], sums, 0);
    }
}

static double share_clamp(float share)
{
    return share < 0 ? 0 : share > 1 ? 1 : (double)share;
}

static struct score score_of(const struct trees *trees, const struct sums *sums, size_t lane)
{
    const struct ensemble *ensemble = trees->ensemble;
    double margin = sums->exact[lane] + ensemble->base;
    float raw = ensemble->dtype == DTYPE_FLOAT ? sums->rounded[lane] + (float)ensemble->base : (float)margin;
    struct score score = {.margin = margin, .base = trees->base};
    if (ensemble->logistic) {
        score.margin = trees->opposite ? -margin : margin;
        score.probability = expr_sigmoid_float(trees->opposite ? -raw : raw);
    } else {
        score.margin = trees->opposite ? 1 - margin : margin;
        score.probability = share_clamp(trees->opposite ? 1 - raw : raw);
    }
    return score;
}

/* What onnxruntime's classifier gives for the class, unclamped. */
static double member_output(const struct trees *trees, const struct sums *sums, size_t lane)
{
    const struct ensemble *ensemble = trees->ensemble;
    float raw = ensemble->dtype == DTYPE_FLOAT ? sums->rounded[lane] + (float)ensemble->base
                                               : (float)(sums->exact[lane] + ensemble->base);
    if (ensemble->logistic)
        return expr_sigmoid_float(trees->opposite ? -raw : raw);
    return !trees->opposite ? raw : ensemble->raw ? -raw : 1 - raw;
}

void trees_member(const struct trees *trees, const double *const *inputs, size_t count, double *out)
{
    _Alignas(64) float x[BLOCK_FLOATS];
    for (size_t first = 0; first < count; first += LANES) {
        struct sums sums = {0};
        for (size_t l = 0; l < LANES; l++) /* the last row fills the group */
            features_write_given(trees->features, inputs, first + l < count ? first + l : count - 1, x + l);
        for (size_t t = 0; t < trees->ensemble->tree_count; t++)
            rows_add(trees, x, t, &sums);
        for (size_t l = 0; l < LANES && first + l < count; l++)
            out[first + l] = member_output(trees, &sums, l);
    }
}

/* Brings the rows that are to be explained to the front of x, their numbers to `kept`. Returns how many. */
static size_t rows_keep(const struct trees *trees, const struct score *scores, size_t count, double least, float *x,
                        uint8_t *kept)
{
    size_t slots = features_slot_count(trees->features), n = 0;
    for (size_t r = 0; r < count; r++) {
        const float *from = x + r / LANES * slots * LANES + r % LANES;
        float *to = x + n / LANES * slots * LANES + n % LANES;
        if (scores[r].probability < least)
            continue;
        for (size_t s = 0; s < slots && n < r; s++)
            to[s * LANES] = from[s * LANES];
        kept[n++] = (uint8_t)r;
    }
    return n;
}

/* Reasons of the block's `kept` rows, largest first. */
static void rows_explain(const struct trees *trees, const float *x, const uint8_t *kept, size_t count,
                         uint32_t top_reasons, struct score *scores, struct reason *reasons)
{
    double contributions[EXPLAINED_NUMBERS];
    const uint32_t *columns = NULL;
    size_t column_count = treeshap_columns(trees->shap, &columns);
    treeshap_rows(trees->shap, x, features_slot_count(trees->features) * LANES, count, contributions);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0, r = kept[i]; c < column_count; c++) {
            double contribution = contributions[i * column_count + c];
            scores[r].reason_count =
                reason_place(reasons + r * top_reasons, scores[r].reason_count, top_reasons,
                             (struct reason){columns[c], trees->opposite ? -contribution : contribution});
        }
}

/* One block of rows, count ≤ BLOCK_MAX_ROWS; x has room for their groups of eight. */
static void block_score(const struct trees *trees, const struct cell *cells, size_t count, float *x,
                        struct score *scores)
{
    size_t stride = features_slot_count(trees->features) * LANES, groups = (count + LANES - 1) / LANES;
    struct sums sums[BLOCK_MAX_ROWS / LANES] = {0};
    for (size_t r = 0; r < groups * LANES; r++) /* the last row fills its group */
        features_write(trees->features, cells + (r < count ? r : count - 1) * trees->column_count,
                       x + r / LANES * stride + r % LANES);
    for (size_t t = 0; t < trees->ensemble->tree_count; t++) {
        size_t g = 0;
        for (; trees->vector && g + WALK_GROUPS <= groups; g += WALK_GROUPS)
            groups_add(trees, x + g * stride, stride, t, &sums[g]);
        for (; g < groups; g++)
            rows_add(trees, x + g * stride, t, &sums[g]);
    }
    for (size_t r = 0; r < count; r++)
        scores[r] = score_of(trees, &sums[r / LANES], r % LANES);
}

/* `filled`: the other lanes get the row too. */
static void single_score(const struct trees *trees, const struct cell *cells, bool filled, float *x,
                         struct score *score)
{
    struct sums sums = {0};
    features_write(trees->features, cells, x);
    trees_add_row(trees, x, trees->vector ? trees_add_row_vector(trees, x, &sums) : 0, &sums);
    *score = score_of(trees, &sums, 0);
    for (size_t i = 0; filled && i < features_slot_count(trees->features) * LANES; i++)
        x[i] = x[i / LANES * LANES];
}

void trees_score(const struct trees *trees, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                 double least, struct score *scores, struct reason *reasons)
{
    uint8_t kept[BLOCK_MAX_ROWS];
    _Alignas(64) float x[BLOCK_FLOATS];
    size_t slots = features_slot_count(trees->features), most = BLOCK_FLOATS / slots / LANES * LANES;
    bool explained = top_reasons > 0 && trees->shap;
    most = most < BLOCK_MAX_ROWS ? most : BLOCK_MAX_ROWS;
    for (size_t r = 0, count; r < row_count; r += count) {
        count = row_count - r < most ? row_count - r : most;
        if (count < (explained ? 2 : LANES / 2)) { /* a group of eight would mostly walk for nothing */
            count = 1;
            single_score(trees, cells + r * trees->column_count, explained, x, &scores[r]);
        } else {
            block_score(trees, cells + r * trees->column_count, count, x, &scores[r]);
        }
        size_t chosen = explained ? rows_keep(trees, &scores[r], count, least, x, kept) : 0;
        for (size_t i = 0, rows; i < chosen; i += rows) {
            rows = treeshap_rows_most(trees->shap) < chosen - i ? treeshap_rows_most(trees->shap) : chosen - i;
            rows_explain(trees, x + i * slots, kept + i, rows, top_reasons, &scores[r], reasons + r * top_reasons);
        }
    }
}
