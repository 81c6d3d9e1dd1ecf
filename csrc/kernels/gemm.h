/*
 * gemm.h: the one matrix product, C (m, n) = A (m, k) B (k, n), that forward, backward and weight gradients share.
 *
 * Each element of C is one chain of fused multiply-adds over k in order, begun at 0: vectors run across columns, never
 * along k, and a product cut into blocks of k goes on from the partial C.  So no tile size, block size, instruction set
 * or number of threads changes a bit.
 *
 * A is read through two strides, so that A and its transpose need no copy.  B is read as rows of NR neighbours: in place
 * from a row-major matrix, or from panels (see work.h).  What happens to a finished tile is the caller's: its `finish`.
 *
 *            B  k x NR           one tile: `rows` <= MR rows, NV vectors of VL columns;
 *            .------.            the last vector may be ragged (`last` lanes)
 *   A rows x k | b  |
 *   .--------. |    |
 *   | a      | '----'            per k: load NV vectors of b, broadcast `rows` numbers of a,
 *   '--------' [tile]            rows x NV multiply-adds
 */
#ifndef FGD_GEMM_H
#define FGD_GEMM_H

#include "../simd/contract.h"
#include "../tables/activations.h"
#include "../tables/rules.h"
#include "update.h"

/*
 * What happens to a finished tile.  The finishes of this table are compiled into the kernels, where the tile is still in
 * registers: that spares a step of digits 8 % and one of mnist-big 3 % against a tile in memory, which is what all others
 * get, by `tile_done`.
 */
#define FGD_FINISHES(ROW) ROW(store) ROW(relu) ROW(relu_slope) ROW(sigmoid_slope) ROW(tanh_slope) ROW(sgd)
#define ROW(name) FINISH_##name,
enum { FINISH_tile, FGD_FINISHES(ROW) };
#undef ROW

typedef struct product product;
struct product {
    int k;
    int whole_k;   /* 1: never blocks k, so that c is not needed */
    int adds;      /* 1: goes on from the sums in c              */
    int biased;    /* 1: B has one row more, a bias, which is added to the finished sums */
    const real *a; /* a(i, p) = a[i * a_row + p * a_col] */
    ptrdiff_t a_row, a_col;
    const real *b; /* b(p, j) = b[j / NR * b_panel + p * b_row + j % NR] */
    ptrdiff_t b_row, b_panel;
    real *c; /* c(i, j) = c[i * c_row + j]: the result, and the partial sums between blocks of k */
    ptrdiff_t c_row;

    int finish;                   /* row of FGD_FINISHES, or FINISH_tile                        */
    const real *x;                /* of slopes: laid out like c, what they are taken at         */
    const update_context *update; /* of sgd                                                     */
    ptrdiff_t c_in_theta;         /* of gradients: the place in theta of what c is of           */

    /* FINISH_tile: called for each finished tile; `context` is the caller's own. */
    void (*tile_done)(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]);
    /* Called, if there, when rows [i0, i1) of a panel of columns are finished and still in the cache. */
    void (*panel_done)(const product *p, int i0, int i1, int j, int columns);
    const void *context;

    int fetches; /* 1: of sgd, whose theta is far: it is fetched while the tile is made */
};

/* Rows of a block, so that a block of A stays in L2. */
enum { MC = 336 };

/* A B of at most this size stays in L2 from step to step: no need to fetch it ahead. */
enum { NEAR_BYTES = 1 << 19 };
static inline int is_far(int k, int n) { return (size_t)k * (size_t)n * sizeof(real) > NEAR_BYTES; }

/*
 * Rows so many bytes apart, a whole number of PAGEs, share a few sets of each cache: a panel of them finds no room in L2,
 * nor MR of them in L1.
 */
enum { PAGE = 4096 };
static inline int collide(ptrdiff_t bytes) { return bytes % PAGE == 0; }

/* One tile of a product over one block of k. */
typedef struct {
    int i, j, k0, k1;
    lanes last;
    const real *b; /* the panel's rows from k0 on */
    ptrdiff_t b_row;
    real *packed; /* (k1 - k0, NR): where a kernel that packs lays them side by side */
    int run;      /* of a far B: for so many steps along k, one row of the panel that comes next is fetched to L2 */
    const real *next;
} place;

