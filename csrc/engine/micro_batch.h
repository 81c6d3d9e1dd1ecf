/*
 * micro_batch.h: the rows of a step that go through the network at once.
 */
#ifndef FGD_MICRO_BATCH_H
#define FGD_MICRO_BATCH_H

#include "../fastgd.h"
#include "../kernels/blocks.h"
#include "../kernels/gather.h"
#include "bf16_layers.h"
#include "partition.h"
#include "workspace.h"

/* `rows` rows of a step, from row number `row` of it on. */
typedef struct {
    ptrdiff_t step, row, rows;
    double step_weight;
} micro_batch;

static ptrdiff_t step_rows(const fgd_chunk *chunk, ptrdiff_t s) { return chunk->starts[s + 1] - chunk->starts[s]; }

/* Sum of the weights of a step's rows; without weights, their number. */
static double step_weight(const fgd_chunk *chunk, ptrdiff_t s) {
    ptrdiff_t rows = step_rows(chunk, s);
    if (!chunk->weight) return (double)rows;
    double sum = 0;
    for (const int64_t *row = chunk->order + chunk->starts[s]; rows > 0; row++, rows--)
        sum += (double)((const real *)chunk->weight)[*row];
    return sum;
}

static int is_last(const fgd_chunk *chunk, const micro_batch *mb) {
    return mb->row + mb->rows == step_rows(chunk, mb->step);
}

/* A thread's rows of a micro-batch may fill half of L2, or be this many, whichever is more. */
enum { MICRO_BATCH_ROWS = 512 };

static ptrdiff_t max_micro_batch(const fgd_workspace *w, const fgd_chunk *chunk, int threads) {
    ptrdiff_t per_row = 0;
    for (int l = 0; l <= w->net->L; l++) per_row += 2 * w->at[l].ld;
    ptrdiff_t rows = (ptrdiff_t)(l2_bytes() / 2 / sizeof(real)) / per_row;
    rows = threads * (rows > MICRO_BATCH_ROWS ? rows : MICRO_BATCH_ROWS);
    const fgd_transforms *transforms = chunk->transforms;
    if (transforms && transforms->micro_batch < rows) rows = transforms->micro_batch;
    int unit = row_unit(w->net);
    return (rows + unit - 1) / unit * unit;
}

static fgd_noise micro_batch_noise(const fgd_chunk *chunk, int L, const micro_batch *mb) {
    fgd_noise noise = chunk->noise;
    if (!noise.strength) return noise;
    noise.step += mb->step;
    noise.strength += mb->step * L;
    noise.row = mb->row;
    return noise;
}

/* The rows of a range of X to the inputs of the network: row by row, from its row range->begin on. */
static void gather_inputs(const fgd_workspace *w, const fgd_table *X, const gather_range *range, int thread) {
    ptrdiff_t ld;
    real *to = inputs_of(w, &ld);
    if (to)
        gather_rows(X, range, to + range->begin * ld, ld);
    else
        gather_rounded(w, X, range, thread);
}

/* Inputs, targets and weights of the own rows of a micro-batch, to the workspace. */
static void gather_micro_batch(const fgd_workspace *w, const fgd_chunk *chunk, const micro_batch *mb,
                               const row_group *g) {
    ptrdiff_t first = chunk->starts[mb->step] + mb->row;
    const layer_memory *out = &w->at[w->net->L];
    gather_range range = {.order = chunk->order + first,
                          .begin = g->own0,
                          .end = g->own1,
                          .next = mb->rows + g->own0,
                          .known = chunk->starts[chunk->n_steps] - first};
    gather_inputs(w, &chunk->X, &range, g->thread);
    gather_rows(&chunk->Y, &range, w->y + g->own0 * out->ld, out->ld);
    const real *weight = chunk->weight;
    for (int r = g->own0; weight && r < g->own1; r++) w->weight[r] = weight[range.order[r]];
}

#endif
