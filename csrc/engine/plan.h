/*
 * plan.h: how a training step of some rows is executed: the threads it uses and how they divide it.
 */
#ifndef FGD_PLAN_H
#define FGD_PLAN_H

#include "../fastgd.h"
#include "partition.h"
#include "team.h"
#include "workspace.h"

static int training_threads(const fgd_net *net, ptrdiff_t rows, int requested) {
    return useful_threads(requested, forward_flops(net, rows), MIN_FLOPS_OF_PHASE);
}

static fgd_plan plan(const fgd_net *net, ptrdiff_t rows, int requested) {
    double weights = 0, first = (double)net->layer[0].n_in * net->layer[0].n_out;
    for (int l = 0; l < net->L; l++) weights += (double)net->layer[l].n_in * net->layer[l].n_out;
    int threads = requested > 0 ? requested : training_threads(net, rows, 0);
    thread_grid grid = grid_of_micro_batch(net, rows, threads);
    return (fgd_plan){.tile_rows = MR,
                      .tile_columns = NR,
                      .max_threads = fgd_max_threads(),
                      .n_threads = threads,
                      .row_groups = grid.row_groups,
                      .columns = grid.columns,
                      .min_flops = MIN_FLOPS_OF_PHASE,
                      .flops = 2. * (double)rows * (3 * weights - first), /* no dX for the first layer */
                      .workspace =
                          workspace_init(net, rows, NULL) + (size_t)threads * pack_bytes(pack_sizes_of(net, rows))};
}

#endif
