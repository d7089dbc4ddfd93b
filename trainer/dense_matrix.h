/* Small dense symmetric matrices, row-major n × n: what fitting needs of linear algebra. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Factors in place: the lower triangle becomes Cholesky's L. False: not positive definite beyond rounding (a pivot
 * below 1e-15 of its diagonal entry); the matrix is then spoilt. */
bool dense_matrix_cholesky(double *matrix, size_t n);
/* Solves L Lᵀ x = b in place. */
void dense_matrix_cholesky_solve(const double *factor, size_t n, double *b);

/* Eigenvalues and (as columns of `vectors`) orthonormal eigenvectors by Jacobi's cyclic rotations, in no order; the
 * matrix is spoilt. Source: Golub and Van Loan, Matrix Computations, 8.5. */
void dense_matrix_eigen(double *matrix, size_t n, double *values, double *vectors);
