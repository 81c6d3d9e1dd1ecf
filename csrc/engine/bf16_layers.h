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
#include "bf16_rounding.h"
#include "partition.h"
#include "workspace.h"

#if FGD_BITS == 64
#include "bf16_absent.h"
#endif

#if FGD_BITS == 32

/* Pairs of rows in a block, and in a part of what follows a product. */
enum { PAIRS = SIDE / 2, PART_PAIRS = 4, ROW_PARTS = PAIRS / PART_PAIRS };

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

/* PART_PAIRS pairs of rows of a block; whole: all of its rows and columns are there. */
ALWAYS_INLINE void forward_pairs(const int whole, const bf16_product *p, const c_block *block, int first) {
    const forward_sink *sink = p->context;
    ptrdiff_t row = (ptrdiff_t)block->i * SIDE, column = (ptrdiff_t)block->j * SIDE;
    ptrdiff_t rows = whole ? SIDE : p->rows - row, columns = whole ? SIDE : p->columns - column;
    ptrdiff_t offset = row * sink->ld + column;
    real *a = sink->a ? sink->a + offset : NULL, *z = sink->z ? sink->z + offset : NULL;
    block_row bias = {0};
    block_forms forms = {.pairs = p->scratch->words};
    if (sink->bias) bias = load_row(sink->bias + column, columns);
    if (sink->to.blocks) forms.rows = block_at(sink->to, block->i, block->j);
    for (int pair = first; pair < first + PART_PAIRS; pair++) {
        block_row x[2];
        for (int r = 0, at = 2 * pair; r < 2; r++, at++) {
            x[r] = load_row(block->c + at * SIDE, SIDE);
            if (sink->bias) x[r] = add_to_row(x[r], bias);
            if (z && at < rows) store_row(z + at * sink->ld, x[r], columns);
        }
        activate_row_pair(sink->layer, x);
        for (int r = 0, at = 2 * pair; r < 2; r++, at++) {
            if (a && at < rows) store_row(a + at * sink->ld, x[r], columns);
            if (!whole) x[r] = pad_row(x[r], at < rows ? columns : 0);
        }
        if (forms.rows) store_row_pair(x[0], x[1], pair, forms);
    }
}

static int is_whole(const bf16_product *p, const c_block *block) {
    return (block->i + 1) * SIDE <= p->rows && (block->j + 1) * SIDE <= p->columns;
}

static void forward_part(const bf16_product *p, const c_block *block, int part) {
    const forward_sink *sink = p->context;
    if (part >= ROW_PARTS)
        transpose_tile(p->scratch->words, part - ROW_PARTS, block_at(sink->tot, block->j, block->i));
    else if (is_whole(p, block))
        forward_pairs(1, p, block, part * PART_PAIRS);
    else
        forward_pairs(0, p, block, part * PART_PAIRS);
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
                      .parts = sink->tot.blocks ? ROW_PARTS + 2 : ROW_PARTS,
                      .context = sink,
                      .scratch = scratch};
    bf16_multiply(&p, range);
}

/* layer_forward of a group's rows and a thread's columns; complete: neither noise nor a function of rows follows. */
OUT_OF_LINE void bf16_layer_forward(const fgd_workspace *w, int l, const real *W, real *to, int complete,
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
        if (!needs_values(layer->activation)) sink.a = NULL;
    }
    c_range range = {.i0 = g->row0 / SIDE, .i1 = block_count(g->row1)};
    range_of_blocks(g->columns, layer->n_out, &range.j0, &range.j1);
    bf16_forward(&sink, w->method, in->a, in->w, g->row1, range, w->scratch + g->thread);
}

/* ---- backward ---- */

enum { BACKWARD_PARTS = 2 * (1 + ROW_PARTS / 2 + 1) };

/* What follows the product dA^T = W dZ^T. */
typedef struct {
    const fgd_layer *before; /* the layer whose outputs dA are the gradients of; NULL: f' is not applied */
    const real *x;           /* (rows, n) what f' is computed from, ld apart */
    bf16_factor a;           /* the same rounded, for relu; or without blocks, if x is something else than outputs */
    ptrdiff_t ld;
    real *dz;                /* (rows, n) out, dz_ld apart; or NULL */
    ptrdiff_t dz_ld;
    const bf16_matrices *to; /* out, or NULL */
} backward_sink;

