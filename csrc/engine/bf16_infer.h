/*
 * bf16_infer.h: prediction with products of factors rounded to bf16.
 *
 * The threads round all weights together.  Then each takes some batches of rows through all layers.
 */
#ifndef FGD_BF16_INFER_H
#define FGD_BF16_INFER_H

#include <stdatomic.h>

#include "../kernels/gather.h"
#include "bf16_layers.h"
#include "inputs.h"
#include "team.h"
#include "workspace.h"

#if FGD_BITS == 32

/* Maximum number of rows in a batch. */
enum { BF16_PREDICT_ROWS = 4 * SIDE };

typedef struct {
    const fgd_net *net;
    const real *theta;
    const fgd_table *X;
    real *Z;
    bf16_method method;
    int threads, batches;
    int width;            /* of the widest inputs of a layer */
    bf16_factor *w;       /* (L,) */
    bf16_scratch *scratch; /* (threads,), and so the others */
    bf16_word *factors;   /* two factors (BF16_PREDICT_ROWS, width) each */
    real *rows;           /* two matrices (BF16_PREDICT_ROWS, width) each */
    spin_barrier barrier;
    atomic_int next;      /* batch */
    atomic_int bad_x, bad_code, bad_z;
} bf16_predict_call;

/* The memory of a thread for a batch. */
typedef struct {
    bf16_word *factors[2];
    real *rows[2];
    bf16_scratch *scratch;
} batch_memory;

static batch_memory batch_memory_of(const bf16_predict_call *call, int rank) {
    ptrdiff_t blocks = (ptrdiff_t)(BF16_PREDICT_ROWS / SIDE) * block_count(call->width);
    bf16_word *factors = call->factors + 2 * rank * blocks * BLOCK_WORDS;
    ptrdiff_t size = (ptrdiff_t)BF16_PREDICT_ROWS * call->width;
    real *rows = call->rows + 2 * rank * size;
    return (batch_memory){.factors = {factors, factors + blocks * BLOCK_WORDS},
                          .rows = {rows, rows + size},
                          .scratch = call->scratch + rank};
}

COLD size_t lay_out_prediction(bf16_predict_call *call, char *base) {
    arena from = {.base = base};
    const fgd_net *net = call->net;
    size_t threads = (size_t)call->threads;
    call->scratch = arena_take(&from, threads * sizeof *call->scratch);
    call->factors = arena_take(&from, 2 * threads * blocks_bytes(BF16_PREDICT_ROWS, call->width));
    call->rows = arena_take(&from, 2 * threads * (size_t)(BF16_PREDICT_ROWS * call->width) * sizeof(real));
    call->w = arena_take(&from, (size_t)net->L * sizeof *call->w);
    for (int l = 0; l < net->L; l++) {
        bf16_factor w = take_factor(net->layer[l].n_out, net->layer[l].n_in, &from);
        if (base) call->w[l] = w;
    }
    return from.used;
}

/* to <- x (rows, n), ld apart, rounded */
static void round_rows(const real *x, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t n, bf16_factor to, bf16_scratch *s) {
    for (int i = 0; i < block_count(rows); i++)
        for (int j = 0; j < block_count(n); j++) {
            block_forms forms = {.rows = block_at(to, i, j), .pairs = s->words};
            store_block(x + i * SIDE * ld + j * SIDE, ld, rows - i * SIDE, n - j * SIDE, forms);
        }
}

/* The inputs of the first layer for rows of X, rounded. */
static void round_inputs(bf16_predict_call *call, ptrdiff_t first, ptrdiff_t rows, bf16_factor to,
                         const batch_memory *m) {
    const fgd_net *net = call->net;
    const fgd_table *X = call->X;
    real *read = m->rows[(net->n_inputs + 1) % 2];
    const real *x = read;
    ptrdiff_t ld = X->width;
    if (X->type == TYPE_real && X->stride % (ptrdiff_t)sizeof(real) == 0) {
        x = (const real *)row_at(X, NULL, first);
        ld = X->stride / (ptrdiff_t)sizeof(real);
    } else
        read_table(X, first, first + rows, read, ld);
    if (!all_finite(x, ld, rows, X->width)) atomic_store_explicit(&call->bad_x, 1, memory_order_relaxed);
    if (net->n_inputs > 0) {
        int fits = predict_inputs(net, call->theta, x, ld, call->width, 0, (int)rows, m->rows);
        if (!fits) atomic_store_explicit(&call->bad_code, 1, memory_order_relaxed);
        x = m->rows[1];
        ld = call->width;
    }
    round_rows(x, ld, rows, net->layer[0].n_in, to, m->scratch);
}

