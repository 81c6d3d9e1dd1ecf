/*
 * transforms.h: what an update does besides its rule.  Its definition in NumPy is fastgd/optimizers/transforms.py.
 *
 * Each thread takes the rows of each layer's part of theta whose gradient it has computed, in up to four rounds:
 *
 *   norm      the sum of squares of each row of the gradient; after a barrier every thread adds up all rows
 *   rows      clipping, l1, the rule with the coefficients of the parameter's group, the mask, the average
 *   matrices  with rule muon, after a barrier: the steps of whole W
 *   columns   with one of both, after a barrier: with a max_norm the columns of W are scaled, then the average
 *
 * Sums are in double, in an order that depends neither on threads nor on vectors; each product is rounded before it is
 * added.
 */
#ifndef FGD_TRANSFORMS_H
#define FGD_TRANSFORMS_H

#include "../kernels/multiply.h"
#include "../kernels/sums.h"
#include "../kernels/update.h"
#include "barrier.h"
#include "layers.h"
#include "muon.h"
#include "workspace.h"

typedef struct {
    const fgd_transforms *transforms;
    int rule;
    const double *coefficients; /* (n_steps, n_groups, coefficients of the rule) */
    ptrdiff_t n_steps, size;
    const real *grad;
    real *theta, *state;
    const fgd_workspace *workspace; /* for W transposed; NULL if no other step follows */
    double *squares;                /* (theta_rows,) */
    real *muon;                     /* (muon_scratch,), of rule muon */
    spin_barrier *barrier;
} transformed_update;

/* Whether W of layer l is transposed after step s. */
static int transposes_layer(const transformed_update *u, ptrdiff_t s, int l) {
    return s + 1 < u->n_steps && is_transposed(u->transforms->net, l) && !u->workspace->bf16;
}

/* ---- norm ---- */

/* The sum of squares of n elements of the gradient, without those that are masked. */
static double row_squares(const transformed_update *u, const real *g, ptrdiff_t n) {
    const real *mask = u->transforms->mask;
    return mask ? masked_sum_of_squares(g, mask + (g - u->grad), n) : sum_of_squares(g, n);
}

/* to (rows,) <- the sums of squares of a thread's rows of the parameters of the input layers; the end of their g. */
static const real *input_row_squares(const transformed_update *u, double *to, worker self) {
    const fgd_net *net = u->transforms->net;
    const real *g = u->grad;
    for (int i = 0; i < net->n_inputs; i++) {
        parameter_shape part;
        for (int p = 0; (part = input_shape(&net->input[i], p)).rows > 0; p++) {
            int i0 = part_begin(self, part.rows), i1 = part_end(self, part.rows);
            for (int r = i0; r < i1; r++) to[r] = row_squares(u, g + r * part.columns, part.columns);
            to += part.rows;
            g += part.rows * part.columns;
        }
    }
    return g;
}

/* The factor that limits the norm of the gradient of step s to clip_norm. */
static double clip_factor(const transformed_update *u, ptrdiff_t s, worker self) {
    const fgd_net *net = u->transforms->net;
    double max_norm = u->transforms->per_step[s].clip_norm, *to = u->squares;
    if (!u->transforms->norm && isinf(max_norm)) return 1;
    const real *g = input_row_squares(u, to, self);
    to += inputs_extent(net).rows;
    for (int l = 0; l < net->L; l++) {
        int m = layer_rows(&net->layer[l]), n = net->layer[l].n_out;
        for (int i = part_begin(self, m); i < part_end(self, m); i++) to[i] = row_squares(u, g + (ptrdiff_t)i * n, n);
        to += m;
        g += layer_size(&net->layer[l]);
    }
    barrier_wait(u->barrier, self.size);
    double norm = sqrt(add_up(0, u->squares, theta_rows(net))), factor = max_norm / (norm + 1e-6);
    if (self.rank == 0 && u->transforms->norm) u->transforms->norm[s] = norm;
    return factor < 1 ? factor : 1;
}

/* ---- rows ---- */

/* The update of the parameters of one group. */
typedef struct {
    update_context rule;
    vec factor, limit, l1;
    int is_matrix;  /* of W: not updated in this round, but its direction is computed; see muon.h */
    vec kept, gain; /* weights of the average and of theta */
    real *average;  /* NULL: not updated in this round */
    const real *mask; /* (size,) or NULL */
} group_update;

/* The number of W or b of layer l among the parameters, as fgd_transforms.group counts them. */
static ptrdiff_t part_of(const fgd_net *net, int l, int is_bias) { return inputs_extent(net).count + 2 * l + is_bias; }

static const fgd_group_transforms *group_transforms(const fgd_transforms *t, ptrdiff_t s, ptrdiff_t part) {
    return &t->per_group[s * t->n_groups + t->group[part]];
}

