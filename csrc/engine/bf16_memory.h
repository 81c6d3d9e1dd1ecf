/*
 * bf16_memory.h: the factors of a network's products rounded to bf16, in the forms of kernels/bf16.h.
 *
 *   forward    a W             a left, W right
 *   backward   (W dz^T)^T      W left, dz^T right: so W is never transposed, only the results, which are smaller
 *   gradient   a^T dz          a^T left, dz right
 */
#ifndef FGD_BF16_MEMORY_H
#define FGD_BF16_MEMORY_H

#include "../fastgd.h"
#include "../kernels/bf16.h"
#include "../kernels/bf16_product.h"
#include "../tables/activations.h"
#include "memory.h"

#if FGD_BITS == 32

static inline int is_bf16(const fgd_net *net) { return net->precision == FGD_PRECISION_BF16; }

/* Those at one end of a layer, numbered like layer_memory. */
typedef struct {
    bf16_factor a, at;       /* a[l], and transposed; l < L */
    bf16_factor w, w_rows;   /* W of layer l, right and left; l < L */
    bf16_factor dz, dzt;     /* dz[l], and transposed; l > 0 */
    real *blocks;            /* during a chunk: W of layer l in blocks of SIDE x SIDE, row after row; or NULL */
    real *sums;              /* (blocks of rows, columns in whole blocks) sums of dz[l] over the rows of a block */
} bf16_matrices;

static size_t blocks_bytes(ptrdiff_t rows, ptrdiff_t columns) {
    return (size_t)block_count(rows) * (size_t)block_count(columns) * BLOCK_WORDS * sizeof(bf16_word);
}

/* A left factor (rows, k), or a right one (k, rows). */
static bf16_factor take_factor(ptrdiff_t rows, ptrdiff_t k, arena *from) {
    return (bf16_factor){.blocks = arena_take(from, blocks_bytes(rows, k)), .steps = block_count(k)};
}

/* NULL if the network's products are of reals. */
static bf16_matrices *bf16_matrices_init(const fgd_net *net, ptrdiff_t max_rows, arena *from) {
    if (!is_bf16(net)) return NULL;
    bf16_matrices tmp, *at = arena_take(from, (size_t)(net->L + 1) * sizeof *at);
    for (int l = 0; l <= net->L; l++) {
        bf16_matrices *m = at ? &at[l] : &tmp;
        *m = (bf16_matrices){0};
        if (l < net->L) {
            const fgd_layer *layer = &net->layer[l];
            m->a = take_factor(max_rows, layer->n_in, from);
            m->at = take_factor(layer->n_in, max_rows, from);
            m->w = take_factor(layer->n_out, layer->n_in, from);
            m->w_rows = take_factor(layer->n_in, layer->n_out, from);
        }
        if (l > 0) {
            ptrdiff_t n = net->layer[l - 1].n_out;
            m->dz = take_factor(n, max_rows, from);
            m->dzt = take_factor(max_rows, n, from);
            m->sums = arena_take(from, (size_t)(block_count(max_rows) * block_count(n)) * SIDE * sizeof(real));
        }
    }
    return at;
}

/* Bytes of a thread's scratch memory. */
static size_t scratch_bytes(const fgd_net *net) { return is_bf16(net) ? sizeof(bf16_scratch) : 0; }

#else

typedef struct bf16_matrices bf16_matrices;
typedef struct bf16_scratch bf16_scratch;
static inline int is_bf16(UNUSED const fgd_net *net) { return 0; }
static bf16_matrices *bf16_matrices_init(UNUSED const fgd_net *net, UNUSED ptrdiff_t rows, UNUSED arena *from) {
    return NULL;
}
static size_t scratch_bytes(UNUSED const fgd_net *net) { return 0; }

#endif

/* Whether f' is computed from the values of a or z: that of relu from the signs, which rounding keeps. */
static int needs_values(int activation) { return activation != ACTIVATION_relu && activation != ACTIVATION_identity; }

/* The rows that belong together: those of a thread begin at a multiple of this number. */
static inline int row_unit(const fgd_net *net) { return is_bf16(net) ? 32 : 1; }

#endif
