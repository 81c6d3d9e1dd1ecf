/*
 * relay.h: gradients whose sums pass from thread to thread.
 *
 * An element of dW is one chain of multiply-adds over the rows of the batch, in order.  In a relay each thread adds its
 * rows to the sums that the thread before it passes on, a band of dW at a time, and the last one updates theta.  Nobody
 * reads what another thread computed for its rows, only the sums: fewer elements where rows are many and weights few.
 *
 * No barrier divides the phases: a thread that receives a band knows that those before it need theta no more.  Nor does
 * one divide the steps: a thread goes on to the next one, and waits there, layer by layer, for the last one's updates.
 * It transposes W for itself, just before it needs that, because lines that one thread writes and others read are slow.
 *
 * On an Intel Xeon (Emerald Rapids) a relay takes a third off a step of 32-128-64-1 with 256 rows on two threads, and
 * nearly half off one of 4-32-16-4 with 10,000.
 */
#ifndef FGD_RELAY_H
#define FGD_RELAY_H

#include "bands.h"
#include "gradient.h"
#include "partition.h"
#include "workspace.h"

typedef struct {
    band_counter *passed; /* (threads,), shared; NULL: the team does not relay */
    real *transposed;     /* of this thread: as in row_group */
    int spins;            /* as of spin_barrier */
    worker self;
    long long begun;      /* bands that the team passed in the micro-batches before */
    long long updated;    /* and in those before the last update; -1: none, or all threads know it is complete */
} relay;

static int is_last_of(worker self) { return self.rank == self.size - 1; }

/*
 * Whether threads with rows of their own relay.  Each then reads the sums and, in the next step, the weights that the
 * last one updated; otherwise it reads a and dz of the rows of all others, in the columns of its block.  A thread waits
 * for the first band of the one before, at most a quarter of its time, and a tile loads and stores its sums, which takes
 * as long as the products of a few rows.
 */
static int relays(const fgd_net *net, thread_grid grid, ptrdiff_t rows, int threads) {
    enum { MIN_ROWS = 4 * MR, MIN_BANDS = 4 };
    ptrdiff_t own = rows / threads, relayed = 0, shared = 0;
    if (threads == 1 || grid.columns > 1 || own < MIN_ROWS || is_bf16(net) || net->n_inputs > 0) return 0;
    for (int l = 0; l < net->L; l++) {
        int m = layer_rows(&net->layer[l]), n = net->layer[l].n_out;
        thread_grid blocks = grid_of_gradient(threads, m, n);
        relayed += 2 * layer_size(&net->layer[l]);
        shared += (rows - own) * (m / blocks.row_groups + n / blocks.columns);
    }
    return relayed < shared && count_bands(net) >= MIN_BANDS * (threads - 1);
}

/* The rows of a thread in a micro-batch: if theta is updated then, the last one has fewer.  (Measured on networks of 12
   thousand weights: to receive sums and update theta takes as long as about this many rows.) */
static row_group relay_rows(worker self, ptrdiff_t rows, int updates) {
    enum { ROWS_PER_UPDATE = 20 };
    worker others = {.rank = self.rank, .size = self.size - 1};
    ptrdiff_t of_others = (rows + (updates ? ROWS_PER_UPDATE : 0)) * others.size / self.size;
    if (of_others > rows) of_others = rows;
    int begin = is_last_of(self) ? (int)of_others : part_begin(others, of_others);
    int end = is_last_of(self) ? (int)rows : part_end(others, of_others);
    return (row_group){.row0 = begin, .row1 = end, .own0 = begin, .own1 = end, .thread = self.rank, .columns = {0, 1}};
}

/* The updates that a thread has to wait for when it begins a step. */
static band_updates updates_before(const relay *r) {
    if (!r->passed || is_last_of(r->self) || r->updated < 0) return (band_updates){0};
    return (band_updates){.passed = &r->passed[r->self.size - 1], .before = r->updated, .spins = r->spins};
}

static void receive_from(const relay *r, int thread, long long number, stopwatch *watch) {
    receive_band(&r->passed[thread], number, r->spins, watch);
}

static void pass_band(const relay *r, long long number) {
    atomic_store_explicit(&r->passed[r->self.rank].count, number, memory_order_release);
}

/* Adds the rows of a thread, `rows` from sink->first_row on, to all bands of a layer; offset: of the layer in theta;
   number: of the band before. */
static void relay_layer(const fgd_workspace *w, const relay *r, int l, int rows, const gradient_sink *sink,
                        ptrdiff_t offset, long long number) {
    int n = sink->layer->n_out;
    tile_rows bands = bands_of(sink->layer);
    theta_block block = {.j1 = n};
    for (int band = 0; band < bands.count; band++, block.i0 = block.i1) {
        block.i1 += tile_height(&bands, band);
        number++;
        if (r->self.rank > 0) {
            receive_from(r, r->self.rank - 1, number, sink->watch);
            prefetch_band(sink->grad + offset + (ptrdiff_t)block.i0 * n, (ptrdiff_t)(block.i1 - block.i0) * n);
        }
        layer_gradient(w, l, rows, sink, offset, w->at[l + 1].dz, block);
        pass_band(r, number);
    }
}

/* A thread's part in the relay of a micro-batch: adds its rows, `rows` from sink->first_row on, to all bands. */
static void relay_gradients(const fgd_workspace *w, relay *r, int rows, gradient_sink *sink) {
    ptrdiff_t offset = 0;
    r->updated = sink->update ? r->begun : -1;
    if (!is_last_of(r->self)) sink->update = NULL;
    if (r->self.rank > 0) sink->accumulate = 1;
    sink->buffers = buffers_of(w, r->self.rank);
    for (int l = 0; l < w->net->L; l++) {
        sink->layer = &w->net->layer[l];
        enter_phase(sink->watch, phase_of_layer(FGD_UPDATE, l));
        relay_layer(w, r, l, rows, sink, offset, r->begun);
        r->begun += bands_of(sink->layer).count;
        offset += layer_size(sink->layer);
    }
}

#endif
