/*
 * thin.h: the products that would leave the tiles of gemm.h nearly empty, in the same order of sums.
 */
#ifndef FGD_GEMV_H
#define FGD_GEMV_H

#include "../simd/contract.h"

enum { DOT_ROWS = 8 };

/* sum (DOT_ROWS,) <- rows of `a` times w (k,), number by number; rows from number `rows` on are the first again. */
static void dot_rows(int k, const real *a, ptrdiff_t ld, int rows, const real *w, real *sum) {
    const real *row[DOT_ROWS];
    real s[DOT_ROWS];
    UNROLLED
    for (int r = 0; r < DOT_ROWS; r++) row[r] = opaque_ptr(a + (r < rows ? r : 0) * ld), s[r] = 0;
    for (int p = 0; p < k; p++) {
        UNROLLED
        for (int r = 0; r < DOT_ROWS; r++) s[r] = opaque_scalar(r_fma(row[r][p], w[p], s[r]));
    }
    UNROLLED
    for (int r = 0; r < DOT_ROWS; r++) sum[r] = s[r];
}

/* c (n,) <- c + a (rows,) B, whose rows are b_row apart */
ALWAYS_INLINE void add_rows(const int rows, const real *a, const real *b, ptrdiff_t b_row, int n, real *c) {
    for (int j = 0; j < n; j += VL) {
        lanes m = v_lanes(n - j);
        vec sum = v_load_part(c + j, m);
        UNROLLED
        for (int i = 0; i < rows; i++) sum = v_fma(v_set(a[i]), v_load_part(b + i * b_row + j, m), sum);
        v_store_part(c + j, sum, m);
    }
}

/*
 * c (n,) <- a (k,) B + bias, or NULL; rows of B are b_row apart: it is read once and used once, so along its rows, as it
 * lies in memory.
 */
static void row_product(int k, const real *a, const real *b, ptrdiff_t b_row, const real *bias, int n, real *c) {
    enum { TOGETHER = 8 };
    memset(c, 0, (size_t)n * sizeof *c);
    int p = 0;
    for (; p + TOGETHER <= k; p += TOGETHER) add_rows(TOGETHER, a + p, b + p * b_row, b_row, n, c);
    for (; p < k; p++) add_rows(1, a + p, b + p * b_row, b_row, n, c);
    const real one = 1;
    if (bias) add_rows(1, &one, bias, 0, n, c);
}

#endif
