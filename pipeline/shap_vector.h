/* Vectors of WIDTH doubles, one row in each lane, as instructions of TARGET: what shap_lanes.h is written in. No guard:
 * it is included once for each instruction set. */
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

/* a where all_ones is 255, b where it is 0. */
INLINE(TARGET)
NAME(lanes) NAME(choose)(uint8_t all_ones, NAME(lanes) a, NAME(lanes) b)
{
    return (NAME(lanes))_mm512_mask_mov_pd((__m512d)b, all_ones, (__m512d)a);
}

/* The products of eight points added as shap_lanes.h adds them. */
INLINE(TARGET)
double NAME(points_add)(const NAME(lanes) * a, const NAME(lanes) * b)
{
    __m256d low = _mm512_castpd512_pd256((__m512d)*a) * _mm512_castpd512_pd256((__m512d)*b);
    __m256d four = _mm256_fmadd_pd(_mm512_extractf64x4_pd((__m512d)*a, 1), _mm512_extractf64x4_pd((__m512d)*b, 1), low);
    __m128d two = _mm256_castpd256_pd128(four) + _mm256_extractf128_pd(four, 1);
    return two[0] + two[1];
}

/* e of shap_walk.c. */
INLINE(TARGET)
NAME(lanes) NAME(pull)(NAME(rows) left, NAME(rows) passed, double share)
{
    __m512d one = _mm512_maskz_mov_pd(left, _mm512_set1_pd(1));
    return (NAME(lanes))_mm512_maskz_sub_pd(passed, one, _mm512_set1_pd(share));
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
NAME(lanes) NAME(choose)(uint8_t all_ones, NAME(lanes) a, NAME(lanes) b)
{
    NAME(rows) mask = (NAME(rows)){0} - (all_ones & 1);
    return (NAME(lanes))(((NAME(rows))a & mask) | ((NAME(rows))b & ~mask));
}

INLINE(TARGET)
double NAME(points_add)(const NAME(lanes) * a, const NAME(lanes) * b)
{
#if WIDTH == 4
    NAME(lanes) four = NAME(fused)(a[1], b[1], a[0] * b[0]);
    __m128d two = _mm256_castpd256_pd128((__m256d)four) + _mm256_extractf128_pd((__m256d)four, 1);
#else
    NAME(lanes) two = NAME(fused)(a[2], b[2], a[0] * b[0]) + NAME(fused)(a[3], b[3], a[1] * b[1]);
#endif
    return two[0] + two[1];
}

INLINE(TARGET)
NAME(lanes) NAME(pull)(NAME(rows) left, NAME(rows) passed, double share)
{
    NAME(lanes) one = (NAME(lanes))((NAME(rows))NAME(fill)(1) & left);
    return (NAME(lanes))((NAME(rows))(one - share) & passed);
}
#endif
