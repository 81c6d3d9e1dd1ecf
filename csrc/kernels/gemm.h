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
 *   KC                 maximum of k in one block: a panel of B, (KC, NR), has to stay in L1 or L2
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
 *   No operand has to be aligned.  C is read only if k0 > 0 or with `accumulate`; otherwise it may be uninitialised.
 */
#ifndef FGD_GEMM_H
#define FGD_GEMM_H

#include "../simd/contract.h"
#include "epilogue.h"
#include "range.h"
#include "update.h"

/* The factors, the result, and how they are combined. */
typedef struct {
    int k;
    int whole_k;    /* 1: k is not blocked, so that c is not needed */
    int accumulate; /* 1: the sums start at c instead of 0 */
    int bias;       /* 1: B has one more row, row k, which is added to the finished sums */
    const real *a;
    ptrdiff_t a_row, a_col;
    const real *b;
    ptrdiff_t b_row, b_panel;
    real *c;
    ptrdiff_t c_row;
} gemm_operands;

typedef struct gemm_product gemm_product;

typedef struct {
    int kind;                     /* entry of FGD_EPILOGUES, or EPILOGUE_callback */
    const real *x;                /* BACKWARD: laid out like c */
    const update_context *update; /* UPDATE */
    ptrdiff_t theta_offset;       /* of gradients: where c begins in theta */
    int prefetch_theta;           /* UPDATE: 1: theta is not in L2; prefetched before each tile */

    /* EPILOGUE_callback: called for each finished tile. */
    void (*tile_done)(const gemm_product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]);
    /* Called, unless NULL, when rows [i0, i1) of a panel of columns are finished and still in the cache. */
    void (*panel_done)(const gemm_product *p, int i0, int i1, int j, int columns);
    const void *context; /* of the callbacks */
} gemm_epilogue;

struct gemm_product {
    gemm_operands operands;
    gemm_epilogue epilogue;
};

/* Of a panel that is not in L2: while a tile is computed, the rows of the next one are prefetched. */
typedef struct {
    int interval; /* steps along k for each row that is prefetched */
    const real *next;
} gemm_prefetch;

/* One tile of a product over one block of k. */
typedef struct {
    int i, j, k0, k1;
    lanes last;
    const real *b; /* row k0 of the panel */
    ptrdiff_t b_row;
    real *packed;  /* (k1 - k0, NR) out, of a kernel that packs the panel */
    gemm_prefetch prefetch;
} gemm_tile;

/* Maximum number of rows in a block of A, so that it stays in L2. */
enum { MC = 336 };

/* A B of at most this size stays in L2 from step to step and is not prefetched. */
enum { L2_RESIDENT_BYTES = 1 << 19 };
static inline int exceeds_l2(int k, int n) { return (size_t)k * (size_t)n * sizeof(real) > L2_RESIDENT_BYTES; }

/*
 * Rows a multiple of PAGE bytes apart compete for a few sets of each cache: L2 cannot hold a panel of them, nor L1 MR
 * of them.
 */
enum { PAGE = 4096 };
static inline int same_cache_set(ptrdiff_t bytes) { return bytes % PAGE == 0; }

/* The active lanes of vector v of a tile. */
ALWAYS_INLINE lanes tile_lanes(int v, int vectors, lanes last) { return v == vectors - 1 ? last : v_lanes(VL); }

/* The address of b(k, j), j being the first column of a panel. */
ALWAYS_INLINE const real *b_at(const gemm_operands *o, int k, int j) {
    return o->b + j / NR * o->b_panel + k * o->b_row;
}

/*
 * Prefetch one row of a tile or of a panel, or the rows of a tile, to L2: L1 has no room for that many lines, which
 * costs 2 to 5 % of a step of mnist-big.  Where rows are not aligned to a line, the first line came with the columns
 * before.
 */
