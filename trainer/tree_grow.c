/* One tree: see tree_grow.h. Called by forest.c, on its threads, each with a grower of its own. Counts are whole
 * numbers, so a split does not depend on the order in which rows are counted.
 *
 * A node counts the weight of both classes at each rank of a column (one 64-bit sum: negatives in the lower half,
 * positives in the upper). Where the node has far fewer rows than the column ranks, a two-level bitmap says which
 * ranks were touched, so that the search costs by row and not by rank. */
#include "trainer/tree_grow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "trainer/random.h"
#include "trainer/split_value.h"

enum { WORDS = RANKS_MOST / 64, SPARSE = 4 }; /* sparse: a node with fewer rows than a SPARSEth of the ranks */

/* A row that the tree drew. */
struct sample {
    uint32_t row;
    uint16_t times; /* drawn */
    uint16_t shift; /* 0: negative, 32: positive */
};

/* A node to be made. `parent`: whose right child it is, or NO_PARENT. */
struct task {
    size_t start, end;
    uint32_t depth, parent;
};

static const uint32_t no_parent = UINT32_MAX;

struct split {
    double quality; /* larger is better; −INFINITY: none */
    size_t feature;
    uint32_t last; /* the last rank that goes left */
    uint32_t next; /* the first that goes right and has rows */
};

struct tree_grower {
    const struct forest_problem *problem;
    const struct forest_settings *settings;
    size_t tries;
    uint64_t random;
    struct sample *samples, *scratch;
    size_t sample_count;
    uint16_t *times;
    uint64_t *counts; /* per rank; all 0 between columns */
    uint32_t *rows;   /* rows per rank, kept only where min_samples_leaf asks for it */
    uint64_t *touched, summary[WORDS / 64];
    uint32_t *features;        /* a permutation */
    double weight[2];          /* of a row of each class */
    struct forest_node *nodes; /* of the tree that grows */
    size_t node_count, node_capacity;
    struct task *tasks;
    size_t task_count, task_capacity;
};

struct tree_grower *tree_grower_new(const struct forest_problem *problem, const struct forest_settings *settings,
                                    size_t tries)
{
    struct tree_grower *grower = mem_zeroed(1, sizeof *grower);
    size_t rows = problem->ranks->row_count, columns = problem->ranks->column_count;
    *grower = (struct tree_grower){.problem = problem, .settings = settings, .tries = tries};
    grower->samples = mem_zeroed(rows + 1, sizeof *grower->samples);
    grower->scratch = mem_zeroed(rows + 1, sizeof *grower->scratch);
    grower->times = mem_zeroed(rows + 1, sizeof *grower->times);
    grower->counts = mem_zeroed(RANKS_MOST, sizeof *grower->counts);
    grower->rows = mem_zeroed(RANKS_MOST, sizeof *grower->rows);
    grower->touched = mem_zeroed(WORDS, sizeof *grower->touched);
    grower->features = mem_zeroed(columns + 1, sizeof *grower->features);
    return grower;
}

void tree_grower_free(struct tree_grower *grower)
{
    if (!grower)
        return;
    free(grower->samples);
    free(grower->scratch);
    free(grower->times);
    free(grower->counts);
    free(grower->rows);
    free(grower->touched);
    free(grower->features);
    free(grower->nodes);
    free(grower->tasks);
    free(grower);
}

/* The tree's rows, in the table's order. */
static void grower_draw_rows(struct tree_grower *grower)
{
    size_t count = grower->problem->ranks->row_count;
    const uint8_t *labels = grower->problem->labels;
    if (grower->settings->bootstrap) {
        memset(grower->times, 0, count * sizeof *grower->times);
        for (size_t drawn = 0; drawn < count; drawn++) {
            uint16_t *times = &grower->times[random_below(&grower->random, count)];
            *times = (uint16_t)(*times + (*times < UINT16_MAX));
        }
    }
    grower->sample_count = 0;
    for (size_t r = 0; r < count; r++) {
        uint16_t times = grower->settings->bootstrap ? grower->times[r] : 1;
        if (times)
            grower->samples[grower->sample_count++] = (struct sample){(uint32_t)r, times, labels[r] ? 32 : 0};
    }
}

/* What a row of each class weighs: n / (2 · rows of the class), over the table or over the rows drawn. */
static void weigh_classes(struct tree_grower *grower)
{
    enum forest_weight rule = grower->settings->class_weight;
    double of_class[2] = {0, 0};
    grower->weight[0] = grower->weight[1] = 1;
    if (rule == FOREST_EVEN)
        return;
    if (rule == FOREST_BALANCED)
        for (size_t r = 0; r < grower->problem->ranks->row_count; r++)
            of_class[grower->problem->labels[r]]++;
    else
        for (size_t s = 0; s < grower->sample_count; s++)
            of_class[grower->samples[s].shift != 0] += grower->samples[s].times;
    for (int c = 0; c < 2; c++)
        if (of_class[c] > 0)
            grower->weight[c] = (of_class[0] + of_class[1]) / (2 * of_class[c]);
}

