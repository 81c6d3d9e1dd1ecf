/*
 * muon.h: the part of rule muon for whole matrices W.  Its definition in NumPy is fastgd/optimizers/orthogonal.py.
 *
 * The direction u of a W is first computed with its momentum, element by element, in slot 1 of the state.  Then it is
 * orthogonalized in matrices of the workspace: V is u, or u transposed if it is wide, so that V^T V is small.  Threads
 * share the rows of each product, with a barrier after it.  Each element is one chain along k, and the norm is added up
 * row by row, so that bits do not depend on threads.
 */
#ifndef FGD_MUON_H
#define FGD_MUON_H

#include "../kernels/gemm.h"
#include "../kernels/sums.h"
#include "../kernels/update.h"
#include "barrier.h"
#include "partition.h"
#include "workspace.h"

/* Coefficients of the rule for a W. */
enum {
    MUON_LR,
    MUON_WEIGHT_DECAY,
    MUON_MOMENTUM,
    MUON_GAIN,
    MUON_G_PART,
    MUON_M_PART,
    MUON_A,
    MUON_EPS,
    MUON_SHRINK,
    MUON_B,
    MUON_C,
    MUON_STEPS, /* 0: the parameters are updated element by element */
    MUON_RMS
};

/* m and u, the slots, of `count` elements from `at` on; gradient (count,). */
static void muon_direction(const update_context *rule, ptrdiff_t at, const real *gradient, ptrdiff_t count) {
    const vec *c = rule->c;
    real *m = rule->state + at, *u = m + rule->size;
    for (ptrdiff_t i = 0; i < count; i += VL) {
        lanes part = v_lanes(count - i);
        vec g = v_fma(c[MUON_WEIGHT_DECAY], v_load_part(rule->theta + at + i, part), v_load_part(gradient + i, part));
        vec mean = v_load_part(m + i, part);
        running_mean(&mean, c[MUON_MOMENTUM], c[MUON_GAIN], g);
        v_store_part(m + i, mean, part);
        v_store_part(u + i, v_fma(c[MUON_M_PART], mean, v_mul(c[MUON_G_PART], g)), part);
    }
}

/* One W, and the memory for it. */
typedef struct {
    const double *c;
    int n_in, n_out, m, k; /* V (m, k), m >= k */
    ptrdiff_t ld;          /* of all matrices here */
    real *v, *next;        /* V before and after an iteration */
    real *gram, *square;   /* (k, k) */
    double *squares;       /* (n_in,) */
    spin_barrier *barrier;
} muon_matrix;

/* Elements of the matrices that the largest W needs. */
static size_t muon_scratch(const fgd_net *net) {
    size_t most = 0;
    for (int l = 0; l < net->L; l++) {
        int n_in = net->layer[l].n_in, n_out = net->layer[l].n_out, k = n_in < n_out ? n_in : n_out;
        size_t rows = 2 * ((size_t)n_in + (size_t)n_out), size = rows * (size_t)odd_lines(k);
        if (size > most) most = size;
    }
    return most;
}

COLD muon_matrix muon_matrix_of(const fgd_layer *layer, const double *c, real *scratch, double *squares,
                                spin_barrier *barrier) {
    int n_in = layer->n_in, n_out = layer->n_out, k = n_in < n_out ? n_in : n_out, m = n_in + n_out - k;
    ptrdiff_t ld = odd_lines(k);
    return (muon_matrix){.c = c,
                         .n_in = n_in,
                         .n_out = n_out,
                         .m = m,
                         .k = k,
                         .ld = ld,
                         .v = scratch,
                         .next = scratch + m * ld,
                         .gram = scratch + 2 * m * ld,
                         .square = scratch + (2 * m + k) * ld,
                         .squares = squares,
                         .barrier = barrier};
}

/* V <- u / max(|u|, eps), a thread's rows of V. */
static void muon_normalize(const muon_matrix *x, const real *u, worker self) {
    ptrdiff_t n = x->n_out;
    for (ptrdiff_t i = part_begin(self, x->n_in); i < part_end(self, x->n_in); i++)
        x->squares[i] = sum_of_squares(u + i * n, n);
    barrier_wait(x->barrier, self.size);
    double norm = sqrt(add_up(0, x->squares, x->n_in)), eps = x->c[MUON_EPS];
    real factor = (real)(1 / (norm < eps ? eps : norm));
    ptrdiff_t row = x->n_in < x->n_out ? 1 : n, column = x->n_in < x->n_out ? n : 1;
    for (ptrdiff_t i = part_begin(self, x->m); i < part_end(self, x->m); i++)
        for (ptrdiff_t j = 0; j < x->k; j++) x->v[i * x->ld + j] = factor * u[i * row + j * column];
    barrier_wait(x->barrier, self.size);
}

