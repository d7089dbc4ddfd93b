/* TreeSHAP over several rows at once, or over one: the hot part of reasons, called by trees.c on any thread. Must never
 * allocate, and must give a row the same bits in any company and on any processor: several rows are the lanes of a
 * vector, for one row the points are, every number is computed in one order, and what is fused is fused everywhere.
 *
 * For one t, each feature is known with probability t (treeshap.c says why). Where a node's feature is known, the row
 * itself goes on; else its training rows do, in their shares. So the node's mean is s = h × left + (1 − h) × right with
 * h = share + t e, e = 1 − share if the row goes left, else −share. On the way down, P is what the score changes by if
 * the node's mean does: times h for the left child, the rest for the right. On the way up, the feature's contribution
 * is the sum over all t of P e (left − right). Where the feature stands on the path above, t is replaced
 * (treeshap_again), and e = 0 for rows that broke a condition on it there. */
#include "pipeline/treeshap_program.h"

#include <math.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Vectors are passed by pointer, or between inlined functions of one target: no calling convention is involved. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define JOIN(name, points) JOIN_TEXTS(name, points)
#define JOIN_TEXTS(name, points) name##_##points
#define INLINE(target) target static inline __attribute__((always_inline))

/* Each row's contributions are 2 × WIDTH apart while a walk of that width adds to them. */
#define TARGET
#define WIDTH 2
#define NAME(name) plain_##name
#include "pipeline/treeshap_rows_by_points.h"

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2,fma")))
#define WIDTH 4
#define NAME(name) avx2_##name
#include "pipeline/treeshap_rows_by_points.h"

#define TARGET __attribute__((target("fma,avx512f,avx512dq,avx512vl")))
#define WIDTH 8
#define NAME(name) avx512_##name
#include "pipeline/treeshap_rows_by_points.h"
#endif

size_t treeshap_walks(const struct treeshap_walk *const **out)
{
    static const struct treeshap_walk *const WALKS[] = {
        &plain_walk,
#ifdef __x86_64__
        &avx2_walk,
        &avx512_walk,
#endif
    };
    *out = WALKS;
#ifdef __x86_64__
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx2 && avx512 ? 3 : avx2 ? 2 : 1;
#else
    return 1;
#endif
}

size_t treeshap_rows_most(const struct treeshap *shap)
{
    return TREESHAP_SUMS / 2 / (shap->column_count + 1) / TREESHAP_LANES * TREESHAP_LANES;
}

/* Rows are in groups of `width`: the sum of row r and column c is at c × width from here. */
static double *sums_of(const struct treeshap *shap, double *sums, size_t r)
{
    size_t width = shap->walk->width;
    return sums + r / width * width * (shap->column_count + 1) + r % width;
}

static void tree_walk(const struct treeshap *shap, const struct treeshap_tree *tree, size_t chunk, const float *x,
                      size_t stride, size_t count, double *sums, void *room)
{
    size_t vector = shap->walk->width / 2, parts = TREESHAP_PARTS(tree->chunk);
    treeshap_tree_walk *walk = shap->walk->trees[tree->chunk - TREESHAP_CHUNK_LEAST];
    for (size_t first = 0; first < count; first += vector * parts) {
        size_t last = parts > 1 && first + vector < count ? first + vector : first;
        walk(shap, tree, chunk, x + first / TREESHAP_LANES * stride + first % TREESHAP_LANES,
             x + last / TREESHAP_LANES * stride + last % TREESHAP_LANES, sums_of(shap, sums, first), room);
    }
}

/* Trees outside, rows inside: a tree stays in the cache, and its shape in the branch predictor, while the block
 * passes. */
static void trees_walk(const struct treeshap *shap, const float *x, size_t stride, size_t count, double *sums,
                       void *room)
{
    for (size_t t = 0; t < shap->tree_count; t++)
        for (size_t chunk = 0; chunk < shap->trees[t].chunks; chunk++)
            tree_walk(shap, &shap->trees[t], chunk, x, stride, count, sums, room);
}

static void row_walk(const struct treeshap *shap, const float *x, double *sums, void *room)
{
    for (size_t t = 0; t < shap->tree_count; t++)
        for (size_t chunk = 0; chunk < shap->trees[t].chunks; chunk++)
            shap->walk->single(shap, &shap->trees[t], chunk, x, NULL, sums, room);
}

void treeshap_rows(const struct treeshap *shap, const float *x, size_t stride, size_t count, double *contributions)
{
    _Alignas(64) double sums[TREESHAP_SUMS];
    _Alignas(64) char room[TREESHAP_ROOM];
    size_t columns = shap->column_count, width = shap->walk->width;
    memset(sums, 0, (count + width - 1) / width * width * (columns + 1) * sizeof *sums);
    if (count <= TREESHAP_FEW_ROWS && shap->all_small)
        for (size_t r = 0; r < count; r++)
            row_walk(shap, x + r, sums_of(shap, sums, r), room);
    else
        trees_walk(shap, x, stride, count, sums, room);
    for (size_t r = 0; r < count; r++)
        for (size_t c = 0; c < columns; c++)
            contributions[r * columns + c] = sums_of(shap, sums, r)[c * width];
}
