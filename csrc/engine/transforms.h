/*
 * regime.h: what an update does beside its rule.  Its definition is fastgd/regime.py.
 *
 * A seat takes the rows of each layer's block of theta whose gradient it has made, in up to three rounds:
 *
 *   norm      the squares of each row of the gradient; after a barrier every seat adds up all rows
 *   rows      clipping, l1, the rule with the coefficients of the parameter's group, the average
 *   columns   with a max-norm, after a barrier: each unit's weights made shorter, then the average
 *
 * Sums are of doubles, in an order that neither threads nor vectors change, each product rounded before it is added.
 */
#ifndef FGD_TRANSFORMS_H
#define FGD_TRANSFORMS_H

#include "../kernels/update.h"
#include "barrier.h"
#include "layers.h"
#include "workspace.h"

typedef struct {
    const fgd_transforms *regime;
    int rule;
    const double *coefficient; /* (steps, groups, number of the rule's coefficients) */
    ptrdiff_t steps, size;
    const real *grad;
    real *theta, *state;
    real **wt;       /* W transposed as in fgd_workspace, made anew if another step comes */
    double *squares; /* (all_block_rows,)                                            */
    barrier *barrier;
} regime_update;

/* Whether step s makes W of layer l transposed. */
static int transposes(const regime_update *u, ptrdiff_t s, int l) { return s + 1 < u->steps && l > 0; }

static double sum_from(double sum, const double *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

/* ---- norm ---- */

/* x[0]^2 + ... + x[n - 1]^2, as 16 sums over every 16th number */
static double squares_of(const real *x, ptrdiff_t n) {
    enum { SUMS = 16 };
    double sum[SUMS] = {0};
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
        UNROLLED
        for (int k = 0; k < SUMS; k++) sum[k] += (double)x[i + k] * (double)x[i + k];
    }
    for (int k = 0; i + k < n; k++) sum[k] += (double)x[i + k] * (double)x[i + k];
    return sum_from(0, sum, SUMS);
}

/* What the gradient of step s must be multiplied by, so that it is no longer than clip_norm. */
static double clip_factor(const regime_update *u, ptrdiff_t s, seat seat) {
    const fgd_net *net = u->regime->net;
    double most = u->regime->per_step[s].clip_norm, *to = u->squares;
    const real *g = u->grad;
    if (!u->regime->norm && isinf(most)) return 1;
    for (int l = 0; l < net->L; l++) {
        int m = block_rows(&net->layer[l]), n = net->layer[l].n_out;
        for (int i = first_of(seat, m); i < end_of(seat, m); i++) to[i] = squares_of(g + (ptrdiff_t)i * n, n);
        to += m;
        g += block_size(&net->layer[l]);
    }
    barrier_wait(u->barrier, seat.parts);
    double norm = sqrt(sum_from(0, u->squares, all_block_rows(net))), factor = most / (norm + 1e-6);
    if (seat.part == 0 && u->regime->norm) u->regime->norm[s] = norm;
    return factor < 1 ? factor : 1;
}

/* ---- rows ---- */

/* The update of numbers of one group. */
typedef struct {
    update_context rule;
    vec factor, limit, l1;
    vec kept, gain; /* of the average                  */
    real *average;  /* NULL: not touched in this round */
} part_update;

static const fgd_group_transforms *group_numbers(const fgd_transforms *r, ptrdiff_t s, int l, int is_bias) {
    return &r->per_group[s * r->n_groups + r->group[2 * l + is_bias]];
}

static void part_init(part_update *p, const regime_update *u, ptrdiff_t s, int l, int is_bias, double factor,
                      real *average) {
    const fgd_transforms *r = u->regime;
    const fgd_group_transforms *numbers = group_numbers(r, s, l, is_bias);
    double weight = r->per_step[s].average_weight;
    update_init(&p->rule, u->rule, u->coefficient + (numbers - r->per_group) * rule_coefficients[u->rule], u->size,
                u->theta, u->state);
    p->factor = v_set((real)factor), p->limit = v_set((real)numbers->clip_value), p->l1 = v_set((real)numbers->l1);
    p->kept = v_set((real)(1 - weight)), p->gain = v_set((real)weight);
    p->average = average;
}

static void update_average(const part_update *p, ptrdiff_t at, ptrdiff_t count) {
    for (ptrdiff_t i = at; i < at + count; i += VL) {
        lanes m = v_lanes(at + count - i);
        vec mean = v_load_part(p->average + i, m);
        v_store_part(p->average + i, running_mean(&mean, p->kept, p->gain, v_load_part(p->rule.theta + i, m)), m);
    }
}

/* The numbers of theta from `at` on, from their gradient (count,), a block at a time: it stays in L1. */
static void update_part(const part_update *p, ptrdiff_t at, const real *gradient, ptrdiff_t count) {
    enum { BLOCK = 512 };
    real g[BLOCK];
    vec low = v_sub(v_set(0), p->limit);
    for (ptrdiff_t i = 0, n; i < count; i += n) {
        n = count - i < BLOCK ? count - i : BLOCK;
        for (ptrdiff_t j = 0; j < n; j += VL) {
            lanes m = v_lanes(n - j);
            vec x = v_mul(p->factor, v_load_part(gradient + i + j, m)); /* NaN stays NaN */
            x = v_max(low, v_min(p->limit, x));
            v_store_part(g + j, v_fma(p->l1, sign_of(v_load_part(p->rule.theta + at + i + j, m)), x), m);
        }
        update_flat(&p->rule, at + i, g, n);
        if (p->average) update_average(p, at + i, n);
    }
}

