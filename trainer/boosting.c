/* Rounds of boosting: see boosting.h. Called by the trainer's fits. Every random choice comes from the seed and the
 * number of the round, never from the thread; sums over rows are made on one thread, in their order. */
#include "trainer/boosting.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/parallel.h"
#include "trainer/random.h"

enum { CHUNK_ROWS = 16384, SAMPLE_STREAM = 3000017, COLUMN_STREAM = 4000037, STEPS_AT_ONCE = 10 };
static const float least_second = 1e-16F;

/* A fit at work: its training rows, and rows that it is assessed by. */
struct boost_run {
    const struct boost_problem *problem;
    struct boost_settings settings;
    struct boost_grower *grower;
    struct boosting model;
    size_t tree_capacity;
    uint32_t *training, *sample, *assessed; /* places in the bins */
    size_t training_count, sample_count, assessed_count;
    struct boost_gradient *gradients; /* by row of the bins, as margins */
    double *margins, *losses;         /* losses: after each round */
    size_t loss_capacity;
    bool *used;
};

static double log_odds(const struct boost_run *run)
{
    double of_class[2] = {0, 0};
    for (size_t r = 0; r < run->training_count; r++)
        of_class[run->problem->labels[run->training[r]]] += run->problem->weights[run->training[r]];
    return log(of_class[1] / of_class[0]);
}

/* folds: NULL: all rows train. Else those of `fold` assess. */
static void run_begin(const struct boost_problem *problem, const struct boost_settings *settings, const uint8_t *folds,
                      size_t fold, struct boost_run *run)
{
    size_t rows = problem->bins->row_count;
    *run = (struct boost_run){.problem = problem, .settings = *settings};
    run->training = mem_zeroed(rows + 1, sizeof *run->training);
    run->sample = mem_zeroed(rows + 1, sizeof *run->sample);
    run->assessed = mem_zeroed(rows + 1, sizeof *run->assessed);
    run->gradients = mem_zeroed(rows + 1, sizeof *run->gradients);
    run->margins = mem_zeroed(rows + 1, sizeof *run->margins);
    run->used = mem_zeroed(problem->bins->column_count + 1, sizeof *run->used);
    for (size_t r = 0; r < rows; r++) {
        if (folds && folds[r] == fold)
            run->assessed[run->assessed_count++] = (uint32_t)r;
        else
            run->training[run->training_count++] = (uint32_t)r;
    }
    run->model.base = log_odds(run);
    for (size_t r = 0; r < rows; r++)
        run->margins[r] = run->model.base;
    run->grower = boost_grower_new(problem->bins, &run->settings);
}

static void run_end(struct boost_run *run)
{
    boost_grower_free(run->grower);
    free(run->training);
    free(run->sample);
    free(run->assessed);
    free(run->gradients);
    free(run->margins);
    free(run->losses);
    free(run->used);
}

static void derive_chunk(void *context, size_t chunk)
{
    struct boost_run *run = context;
    const struct boost_problem *problem = run->problem;
    size_t to = (chunk + 1) * CHUNK_ROWS < run->sample_count ? (chunk + 1) * CHUNK_ROWS : run->sample_count;
    for (size_t r = chunk * CHUNK_ROWS; r < to; r++) {
        uint32_t row = run->sample[r];
        float share = 1 / (1 + expf(-(float)run->margins[row])), weight = (float)problem->weights[row];
        run->gradients[row].first = weight * (share - (float)problem->labels[row]);
        run->gradients[row].second = weight * fmaxf(share * (1 - share), least_second);
    }
}

/* Rows and columns of this round's tree. */
static void sample_round(struct boost_run *run, size_t round)
{
    const struct boost_settings *settings = &run->settings;
    size_t columns = run->problem->bins->column_count;
    uint64_t random = random_stream(settings->seed + SAMPLE_STREAM, round);
    double bound = settings->subsample * 0x1p64;
    run->sample_count = 0;
    for (size_t r = 0; r < run->training_count; r++)
        if (settings->subsample >= 1 || (double)random_next(&random) < bound)
            run->sample[run->sample_count++] = run->training[r];
    size_t left = (size_t)ceil(settings->colsample_bytree * (double)columns);
    random = random_stream(settings->seed + COLUMN_STREAM, round);
    for (size_t c = 0; c < columns; c++) {
        run->used[c] = random_below(&random, columns - c) < left;
        left -= run->used[c];
    }
}

