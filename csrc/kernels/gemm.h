/*
 * gemm.h: the one matrix product, C (m, n) = A (m, k) B (k, n), of forward, backward and weight gradients.
 *
 * Each element of C is one chain of fused multiply-adds over k in ascending order, starting at 0: vectors run across
 * columns, never along k, and a product that is blocked along k resumes from the partial C.  So no tile size, block
 * size, instruction set or number of threads changes a bit.
 *
 * Parameters, defined by simd/<isa>.h:
 *
 *   real, vec, lanes   the element type; a vector of VL reals; a mask of its active lanes
 *   NV, NR             vectors and columns of a tile, NR = NV * VL
 *   MR                 rows of a tile: MR * NV accumulators, NV vectors of b and one broadcast element of a have to fit
 *                      in the registers
 *   FGD_TILE_ROWS(X)   X(1) X(2) ... X(MR)
 *
 * The micro-kernel computes one tile of `rows` <= MR rows and `vectors` <= NV vectors over k0 <= k < k1:
 *
 *                  B (k, NR)
 *                  .------.      a(i, k) = a[i * a_row + k * a_col]: the strides serve A and its transpose, unpacked.
 *     A (rows, k)  | b    |      b(k, j) = b[j / NR * b_panel + k * b_row + j % NR]: rows of NR contiguous elements, in
 *     .--------.   |      |          a row-major matrix (b_panel = NR) or in panels (workspace.h).
 *     | a      |   '------'      c(i, j) = c[i * c_row + j]: the result, and the partial sums between blocks of k.
 *     '--------'   [ tile ]
 *
 *   For each k it loads NV vectors of b, broadcasts `rows` elements of a, and does rows * NV multiply-adds.
 *   Of the last vector only the lanes `last` are active; nothing outside them is read or written.
 *   No operand has to be aligned.  a and b may be copies (pack.h), which have strides of their own.  C is read only if
 *   k0 > 0 or with `accumulate`; otherwise it may be uninitialized.
 */
#ifndef FGD_GEMM_H
#define FGD_GEMM_H

#include "blocks.h"
#include "micro_kernel.h"
#include "pack.h"
#include "range.h"

/* A copied panel of B serves at least this many tiles, a copied block of A at least this many panels. */
enum { MIN_TILES = 4, MIN_PANELS = 8 };

/* Whether products with a B (k, n) may copy its panels, and those with n columns blocks of A^T; elements of a copy. */
static inline int may_pack_panels(int k, int n) { return n >= 2 * NR && exceeds_l2(k, n); }
static inline int may_pack_blocks(int n) { return n >= MIN_PANELS * NR; }
static inline ptrdiff_t packed_panel_size(void) { return (ptrdiff_t)MAX_KC * NR; }
static inline ptrdiff_t packed_block_size(ptrdiff_t k) {
    return (ptrdiff_t)MC * (k < MAX_KC ? k : MAX_KC) + (ptrdiff_t)tiles_of(MC).count * VL;
}

/* Rows [i0, i1) of A in one block of k, for all panels of B. */
typedef struct {
    int i0, i1, k0, k1;
    tile_rows tiles;
    const real *packed; /* tile by tile, or NULL: read in place */
} gemm_block;

/* A panel of B in one block of k, and the next one, which is fetched meanwhile. */
typedef struct {
    int j, columns;
    const real *b;
    ptrdiff_t b_row;
    const real *next; /* NULL: there is none, or it is in L2 */
    real *pack_next;  /* (k1 - k0, NR) out, or NULL: it is prefetched */
} gemm_panel;

ALWAYS_INLINE int variant_of(const gemm_panel *panel) {
    if (panel->next) return FETCH;
    if (panel->columns == NR) return WHOLE;
    return panel->columns > VL ? RAGGED : ONE_VECTOR;
}

/* The share of the rows of the next panel that tile number `tile` fetches. */
static gemm_prefetch share_of_next(const gemm_panel *panel, ptrdiff_t b_row, int k, int tile, int tiles) {
    ptrdiff_t first = partition(k, tile, tiles), end = partition(k, tile + 1, tiles);
    return (gemm_prefetch){.interval = tiles,
                           .next = panel->next + first * b_row,
                           .end = panel->next + end * b_row,
                           .packed = panel->pack_next ? panel->pack_next + first * NR : NULL};
}

