/*
 * bf16_block.h: a block of a product of bf16 factors by vectors, as bf16_product.h defines it: by fused multiply-adds of
 * unpacked values or, `dots`, of words of two values that are links of the same chain (simd/amx.h).
 */
#ifndef FGD_BF16_BLOCK_H
#define FGD_BF16_BLOCK_H

#include "../simd/contract.h"
#include "bf16.h"

#if FGD_BITS == 32

#ifndef FGD_BF16_INSTRUCTIONS /* then they are not used */
#define v_dot v_fma
#define v_even_links v_add
#define v_odd_links v_add
ALWAYS_INLINE vec v_links_of_row(vec words) { return words; }
#endif

/* Reals of a block; rows of a tile, which divide SIDE: with NV vectors each, its sums fit in the registers. */
enum { BLOCK_REALS = SIDE * SIDE, TILE_HEIGHT = MR < 8 ? 4 : 8 };

/* Operands of a multiply-add in a chain of a group. */
ALWAYS_INLINE int chain_length(const int dots) { return dots ? SIDE / 4 : SIDE / 2; }

/* The words of pair p of a block of B, from column v VL on. */
ALWAYS_INLINE vec load_pairs(const bf16_word *block, int p, int v) {
    return v_load(block + v * VL / WORDS * TILE_WORDS + p * WORDS + v * VL % WORDS);
}

/* to (BLOCK_REALS,) <- a block of B: rows of SIDE columns of the even chain, then of the odd one */
ALWAYS_INLINE void unpack_right(const int dots, const bf16_word *block, real *to) {
    const int length = chain_length(dots);
    for (int k = 0; k < length; k++) {
        UNROLLED
        for (int v = 0; v < ROW_VECTORS; v++) {
            vec w = load_pairs(block, dots ? 2 * k : k, v), next = dots ? load_pairs(block, 2 * k + 1, v) : w;
            v_store(to + k * SIDE + v * VL, dots ? v_even_links(w, next) : v_low(w));
            v_store(to + (length + k) * SIDE + v * VL, dots ? v_odd_links(w, next) : v_high(w));
        }
    }
}

/* to (BLOCK_REALS,) <- a block of A: in each row of SIDE those of the even chain, then those of the odd one */
ALWAYS_INLINE void unpack_left(const int dots, const bf16_word *block, real *to) {
    for (int i = 0; i < SIDE; i++, block += WORDS, to += SIDE) {
        if (dots) {
            v_store(to, v_links_of_row(v_load(block)));
            continue;
        }
        UNROLLED
        for (int v = 0; v < WORDS / VL; v++) {
            vec w = v_load(block + v * VL);
            v_store(to + v * VL, v_low(w));
            v_store(to + WORDS + v * VL, v_high(w));
        }
    }
}

/* sum <- one chain of a group, of TILE_HEIGHT rows of A and NR columns of B */
ALWAYS_INLINE void sum_chain(const int dots, const real *a, const real *b, vec sum[TILE_HEIGHT][NV]) {
    UNROLLED
    for (int i = 0; i < TILE_HEIGHT; i++) {
        UNROLLED
        for (int v = 0; v < NV; v++) sum[i][v] = v_set(0);
    }
    for (int k = 0; k < chain_length(dots); k++, a++, b += SIDE) {
        vec x[NV];
        UNROLLED
        for (int v = 0; v < NV; v++) x[v] = v_load(b + v * VL);
        UNROLLED
        for (int i = 0; i < TILE_HEIGHT; i++) {
            vec y = v_set(a[i * SIDE]);
            UNROLLED
            for (int v = 0; v < NV; v++) sum[i][v] = dots ? v_dot(y, x[v], sum[i][v]) : v_fma(y, x[v], sum[i][v]);
        }
    }
}

/* c (TILE_HEIGHT, NR), in rows of SIDE, += one group */
ALWAYS_INLINE void add_group(const int dots, const real *a, const real *b, real *c) {
    const int length = chain_length(dots);
    vec even[TILE_HEIGHT][NV], odd[TILE_HEIGHT][NV];
    sum_chain(dots, a, b, even);
    sum_chain(dots, a + length, b + length * SIDE, odd);
    UNROLLED
    for (int i = 0; i < TILE_HEIGHT; i++) {
        UNROLLED
        for (int v = 0; v < NV; v++) {
            real *to = c + i * SIDE + v * VL;
            v_store(to, v_add(v_load(to), v_add(even[i][v], odd[i][v])));
        }
    }
}

/* c (SIDE, SIDE), or at least its first `rows` rows and `columns` columns, += one group, of unpacked blocks */
ALWAYS_INLINE void add_block(const int dots, const real *a, const real *b, int rows, int columns, real *c) {
    for (int i = 0; i < SIDE && i < rows; i += TILE_HEIGHT)
        for (int j = 0; j < SIDE && j < columns; j += NR) add_group(dots, a + i * SIDE, b + j, c + i * SIDE + j);
}

#endif

#endif