/* Rows that had no part in the tree: those left out of the sample count as its training rows too. */
static void add_others(struct boost_run *run, struct boost_tree *tree)
{
    const struct boost_problem *problem = run->problem;
    size_t sampled = 0;
    for (size_t r = 0; r < run->assessed_count; r++)
        run->margins[run->assessed[r]] +=
            (double)boost_tree_walk(tree, &run->model.sets, problem->bins, run->assessed[r])->weight;
    if (run->sample_count == run->training_count)
        return;
    bool *in_sample = mem_zeroed(problem->bins->row_count + 1, sizeof *in_sample);
    for (; sampled < run->sample_count; sampled++)
        in_sample[run->sample[sampled]] = true;
    for (size_t r = 0; r < run->training_count; r++) {
        uint32_t row = run->training[r];
        if (in_sample[row])
            continue;
        const struct boost_node *leaf = boost_tree_walk(tree, &run->model.sets, problem->bins, row);
        run->margins[row] += (double)leaf->weight;
        tree->nodes[leaf - tree->nodes].rows++;
    }
    free(in_sample);
}

static double mean_loss(const struct boost_run *run)
{
    double sum = 0, weights = 0;
    for (size_t r = 0; r < run->assessed_count; r++) {
        uint32_t row = run->assessed[r];
        double margin = run->problem->labels[row] ? run->margins[row] : -run->margins[row];
        double weight = run->problem->weights[row];
        sum += weight * (margin > 0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin);
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

static void run_step(struct boost_run *run)
{
    struct boosting *model = &run->model;
    sample_round(run, model->tree_count);
    size_t chunks = (run->sample_count + CHUNK_ROWS - 1) / CHUNK_ROWS;
    parallel_run(run->settings.threads, chunks, derive_chunk, run);
    model->trees = mem_grow(model->trees, &run->tree_capacity, model->tree_count + 1, sizeof *model->trees);
    struct boost_tree *tree = &model->trees[model->tree_count];
    boost_tree_grow(run->grower, run->gradients, run->sample, run->sample_count, run->used, &model->sets, run->margins,
                    tree);
    add_others(run, tree);
    run->losses = mem_grow(run->losses, &run->loss_capacity, model->tree_count + 1, sizeof *run->losses);
    run->losses[model->tree_count++] = mean_loss(run);
}

void boosting_fit(const struct boost_problem *problem, const struct boost_settings *settings, struct boosting *out)
{
    struct boost_run run;
    run_begin(problem, settings, NULL, 0, &run);
    while (run.model.tree_count < settings->n_estimators)
        run_step(&run);
    *out = run.model;
    run_end(&run);
}

void boosting_free(struct boosting *boosting)
{
    for (size_t t = 0; t < boosting->tree_count; t++)
        free(boosting->trees[t].nodes);
    free(boosting->trees);
    free(boosting->sets.items);
    *boosting = (struct boosting){0};
}

/* --- the number of trees --- */

static void step_often(void *context, size_t number)
{
    struct boost_run *run = (struct boost_run *)context + number;
    for (unsigned step = 0; step < STEPS_AT_ONCE; step++)
        run_step(run);
}

unsigned boosting_choose_count(const struct boost_problem *problem, const struct boost_settings *settings,
                               const uint8_t *folds, size_t used)
{
    struct boost_run *runs = mem_zeroed(used + 1, sizeof *runs);
    struct boost_settings alone = *settings;
    size_t best = 0, rounds = 0;
    double least = INFINITY;
    alone.threads = used > 1 ? 1 : settings->threads;
    for (size_t k = 0; k < used; k++)
        run_begin(problem, &alone, folds, k, &runs[k]);
    while (rounds < BOOST_ROUNDS_MOST && rounds - best < settings->early_stopping_rounds) {
        parallel_run(settings->threads, used, step_often, runs);
        for (size_t end = rounds + STEPS_AT_ONCE; rounds < end; rounds++) {
            double loss = 0;
            for (size_t k = 0; k < used; k++)
                loss += runs[k].losses[rounds] / (double)used;
            best = loss < least ? rounds : best;
            least = fmin(loss, least);
        }
    }
    for (size_t k = 0; k < used; k++) {
        run_end(&runs[k]);
        boosting_free(&runs[k].model);
    }
    free(runs);
    return (unsigned)best + 1;
}
