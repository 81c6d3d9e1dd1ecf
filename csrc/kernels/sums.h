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

/* x[0]^2 + ... + x[n - 1]^2, as 16 interleaved sums */
static double sum_of_squares(const real *x, ptrdiff_t n) {
    enum { SUMS = 16 };
    double sum[SUMS] = {0};
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
        UNROLLED
        for (int k = 0; k < SUMS; k++) sum[k] += (double)x[i + k] * (double)x[i + k];
    }
    for (int k = 0; i + k < n; k++) sum[k] += (double)x[i + k] * (double)x[i + k];
    return add_up(0, sum, SUMS);
}

#endif
