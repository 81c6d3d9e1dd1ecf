/*
 * column_sums.h: sums over the rows of columns u, or of products u v of columns, each one chain over the rows in their
 * order.  Several vectors of columns are summed at a time, which hides the latency of a chain.
 */
#ifndef FGD_COLUMN_SUMS_H
#define FGD_COLUMN_SUMS_H

#include <stddef.h>

#include "../simd/contract.h"

enum { SUM_CHAINS = 4 };
typedef struct {
    const real *u, *v; /* columns of the first row; v NULL: u alone */
    real *sum;
    lanes m;
} column_chain;
typedef struct {
    ptrdiff_t rows, u_ld, v_ld;
    int accumulate, count;
    column_chain chain[SUM_CHAINS];
} column_sums;

static void finish_sums(column_sums *s) {
    vec sum[SUM_CHAINS];
    column_chain *c = s->chain;
    if (s->count == 0) return;
    for (int i = s->count; i < SUM_CHAINS; i++) c[i] = c[0]; /* computed in vain, and not stored */
    UNROLLED
    for (int i = 0; i < SUM_CHAINS; i++) sum[i] = s->accumulate ? v_load_part(c[i].sum, c[i].m) : v_set(0);
    for (ptrdiff_t r = 0; c->v && r < s->rows; r++) {
        UNROLLED
        for (int i = 0; i < SUM_CHAINS; i++)
            sum[i] =
                v_fma(v_load_part(c[i].u + r * s->u_ld, c[i].m), v_load_part(c[i].v + r * s->v_ld, c[i].m), sum[i]);
    }
    for (ptrdiff_t r = 0; !c->v && r < s->rows; r++) {
        UNROLLED
        for (int i = 0; i < SUM_CHAINS; i++) sum[i] = v_add(v_load_part(c[i].u + r * s->u_ld, c[i].m), sum[i]);
    }
    for (int i = 0; i < s->count; i++) v_store_part(c[i].sum, sum[i], c[i].m);
    s->count = 0;
}

/* sum (n,) <- those of columns u (rows, n), or of u v; they are complete after finish_sums. */
static void add_sums(column_sums *s, ptrdiff_t n, const real *u, const real *v, real *sum) {
    for (ptrdiff_t j = 0; j < n; j += VL) {
        if (s->count == SUM_CHAINS) finish_sums(s);
        s->chain[s->count++] = (column_chain){u + j, v ? v + j : NULL, sum + j, v_lanes(n - j)};
    }
}

#endif
