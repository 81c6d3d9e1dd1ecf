/*
 * layers.h: the two products of a layer that run along the rows of the batch, and the activations applied to them.
 *
 *   forward    a[l + 1] = f(a[l] W + b)
 *   backward   dz[l] = (dz[l + 1] W^T) f'(a[l])
 *
 * W is a layer's part of theta: W (n_in, n_out), then b.  f and f' are applied to the finished tiles of the products,
 * except for functions of whole rows.
 */
#ifndef FGD_LAYERS_H
#define FGD_LAYERS_H

#include "../kernels/gemm.h"
#include "../kernels/gemv.h"
#include "../kernels/multiply.h"
#include "../kernels/transpose.h"
#include "../tables/activations.h"
#include "../tables/noise.h"
#include "activate.h"
#include "bf16_layers.h"
#include "partition.h"
#include "workspace.h"

/* ---- forward ---- */

typedef struct {
    const fgd_layer *layer;
    real *z; /* laid out like c: the inputs of the activation, if they are kept, or NULL */
} forward_context;

static void forward_tile_done(const gemm_product *p, int i, int rows, int j, int vectors, lanes last,
                              vec tile[MR][NV]) {
    const forward_context *context = p->epilogue.context;
    ptrdiff_t c_row = p->operands.c_row, offset = i * c_row + j;
    if (context->z) store_tile(context->z + offset, c_row, rows, vectors, last, tile);
    activate_tile(context->layer, rows, vectors, tile);
    store_tile(p->operands.c + offset, c_row, rows, vectors, last, tile);
}

/* The epilogue that applies f. */
static int forward_epilogue(int activation) {
    switch (activation) {
#define ACTIVATION(function, of) \
    case ACTIVATION_##of: return EPILOGUE_##function;
        FGD_EPILOGUES(ACTIVATION, ACTIVATION, NO_EPILOGUE, NO_EPILOGUE)
#undef ACTIVATION
    default: return EPILOGUE_callback;
    }
}

/* layer_forward of a single row: n columns, of which W points to the first. */
static void forward_row(const fgd_layer *layer, const real *W, const real *from, int n, real *to, real *z) {
    const real *bias = layer->bias ? W + (ptrdiff_t)layer->n_in * layer->n_out : NULL;
    vec_mat(layer->n_in, from, W, layer->n_out, bias, n, to);
    if (z) memcpy(z, to, (size_t)n * sizeof *z);
    activate_values(layer, n, to);
}

/* layer_forward of a layer with a single output. */
static void forward_single_output(const fgd_layer *layer, const real *W, const real *from, ptrdiff_t from_ld, real *to,
                                  ptrdiff_t to_ld, real *z, int row0, int row1) {
    enum { ROWS = 2 * DOT_ROWS };
    for (int row = row0, rows; row < row1; row += rows) {
        rows = row1 - row < ROWS ? row1 - row : ROWS;
        real sum[ROWS];
        for (int r = 0; r < rows; r += DOT_ROWS)
            multi_dot(layer->n_in, from + (row + r) * from_ld, from_ld, rows - r, W, sum + r);
        for (int r = 0; layer->bias && r < rows; r++) sum[r] += W[layer->n_in];
        for (int r = 0; z && r < rows; r++) z[(row + r) * to_ld] = sum[r];
        activate_values(layer, rows, sum);
        for (int r = 0; r < rows; r++) to[(row + r) * to_ld] = sum[r];
    }
}

/* Rows [row0, row1) and columns [j0, j1) of to (rows, n_out) <- f(from W + b), from (rows, n_in); z: see
   forward_context. A function of whole rows is left to activate_rows. */
static void layer_forward(const fgd_layer *layer, const real *W, const real *from, ptrdiff_t from_ld, real *to,
                          ptrdiff_t to_ld, real *z, int row0, int row1, int j0, int j1, const pack_buffers *buffers) {
    if (j0 >= j1) return;
    if (layer->n_out == 1 && row1 - row0 > DOT_ROWS / 2) {
        forward_single_output(layer, W, from, from_ld, to, to_ld, z, row0, row1);
        return;
    }
    if (row1 - row0 == 1) {
        ptrdiff_t offset = row0 * to_ld + j0;
        forward_row(layer, W + j0, from + row0 * from_ld, j1 - j0, to + offset, z ? z + offset : NULL);
        return;
    }
    forward_context context = {layer, z};
    gemm_product p = {
        .operands = {.k = layer->n_in,
                     .bias = layer->bias,
                     .a = from,
                     .a_row = from_ld,
                     .a_col = 1,
                     .b = W,
                     .b_row = layer->n_out,
                     .b_panel = NR,
                     .c = to,
                     .c_row = to_ld},
        .epilogue = {.kind = forward_epilogue(layer->activation), .tile_done = forward_tile_done, .context = &context},
        .buffers = buffers};
    multiply(&p, row0, row1, j0, j1);
}

