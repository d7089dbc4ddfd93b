/* Growing one tree: see boost_tree.h. Called by boosting.c, round by round, on one thread, which starts others for
 * leaves of many rows. A column's sums are added row after row by one thread, and columns are compared in their order,
 * so no tree depends on the number of threads.
 *
 * A leaf keeps its histogram: the smaller child's is counted, the larger one's is what is left of the parent's. */
#include "trainer/boost_tree.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "trainer/boost_split.h"
#include "trainer/parallel.h"
#include "trainer/split_value.h"

enum { THREADS_FROM_ROWS = 8192 }; /* below it starting threads costs more than they save */

struct leaf {
    uint32_t node, depth;
    size_t start, end;     /* of the rows */
    boost_sums *histogram; /* by code of all columns; NULL: it will not be split */
    struct boost_search search;
    struct boost_split best;
};

/* What the threads do for a block of columns. */
struct count_job {
    struct leaf *counted, *rest; /* rest: NULL for the root; its histogram is still the parent's */
};

struct boost_grower {
    const struct bins *bins;
    const struct boost_settings *settings;
    size_t block_count;
    bool monotone;
    const struct boost_gradient *gradients;
    uint32_t *rows;
    const bool *used;
    struct boost_sets *sets;
    uint32_t *spare_rows;
    struct leaf *leaves;
    size_t leaf_count, leaf_capacity;
    boost_sums **histograms; /* not in use */
    size_t histogram_count, histogram_capacity;
    struct boost_split *found; /* of each block, twice: counted, rest */
    struct count_job job;
    struct boost_node *nodes;
    size_t node_count, node_capacity;
};

struct boost_grower *boost_grower_new(const struct bins *bins, const struct boost_settings *settings)
{
    struct boost_grower *grower = mem_zeroed(1, sizeof *grower);
    *grower = (struct boost_grower){.bins = bins, .settings = settings};
    grower->block_count = (bins->column_count + BINS_LANES - 1) / BINS_LANES;
    grower->spare_rows = mem_zeroed(bins->row_count + 1, sizeof *grower->spare_rows);
    grower->found = mem_zeroed(2 * grower->block_count + 1, sizeof *grower->found);
    for (size_t c = 0; c < bins->column_count; c++)
        grower->monotone |= bins->columns[c].monotone != 0;
    return grower;
}

void boost_grower_free(struct boost_grower *grower)
{
    if (!grower)
        return;
    for (size_t h = 0; h < grower->histogram_count; h++)
        free(grower->histograms[h]);
    free(grower->histograms);
    free(grower->spare_rows);
    free(grower->leaves);
    free(grower->found);
    free(grower);
}

static boost_sums *histogram_take(struct boost_grower *grower)
{
    if (grower->histogram_count)
        return grower->histograms[--grower->histogram_count];
    return mem_zeroed(grower->bins->code_count + 1, sizeof(boost_sums));
}

static void histogram_give(struct boost_grower *grower, struct leaf *leaf)
{
    if (!leaf->histogram)
        return;
    grower->histograms = mem_grow(grower->histograms, &grower->histogram_capacity, grower->histogram_count + 1,
                                  sizeof *grower->histograms);
    grower->histograms[grower->histogram_count++] = leaf->histogram;
    leaf->histogram = NULL;
}

/* --- counting and searching, a block of columns at a time --- */

static inline boost_sums sums_of(struct boost_gradient gradient)
{
    return (boost_sums){(double)gradient.first, (double)gradient.second};
}

