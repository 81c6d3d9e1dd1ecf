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
#include "relay.h"
#include "team.h"
#include "workspace.h"

/* The operations of a phase per thread below which one more does not pay: tiles take a quarter of the time, and less of
   it where networks are large enough for all threads anyway. */
static double min_flops_of_phase(bf16_method method) {
    return method == BF16_BY_TILES ? 4 * MIN_FLOPS_OF_PHASE : MIN_FLOPS_OF_PHASE;
}

static int training_threads(const fgd_net *net, ptrdiff_t rows, int requested, bf16_method method) {
    return useful_threads(requested, forward_flops(net, rows), min_flops_of_phase(method));
}

/* The time of the product (m, k) (k, n) of bf16 factors by tiles, in operations of float32 products that take as long.
   Measured on Intel Emerald Rapids: a group along k of a block, and what follows a block. */
static double flops_of_tiles(double m, double k, double n) {
    enum { SIDE_OF_BLOCK = 32, GROUP_FLOPS = 2600, BLOCK_FLOPS = 40000 };
    return ceil(m / SIDE_OF_BLOCK) * ceil(n / SIDE_OF_BLOCK) * (ceil(k / SIDE_OF_BLOCK) * GROUP_FLOPS + BLOCK_FLOPS);
}

/* Whether a step of `rows` rows takes longer with bf16 factors; without tiles they are converted for each product. */
static int f32_is_faster(const fgd_net *net, double rows, bf16_method method) {
    double reals = 0, tiles = 0;
    for (int l = 0; l < net->L; l++) {
        double k = net->layer[l].n_in, n = net->layer[l].n_out;
        int transposed = is_transposed(net, l);
        reals += 2 * rows * k * n * (2 + transposed);
        tiles += flops_of_tiles(rows, k, n) + flops_of_tiles(k, rows, n);
        if (transposed) tiles += flops_of_tiles(k, n, rows);
    }
    return is_bf16(net) && (method != BF16_BY_TILES || reals < tiles);
}

/* Bytes of the weights that threads keep: columns of the first layer, unless a chunk is short or its updates take more
   than a rule that the product applies, or, in a relay, all W transposed. */
static size_t bytes_of_own_weights(const fgd_net *net, ptrdiff_t rows, thread_grid grid, int threads) {
    ptrdiff_t count = 0;
    if (is_bf16(net)) return 0;
    if (copies_columns(net, grid, threads, RULE_sgd, rows, MIN_ROWS_OF_COPY)) count = own_columns_size(net, threads);
    if (relays(net, grid, rows, threads)) count = transposed_size(net) * threads;
    return (size_t)count * sizeof(real);
}

/* tiles: as of new_workspace */
COLD fgd_plan plan_with(const fgd_net *net, ptrdiff_t rows, int requested, int tiles) {
    double weights = 0, first = is_transposed(net, 0) ? 0 : (double)net->layer[0].n_in * net->layer[0].n_out;
    for (int l = 0; l < net->L; l++) weights += (double)net->layer[l].n_in * net->layer[l].n_out;
    bf16_method method = method_of(net, tiles);
    int threads = requested > 0 ? requested : training_threads(net, rows, 0, method);
    thread_grid grid = grid_of_micro_batch(net, rows, threads);
    size_t of_threads = (size_t)threads * bytes_of_thread(net, rows) + bytes_of_own_weights(net, rows, grid, threads);
    return (fgd_plan){.tile_rows = is_bf16(net) ? row_unit(net) : MR,
                      .tile_columns = is_bf16(net) ? row_unit(net) : NR,
                      .max_threads = fgd_max_threads(),
                      .n_threads = threads,
                      .row_groups = grid.row_groups,
                      .columns = grid.columns,
                      .min_flops = min_flops_of_phase(method),
                      .flops = 2. * (double)rows * (3 * weights - first), /* no dX for the first layer */
                      .workspace = workspace_init(net, rows, NULL) + of_threads,
                      .unit = unit_of(net, method),
                      .f32_is_faster = f32_is_faster(net, (double)rows, method)};
}

static fgd_plan plan(const fgd_net *net, ptrdiff_t rows, int requested) { return plan_with(net, rows, requested, 0); }

#endif
