/*
 * gradient.h: the third product of a layer, dW = a[l]^T dz[l + 1], whose finished tiles go straight into the update of
 * theta, or to grad; and the transposed weights that the next step's way back reads.
 */
#ifndef FGD_GRADIENT_H
#define FGD_GRADIENT_H

#include "../kernels/gemm.h"
#include "../kernels/update.h"
#include "layers.h"
#include "partition.h"
#include "workspace.h"

/* Where a gradient goes: straight into theta, or, with update NULL, to grad. */
typedef struct {
    const update_context *update;
    real *grad; /* (size,) */
    int adds;       /* 1: goes on from the sums that grad holds */
    int whole_rows; /* 1: a thread takes rows of all columns, as what comes after the gradient needs them */
    int transposes; /* 1: after an update, W transposed is made anew: another step comes */
    const fgd_layer *layer; /* and its W transposed, or NULL: set for each layer */
    real *wt;
} gradient_sink;

/* A gradient that was made transposed, as few outputs would leave most lanes of a vector empty: tile (n_out, inputs). */
enum { NARROW = 4 };
typedef struct {
    const gradient_sink *sink;
    ptrdiff_t at;      /* of the product's first column in theta */
    int inputs, n_out; /* the product's size: n_out <= NARROW    */
} narrow_sink;

static void narrow_done(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const narrow_sink *to = p->context;
    int n = to->n_out, columns = to->inputs - j < NR ? to->inputs - j : NR;
    real row[NR], gradient[NR * NARROW];
    (void)i, (void)last;
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) v_store(row + v * VL, tile[r][v]);
        for (int c = 0; c < columns; c++) gradient[c * n + r] = row[c];
    }
    ptrdiff_t at = to->at + (ptrdiff_t)j * n;
    if (to->sink->update)
        update_flat(to->sink->update, at, gradient, (ptrdiff_t)columns * n);
    else
        memcpy(to->sink->grad + at, gradient, (size_t)(columns * n) * sizeof *gradient);
}

/* Rows [i0, i1) of a panel of columns of W, just updated, to W transposed. */
static void transpose_panel(const product *p, int i0, int i1, int j, int columns) {
    const gradient_sink *sink = p->context;
    transpose_weights(sink->layer, sink->update->theta + p->c_in_theta, sink->wt, (patch){i0, i1, j, j + columns});
}

/* Numbers of a gradient that are made before they are used: they stay in L1 or L2. */
enum { UPDATE_BLOCK = 1 << 13 };

/*
 * Rows [i0, i1) of a gradient, a block of whole rows at a time: all blocks in the place of the first in grad, unless they
 * go on from sums there.  A block is one piece of theta and of each slot: a rule that moves much memory does it in order,
 * as prefetchers like it.
 */
static void update_blocks(const product *p, int i0, int i1) {
    const gradient_sink *sink = p->context;
    const update_context *u = sink->update;
    int n = sink->layer->n_out, most = MR * n < UPDATE_BLOCK ? UPDATE_BLOCK / (MR * n) * MR : MR;
    int blocks = (i1 - i0 + most - 1) / most;
    for (int b = 0; b < blocks; b++) {
        patch part = {i0 + (int)share(i1 - i0, b, blocks), i0 + (int)share(i1 - i0, b + 1, blocks), 0, n};
        int rows = part.i1 - part.i0;
        product block = *p;
        block.a = p->a + part.i0;
        block.c = p->c + (ptrdiff_t)(p->adds ? part.i0 : i0) * n;
        multiply(&block, 0, rows, 0, n);
        update_flat(u, p->c_in_theta + (ptrdiff_t)part.i0 * n, block.c, (ptrdiff_t)rows * n);
        if (sink->wt) transpose_weights(sink->layer, u->theta + p->c_in_theta, sink->wt, part);
    }
}

/* layer_gradient of at most NARROW outputs: made transposed, vectors along the inputs. */
static void narrow_gradient(const fgd_workspace *w, int l, int rows, const gradient_sink *to, ptrdiff_t at,
                            patch part) {
    const fgd_layer *layer = to->layer;
    int n = layer->n_out, inputs = part.i1 - part.i0;
    narrow_sink narrow = {to, at + (ptrdiff_t)part.i0 * n, inputs, n};
    product p = {.k = rows,
                 .whole_k = 1,
                 .a = w->dz[l + 1],
                 .a_row = 1,
                 .a_col = w->ld[l + 1],
                 .b = w->a[l] + part.i0,
                 .b_row = w->ld[l],
                 .b_panel = NR,
                 .tile_done = narrow_done,
                 .context = &narrow};
    multiply(&p, 0, n, 0, inputs);
    if (to->wt) transpose_weights(layer, to->update->theta + at, to->wt, part);
}

/* A patch of dW (n_in + 1, n_out) = a^T dz of layer l over `rows` rows, to the sink; at: the layer's place in theta. */
static void layer_gradient(const fgd_workspace *w, int l, int rows, const gradient_sink *sink, ptrdiff_t at,
                           patch part) {
    const fgd_layer *layer = sink->layer;
    int n = layer->n_out;
    if (n <= NARROW && !sink->adds) {
        narrow_gradient(w, l, rows, sink, at, part);
        return;
    }
    product p = {.k = rows,
                 .a = w->a[l],
                 .a_row = 1,
                 .a_col = w->ld[l],
                 .b = w->dz[l + 1],
                 .b_row = w->ld[l + 1],
                 .b_panel = NR,
                 .adds = sink->adds,
                 .c = sink->grad + at,
                 .c_row = n,
                 .finish = FINISH_store,
                 .update = sink->update,
                 .c_in_theta = at,
                 .context = sink};
    if (!sink->update) {
        multiply(&p, part.i0, part.i1, part.j0, part.j1);
    } else if (sink->update->rule == RULE_sgd) {
        p.finish = FINISH_sgd;
        p.panel_done = sink->wt ? transpose_panel : NULL;
        p.fetches = is_far(block_rows(layer), n);
        multiply(&p, part.i0, part.i1, part.j0, part.j1);
    } else {
        update_blocks(&p, part.i0, part.i1);
    }
}

/* A seat's part of every dW over `rows` rows, to the sink. */
static void gradients(const fgd_workspace *w, int rows, gradient_sink *sink, seat seat, grid grid) {
    ptrdiff_t at = 0;
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        int m = block_rows(layer), n = layer->n_out;
        patch part = sink->whole_rows || n <= NARROW ? whole_rows(seat, m, n) : patch_of(seat, grid, m, n);
        sink->layer = layer;
        sink->wt = sink->update && sink->transposes && l > 0 ? w->wt[l] : NULL;
        layer_gradient(w, l, rows, sink, at, part);
        at += block_size(layer);
    }
}

#endif
