/*
 * bf16.h: matrices rounded to bf16, as the products of bf16_product.h read them.
 *
 * bf16 is the upper half of a float.  A product multiplies a left factor, (m, k), by a right one, (k, n), in groups of
 * SIDE along k.  Both are cut into blocks of SIDE x SIDE, padded with zeros, of two tiles of 1 KiB, in words of two
 * values that are neighbours along k:
 *
 *   rows    of a left factor: a tile is 16 rows of 32 values
 *   pairs   of a right factor: a tile is 16 pairs of rows, of 16 columns: the words of columns j ... of rows 2 p, 2 p + 1
 *
 * The words of a tile form a 16 x 16 matrix, and its transpose is a tile of the transposed matrix, of the other kind:
 * the rows of X are the pairs of X^T.  So what computes a block writes both kinds of it, and transposes one of them if
 * the product that follows contracts it along its other side.
 */
#ifndef FGD_BF16_H
#define FGD_BF16_H

#include "../simd/contract.h"
#include "transpose.h"

#if FGD_BITS == 32

/* Rows and columns of a block, words in a row of a tile, and in a block. */
enum { SIDE = 32, WORDS = 16, TILE_WORDS = WORDS * WORDS, BLOCK_WORDS = 2 * TILE_WORDS, ROW_VECTORS = SIDE / VL };

/* Two bf16 values, in the bits of a real, which is only moved. */
typedef real bf16_word;

static inline int block_count(ptrdiff_t n) { return (int)((n + SIDE - 1) / SIDE); }

/* A factor: its blocks along k are next to each other, `steps` of them; then come those of the next SIDE rows of a left
   factor, or columns of a right one. */
typedef struct {
    bf16_word *blocks;
    int steps;
} bf16_factor;

static inline bf16_word *block_at(bf16_factor of, int outer, int step) {
    return of.blocks + ((ptrdiff_t)outer * of.steps + step) * BLOCK_WORDS;
}

/* Where the two kinds of a block go. */
typedef struct {
    bf16_word *rows, *pairs;
} block_forms;

/* A row of a block before it is rounded. */
typedef struct {
    vec v[ROW_VECTORS];
} block_row;

/* The first `count` values from x on; zeros if count <= 0. */
ALWAYS_INLINE block_row load_row(const real *x, ptrdiff_t count) {
    block_row row;
    if (count >= SIDE) {
        UNROLLED
        for (int v = 0; v < ROW_VECTORS; v++) row.v[v] = v_load(x + v * VL);
        return row;
    }
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++)
        row.v[v] = count > v * VL ? v_load_part(x + v * VL, v_lanes(count - v * VL)) : v_set(0);
    return row;
}

/* Row i of the rows of a block. */
ALWAYS_INLINE block_row load_rounded_row(const bf16_word *rows, int i) {
    block_row row;
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++) row.v[v] = v_load_bf16((const uint16_t *)(rows + i * WORDS) + v * VL);
    return row;
}

ALWAYS_INLINE void store_row(real *x, block_row row, ptrdiff_t count) {
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++)
        if (count > v * VL) v_store_part(x + v * VL, row.v[v], v_lanes(count - v * VL));
}

/* The row with zeros from column `count` on. */
ALWAYS_INLINE block_row pad_row(block_row row, ptrdiff_t count) {
    if (count >= SIDE) return row;
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++)
        row.v[v] = count > v * VL ? v_blend(v_lanes(count - v * VL), row.v[v], v_set(0)) : v_set(0);
    return row;
}

ALWAYS_INLINE block_row add_to_row(block_row row, block_row x) {
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++) row.v[v] = v_add(row.v[v], x.v[v]);
    return row;
}

/* Rows 2 p and 2 p + 1 of a block, rounded, to both kinds of it. */
ALWAYS_INLINE void store_row_pair(block_row even, block_row odd, int p, block_forms to) {
#ifdef FGD_BF16_INSTRUCTIONS
    if (converts_bf16()) {
        bf16_word *pairs = to.pairs + p * WORDS;
        convert_row_pair(even.v, odd.v, to.rows + 2 * p * WORDS, pairs, pairs + TILE_WORDS);
        return;
    }
#endif
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v++) {
        even.v[v] = v_bf16(even.v[v]);
        odd.v[v] = v_bf16(odd.v[v]);
        v_store(to.pairs + v * VL / WORDS * TILE_WORDS + p * WORDS + v * VL % WORDS, v_pairs(even.v[v], odd.v[v]));
    }
    UNROLLED
    for (int v = 0; v < ROW_VECTORS; v += 2) {
        bf16_word *row = to.rows + 2 * p * WORDS + v / 2 * VL;
        v_store(row, v_pack(even.v[v], even.v[v + 1]));
        v_store(row + WORDS, v_pack(odd.v[v], odd.v[v + 1]));
    }
}

/* to (WORDS, WORDS) <- from (WORDS, WORDS), transposed */
ALWAYS_INLINE void transpose_words(const real *from, ptrdiff_t from_ld, real *to, ptrdiff_t to_ld) {
    for (int i = 0; i < WORDS; i += VL)
        for (int j = 0; j < WORDS; j += VL) {
            vec square[VL];
            UNROLLED
            for (int r = 0; r < VL; r++) square[r] = v_load(from + (i + r) * from_ld + j);
            transpose_square(square);
            UNROLLED
            for (int r = 0; r < VL; r++) v_store(to + (j + r) * to_ld + i, square[r]);
        }
}

/* to <- tile number t of a block, transposed to the other kind */
static void transpose_tile(const bf16_word *block, int t, bf16_word *to) {
    transpose_words(block + t * TILE_WORDS, WORDS, to + t * TILE_WORDS, WORDS);
}

/* Rows [row, row + SIDE) of x (rows, columns), ld apart, from column j on, to both kinds of a block. */
static void store_block(const real *x, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t columns, block_forms to) {
    for (int p = 0; p < SIDE / 2; p++, x += 2 * ld) {
        block_row even = load_row(x, 2 * p < rows ? columns : 0);
        block_row odd = load_row(x + ld, 2 * p + 1 < rows ? columns : 0);
        store_row_pair(even, odd, p, to);
    }
}

#endif

#endif
