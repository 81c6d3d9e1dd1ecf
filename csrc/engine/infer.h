/*
 * infer.h: prediction.  A few rows at a time go through all layers, so that their activations stay in L2.
 */
#ifndef FGD_INFER_H
#define FGD_INFER_H

#include <stdatomic.h>

#include "../kernels/gather.h"
#include "layers.h"
#include "team.h"
#include "tuner.h"
#include "workspace.h"

/* Maximum of those rows; and elements of scratch memory up to which it is on the stack. */
enum { PREDICT_ROWS = 126, STACK_SCRATCH = 4096 };

/* Whether a product can read X in place. */
static int reads_in_place(const fgd_table *X) {
    return X->type == TYPE_real && X->stride % (ptrdiff_t)sizeof(real) == 0 && !same_cache_set(X->stride);
}

/* Rows [row0, row0 + rows) of X to Z, through two matrices of activations in `scratch`.  Returns 0 if X is not finite
   there. */
static int predict_rows(const fgd_net *net, const real *theta, const fgd_table *X, real *Z, ptrdiff_t row0, int rows,
                        ptrdiff_t ld, real *scratch, const pack_buffers *buffers) {
    real *hidden[2] = {scratch, scratch + rows * ld};
    const real *from = hidden[1];
    ptrdiff_t from_ld = ld;
    if (reads_in_place(X)) {
        from = (const real *)row_at(X, NULL, row0);
        from_ld = X->stride / (ptrdiff_t)sizeof(real);
    } else {
        read_table(X, row0, row0 + rows, hidden[1], ld);
    }
    if (!all_finite(from, from_ld, rows, X->width)) return 0;
    for (int l = 0; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        int last = l == net->L - 1;
        real *to = last ? Z + row0 * layer->n_out : hidden[l % 2];
        ptrdiff_t to_ld = last ? layer->n_out : ld;
        layer_forward(layer, theta, from, from_ld, to, to_ld, NULL, 0, rows, 0, layer->n_out, buffers);
        activate_rows(layer, to, to_ld, 0, rows);
        from = to;
        from_ld = ld;
        theta += layer_size(layer);
    }
    return 1;
}

typedef struct {
    const fgd_net *net;
    const real *theta;
    const fgd_table *X;
    real *Z, *scratch;
    int batches;                  /* of rows */
    ptrdiff_t ld, matrices;       /* of the matrices in scratch, and their elements */
    pack_sizes sizes;             /* of the copies behind them */
    ptrdiff_t thread_scratch;     /* elements of scratch per thread */
    atomic_int next;              /* batch that no thread has taken: one without a core holds up no other */
    atomic_int status;
} predict_call;

static void run_predict(void *argument, worker self) {
    predict_call *call = argument;
    real *scratch = call->scratch + self.rank * call->thread_scratch;
    pack_buffers buffers = pack_buffers_at((char *)(scratch + call->matrices), call->sizes);
    for (int b; (b = atomic_fetch_add_explicit(&call->next, 1, memory_order_relaxed)) < call->batches;) {
        ptrdiff_t row0 = partition(call->X->count, b, call->batches);
        ptrdiff_t row1 = partition(call->X->count, b + 1, call->batches);
        if (predict_rows(call->net, call->theta, call->X, call->Z, row0, (int)(row1 - row0), call->ld, scratch,
                         &buffers))
            continue;
        atomic_store_explicit(&call->status, FGD_NOT_FINITE, memory_order_relaxed); /* published as the team ends */
    }
}

static fgd_status predict(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int n_threads) {
    int max_width = 0;
    for (int l = 0; l < net->L; l++) max_width = net->layer[l].n_in > max_width ? net->layer[l].n_in : max_width;
    ptrdiff_t rows = X->count < PREDICT_ROWS ? X->count : PREDICT_ROWS, ld = odd_lines(max_width);
    int batches = (int)((X->count + PREDICT_ROWS - 1) / PREDICT_ROWS);
    int threads = useful_threads(n_threads, forward_flops(net, X->count), MIN_FLOPS_OF_PREDICTION);
    batches = (batches + threads - 1) / threads * threads; /* the same number for each thread */
    if (batches > X->count) batches = (int)X->count;
    if (threads > batches) threads = batches > 0 ? batches : 1;
    predict_call call = {.net = net,
                         .theta = theta,
                         .X = X,
                         .Z = Z,
                         .batches = batches,
                         .ld = ld,
                         .matrices = 2 * rows * ld,
                         .sizes = {.panel = rows < MIN_TILES * MR ? 0 : pack_sizes_of(net, rows).panel},
                         .status = FGD_OK};
    call.thread_scratch = call.matrices + 2 * call.sizes.panel;

    real on_stack[STACK_SCRATCH];
    ptrdiff_t scratch = call.thread_scratch * threads;
    call.scratch = scratch > STACK_SCRATCH ? alloc_aligned((size_t)scratch * sizeof(real)) : on_stack;
    if (!call.scratch) return FGD_NO_MEMORY;
    run_team(threads, run_predict, &call);
    if (call.scratch != on_stack) free_aligned(call.scratch);
    return (fgd_status)atomic_load(&call.status);
}

#endif