/* Both classes' sums, weighted. */
struct mass {
    double negative, positive;
};

static inline struct mass mass_of(const struct tree_grower *grower, uint64_t packed)
{
    return (struct mass){(double)(uint32_t)packed * grower->weight[0], (double)(packed >> 32) * grower->weight[1]};
}

/* Weight × (1 − Gini): the larger the two children's sum, the purer they are. */
static inline double purity(struct mass mass)
{
    return (mass.negative * mass.negative + mass.positive * mass.positive) / (mass.negative + mass.positive);
}

/* Both columns' forms by one text: what a sample adds to its rank. */
#define COUNT_SAMPLES(codes) \
    for (const struct sample *sample = from; sample < to; sample++) \
    grower->counts[(codes)[sample->row]] += (uint64_t)sample->times << sample->shift

static void count_dense(struct tree_grower *grower, const struct rank_column *column, const struct sample *from,
                        const struct sample *to)
{
    if (column->narrow)
        COUNT_SAMPLES(column->narrow);
    else
        COUNT_SAMPLES(column->wide);
}

static void count_sparse(struct tree_grower *grower, const struct rank_column *column, const struct sample *from,
                         const struct sample *to)
{
    for (const struct sample *sample = from; sample < to; sample++) {
        uint32_t rank = ranks_at(column, sample->row);
        grower->counts[rank] += (uint64_t)sample->times << sample->shift;
        grower->touched[rank / 64] |= 1ull << (rank % 64);
        grower->summary[rank / 4096] |= 1ull << (rank / 64 % 64);
    }
}

/* A column's search for the best place to split at: ranks come in ascending order. */
struct search {
    struct tree_grower *grower;
    uint64_t all, left;
    size_t all_rows, left_rows;
    uint32_t previous; /* the last rank with rows, once left is not 0 */
    size_t feature;
    struct split *best;
    bool varies; /* more than one rank has rows */
};

static inline void search_step(struct search *search, uint32_t rank)
{
    struct tree_grower *grower = search->grower;
    uint64_t here = grower->counts[rank];
    size_t least = grower->settings->min_samples_leaf;
    grower->counts[rank] = 0;
    if (search->left) {
        search->varies = true;
        bool room = least <= 1 || (search->left_rows >= least && search->all_rows - search->left_rows >= least);
        double quality =
            room ? purity(mass_of(grower, search->left)) + purity(mass_of(grower, search->all - search->left))
                 : -INFINITY;
        if (quality > search->best->quality)
            *search->best = (struct split){quality, search->feature, search->previous, rank};
    }
    search->left += here;
    search->previous = rank;
    if (least > 1) {
        search->left_rows += grower->rows[rank];
        grower->rows[rank] = 0;
    }
}

