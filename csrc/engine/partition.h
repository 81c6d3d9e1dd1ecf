/*
 * partition.h: how the threads of a team divide the rows of a micro-batch, and the elements of theta.
 *
 * Rows are independent of each other, so each thread takes some of them.  Where there are too few rows for all threads,
 * or each thread would read all weights for a row or two, several threads share the same rows, a row group, and each
 * computes other columns of every product.  They wait for each other between layers, because a product reads all
 * columns of the one before.
 */
#ifndef FGD_PARTITION_H
#define FGD_PARTITION_H

#include "../fastgd.h"
#include "../kernels/range.h"
#include "../simd/contract.h"
#include "bands.h"
#include "barrier.h"
#include "phases.h"

/* A thread's number among those that divide something, and their count. */
typedef struct {
    int rank, size;
} worker;

/* A thread's part [begin, end) of `count` items. */
static inline int part_begin(worker self, ptrdiff_t count) { return (int)partition(count, self.rank, self.size); }
static inline int part_end(worker self, ptrdiff_t count) { return (int)partition(count, self.rank + 1, self.size); }

/* `row_groups` groups of `columns` threads each; threads that are left over have no rows. */
typedef struct {
    int row_groups, columns;
} thread_grid;

/* A thread's columns, from j0 on, of the first layer as a layer of their own, whose weights it keeps; own_columns.h. */
typedef struct {
    fgd_layer layer;
    int j0;
    real *W; /* (n_in, n_out) of that layer, then its b */
} own_columns;

typedef struct {
    int row0, row1;         /* of the group */
    int own0, own1;         /* those whose row-wise work (losses, noise, gathering) is this thread's */
    int thread;             /* this thread's number in the team */
    worker columns;         /* this thread among those of the group */
    spin_barrier *barrier;  /* of the group; NULL if it is one thread */
    stopwatch *watch;       /* of this thread, or NULL */
    const own_columns *own; /* of this thread, or NULL: all weights are in theta */
    real *transposed; /* of this thread: every W that a step needs transposed, or NULL: those of the workspace */
    band_updates updates; /* of the weights */
} row_group;

/* Rows in `units` units of `unit` rows, of which the last may be incomplete. */
static int rows_of_units(ptrdiff_t units, int unit, ptrdiff_t rows) {
    return (int)(units * unit < rows ? units * unit : rows);
}

/* The row group of a thread, of whole units of rows; barriers (row_groups,). */
static row_group row_group_of(worker self, thread_grid grid, ptrdiff_t rows, int unit, spin_barrier *barriers) {
    int number = self.rank / grid.columns;
    if (number >= grid.row_groups) return (row_group){.columns = {.rank = 0, .size = 1}};
    worker groups = {.rank = number, .size = grid.row_groups};
    row_group g = {.thread = self.rank, .columns = {.rank = self.rank % grid.columns, .size = grid.columns}};
    if (grid.columns > 1) g.barrier = barriers + number;
    ptrdiff_t units = (rows + unit - 1) / unit;
    int begin = part_begin(groups, units), end = part_end(groups, units);
    g.row0 = rows_of_units(begin, unit, rows);
    g.row1 = rows_of_units(end, unit, rows);
    g.own0 = rows_of_units(begin + part_begin(g.columns, end - begin), unit, rows);
    g.own1 = rows_of_units(begin + part_end(g.columns, end - begin), unit, rows);
    return g;
}

/* Each thread with its own rows. */
static thread_grid grid_of_rows(worker self) { return (thread_grid){.row_groups = self.size, .columns = 1}; }
static row_group own_rows(worker self, ptrdiff_t rows, int unit) {
    return row_group_of(self, grid_of_rows(self), rows, unit, NULL);
}

/* barrier_wait, whose time counts as waiting. */
static void timed_wait(spin_barrier *b, int threads, stopwatch *watch) {
    if (threads == 1) return;
    int phase = enter_phase(watch, FGD_WAIT);
    barrier_wait(b, threads);
    enter_phase(watch, phase);
}

/* Returns when all threads of the group have called it. */
static inline void row_group_wait(const row_group *g) { timed_wait(g->barrier, g->columns.size, g->watch); }

static int panels(int columns) { return (columns + NR - 1) / NR; }

