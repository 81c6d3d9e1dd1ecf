/*
 * workspace.h: the memory of one network.  It holds what forward leaves for backward, and nothing that has to outlive a
 * chunk.
 *
 * Activations are row-major matrices (max_rows, ld) whose rows are an odd number of cache lines apart: if that were a
 * power of two, the MR rows that a tile reads at once would fall into one set of the cache.  Column n[l] of a[l] is all
 * ones, so that the gradient of b, the last row of a layer's part of theta, is computed like that of W.
 */
#ifndef FGD_WORKSPACE_H
#define FGD_WORKSPACE_H

#include "../fastgd.h"
#include "../kernels/gemm.h"
#include "../simd/contract.h"
#include "../tables/activations.h"
#include "../tables/input_layers.h"
#include "../tables/noise.h"
#include "bf16_memory.h"
#include "bf16_method.h"
#include "memory.h"
#include "tuner.h"

/* The matrices at one end of a layer: number l are the inputs of layer l and the outputs of layer l - 1, n[l] wide. */
typedef struct {
    ptrdiff_t ld;
    real *a;     /* activations; a[0] = X; NULL if only products of bf16 factors read them */
    real *z;     /* inputs of the activation, if its derivative needs them, else NULL */
    real *dz;    /* dL/dz, likewise; NULL for l = 0 unless there are input layers */
    real *clean; /* the activations before noise, if noise may be added to a, else NULL */
    real *mask;  /* the factors of multiplicative noise, if that may be applied to a, else NULL */
    real *wt;    /* W of layer l transposed, for dA = dZ W^T, in panels of NR columns: panel j / NR is (n_out, NR).
                    NULL for l = 0 until dX is asked for, unless there are input layers */
} layer_memory;

/* The matrices of an input layer: its inputs, their gradient (NULL for the first one), and what forward keeps. */
typedef struct {
    ptrdiff_t ld, kept_ld;
    real *a, *da, *kept;
} input_memory;

struct fgd_workspace {
    const fgd_net *net;
    ptrdiff_t max_rows;
    ptrdiff_t rows;      /* of the last forward */
    layer_memory *at;    /* (L + 1,) */
    input_memory *inputs;  /* (n_inputs,) */
    ptrdiff_t inputs_size; /* parameters of the input layers */
    real *y;             /* (max_rows, ld of layer L) */
    real *weight;        /* (max_rows,) */
    double *loss;        /* (max_rows,) */
    double *squares;     /* (theta_rows,) sums of squares of a gradient's rows */
    fgd_noise noise;     /* of the last forward; its strength is NULL or below */
    double *strength;    /* (L,) */
    thread_tuner tuner;  /* of all chunks so far */
    pack_buffers *buffers; /* (n_buffers,) of the threads of a call */
    int n_buffers;
    real *own;           /* (n_own,) the weights that threads keep: own_columns.h, relay.h */
    ptrdiff_t n_own;
    bf16_matrices *bf16; /* (L + 1,), or NULL: the products are of reals */
    bf16_method method;
    bf16_scratch *scratch; /* (n_scratch,) of the threads of a call */
    int n_scratch;
};

static ptrdiff_t odd_lines(ptrdiff_t count) {
    ptrdiff_t per_line = LINE / (ptrdiff_t)sizeof(real);
    return ((count + per_line - 1) / per_line | 1) * per_line;
}

/* Rows and elements of an input layer's part of theta, its number of parameters, and these of all input layers. */
typedef struct {
    ptrdiff_t rows, size, count;
} input_extent;
static input_extent input_extent_of(const fgd_input_layer *layer) {
    input_extent e = {0};
    for (parameter_shape s; (s = input_shape(layer, (int)e.count)).rows > 0; e.count++) {
        e.rows += s.rows;
        e.size += s.rows * s.columns;
    }
    return e;
}
static ptrdiff_t input_size(const fgd_input_layer *layer) { return input_extent_of(layer).size; }
static input_extent inputs_extent(const fgd_net *net) {
    input_extent sum = {0};
    for (int i = 0; i < net->n_inputs; i++) {
        input_extent e = input_extent_of(&net->input[i]);
        sum = (input_extent){sum.rows + e.rows, sum.size + e.size, sum.count + e.count};
    }
    return sum;
}

/* Rows and elements of a layer's part of theta, and of theta. */
static int layer_rows(const fgd_layer *layer) { return layer->n_in + layer->bias; }
static ptrdiff_t layer_size(const fgd_layer *layer) { return (ptrdiff_t)layer_rows(layer) * layer->n_out; }
static ptrdiff_t theta_size(const fgd_net *net) {
    ptrdiff_t size = inputs_extent(net).size;
    for (int l = 0; l < net->L; l++) size += layer_size(&net->layer[l]);
    return size;
}
static ptrdiff_t theta_rows(const fgd_net *net) {
    ptrdiff_t rows = inputs_extent(net).rows;
    for (int l = 0; l < net->L; l++) rows += layer_rows(&net->layer[l]);
    return rows;
}

