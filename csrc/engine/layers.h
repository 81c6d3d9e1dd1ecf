/*
 * layers.h: the two products of a layer on rows of its matrices, and what is done to their finished tiles.
 *
 *   forward    a[l + 1] = f(a[l] W + b)          forward_done: f
 *   backward   dz[l] = (dz[l + 1] W^T) f'(a[l])  backward_done: f'
 */
#ifndef FGD_LAYERS_H
#define FGD_LAYERS_H

#include "../kernels/gemm.h"
#include "../kernels/gemv.h"
#include "../kernels/transpose.h"
#include "../tables/activations.h"
#include "../tables/noise.h"
#include "partition.h"
#include "workspace.h"

#define NOTHING(name)

/* tile <- f(tile) */
static void activate(const fgd_layer *layer, int rows, int vectors, vec tile[MR][NV]) {
    const double *c = layer->params;
    switch (layer->activation) {
#define ROW(name)                                                                         \
    case ACTIVATION_##name:                                                               \
        for (int r = 0; r < rows; r++)                                                    \
            for (int v = 0; v < vectors; v++) tile[r][v] = name##_forward(tile[r][v], c); \
        return;
        FGD_ACTIVATIONS(ROW, ROW, NOTHING)
#undef ROW
    }
}

/* Rows [row0, row1) of z <- f(z), of a function of whole rows. */
static void activate_rows(const fgd_layer *layer, real *z, ptrdiff_t ld, int row0, int row1) {
    switch (layer->activation) {
#define ROW(name)                                                                                  \
    case ACTIVATION_##name:                                                                        \
        for (int r = row0; r < row1; r++) name##_forward(layer->n_out, z + r * ld, layer->params); \
        return;
        FGD_ACTIVATIONS(NOTHING, NOTHING, ROW)
#undef ROW
    }
}

typedef struct {
    const fgd_layer *layer;
    real *z; /* laid out like c: where z is kept for an activation that needs it, or NULL */
} forward_context;

static void forward_done(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const forward_context *context = p->context;
    if (context->z) save_tile(context->z + i * p->c_row + j, p->c_row, rows, vectors, last, tile);
    activate(context->layer, rows, vectors, tile);
    save_tile(p->c + i * p->c_row + j, p->c_row, rows, vectors, last, tile);
}

/* What is compiled into the kernels for f, and for f'. */
static int forward_finish(int activation) {
    if (activation == ACTIVATION_identity) return FINISH_store;
    return activation == ACTIVATION_relu ? FINISH_relu : FINISH_tile;
}
static int slope_finish(int activation) {
    switch (activation) {
    case ACTIVATION_identity: return FINISH_store;
    case ACTIVATION_relu: return FINISH_relu_slope;
    case ACTIVATION_sigmoid: return FINISH_sigmoid_slope;
    case ACTIVATION_tanh: return FINISH_tanh_slope;
    default: return FINISH_tile;
    }
}

/* x (n,) <- f(x) */
static void activate_row(const fgd_layer *layer, int n, real *x) {
    for (int j = 0; j < n; j += VL) {
        lanes m = v_lanes(n - j);
        vec tile[MR][NV] = {{v_load_part(x + j, m)}};
        activate(layer, 1, 1, tile);
        v_store_part(x + j, tile[0][0], m);
    }
}

/* n columns of layer_forward of one row. */
static void row_forward(const fgd_layer *layer, const real *block, const real *from, int n, real *to, real *z) {
    const real *bias = layer->bias ? block + (ptrdiff_t)layer->n_in * layer->n_out : NULL;
    row_product(layer->n_in, from, block, layer->n_out, bias, n, to);
    if (z) memcpy(z, to, (size_t)n * sizeof *z);
    activate_row(layer, n, to);
}

/* layer_forward of one output. */
static void single_forward(const fgd_layer *layer, const real *block, const real *from, ptrdiff_t from_ld, real *to,
                           ptrdiff_t to_ld, real *z, int row0, int row1) {
    enum { ROWS = 2 * DOT_ROWS };
    for (int row = row0, rows; row < row1; row += rows) {
        rows = row1 - row < ROWS ? row1 - row : ROWS;
        real sum[ROWS];
        for (int r = 0; r < rows; r += DOT_ROWS)
            dot_rows(layer->n_in, from + (row + r) * from_ld, from_ld, rows - r, block, sum + r);
        for (int r = 0; layer->bias && r < rows; r++) sum[r] += block[layer->n_in];
        for (int r = 0; z && r < rows; r++) z[(row + r) * to_ld] = sum[r];
        activate_row(layer, rows, sum);
        for (int r = 0; r < rows; r++) to[(row + r) * to_ld] = sum[r];
    }
}

