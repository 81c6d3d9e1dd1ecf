/*
 * sums.h: sums in double, in an order that depends neither on threads nor on vectors.
 */
#ifndef FGD_SUMS_H
#define FGD_SUMS_H

#include "../simd/contract.h"

/* sum + x[0] + ... + x[n - 1] */
static double add_up(double sum, const double *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

ALWAYS_INLINE double square(real x) { return (double)x * (double)x; }

/* The sum of x[i]^2 over i < n, as 16 interleaved sums; masked: of x[i] mask[i]. */
ALWAYS_INLINE double add_up_squares(const int masked, const real *x, const real *mask, ptrdiff_t n) {
    enum { SUMS = 16 };
    double sum[SUMS] = {0};
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
        UNROLLED
        for (int k = 0; k < SUMS; k++) sum[k] += square(masked ? x[i + k] * mask[i + k] : x[i + k]);
    }
    for (int k = 0; i + k < n; k++) sum[k] += square(masked ? x[i + k] * mask[i + k] : x[i + k]);
    return add_up(0, sum, SUMS);
}

static double sum_of_squares(const real *x, ptrdiff_t n) { return add_up_squares(0, x, NULL, n); }
static double masked_sum_of_squares(const real *x, const real *mask, ptrdiff_t n) {
    return add_up_squares(1, x, mask, n);
}

#endif