/* Floating-point operations of a forward pass over `rows` rows, without those of the input layers, which are few. */
static double forward_flops(const fgd_net *net, ptrdiff_t rows) {
    return 2. * (double)rows * (double)(theta_size(net) - inputs_extent(net).size);
}

/* Whether a step needs W of layer l transposed: for the gradient of its inputs. */
static int is_transposed(const fgd_net *net, int l) { return l > 0 || net->n_inputs > 0; }

static size_t panels_bytes(const fgd_layer *layer) {
    return round_up((size_t)layer->n_in, NR) * (size_t)layer->n_out * sizeof(real);
}

/* Whether a[l] and dz[l] are kept as reals: those that follow a product of bf16 factors only if something other than the
   next product reads them. */
static int keeps_activations(const fgd_net *net, int l) {
    if (!is_bf16(net) || l == net->L || net->layer[l].noise) return 1;
    if (l == 0) return net->n_inputs > 0;
    int f = net->layer[l - 1].activation;
    return activation_is_row[f] || (needs_values(f) && !activation_needs_z[f]);
}
static int keeps_gradients(const fgd_net *net, int l) {
    if (!is_bf16(net) || l == net->L || l == 0) return 1;
    return activation_is_row[net->layer[l - 1].activation] || noise_has_mask[net->layer[l].noise];
}

/* The matrices at number l; those that the network does not need stay NULL. */
static void layer_memory_init(layer_memory *m, const fgd_net *net, int l, ptrdiff_t max_rows, arena *from) {
    const fgd_layer *before = l > 0 ? &net->layer[l - 1] : NULL, *after = l < net->L ? &net->layer[l] : NULL;
    int noise = after ? after->noise : NO_NOISE;
    *m = (layer_memory){.ld = odd_lines(after ? after->n_in + 1 : before->n_out)};
    size_t bytes = (size_t)(max_rows * m->ld) * sizeof(real);
    if (keeps_activations(net, l)) m->a = arena_take(from, bytes);
    if (is_transposed(net, l) && keeps_gradients(net, l)) m->dz = arena_take(from, bytes);
    if (before && activation_needs_z[before->activation]) m->z = arena_take(from, bytes);
    if (before && noise) m->clean = arena_take(from, bytes);
    if (noise_has_mask[noise]) m->mask = arena_take(from, bytes);
    if (before && after && !is_bf16(net)) m->wt = arena_take(from, panels_bytes(after));
}

static void input_memory_init(input_memory *m, const fgd_input_layer *layer, int is_first, ptrdiff_t max_rows,
                              arena *from) {
    *m = (input_memory){.ld = odd_lines(layer->n_in), .kept_ld = input_kept(layer)};
    m->a = arena_take(from, (size_t)(max_rows * m->ld) * sizeof(real));
    if (!is_first) m->da = arena_take(from, (size_t)(max_rows * m->ld) * sizeof(real));
    m->kept = arena_take(from, (size_t)(max_rows * m->kept_ld) * sizeof(real));
}

/* Lays a workspace out at `base` (NULL: nowhere); returns its bytes. */
COLD size_t workspace_init(const fgd_net *net, ptrdiff_t max_rows, char *base) {
    fgd_workspace tmp, *w = base ? (fgd_workspace *)base : &tmp;
    arena from = {.base = base};
    if (is_bf16(net)) max_rows = (max_rows + 31) / 32 * 32; /* whole blocks */
    arena_take(&from, sizeof *w);
    *w = (fgd_workspace){.net = net, .max_rows = max_rows, .inputs_size = inputs_extent(net).size};
    w->at = arena_take(&from, (size_t)(net->L + 1) * sizeof *w->at);
    ptrdiff_t ld = 0;
    for (int l = 0; l <= net->L; l++) {
        layer_memory tmp_layer, *m = base ? &w->at[l] : &tmp_layer;
        layer_memory_init(m, net, l, max_rows, &from);
        ld = m->ld;
    }
    w->inputs = arena_take(&from, (size_t)net->n_inputs * sizeof *w->inputs);
    for (int i = 0; i < net->n_inputs; i++) {
        input_memory tmp_input;
        input_memory_init(base ? &w->inputs[i] : &tmp_input, &net->input[i], i == 0, max_rows, &from);
    }
    w->y = arena_take(&from, (size_t)(max_rows * ld) * sizeof *w->y);
    w->weight = arena_take(&from, (size_t)max_rows * sizeof *w->weight);
    w->loss = arena_take(&from, (size_t)max_rows * sizeof *w->loss);
    w->squares = arena_take(&from, (size_t)theta_rows(net) * sizeof *w->squares);
    w->strength = arena_take(&from, (size_t)net->L * sizeof *w->strength);
    w->bf16 = bf16_matrices_init(net, max_rows, &from);
    return from.used;
}

/* Memory for W of the first layer transposed, if products need it; returns 0 if there is none. */
static int reserve_first_transpose(fgd_workspace *w) {
    if (!w->at[0].wt && !is_bf16(w->net)) w->at[0].wt = alloc_zeroed(panels_bytes(&w->net->layer[0]));
    return w->at[0].wt || is_bf16(w->net);
}

