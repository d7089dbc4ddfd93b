/* Walks of many rows through one tree, or of one row through many trees, with AVX-512: the lanes gather their nodes and
 * what those compare. Called by trees.c where the processor has it; must give the same bits as its plain walks. */
#include "pipeline/trees_vector.h"

#include "pipeline/features.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl")))
#define EACH_VECTOR _Pragma("GCC unroll 4") for (size_t v = 0; v < VECTORS; v++)

enum { LANES = 16, VECTORS = TREES_VECTOR_WALKS / LANES };

bool trees_vector_runs(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

/* One level on: `from` is where each lane's row begins in x. `steps` gets a bit where a lane was at no leaf. */
TARGET static inline __attribute__((always_inline)) __m512i walk_step(const struct packed_node *nodes, __m512i at,
                                                                      const float *x, __m512i from, __m512i *steps)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i one = _mm512_set1_epi32(1);
    __m512i low = _mm512_i32gather_epi64(_mm512_castsi512_si256(at), nodes, sizeof *nodes);
    __m512i high = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at, 1), nodes, sizeof *nodes);
    __m512 threshold = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, even, high));
    __m512i packed = _mm512_permutex2var_epi32(low, _mm512_add_epi32(even, one), high);
    __m512i slot = _mm512_srli_epi32(packed, PACKED_SLOT_SHIFT);
    __m512 value = _mm512_i32gather_ps(_mm512_add_epi32(_mm512_slli_epi32(slot, 3), from), x, sizeof *x);
    __mmask16 right = _mm512_cmp_ps_mask(value, threshold, _CMP_NLE_UQ);
    __m512i step = _mm512_and_si512(packed, _mm512_set1_epi32(PACKED_STEP_MASK));
    *steps = _mm512_or_si512(*steps, step);
    at = _mm512_add_epi32(at, step);
    return _mm512_mask_add_epi32(at, right, at, one);
}
_Static_assert(FEATURE_LANES == 1 << 3, "walk_step multiplies slots by it");

TARGET void trees_vector_walk(const struct packed_node *nodes, unsigned depth, const float *x, const uint32_t *from,
                              uint32_t *at, float *reached)
{
    __m512i place[VECTORS], row[VECTORS];
    EACH_VECTOR
    {
        place[v] = _mm512_loadu_si512(at + v * LANES);
        row[v] = _mm512_loadu_si512(from + v * LANES);
    }
    for (unsigned level = 0; level < depth; level++) {
        __m512i steps = _mm512_setzero_si512();
        EACH_VECTOR place[v] = walk_step(nodes, place[v], x, row[v], &steps);
        if (_mm512_test_epi32_mask(steps, steps) == 0)
            break;
    }
    EACH_VECTOR
    {
        _mm512_storeu_si512(at + v * LANES, place[v]);
        _mm512_storeu_ps(reached + v * LANES, _mm512_i32gather_ps(place[v], nodes, sizeof *nodes));
    }
}
#else
bool trees_vector_runs(void)
{
    return false;
}

void trees_vector_walk(const struct packed_node *nodes, unsigned depth, const float *x, const uint32_t *from,
                       uint32_t *at, float *reached)
{
    (void)nodes, (void)depth, (void)x, (void)from, (void)at, (void)reached;
}
#endif