/* The lanes of vector v of a tile. */
ALWAYS_INLINE lanes tile_lanes(int v, int vectors, lanes last) { return v == vectors - 1 ? last : v_lanes(VL); }

/* The place of b(k, j), where a panel begins. */
ALWAYS_INLINE const real *b_at(const product *p, int k, int j) { return p->b + j / NR * p->b_panel + k * p->b_row; }

/*
 * Bring a row of a tile or of a panel, or the rows of a tile, to L2: to L1 is too many lines at once, and costs a step of
 * mnist-big 2 to 5 %.  Where rows do not begin with a line, the first line has come with the columns before.
 */
ALWAYS_INLINE void fetch_row(const real *row) {
    enum { LINEFUL = LINE / (int)sizeof(real) };
    UNROLLED
    for (int last = LINEFUL - 1; last < NR; last += LINEFUL) prefetch_l2(row + last);
}
ALWAYS_INLINE void fetch_tile(const real *p, ptrdiff_t row, int rows) {
    for (int r = 0; r < rows; r++) fetch_row(p + r * row);
}

/* Rows of A that share a pointer: from it the CPU's addresses reach stride 0, 1, 2. */
enum { GROUP = 3 };

/* Whether a finish reads what is where it writes or, of slopes, at x. */
ALWAYS_INLINE int finish_reads(const int finish) { return finish != FINISH_store && finish != FINISH_relu; }

/* What becomes of x, a vector of the tile: `old` is what finish_reads, c the coefficients of an update. */
ALWAYS_INLINE vec finished(const int finish, vec x, vec old, const vec *c) {
    switch (finish) {
    case FINISH_relu: return relu_forward(x, NULL);
    case FINISH_relu_slope: return relu_backward(old, x, NULL);
    case FINISH_sigmoid_slope: return sigmoid_backward(old, x, NULL);
    case FINISH_tanh_slope: return tanh_backward(old, x, NULL);
    case FINISH_sgd: return sgd_step(old, x, NULL, c);
    default: return x;
    }
}

/*
 * A tile to its place `at`, finished.  Of theta several rows may share a line, and a masked load must wait for a store
 * just before it: there all is read before anything is written.
 */
ALWAYS_INLINE void finish_tile(const int rows, const int vectors, const int finish, const product *p, ptrdiff_t at,
                               lanes last, vec tile[MR][NV]) {
    enum { SGD_COEFFICIENTS = 2 };
    const int updates = finish == FINISH_sgd, reads = finish_reads(finish), together = reads && vectors == 1 ? rows : 1;
    real *to = updates ? p->update->theta + p->c_in_theta + at : p->c + at;
    const real *from = reads && !updates ? p->x + at : to;
    ptrdiff_t c_row = p->c_row;
    vec c[SGD_COEFFICIENTS], old[MR][NV];
    for (int i = 0; i < SGD_COEFFICIENTS; i++) c[i] = updates ? p->update->c[i] : v_set(0);
    UNROLLED
    for (int i = 0; i < rows; i += together) {
        UNROLLED
        for (int r = i; r < i + together; r++, from += c_row) {
            UNROLLED
            for (int v = 0; v < vectors; v++)
                old[r][v] = reads ? v_load_part(from + v * VL, tile_lanes(v, vectors, last)) : v_set(0);
        }
        UNROLLED
        for (int r = i; r < i + together; r++, to += c_row) {
            UNROLLED
            for (int v = 0; v < vectors; v++)
                v_store_part(to + v * VL, finished(finish, tile[r][v], old[r][v], c), tile_lanes(v, vectors, last));
        }
    }
}

/* Where a tile has come to along k, and how it goes on. */
typedef struct {
    const real *a[(MR + GROUP - 1) / GROUP], *b, *next;
    real *packed;
    ptrdiff_t a_row, a_col, b_row;
    lanes last;
} walk;

