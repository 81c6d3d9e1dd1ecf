/*
 * bf16_layers.h: the products of layers.h, of factors rounded to bf16.
 *
 * What a product is followed by is done block by block, and ends in the forms that the next products read: activations
 * as a left factor and, transposed, as that of the gradient; gradients as two right factors.  Where noise or a function
 * of whole rows comes in between, the results are stored as reals, and rounded when they are complete.
 */
#ifndef FGD_BF16_LAYERS_H
#define FGD_BF16_LAYERS_H

#include "../kernels/bf16_product.h"
#include "activate.h"
#include "partition.h"
#include "workspace.h"

#if FGD_BITS == 64
#include "bf16_absent.h"
#endif

/* The rows that belong together: those of a thread begin at a multiple of this number. */
static inline int row_unit(const fgd_net *net) { return is_bf16(net) ? 32 : 1; }

#if FGD_BITS == 32

enum { PAIRS = SIDE / 2 }; /* of rows in a block */

/* A thread's blocks of `count` rows or columns. */
static void range_of_blocks(worker self, ptrdiff_t count, int *begin, int *end) {
    *begin = part_begin(self, block_count(count));
    *end = part_end(self, block_count(count));
}

/* ---- rounding of matrices ---- */

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

static real *sums_at(const fgd_workspace *w, int l, int i, int j) {
    return w->bf16[l].sums + ((ptrdiff_t)i * block_count(w->net->layer[l - 1].n_out) + j) * SIDE;
}

/* Block (i, j) of dz[l]. */
static void round_gradient_block(const fgd_workspace *w, int l, ptrdiff_t rows, int i, int j, bf16_scratch *s) {
    const bf16_matrices *to = &w->bf16[l];
    ptrdiff_t row = (ptrdiff_t)i * SIDE, column = (ptrdiff_t)j * SIDE, ld = w->at[l].ld;
    ptrdiff_t columns = w->net->layer[l - 1].n_out - column;
    const real *dz = w->at[l].dz + row * ld + column;
    block_forms forms = {.rows = s->words, .pairs = block_at(to->dz, j, i)};
    store_block(dz, ld, rows - row, columns, forms);
    sum_columns(dz, ld, rows - row, columns, sums_at(w, l, i, j));
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

/* A thread's part of every W. */
static void round_all_weights(const fgd_workspace *w, const real *theta, worker self) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        round_weights(layer, theta, w->bf16[l].w, w->bf16[l].w_rows, self, w->scratch + self.rank);
        theta += layer_size(layer);
    }
}

/* ---- forward ---- */

/* What follows the product of a layer. */
typedef struct {
    const fgd_layer *layer;
    const real *bias;   /* (n_out,), or NULL */
    real *a, *z;        /* (rows, n_out) out, ld apart: outputs and inputs of the activation; or NULL */
    ptrdiff_t ld;
    bf16_factor to, tot; /* out: the outputs, and transposed; without blocks: they are not rounded */
} forward_sink;

/* x <- f(x), of a function of single values */
ALWAYS_INLINE void activate_row_pair(const fgd_layer *layer, block_row x[2]) {
    if (layer->activation == ACTIVATION_relu) {
        UNROLLED
        for (int v = 0; v < ROW_VECTORS; v++) {
            x[0].v[v] = relu_forward(x[0].v[v], NULL);
            x[1].v[v] = relu_forward(x[1].v[v], NULL);
        }
        return;
    }
    for (int v = 0; v < ROW_VECTORS; v += NV) {
        vec tile[MR][NV];
        for (int r = 0; r < 2; r++)
            for (int i = 0; i < NV; i++) tile[r][i] = x[r].v[v + i];
        activate_tile(layer, 2, NV, tile);
        for (int r = 0; r < 2; r++)
            for (int i = 0; i < NV; i++) x[r].v[v + i] = tile[r][i];
    }
}

