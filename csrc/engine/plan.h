/*
 * plan.h: how a training step of some rows is executed: the threads it uses and how they divide it.
 */
#ifndef FGD_PLAN_H
#define FGD_PLAN_H

#include "../fastgd.h"
#include "../tables/rules.h"
#include "bf16_layers.h"
#include "own_columns.h"
#include "partition.h"
#include "team.h"
#include "workspace.h"

static int training_threads(const fgd_net *net, ptrdiff_t rows, int requested) {
    return useful_threads(requested, forward_flops(net, rows), MIN_FLOPS_OF_PHASE);
}

/* Bytes of the columns of the first layer that threads keep, unless a chunk is short or its updates take more than a
   rule that the product applies. */
static size_t bytes_of_columns(const fgd_net *net, ptrdiff_t rows, thread_grid grid, int threads) {
    if (is_bf16(net) || !copies_columns(net, grid, threads, RULE_sgd, rows, MIN_ROWS_OF_COPY)) return 0;
    return (size_t)own_columns_size(net, threads) * sizeof(real);
}

/* tiles: as of new_workspace */
static fgd_plan plan_with(const fgd_net *net, ptrdiff_t rows, int requested, int tiles) {
    double weights = 0, first = is_transposed(net, 0) ? 0 : (double)net->layer[0].n_in * net->layer[0].n_out;
    for (int l = 0; l < net->L; l++) weights += (double)net->layer[l].n_in * net->layer[l].n_out;
    int threads = requested > 0 ? requested : training_threads(net, rows, 0);
    bf16_method method = method_of(net, tiles);
    thread_grid grid = grid_of_micro_batch(net, rows, threads);
    size_t of_threads = (size_t)threads * bytes_of_thread(net, rows) + bytes_of_columns(net, rows, grid, threads);
    return (fgd_plan){.tile_rows = is_bf16(net) ? row_unit(net) : MR,
                      .tile_columns = is_bf16(net) ? row_unit(net) : NR,
                      .max_threads = fgd_max_threads(),
                      .n_threads = threads,
                      .row_groups = grid.row_groups,
                      .columns = grid.columns,
                      .min_flops = MIN_FLOPS_OF_PHASE,
                      .flops = 2. * (double)rows * (3 * weights - first), /* no dX for the first layer */
                      .workspace = workspace_init(net, rows, NULL) + of_threads,
                      .unit = unit_of(net, method),
                      .f32_is_faster = is_bf16(net) && method != BF16_BY_TILES};
}

static fgd_plan plan(const fgd_net *net, ptrdiff_t rows, int requested) { return plan_with(net, rows, requested, 0); }

#endif