/* c (rows, vectors) <- c + a b, of `steps` columns and rows. */
ALWAYS_INLINE void add_products(const int rows, const int vectors, const int packs, int steps, walk *w, vec c[MR][NV]) {
    for (int k = steps; k > 0; k--) {
        vec bv[NV];
        UNROLLED
        for (int v = 0; v < vectors; v++) bv[v] = v_load_part(w->b + v * VL, tile_lanes(v, vectors, w->last));
        w->b += w->b_row;
        UNROLLED
        for (int v = 0; packs && v < vectors; v++) v_store(w->packed + v * VL, bv[v]);
        if (packs) w->packed += NR;
        UNROLLED
        for (int i = 0; i < rows; i++) {
            vec av = v_set(w->a[i / GROUP][i % GROUP * w->a_row]);
            UNROLLED
            for (int v = 0; v < vectors; v++) c[i][v] = v_fma(av, bv[v], c[i][v]);
        }
        UNROLLED
        for (int g = 0; g * GROUP < rows; g++) w->a[g] = opaque_ptr(w->a[g] + w->a_col);
    }
}

/* Rows of c += b (vectors,); to multiply it with a column of ones comes to the same bits. */
ALWAYS_INLINE void add_bias(const int rows, const int vectors, const real *b, lanes last, vec c[MR][NV]) {
    UNROLLED
    for (int v = 0; v < vectors; v++) {
        vec bias = v_load_part(b + v * VL, tile_lanes(v, vectors, last));
        UNROLLED
        for (int i = 0; i < rows; i++) c[i][v] = v_add(c[i][v], bias);
    }
}

/* The tile at `at`, over one block of k.  All but `p` and `at` are constants of each caller below. */
ALWAYS_INLINE void micro_kernel(const int rows, const int vectors, const int far, const int packs, const product *p,
                                const place *at) {
    vec c[MR][NV];
    ptrdiff_t a_row = p->a_row, c_row = p->c_row, next_row = p->b_row, to = at->i * c_row + at->j;
    lanes last = at->last;
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) c[i][v] = v_set(0);
    }
    if (at->k0 > 0 || p->adds) {
        const real *sums = p->c + to;
        UNROLLED
        for (int i = 0; i < rows; i++, sums += c_row) {
            UNROLLED
            for (int v = 0; v < vectors; v++) c[i][v] = v_load_part(sums + v * VL, tile_lanes(v, vectors, last));
        }
    }

    const real *row = p->a + at->i * a_row + at->k0 * p->a_col;
    walk w = {{NULL}, at->b, at->next, at->packed, a_row, p->a_col, at->b_row, last};
    UNROLLED
    for (int g = 0; g * GROUP < rows; g++, row += GROUP * a_row) w.a[g] = row;
    for (int left = at->k1 - at->k0, run = far ? at->run : left; left > 0; left -= run) {
        if (run > left) run = left;
        if (far) fetch_row(w.next);
        if (far) w.next += next_row;
        add_products(rows, vectors, packs, run, &w, c);
    }
    if (p->biased && at->k1 == p->k) add_bias(rows, vectors, b_at(p, p->k, at->j), last, c);

    int finish = at->k1 < p->k ? FINISH_store : p->finish;
    switch (finish) {
#define ROW(name) \
    case FINISH_##name: finish_tile(rows, vectors, FINISH_##name, p, to, last, c); return;
        FGD_FINISHES(ROW)
#undef ROW
    }
    vec tile[MR][NV];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) tile[i][v] = c[i][v];
    }
    p->tile_done(p, at->i, rows, at->j, vectors, last, tile);
}

/* One function for each size of a tile: a compiled loop keeps all accumulators in registers. */
typedef void kernel(const product *p, const place *at);
#define ROW(R)                                                                                            \
    static void kernel_##R##_1(const product *p, const place *at) { micro_kernel(R, 1, 0, 0, p, at); }    \
    static void kernel_##R##_NV(const product *p, const place *at) { micro_kernel(R, NV, 0, 0, p, at); }  \
    static void kernel_##R##_far(const product *p, const place *at) { micro_kernel(R, NV, 1, 0, p, at); } \
    static void kernel_##R##_packs(const product *p, const place *at) { micro_kernel(R, NV, 1, 1, p, at); }