/* The rows of a block and the columns of a panel; copies: see multiply_block. */
ALWAYS_INLINE void multiply_panel(const int copies, const gemm_product *p, const gemm_block *block,
                                  const gemm_panel *panel) {
    const gemm_operands *o = &p->operands;
    const gemm_epilogue *e = &p->epilogue;
    int k = block->k1 - block->k0, j = panel->j, variant = variant_of(panel);
    const tile_rows *tiles = &block->tiles;
    const real *packed = copies ? block->packed : NULL;
    gemm_tile t;
    t.i = block->i0; /* field by field: an initializer would make compilers zero the whole struct first */
    t.j = j;
    t.k0 = block->k0;
    t.k1 = block->k1;
    t.last = v_lanes(panel->columns - (panel->columns - 1) / VL * VL);
    t.a = packed ? packed : o->a + block->i0 * o->a_row + block->k0 * o->a_col;
    t.a_row = packed ? 1 : o->a_row;
    t.a_col = o->a_col;
    t.b = panel->b;
    t.b_row = panel->b_row;
    for (int tile = 0; tile < tiles->count; tile++) {
        int rows = tile_height(tiles, tile);
        if (packed) t.a_col = rows;
        if (panel->next) t.prefetch = share_of_next(panel, o->b_row, k, tile, tiles->count);
        if (panel->next && t.k0 > 0) prefetch_tile(o->c + t.i * o->c_row + j + NR, o->c_row, rows);
        if (e->prefetch_theta) prefetch_tile(e->update->theta + e->theta_offset + t.i * o->c_row + j, o->c_row, rows);
        gemm_kernels[rows][variant](p, &t);
        t.i += rows;
        t.a += packed ? packed_tile_size(rows, k) : rows * o->a_row;
    }
    if (block->k1 == o->k && e->panel_done) e->panel_done(p, block->i0, block->i1, j, panel->columns);
}

/* The copy of a block of A whose rows are its columns in memory, if its n columns of C make that pay, or NULL. */
static const real *pack_a(const gemm_product *p, int n, const gemm_block *block) {
    const gemm_operands *o = &p->operands;
    int m = block->i1 - block->i0, k = block->k1 - block->k0;
    real *copy = p->buffers->block;
    if (!copy || o->a_row != 1 || !may_pack_blocks(n) || m == 1 || k > MAX_KC) return NULL;
    pack_block(o->a + block->i0 + block->k0 * o->a_col, o->a_col, m, k, copy);
    return copy;
}

/* Whether the panels of B are copied: far from L2, and from each other. */
static int packs_panels(const gemm_product *p, int n, const gemm_block *block) {
    const gemm_operands *o = &p->operands;
    int m = block->i1 - block->i0, k = block->k1 - block->k0;
    if (!p->buffers->panel[0] || o->b_row == NR || k > MAX_KC) return 0;
    return may_pack_panels(o->k, n) && m >= MIN_TILES * MR;
}

/* Columns [j0, j1) of a block; copies: 0 if no operand may be copied, which spares small products the questions. */
ALWAYS_INLINE void multiply_block(const int copies, const gemm_product *p, gemm_block *block, int j0, int j1) {
    const gemm_operands *o = &p->operands;
    int k = block->k1 - block->k0, fetches = exceeds_l2(o->k, j1 - j0), current = 0;
    const int packs = copies && packs_panels(p, j1 - j0, block);
    block->packed = copies ? pack_a(p, j1 - j0, block) : NULL;
    if (packs) pack_panel(b_at(o, block->k0, j0), o->b_row, k, p->buffers->panel[current]);
    for (int j = j0; j < j1; j += NR, current = !current) {
        int left = j1 - j;
        gemm_panel panel = {.j = j,
                            .columns = left < NR ? left : NR,
                            .b = b_at(o, block->k0, j),
                            .b_row = o->b_row,
                            .next = fetches && left > NR ? b_at(o, block->k0, j + NR) : NULL,
                            .pack_next = packs && left >= 2 * NR ? p->buffers->panel[!current] : NULL};
        if (packs && left >= NR) {
            panel.b = p->buffers->panel[current];
            panel.b_row = NR;
        }
        multiply_panel(copies, p, block, &panel);
    }
}

/* Rows [i0, i1) and columns [j0, j1) of the product; j0 is a multiple of NR. */
static void multiply(const gemm_product *p, int i0, int i1, int j0, int j1) {
    int m = i1 - i0, k = p->operands.k, row_blocks = (m + MC - 1) / MC, k_blocks = 1;
    int max_k = k > MIN_KC && !p->operands.whole_k ? block_steps(m < MC ? m : MC) : k;
    if (k > max_k) k_blocks = (k + max_k - 1) / max_k;
    for (int kb = 0; kb < k_blocks; kb++) {
        gemm_block block = {.k0 = (int)partition(k, kb, k_blocks), .k1 = (int)partition(k, kb + 1, k_blocks)};
        for (int rb = 0; rb < row_blocks; rb++) {
            block.i0 = i0 + (int)partition(m, rb, row_blocks);
            block.i1 = i0 + (int)partition(m, rb + 1, row_blocks);
            block.tiles = tiles_of(block.i1 - block.i0);
            if (p->buffers)
                multiply_block(1, p, &block, j0, j1);
            else
                multiply_block(0, p, &block, j0, j1);
        }
    }
}

#endif