static void forward_part(const bf16_product *p, const c_block *block, int part) {
    const forward_sink *sink = p->context;
    if (part >= PAIRS) {
        transpose_tile(p->scratch->words, part - PAIRS, block_at(sink->tot, block->j, block->i));
        return;
    }
    ptrdiff_t row = (ptrdiff_t)block->i * SIDE + 2 * part, column = (ptrdiff_t)block->j * SIDE;
    ptrdiff_t columns = p->columns - column, at = row * sink->ld + column;
    block_row x[2];
    for (int r = 0; r < 2; r++) {
        x[r] = load_row(block->c + (2 * part + r) * SIDE, SIDE);
        if (sink->bias) x[r] = add_to_row(x[r], load_row(sink->bias + column, columns));
        if (sink->z && row + r < p->rows) store_row(sink->z + at + r * sink->ld, x[r], columns);
    }
    activate_row_pair(sink->layer, x);
    for (int r = 0; r < 2; r++)
        if (sink->a && row + r < p->rows) store_row(sink->a + at + r * sink->ld, x[r], columns);
    if (!sink->to.blocks) return;
    for (int r = 0; r < 2; r++) x[r] = pad_row(x[r], row + r < p->rows ? columns : 0);
    block_forms forms = {.rows = block_at(sink->to, block->i, block->j), .pairs = p->scratch->words};
    store_row_pair(x[0], x[1], part, forms);
}

/* Blocks `range` of the outputs of a layer from its inputs, to the sink; rows: of the batch. */
static void bf16_forward(const forward_sink *sink, bf16_method method, bf16_factor from, bf16_factor w, ptrdiff_t rows,
                         c_range range, bf16_scratch *scratch) {
    bf16_product p = {.method = method,
                      .a = from,
                      .b = w,
                      .rows = (int)rows,
                      .columns = sink->layer->n_out,
                      .steps = w.steps,
                      .part = forward_part,
                      .parts = sink->tot.blocks ? PAIRS + 2 : PAIRS,
                      .context = sink,
                      .scratch = scratch};
    bf16_multiply(&p, range);
}

/* layer_forward of a group's rows and a thread's columns; complete: neither noise nor a function of rows follows. */
static void bf16_layer_forward(const fgd_workspace *w, int l, const real *W, real *to, int complete,
                               const row_group *g) {
    const fgd_layer *layer = &w->net->layer[l];
    const bf16_matrices *in = &w->bf16[l], *out = &w->bf16[l + 1];
    forward_sink sink = {.layer = layer,
                         .bias = layer->bias ? W + (ptrdiff_t)layer->n_in * layer->n_out : NULL,
                         .a = to,
                         .z = w->at[l + 1].z,
                         .ld = w->at[l + 1].ld};
    if (complete && l + 1 < w->net->L) {
        sink.to = out->a;
        sink.tot = out->at;
    }
    c_range range = {.i0 = g->row0 / SIDE, .i1 = block_count(g->row1)};
    range_of_blocks(g->columns, layer->n_out, &range.j0, &range.j1);
    bf16_forward(&sink, w->method, in->a, in->w, g->row1, range, w->scratch + g->thread);
}

/* ---- backward ---- */

/* What follows the product dA^T = W dZ^T. */
typedef struct {
    const fgd_layer *before; /* the layer whose outputs dA are the gradients of; NULL: f' is not applied */
    const real *x;           /* (rows, n) what f' is computed from, ld apart */
    ptrdiff_t ld;
    real *dz;                /* (rows, n) out, dz_ld apart; or NULL */
    ptrdiff_t dz_ld;
    const bf16_matrices *to; /* out, or NULL */
} backward_sink;

/* A row of a block of dA, in place, <- dz f'; returns it */
ALWAYS_INLINE block_row backward_row(const backward_sink *sink, ptrdiff_t row, ptrdiff_t column, ptrdiff_t columns,
                                     real *g) {
    int n = columns < SIDE ? (int)columns : SIDE;
    if (sink->before) activation_backward(sink->before, n, sink->x + row * sink->ld + column, g);
    if (sink->dz) store_row(sink->dz + row * sink->dz_ld + column, load_row(g, SIDE), columns);
    return load_row(g, columns);
}