/* A thread's rows of c (rows, k) <- a b, or c + a b; b (steps, k); a(i, k) lies at i a_row + k a_col. */
static void muon_product(const muon_matrix *x, const real *a, ptrdiff_t a_row, ptrdiff_t a_col, const real *b,
                         int steps, real *c, int rows, int accumulate, worker self) {
    gemm_product p = {.operands = {.k = steps,
                                   .accumulate = accumulate,
                                   .a = a,
                                   .a_row = a_row,
                                   .a_col = a_col,
                                   .b = b,
                                   .b_row = x->ld,
                                   .b_panel = NR,
                                   .c = c,
                                   .c_row = x->ld},
                      .epilogue = {.kind = EPILOGUE_store}};
    int i0 = (int)part_begin(self, rows), i1 = (int)part_end(self, rows);
    if (i0 < i1) multiply(&p, i0, i1, 0, x->k);
}

/* to (k,) <- a x + b y */
static void muon_combine(real *to, double a, const real *x, double b, const real *y, ptrdiff_t k) {
    vec first = v_set((real)a), second = v_set((real)b);
    for (ptrdiff_t j = 0; j < k; j += VL) {
        lanes part = v_lanes(k - j);
        v_store_part(to + j, v_fma(first, v_load_part(x + j, part), v_mul(second, v_load_part(y + j, part))), part);
    }
}

/* V <- a V + V (b A + c A^2), A = V^T V */
static void muon_iterate(muon_matrix *x, worker self) {
    ptrdiff_t ld = x->ld;
    muon_product(x, x->v, 1, ld, x->v, x->m, x->gram, x->k, 0, self);
    barrier_wait(x->barrier, self.size);
    muon_product(x, x->gram, ld, 1, x->gram, x->k, x->square, x->k, 0, self);
    for (ptrdiff_t i = part_begin(self, x->k); i < part_end(self, x->k); i++) {
        real *row = x->square + i * ld;
        muon_combine(row, x->c[MUON_B], x->gram + i * ld, x->c[MUON_C], row, x->k);
    }
    for (ptrdiff_t i = part_begin(self, x->m); i < part_end(self, x->m); i++)
        muon_combine(x->next + i * ld, x->c[MUON_A], x->v + i * ld, 0, x->v + i * ld, x->k);
    barrier_wait(x->barrier, self.size);
    muon_product(x, x->v, ld, 1, x->square, x->k, x->next, x->m, 1, self);
    barrier_wait(x->barrier, self.size);
    real *before = x->v;
    x->v = x->next;
    x->next = before;
}

/* W <- shrink W - lr ratio V, a thread's rows of W. */
static void muon_descend(const muon_matrix *x, real *W, worker self) {
    int longest = x->m, wide = x->n_in < x->n_out;
    double rms = x->c[MUON_RMS], aspect = (double)x->n_out / x->n_in;
    double ratio = rms > 0 ? rms * sqrt(longest) : sqrt(aspect > 1 ? aspect : 1);
    real shrink = (real)x->c[MUON_SHRINK], rate = (real)(x->c[MUON_LR] * ratio);
    ptrdiff_t n = x->n_out, row = wide ? 1 : x->ld, column = wide ? x->ld : 1;
    for (ptrdiff_t i = part_begin(self, x->n_in); i < part_end(self, x->n_in); i++)
        for (ptrdiff_t j = 0; j < n; j++) W[i * n + j] = shrink * W[i * n + j] - rate * x->v[i * row + j * column];
}

/* The step of one W from its direction u (n_in, n_out), by all threads together. */
static void muon_step_matrix(muon_matrix *x, const real *u, real *W, worker self) {
    muon_normalize(x, u, self);
    for (int step = 0; step < (int)x->c[MUON_STEPS]; step++) muon_iterate(x, self);
    muon_descend(x, W, self);
    barrier_wait(x->barrier, self.size);
}

#endif