/* Columns [j0, j1) of to (rows, n_out) <- f(from W + b), from (rows, n_in); W, b: the layer's
   block of theta; z: see forward_context.  What is a function of whole rows comes later: activate_rows. */
static void layer_forward(const fgd_layer *layer, const real *block, const real *from, ptrdiff_t from_ld, real *to,
                          ptrdiff_t to_ld, real *z, int row0, int row1, int j0, int j1) {
    if (j0 == j1) return;
    if (layer->n_out == 1 && row1 - row0 > DOT_ROWS / 2) {
        single_forward(layer, block, from, from_ld, to, to_ld, z, row0, row1);
        return;
    }
    if (row1 - row0 == 1 && j1 - j0 > NR) {
        ptrdiff_t at = row0 * to_ld + j0;
        row_forward(layer, block + j0, from + row0 * from_ld, j1 - j0, to + at, z ? z + at : NULL);
        return;
    }
    forward_context context = {layer, z};
    product p = {.k = layer->n_in,
                 .biased = layer->bias,
                 .a = from,
                 .a_row = from_ld,
                 .a_col = 1,
                 .b = block,
                 .b_row = layer->n_out,
                 .b_panel = NR,
                 .c = to,
                 .c_row = to_ld,
                 .finish = forward_finish(layer->activation),
                 .tile_done = forward_done,
                 .context = &context};
    multiply(&p, row0, row1, j0, j1);
}

/* Whether noise disturbs a[l]. */
static int is_disturbed(const fgd_workspace *w, const fgd_noise *noise, int l) {
    return noise->strength && l < w->net->L && w->net->layer[l].noise && noise->strength[l] > 0;
}

/* Rows of a[l] <- those of `from`, as noise disturbs them; column n, all ones, stays. */
static void disturb_inputs(const fgd_workspace *w, const fgd_noise *noise, int l, const real *from, int row0,
                           int row1) {
    const fgd_layer *layer = &w->net->layer[l];
    noise_inputs inputs = {layer->noise, layer->n_in, w->ld[l], from, w->a[l], w->keep[l]};
    add_noise(&inputs, noise, l, row0, row1);
}

/* a[0] of a band's own rows is there; on return those of all a[l] are. */
static void forward_rows(const fgd_workspace *w, const real *theta, const fgd_noise *noise, const band *b) {
    if (is_disturbed(w, noise, 0)) disturb_inputs(w, noise, 0, w->a[0], b->own0, b->own1);
    for (int l = 0, j0, j1; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        int disturbed = is_disturbed(w, noise, l + 1);
        real *to = disturbed ? w->x[l + 1] : w->a[l + 1];
        columns_of(b->columns, layer->n_out, &j0, &j1);
        band_wait(b);
        layer_forward(layer, theta, w->a[l], w->ld[l], to, w->ld[l + 1], w->z[l + 1], b->row0, b->row1, j0, j1);
        if (activation_is_row[layer->activation] || disturbed) band_wait(b);
        activate_rows(layer, to, w->ld[l + 1], b->own0, b->own1);
        if (disturbed) disturb_inputs(w, noise, l + 1, to, b->own0, b->own1);
        theta += block_size(layer);
    }
    band_wait(b);
}

/* What the backward function of a[l] reads: z[l] where it was kept, or a[l] as it was before any noise. */
static const real *backward_input(const fgd_workspace *w, const fgd_noise *noise, int l) {
    return w->z[l] ? w->z[l] : is_disturbed(w, noise, l) ? w->x[l] : w->a[l];
}

/* dz (n_out,) <- dz f'(z), through x (n_out,) */
static void slope(const fgd_layer *layer, const real *x, real *dz) {
    const double *c = layer->params;
    int n = layer->n_out;
    switch (layer->activation) {
#define WHOLE(name) \
    case ACTIVATION_##name: name##_backward(n, x, dz, c); return;
#define ROW(name)                                                                                          \
    case ACTIVATION_##name:                                                                                \
        for (int j = 0; j < n; j += VL) {                                                                  \
            lanes in = v_lanes(n - j);                                                                     \
            v_store_part(dz + j, name##_backward(v_load_part(x + j, in), v_load_part(dz + j, in), c), in); \
        }                                                                                                  \
        return;
        FGD_ACTIVATIONS(ROW, ROW, WHOLE)
#undef ROW
#undef WHOLE
    }
}

/* The same for rows [row0, row1) of matrices whose rows are ld apart. */
static void slope_rows(const fgd_layer *layer, const real *x, real *dz, ptrdiff_t ld, int row0, int row1) {
    if (layer->activation == ACTIVATION_identity) return;
    for (int r = row0; r < row1; r++) slope(layer, x + r * ld, dz + r * ld);
}

static void backward_done(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const fgd_layer *layer = p->context; /* whose gradient this is */
    const double *c = layer->params;
    const real *x = p->x + i * p->c_row + j;
    switch (layer->activation) {
#define ROW(name)                                                                                                  \
    case ACTIVATION_##name:                                                                                        \
        for (int r = 0; r < rows; r++)                                                                             \
            for (int v = 0; v < vectors; v++)                                                                      \
                tile[r][v] = name##_backward(v_load_part(x + r * p->c_row + v * VL, tile_lanes(v, vectors, last)), \
                                             tile[r][v], c);                                                       \
        break;
        FGD_ACTIVATIONS(ROW, ROW, NOTHING)
#undef ROW
    }
    save_tile(p->c + i * p->c_row + j, p->c_row, rows, vectors, last, tile);
}