/* Lanes beyond the last column have code 0 in all rows: their sums go nowhere. */
static void count_block(const struct boost_grower *grower, const struct leaf *leaf, size_t block)
{
    const struct bins *bins = grower->bins;
    const uint8_t *codes = bins->codes + block * bins->row_count * BINS_LANES;
    boost_sums *lanes[BINS_LANES], nowhere[BINS_LANES];
    for (size_t l = 0; l < BINS_LANES; l++) {
        size_t c = block * BINS_LANES + l;
        nowhere[l] = (boost_sums){0, 0};
        lanes[l] = c < bins->column_count ? leaf->histogram + bins->columns[c].first : &nowhere[l];
        if (c < bins->column_count)
            memset(lanes[l], 0, bins->columns[c].count * sizeof *lanes[l]);
    }
    for (const uint32_t *row = grower->rows + leaf->start, *to = grower->rows + leaf->end; row < to; row++) {
        const uint8_t *code = codes + (size_t)*row * BINS_LANES;
        boost_sums sums = sums_of(grower->gradients[*row]);
#pragma GCC unroll 8
        for (size_t l = 0; l < BINS_LANES; l++)
            lanes[l][code[l]] += sums;
    }
}

static void subtract_block(const struct boost_grower *grower, const struct leaf *counted, const struct leaf *rest,
                           size_t block)
{
    const struct bins *bins = grower->bins;
    size_t last = (block + 1) * BINS_LANES < bins->column_count ? (block + 1) * BINS_LANES : bins->column_count;
    size_t from = bins->columns[block * BINS_LANES].first;
    size_t to = bins->columns[last - 1].first + bins->columns[last - 1].count;
    for (size_t i = from; i < to; i++)
        rest->histogram[i] -= counted->histogram[i];
}

static void search_block(const struct boost_grower *grower, const struct leaf *leaf, size_t block,
                         struct boost_split *best)
{
    *best = (struct boost_split){.gain = 0};
    for (size_t c = block * BINS_LANES; c < (block + 1) * BINS_LANES && c < grower->bins->column_count; c++)
        if (grower->used[c])
            boost_search_column(&leaf->search, c, leaf->histogram + grower->bins->columns[c].first, best);
}

static void work_block(void *context, size_t block)
{
    struct boost_grower *grower = context;
    count_block(grower, grower->job.counted, block);
    search_block(grower, grower->job.counted, block, &grower->found[2 * block]);
    if (!grower->job.rest)
        return;
    subtract_block(grower, grower->job.counted, grower->job.rest, block);
    search_block(grower, grower->job.rest, block, &grower->found[2 * block + 1]);
}

/* Of equal gains the first column's. What will not be split needs its histogram no more. */
static void take_best(struct boost_grower *grower, size_t which, struct leaf *leaf)
{
    leaf->best = (struct boost_split){.gain = 0};
    for (size_t b = 0; b < grower->block_count; b++)
        if (grower->found[2 * b + which].gain > leaf->best.gain)
            leaf->best = grower->found[2 * b + which];
    if (!(leaf->best.gain > 0))
        histogram_give(grower, leaf);
}

/* Both children, or the root alone, get their histograms and best splits. */
static void look(struct boost_grower *grower, struct leaf *counted, struct leaf *rest)
{
    size_t rows = counted->end - counted->start;
    grower->job = (struct count_job){counted, rest};
    boost_search_begin(&counted->search);
    if (rest)
        boost_search_begin(&rest->search);
    parallel_run(rows >= THREADS_FROM_ROWS ? grower->settings->threads : 1, grower->block_count, work_block, grower);
    take_best(grower, 0, counted);
    if (rest)
        take_best(grower, 1, rest);
}

/* --- splitting --- */

static uint32_t boost_push_node(struct boost_grower *grower)
{
    grower->nodes = mem_grow(grower->nodes, &grower->node_capacity, grower->node_count + 1, sizeof *grower->nodes);
    grower->nodes[grower->node_count] = (struct boost_node){0};
    return (uint32_t)grower->node_count++;
}

static float threshold_after(const struct bin_column *column, uint8_t code)
{
    if (code + 1u >= column->count)
        return FLT_MAX; /* only what is missing goes right */
    return threshold_between(column->high[code], column->low[code + 1]);
}

