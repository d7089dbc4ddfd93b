/* Trees on several threads: see forest.h. Called by the trainer's only thread, which works along with those it starts
 * and joins them all before it returns. Trees take their randomness from their own number, never from the thread. */
#include "trainer/forest.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/tree_grow.h"

/* What the threads share: the number of the next tree, and how many nodes there are. */
struct shared {
    const struct forest_problem *problem;
    const struct forest_settings *settings;
    size_t tries;
    struct forest *forest;
    _Atomic size_t next, node_count;
};

static void *grow_trees(void *argument)
{
    struct shared *shared = argument;
    struct tree_grower *grower = tree_grower_new(shared->problem, shared->settings, shared->tries);
    for (;;) {
        size_t number = atomic_fetch_add(&shared->next, 1);
        if (number >= shared->forest->tree_count || atomic_load(&shared->node_count) > FOREST_MOST_NODES)
            break;
        struct forest_tree *tree = &shared->forest->trees[number];
        tree_grow(grower, number, tree);
        atomic_fetch_add(&shared->node_count, tree->node_count);
    }
    tree_grower_free(grower);
    return NULL;
}

static void run_threads(struct shared *shared)
{
    size_t wanted = shared->settings->threads, started = 0;
    wanted = wanted < shared->forest->tree_count ? wanted : shared->forest->tree_count;
    pthread_t *threads = mem_zeroed(wanted + 1, sizeof *threads);
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, grow_trees, shared) == 0)
        started++;
    grow_trees(shared);
    for (size_t t = 0; t < started; t++)
        pthread_join(threads[t], NULL);
    free(threads);
}

/* scikit-learn's reading of max_features; 0: more than there are. */
static size_t features_to_try(const struct forest_settings *settings, size_t count)
{
    double n = (double)count, tries = n;
    if (settings->feature_rule == FOREST_SQRT)
        tries = sqrt(n);
    else if (settings->feature_rule == FOREST_LOG2)
        tries = log2(n);
    else if (settings->feature_rule == FOREST_FRACTION)
        tries = settings->max_features * n;
    else if (settings->feature_rule == FOREST_COUNT)
        tries = settings->max_features;
    if (tries > n)
        return 0;
    return tries < 1 ? 1 : (size_t)tries;
}

enum status forest_fit(const struct forest_problem *problem, const struct forest_settings *settings, struct forest *out,
                       struct error *err)
{
    size_t columns = problem->ranks->column_count, tries = features_to_try(settings, columns);
    if (columns == 0 || tries == 0)
        return error_set(err, STATUS_INVALID, "--param max_features=%g: the table has %zu features after encoding",
                         settings->max_features, columns);
    struct forest forest = {.tree_count = settings->n_estimators};
    forest.trees = mem_zeroed(forest.tree_count + 1, sizeof *forest.trees);
    struct shared shared = {.problem = problem, .settings = settings, .tries = tries, .forest = &forest};
    run_threads(&shared);
    if (atomic_load(&shared.node_count) > FOREST_MOST_NODES) {
        forest_free(&forest);
        return error_set(err, STATUS_LIMIT,
                         "the forest has more than %d nodes, which is what a scorer loads: take fewer trees or smaller "
                         "ones, such as --param max_depth=16 or --param min_samples_leaf=20",
                         FOREST_MOST_NODES);
    }
    *out = forest;
    return STATUS_OK;
}

void forest_free(struct forest *forest)
{
    for (size_t t = 0; t < forest->tree_count; t++)
        free(forest->trees[t].nodes);
    free(forest->trees);
    *forest = (struct forest){0};
}

double forest_probability(const struct forest *forest, const float *features)
{
    double sum = 0;
    for (size_t t = 0; t < forest->tree_count; t++) {
        const struct forest_node *nodes = forest->trees[t].nodes;
        uint32_t at = 0;
        while (nodes[at].right)
            at = features[nodes[at].feature] <= nodes[at].threshold ? at + 1 : nodes[at].right;
        sum += nodes[at].share;
    }
    return sum / (double)forest->tree_count;
}