ALWAYS_INLINE void prefetch_row(const real *row) {
    enum { PER_LINE = LINE / (int)sizeof(real) };
    UNROLLED
    for (int last = PER_LINE - 1; last < NR; last += PER_LINE) prefetch_l2(row + last);
}
ALWAYS_INLINE void prefetch_tile(const real *first, ptrdiff_t row, int rows) {
    for (int r = 0; r < rows; r++) prefetch_row(first + r * row);
}

/* Rows of A that share a pointer: x86 addressing modes reach strides 0, 1 and 2 from it. */
enum { GROUP = 3 };

/*
 * Apply an epilogue to a tile whose first element is at `offset`.  In theta several rows may share a line, and a masked
 * load stalls on a store just before it: there everything is read before anything is written.
 */
ALWAYS_INLINE void apply_epilogue(const int rows, const int vectors, const int kind, const gemm_product *p,
                                  ptrdiff_t offset, lanes last, vec tile[MR][NV]) {
    enum { MAX_UPDATE_COEFFICIENTS = 2 }; /* of the rules in FGD_EPILOGUES */
    const int updates = epilogue_updates(kind), reads = epilogue_reads(kind);
    const int batch = reads && vectors == 1 ? rows : 1; /* rows read before they are written */
    const gemm_epilogue *e = &p->epilogue;
    real *to = updates ? e->update->theta + e->theta_offset + offset : p->operands.c + offset;
    const real *from = reads && !updates ? e->x + offset : to;
    ptrdiff_t c_row = p->operands.c_row;
    vec c[MAX_UPDATE_COEFFICIENTS], old[MR][NV];
    for (int i = 0; i < MAX_UPDATE_COEFFICIENTS; i++) c[i] = updates ? e->update->c[i] : v_set(0);
    UNROLLED
    for (int i = 0; i < rows; i += batch) {
        UNROLLED
        for (int r = i; r < i + batch; r++, from += c_row) {
            UNROLLED
            for (int v = 0; v < vectors; v++)
                old[r][v] = reads ? v_load_part(from + v * VL, tile_lanes(v, vectors, last)) : v_set(0);
        }
        UNROLLED
        for (int r = i; r < i + batch; r++, to += c_row) {
            UNROLLED
            for (int v = 0; v < vectors; v++) {
                vec value = epilogue_value(kind, tile[r][v], old[r][v], c);
                v_store_part(to + v * VL, value, tile_lanes(v, vectors, last));
            }
        }
    }
}

/* The position of a tile along k. */
typedef struct {
    const real *a[(MR + GROUP - 1) / GROUP], *b, *next;
    real *packed;
    ptrdiff_t a_row, a_col, b_row;
    lanes last;
} gemm_cursor;

/* tile (rows, vectors) <- tile + a b, over `steps` columns of a and rows of b. */
ALWAYS_INLINE void multiply_add(const int rows, const int vectors, const int packs, int steps, gemm_cursor *at,
                                vec tile[MR][NV]) {
    for (int k = steps; k > 0; k--) {
        vec b[NV];
        UNROLLED
        for (int v = 0; v < vectors; v++) b[v] = v_load_part(at->b + v * VL, tile_lanes(v, vectors, at->last));
        at->b += at->b_row;
        UNROLLED
        for (int v = 0; packs && v < vectors; v++) v_store(at->packed + v * VL, b[v]);
        if (packs) at->packed += NR;
        UNROLLED
        for (int i = 0; i < rows; i++) {
            vec a = v_set(at->a[i / GROUP][i % GROUP * at->a_row]);
            UNROLLED
            for (int v = 0; v < vectors; v++) tile[i][v] = v_fma(a, b[v], tile[i][v]);
        }
        UNROLLED
        for (int g = 0; g * GROUP < rows; g++) at->a[g] = opaque_ptr(at->a[g] + at->a_col);
    }
}

/* Each row of tile += bias (vectors,); the same bits as one more step along k with a column of ones. */
ALWAYS_INLINE void add_bias(const int rows, const int vectors, const real *bias, lanes last, vec tile[MR][NV]) {
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        vec b = v_load_part(bias + v * VL, tile_lanes(v, vectors, last));
        UNROLLED
        for (int i = 0; i < rows; i++) tile[i][v] = v_add(tile[i][v], b);
    }
}