/* The coefficients of the rule for a parameter. */
static const double *group_coefficients(const transformed_update *u, ptrdiff_t s, ptrdiff_t part) {
    ptrdiff_t group = group_transforms(u->transforms, s, part) - u->transforms->per_group;
    return u->coefficients + group * rule_coefficients[u->rule];
}

static int is_muon_matrix(const transformed_update *u, ptrdiff_t s, int l) {
    return u->rule == RULE_muon && group_coefficients(u, s, part_of(u->transforms->net, l, 0))[MUON_STEPS] >= 1;
}

static void group_update_init(group_update *g, const transformed_update *u, ptrdiff_t s, ptrdiff_t part, double factor,
                              real *average) {
    const fgd_transforms *t = u->transforms;
    const fgd_group_transforms *group = group_transforms(t, s, part);
    double weight = t->per_step[s].average_weight;
    update_init(&g->rule, u->rule, group_coefficients(u, s, part), u->size, u->theta, u->state);
    g->factor = v_set((real)factor);
    g->limit = v_set((real)group->clip_value);
    g->l1 = v_set((real)group->l1);
    g->kept = v_set((real)(1 - weight));
    g->gain = v_set((real)weight);
    g->average = average;
    g->mask = t->mask;
    g->is_matrix = 0;
}

static void update_average(const group_update *g, ptrdiff_t at, ptrdiff_t count) {
    for (ptrdiff_t i = at; i < at + count; i += VL) {
        lanes m = v_lanes(at + count - i);
        vec mean = v_load_part(g->average + i, m);
        v_store_part(g->average + i, running_mean(&mean, g->kept, g->gain, v_load_part(g->rule.theta + i, m)), m);
    }
}

/* x + l1 sign(theta) */
ALWAYS_INLINE vec add_l1(vec x, vec l1, vec theta) { return v_fma(l1, sign_of(theta), x); }

/* `count` elements of theta from `at` on; gradient (count,).  A block at a time, so that it stays in L1. */
static void update_group(const group_update *g, ptrdiff_t at, const real *gradient, ptrdiff_t count) {
    enum { BLOCK = 512 };
    real transformed[BLOCK];
    vec low = v_sub(v_set(0), g->limit);
    for (ptrdiff_t i = 0, n; i < count; i += n) {
        n = count - i < BLOCK ? count - i : BLOCK;
        for (ptrdiff_t j = 0; j < n; j += VL) {
            lanes m = v_lanes(n - j);
            vec x = v_mul(g->factor, v_load_part(gradient + i + j, m)); /* NaN stays NaN */
            x = v_max(low, v_min(g->limit, x));
            v_store_part(transformed + j, add_l1(x, g->l1, v_load_part(g->rule.theta + at + i + j, m)), m);
        }
        if (g->mask) multiply_values(n, transformed, g->mask + at + i, transformed);
        if (g->is_matrix)
            muon_direction(&g->rule, at + i, transformed, n);
        else
            update_flat(&g->rule, at + i, transformed, n);
        if (g->mask) multiply_values(n, g->rule.theta + at + i, g->mask + at + i, g->rule.theta + at + i);
        if (g->average) update_average(g, at + i, n);
    }
}

/* A thread's rows of layer l, which begins at `at` in theta. */
static void update_rows(const transformed_update *u, ptrdiff_t s, int l, ptrdiff_t at, double factor, real *average,
                        worker self) {
    const fgd_net *net = u->transforms->net;
    const fgd_layer *layer = &net->layer[l];
    ptrdiff_t n = layer->n_out, m = layer_rows(layer);
    int i0 = part_begin(self, m), i1 = part_end(self, m), end = i1 < layer->n_in ? i1 : layer->n_in;
    group_update g;
    if (i0 < end) {
        group_update_init(&g, u, s, part_of(net, l, 0), factor, average);
        g.is_matrix = is_muon_matrix(u, s, l);
        update_group(&g, at + i0 * n, u->grad + at + i0 * n, (end - i0) * n);
    }
    if (end < i1) {
        group_update_init(&g, u, s, part_of(net, l, 1), factor, average);
        update_group(&g, at + end * n, u->grad + at + end * n, n);
    }
}

/* A thread's rows of the parameters of the input layers, none of which has columns to limit. */
static void update_input_rows(const transformed_update *u, ptrdiff_t s, double factor, real *average, worker self) {
    const fgd_net *net = u->transforms->net;
    ptrdiff_t at = 0, part = 0;
    for (int i = 0; i < net->n_inputs; i++) {
        parameter_shape shape;
        for (int p = 0; (shape = input_shape(&net->input[i], p)).rows > 0; p++) {
            ptrdiff_t n = shape.columns, i0 = part_begin(self, shape.rows), i1 = part_end(self, shape.rows);
            group_update g;
            group_update_init(&g, u, s, part++, factor, average);
            update_group(&g, at + i0 * n, u->grad + at + i0 * n, (i1 - i0) * n);
            at += shape.rows * n;
        }
    }
}

