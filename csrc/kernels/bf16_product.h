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
#include "bf16_block.h"
#include "blocks.h"
#include "range.h"

#if FGD_BITS == 32

/* How a block is computed. */
typedef enum { BF16_BY_FMA, BF16_BY_DOTS, BF16_BY_TILES } bf16_method;

/* Blocks of the factor of the inner loop that are multiplied in turn; groups along k at a time, so that the block of the
   outer loop that meets all of them stays in L1. */
enum { MAX_TURN = 16, MAX_STEPS = 8 };

/* A block of C: its rows begin at SIDE * i, its columns at SIDE * j. */
typedef struct {
    int i, j;
    real *c; /* (SIDE, SIDE) */
} c_block;

/* The memory of a thread. */
typedef struct {
    _Alignas(LINE) real c[2][MAX_TURN][BLOCK_REALS]; /* blocks of C, of a turn and of the one before */
    real outer[MAX_STEPS][BLOCK_REALS];              /* unpacked blocks, of the factor of the outer loop */
    real inner[BLOCK_REALS];                         /* and one of the other */
    real rows[BLOCK_REALS], sums[SIDE];              /* of the callbacks, like `words` */
    bf16_word words[BLOCK_WORDS];
    c_block waiting; /* a block that is complete, and to be finished while the next one is computed; or c is NULL */
    int turn;        /* 0 or 1: which blocks of C are the current ones */
} bf16_scratch;

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
    int resumes;       /* 1: `start` fills c, where the sums start; 0: they do at 0 */
    void (*start)(const bf16_product *p, const c_block *block); /* before a block; or NULL */
    void (*part)(const bf16_product *p, const c_block *block, int part); /* does a part of what follows */
    int parts;
    const void *context; /* of the callbacks */
    bf16_scratch *scratch; /* of this thread */
};

/* A block's share of the lines of each block of the outer loop's next turn, which are prefetched meanwhile. */
typedef struct {
    const bf16_word *at;
    int lines;
} next_blocks;

/* ---- by tiles ---- */

#ifdef FGD_BF16_INSTRUCTIONS
/* Groups k0 ... k1 - 1 of a block, and between them what follows the one that waits. */
static void multiply_by_tiles(const bf16_product *p, const c_block *block, int k0, int k1, next_blocks next) {
    const bf16_word *a = block_at(p->a, block->i, k0), *b = block_at(p->b, block->j, k0);
    c_block waiting = p->scratch->waiting;
    int part = 0, parts = waiting.c ? p->parts : 0, steps = k1 - k0, due = 0;
    if (k0 > 0 || p->resumes)
        tiles_load(block->c);
    else
        tiles_zero();
    for (int k = 0; k < steps; k++, a += BLOCK_WORDS, b += BLOCK_WORDS) {
        tiles_multiply(a, b);
        for (int i = 0; i < next.lines; i++) prefetch_l2(next.at + i * WORDS);
        next.at += next.lines > 0 ? BLOCK_WORDS : 0;
        for (due += parts; due >= steps; due -= steps) p->part(p, &waiting, part++);
    }
    tiles_store(block->c);
    p->scratch->waiting.c = NULL;
}
#else
static void multiply_by_tiles(UNUSED const bf16_product *p, UNUSED const c_block *block, UNUSED int k0, UNUSED int k1,
                              UNUSED next_blocks next) {}
#endif

/* ---- by vectors ---- */

/* A block += groups k0 ... k1 - 1; the blocks of the outer loop are unpacked. */
ALWAYS_INLINE void multiply_by(const int dots, const bf16_product *p, const c_block *block, int k0, int k1) {
    bf16_scratch *s = p->scratch;
    for (int k = k0; k < k1; k++) {
        const real *outer = s->outer[k - k0];
        if (p->rows_outer)
            unpack_right(dots, block_at(p->b, block->j, k), s->inner);
        else
            unpack_left(dots, block_at(p->a, block->i, k), s->inner);
        add_block(dots, p->rows_outer ? outer : s->inner, p->rows_outer ? s->inner : outer, p->rows - block->i * SIDE,
                  p->columns - block->j * SIDE, block->c);
    }
}

