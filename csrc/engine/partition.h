/*
 * grid.h: how the threads of a team share a pass over some rows.
 *
 * Rows need nothing of each other, so the threads take rows.  Where there are too few for all threads, or each would read
 * all weights for the sake of a row or two, some share the same rows, a band, and each makes other columns of every
 * product.  They wait for each other between layers, because a product reads all columns of the one before.
 */
#ifndef FGD_PARTITION_H
#define FGD_PARTITION_H

#include "../fastgd.h"
#include "../simd/contract.h"
#include "barrier.h"

/* `rows` bands of `columns` threads each; a team's other threads, if that leaves any, have no rows. */
typedef struct {
    int rows, columns;
} grid;

/* The rows of a band, those of them whose row-wise work (losses, noise, reading) is this thread's, and its columns. */
typedef struct {
    int row0, row1, own0, own1;
    seat columns;
    barrier *others; /* of the band; NULL if this thread has it alone */
} band;

static band band_of(seat s, grid g, ptrdiff_t rows, barrier *bands) {
    int number = s.part / g.columns;
    if (number >= g.rows) return (band){.columns = {0, 1}};
    seat among = {number, g.rows};
    band b = {.row0 = first_of(among, rows), .row1 = end_of(among, rows), .columns = {s.part % g.columns, g.columns}};
    if (g.columns > 1) b.others = bands + number;
    b.own0 = b.row0 + first_of(b.columns, b.row1 - b.row0), b.own1 = b.row0 + end_of(b.columns, b.row1 - b.row0);
    return b;
}

/* Every thread with rows of its own. */
static grid lone_grid(seat s) { return (grid){s.parts, 1}; }
static band lone_band(seat s, ptrdiff_t rows) { return band_of(s, lone_grid(s), rows, NULL); }

/* Returns when all of the band have come. */
static void band_wait(const band *b) { barrier_wait(b->others, b->columns.parts); }

static int panels(int columns) { return (columns + NR - 1) / NR; }

/* A thread's columns [*j0, *j1) of n, in whole panels. */
static void columns_of(seat columns, int n, int *j0, int *j1) {
    int end = end_of(columns, panels(n)) * NR;
    *j0 = first_of(columns, panels(n)) * NR;
    *j1 = end < n ? end : n;
}

/* Rows [i0, i1) and columns [j0, j1) of a layer's block of theta. */
typedef struct {
    int i0, i1, j0, j1;
} patch;

/* Rows of all columns. */
static patch whole_rows(seat s, int rows, int n) { return (patch){first_of(s, rows), end_of(s, rows), 0, n}; }

/*
 * The grid on a block (rows, n) by which each thread reads the fewest numbers of a row of the batch: its rows' of a, its
 * columns' of dz.  Most were written by others.
 */
static grid grid_of_block(int threads, int rows, int n) {
    grid best = {threads, 1};
    for (int columns = 2; columns <= threads && columns <= panels(n); columns++) {
        grid g = {threads / columns, columns};
        if (threads % columns || panels(n) % columns) continue;
        if (rows / g.rows + n / g.columns < rows / best.rows + n / best.columns) best = g;
    }
    return best;
}

/*
 * What a thread updates of a block (rows, n): where bands of several share columns evenly, the columns that are its own in
 * every pass, too, so that weights stay in the caches of one core.
 */
static patch patch_of(seat s, grid g, int rows, int n) {
    if (g.columns == 1) g = grid_of_block(s.parts, rows, n);
    if (panels(n) % g.columns) return whole_rows(s, rows, n);
    seat among = {s.part / g.columns, g.rows};
    if (among.part >= g.rows) return (patch){0};
    patch p = {.i0 = first_of(among, rows), .i1 = end_of(among, rows)};
    columns_of((seat){s.part % g.columns, g.columns}, n, &p.j0, &p.j1);
    return p;
}

/*
 * Measured on nets of 50 thousand to 700 thousand weights, steps of 4 to 256 rows: a thread that reads all weights could
 * do the products of 12 more rows in that time; and what each thread adds to a wait of its band, in operations.
 */
enum { ROWS_OF_READING = 12 };
#define FLOPS_OF_WAIT 15e3

/* What a pass, forward and back, costs each thread of a grid, in operations. */
static double pass_flops(const fgd_net *net, ptrdiff_t rows, grid g) {
    double weights = 0, band_rows = (double)((rows + g.rows - 1) / g.rows);
    for (int l = 0; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        weights += (double)layer->n_in * ((panels(layer->n_out) + g.columns - 1) / g.columns) * NR;
        if (l > 0) weights += (double)layer->n_out * ((panels(layer->n_in) + g.columns - 1) / g.columns) * NR;
    }
    double waits = g.columns > 1 ? 2. * net->L * g.columns * FLOPS_OF_WAIT : 0;
    return 2 * weights * (band_rows + ROWS_OF_READING) + waits;
}

/* The grid for `threads` threads: one of bands of several only where it saves a twentieth. */
static grid grid_of(const fgd_net *net, ptrdiff_t rows, int threads) {
    grid best = {threads, 1};
    double least = threads > 1 ? 0.95 * pass_flops(net, rows, best) : 0;
    for (int columns = 2; columns <= threads; columns++) {
        grid g = {threads / columns, columns};
        double flops = pass_flops(net, rows, g);
        if (flops < least) best = g, least = flops;
    }
    return best;
}

#endif