/* ---- columns ---- */

/* Columns [j0, j1) of W (n_in, n_out) with a norm above max_norm are scaled to it. */
static void clip_column_norms(const fgd_layer *layer, real *W, double max_norm, int j0, int j1) {
    enum { COLUMNS = 64 };
    ptrdiff_t n = layer->n_out;
    for (int j = j0; j < j1; j += COLUMNS) {
        int columns = j1 - j < COLUMNS ? j1 - j : COLUMNS, any = 0;
        double sum[COLUMNS] = {0};
        real factor[COLUMNS];
        for (int i = 0; i < layer->n_in; i++) {
            VECTORIZED
            for (int c = 0; c < columns; c++) sum[c] += (double)W[i * n + j + c] * (double)W[i * n + j + c];
        }
        for (int c = 0; c < columns; c++) {
            double norm = sqrt(sum[c]);
            factor[c] = norm > max_norm ? (real)(max_norm / norm) : 1;
            any |= norm > max_norm;
        }
        for (int i = 0; any && i < layer->n_in; i++) {
            VECTORIZED
            for (int c = 0; c < columns; c++) W[i * n + j + c] *= factor[c];
        }
    }
}

/* A thread's columns of layer l, which begins at `at` in theta: clipped, masked, averaged, transposed. */
static void update_columns(const transformed_update *u, ptrdiff_t s, int l, ptrdiff_t at, real *average, worker self) {
    const fgd_layer *layer = &u->transforms->net->layer[l];
    ptrdiff_t n = layer->n_out;
    int j0 = part_begin(self, n), j1 = part_end(self, n);
    real *W = u->theta + at;
    group_update g;
    if (j0 == j1) return;
    ptrdiff_t part = part_of(u->transforms->net, l, 0);
    clip_column_norms(layer, W, group_transforms(u->transforms, s, part)->max_norm, j0, j1);
    group_update_init(&g, u, s, part, 1, average);
    for (int i = 0; i < layer_rows(layer); i++) {
        ptrdiff_t row = at + i * n + j0;
        if (g.mask) multiply_values(j1 - j0, u->theta + row, g.mask + row, u->theta + row);
        if (average) update_average(&g, row, j1 - j0);
    }
    theta_block b = {.i0 = 0, .i1 = layer->n_in, .j0 = j0, .j1 = j1};
    if (transposes_layer(u, s, l)) transpose_weights(layer, W, u->workspace->at[l].wt, b);
}

/* ---- matrices ---- */

COLD void update_matrices(const transformed_update *u, ptrdiff_t s, worker self) {
    const fgd_net *net = u->transforms->net;
    ptrdiff_t at = inputs_extent(net).size;
    for (int l = 0; l < net->L; l++) {
        const double *c = group_coefficients(u, s, part_of(net, l, 0));
        muon_matrix matrix = muon_matrix_of(&net->layer[l], c, u->muon, u->squares, u->barrier);
        if (is_muon_matrix(u, s, l)) muon_step_matrix(&matrix, u->state + u->size + at, u->theta + at, self);
        at += layer_size(&net->layer[l]);
    }
}

/* ---- all of them ---- */

static int clips_columns(const fgd_transforms *t, ptrdiff_t s) {
    for (int l = 0; l < t->net->L; l++)
        if (!isinf(group_transforms(t, s, part_of(t->net, l, 0))->max_norm)) return 1;
    return 0;
}

/* Step s of theta, state and average, by all threads of a team together. */
static void apply_transformed(const transformed_update *u, ptrdiff_t s, worker self) {
    const fgd_net *net = u->transforms->net;
    int by_column = clips_columns(u->transforms, s) || u->rule == RULE_muon;
    double factor = clip_factor(u, s, self);
    real *average = u->transforms->per_step[s].average_weight > 0 ? u->transforms->average : NULL;
    ptrdiff_t at = u->size;
    for (int l = net->L - 1; l >= 0; l--) { /* the gradient computed last is still in the cache */
        const fgd_layer *layer = &net->layer[l];
        at -= layer_size(layer);
        update_rows(u, s, l, at, factor, by_column ? NULL : average, self);
        if (transposes_layer(u, s, l) && !by_column)
            transpose_weights(layer, u->theta + at, u->workspace->at[l].wt,
                              row_block(self, layer_rows(layer), layer->n_out));
    }
    update_input_rows(u, s, factor, average, self);
    if (!by_column) return;
    barrier_wait(u->barrier, self.size);
    if (u->rule == RULE_muon) update_matrices(u, s, self);
    for (int l = 0; l < net->L; l++) {
        update_columns(u, s, l, at, average, self);
        at += layer_size(&net->layer[l]);
    }
}

#endif