/* The set's number; as many as there are: none. */
static size_t set_number(struct boost_sets *sets, const struct boost_split *split)
{
    size_t s = 0;
    while (s < sets->count &&
           (sets->items[s].column != split->column || memcmp(sets->items[s].codes, split->set, sizeof split->set) != 0))
        s++;
    if (s < sets->count || s == BOOST_SETS_MOST)
        return s;
    sets->items = mem_grow(sets->items, &sets->capacity, s + 1, sizeof *sets->items);
    sets->items[s].column = split->column;
    memcpy(sets->items[s].codes, split->set, sizeof split->set);
    return sets->count++;
}

static inline bool goes_left(const struct boost_node *node, const struct boost_set *set, uint8_t code)
{
    if (node->nominal)
        return boost_set_has(set, code);
    return code == 0 ? node->missing_left : code <= node->code;
}

/* The rows that go left stand first, both sides in their order; returns where the right ones begin. */
static size_t boost_partition(struct boost_grower *grower, const struct leaf *leaf, const struct boost_node *node)
{
    const struct bins *bins = grower->bins;
    const uint8_t *codes =
        bins->codes + node->column / BINS_LANES * bins->row_count * BINS_LANES + node->column % BINS_LANES;
    bool left_of[BINS_MOST];
    for (unsigned code = 0; code < BINS_MOST; code++)
        left_of[code] = goes_left(node, node->nominal ? &grower->sets->items[node->set] : NULL, (uint8_t)code);
    uint32_t *left = grower->rows + leaf->start, *right = grower->spare_rows;
    for (const uint32_t *from = left, *to = grower->rows + leaf->end; from < to; from++) {
        uint32_t row = *from;
        bool goes = left_of[codes[(size_t)row * BINS_LANES]];
        *left = row;
        *right = row;
        left += goes;
        right += !goes;
    }
    memcpy(left, grower->spare_rows, (size_t)(right - grower->spare_rows) * sizeof *left);
    return (size_t)(left - grower->rows);
}

/* Fills the branch; false: it would need a set more than there may be. */
static bool branch_fill(struct boost_grower *grower, const struct leaf *leaf)
{
    const struct boost_split *split = &leaf->best;
    const struct bin_column *column = &grower->bins->columns[split->column];
    struct boost_node node = {.column = split->column, .nominal = column->nominal};
    if (column->nominal) {
        size_t set = set_number(grower->sets, split);
        if (set == BOOST_SETS_MOST)
            return false;
        node.set = (uint32_t)set;
    } else {
        node.code = split->code;
        node.missing_left = split->missing_left;
        node.threshold = threshold_after(column, split->code);
    }
    grower->nodes[leaf->node] = node;
    return true;
}

/* With a monotone column, all weights of one side stay on its side of the middle. */
static void bound_children(const struct leaf *parent, int monotone, struct leaf *left, struct leaf *right)
{
    if (monotone == 0)
        return;
    double middle =
        (boost_weight(&parent->search, left->search.total) + boost_weight(&parent->search, right->search.total)) / 2;
    if (monotone > 0)
        left->search.high = right->search.low = middle;
    else
        left->search.low = right->search.high = middle;
}

static void make_children(struct boost_grower *grower, const struct leaf *parent, struct leaf *left, struct leaf *right)
{
    uint32_t left_node = boost_push_node(grower), right_node = boost_push_node(grower);
    struct boost_node *node = &grower->nodes[parent->node];
    node->left = left_node;
    node->right = right_node;
    size_t middle = boost_partition(grower, parent, node);
    *left = *right = (struct leaf){.depth = parent->depth + 1, .search = parent->search};
    left->node = left_node;
    left->start = parent->start;
    left->end = right->start = middle;
    right->node = right_node;
    right->end = parent->end;
    left->search.total = parent->best.left;
    right->search.total = parent->search.total - parent->best.left;
    bound_children(parent, grower->bins->columns[node->column].monotone, left, right);
}

