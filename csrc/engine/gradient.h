/*
 * gradient.h: the third product of a layer, dW = a[l]^T dz[l + 1].  Its finished tiles update theta directly or are
 * written to grad; after an update, W is transposed for the next step's backward pass.
 */
#ifndef FGD_GRADIENT_H
#define FGD_GRADIENT_H

#include "../kernels/gemm.h"
#include "../kernels/update.h"
#include "bf16_gradient.h"
#include "gradient_sink.h"
#include "layers.h"
#include "partition.h"
#include "workspace.h"

typedef struct {
    const gradient_sink *sink;
    ptrdiff_t offset;  /* of the product's first column in theta */
    int inputs, n_out; /* the product's columns and rows */
} small_n_context;

static void small_n_tile_done(const gemm_product *p, int i, int rows, int j, int vectors, lanes last,
                              vec tile[MR][NV]) {
    const small_n_context *to = p->epilogue.context;
    const gradient_sink *sink = to->sink;
    int n = to->n_out, columns = to->inputs - j < NR ? to->inputs - j : NR;
    real row[NR], gradient[NR * SMALL_N];
    (void)i;
    (void)last;
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) v_store(row + v * VL, tile[r][v]);
        for (int c = 0; c < columns; c++) gradient[c * n + r] = row[c];
    }
    ptrdiff_t offset = to->offset + (ptrdiff_t)j * n;
    if (sink->update)
        update_flat(sink->update, offset, gradient, (ptrdiff_t)columns * n);
    else
        memcpy(sink->grad + offset, gradient, (size_t)(columns * n) * sizeof *gradient);
}

/* layer_gradient of at most SMALL_N outputs: computed transposed, with vectors along the inputs.  So are sums that start
   at grad if there is a single output, because that is its own transpose. */
static void small_n_gradient(const fgd_workspace *w, int l, int rows, const gradient_sink *sink, ptrdiff_t offset,
                             theta_block b) {
    int n = sink->layer->n_out, inputs = b.i1 - b.i0;
    small_n_context context = {sink, offset + (ptrdiff_t)b.i0 * n, inputs, n};
    gemm_product p = {.operands = {.k = rows,
                                   .whole_k = 1,
                                   .accumulate = sink->accumulate,
                                   .a = w->at[l + 1].dz + sink->first_row * w->at[l + 1].ld,
                                   .a_row = 1,
                                   .a_col = w->at[l + 1].ld,
                                   .b = w->at[l].a + sink->first_row * w->at[l].ld + b.i0,
                                   .b_row = w->at[l].ld,
                                   .b_panel = NR,
                                   .c = sink->grad + context.offset},
                      .epilogue = {.kind = EPILOGUE_callback, .tile_done = small_n_tile_done, .context = &context}};
    multiply(&p, 0, n, 0, inputs);
    if (sink->wt) transpose_weights(sink->layer, sink->update->theta + offset, sink->wt, b);
}

/* Rows [i0, i1) of a panel of W, just updated, to W transposed. */
static void transpose_panel(const gemm_product *p, int i0, int i1, int j, int columns) {
    const gradient_sink *sink = p->epilogue.context;
    theta_block b = {.i0 = i0, .i1 = i1, .j0 = j, .j1 = j + columns};
    transpose_weights(sink->layer, sink->update->theta + p->epilogue.theta_offset, sink->wt, b);
}

/* Elements of a gradient that are computed before they are used: they stay in L1 or L2. */
enum { UPDATE_BLOCK = 1 << 13 };

/*
 * Rows [i0, i1) of a gradient, a block of whole rows at a time: all in the place of the first block in grad, unless
 * they start at sums there.  A block is contiguous in theta and in each slot of state: a rule that moves much memory
 * accesses it in order, as prefetchers expect.
 */
static void update_blocks(const gemm_product *p, int i0, int i1) {
    const gradient_sink *sink = p->epilogue.context;
    const update_context *u = sink->update;
    ptrdiff_t offset = p->epilogue.theta_offset;
    int n = sink->layer->n_out, max_rows = MR * n < UPDATE_BLOCK ? UPDATE_BLOCK / (MR * n) * MR : MR;
    int blocks = (i1 - i0 + max_rows - 1) / max_rows;
    for (int number = 0; number < blocks; number++) {
        theta_block b = {.i0 = i0 + (int)partition(i1 - i0, number, blocks),
                         .i1 = i0 + (int)partition(i1 - i0, number + 1, blocks),
                         .j0 = 0,
                         .j1 = n};
        int rows = b.i1 - b.i0;
        gemm_product part = *p;
        part.operands.a = p->operands.a + b.i0;
        part.operands.c = p->operands.c + (ptrdiff_t)(p->operands.accumulate ? b.i0 : i0) * n;
        multiply(&part, 0, rows, 0, n);
        update_flat(u, offset + (ptrdiff_t)b.i0 * n, part.operands.c, (ptrdiff_t)rows * n);
        if (sink->wt) transpose_weights(sink->layer, u->theta + offset, sink->wt, b);
    }
}