/* Whether noise acts on a[l], and whether its values are factors of the gradient. */
static inline int is_noisy(const fgd_workspace *w, const fgd_noise *noise, int l) {
    if (!noise->strength || l >= w->net->L || !w->net->layer[l].noise) return 0;
    return noise->strength[l] > 0 || noise_is_backward[w->net->layer[l].noise];
}
static int is_masked(const fgd_workspace *w, const fgd_noise *noise, int l) {
    return w->at[l].mask && is_noisy(w, noise, l);
}

/* Rows of a[l] <- those of `from` with noise; column n[l], all ones, stays. */
OUT_OF_LINE void add_layer_noise(const fgd_workspace *w, const fgd_noise *noise, int l, const real *from, int row0,
                                 int row1) {
    const fgd_layer *layer = &w->net->layer[l];
    const layer_memory *m = &w->at[l];
    noise_inputs inputs = {
        .kind = layer->noise, .n = layer->n_in, .ld = m->ld, .from = from, .to = m->a, .mask = m->mask};
    add_noise(&inputs, noise, l, row0, row1);
}

/* From the own rows of a[0], all rows of the group of every a[l]. */
static void forward_rows(const fgd_workspace *w, const real *theta, const fgd_noise *noise, const row_group *g) {
    if (is_noisy(w, noise, 0)) add_layer_noise(w, noise, 0, w->at[0].a, g->own0, g->own1);
    if (w->bf16 && w->at[0].a) round_activations(w, 0, g);
    long long band = g->updates.before;
    for (int l = 0, j0, j1; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        const layer_memory *in = &w->at[l], *out = &w->at[l + 1];
        int noisy = is_noisy(w, noise, l + 1), by_row = activation_is_row[layer->activation];
        real *to = noisy ? out->clean : out->a;
        column_range(g->columns, layer->n_out, &j0, &j1);
        row_group_wait(g);
        enter_phase(g->watch, phase_of_layer(FGD_FORWARD, l));
        receive_layer(&g->updates, layer, theta, &band, g->watch);
        const own_columns *own = l == 0 ? g->own : NULL;
        if (w->bf16)
            bf16_layer_forward(w, l, theta, to, !noisy && !by_row, g);
        else if (own)
            layer_forward(&own->layer, own->W, in->a, in->ld, to + j0, out->ld, out->z ? out->z + j0 : NULL, g->row0,
                          g->row1, 0, j1 - j0, buffers_of(w, g->thread));
        else
            layer_forward(layer, theta, in->a, in->ld, to, out->ld, out->z, g->row0, g->row1, j0, j1,
                          buffers_of(w, g->thread));
        if (by_row || noisy) row_group_wait(g);
        activate_rows(layer, to, out->ld, g->own0, g->own1);
        if (noisy) add_layer_noise(w, noise, l + 1, to, g->own0, g->own1);
        if (w->bf16 && (by_row || noisy) && l + 1 < w->net->L) round_activations(w, l + 1, g);
        theta += layer_size(layer);
    }
    row_group_wait(g);
}

/* ---- backward ---- */

/* A finished panel of dL/da <- dL/dz, of an activation that is not an epilogue; it is still in the cache. */
static void backward_panel_done(const gemm_product *p, int i0, int i1, int j, int columns) {
    const fgd_layer *layer = p->epilogue.context; /* the one whose outputs these are the gradients of */
    ptrdiff_t ld = p->operands.c_row, offset = i0 * ld + j;
    activation_backward(layer, i1 - i0, columns, p->epilogue.x + offset, p->operands.c + offset, ld);
}

/* What applies f' of a layer to the gradients of its outputs, computed from x; of whole rows: nothing yet. */
static gemm_epilogue backward_epilogue(const fgd_layer *layer, const real *x) {
    switch (layer->activation) {
#define ACTIVATION(function, of) \
    case ACTIVATION_##of: return (gemm_epilogue){.kind = EPILOGUE_##function, .x = x};
        FGD_EPILOGUES(ACTIVATION, NO_EPILOGUE, ACTIVATION, NO_EPILOGUE)
#undef ACTIVATION
    default:
        if (activation_is_row[layer->activation]) return (gemm_epilogue){.kind = EPILOGUE_store};
        return (gemm_epilogue){.kind = EPILOGUE_store, .x = x, .panel_done = backward_panel_done, .context = layer};
    }
}

/* What the backward function of a[l] takes: z[l] if it is kept, or a[l] before any noise. */
static inline const real *backward_input(const fgd_workspace *w, const fgd_noise *noise, int l) {
    const layer_memory *m = &w->at[l];
    return m->z ? m->z : is_noisy(w, noise, l) ? m->clean : m->a;
}

