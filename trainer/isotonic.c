/* Pooling neighbours that fall: see isotonic.h. Pure. */
#include "trainer/isotonic.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static const double nearest = 1e-15; /* of float64 scores: numpy.finfo(float64).resolution */

/* Rows of one score, later those of several. */
struct pool {
    double first, last; /* scores */
    double sum, rows;   /* of labels */
};

struct scored {
    double score;
    uint8_t label;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored *left = a, *right = b;
    if (left->score != right->score)
        return left->score < right->score ? -1 : 1;
    return left->label - right->label;
}

static size_t pool_scores(struct scored *rows, size_t count, struct pool *pools)
{
    size_t found = 0;
    qsort(rows, count, sizeof *rows, compare_scored);
    for (size_t r = 0; r < count; r++) {
        if (!found || rows[r].score - pools[found - 1].first >= nearest)
            pools[found++] = (struct pool){.first = rows[r].score, .last = rows[r].score};
        pools[found - 1].sum += rows[r].label;
        pools[found - 1].rows++;
    }
    return found;
}

static size_t pool_violators(struct pool *pools, size_t count)
{
    size_t kept = 0;
    for (size_t p = 0; p < count; p++) {
        pools[kept++] = pools[p];
        while (kept > 1 && pools[kept - 2].sum * pools[kept - 1].rows >= pools[kept - 1].sum * pools[kept - 2].rows) {
            pools[kept - 2].last = pools[kept - 1].last;
            pools[kept - 2].sum += pools[kept - 1].sum;
            pools[kept - 2].rows += pools[kept - 1].rows;
            kept--;
        }
    }
    return kept;
}

static void add_knot(struct isotonic *isotonic, double score, double share)
{
    isotonic->scores[isotonic->count] = score;
    isotonic->shares[isotonic->count++] = share;
}

void isotonic_fit(const double *scores, const uint8_t *labels, size_t count, double step, struct isotonic *out)
{
    struct scored *rows = mem_zeroed(count, sizeof *rows);
    struct pool *pools = mem_zeroed(count, sizeof *pools);
    for (size_t r = 0; r < count; r++)
        rows[r] = (struct scored){step > 0 ? round(scores[r] / step) * step : scores[r], labels[r]};
    size_t pool_count = pool_violators(pools, pool_scores(rows, count, pools));
    *out = (struct isotonic){mem_zeroed(2 * pool_count, sizeof(double)), mem_zeroed(2 * pool_count, sizeof(double)), 0};
    for (size_t p = 0; p < pool_count; p++) {
        add_knot(out, pools[p].first, pools[p].sum / pools[p].rows);
        if (pools[p].last > pools[p].first)
            add_knot(out, pools[p].last, pools[p].sum / pools[p].rows);
    }
    free(rows);
    free(pools);
}

void isotonic_clear(struct isotonic *isotonic)
{
    free(isotonic->scores);
    free(isotonic->shares);
    *isotonic = (struct isotonic){0};
}

double isotonic_share(const struct isotonic *isotonic, double score)
{
    const double *scores = isotonic->scores, *shares = isotonic->shares;
    size_t low = 0, high = isotonic->count - 1;
    if (score <= scores[low])
        return shares[low];
    if (score >= scores[high])
        return shares[high];
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (scores[middle] <= score)
            low = middle;
        else
            high = middle;
    }
    return shares[low] + (shares[high] - shares[low]) / (scores[high] - scores[low]) * (score - scores[low]);
}

double isotonic_steepest(const struct isotonic *isotonic)
{
    double steepest = 0;
    for (size_t k = 1; k < isotonic->count; k++)
        steepest = fmax(steepest, (isotonic->shares[k] - isotonic->shares[k - 1]) /
                                      (isotonic->scores[k] - isotonic->scores[k - 1]));
    return steepest;
}
