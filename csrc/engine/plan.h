/*
 * plan.h: how train would execute a step.
 */
#ifndef FGD_PLAN_H
#define FGD_PLAN_H

#include "../fastgd.h"
#include "bf16_layers.h"
#include "train.h"
#include "workspace.h"

/* tiles: as of new_workspace */
static fgd_plan plan_with(const fgd_net *net, ptrdiff_t rows, int requested, int tiles) {
    double weights = 0, first = (double)net->layer[0].n_in * net->layer[0].n_out;
    for (int l = 0; l < net->L; l++) weights += (double)net->layer[l].n_in * net->layer[l].n_out;
    int threads = requested > 0 ? requested : training_threads(net, rows, 0);
    bf16_method method = method_of(net, tiles);
    thread_grid grid = grid_of_micro_batch(net, rows, threads);
    return (fgd_plan){.tile_rows = is_bf16(net) ? row_unit(net) : MR,
                      .tile_columns = is_bf16(net) ? row_unit(net) : NR,
                      .max_threads = fgd_max_threads(),
                      .n_threads = threads,
                      .row_groups = grid.row_groups,
                      .columns = grid.columns,
                      .min_flops = MIN_FLOPS_OF_PHASE,
                      .flops = 2. * (double)rows * (3 * weights - first), /* no dX for the first layer */
                      .workspace = workspace_init(net, rows, NULL) + (size_t)threads * bytes_of_thread(net, rows),
                      .unit = unit_of(net, method),
                      .f32_is_faster = is_bf16(net) && method != BF16_BY_TILES};
}

static fgd_plan plan(const fgd_net *net, ptrdiff_t rows, int requested) { return plan_with(net, rows, requested, 0); }

#endif
