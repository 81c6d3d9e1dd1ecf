/*
 * bf16_gradient.h: dW = a^T dz of factors rounded to bf16, and the update of theta.
 *
 * The gradient of b is not a product: the sums of dz over the rows of each block, left by backward, are added up.
 */
#ifndef FGD_BF16_GRADIENT_H
#define FGD_BF16_GRADIENT_H

#include "../kernels/bf16_product.h"
#include "../kernels/update.h"
#include "bf16_layers.h"
#include "gradient_sink.h"
#include "partition.h"
#include "workspace.h"

#if FGD_BITS == 32

typedef struct {
    const gradient_sink *sink;
    const fgd_layer *layer;
    ptrdiff_t offset;        /* of the layer in theta */
    real *blocks;            /* W in blocks; NULL: it is in theta */
    const bf16_matrices *to; /* out: W after the update; or NULL */
    int has_rows;            /* 1: as a left factor, too */
} gradient_context;

/* `count` elements of a gradient, from the element of theta at `at` on. */
static void put_gradient(const gradient_sink *sink, ptrdiff_t at, const real *gradient, int count) {
    if (sink->update)
        update_flat(sink->update, at, gradient, count);
    else
        memcpy(sink->grad + at, gradient, (size_t)count * sizeof *gradient);
}

static int at_most_side(ptrdiff_t count) { return count < SIDE ? (int)count : SIDE; }

/* Where a block of W is, and the distance between its rows. */
typedef struct {
    real *W;
    ptrdiff_t ld;
} weight_block;

static weight_block weights_at(const gradient_context *context, const c_block *block) {
    int n = context->layer->n_out;
    if (context->blocks)
        return (weight_block){context->blocks + ((ptrdiff_t)block->i * block_count(n) + block->j) * BLOCK_REALS, SIDE};
    ptrdiff_t at = context->offset + (ptrdiff_t)block->i * SIDE * n + block->j * SIDE;
    return (weight_block){context->sink->update->theta + at, n};
}

static void prefetch_rows(const real *x, ptrdiff_t ld, ptrdiff_t rows) {
    for (int r = 0; r < SIDE && r < rows; r++, x += ld) {
        __builtin_prefetch(x, 1, 3);
        __builtin_prefetch(x + SIDE / 2, 1, 3);
    }
}

/* The rows of a block of W and of the state, which are written when the block is finished. */
static void prefetch_update(const gradient_context *context, const c_block *block, ptrdiff_t rows) {
    const update_context *u = context->sink->update;
    weight_block b = weights_at(context, block);
    prefetch_rows(b.W, b.ld, rows);
    for (int slot = 0; slot < rule_slots[u->rule]; slot++)
        prefetch_rows(u->state + slot * u->size + (b.W - u->theta), b.ld, rows);
}

/* With `resumes` the sums start at those in grad. */
static void gradient_start(const bf16_product *p, const c_block *block) {
    const gradient_context *context = p->context;
    ptrdiff_t n = p->columns, row = (ptrdiff_t)block->i * SIDE, column = (ptrdiff_t)block->j * SIDE;
    const real *grad = context->sink->grad + context->offset + row * n + column;
    if (context->sink->update) prefetch_update(context, block, p->rows - row);
    for (int r = 0; p->resumes && r < SIDE; r++)
        store_row(block->c + r * SIDE, load_row(grad + r * n, row + r < p->rows ? n - column : 0), SIDE);
}

/* One row of a block: W after plain descent; `columns` > 0. */
ALWAYS_INLINE block_row descend_row(const update_context *u, real *W, const real *g, ptrdiff_t columns) {
    block_row row = load_row(W, columns), gradient = load_row(g, columns);
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++) row.v[v] = sgd_step(row.v[v], gradient.v[v], NULL, u->c);
    store_row(W, row, columns);
    return row;
}

/* Rows [r0, r1) of a block, as its rule has it or to grad; at: of the block in theta. */
static void put_rows(const gradient_sink *sink, ptrdiff_t at, ptrdiff_t n, const real *g, int r0, int r1, int columns) {
    if (sink->update && r0 < r1) update_matrix(sink->update, at + r0 * n, n, g + r0 * SIDE, SIDE, r1 - r0, columns);
    for (int r = r0; r < r1 && !sink->update; r++)
        memcpy(sink->grad + at + r * n, g + r * SIDE, (size_t)columns * sizeof *g);
}

