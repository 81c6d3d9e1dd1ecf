/*
 * pack.h: copies of the operands of a product in the order in which the micro-kernel of gemm.h reads them.
 *
 * A panel of B is NR columns of it.  In a row-major matrix its rows are far apart: each is on a page of its own, and
 * rows a multiple of a page apart compete for a few sets of each cache.  Copied, they are contiguous.  The columns of
 * A^T, of a weight gradient, are rows of a: a tile reads MR elements of each, so a block of A is copied tile by tile.
 * A copy pays where it is used several times: a panel by the tiles of a block of rows, a block by the panels of B.
 */
#ifndef FGD_PACK_H
#define FGD_PACK_H

#include "../simd/contract.h"
#include "range.h"

/* A thread's memory for copies.  Either part may be NULL: then that operand is read in place. */
typedef struct {
    real *panel[2]; /* (packed_panel_size,) each: the current panel of B and the next one */
    real *block;    /* (packed_block_size,) a block of A */
} pack_buffers;

/* The tiles of m rows: `count` of nearly equal height, the first `taller` of them one row higher than the others. */
typedef struct {
    int count, min_rows, taller;
} tile_rows;

static inline tile_rows tiles_of(int m) {
    int count = (m + MR - 1) / MR, min_rows = count > 1 ? m / count : m;
    return (tile_rows){.count = count, .min_rows = min_rows, .taller = m - min_rows * count};
}
static inline int tile_height(const tile_rows *tiles, int tile) { return tiles->min_rows + (tile < tiles->taller); }

/* Elements of the copy of a tile of `rows` rows and k columns: the last column is stored as whole vectors. */
static inline ptrdiff_t packed_tile_size(int rows, int k) { return (ptrdiff_t)rows * k + VL; }

ALWAYS_INLINE void copy_row(const real *from, real *to) {
    UNROLLED
    for (int v = 0; v < NV; v++) v_store(to + v * VL, v_load(from + v * VL));
}

/* to (k, NR) <- k rows of a panel, b_row apart */
static void pack_panel(const real *from, ptrdiff_t b_row, int k, real *to) {
    for (; k > 0; k--, from += b_row, to += NR) copy_row(from, to);
}

/* to <- the tiles of a (m, k), whose columns are a_col apart and contiguous, each column by column */
static void pack_block(const real *a, ptrdiff_t a_col, int m, int k, real *to) {
    tile_rows tiles = tiles_of(m);
    for (int p = 0; p < k; p++, a += a_col) {
        const real *from = a;
        real *tile_to = to;
        for (int tile = 0; tile < tiles.count; tile++) {
            int rows = tile_height(&tiles, tile);
            for (int r = 0; r < rows; r += VL)
                v_store(tile_to + p * rows + r, v_load_part(from + r, v_lanes(rows - r)));
            from += rows;
            tile_to += packed_tile_size(rows, k);
        }
    }
}

#endif