/* tiles: 1 to compute products of bf16 factors by AMX if possible */
COLD fgd_workspace *new_workspace(const fgd_net *net, ptrdiff_t max_rows, int tiles) {
    char *base = alloc_zeroed(workspace_init(net, max_rows, NULL));
    if (!base) return NULL;
    workspace_init(net, max_rows, base);
    fgd_workspace *w = (fgd_workspace *)base;
    w->method = method_of(net, tiles);
    for (int l = 0; l < net->L && !is_bf16(net); l++)
        for (ptrdiff_t r = 0; r < max_rows; r++) w->at[l].a[r * w->at[l].ld + net->layer[l].n_in] = 1;
    if (net->n_inputs == 0 || reserve_first_transpose(w)) return w;
    free_aligned(w);
    return NULL;
}

/* Where the rows of X go: the inputs of the first input layer, or of the first layer; NULL: to bf16 factors only. */
static real *inputs_of(const fgd_workspace *w, ptrdiff_t *ld) {
    int none = w->net->n_inputs == 0;
    *ld = none ? w->at[0].ld : w->inputs->ld;
    return none ? w->at[0].a : w->inputs->a;
}

static fgd_workspace *workspace_new(const fgd_net *net, ptrdiff_t max_rows) { return new_workspace(net, max_rows, 0); }

/* Elements of a thread's copies of a panel and of a block in products of up to `rows` rows; 0: none is copied. */
typedef struct {
    ptrdiff_t panel, block;
} pack_sizes;

static pack_sizes pack_sizes_of(const fgd_net *net, ptrdiff_t rows) {
    pack_sizes sizes = {0};
    for (int l = 0; l < net->L; l++) {
        int k = layer_rows(&net->layer[l]), n = net->layer[l].n_out;
        if (may_pack_panels(rows > k ? (int)rows : k, n)) sizes.panel = packed_panel_size();
        if (may_pack_blocks(n)) sizes.block = packed_block_size(rows);
    }
    return sizes;
}

static size_t pack_bytes(pack_sizes sizes) {
    return round_up((size_t)(2 * sizes.panel + sizes.block) * sizeof(real), LINE);
}

/* Bytes of a thread, besides those of the workspace. */
static size_t bytes_of_thread(const fgd_net *net, ptrdiff_t rows) {
    return is_bf16(net) ? scratch_bytes(net) : pack_bytes(pack_sizes_of(net, rows));
}

static pack_buffers pack_buffers_at(char *memory, pack_sizes sizes) {
    real *panels = sizes.panel ? (real *)memory : NULL, *block = (real *)memory + 2 * sizes.panel;
    return (pack_buffers){.panel = {panels, panels ? panels + sizes.panel : NULL}, .block = sizes.block ? block : NULL};
}

/* A thread's buffers; NULL if no product uses them. */
static const pack_buffers *buffers_of(const fgd_workspace *w, int thread) {
    return w->buffers ? &w->buffers[thread] : NULL;
}

/* Memory for the bf16 products of `threads` threads; returns 0 if there is none. */
static int reserve_scratch(fgd_workspace *w, int threads) {
    if (!w->bf16 || threads <= w->n_scratch) return 1;
    free_aligned(w->scratch);
    w->scratch = alloc_aligned((size_t)threads * scratch_bytes(w->net));
    w->n_scratch = w->scratch ? threads : 0;
    return w->scratch != NULL;
}

/* Buffers for `threads` threads; returns 0 if there is no memory. */
static int workspace_reserve(fgd_workspace *w, int threads) {
    if (w->bf16) return reserve_scratch(w, threads);
    size_t head = round_up((size_t)threads * sizeof *w->buffers, LINE);
    pack_sizes sizes = pack_sizes_of(w->net, w->max_rows);
    size_t each = pack_bytes(sizes);
    if (threads <= w->n_buffers || each == 0) return 1;
    free_aligned(w->buffers);
    w->n_buffers = 0;
    w->buffers = alloc_aligned(head + (size_t)threads * each);
    if (!w->buffers) return 0;
    for (int i = 0; i < threads; i++)
        w->buffers[i] = pack_buffers_at((char *)w->buffers + head + (size_t)i * each, sizes);
    w->n_buffers = threads;
    return 1;
}

/* Memory for `count` elements of weights that threads keep; returns 0 if there is none. */
static int reserve_own(fgd_workspace *w, ptrdiff_t count) {
    if (count <= w->n_own) return 1;
    free_aligned(w->own);
    w->own = alloc_aligned((size_t)count * sizeof *w->own);
    w->n_own = w->own ? count : 0;
    return w->own != NULL;
}

static void workspace_free(fgd_workspace *w) {
    free_aligned(w->buffers);
    free_aligned(w->own);
    free_aligned(w->scratch);
    free_aligned(w->at[0].wt);
    free_aligned(w);
}

#endif