ALWAYS_INLINE void unpack_outer(const int dots, const bf16_product *p, int outer, int k0, int k1) {
    for (int k = k0; k < k1; k++) {
        if (p->rows_outer)
            unpack_left(dots, block_at(p->a, outer, k), p->scratch->outer[k - k0]);
        else
            unpack_right(dots, block_at(p->b, outer, k), p->scratch->outer[k - k0]);
    }
}

/* ---- all blocks ---- */

/* What follows the block that waits, if one does. */
static void finish_waiting(const bf16_product *p) {
    const c_block *block = &p->scratch->waiting;
    for (int part = 0; block->c && part < p->parts; part++) p->part(p, block, part);
    p->scratch->waiting.c = NULL;
}

/* Groups k0 ... k1 - 1 of a block. */
static void multiply_groups(const bf16_product *p, const c_block *block, int k0, int k1, next_blocks next) {
    if (k0 == 0 && p->start) p->start(p, block);
    if (p->method == BF16_BY_TILES) {
        multiply_by_tiles(p, block, k0, k1, next);
    } else {
        finish_waiting(p);
        if (k0 == 0 && !p->resumes) memset(block->c, 0, BLOCK_REALS * sizeof *block->c);
        if (p->method == BF16_BY_DOTS)
            multiply_by(1, p, block, k0, k1);
        else
            multiply_by(0, p, block, k0, k1);
    }
    if (k1 == p->steps) p->scratch->waiting = *block;
}

/* What block number `number` of a turn of `count` blocks fetches of the next one, from group k0 on. */
static next_blocks share_of_next_turn(const bf16_product *p, int outer, int k0, int number, int count) {
    enum { LINES = BLOCK_WORDS / WORDS };
    int first = (int)partition(LINES, number, count);
    const bf16_word *next = block_at(p->rows_outer ? p->a : p->b, outer + 1, k0);
    return (next_blocks){.at = next + first * WORDS, .lines = (int)partition(LINES, number + 1, count) - first};
}

/* A block of the outer loop with the blocks s0 ... s1 - 1 of the inner one; fetches: another block of the outer loop
   follows, and is not in L2. */
static void multiply_turn(const bf16_product *p, int outer, int s0, int s1, int fetches) {
    bf16_scratch *scratch = p->scratch;
    int k_blocks = (p->steps + MAX_STEPS - 1) / MAX_STEPS;
    if (k_blocks > 1) scratch->turn ^= 1;
    for (int kb = 0; kb < k_blocks; kb++) {
        int k0 = (int)partition(p->steps, kb, k_blocks), k1 = (int)partition(p->steps, kb + 1, k_blocks);
        if (p->method == BF16_BY_FMA) unpack_outer(0, p, outer, k0, k1);
        if (p->method == BF16_BY_DOTS) unpack_outer(1, p, outer, k0, k1);
        for (int s = s0; s < s1; s++) {
            if (k_blocks == 1) scratch->turn ^= 1; /* two blocks of C are enough, and stay in L1 */
            c_block block = {.c = scratch->c[scratch->turn][k_blocks > 1 ? s - s0 : 0]};
            block.i = p->rows_outer ? outer : s;
            block.j = p->rows_outer ? s : outer;
            next_blocks next = {0};
            if (fetches) next = share_of_next_turn(p, outer, k0, s - s0, s1 - s0);
            multiply_groups(p, &block, k0, k1, next);
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
    size_t bytes = (size_t)(outer1 - outer0) * (size_t)p->steps * BLOCK_WORDS * sizeof(bf16_word);
    int far = bytes > l2_bytes() / 4;
    p->scratch->waiting.c = NULL;
    p->scratch->turn = 0;
    for (int turn = 0; turn < turns; turn++) {
        int s0 = inner0 + (int)partition(count, turn, turns), s1 = inner0 + (int)partition(count, turn + 1, turns);
        for (int outer = outer0; outer < outer1; outer++) multiply_turn(p, outer, s0, s1, far && outer + 1 < outer1);
    }
    finish_waiting(p);
}

#endif

#endif
