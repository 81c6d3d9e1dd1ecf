/*
 * infer.h: prediction.  A few rows at a time go through all layers, so that their activations stay in the cache.
 *
 * Each thread has a share of the rows.  It takes batches of its own, then those that other threads have not begun: one
 * without a core holds up no other.  Where rows are few and weights many, threads that the caller asks for form row
 * groups (partition.h) as in training: each reads a part of the weights, which stays in the caches of its core from
 * call to call.
 */
#ifndef FGD_INFER_H
#define FGD_INFER_H

#include <stdatomic.h>

#include "../kernels/gather.h"
#include "layers.h"
#include "team.h"
#include "tuner.h"
#include "workspace.h"

/* Maximum number of rows in a batch; bytes of memory up to which it is on the stack. */
enum { PREDICT_ROWS = 126, STACK_BYTES = 1 << 15 };

/* The batches of a thread: from number `next`, the first that no thread has taken, up to `end`. */
typedef struct {
    _Alignas(LINE) atomic_int next;
    int end;
} batch_share;

typedef struct {
    const fgd_net *net;
    const real *theta;
    const fgd_table *X;
    real *Z;
    int threads, batches;  /* to start; of rows, 0: one row group or several compute all rows */
    ptrdiff_t rows, ld;    /* of a matrix of activations */
    batch_share *shares;   /* (threads,) */
    spin_barrier *barrier; /* (threads,) of row groups */
    real *matrices;        /* two of each thread, or of all threads if batches is 0 */
    char *copies;          /* of each thread, for products */
    pack_sizes sizes;      /* of those */
    atomic_int status;
} predict_call;

/* Elements of two matrices. */
static ptrdiff_t matrices_size(const predict_call *call) { return 2 * call->rows * call->ld; }

/* Whether a product can read X in place. */
static int reads_in_place(const fgd_table *X) {
    return X->type == TYPE_real && X->stride % (ptrdiff_t)sizeof(real) == 0 && !same_cache_set(X->stride);
}

/* Rows of X from number `first` on, as a product reads them: in place, or the own rows of a group in `copy`. */
static const real *input_rows(const fgd_table *X, ptrdiff_t first, const row_group *g, real *copy, ptrdiff_t *ld) {
    if (!reads_in_place(X)) {
        read_table(X, first + g->own0, first + g->own1, copy + g->own0 * *ld, *ld);
        return copy;
    }
    *ld = X->stride / (ptrdiff_t)sizeof(real);
    return (const real *)row_at(X, NULL, first);
}

/* Of several, the least takes precedence: an X that is not finite, then its codes, then outputs that are not finite. */
static void report(predict_call *call, int status) {
    int before = atomic_load(&call->status);
    while ((before == FGD_OK || status < before) && !atomic_compare_exchange_weak(&call->status, &before, status)) {}
}

/* From the own rows of X, those of the first layer's inputs in hidden[1]: each input layer writes where it does not
   read. */
static const real *predict_inputs(predict_call *call, const real *from, ptrdiff_t *ld, const row_group *g,
                                  real *const *hidden) {
    const fgd_net *net = call->net;
    const real *theta = call->theta;
    for (int i = 0, fits = 1; i < net->n_inputs; i++) {
        const fgd_input_layer *layer = &net->input[i];
        real *to = hidden[(net->n_inputs - i) % 2];
        for (int r = g->own0; r < g->own1; r++) {
            input_row row = {.layer = layer, .theta = theta, .x = from + r * *ld, .a = to + r * call->ld};
            fits &= functions_of_input[layer->kind].forward(&row);
        }
        if (!fits) report(call, FGD_BAD_CODE);
        theta += input_size(layer);
        from = to;
        *ld = call->ld;
    }
    return from;
}

/* The rows of a group, which count from row `first` of X, to Z. */
static void predict_rows(predict_call *call, ptrdiff_t first, const row_group *g, real *matrices,
                         const pack_buffers *buffers) {
    const fgd_net *net = call->net;
    const real *theta = call->theta;
    real *hidden[2] = {matrices, matrices + call->rows * call->ld}, *Z = call->Z + first * net->layer[net->L - 1].n_out;
    ptrdiff_t from_ld = call->ld, own_rows = g->own1 - g->own0, n_out = net->layer[net->L - 1].n_out;
    const real *from = input_rows(call->X, first, g, hidden[(net->n_inputs + 1) % 2], &from_ld);
    int x_is_finite = all_finite(from + g->own0 * from_ld, from_ld, own_rows, call->X->width);
    if (net->n_inputs > 0) from = predict_inputs(call, from, &from_ld, g, hidden);
    theta += inputs_extent(net).size;
    for (int l = 0, j0, j1; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        int last = l == net->L - 1;
        real *to = last ? Z : hidden[l % 2];
        ptrdiff_t to_ld = last ? n_out : call->ld;
        column_range(g->columns, layer->n_out, &j0, &j1);
        row_group_wait(g);
        layer_forward(layer, theta, from, from_ld, to, to_ld, NULL, g->row0, g->row1, j0, j1, buffers);
        if (activation_is_row[layer->activation] || last) row_group_wait(g);
        activate_rows(layer, to, to_ld, g->own0, g->own1);
        from = to;
        from_ld = call->ld;
        theta += layer_size(layer);
    }
    if (!x_is_finite) report(call, FGD_NOT_FINITE);
    if (!all_finite(Z + g->own0 * n_out, 0, 1, own_rows * n_out)) report(call, FGD_OVERFLOW);
}

