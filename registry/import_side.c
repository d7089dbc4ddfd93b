/* Whether a model ranks those who left first: see import.h. Called once by import.c, on the program's only thread. */
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "registry/import.h"

enum { EACH_LEAST = 10 }; /* rows of each class without which nothing is said */

struct ranked {
    double probability;
    bool positive;
};

static int ranked_order(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    return (left->probability > right->probability) - (left->probability < right->probability);
}

/* The area under the ROC curve, by ranks; equal scores share theirs. */
static double area_of(struct ranked *rows, size_t count, size_t positives)
{
    double ranks = 0;
    qsort(rows, count, sizeof *rows, ranked_order);
    for (size_t r = 0, end; r < count; r = end) {
        size_t held = 0;
        for (end = r; end < count && rows[end].probability == rows[r].probability; end++)
            held += rows[end].positive;
        ranks += (double)held * (double)(r + 1 + end) / 2;
    }
    double first = (double)positives * (double)(positives + 1) / 2;
    return (ranks - first) / ((double)positives * (double)(count - positives));
}

enum status import_side(const char *path, const struct import_rows *rows, size_t column_count,
                        const struct pipeline *pipeline, struct error *err)
{
    struct ranked *ranked = mem_zeroed(rows->count, sizeof *ranked);
    size_t count = 0, positives = 0;
    for (size_t r = 0; r < rows->count; r++) {
        struct score score;
        if (rows->labels[r] < 0)
            continue;
        pipeline_score(pipeline, rows->cells + r * column_count, 1, 0, &score, NULL);
        if (isnan(score.probability))
            continue;
        ranked[count++] = (struct ranked){score.probability, rows->labels[r] == 1};
        positives += rows->labels[r] == 1;
    }
    bool enough = positives >= EACH_LEAST && count - positives >= EACH_LEAST;
    double area = enough ? area_of(ranked, count, positives) : 1;
    free(ranked);
    if (area < 0.5)
        return error_set(err, STATUS_INVALID,
                         "%.200s: the model ranks those who left last (ROC-AUC %.2f over %zu labelled rows): its "
                         "positive class '%.60s' is not the risk: give the other one with --positive-label",
                         path, area, count, pipeline_positive_label(pipeline));
    if (enough)
        log_info("registry", "%.200s: ROC-AUC %.3f over %zu labelled rows", path, area, count);
    return STATUS_OK;
}
