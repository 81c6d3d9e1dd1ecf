/*
 * micro_kernel.h: one tile of a matrix product; gemm.h states its contract.
 */
#ifndef FGD_MICRO_KERNEL_H
#define FGD_MICRO_KERNEL_H

#include "../simd/contract.h"
#include "epilogue.h"
#include "pack.h"
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
    const pack_buffers *buffers; /* of this thread, or NULL: operands are read in place */
};

/* The next panel, if it is not in L2: while a tile is computed, its share of the rows is prefetched or copied. */
typedef struct {
    int interval;           /* steps along k for each row */
    const real *next, *end; /* rows of the next panel, b_row of the operands apart */
    real *packed;           /* (rows, NR) out, or NULL */
} gemm_prefetch;

/* One tile of a product over one block of k. */
typedef struct {
    int i, j, k0, k1;
    lanes last;
    const real *a; /* a(i, k0), in place or copied */
    ptrdiff_t a_row, a_col;
    const real *b; /* row k0 of the panel, in place or copied */
    ptrdiff_t b_row;
    gemm_prefetch prefetch;
} gemm_tile;

/* Elements of a cache line. */
enum { PER_LINE = LINE / (int)sizeof(real) };

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
    const real *a[(MR + GROUP - 1) / GROUP], *b;
    ptrdiff_t a_row, a_col, b_row;
    lanes last;
} gemm_cursor;

/* Rows of B that are prefetched to L1 before they are used, in tiles of at least PREFETCH_HEIGHT rows. */
enum { ROWS_AHEAD = 8, PREFETCH_HEIGHT = 8 };

/* tile (rows, vectors) <- tile + a b, over `steps` columns of a and rows of b; whole: all vectors are full. */
ALWAYS_INLINE void multiply_add(const int rows, const int vectors, const int whole, int steps, gemm_cursor *at,
                                vec tile[MR][NV]) {
    for (int k = steps; k > 0; k--) {
        vec b[NV];
        UNROLLED
        for (int v = 0; v < vectors; v++) {
            b[v] = whole ? v_load(at->b + v * VL) : v_load_part(at->b + v * VL, tile_lanes(v, vectors, at->last));
            if (rows >= PREFETCH_HEIGHT && v * VL % PER_LINE == 0) prefetch_l1(at->b + v * VL + ROWS_AHEAD * at->b_row);
        }
        at->b += at->b_row;
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

/* A row of the next panel: prefetched, or copied while one further on is prefetched. */
ALWAYS_INLINE void fetch_row(ptrdiff_t b_row, gemm_prefetch *f) {
    if (f->next == f->end) return;
    prefetch_row(f->packed ? f->next + ROWS_AHEAD * b_row : f->next);
    if (f->packed) {
        copy_row(f->next, f->packed);
        f->packed += NR;
    }
    f->next += b_row;
}

/* One tile over one block of k, and its epilogue after the last.  All arguments but `p` and `t` are compile-time
   constants; fetches: there is a next panel. */
ALWAYS_INLINE void micro_kernel(const int rows, const int vectors, const int whole, const int fetches,
                                const gemm_product *p, const gemm_tile *t) {
    const gemm_operands *o = &p->operands;
    vec tile[MR][NV], copy[MR][NV];
    ptrdiff_t a_row = t->a_row, next_row = o->b_row, offset = t->i * o->c_row + t->j;
    lanes last = whole ? v_lanes(VL) : t->last;
    init_tile(rows, vectors, t->k0 > 0 || o->accumulate, o, offset, last, tile);

    const real *row = t->a;
    gemm_cursor at = {{NULL}, t->b, a_row, t->a_col, t->b_row, last};
    gemm_prefetch fetch = t->prefetch;
    UNROLLED
    for (int g = 0; g * GROUP < rows; g++, row += GROUP * a_row) at.a[g] = row;
    for (int left = t->k1 - t->k0, run = fetches ? fetch.interval : left; left > 0; left -= run) {
        if (run > left) run = left;
        if (fetches) fetch_row(next_row, &fetch);
        multiply_add(rows, vectors, whole, run, &at, tile);
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

/* One function for each size of a tile: as compiled loops they keep all accumulators in registers.  Side by side in the
   library, because they resemble each other more than those of another engine, between which setup.py would sort them. */
#ifdef __ELF__
#define KERNEL static __attribute__((section(".text.kernels")))
#else
#define KERNEL static
#endif
typedef void gemm_kernel(const gemm_product *p, const gemm_tile *t);
#define KERNELS(R)                                                                                                  \
    KERNEL void kernel_##R##_1(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, 1, 0, 0, p, t); }       \
    KERNEL void kernel_##R##_ragged(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, NV, 0, 0, p, t); } \
    KERNEL void kernel_##R##_whole(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, NV, 1, 0, p, t); }  \
    KERNEL void kernel_##R##_fetch(const gemm_product *p, const gemm_tile *t) { micro_kernel(R, NV, 1, 1, p, t); }
FGD_TILE_ROWS(KERNELS)
#undef KERNELS
#undef KERNEL
enum { ONE_VECTOR, RAGGED, WHOLE, FETCH, VARIANTS };
#define VARIANTS_OF(R) {kernel_##R##_1, kernel_##R##_ragged, kernel_##R##_whole, kernel_##R##_fetch},
static gemm_kernel *const gemm_kernels[][VARIANTS] = {{NULL}, FGD_TILE_ROWS(VARIANTS_OF)};
#undef VARIANTS_OF

/* A tile to row-major memory at c. */
static void store_tile(real *c, ptrdiff_t c_row, int rows, int vectors, lanes last, vec tile[MR][NV]) {
    for (int r = 0; r < rows; r++, c += c_row)
        for (int v = 0; v < vectors; v++) v_store_part(c + v * VL, tile[r][v], tile_lanes(v, vectors, last));
}

#endif
