/* Vectors of WIDTH doubles, one row in each lane, as instructions of TARGET: what shap_lanes.h is written in. No guard:
 * it is included once for each instruction set. */
typedef double NAME(lanes) __attribute__((vector_size(WIDTH * sizeof(double))));
typedef double NAME(four) __attribute__((vector_size(4 * sizeof(double))));
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
NAME(lanes) NAME(choose)(bool first, NAME(lanes) a, NAME(lanes) b)
{
    return (NAME(lanes))_mm512_mask_mov_pd((__m512d)b, (__mmask8)-first, (__m512d)a);
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
NAME(lanes) NAME(choose)(bool first, NAME(lanes) a, NAME(lanes) b)
{
    NAME(rows) mask = (NAME(rows)){0} - (int64_t)first;
    return (NAME(lanes))(((NAME(rows))a & mask) | ((NAME(rows))b & ~mask));
}

INLINE(TARGET)
NAME(lanes) NAME(pull)(NAME(rows) left, NAME(rows) passed, double share)
{
    NAME(lanes) one = (NAME(lanes))((NAME(rows))NAME(fill)(1) & left);
    return (NAME(lanes))((NAME(rows))(one - share) & passed);
}
#endif

/* sum += a × b, fused. */
INLINE(TARGET)
void NAME(fuse_four)(const NAME(four) * a, const NAME(four) * b, NAME(four) * sum)
{
#if WIDTH > 2
    *sum = (NAME(four))_mm256_fmadd_pd((__m256d)*a, (__m256d)*b, (__m256d)*sum);
#else
    for (size_t l = 0; l < 4; l++)
        (*sum)[l] = fma((*a)[l], (*b)[l], (*sum)[l]);
#endif
}
