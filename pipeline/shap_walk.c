/* TreeSHAP over several rows at once: the hot part of reasons, called by trees.c on any thread. Must never allocate,
 * and must give a row the same bits in any company and on any processor: each row has a lane, every lane is reckoned in
 * one order, and nothing is fused.
 *
 * For one t, each feature is known with probability t (shap.c tells why). Where a node's feature is known, the row
 * itself goes on; else its training rows do, in their shares. So the node's mean is s = h × left + (1 − h) × right with
 * h = share + t e, e = 1 − share if the row goes left, else −share. On the way down, P is what the score changes by if
 * the node's mean does: times h for the left child, the rest for the right. On the way up, the feature's contribution
 * is the sum over all t of P e (left − right). Where the feature stands on the path above, t is replaced (shap_again),
 * and e = 0 for rows that broke a condition on it there. */
#include "pipeline/shap_program.h"

#include <string.h>

/* Vectors are passed by pointer, or between inlined functions of one target: no calling convention is involved. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define INLINE(target) target static inline __attribute__((always_inline))

/* Each row's contributions stand WIDTH apart while a walk of that width adds to them. */
#define TARGET
#define WIDTH 2
#define POINTS 4
#define NAME(name) plain_four_##name
#include "pipeline/shap_lanes.h"
#define POINTS 5
#define NAME(name) plain_five_##name
#include "pipeline/shap_lanes.h"
#undef WIDTH
#undef TARGET

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2")))
#define WIDTH 4
#define POINTS 4
#define NAME(name) avx2_four_##name
#include "pipeline/shap_lanes.h"
#define POINTS 5
#define NAME(name) avx2_five_##name
#include "pipeline/shap_lanes.h"
#undef WIDTH
#undef TARGET

#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl")))
#define WIDTH 8
#define POINTS 4
#define NAME(name) avx512_four_##name
#include "pipeline/shap_lanes.h"
#define POINTS 5
#define NAME(name) avx512_five_##name
#include "pipeline/shap_lanes.h"
#undef WIDTH
#undef TARGET
#endif

static const struct shap_walk PLAIN = {2, plain_four_tree, plain_five_tree};
#ifdef __x86_64__
static const struct shap_walk AVX2 = {4, avx2_four_tree, avx2_five_tree};
static const struct shap_walk AVX512 = {8, avx512_four_tree, avx512_five_tree};
#endif

const struct shap_walk *shap_walk_choose(size_t widest)
{
#ifdef __x86_64__
    if (widest >= AVX512.width && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &AVX512;
    if (widest >= AVX2.width && __builtin_cpu_supports("avx2"))
        return &AVX2;
#endif
    (void)widest;
    return &PLAIN;
}

/* One walk's rows: as many as it is wide. */
static void part_walk(const struct shap *shap, const struct shap_walk *walk, const float *x, double *given)
{
    memset(given, 0, (shap->column_count + 1) * walk->width * sizeof *given);
    for (size_t t = 0; t < shap->tree_count; t++) {
        const struct shap_tree *tree = &shap->trees[t];
        for (size_t chunk = 0; chunk < tree->chunks; chunk++)
            (tree->five ? walk->five : walk->four)(shap, tree, chunk, x, given);
    }
}

void shap_rows(const struct shap *shap, const float *x, size_t count, double *contributions)
{
    _Alignas(64) double given[(SHAP_MAX_COLUMNS + 1) * SHAP_LANES];
    const struct shap_walk *walk = count <= 2 ? shap->narrow : shap->walk;
    for (size_t first = 0; first < count; first += walk->width) {
        part_walk(shap, walk, x + first, given);
        for (size_t c = 0; c < shap->column_count; c++)
            memcpy(&contributions[c * SHAP_LANES + first], &given[c * walk->width], walk->width * sizeof *given);
    }
}
