/*
 * bf16_rounding.h: matrices of reals, and rows of X, to the forms of bf16 factors.
 */
#ifndef FGD_BF16_ROUNDING_H
#define FGD_BF16_ROUNDING_H

#include "../kernels/bf16_product.h"
#include "../kernels/gather.h"
#include "partition.h"
#include "workspace.h"

#if FGD_BITS == 32

/* A thread's blocks of `count` rows or columns. */
static void range_of_blocks(worker self, ptrdiff_t count, int *begin, int *end) {
    *begin = part_begin(self, block_count(count));
    *end = part_end(self, block_count(count));
}

/* Block (i, j) of a[l], of which `rows` rows are there. */
static void round_activation_block(const fgd_workspace *w, int l, ptrdiff_t rows, int i, int j, bf16_scratch *s) {
    const bf16_matrices *to = &w->bf16[l];
    ptrdiff_t row = (ptrdiff_t)i * SIDE, column = (ptrdiff_t)j * SIDE;
    block_forms forms = {.rows = block_at(to->a, i, j), .pairs = s->words};
    store_block(w->at[l].a + row * w->at[l].ld + column, w->at[l].ld, rows - row, w->net->layer[l].n_in - column,
                forms);
    for (int t = 0; t < 2; t++) transpose_tile(s->words, t, block_at(to->at, j, i));
}

/* sums (SIDE,) <- the sums of the columns of a block of x, of `rows` rows and `columns` columns */
static void sum_columns(const real *x, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t columns, real *sums) {
    block_row sum = load_row(x, 0);
    for (int r = 0; r < SIDE && r < rows; r++, x += ld) sum = add_to_row(sum, load_row(x, columns));
    store_row(sums, sum, SIDE);
}

/* The sums over the rows of block (i, j) of a dz that has n columns. */
static real *sums_at(const bf16_matrices *of, ptrdiff_t n, int i, int j) {
    return of->sums + ((ptrdiff_t)i * block_count(n) + j) * SIDE;
}

/* Block (i, j) of dz[l]. */
static void round_gradient_block(const fgd_workspace *w, int l, ptrdiff_t rows, int i, int j, bf16_scratch *s) {
    const bf16_matrices *to = &w->bf16[l];
    ptrdiff_t row = (ptrdiff_t)i * SIDE, column = (ptrdiff_t)j * SIDE, ld = w->at[l].ld;
    ptrdiff_t columns = w->net->layer[l - 1].n_out - column;
    const real *dz = w->at[l].dz + row * ld + column;
    block_forms forms = {.rows = s->words, .pairs = block_at(to->dz, j, i)};
    store_block(dz, ld, rows - row, columns, forms);
    sum_columns(dz, ld, rows - row, columns, sums_at(to, columns + column, i, j));
    for (int t = 0; t < 2; t++) transpose_tile(s->words, t, block_at(to->dzt, i, j));
}

/* The own rows of a[l], l < L, of a group. */
static void round_activations(const fgd_workspace *w, int l, const row_group *g) {
    for (int i = g->own0 / SIDE; i < block_count(g->own1); i++)
        for (int j = 0; j < block_count(w->net->layer[l].n_in); j++)
            round_activation_block(w, l, g->own1, i, j, w->scratch + g->thread);
}

/* The own rows of dz[l], l > 0. */
static void round_gradients(const fgd_workspace *w, int l, const row_group *g) {
    for (int i = g->own0 / SIDE; i < block_count(g->own1); i++)
        for (int j = 0; j < block_count(w->net->layer[l - 1].n_out); j++)
            round_gradient_block(w, l, g->own1, i, j, w->scratch + g->thread);
}