/* Splits the leaf into itself (the left child) and one more. */
static void leaf_split(struct boost_grower *grower, size_t at)
{
    const struct boost_settings *settings = grower->settings;
    struct leaf parent = grower->leaves[at], left, right;
    grower->leaves[at].best.gain = 0;
    if (!branch_fill(grower, &parent)) {
        histogram_give(grower, &grower->leaves[at]);
        return;
    }
    make_children(grower, &parent, &left, &right);
    bool last = settings->max_leaves && grower->leaf_count + 1 >= settings->max_leaves;
    if (last || (settings->max_depth && left.depth >= settings->max_depth)) {
        histogram_give(grower, &parent);
    } else {
        bool smaller_left = left.end - left.start <= right.end - right.start;
        struct leaf *counted = smaller_left ? &left : &right, *rest = smaller_left ? &right : &left;
        counted->histogram = histogram_take(grower);
        rest->histogram = parent.histogram;
        look(grower, counted, rest);
    }
    grower->leaves[at] = left;
    grower->leaves = mem_grow(grower->leaves, &grower->leaf_capacity, grower->leaf_count + 1, sizeof *grower->leaves);
    grower->leaves[grower->leaf_count++] = right;
}

static void root_make(struct boost_grower *grower, size_t row_count)
{
    grower->leaves = mem_grow(grower->leaves, &grower->leaf_capacity, 1, sizeof *grower->leaves);
    struct leaf *root = &grower->leaves[0];
    *root = (struct leaf){.node = boost_push_node(grower), .end = row_count};
    root->search = (struct boost_search){.bins = grower->bins,
                                         .settings = grower->settings,
                                         .sets = grower->sets,
                                         .monotone = grower->monotone,
                                         .low = -INFINITY,
                                         .high = INFINITY};
    for (size_t r = 0; r < row_count; r++)
        root->search.total += sums_of(grower->gradients[grower->rows[r]]);
    grower->leaf_count = 1;
    root->histogram = histogram_take(grower);
    look(grower, root, NULL);
}

/* The leaf that gains most; leaf_count: none gains. Of equal ones the first. */
static size_t best_leaf(const struct boost_grower *grower)
{
    size_t best = grower->leaf_count;
    double gain = 0;
    for (size_t l = 0; l < grower->leaf_count; l++)
        if (grower->leaves[l].histogram && grower->leaves[l].best.gain > gain) {
            gain = grower->leaves[l].best.gain;
            best = l;
        }
    return best;
}

static void leaf_settle(struct boost_grower *grower, struct leaf *leaf, double *margins)
{
    struct boost_node *node = &grower->nodes[leaf->node];
    node->weight = (float)(grower->settings->learning_rate * boost_weight(&leaf->search, leaf->search.total));
    node->rows = (uint32_t)(leaf->end - leaf->start);
    for (size_t r = leaf->start; r < leaf->end; r++)
        margins[grower->rows[r]] += (double)node->weight;
    histogram_give(grower, leaf);
}

void boost_tree_grow(struct boost_grower *grower, const struct boost_gradient *gradients, uint32_t *rows,
                     size_t row_count, const bool *used, struct boost_sets *sets, double *margins,
                     struct boost_tree *out)
{
    size_t most = grower->settings->max_leaves ? grower->settings->max_leaves : SIZE_MAX;
    grower->gradients = gradients;
    grower->rows = rows;
    grower->used = used;
    grower->sets = sets;
    grower->nodes = NULL;
    grower->node_count = grower->node_capacity = 0;
    root_make(grower, row_count);
    for (size_t at; grower->leaf_count < most && (at = best_leaf(grower)) < grower->leaf_count;)
        leaf_split(grower, at);
    for (size_t l = 0; l < grower->leaf_count; l++)
        leaf_settle(grower, &grower->leaves[l], margins);
    *out = (struct boost_tree){grower->nodes, grower->node_count};
    grower->nodes = NULL;
}

const struct boost_node *boost_tree_walk(const struct boost_tree *tree, const struct boost_sets *sets,
                                         const struct bins *bins, size_t row)
{
    const struct boost_node *node = tree->nodes;
    while (node->left) {
        const struct boost_set *set = node->nominal ? &sets->items[node->set] : NULL;
        node = &tree->nodes[goes_left(node, set, bins_at(bins, node->column, row)) ? node->left : node->right];
    }
    return node;
}