FGD_TILE_ROWS(ROW)
#undef ROW
enum { ONE_VECTOR, ALL_VECTORS, FAR, PACKS };
#define ROW(R) {kernel_##R##_1, kernel_##R##_NV, kernel_##R##_far, kernel_##R##_packs},
static kernel *const kernel_of_rows[][4] = {{NULL}, FGD_TILE_ROWS(ROW)};
#undef ROW

/* How many of `count` things the parts before number `part` of `parts` nearly equal ones hold. */
static inline ptrdiff_t share(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts) {
    return parts == 1 ? count * part : count * part / parts; /* a division takes as long as ten products */
}

/* A tile to row-major memory at c. */
static void save_tile(real *c, ptrdiff_t c_row, int rows, int vectors, lanes last, vec tile[MR][NV]) {
    for (int r = 0; r < rows; r++, c += c_row)
        for (int v = 0; v < vectors; v++) v_store_part(c + v * VL, tile[r][v], tile_lanes(v, vectors, last));
}

/* A thread's place for a panel of B whose rows collide where they lie. */
static _Thread_local _Alignas(LINE) real own_panel[KC * NR];

/* Rows [i0, i1) of one panel of columns and one block of k; next: the panel that comes next if it is far, or NULL. */
static void multiply_panel(const product *p, int i0, int i1, int j, int columns, int k0, int k1, const real *next) {
    int vectors = (columns + VL - 1) / VL, kind = next ? FAR : vectors == NV ? ALL_VECTORS : ONE_VECTOR;
    int m = i1 - i0, blocks = (m + MR - 1) / MR, fewest = blocks > 1 ? m / blocks : m, longer = m - fewest * blocks;
    lanes last = v_lanes(columns - (vectors - 1) * VL);
    place at = {i0, j, k0, k1, last, b_at(p, k0, j), p->b_row, NULL, blocks, next};
    if (next && blocks > 1 && collide(p->b_row * (ptrdiff_t)sizeof(real))) kind = PACKS, at.packed = own_panel;
    for (int block = 0, rows; block < blocks; block++, at.i += rows) {
        rows = fewest + (block < longer);
        if (next) at.next = next + share(k1 - k0, block, blocks) * p->b_row; /* each tile fetches its share of it */
        if (next && k0 > 0) fetch_tile(p->c + at.i * p->c_row + j + NR, p->c_row, rows);
        if (p->fetches) fetch_tile(p->update->theta + p->c_in_theta + at.i * p->c_row + j, p->c_row, rows);
        kernel_of_rows[rows][kind](p, &at);
        if (kind == PACKS) kind = FAR, at.b = at.packed, at.b_row = NR; /* by the first tile for the others */
    }
    if (k1 == p->k && p->panel_done) p->panel_done(p, i0, i1, j, columns);
}

/* Rows [i0, i1) and columns [j0, j1) of the product; j0 is a multiple of NR. */
static void multiply(const product *p, int i0, int i1, int j0, int j1) {
    int row_blocks = (i1 - i0 + MC - 1) / MC, k_blocks = p->whole_k ? 1 : (p->k + KC - 1) / KC;
    int far = is_far(p->k, j1 - j0);
    for (int kb = 0; kb < k_blocks; kb++) {
        int k0 = (int)share(p->k, kb, k_blocks), k1 = (int)share(p->k, kb + 1, k_blocks);
        for (int rb = 0; rb < row_blocks; rb++) {
            int r0 = i0 + (int)share(i1 - i0, rb, row_blocks), r1 = i0 + (int)share(i1 - i0, rb + 1, row_blocks);
            for (int j = j0; j < j1; j += NR) {
                int columns = j1 - j < NR ? j1 - j : NR;
                const real *next = far && j1 - j > NR ? b_at(p, k0, j + NR) : NULL;
                multiply_panel(p, r0, r1, j, columns, k0, k1, next);
            }
        }
    }
}

#endif