/* Where the sums of a tile start: at 0, or at those in c. */
ALWAYS_INLINE void init_tile(const int rows, const int vectors, int accumulate, const gemm_operands *o,
                             ptrdiff_t offset, lanes last, vec tile[MR][NV]) {
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) tile[i][v] = v_set(0);
    }
    if (!accumulate) return;
    const real *c = o->c + offset;
    UNROLLED
    for (int i = 0; i < rows; i++, c += o->c_row) {
        UNROLLED
        for (int v = 0; v < vectors; v++) tile[i][v] = v_load_part(c + v * VL, tile_lanes(v, vectors, last));
    }
}

/* One tile over one block of k, and its epilogue after the last.  All arguments but `p` and `t` are compile-time
   constants. */
ALWAYS_INLINE void micro_kernel(const int rows, const int vectors, const int prefetches, const int packs,
                                const gemm_product *p, const gemm_tile *t) {
    const gemm_operands *o = &p->operands;
    vec tile[MR][NV], copy[MR][NV];
    ptrdiff_t a_row = o->a_row, next_row = o->b_row, offset = t->i * o->c_row + t->j;
    lanes last = t->last;
    init_tile(rows, vectors, t->k0 > 0 || o->accumulate, o, offset, last, tile);

    const real *row = o->a + t->i * a_row + t->k0 * o->a_col;
    gemm_cursor at = {{NULL}, t->b, t->prefetch.next, t->packed, a_row, o->a_col, t->b_row, last};
    UNROLLED
    for (int g = 0; g * GROUP < rows; g++, row += GROUP * a_row) at.a[g] = row;
    for (int left = t->k1 - t->k0, run = prefetches ? t->prefetch.interval : left; left > 0; left -= run) {
        if (run > left) run = left;
        if (prefetches) prefetch_row(at.next);
        if (prefetches) at.next += next_row;
        multiply_add(rows, vectors, packs, run, &at, tile);
    }
    if (o->bias && t->k1 == o->k) add_bias(rows, vectors, b_at(o, o->k, t->j), last, tile);

    switch (t->k1 < o->k ? EPILOGUE_store : p->epilogue.kind) {
#define EPILOGUE(function, of) \
    case EPILOGUE_##function: apply_epilogue(rows, vectors, EPILOGUE_##function, p, offset, last, tile); return;
        FGD_EPILOGUES(EPILOGUE, EPILOGUE, EPILOGUE, EPILOGUE)
#undef EPILOGUE
    }
    UNROLLED
    for (int i = 0; i < rows; i++) { /* so that `tile`, whose address is not taken, stays in registers above */
        UNROLLED
        for (int v = 0; v < vectors; v++) copy[i][v] = tile[i][v];
    }
    p->epilogue.tile_done(p, t->i, rows, t->j, vectors, last, copy);
}

/* One function for each size of a tile: as compiled loops they keep all accumulators in registers. */
typedef void gemm_kernel(const gemm_product *p, const gemm_tile *t);
#define KERNELS(R)                                                                                                    \
    static void kernel_##R##_1(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, 1, 0, 0, p, t); }         \
    static void kernel_##R##_NV(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, NV, 0, 0, p, t); }       \
    static void kernel_##R##_prefetch(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, NV, 1, 0, p, t); } \
    static void kernel_##R##_pack(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, NV, 1, 1, p, t); }
FGD_TILE_ROWS(KERNELS)
#undef KERNELS
enum { ONE_VECTOR, ALL_VECTORS, PREFETCH, PACK, VARIANTS };
#define VARIANTS_OF(R) {kernel_##R##_1, kernel_##R##_NV, kernel_##R##_prefetch, kernel_##R##_pack},
static gemm_kernel *const gemm_kernels[][VARIANTS] = {{NULL}, FGD_TILE_ROWS(VARIANTS_OF)};
#undef VARIANTS_OF