/* dz <- dA f' of row number `i` of a block, of `columns` columns; at: of the row in x. */
ALWAYS_INLINE block_row backward_row(const backward_sink *sink, ptrdiff_t at, const bf16_word *rows_of_a, int i,
                                     real *g, ptrdiff_t columns) {
    const fgd_layer *before = sink->before;
    int n = columns < SIDE ? (int)columns : SIDE;
    if (before && needs_values(before->activation)) activation_backward(before, 1, n, sink->x + at, g, 0);
    block_row row = load_row(g, columns);
    if (!before || before->activation != ACTIVATION_relu) return row;
    block_row x = rows_of_a ? load_rounded_row(rows_of_a, i) : load_row(sink->x + at, columns);
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++) row.v[v] = relu_backward(x.v[v], row.v[v], NULL);
    return row;
}

/* PART_PAIRS pairs of rows of a block of dA, whose transpose is in the scratch memory. */
ALWAYS_INLINE void backward_pairs(const int whole, const bf16_product *p, const c_block *block, int first) {
    const backward_sink *sink = p->context;
    bf16_scratch *s = p->scratch;
    ptrdiff_t row = (ptrdiff_t)block->j * SIDE, column = (ptrdiff_t)block->i * SIDE;
    ptrdiff_t rows = whole ? SIDE : p->columns - row, columns = whole ? SIDE : p->rows - column;
    const bf16_word *rows_of_a = sink->a.blocks ? block_at(sink->a, block->j, block->i) : NULL;
    block_row sum = load_row(s->sums, first > 0 ? SIDE : 0);
    for (int pair = first; pair < first + PART_PAIRS; pair++) {
        block_row x[2];
        for (int r = 0, at = 2 * pair; r < 2; r++, at++) {
            if (at >= rows) {
                x[r] = load_row(s->rows, 0);
                continue;
            }
            x[r] = backward_row(sink, (row + at) * sink->ld + column, rows_of_a, at, s->rows + at * SIDE, columns);
            if (sink->dz) store_row(sink->dz + (row + at) * sink->dz_ld + column, x[r], columns);
        }
        if (!sink->to) continue;
        sum = add_to_row(add_to_row(sum, x[0]), x[1]);
        block_forms forms = {.rows = s->words, .pairs = block_at(sink->to->dz, block->i, block->j)};
        store_row_pair(x[0], x[1], pair, forms);
    }
    store_row(s->sums, sum, SIDE);
}

/* For each half of the rows: the result is transposed, finished, and transposed again for the next product. */
static void backward_part(const bf16_product *p, const c_block *block, int part) {
    enum { PARTS_OF_HALF = BACKWARD_PARTS / 2 };
    const backward_sink *sink = p->context;
    bf16_scratch *s = p->scratch;
    int half = part / PARTS_OF_HALF, step = part % PARTS_OF_HALF, first = half * PAIRS / 2 + (step - 1) * PART_PAIRS;
    if (step == 0) {
        real *to = s->rows + half * WORDS * SIDE;
        transpose_words(block->c + half * WORDS, SIDE, to, SIDE);
        transpose_words(block->c + half * WORDS + WORDS * SIDE, SIDE, to + WORDS, SIDE);
    } else if (step < PARTS_OF_HALF - 1) {
        if (is_whole(p, block))
            backward_pairs(1, p, block, first);
        else
            backward_pairs(0, p, block, first);
    } else if (sink->to) {
        transpose_tile(s->words, half, block_at(sink->to->dzt, block->j, block->i));
        if (half == 1) store_row(sums_at(sink->to, p->rows, block->j, block->i), load_row(s->sums, SIDE), SIDE);
    }
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
                      .parts = BACKWARD_PARTS,
                      .context = sink,
                      .scratch = w->scratch + g->thread};
    bf16_multiply(&p, range);
}

/* A thread's columns of dz[l] <- dz[l + 1] W^T f'(x), rounded; complete: 0 if a mask or the f' of whole rows is still to
   be applied, so that it is stored instead. */
OUT_OF_LINE void bf16_layer_backward(const fgd_workspace *w, int l, const real *x, int complete, const row_group *g) {
    const layer_memory *m = &w->at[l];
    const fgd_layer *before = &w->net->layer[l - 1];
    backward_sink sink = {.before = activation_is_row[before->activation] ? NULL : before,
                          .x = x,
                          .a = x == m->a ? w->bf16[l].a : (bf16_factor){0},
                          .ld = m->ld,
                          .dz = complete ? NULL : m->dz,
                          .dz_ld = m->ld,
                          .to = complete ? &w->bf16[l] : NULL};
    backward_to_sink(w, l, &sink, g);
}

/* The group's rows of dL/da[0] (rows, n[0]), ld apart, <- dz[1] W^T */
static void bf16_input_gradient(const fgd_workspace *w, real *to, ptrdiff_t ld, const row_group *g) {
    backward_sink sink = {.dz = to, .dz_ld = ld};
    backward_to_sink(w, 0, &sink, g);
}

#endif

#endif
