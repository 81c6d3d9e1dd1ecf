/*
 * bands.h: bands of theta, the rows of tiles of each layer's gradient, which threads of a relay (relay.h) pass on.
 */
#ifndef FGD_BANDS_H
#define FGD_BANDS_H

#include <stdatomic.h>

#include "../kernels/pack.h"
#include "barrier.h"
#include "phases.h"
#include "workspace.h"

/* Up to this many outputs the gradient is computed transposed, because most lanes of a vector would be empty. */
enum { SMALL_N = 4 };

/* Bands that a thread has passed on since its team began, on a line of its own. */
typedef struct {
    _Alignas(LINE) atomic_llong count;
} band_counter;

/* Bands of a layer: rows of tiles.  Those of few outputs are a single one, because their gradient has other tiles. */
static tile_rows bands_of(const fgd_layer *layer) {
    int rows = layer_rows(layer);
    return layer->n_out <= SMALL_N ? (tile_rows){.count = 1, .min_rows = rows} : tiles_of(rows);
}

/* The bands of all layers. */
static int count_bands(const fgd_net *net) {
    int count = 0;
    for (int l = 0; l < net->L; l++) count += bands_of(&net->layer[l]).count;
    return count;
}

/* Returns when a thread has passed on band number `number`. */
static void receive_band(const band_counter *passed, long long number, int spins, stopwatch *watch) {
    if (atomic_load_explicit(&passed->count, memory_order_acquire) >= number) return;
    int phase = enter_phase(watch, FGD_WAIT);
    for (int turn = 0; atomic_load_explicit(&passed->count, memory_order_acquire) < number; turn++)
        pause_or_yield(turn, spins);
    enter_phase(watch, phase);
}

/* Prefetches `size` elements, sums or weights, which another thread has written. */
static void prefetch_band(const real *first, ptrdiff_t size) {
    for (ptrdiff_t i = 0; i < size; i += PER_LINE) prefetch_l2(first + i);
}

/* The bands of theta that another thread may still be updating while this one begins the next step. */
typedef struct {
    const band_counter *passed; /* by that thread; NULL: all weights are up to date */
    long long before;           /* the number of the band before the first one */
    int spins;
} band_updates;

/* Returns when all bands of a layer, whose part of theta is W, are updated; *before: the number of the band before. */
static void receive_layer(const band_updates *from, const fgd_layer *layer, const real *W, long long *before,
                          stopwatch *watch) {
    if (!from->passed) return;
    tile_rows bands = bands_of(layer);
    for (int band = 0; band < bands.count; band++) {
        ptrdiff_t size = (ptrdiff_t)tile_height(&bands, band) * layer->n_out;
        receive_band(from->passed, ++*before, from->spins, watch);
        prefetch_band(W, size);
        W += size;
    }
}

#endif