/* A thread's blocks of W, to w, a right factor, and to w_rows, a left one, unless it has no blocks. */
static void round_weights(const fgd_layer *layer, const real *W, bf16_factor w, bf16_factor w_rows, worker self,
                          bf16_scratch *s) {
    int i0, i1;
    ptrdiff_t n = layer->n_out;
    range_of_blocks(self, layer->n_in, &i0, &i1);
    for (int i = i0; i < i1; i++)
        for (int j = 0; j < block_count(n); j++) {
            block_forms forms = {.rows = w_rows.blocks ? block_at(w_rows, i, j) : s->words, .pairs = block_at(w, j, i)};
            store_block(W + i * SIDE * n + j * SIDE, n, layer->n_in - i * SIDE, n - j * SIDE, forms);
        }
}

/* Elements of all W in blocks. */
static ptrdiff_t blocks_size(const fgd_net *net) {
    ptrdiff_t size = 0;
    for (int l = 0; l < net->L; l++)
        size += (ptrdiff_t)block_count(net->layer[l].n_in) * block_count(net->layer[l].n_out) * BLOCK_REALS;
    return size;
}

/* All W in blocks from now on, copied from theta. */
static void take_blocks(const fgd_workspace *w, const real *theta, real *blocks) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        w->bf16[l].blocks = blocks;
        for (int i = 0; i < layer->n_in; i += SIDE)
            for (int j = 0; j < layer->n_out; j += SIDE, blocks += BLOCK_REALS)
                for (int r = 0; r < SIDE && i + r < layer->n_in; r++)
                    store_row(blocks + r * SIDE,
                              load_row(theta + (ptrdiff_t)(i + r) * layer->n_out + j, layer->n_out - j), SIDE);
        theta += layer_size(layer);
    }
}

/* Back to theta. */
static void return_blocks(const fgd_workspace *w, real *theta) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        const real *blocks = w->bf16[l].blocks;
        w->bf16[l].blocks = NULL;
        for (int i = 0; i < layer->n_in && blocks; i += SIDE)
            for (int j = 0; j < layer->n_out; j += SIDE, blocks += BLOCK_REALS)
                for (int r = 0; r < SIDE && i + r < layer->n_in; r++)
                    store_row(theta + (ptrdiff_t)(i + r) * layer->n_out + j, load_row(blocks + r * SIDE, SIDE),
                              layer->n_out - j);
        theta += layer_size(layer);
    }
}

/* A thread's part of every W. */
static void round_all_weights(const fgd_workspace *w, const real *theta, worker self) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        round_weights(layer, theta, w->bf16[l].w, w->bf16[l].w_rows, self, w->scratch + self.rank);
        theta += layer_size(layer);
    }
}

/* ---- rows of X ---- */

/* Columns [j * SIDE, (j + 1) * SIDE) of the rows of a range of X, at most SIDE, to block (i, j) of a[0]. */
static void gather_block(const fgd_workspace *w, const fgd_table *X, const gather_range *rows, int i, int j,
                         bf16_scratch *s) {
    fgd_table columns = *X;
    columns.data = (const char *)X->data + j * SIDE * type_size[X->type];
    columns.width = X->width - j * SIDE < SIDE ? X->width - j * SIDE : SIDE;
    gather_rows(&columns, rows, s->rows, SIDE);
    block_forms forms = {.rows = block_at(w->bf16[0].a, i, j), .pairs = s->words};
    store_block(s->rows, SIDE, rows->end - rows->begin, columns.width, forms);
    for (int t = 0; t < 2; t++) transpose_tile(s->words, t, block_at(w->bf16[0].at, j, i));
}

/* The rows of a range of X, which begins with a block, to a[0] without a detour. */
static void gather_rounded(const fgd_workspace *w, const fgd_table *X, const gather_range *range, int thread) {
    for (ptrdiff_t row = range->begin; row < range->end; row += SIDE) {
        gather_range rows = *range;
        rows.begin = row;
        if (row + SIDE < range->end) rows.next = rows.end = row + SIDE;
        for (int j = 0; j < block_count(X->width); j++)
            gather_block(w, X, &rows, (int)(row / SIDE), j, w->scratch + thread);
    }
}

#endif

#endif
