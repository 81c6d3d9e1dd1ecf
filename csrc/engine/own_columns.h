/*
 * own_columns.h: a thread's columns of the first layer's weights, in memory of its own for the length of a chunk.
 *
 * Where threads share rows and divide columns, each row of W has parts of several threads side by side.  No line of it
 * is shared, yet prefetchers fetch the neighbour's part along with the own one, from a core that is about to write it,
 * and must give it back.  As a matrix of its own the part is left alone: on a CPU whose cores exchange lines slowly
 * that saves an eighth of a step of 784-128-10.  The columns are a layer like any other, only narrower.
 *
 * Only for the first layer, of which nobody else reads W: the others are transposed after each update.
 */
#ifndef FGD_OWN_COLUMNS_H
#define FGD_OWN_COLUMNS_H

#include "gradient.h"
#include "partition.h"
#include "workspace.h"

/* Copying the weights at the start and the end of a chunk costs as much as about ten rows: far less than these do. */
enum { MIN_ROWS_OF_COPY = 512 };

/* Whether `threads` threads copy their columns of W for `steps` steps of at most `rows` rows: W is not transposed, as
   input layers require; they are one row group, have equal numbers of panels, of which the last one is no special case,
   and the product applies the rule. */
static int copies_columns(const fgd_net *net, thread_grid grid, int threads, int rule, ptrdiff_t rows,
                          ptrdiff_t steps) {
    int n = net->layer[0].n_out, each = panels(n) / threads, columns_of_last = n - each * (threads - 1) * NR;
    if (threads == 1 || net->n_inputs > 0 || grid.columns != threads || panels(n) % threads ||
        columns_of_last <= SMALL_N)
        return 0;
    return update_epilogue(rule) != EPILOGUE_callback && rows * steps >= MIN_ROWS_OF_COPY;
}

/* Elements of the copies of all threads; each begins on a line. */
static ptrdiff_t own_columns_size(const fgd_net *net, int threads) {
    return layer_size(&net->layer[0]) + (ptrdiff_t)threads * PER_LINE;
}

/* to (rows, columns), to_ld apart, <- from (rows, columns) */
static void copy_columns(int rows, int columns, const real *from, ptrdiff_t from_ld, real *to, ptrdiff_t to_ld) {
    for (; rows > 0; rows--, from += from_ld, to += to_ld) memcpy(to, from, (size_t)columns * sizeof(real));
}

/* A thread's columns of the first layer, copied from theta to its part of `memory` (own_columns_size,). */
COLD own_columns take_columns(const fgd_net *net, worker self, const real *theta, real *memory) {
    own_columns own = {.layer = net->layer[0]};
    int n = own.layer.n_out, rows = layer_rows(&own.layer), j1;
    column_range(self, n, &own.j0, &j1);
    own.layer.n_out = j1 - own.j0;
    ptrdiff_t offset = (ptrdiff_t)rows * own.j0 + PER_LINE - 1;
    own.W = memory + offset / PER_LINE * PER_LINE + self.rank * PER_LINE;
    copy_columns(rows, own.layer.n_out, theta + own.j0, n, own.W, own.layer.n_out);
    return own;
}

/* Back to theta, which has n columns. */
COLD void return_columns(const own_columns *own, int n, real *theta) {
    copy_columns(layer_rows(&own->layer), own->layer.n_out, own->W, own->layer.n_out, theta + own->j0, n);
}

#endif
