/* Vectors of WIDTH doubles, one row in each lane, as instructions of TARGET: what treeshap_lanes.h is written in. No
 * guard: it is included once for each instruction set. */
typedef double NAME(lanes) __attribute__((vector_size(WIDTH * sizeof(double))));
typedef float NAME(floats) __attribute__((vector_size(WIDTH * sizeof(float))));

INLINE(TARGET)
NAME(lanes) NAME(fill)(double value)
{
    return value - (NAME(lanes)){0};
}

#if WIDTH == 8
typedef uint8_t NAME(rows); /* a set of rows */

INLINE(TARGET)
NAME(lanes) NAME(fused)(NAME(lanes) a, NAME(lanes) b, NAME(lanes) c)
{
    return (NAME(lanes))_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

INLINE(TARGET)
NAME(rows) NAME(rows_left)(const float *x, float threshold)
{
    return _mm256_cmp_ps_mask(_mm256_loadu_ps(x), _mm256_set1_ps(threshold), _CMP_LE_OQ);
}

INLINE(TARGET)
NAME(lanes) NAME(load)(const double *from)
{
    return (NAME(lanes))_mm512_loadu_pd(from);
}

/* Of the rows a, of others b. */
INLINE(TARGET)
NAME(lanes) NAME(choose)(NAME(rows) of, NAME(lanes) a, NAME(lanes) b)
{
    return (NAME(lanes))_mm512_mask_mov_pd((__m512d)b, of, (__m512d)a);
}

/* Other rows get 0. */
INLINE(TARGET)
NAME(lanes) NAME(keep)(NAME(rows) of, NAME(lanes) a)
{
    return (NAME(lanes))_mm512_maskz_mov_pd(of, (__m512d)a);
}
#else
typedef int64_t NAME(rows) __attribute__((vector_size(WIDTH * sizeof(int64_t))));

INLINE(TARGET)
NAME(lanes) NAME(fused)(NAME(lanes) a, NAME(lanes) b, NAME(lanes) c)
{
#if WIDTH == 4
    return (NAME(lanes))_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
    for (size_t l = 0; l < WIDTH; l++)
        c[l] = fma(a[l], b[l], c[l]);
    return c;
#endif
}

INLINE(TARGET)
NAME(rows) NAME(rows_left)(const float *x, float threshold)
{
    NAME(floats) value;
    memcpy(&value, x, sizeof value);
    return __builtin_convertvector(value <= threshold, NAME(rows));
}

INLINE(TARGET)
NAME(lanes) NAME(load)(const double *from)
{
    NAME(lanes) loaded;
    memcpy(&loaded, from, sizeof loaded);
    return loaded;
}

INLINE(TARGET)
NAME(lanes) NAME(choose)(NAME(rows) of, NAME(lanes) a, NAME(lanes) b)
{
    return (NAME(lanes))(((NAME(rows))a & of) | ((NAME(rows))b & ~of));
}

INLINE(TARGET)
NAME(lanes) NAME(keep)(NAME(rows) of, NAME(lanes) a)
{
    return (NAME(lanes))((NAME(rows))a & of);
}
#endif

/* Of four nodes: whether the row goes left, and e; then the four sums of each node's points (four_add), in pairs. */
#if WIDTH == 2
INLINE(TARGET)
void NAME(tests_ask)(const struct treeshap_tests *tests, const float *x, int32_t *left, double *pull)
{
    for (size_t n = 0; n < TREESHAP_TESTS; n++) {
        left[n] = -(x[tests->slot[n]] <= tests->threshold[n]);
        pull[n] = -(left[n] ^ tests->right[n]) - tests->share[n];
    }
}

INLINE(TARGET)
void NAME(fours_add)(const double *four, const double *known, double *sums)
{
    for (size_t n = 0; n < TREESHAP_TESTS; n++, four += 4)
        sums[n] = (four[0] + four[1]) + (four[2] + four[3]) + known[n];
}
#else
INLINE(TARGET)
void NAME(tests_ask)(const struct treeshap_tests *tests, const float *x, int32_t *left, double *pull)
{
    __m128 value = _mm_i32gather_ps(x, _mm_loadu_si128((const __m128i *)tests->slot), sizeof *x);
    __m128 below = _mm_cmp_ps(value, _mm_loadu_ps(tests->threshold), _CMP_LE_OQ);
    __m128 first = _mm_xor_ps(below, _mm_loadu_ps((const float *)tests->right));
    __m256i chosen = _mm256_cvtepi32_epi64(_mm_castps_si128(first));
    _mm_storeu_si128((__m128i *)left, _mm_castps_si128(below));
    _mm256_storeu_pd(pull, _mm256_and_pd((__m256d)chosen, _mm256_set1_pd(1)) - _mm256_loadu_pd(tests->share));
}

INLINE(TARGET)
void NAME(fours_add)(const double *four, const double *known, double *sums)
{
    __m256d low = _mm256_hadd_pd(_mm256_loadu_pd(four), _mm256_loadu_pd(four + 4));
    __m256d high = _mm256_hadd_pd(_mm256_loadu_pd(four + 8), _mm256_loadu_pd(four + 12));
    _mm256_storeu_pd(sums,
                     _mm256_blend_pd(low, high, 12) + _mm256_permute2f128_pd(low, high, 33) + _mm256_loadu_pd(known));
}
#endif

/* The products of a node's eight points, as treeshap_lanes.h adds them: four sums of two. */
#if WIDTH == 8
INLINE(TARGET)
void NAME(four_add)(const NAME(lanes) * a, const NAME(lanes) * b, double *four)
{
    __m512d x = (__m512d)*a, y = (__m512d)*b;
    __m256d low = _mm512_castpd512_pd256(x) * _mm512_castpd512_pd256(y);
    _mm256_storeu_pd(four, _mm256_fmadd_pd(_mm512_extractf64x4_pd(x, 1), _mm512_extractf64x4_pd(y, 1), low));
}
#else
INLINE(TARGET)
void NAME(four_add)(const NAME(lanes) * a, const NAME(lanes) * b, double *four)
{
    enum { FOUR = 4 / WIDTH };
    _Pragma("GCC unroll 2") for (size_t i = 0; i < FOUR; i++)
    {
        NAME(lanes) sum = NAME(fused)(a[FOUR + i], b[FOUR + i], a[i] * b[i]);
        memcpy(four + i * WIDTH, &sum, sizeof sum);
    }
}
#endif
