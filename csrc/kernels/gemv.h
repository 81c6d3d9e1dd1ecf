/*
 * gemv.h: the products that would leave the tiles of gemm.h nearly empty, summed in the same order.
 */
#ifndef FGD_GEMV_H
#define FGD_GEMV_H

#include "../simd/contract.h"

enum { DOT_ROWS = 8 };

/* sum (DOT_ROWS,) <- rows of `a`, ld apart, times w (k,), by scalars; rows from number `rows` on repeat the first. */
static void multi_dot(int k, const real *a, ptrdiff_t ld, int rows, const real *w, real *sum) {
    const real *row[DOT_ROWS];
    real s[DOT_ROWS];
    UNROLLED
    for (int r = 0; r < DOT_ROWS; r++) {
        row[r] = opaque_ptr(a + (r < rows ? r : 0) * ld);
        s[r] = 0;
    }
    for (int i = 0; i < k; i++) {
        UNROLLED
        for (int r = 0; r < DOT_ROWS; r++) s[r] = opaque_scalar(r_fma(row[r][i], w[i], s[r]));
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
 * c (n,) <- a (k,) B + bias, which may be NULL; rows of B are b_row apart.  B is used only once, so it is read along
 * its rows, in the order of memory.
 */
static void vec_mat(int k, const real *a, const real *b, ptrdiff_t b_row, const real *bias, int n, real *c) {
    enum { ROWS = 8 };
    memset(c, 0, (size_t)n * sizeof *c);
    int i = 0;
    for (; i + ROWS <= k; i += ROWS) add_rows(ROWS, a + i, b + i * b_row, b_row, n, c);
    for (; i < k; i++) add_rows(1, a + i, b + i * b_row, b_row, n, c);
    const real one = 1;
    if (bias) add_rows(1, &one, bias, 0, n, c);
}

#endif