/* Rows 2 p and 2 p + 1 of a block of dA, transposed by now. */
static void backward_row_pair(const bf16_product *p, const c_block *block, int pair) {
    const backward_sink *sink = p->context;
    ptrdiff_t row = (ptrdiff_t)block->j * SIDE + 2 * pair, column = (ptrdiff_t)block->i * SIDE;
    ptrdiff_t columns = p->rows - column;
    real *g = p->scratch->rows + 2 * pair * SIDE, *sums = p->scratch->sums;
    block_row x[2];
    for (int r = 0; r < 2; r++)
        x[r] = row + r < p->columns ? backward_row(sink, row + r, column, columns, g + r * SIDE) : load_row(g, 0);
    if (!sink->to) return;
    block_row sum = load_row(sums, pair > 0 ? SIDE : 0);
    store_row(sums, add_to_row(add_to_row(sum, x[0]), x[1]), SIDE);
    block_forms forms = {.rows = p->scratch->words, .pairs = block_at(sink->to->dz, block->i, block->j)};
    store_row_pair(x[0], x[1], pair, forms);
}

static void backward_part(const bf16_product *p, const c_block *block, int part) {
    const backward_sink *sink = p->context;
    bf16_scratch *s = p->scratch;
    if (part < 2) {
        transpose(SIDE, WORDS, block->c + part * WORDS, SIDE, s->rows + part * WORDS * SIDE, SIDE, 0);
        return;
    }
    if (part < 2 + PAIRS) {
        backward_row_pair(p, block, part - 2);
        return;
    }
    int t = part - 2 - PAIRS;
    transpose_tile(s->words, t, block_at(sink->to->dzt, block->j, block->i));
    real *sums = sink->to->sums + ((ptrdiff_t)block->j * block_count(p->rows) + block->i) * SIDE;
    if (t == 0) memcpy(sums, s->sums, SIDE * sizeof *sums);
}

static void backward_to_sink(const fgd_workspace *w, int l, const backward_sink *sink, const row_group *g) {
    const fgd_layer *layer = &w->net->layer[l];
    c_range range = {.j0 = g->row0 / SIDE, .j1 = block_count(g->row1)};
    range_of_blocks(g->columns, layer->n_in, &range.i0, &range.i1);
    bf16_product p = {.method = w->method,
                      .a = w->bf16[l].w_rows,
                      .b = w->bf16[l + 1].dzt,
                      .rows = layer->n_in,
                      .columns = g->row1,
                      .steps = block_count(layer->n_out),
                      .rows_outer = 1,
                      .part = backward_part,
                      .parts = sink->to ? PAIRS + 4 : PAIRS + 2,
                      .context = sink,
                      .scratch = w->scratch + g->thread};
    bf16_multiply(&p, range);
}

/* A thread's columns of dz[l] <- dz[l + 1] W^T f'(x), rounded; complete: 0 if a mask or the f' of whole rows is still to
   be applied, so that it is stored instead. */
static void bf16_layer_backward(const fgd_workspace *w, int l, const real *x, int complete, const row_group *g) {
    const layer_memory *m = &w->at[l];
    const fgd_layer *before = &w->net->layer[l - 1];
    backward_sink sink = {.before = activation_is_row[before->activation] ? NULL : before,
                          .x = x,
                          .ld = m->ld,
                          .dz = complete ? NULL : m->dz,
                          .dz_ld = m->ld,
                          .to = complete ? &w->bf16[l] : NULL};
    backward_to_sink(w, l, &sink, g);
}

/* The group's rows of dX (rows, n[0]) <- dz[1] W^T */
static void bf16_input_gradient(const fgd_workspace *w, real *dX, const row_group *g) {
    backward_sink sink = {.dz = dX, .dz_ld = w->net->layer[0].n_in};
    backward_to_sink(w, 0, &sink, g);
}

#endif

#endif