/* A thread's columns [*j0, *j1) of n, in whole panels. */
static inline void column_range(worker columns, int n, int *j0, int *j1) {
    int end = part_end(columns, panels(n)) * NR;
    *j0 = part_begin(columns, panels(n)) * NR;
    *j1 = end < n ? end : n;
}

/* Rows [i0, i1) and columns [j0, j1) of a layer's part of theta. */
typedef struct {
    int i0, i1, j0, j1;
} theta_block;

/* A thread's rows, with all columns. */
static inline theta_block row_block(worker self, int rows, int n) {
    return (theta_block){.i0 = part_begin(self, rows), .i1 = part_end(self, rows), .j0 = 0, .j1 = n};
}

/*
 * The grid on a gradient (rows, n) with which each thread reads the fewest elements per row of the batch: of a for its
 * rows, of dz for its columns.  Other threads have written most of them.
 */
static thread_grid grid_of_gradient(int threads, int rows, int n) {
    thread_grid best = {.row_groups = threads, .columns = 1};
    for (int columns = 2; columns <= threads && columns <= panels(n); columns++) {
        thread_grid grid = {.row_groups = threads / columns, .columns = columns};
        if (threads % columns || panels(n) % columns) continue;
        if (rows / grid.row_groups + n / grid.columns < rows / best.row_groups + n / best.columns) best = grid;
    }
    return best;
}

/*
 * The block of a layer (rows, n) that a thread updates.  Where row groups of several threads divide the columns evenly,
 * it has the columns that are the thread's in forward and backward, so that weights stay in the caches of one core.
 */
static theta_block block_of(worker self, thread_grid grid, int rows, int n) {
    if (grid.columns == 1) grid = grid_of_gradient(self.size, rows, n);
    if (panels(n) % grid.columns) return row_block(self, rows, n);
    worker groups = {.rank = self.rank / grid.columns, .size = grid.row_groups};
    if (groups.rank >= grid.row_groups) return (theta_block){0};
    theta_block b = {.i0 = part_begin(groups, rows), .i1 = part_end(groups, rows)};
    column_range((worker){.rank = self.rank % grid.columns, .size = grid.columns}, n, &b.j0, &b.j1);
    return b;
}

/*
 * Measured on networks of 50 thousand to 700 thousand weights and steps of 4 to 256 rows: reading all weights takes a
 * thread as long as the products of 12 more rows; and the cost in operations of each thread in a wait of its row group.
 */
enum { ROWS_PER_READ = 12 };
#define FLOPS_PER_WAIT 15e3

/* The cost of a micro-batch, forward and backward, to each thread of a grid, in operations. */
static double micro_batch_flops(const fgd_net *net, ptrdiff_t rows, thread_grid grid) {
    double weights = 0, group_rows = (double)((rows + grid.row_groups - 1) / grid.row_groups);
    for (int l = 0; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        weights += (double)layer->n_in * ((panels(layer->n_out) + grid.columns - 1) / grid.columns) * NR;
        if (l > 0) weights += (double)layer->n_out * ((panels(layer->n_in) + grid.columns - 1) / grid.columns) * NR;
    }
    double waits = grid.columns > 1 ? 2. * net->L * grid.columns * FLOPS_PER_WAIT : 0;
    return 2 * weights * (group_rows + ROWS_PER_READ) + waits;
}

/* The number of threads that a row group may have: one for each panel of the widest layer. */
static int max_columns(const fgd_net *net) {
    int widest = net->layer[0].n_in;
    for (int l = 0; l < net->L; l++) widest = net->layer[l].n_out > widest ? net->layer[l].n_out : widest;
    return panels(widest);
}

/* The grid of `threads` threads: row groups of several only where that saves at least a twentieth. */
static thread_grid grid_of_micro_batch(const fgd_net *net, ptrdiff_t rows, int threads) {
    thread_grid best = {.row_groups = threads, .columns = 1};
    double min = threads > 1 ? 0.95 * micro_batch_flops(net, rows, best) : 0;
    for (int columns = 2, max = max_columns(net); columns <= threads && columns <= max; columns++) {
        thread_grid grid = {.row_groups = threads / columns, .columns = columns};
        double flops = micro_batch_flops(net, rows, grid);
        if (flops >= min) continue;
        best = grid;
        min = flops;
    }
    return best;
}

#endif