/* A seat's rows of layer l, whose block is at `at`. */
static void update_rows(const regime_update *u, ptrdiff_t s, int l, ptrdiff_t at, double factor, real *average,
                        seat seat) {
    const fgd_layer *layer = &u->regime->net->layer[l];
    ptrdiff_t n = layer->n_out, m = block_rows(layer);
    int i0 = first_of(seat, m), i1 = end_of(seat, m), end = i1 < layer->n_in ? i1 : layer->n_in;
    part_update p;
    if (i0 < end) {
        part_init(&p, u, s, l, 0, factor, average);
        update_part(&p, at + i0 * n, u->grad + at + i0 * n, (end - i0) * n);
    }
    if (end < i1) {
        part_init(&p, u, s, l, 1, factor, average);
        update_part(&p, at + end * n, u->grad + at + end * n, n);
    }
}

/* ---- columns ---- */

/* Columns [j0, j1) of W (n_in, n_out): those longer than `most` are made that long. */
static void limit_columns(const fgd_layer *layer, real *W, double most, int j0, int j1) {
    enum { COLUMNS = 64 };
    ptrdiff_t n = layer->n_out;
    for (int j = j0; j < j1; j += COLUMNS) {
        int columns = j1 - j < COLUMNS ? j1 - j : COLUMNS, any = 0;
        double sum[COLUMNS] = {0};
        real factor[COLUMNS];
        for (int i = 0; i < layer->n_in; i++)
            for (int c = 0; c < columns; c++) sum[c] += (double)W[i * n + j + c] * (double)W[i * n + j + c];
        for (int c = 0; c < columns; c++) {
            double length = sqrt(sum[c]);
            factor[c] = length > most ? (real)(most / length) : 1;
            any |= length > most;
        }
        for (int i = 0; any && i < layer->n_in; i++)
            for (int c = 0; c < columns; c++) W[i * n + j + c] *= factor[c];
    }
}

/* A seat's columns of layer l, whose block is at `at`: limited, averaged, transposed. */
static void finish_columns(const regime_update *u, ptrdiff_t s, int l, ptrdiff_t at, real *average, seat seat) {
    const fgd_layer *layer = &u->regime->net->layer[l];
    ptrdiff_t n = layer->n_out;
    int j0 = first_of(seat, n), j1 = end_of(seat, n);
    real *W = u->theta + at;
    part_update p;
    if (j0 == j1) return;
    limit_columns(layer, W, group_numbers(u->regime, s, l, 0)->max_norm, j0, j1);
    part_init(&p, u, s, l, 0, 1, average);
    for (int i = 0; average && i < block_rows(layer); i++) update_average(&p, at + i * n + j0, j1 - j0);
    if (transposes(u, s, l)) transpose_weights(layer, W, u->wt[l], (patch){0, layer->n_in, j0, j1});
}

/* ---- all of it ---- */

static int limits_columns(const fgd_transforms *r, ptrdiff_t s) {
    for (int l = 0; l < r->net->L; l++)
        if (!isinf(group_numbers(r, s, l, 0)->max_norm)) return 1;
    return 0;
}

/* theta, state and average <- those of step s; all seats of a team together. */
static void update_in_regime(const regime_update *u, ptrdiff_t s, seat seat) {
    const fgd_net *net = u->regime->net;
    int limits = limits_columns(u->regime, s);
    double factor = clip_factor(u, s, seat);
    real *average = u->regime->per_step[s].average_weight > 0 ? u->regime->average : NULL;
    ptrdiff_t at = u->size;
    for (int l = net->L - 1; l >= 0; l--) { /* what was made last is still in the cache */
        const fgd_layer *layer = &net->layer[l];
        int m = block_rows(layer), i0 = first_of(seat, m), i1 = end_of(seat, m);
        at -= block_size(layer);
        update_rows(u, s, l, at, factor, limits ? NULL : average, seat);
        if (transposes(u, s, l) && !limits)
            transpose_weights(layer, u->theta + at, u->wt[l], (patch){i0, i1, 0, layer->n_out});
    }
    if (!limits) return;
    barrier_wait(u->barrier, seat.parts);
    for (int l = 0; l < net->L; l++) {
        finish_columns(u, s, l, at, average, seat);
        at += block_size(&net->layer[l]);
    }
}

/* The same in a loop of one's own: one step, one thread, no work. */
static fgd_status update_once_in_regime(int rule, const double *coefficient, const fgd_transforms *regime,
                                        ptrdiff_t size, const real *grad, real *theta, real *state) {
    double *squares = allocate((size_t)all_block_rows(regime->net) * sizeof *squares);
    if (!squares) return FGD_NO_MEMORY;
    barrier alone = {0};
    regime_update u = {regime, rule, coefficient, 1, size, grad, theta, state, NULL, squares, &alone};
    update_in_regime(&u, 0, (seat){0, 1});
    release(squares);
    return FGD_OK;
}

#endif