/* A batch that no thread has taken, of the share of thread `rank` if there is one; -1: none is left. */
static int next_batch(predict_call *call, int rank) {
    for (int i = 0; i < call->threads; i++) {
        batch_share *share = &call->shares[(rank + i) % call->threads];
        if (atomic_load_explicit(&share->next, memory_order_relaxed) >= share->end) continue;
        int batch = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
        if (batch < share->end) return batch;
    }
    return -1;
}

static void run_predict(void *argument, worker self) {
    predict_call *call = argument;
    ptrdiff_t count = call->X->count;
    pack_buffers buffers = pack_buffers_at(call->copies + (size_t)self.rank * pack_bytes(call->sizes), call->sizes);
    if (call->batches == 0) {
        row_group g = row_group_of(self, grid_of_micro_batch(call->net, count, self.size), count, call->barrier);
        predict_rows(call, 0, &g, call->matrices, &buffers);
        return;
    }
    for (int b; (b = next_batch(call, self.rank)) >= 0;) {
        ptrdiff_t first = partition(count, b, call->batches);
        row_group g = own_rows((worker){.rank = 0, .size = 1}, partition(count, b + 1, call->batches) - first);
        predict_rows(call, first, &g, call->matrices + self.rank * matrices_size(call), &buffers);
    }
}

/* How many threads, and how they divide the rows.  Row groups only on request: their threads wait for each other, which
   takes several times as long as one thread does it all where another process has a core. */
static void plan_predict(predict_call *call, int n_threads) {
    ptrdiff_t count = call->X->count;
    int threads = useful_threads(n_threads, forward_flops(call->net, count), MIN_FLOPS_OF_PREDICTION);
    call->threads = threads;
    call->rows = count;
    if (n_threads > 1 && grid_of_micro_batch(call->net, count, threads).columns > 1) return;
    call->rows = count < PREDICT_ROWS ? count : PREDICT_ROWS;
    call->batches = (int)((count + PREDICT_ROWS - 1) / PREDICT_ROWS);
    call->batches = (call->batches + threads - 1) / threads * threads; /* the same number for each thread */
    if (call->batches > count) call->batches = (int)count;
    if (threads > call->batches) call->threads = call->batches > 0 ? call->batches : 1;
}

/* Lays the memory of a call out at `base` (NULL: nowhere); returns its bytes. */
static size_t predict_memory(predict_call *call, char *base) {
    arena from = {.base = base};
    size_t threads = (size_t)call->threads, matrices = (size_t)matrices_size(call) * sizeof(real);
    call->shares = arena_take(&from, threads * sizeof *call->shares);
    call->barrier = arena_take(&from, threads * sizeof *call->barrier);
    call->matrices = arena_take(&from, call->batches ? threads * matrices : matrices);
    call->copies = arena_take(&from, threads * pack_bytes(call->sizes));
    return from.used;
}

static fgd_status predict(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int n_threads) {
    _Alignas(LINE) char on_stack[STACK_BYTES];
    int max_width = 0;
    for (int l = 0; l < net->L; l++) max_width = net->layer[l].n_in > max_width ? net->layer[l].n_in : max_width;
    for (int i = 0; i < net->n_inputs; i++) max_width = net->input[i].n_in > max_width ? net->input[i].n_in : max_width;
    predict_call call = {.net = net, .theta = theta, .X = X, .Z = Z, .ld = odd_lines(max_width), .status = FGD_OK};
    plan_predict(&call, n_threads);
    if (call.rows >= MIN_TILES * MR) call.sizes.panel = pack_sizes_of(net, call.rows).panel;
    size_t bytes = predict_memory(&call, NULL);
    char *memory = bytes > STACK_BYTES ? alloc_aligned(bytes) : on_stack;
    if (!memory) return FGD_NO_MEMORY;
    predict_memory(&call, memory);
    for (int t = 0; t < call.threads; t++) {
        atomic_init(&call.shares[t].next, (int)partition(call.batches, t, call.threads));
        call.shares[t].end = (int)partition(call.batches, t + 1, call.threads);
        call.barrier[t] = (spin_barrier){0};
    }
    run_team(call.threads, run_predict, &call);
    if (memory != on_stack) free_aligned(memory);
    return (fgd_status)atomic_load(&call.status);
}

#endif
