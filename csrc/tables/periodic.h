/*
 * periodic.h: the input layer that appends sums of cosines of columns.  Sizes: K, D.  With C embedded columns the
 * parameters are frequency f (K, C), phase p (K, C), amplitude (K D, C) and offset (D, C):
 *
 *   a = x, then for each d = 0 .. D - 1 and column  offset + sum over k of amplitude cos(2 pi f x + p)
 *
 * Vectors run along the columns.  A row keeps 2 pi x (C,), the cosines (K, C), their derivatives (K, C), which are the
 * negative sines, and from backward dL/dp (K, C).
 */
#ifndef FGD_PERIODIC_H
#define FGD_PERIODIC_H

#include <string.h>

#include "../kernels/column_sums.h"
#include "../simd/math.h"
#include "input_row.h"

#define TWO_PI 6.283185307179586477

typedef struct {
    ptrdiff_t K, D, C;
    const real *frequency, *phase, *amplitude, *offset;
    real *x, *cos, *slope, *d_phase; /* what a row keeps; NULL: nothing */
} periodic_parts;

static periodic_parts periodic_parts_of(const fgd_input_layer *layer, const real *theta, real *kept) {
    periodic_parts p = {.K = layer->sizes[0], .D = layer->sizes[1], .C = layer->n_columns, .frequency = theta};
    p.phase = p.frequency + p.K * p.C;
    p.amplitude = p.phase + p.K * p.C;
    p.offset = p.amplitude + p.K * p.D * p.C;
    if (!kept) return p;
    p.x = kept;
    p.cos = p.x + p.C;
    p.slope = p.cos + p.K * p.C;
    p.d_phase = p.slope + p.K * p.C;
    return p;
}

static parameter_shape periodic_embedding_shape(const fgd_input_layer *layer, int p) {
    ptrdiff_t K = layer->sizes[0], D = layer->sizes[1];
    ptrdiff_t rows[] = {K, K, K * D, D, 0};
    return (parameter_shape){rows[p], layer->n_columns};
}

/* A vector of columns, from number c on, of a row. */
static vec embedded_columns(const fgd_input_layer *layer, const real *x, int c) {
    real values[VL] = {0};
    for (int j = 0; j < VL && c + j < layer->n_columns; j++) values[j] = x[layer->columns[c + j]];
    return v_load(values);
}

/* `to` (D, C) <- the features of a vector of columns x, from number c on. */
static void periodic_features(const periodic_parts *p, vec x, ptrdiff_t c, real *to) {
    lanes m = v_lanes(p->C - c);
    if (p->x) v_store_part(p->x + c, v_mul(x, v_set((real)TWO_PI)), m);
    for (ptrdiff_t d = 0; d < p->D; d++) v_store_part(to + d * p->C + c, v_load_part(p->offset + d * p->C + c, m), m);
    for (ptrdiff_t k = 0; k < p->K; k++) {
        ptrdiff_t at = k * p->C + c;
        vec turns = v_mul(v_load_part(p->phase + at, m), v_set((real)(1 / TWO_PI))), sin;
        vec cos = v_cos_sin_turns(v_fma(v_load_part(p->frequency + at, m), x, turns), &sin);
        if (p->x) {
            v_store_part(p->cos + at, cos, m);
            v_store_part(p->slope + at, v_sub(v_set(0), sin), m);
        }
        for (ptrdiff_t d = 0; d < p->D; d++) {
            real *sum = to + d * p->C + c;
            vec amplitude = v_load_part(p->amplitude + (k * p->D + d) * p->C + c, m);
            v_store_part(sum, v_fma(amplitude, cos, v_load_part(sum, m)), m);
        }
    }
}

static int periodic_embedding_forward(const input_row *row) {
    const fgd_input_layer *layer = row->layer;
    periodic_parts p = periodic_parts_of(layer, row->theta, row->kept);
    memcpy(row->a, row->x, (size_t)layer->n_in * sizeof *row->a);
    for (int c = 0; c < layer->n_columns; c += VL)
        periodic_features(&p, embedded_columns(layer, row->x, c), c, row->a + layer->n_in);
    return 1;
}

/* dL/dx of a vector of columns from number c on, from dL/d features (D, C); d_phase <- dL/dp. */
static vec periodic_derivative(const periodic_parts *p, ptrdiff_t c, const real *da) {
    lanes m = v_lanes(p->C - c);
    vec dx = v_set(0);
    for (ptrdiff_t k = 0; k < p->K; k++) {
        ptrdiff_t at = k * p->C + c;
        vec d_cos = v_set(0);
        for (ptrdiff_t d = 0; d < p->D; d++)
            d_cos = v_fma(v_load_part(p->amplitude + (k * p->D + d) * p->C + c, m), v_load_part(da + d * p->C + c, m),
                          d_cos);
        vec d_phase = v_mul(d_cos, v_load_part(p->slope + at, m));
        v_store_part(p->d_phase + at, d_phase, m);
        dx = v_fma(v_load_part(p->frequency + at, m), d_phase, dx);
    }
    return v_mul(dx, v_set((real)TWO_PI));
}

static void periodic_embedding_backward(const input_row *row) {
    const fgd_input_layer *layer = row->layer;
    periodic_parts p = periodic_parts_of(layer, row->theta, row->kept);
    if (row->dx) memcpy(row->dx, row->da, (size_t)layer->n_in * sizeof *row->dx);
    for (int c = 0; c < layer->n_columns; c += VL) {
        real values[VL];
        v_store(values, periodic_derivative(&p, c, row->da + layer->n_in));
        for (int j = 0; row->dx && j < VL && c + j < layer->n_columns; j++) row->dx[layer->columns[c + j]] += values[j];
    }
}

static void periodic_embedding_gradient(const input_gradient *g) {
    periodic_parts p = periodic_parts_of(g->layer, NULL, g->kept);
    const real *d_features = g->da + g->layer->n_in;
    column_sums sums = {.rows = g->rows, .u_ld = g->kept_ld, .v_ld = g->kept_ld, .accumulate = g->accumulate};
    if (g->p == 2) sums.v_ld = g->da_ld;
    if (g->p == 3) sums.u_ld = g->da_ld;
    for (ptrdiff_t i = g->i0; i < g->i1; i++) {
        real *sum = g->grad + i * p.C;
        switch (g->p) {
        case 0: add_sums(&sums, p.C, p.d_phase + i * p.C, p.x, sum); break;
        case 1: add_sums(&sums, p.C, p.d_phase + i * p.C, NULL, sum); break;
        case 2: add_sums(&sums, p.C, p.cos + i / p.D * p.C, d_features + i % p.D * p.C, sum); break;
        case 3: add_sums(&sums, p.C, d_features + i * p.C, NULL, sum); break;
        }
    }
    finish_sums(&sums);
}

#endif