/* PART_PAIRS pairs of rows of a block; whole: all of its rows and columns are there. */
ALWAYS_INLINE void gradient_pairs(const int whole, const bf16_product *p, const c_block *block, int first) {
    const gradient_context *context = p->context;
    ptrdiff_t n = p->columns, row = (ptrdiff_t)block->i * SIDE, column = (ptrdiff_t)block->j * SIDE;
    ptrdiff_t rows = whole ? SIDE : p->rows - row, columns = whole ? SIDE : n - column;
    ptrdiff_t at = context->offset + row * n + column;
    block_forms forms = {0};
    weight_block b = {0};
    if (context->sink->update) b = weights_at(context, block);
    if (context->to) {
        forms.rows = context->has_rows ? block_at(context->to->w_rows, block->i, block->j) : p->scratch->words;
        forms.pairs = block_at(context->to->w, block->j, block->i);
    }
    const update_context *u = context->sink->update;
    int descends = u && u->rule == RULE_sgd, end = 2 * (first + PART_PAIRS);
    if (!descends)
        put_rows(context->sink, at, n, block->c, 2 * first, end < rows ? end : (int)rows, at_most_side(columns));
    for (int pair = first; pair < first + PART_PAIRS && (descends || context->to); pair++) {
        block_row W[2];
        for (int r = 0, i = 2 * pair; r < 2; r++, i++) {
            ptrdiff_t count = i < rows ? columns : 0;
            W[r] = descends && count > 0 ? descend_row(u, b.W + i * b.ld, block->c + i * SIDE, count)
                                         : load_row(b.W + i * b.ld, count);
        }
        if (context->to) store_row_pair(W[0], W[1], pair, forms);
    }
}

static void gradient_part(const bf16_product *p, const c_block *block, int part) {
    if (is_whole(p, block))
        gradient_pairs(1, p, block, part * PART_PAIRS);
    else
        gradient_pairs(0, p, block, part * PART_PAIRS);
}

/* The gradient of b, of the columns of blocks [j0, j1). */
static void bias_gradient(const fgd_workspace *w, int l, int rows, const gradient_context *context, int j0, int j1) {
    const fgd_layer *layer = context->layer;
    const gradient_sink *sink = context->sink;
    for (int j = j0; j < j1; j++) {
        real gradient[SIDE];
        int count = at_most_side(layer->n_out - j * SIDE);
        ptrdiff_t at = context->offset + (ptrdiff_t)layer->n_in * layer->n_out + j * SIDE;
        block_row sum = load_row(sink->grad + at, sink->accumulate ? count : 0);
        for (int i = 0; i < block_count(rows); i++)
            sum = add_to_row(sum, load_row(sums_at(&w->bf16[l + 1], layer->n_out, i, j), SIDE));
        store_row(gradient, sum, SIDE);
        put_gradient(sink, at, gradient, count);
    }
}

/* The blocks of dW (n_in, n_out) that a thread computes: columns where the threads divide those of forward and backward
   evenly, or there are too few rows; else rows. */
static c_range gradient_range(const fgd_layer *layer, worker self, thread_grid grid) {
    int rows = block_count(layer->n_in), columns = block_count(layer->n_out);
    c_range range = {.i1 = rows, .j1 = columns};
    if ((grid.columns == self.size && columns % self.size == 0) || (rows < self.size && rows < columns))
        range_of_blocks(self, layer->n_out, &range.j0, &range.j1);
    else
        range_of_blocks(self, layer->n_in, &range.i0, &range.i1);
    return range;
}

/* A thread's part of every dW over `rows` rows, to the sink. */
static void bf16_gradients(const fgd_workspace *w, int rows, const gradient_sink *sink, worker self, thread_grid grid) {
    ptrdiff_t offset = theta_size(w->net);
    for (int l = w->net->L - 1; l >= 0; l--) {
        const fgd_layer *layer = &w->net->layer[l];
        offset -= layer_size(layer);
        gradient_context context = {.sink = sink,
                                    .layer = layer,
                                    .offset = offset,
                                    .blocks = sink->update ? w->bf16[l].blocks : NULL,
                                    .to = sink->update && sink->transposes ? &w->bf16[l] : NULL,
                                    .has_rows = is_transposed(w->net, l)};
        bf16_product p = {.method = w->method,
                          .a = w->bf16[l].at,
                          .b = w->bf16[l + 1].dz,
                          .rows = layer->n_in,
                          .columns = layer->n_out,
                          .steps = block_count(rows),
                          .rows_outer = 1,
                          .resumes = sink->accumulate,
                          .start = gradient_start,
                          .part = gradient_part,
                          .parts = ROW_PARTS,
                          .context = &context,
                          .scratch = w->scratch + self.rank};
        c_range range = gradient_range(layer, self, grid);
        enter_phase(sink->watch, phase_of_layer(FGD_UPDATE, l));
        bf16_multiply(&p, range);
        if (layer->bias && range.i0 < range.i1 && range.i1 == block_count(layer->n_in))
            bias_gradient(w, l, rows, &context, range.j0, range.j1);
    }
}

#endif

#endif