/* A tile to row-major memory at c. */
static void store_tile(real *c, ptrdiff_t c_row, int rows, int vectors, lanes last, vec tile[MR][NV]) {
    for (int r = 0; r < rows; r++, c += c_row)
        for (int v = 0; v < vectors; v++) v_store_part(c + v * VL, tile[r][v], tile_lanes(v, vectors, last));
}

/* A thread's copy of a panel of B whose rows share cache sets in place. */
static _Thread_local _Alignas(LINE) real packed_panel[KC * NR];

/*
 * Rows [i0, i1) of the panel of columns at j, `columns` wide, over one block of k.  next: the panel that comes next, to
 * be prefetched, or NULL.
 */
static void multiply_panel(const gemm_product *p, int i0, int i1, int j, int columns, int k0, int k1,
                           const real *next) {
    const gemm_operands *o = &p->operands;
    const gemm_epilogue *e = &p->epilogue;
    int vectors = (columns + VL - 1) / VL, variant = next ? PREFETCH : vectors == NV ? ALL_VECTORS : ONE_VECTOR;
    int m = i1 - i0, tiles = (m + MR - 1) / MR, min_rows = tiles > 1 ? m / tiles : m, taller = m - min_rows * tiles;
    gemm_tile t = {.i = i0,
                   .j = j,
                   .k0 = k0,
                   .k1 = k1,
                   .last = v_lanes(columns - (vectors - 1) * VL),
                   .b = b_at(o, k0, j),
                   .b_row = o->b_row,
                   .packed = NULL, /* a field left out would make compilers zero the whole struct first */
                   .prefetch = {.interval = tiles, .next = next}};
    if (next && tiles > 1 && same_cache_set(o->b_row * (ptrdiff_t)sizeof(real))) {
        variant = PACK;
        t.packed = packed_panel;
    }
    for (int tile = 0, rows; tile < tiles; tile++, t.i += rows) {
        rows = min_rows + (tile < taller);
        if (next)
            t.prefetch.next = next + partition(k1 - k0, tile, tiles) * o->b_row; /* this tile's part of the rows */
        if (next && k0 > 0) prefetch_tile(o->c + t.i * o->c_row + j + NR, o->c_row, rows);
        if (e->prefetch_theta) prefetch_tile(e->update->theta + e->theta_offset + t.i * o->c_row + j, o->c_row, rows);
        gemm_kernels[rows][variant](p, &t);
        if (variant != PACK) continue;
        variant = PREFETCH; /* the first tile has packed the panel for the others */
        t.b = t.packed;
        t.b_row = NR;
    }
    if (k1 == o->k && e->panel_done) e->panel_done(p, i0, i1, j, columns);
}

/* Rows [i0, i1) and columns [j0, j1) of the product; j0 is a multiple of NR. */
static void multiply(const gemm_product *p, int i0, int i1, int j0, int j1) {
    const gemm_operands *o = &p->operands;
    int row_blocks = (i1 - i0 + MC - 1) / MC, k_blocks = o->whole_k ? 1 : (o->k + KC - 1) / KC;
    int prefetches = exceeds_l2(o->k, j1 - j0);
    for (int kb = 0; kb < k_blocks; kb++) {
        int k0 = (int)partition(o->k, kb, k_blocks), k1 = (int)partition(o->k, kb + 1, k_blocks);
        for (int rb = 0; rb < row_blocks; rb++) {
            int r0 = i0 + (int)partition(i1 - i0, rb, row_blocks),
                r1 = i0 + (int)partition(i1 - i0, rb + 1, row_blocks);
            for (int j = j0; j < j1; j += NR) {
                int columns = j1 - j < NR ? j1 - j : NR;
                const real *next = prefetches && j1 - j > NR ? b_at(o, k0, j + NR) : NULL;
                multiply_panel(p, r0, r1, j, columns, k0, k1, next);
            }
        }
    }
}

#endif
