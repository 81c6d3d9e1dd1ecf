/*
 * relay.h: gradients whose sums pass from thread to thread.
 *
 * An element of dW is one chain of multiply-adds over the rows of the batch, in order.  In a relay each thread adds its
 * rows to the sums that the thread before it passes on, a band of dW at a time, and the last one updates theta.  Nobody
 * reads what another thread computed for its rows, only the sums: fewer elements where rows are many and weights few.
 * No barrier divides the phases, because a thread that receives a band knows that those before it need theta no more.
 * On an Intel Xeon (Emerald Rapids) that takes a fifth off a step of 32-128-64-1 with 256 rows on two threads, and
 * nearly half off one of 4-32-16-4 with 10,000.
 */
#ifndef FGD_RELAY_H
#define FGD_RELAY_H

#include <stdatomic.h>

#include "gradient.h"
#include "partition.h"
#include "workspace.h"

/* Bands that a thread has passed on since its team began, on a line of its own. */
typedef struct {
    _Alignas(LINE) atomic_llong count;
} band_counter;

typedef struct {
    band_counter *passed; /* (threads,), shared; NULL: the team does not relay */
    int spins;            /* as of spin_barrier */
    worker self;
    long long begun;      /* bands that the team passed in the micro-batches before */
} relay;

static int is_last_of(worker self) { return self.rank == self.size - 1; }

/* Bands of a layer: rows of tiles.  Those of few outputs are a single one, because their gradient has other tiles. */
static tile_rows bands_of(const fgd_layer *layer) {
    int rows = layer_rows(layer);
    return layer->n_out <= SMALL_N ? (tile_rows){.count = 1, .min_rows = rows} : tiles_of(rows);
}

/* Prefetches the sums of a band of n columns, which another thread has written. */
static void prefetch_band(const real *sums, ptrdiff_t n, theta_block band) {
    for (ptrdiff_t i = band.i0 * n; i < band.i1 * n; i += PER_LINE) prefetch_l2(sums + i);
}

/*
 * Whether threads with rows of their own relay.  Each then reads the sums and, in the next step, the weights that the
 * last one updated; otherwise it reads a and dz of the rows of all others, in the columns of its block.  A thread waits
 * for the first band of the one before, at most a quarter of its time, and a tile loads and stores its sums, which takes
 * as long as the products of a few rows.
 */
static int relays(const fgd_net *net, thread_grid grid, ptrdiff_t rows, int threads) {
    enum { MIN_ROWS = 4 * MR, MIN_BANDS = 4 };
    ptrdiff_t own = rows / threads, relayed = 0, shared = 0;
    int bands = 0; /* of all layers */
    if (threads == 1 || grid.columns > 1 || own < MIN_ROWS || is_bf16(net) || net->n_inputs > 0) return 0;
    for (int l = 0; l < net->L; l++) {
        int m = layer_rows(&net->layer[l]), n = net->layer[l].n_out;
        thread_grid blocks = grid_of_gradient(threads, m, n);
        relayed += 2 * layer_size(&net->layer[l]);
        shared += (rows - own) * (m / blocks.row_groups + n / blocks.columns);
        bands += bands_of(&net->layer[l]).count;
    }
    return relayed < shared && bands >= MIN_BANDS * (threads - 1);
}

/* A band of dW, as a walk through all layers visits them. */
typedef struct {
    int l, band;        /* of layer l */
    long long number;   /* from 1 on, since the team began */
    ptrdiff_t offset;   /* of the layer in theta */
    tile_rows bands;    /* of the layer */
    theta_block block;
} band_cursor;

static band_cursor before_bands(long long passed) { return (band_cursor){.l = -1, .number = passed}; }

/* Moves on to the next band; returns 0 after the last one. */
static int next_band(const fgd_net *net, band_cursor *at) {
    if (++at->band >= at->bands.count) {
        if (at->l >= 0) at->offset += layer_size(&net->layer[at->l]);
        if (++at->l == net->L) return 0;
        at->bands = bands_of(&net->layer[at->l]);
        at->band = 0;
        at->block = (theta_block){.j1 = net->layer[at->l].n_out};
    }
    at->block.i0 = at->block.i1;
    at->block.i1 += tile_height(&at->bands, at->band);
    at->number++;
    return 1;
}

/* Returns when thread `from` has passed on a band. */
static void receive_band(const relay *r, int from, long long number, stopwatch *watch) {
    const atomic_llong *passed = &r->passed[from].count;
    if (atomic_load_explicit(passed, memory_order_acquire) >= number) return;
    int phase = enter_phase(watch, FGD_WAIT);
    for (int turn = 0; atomic_load_explicit(passed, memory_order_acquire) < number; turn++)
        pause_or_yield(turn, r->spins);
    enter_phase(watch, phase);
}

static void pass_band(const relay *r, long long number) {
    atomic_store_explicit(&r->passed[r->self.rank].count, number, memory_order_release);
}

/* Adds the rows of a thread, `rows` from sink->first_row on, to all bands. */
static void add_own_rows(const fgd_workspace *w, const relay *r, int rows, gradient_sink *sink) {
    sink->buffers = buffers_of(w, r->self.rank);
    for (band_cursor at = before_bands(r->begun); next_band(w->net, &at); pass_band(r, at.number)) {
        sink->layer = &w->net->layer[at.l];
        enter_phase(sink->watch, phase_of_layer(FGD_UPDATE, at.l));
        if (r->self.rank > 0) {
            receive_band(r, r->self.rank - 1, at.number, sink->watch);
            prefetch_band(sink->grad + at.offset, sink->layer->n_out, at.block);
        }
        layer_gradient(w, at.l, rows, sink, at.offset, w->at[at.l + 1].dz, at.block);
    }
}

/* By the first thread, which has finished before the others: W transposed, as soon as the last one has updated it. */
static void transpose_updated(const fgd_workspace *w, const relay *r, const real *theta, stopwatch *watch) {
    for (band_cursor at = before_bands(r->begun); next_band(w->net, &at);) {
        const fgd_layer *layer = &w->net->layer[at.l];
        if (at.l == 0) continue;
        enter_phase(watch, phase_of_layer(FGD_UPDATE, at.l));
        receive_band(r, r->self.size - 1, at.number, watch);
        transpose_weights(layer, theta + at.offset, w->at[at.l].wt, at.block);
    }
}

/*
 * A thread's part in the relay of a micro-batch: `rows` rows from sink->first_row on.  status: of the micro-batch, which
 * the last thread, knowing that all have computed their losses, copies to *outcome; theta changes only if it is FGD_OK.
 */
static void relay_gradients(const fgd_workspace *w, relay *r, int rows, gradient_sink *sink, const atomic_int *status,
                            fgd_status *outcome) {
    band_cursor end = before_bands(r->begun);
    while (next_band(w->net, &end)) continue;
    const update_context *update = sink->update;
    if (!is_last_of(r->self)) sink->update = NULL;
    if (r->self.rank > 0) sink->accumulate = 1;
    if (is_last_of(r->self)) {
        receive_band(r, r->self.rank - 1, r->begun + 1, sink->watch);
        *outcome = (fgd_status)atomic_load_explicit(status, memory_order_relaxed);
    }
    if (is_last_of(r->self) && *outcome != FGD_OK)
        pass_band(r, end.number);
    else
        add_own_rows(w, r, rows, sink);
    if (r->self.rank == 0 && update && sink->transposes) transpose_updated(w, r, update->theta, sink->watch);
    r->begun = end.number;
}

#endif
