/*
 * bf16_product.h: the product of two factors of bf16.h, C (m, n) = A (m, k) B (k, n), in float.
 *
 * An element of C is the sum, group after group of SIDE along k, of e + o: e is one chain of fused multiply-adds over
 * the even k of the group, from +0, o one over the odd k.  All results are rounded to nearest even, and denormals are
 * zero.  The instruction TDPBF16PS computes just this, and so does any other with fused multiply-adds: no block size,
 * instruction set or number of threads changes a bit.
 *
 * C is computed block by block; a callback takes each finished one.
 */
#ifndef FGD_BF16_PRODUCT_H
#define FGD_BF16_PRODUCT_H

#include "../simd/contract.h"
#include "bf16.h"
#include "blocks.h"
#include "range.h"

#if FGD_BITS == 32

/* How a block is computed. */
typedef enum { BF16_BY_FMA, BF16_BY_DOT, BF16_BY_TILES } bf16_method;

/* Blocks of the factor that is read again and again that are multiplied in turn; groups along k at a time, so that what
   meets all of them stays in L1. */
enum { MAX_TURN = 16, MAX_STEPS = 8, BLOCK_REALS = SIDE * SIDE };

/* The memory of a thread. */
typedef struct {
    _Alignas(LINE) real c[2][MAX_TURN][BLOCK_REALS]; /* blocks of C, of a turn and of the one before */
    real outer[MAX_STEPS][BLOCK_REALS];              /* unpacked blocks, of the factor of the outer loop */
    real inner[BLOCK_REALS];                         /* and one of the other */
    real rows[BLOCK_REALS], sums[SIDE];              /* of the callbacks, like `words` */
    bf16_word words[BLOCK_WORDS];
} bf16_scratch;

/* A block of C: its rows begin at SIDE * i, its columns at SIDE * j. */
typedef struct {
    int i, j;
    real *c; /* (SIDE, SIDE) */
} c_block;

/* Blocks of C: those of rows i0 ... i1 - 1 and columns j0 ... j1 - 1. */
typedef struct {
    int i0, i1, j0, j1;
} c_range;

typedef struct bf16_product bf16_product;
struct bf16_product {
    bf16_method method;
    bf16_factor a, b;
    int rows, columns; /* of C */
    int steps;         /* groups along k */
    int rows_outer;    /* 1: a block of rows meets all columns before the next one; 0: a block of columns all rows */
    void (*start)(const bf16_product *p, const c_block *block); /* fills c, where the sums start; NULL: they do at 0 */
    void (*part)(const bf16_product *p, const c_block *block, int part); /* does a part of what follows */
    int parts;
    const void *context; /* of the callbacks */
    bf16_scratch *scratch; /* of this thread */
};

/* ---- by fused multiply-adds ---- */

/* Rows of a tile, which divide SIDE: with NV vectors each, its sums fit in the registers. */
enum { FMA_ROWS = MR < 8 ? 4 : 8, CHAIN = SIDE / 2 };

/* to (SIDE, SIDE) <- a block of B as reals: its even rows, then the odd ones */
static void unpack_right(const bf16_word *block, real *to) {
    for (int p = 0; p < CHAIN; p++) {
        UNROLLED
        for (int v = 0; v < ROW_VECTORS; v++) {
            vec w = v_load(block + v * VL / WORDS * TILE_WORDS + p * WORDS + v * VL % WORDS);
            v_store(to + p * SIDE + v * VL, v_low(w));
            v_store(to + (CHAIN + p) * SIDE + v * VL, v_high(w));
        }
    }
}

/* to (SIDE, SIDE) <- a block of A as reals: in each row the even columns, then the odd ones */
static void unpack_left(const bf16_word *block, real *to) {
    for (int i = 0; i < SIDE; i++) {
        UNROLLED
        for (int v = 0; v < WORDS / VL; v++) {
            vec w = v_load(block + i * WORDS + v * VL);
            v_store(to + i * SIDE + v * VL, v_low(w));
            v_store(to + i * SIDE + CHAIN + v * VL, v_high(w));
        }
    }
}

/* sum <- one chain of a group, of FMA_ROWS rows of A and NR columns of B */
ALWAYS_INLINE void fma_chain(const real *a, const real *b, vec sum[FMA_ROWS][NV]) {
    UNROLLED
    for (int i = 0; i < FMA_ROWS; i++) {
        UNROLLED
        for (int v = 0; v < NV; v++) sum[i][v] = v_set(0);
    }
    for (int k = 0; k < CHAIN; k++, a++, b += SIDE) {
        vec x[NV];
        UNROLLED
        for (int v = 0; v < NV; v++) x[v] = v_load(b + v * VL);
        UNROLLED
        for (int i = 0; i < FMA_ROWS; i++) {
            vec y = v_set(a[i * SIDE]);
            UNROLLED
            for (int v = 0; v < NV; v++) sum[i][v] = v_fma(y, x[v], sum[i][v]);
        }
    }
}

