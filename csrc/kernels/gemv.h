/*
 * gemv.h: the products that would leave the tiles of gemm.h nearly empty, summed in the same order.
 */
#ifndef FGD_GEMV_H
#define FGD_GEMV_H

#include "../simd/contract.h"

/* Rows of multi_dot; maximum number of vectors of narrow_vec_mat. */
enum { DOT_ROWS = 8, NARROW = 8 };

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

/* c (n,) <- a (k,) B + bias, of (vectors - 1) * VL < n <= vectors * VL columns, whose sums stay in registers */
ALWAYS_INLINE void narrow_vec_mat(const int vectors, int k, const real *a, const real *b, ptrdiff_t b_row,
                                  const real *bias, int n, real *c) {
    vec sum[NARROW];
    lanes last = v_lanes(n - (vectors - 1) * VL);
    UNROLLED
    for (int v = 0; v < vectors; v++) sum[v] = v_set(0);
    for (int i = 0; i < k; i++, b += b_row) {
        vec x = v_set(a[i]);
        UNROLLED
        for (int v = 0; v < vectors; v++)
            sum[v] = v_fma(x, v < vectors - 1 ? v_load(b + v * VL) : v_load_part(b + v * VL, last), sum[v]);
    }
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        lanes m = v < vectors - 1 ? v_lanes(VL) : last;
        v_store_part(c + v * VL, bias ? v_add(sum[v], v_load_part(bias + v * VL, m)) : sum[v], m);
    }
}

/* The same of any n, through sums in c.  B is used only once, so it is read along its rows, in the order of memory. */
static void wide_vec_mat(int k, const real *a, const real *b, ptrdiff_t b_row, const real *bias, int n, real *c) {
    enum { ROWS = 8 };
    memset(c, 0, (size_t)n * sizeof *c);
    int i = 0;
    for (; i + ROWS <= k; i += ROWS) add_rows(ROWS, a + i, b + i * b_row, b_row, n, c);
    for (; i < k; i++) add_rows(1, a + i, b + i * b_row, b_row, n, c);
    const real one = 1;
    if (bias) add_rows(1, &one, bias, 0, n, c);
}

#define FGD_NARROW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

/* c (n,) <- a (k,) B + bias, which may be NULL; rows of B are b_row apart. */
static void vec_mat(int k, const real *a, const real *b, ptrdiff_t b_row, const real *bias, int n, real *c) {
    switch ((n + VL - 1) / VL) {
#define VECTORS(count) \
    case count: narrow_vec_mat(count, k, a, b, b_row, bias, n, c); return;
        FGD_NARROW(VECTORS)
#undef VECTORS
    default: wide_vec_mat(k, a, b, b_row, bias, n, c);
    }
}

#endif