/* A W of more than this has left the caches before its transposed is read. */
enum { CACHED_BYTES = 1 << 23 };

/* Of W (n_in, n_out) a patch, to its places in the panels of W transposed; rows of biases are none of W. */
static void transpose_weights(const fgd_layer *layer, const real *W, real *wt, patch p) {
    ptrdiff_t n = layer->n_out;
    int end = p.i1 < layer->n_in ? p.i1 : layer->n_in;
    int leaves = (size_t)layer->n_in * (size_t)n * sizeof(real) > CACHED_BYTES;
    for (int i = p.i0, rows; i < end; i += rows) {
        rows = NR - i % NR < end - i ? NR - i % NR : end - i;
        real *to = wt + (i / NR * n + p.j0) * NR + i % NR;
        transpose(rows, p.j1 - p.j0, W + i * n + p.j0, n, to, NR, leaves && i % VL == 0);
    }
}

/* A thread's columns of to (rows, n_in) <- dz W^T, finished as the caller says */
static void layer_backward(const fgd_layer *layer, const real *wt, const real *dz, ptrdiff_t dz_ld, product *p,
                           const band *b) {
    int j0, j1;
    columns_of(b->columns, layer->n_in, &j0, &j1);
    p->k = layer->n_out;
    p->a = dz, p->a_row = dz_ld, p->a_col = 1;
    p->b = wt, p->b_row = NR, p->b_panel = (ptrdiff_t)NR * layer->n_out;
    multiply(p, b->row0, b->row1, j0, j1);
}

/* Whether noise has multiplied a[l]. */
static int is_kept(const fgd_workspace *w, const fgd_noise *noise, int l) {
    return w->keep[l] && is_disturbed(w, noise, l);
}

/* Rows of a gradient g (rows, n[l]), ld apart <- g keep[l]: once more what noise has done to a[l]. */
static void keep_rows(const fgd_workspace *w, int l, real *g, ptrdiff_t ld, int row0, int row1) {
    int n = w->net->layer[l].n_in;
    for (int r = row0; r < row1; r++) {
        const real *keep = w->keep[l] + r * w->ld[l];
        for (int j = 0; j < n; j += VL) {
            lanes m = v_lanes(n - j);
            real *at = g + r * ld + j;
            v_store_part(at, v_mul(v_load_part(at, m), v_load_part(keep + j, m)), m);
        }
    }
}

/* dz[L] (rows, n) holds dL/da[L] of a band's own rows; on return all dz[l], l >= 1, hold dL/dz. */
static void backward_rows(const fgd_workspace *w, const fgd_noise *noise, const band *b) {
    int L = w->net->L;
    const fgd_layer *layer = w->net->layer;
    slope_rows(&layer[L - 1], backward_input(w, noise, L), w->dz[L], w->ld[L], b->own0, b->own1);
    for (int l = L - 1; l > 0; l--) {
        const real *x = backward_input(w, noise, l);
        product p = {.c = w->dz[l],
                     .c_row = w->ld[l],
                     .finish = slope_finish(layer[l - 1].activation),
                     .x = x,
                     .tile_done = backward_done,
                     .context = &layer[l - 1]};
        int kept = is_kept(w, noise, l), by_row = activation_is_row[layer[l - 1].activation];
        band_wait(b);
        layer_backward(&layer[l], w->wt[l], w->dz[l + 1], w->ld[l + 1], &p, b);
        if (kept || by_row) band_wait(b);
        if (kept) keep_rows(w, l, w->dz[l], w->ld[l], b->own0, b->own1);
        if (by_row) slope_rows(&layer[l - 1], x, w->dz[l], w->ld[l], b->own0, b->own1);
    }
}

#endif