/* to <- the outputs of a hidden layer, rounded, or z (rows, n_out) <- those of the last one */
static void predict_layer(const bf16_predict_call *call, int l, const real *bias, ptrdiff_t rows, bf16_factor from,
                          bf16_factor to, real *z, const batch_memory *m) {
    const fgd_layer *layer = &call->net->layer[l];
    int by_row = activation_is_row[layer->activation];
    forward_sink sink = {.layer = layer, .bias = bias, .a = z, .ld = layer->n_out};
    if (!z && by_row) sink.a = m->rows[0];
    if (!z && !by_row) sink.to = to;
    c_range range = {.i1 = block_count(rows), .j1 = block_count(layer->n_out)};
    bf16_forward(&sink, call->method, from, call->w[l], rows, range, m->scratch);
    if (!by_row) return;
    activate_rows(layer, sink.a, sink.ld, 0, (int)rows);
    if (!z) round_rows(sink.a, sink.ld, rows, layer->n_out, to, m->scratch);
}

/* Rows [first, first + rows) of X, to Z. */
static void predict_batch(bf16_predict_call *call, ptrdiff_t first, ptrdiff_t rows, const batch_memory *m) {
    const fgd_net *net = call->net;
    const real *theta = call->theta + inputs_extent(net).size;
    ptrdiff_t n = net->layer[net->L - 1].n_out;
    real *Z = call->Z + first * n;
    bf16_factor from = {m->factors[0], block_count(net->layer[0].n_in)};
    round_inputs(call, first, rows, from, m);
    for (int l = 0; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        const real *bias = layer->bias ? theta + (ptrdiff_t)layer->n_in * layer->n_out : NULL;
        bf16_factor to = {m->factors[(l + 1) % 2], block_count(layer->n_out)};
        predict_layer(call, l, bias, rows, from, to, l + 1 < net->L ? NULL : Z, m);
        theta += layer_size(layer);
        from = to;
    }
    if (!all_finite(Z, 0, 1, rows * n)) atomic_store_explicit(&call->bad_z, 1, memory_order_relaxed);
}

static void run_bf16_predict(void *argument, worker self) {
    bf16_predict_call *call = argument;
    TILES_ARE_USABLE(call->method);
    batch_memory m = batch_memory_of(call, self.rank);
    const real *theta = call->theta + inputs_extent(call->net).size;
    for (int l = 0; l < call->net->L; l++) {
        const fgd_layer *layer = &call->net->layer[l];
        round_weights(layer, theta, call->w[l], (bf16_factor){0}, self, m.scratch);
        theta += layer_size(layer);
    }
    barrier_wait(&call->barrier, self.size);
    ptrdiff_t rows = call->X->count, units = block_count(rows);
    for (int b; (b = atomic_fetch_add_explicit(&call->next, 1, memory_order_relaxed)) < call->batches;) {
        ptrdiff_t first = rows_of_units(partition(units, b, call->batches), SIDE, rows);
        ptrdiff_t end = rows_of_units(partition(units, b + 1, call->batches), SIDE, rows);
        predict_batch(call, first, end - first, &m);
    }
}

/* See fgd_engine.predict. */
static fgd_status bf16_predict(const fgd_net *net, const real *theta, const fgd_table *X, real *Z, int n_threads,
                               int tiles) {
    int units = block_count(X->count), per_batch = BF16_PREDICT_ROWS / SIDE, width = 0;
    for (int l = 0; l < net->L; l++) width = net->layer[l].n_in > width ? net->layer[l].n_in : width;
    for (int i = 0; i < net->n_inputs; i++) width = net->input[i].n_in > width ? net->input[i].n_in : width;
    bf16_predict_call call = {.net = net, .theta = theta, .X = X, .Z = Z, .width = width};
    call.method = method_of(net, tiles);
    call.threads = useful_threads(n_threads, forward_flops(net, X->count), MIN_FLOPS_OF_PREDICTION);
    call.batches = (units + per_batch - 1) / per_batch;
    call.batches = (call.batches + call.threads - 1) / call.threads * call.threads; /* as many for each thread */
    if (call.batches > units) call.batches = units;
    char *memory = alloc_aligned(lay_out_prediction(&call, NULL));
    if (!memory) return FGD_NO_MEMORY;
    lay_out_prediction(&call, memory);
    run_team(call.threads, run_bf16_predict, &call);
    free_aligned(memory);
    if (atomic_load(&call.bad_x)) return FGD_NOT_FINITE;
    if (atomic_load(&call.bad_code)) return FGD_BAD_CODE;
    return atomic_load(&call.bad_z) ? FGD_OVERFLOW : FGD_OK;
}

#else

static inline fgd_status bf16_predict(UNUSED const fgd_net *net, UNUSED const real *theta, UNUSED const fgd_table *X,
                                      UNUSED real *Z, UNUSED int n_threads, UNUSED int tiles) {
    return FGD_OK;
}

#endif

#endif