/* c (FMA_ROWS, NR) += one group */
static void fma_tile(const real *a, const real *b, real *c) {
    vec even[FMA_ROWS][NV], odd[FMA_ROWS][NV];
    fma_chain(a, b, even);
    fma_chain(a + CHAIN, b + CHAIN * SIDE, odd);
    UNROLLED
    for (int i = 0; i < FMA_ROWS; i++) {
        UNROLLED
        for (int v = 0; v < NV; v++) {
            real *to = c + i * SIDE + v * VL;
            v_store(to, v_add(v_load(to), v_add(even[i][v], odd[i][v])));
        }
    }
}

/* c += groups k0 ... k1 - 1 of a block of A and one of B; that of the outer loop is unpacked */
static void fma_block(const bf16_product *p, const c_block *block, int k0, int k1) {
    bf16_scratch *s = p->scratch;
    int rows = p->rows - block->i * SIDE < SIDE ? p->rows - block->i * SIDE : SIDE;
    int columns = p->columns - block->j * SIDE < SIDE ? p->columns - block->j * SIDE : SIDE;
    for (int k = k0; k < k1; k++) {
        const real *left = p->rows_outer ? s->outer[k - k0] : s->inner;
        const real *right = p->rows_outer ? s->inner : s->outer[k - k0];
        if (p->rows_outer)
            unpack_right(block_at(p->b, block->j, k), s->inner);
        else
            unpack_left(block_at(p->a, block->i, k), s->inner);
        for (int i = 0; i < rows; i += FMA_ROWS)
            for (int j = 0; j < columns; j += NR) fma_tile(left + i * SIDE, right + j, block->c + i * SIDE + j);
    }
}

static void unpack_outer(const bf16_product *p, int outer, int k0, int k1) {
    for (int k = k0; k < k1; k++) {
        if (p->rows_outer)
            unpack_left(block_at(p->a, outer, k), p->scratch->outer[k - k0]);
        else
            unpack_right(block_at(p->b, outer, k), p->scratch->outer[k - k0]);
    }
}

/* ---- all blocks ---- */

static void finish_block(const bf16_product *p, const c_block *block) {
    for (int part = 0; part < p->parts; part++) p->part(p, block, part);
}

/* Groups k0 ... k1 - 1 of a block. */
static void multiply_groups(const bf16_product *p, const c_block *block, int k0, int k1) {
    if (k0 == 0 && p->start) p->start(p, block);
    if (k0 == 0 && !p->start) memset(block->c, 0, BLOCK_REALS * sizeof *block->c);
    fma_block(p, block, k0, k1);
    if (k1 == p->steps) finish_block(p, block);
}

/* A block of the outer loop with the blocks s0 ... s1 - 1 of the inner one. */
static void multiply_turn(const bf16_product *p, int outer, int s0, int s1) {
    int k_blocks = (p->steps + MAX_STEPS - 1) / MAX_STEPS;
    for (int kb = 0; kb < k_blocks; kb++) {
        int k0 = (int)partition(p->steps, kb, k_blocks), k1 = (int)partition(p->steps, kb + 1, k_blocks);
        unpack_outer(p, outer, k0, k1);
        for (int s = s0; s < s1; s++) {
            c_block block = {
                .i = p->rows_outer ? outer : s, .j = p->rows_outer ? s : outer, .c = p->scratch->c[0][s - s0]};
            multiply_groups(p, &block, k0, k1);
        }
    }
}

/* The blocks of the inner loop that a turn has: what they read stays in L2. */
static int turn_length(const bf16_product *p) {
    size_t bytes = (size_t)p->steps * BLOCK_WORDS * sizeof(bf16_word), fit = l2_bytes() / 2 / bytes;
    return fit < 1 ? 1 : fit < MAX_TURN ? (int)fit : MAX_TURN;
}

static void bf16_multiply(const bf16_product *p, c_range range) {
    int outer0 = p->rows_outer ? range.i0 : range.j0, outer1 = p->rows_outer ? range.i1 : range.j1;
    int inner0 = p->rows_outer ? range.j0 : range.i0, inner1 = p->rows_outer ? range.j1 : range.i1;
    int count = inner1 - inner0, turns = (count + turn_length(p) - 1) / turn_length(p);
    for (int turn = 0; turn < turns; turn++) {
        int s0 = inner0 + (int)partition(count, turn, turns), s1 = inner0 + (int)partition(count, turn + 1, turns);
        for (int outer = outer0; outer < outer1; outer++) multiply_turn(p, outer, s0, s1);
    }
}

#endif

#endif
