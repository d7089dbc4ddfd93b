/* Small dense matrices: see dense_matrix.h. Pure. Sizes are a model's features (tens to some hundreds), so that plain
 * loops do. */
#include "trainer/dense_matrix.h"

#include <math.h>

static const double least_pivot = 1e-15; /* relative to the diagonal entry */
enum { MAX_SWEEPS = 60 };

bool dense_matrix_cholesky(double *matrix, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double *row = matrix + j * n, diagonal = row[j], pivot = diagonal;
        for (size_t k = 0; k < j; k++)
            pivot -= row[k] * row[k];
        if (!(pivot > least_pivot * diagonal) || !isfinite(pivot))
            return false;
        row[j] = sqrt(pivot);
        for (size_t i = j + 1; i < n; i++) {
            double *below = matrix + i * n, sum = below[j];
            for (size_t k = 0; k < j; k++)
                sum -= below[k] * row[k];
            below[j] = sum / row[j];
        }
    }
    return true;
}

void dense_matrix_cholesky_solve(const double *factor, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= factor[i * n + k] * b[k];
        b[i] /= factor[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            b[i] -= factor[k * n + i] * b[k];
        b[i] /= factor[i * n + i];
    }
}

/* Rotates rows and columns p and q of a symmetric matrix so that its entry (p, q) becomes 0. */
static void rotate(double *matrix, size_t n, size_t p, size_t q, double *vectors)
{
    double off = matrix[p * n + q], theta = (matrix[q * n + q] - matrix[p * n + p]) / (2 * off);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + hypot(theta, 1)), c = 1 / hypot(t, 1), s = t * c;
    for (size_t k = 0; k < n; k++) {
        double kp = matrix[k * n + p], kq = matrix[k * n + q];
        matrix[k * n + p] = c * kp - s * kq;
        matrix[k * n + q] = s * kp + c * kq;
    }
    for (size_t k = 0; k < n; k++) {
        double pk = matrix[p * n + k], qk = matrix[q * n + k];
        matrix[p * n + k] = c * pk - s * qk;
        matrix[q * n + k] = s * pk + c * qk;
    }
    matrix[p * n + q] = matrix[q * n + p] = 0;
    for (size_t k = 0; k < n; k++) {
        double kp = vectors[k * n + p], kq = vectors[k * n + q];
        vectors[k * n + p] = c * kp - s * kq;
        vectors[k * n + q] = s * kp + c * kq;
    }
}

void dense_matrix_eigen(double *matrix, size_t n, double *values, double *vectors)
{
    double largest = 0;
    for (size_t i = 0; i < n * n; i++) {
        largest = fmax(largest, fabs(matrix[i]));
        vectors[i] = i % (n + 1) == 0;
    }
    bool rotated = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && rotated; sweep++) {
        rotated = false;
        for (size_t p = 0; p < n; p++) {
            for (size_t q = p + 1; q < n; q++) {
                if (fabs(matrix[p * n + q]) <= 1e-17 * largest)
                    continue;
                rotate(matrix, n, p, q, vectors);
                rotated = true;
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        values[i] = matrix[i * n + i];
}