/* A block of W, to its place in the panels of W transposed; the row of biases is not part of W. */
static void transpose_weights(const fgd_layer *layer, const real *W, real *wt, theta_block b) {
    ptrdiff_t n = layer->n_out;
    int end = b.i1 < layer->n_in ? b.i1 : layer->n_in;
    int streams = (size_t)layer->n_in * (size_t)n * sizeof(real) > 8 * l2_bytes(); /* read only when it has left L3 */
    for (int i = b.i0, rows; i < end; i += rows) {
        rows = NR - i % NR < end - i ? NR - i % NR : end - i;
        real *to = wt + (i / NR * n + b.j0) * NR + i % NR;
        transpose(rows, b.j1 - b.j0, W + i * n + b.j0, n, to, NR, streams && i % VL == 0);
    }
}

/* A thread's part of all W transposed, from layer `first` on, in whole panels. */
static void transpose_all(const fgd_workspace *w, const real *theta, int first, worker self) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        theta_block b = {.j1 = layer->n_out};
        column_range(self, layer->n_in, &b.i0, &b.i1);
        if (l >= first) transpose_weights(layer, theta, w->at[l].wt, b);
        theta += layer_size(layer);
    }
}

/* Elements of all W transposed that a thread may keep: those of the layers from 1 on. */
static ptrdiff_t transposed_size(const fgd_net *net) {
    size_t bytes = 0;
    for (int l = 1; l < net->L; l++) bytes += panels_bytes(&net->layer[l]);
    return (ptrdiff_t)(round_up(bytes, LINE) / sizeof(real));
}

/* W of layer l transposed, as this thread reads it. */
static real *transposed_of(const fgd_workspace *w, int l, const row_group *g) {
    real *wt = g->transposed;
    if (!wt) return w->at[l].wt;
    for (int i = 1; i < l; i++) wt += panels_bytes(&w->net->layer[i]) / sizeof(real);
    return wt;
}

/* By a thread that keeps them: all W transposed. */
static void transpose_own(const fgd_workspace *w, const real *theta, const row_group *g) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        theta_block all = {.i1 = layer->n_in, .j1 = layer->n_out};
        if (l > 0) transpose_weights(layer, theta, transposed_of(w, l, g), all);
        theta += layer_size(layer);
    }
}

/* A thread's columns of c (rows, n_in) <- dz W^T of layer l; p: the result and the epilogue. */
static void layer_backward(const fgd_workspace *w, int l, gemm_product *p, const row_group *g) {
    int j0, j1;
    const fgd_layer *layer = &w->net->layer[l];
    gemm_operands *o = &p->operands;
    column_range(g->columns, layer->n_in, &j0, &j1);
    o->k = layer->n_out;
    o->a = w->at[l + 1].dz;
    o->a_row = w->at[l + 1].ld;
    o->a_col = 1;
    o->b = transposed_of(w, l, g);
    o->b_row = NR;
    o->b_panel = (ptrdiff_t)NR * layer->n_out;
    multiply(p, g->row0, g->row1, j0, j1);
}

/* Rows of a gradient (rows, n[l]), ld apart, *= the mask of a[l]. */
OUT_OF_LINE void apply_mask(const fgd_workspace *w, int l, real *gradient, ptrdiff_t ld, int row0, int row1) {
    int n = w->net->layer[l].n_in;
    for (int r = row0; r < row1; r++) {
        real *row = gradient + r * ld;
        multiply_values(n, row, w->at[l].mask + r * w->at[l].ld, row);
    }
}

/* From the own rows of dL/da[L], in dz[L], all rows of the group of every dz[l], l >= 1. */
static void backward_rows(const fgd_workspace *w, const fgd_noise *noise, const row_group *g) {
    int L = w->net->L;
    const fgd_layer *layer = w->net->layer;
    activation_backward_rows(&layer[L - 1], backward_input(w, noise, L), w->at[L].dz, w->at[L].ld, g->own0, g->own1);
    if (w->bf16) round_gradients(w, L, g);
    for (int l = L - 1; l > 0; l--) {
        const fgd_layer *before = &layer[l - 1];
        const layer_memory *m = &w->at[l];
        const real *x = backward_input(w, noise, l);
        gemm_product p = {.operands = {.c = m->dz, .c_row = m->ld}, .epilogue = backward_epilogue(before, x)};
        int masked = is_masked(w, noise, l), by_row = activation_is_row[before->activation];
        row_group_wait(g);
        enter_phase(g->watch, phase_of_layer(FGD_BACKWARD, l));
        if (w->bf16)
            bf16_layer_backward(w, l, x, !masked && !by_row, g);
        else
            layer_backward(w, l, &p, g);
        if (masked || by_row) row_group_wait(g);
        if (masked) apply_mask(w, l, m->dz, m->ld, g->own0, g->own1);
        if (by_row) activation_backward_rows(before, x, m->dz, m->ld, g->own0, g->own1);
        if (w->bf16 && (masked || by_row)) round_gradients(w, l, g);
    }
}

#endif