/* The epilogue that applies a rule. */
static int update_epilogue(int rule) {
    switch (rule) {
#define RULE(function, of) \
    case RULE_##of: return EPILOGUE_##function;
        FGD_EPILOGUES(NO_EPILOGUE, NO_EPILOGUE, NO_EPILOGUE, RULE)
#undef RULE
    default: return EPILOGUE_callback;
    }
}

/* A block of dW (n_in + 1, n_out) = a^T dz of layer l over `rows` rows, to the sink; offset: of the layer in theta. */
static void layer_gradient(const fgd_workspace *w, int l, int rows, const gradient_sink *sink, ptrdiff_t offset,
                           const real *dz, theta_block b) {
    const fgd_layer *layer = sink->layer;
    int n = layer->n_out, fused = sink->update ? update_epilogue(sink->update->rule) : EPILOGUE_callback;
    if (n <= SMALL_N && (n == 1 || !sink->accumulate)) {
        small_n_gradient(w, l, rows, sink, offset, b);
        return;
    }
    gemm_product p = {
        .operands = {.k = rows,
                     .accumulate = sink->accumulate,
                     .a = w->at[l].a + sink->first_row * w->at[l].ld,
                     .a_row = 1,
                     .a_col = w->at[l].ld,
                     .b = dz + sink->first_row * w->at[l + 1].ld,
                     .b_row = w->at[l + 1].ld,
                     .b_panel = NR,
                     .c = sink->grad + offset,
                     .c_row = n},
        .epilogue = {.kind = EPILOGUE_store, .update = sink->update, .theta_offset = offset, .context = sink},
        .buffers = sink->buffers};
    if (fused != EPILOGUE_callback) {
        p.epilogue.kind = fused;
        p.epilogue.panel_done = sink->wt ? transpose_panel : NULL;
        p.epilogue.prefetch_theta = exceeds_l2(layer_rows(layer), n);
    }
    if (sink->update && fused == EPILOGUE_callback)
        update_blocks(&p, b.i0, b.i1);
    else
        multiply(&p, b.i0, b.i1, b.j0, b.j1);
}

/* layer_gradient of the columns of the first layer that a thread keeps; their update is part of the product. */
static void own_gradient(const fgd_workspace *w, int rows, const gradient_sink *sink) {
    const own_columns *own = sink->own;
    update_context update = *sink->update;
    gradient_sink part = *sink;
    update.theta = own->W;
    part.update = &update;
    part.layer = &own->layer;
    part.grad += (ptrdiff_t)layer_rows(part.layer) * own->j0; /* for partial sums, of each thread in its own place */
    theta_block all = {.i1 = layer_rows(part.layer), .j1 = part.layer->n_out};
    layer_gradient(w, 0, rows, &part, 0, w->at[1].dz + own->j0, all);
}

/* A thread's part of every dW over `rows` rows, to the sink. */
static void gradients(const fgd_workspace *w, int rows, gradient_sink *sink, worker self, thread_grid grid) {
    ptrdiff_t offset = w->inputs_size;
    if (w->bf16) {
        bf16_gradients(w, rows, sink, self, grid);
        return;
    }
    sink->buffers = buffers_of(w, self.rank);
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        int m = layer_rows(layer), n = layer->n_out;
        theta_block b = sink->whole_rows || n <= SMALL_N ? row_block(self, m, n) : block_of(self, grid, m, n);
        sink->layer = layer;
        enter_phase(sink->watch, phase_of_layer(FGD_UPDATE, l));
        sink->wt = sink->update && sink->transposes && is_transposed(w->net, l) ? w->at[l].wt : NULL;
        if (l == 0 && sink->own)
            own_gradient(w, rows, sink);
        else
            layer_gradient(w, l, rows, sink, offset, w->at[l + 1].dz, b);
        offset += layer_size(layer);
    }
}

#endif