static void search_sparse(struct search *search)
{
    struct tree_grower *grower = search->grower;
    for (size_t block = 0; block < WORDS / 64; block++) {
        for (; grower->summary[block]; grower->summary[block] &= grower->summary[block] - 1) {
            size_t word = block * 64 + (size_t)__builtin_ctzll(grower->summary[block]);
            for (; grower->touched[word]; grower->touched[word] &= grower->touched[word] - 1)
                search_step(search, (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(grower->touched[word]));
        }
    }
}

/* Two ranks, as every one-hot column has: no table, one sum. */
static uint64_t count_upper(const struct rank_column *column, const struct sample *from, const struct sample *to)
{
    uint64_t sum = 0;
    for (const struct sample *sample = from; sample < to; sample++)
        sum += ((uint64_t)sample->times << sample->shift) & -(uint64_t)column->narrow[sample->row];
    return sum;
}

/* Looks for a better split in one column; false: all the node's rows have one value there. */
static bool search_column(struct tree_grower *grower, size_t feature, const struct task *node, uint64_t all,
                          struct split *best)
{
    const struct rank_column *column = &grower->problem->ranks->columns[feature];
    const struct sample *from = grower->samples + node->start, *to = grower->samples + node->end;
    size_t count = node->end - node->start;
    struct search search = {.grower = grower, .all = all, .all_rows = count, .feature = feature, .best = best};
    if (column->count < 2)
        return false;
    if (grower->settings->min_samples_leaf > 1)
        for (const struct sample *sample = from; sample < to; sample++)
            grower->rows[ranks_at(column, sample->row)]++;
    if (count < column->count / SPARSE) {
        count_sparse(grower, column, from, to);
        search_sparse(&search);
        return search.varies;
    }
    if (column->count == 2) {
        grower->counts[1] = count_upper(column, from, to);
        grower->counts[0] = all - grower->counts[1];
    } else {
        count_dense(grower, column, from, to);
    }
    for (uint32_t rank = 0; rank < column->count; rank++)
        if (grower->counts[rank])
            search_step(&search, rank);
    return search.varies;
}

/* Draws features without putting them back until enough were looked at, one of which varies at least. */
static struct split find_split(struct tree_grower *grower, const struct task *node, uint64_t all)
{
    struct split best = {.quality = -INFINITY};
    size_t count = grower->problem->ranks->column_count, varying = 0;
    for (size_t tried = 0; tried < count && (tried < grower->tries || varying == 0); tried++) {
        size_t other = tried + (size_t)random_below(&grower->random, count - tried);
        uint32_t feature = grower->features[other];
        grower->features[other] = grower->features[tried];
        grower->features[tried] = feature;
        varying += search_column(grower, feature, node, all, &best);
    }
    return best;
}

/* The rows that go left stand first, both sides in the table's order; returns where the right ones begin. */
static size_t partition(struct tree_grower *grower, const struct task *node, const struct split *split)
{
    const struct rank_column *column = &grower->problem->ranks->columns[split->feature];
    struct sample *left = grower->samples + node->start, *right = grower->scratch;
    for (const struct sample *sample = left, *to = grower->samples + node->end; sample < to; sample++) {
        struct sample moved = *sample;
        bool goes_left = ranks_at(column, moved.row) <= split->last;
        *left = moved;
        *right = moved;
        left += goes_left;
        right += !goes_left;
    }
    memcpy(left, grower->scratch, (size_t)(right - grower->scratch) * sizeof *left);
    return (size_t)(left - grower->samples);
}

static uint64_t count_node(const struct tree_grower *grower, const struct task *node)
{
    uint64_t all = 0;
    for (size_t s = node->start; s < node->end; s++)
        all += (uint64_t)grower->samples[s].times << grower->samples[s].shift;
    return all;
}

static void push_task(struct tree_grower *grower, struct task task)
{
    grower->tasks = mem_grow(grower->tasks, &grower->task_capacity, grower->task_count + 1, sizeof *grower->tasks);
    grower->tasks[grower->task_count++] = task;
}

static struct forest_node *push_node(struct tree_grower *grower)
{
    grower->nodes = mem_grow(grower->nodes, &grower->node_capacity, grower->node_count + 1, sizeof *grower->nodes);
    return &grower->nodes[grower->node_count++];
}

static bool may_split(const struct tree_grower *grower, const struct task *task, uint64_t all)
{
    const struct forest_settings *settings = grower->settings;
    size_t count = task->end - task->start;
    bool pure = (uint32_t)all == 0 || all >> 32 == 0;
    return !pure && (settings->max_depth == 0 || task->depth < settings->max_depth) &&
           count >= settings->min_samples_split && count >= 2 * (size_t)settings->min_samples_leaf;
}

static void make_node(struct tree_grower *grower, const struct task *task)
{
    uint64_t all = count_node(grower, task);
    struct mass mass = mass_of(grower, all);
    uint32_t at = (uint32_t)grower->node_count;
    struct forest_node *node = push_node(grower);
    *node = (struct forest_node){.cover = (float)(mass.negative + mass.positive),
                                 .share = mass.positive / (mass.negative + mass.positive)};
    if (task->parent != no_parent)
        grower->nodes[task->parent].right = at;
    struct split split = {.quality = -INFINITY};
    if (may_split(grower, task, all))
        split = find_split(grower, task, all);
    if (split.quality == -INFINITY)
        return;
    const struct rank_column *column = &grower->problem->ranks->columns[split.feature];
    node->feature = (uint32_t)split.feature;
    node->threshold = threshold_between(column->high[split.last], column->low[split.next]);
    size_t middle = partition(grower, task, &split);
    push_task(grower, (struct task){middle, task->end, task->depth + 1, at});
    push_task(grower, (struct task){task->start, middle, task->depth + 1, no_parent});
}

void tree_grow(struct tree_grower *grower, size_t number, struct forest_tree *out)
{
    grower->random = random_stream(grower->settings->seed, number);
    for (size_t f = 0; f < grower->problem->ranks->column_count; f++)
        grower->features[f] = (uint32_t)f;
    grower_draw_rows(grower);
    weigh_classes(grower);
    grower->node_count = grower->task_count = 0;
    push_task(grower, (struct task){0, grower->sample_count, 0, no_parent});
    while (grower->task_count && grower->node_count <= FOREST_MOST_NODES) {
        struct task task = grower->tasks[--grower->task_count];
        make_node(grower, &task);
    }
    *out = (struct forest_tree){mem_resize(NULL, grower->node_count, sizeof *grower->nodes), grower->node_count};
    memcpy(out->nodes, grower->nodes, grower->node_count * sizeof *grower->nodes);
}
