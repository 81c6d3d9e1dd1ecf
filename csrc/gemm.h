/*
 * gemm.h: the one matrix product, C (m, n) = A (m, k) B (k, n), that forward, backward and weight gradients share.
 *
 * Each element of C is one chain of fused multiply-adds over k in order, begun at 0: vectors run across columns, never
 * along k, and a product cut into blocks of k goes on from the partial C.  So no tile size, block size, instruction set
 * or number of threads changes a bit.
 *
 * A is read through two strides, so that A and its transpose need no copy.  B is read as rows of NR neighbours: in place
 * from a row-major matrix, or from panels (see work.h).  What happens to a finished tile is the caller's: see `finish`.
 *
 *            B  k x NR           one tile: `rows` <= MR rows, NV vectors of VL columns;
 *            .------.            the last vector may be ragged (`last` lanes)
 *   A rows x k | b  |
 *   .--------. |    |
 *   | a      | '----'            per k: load NV vectors of b, broadcast `rows` numbers of a,
 *   '--------' [tile]            rows x NV multiply-adds
 */
typedef struct product product;
struct product {
    int k;
    int whole_k;   /* 1: never blocks k, so that c is not needed */
    const real *a; /* a(i, p) = a[i * a_row + p * a_col] */
    ptrdiff_t a_row, a_col;
    const real *b; /* b(p, j) = b[j / NR * b_panel + p * b_row + j % NR] */
    ptrdiff_t b_row, b_panel;
    real *c; /* c(i, j) = c[i * c_row + j]: the result, and the partial sums between blocks of k */
    ptrdiff_t c_row;

    /* Called once for each finished tile: stores it to c, or does better with it.  `context` is the caller's own. */
    void (*finish)(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]);
    const void *context;
};

/* Blocks of k, so that a panel of B stays in L1 or L2, and of rows, so that a block of A stays in L2. */
enum { KC = 512, MC = 252 };

/* tile (rows, vectors) <- (fresh ? 0 : tile) + A B.  `rows` and `vectors` are constants of each caller below. */
ALWAYS_INLINE void micro_kernel(const int rows, const int vectors, int k, int fresh, const real *restrict a,
                                ptrdiff_t a_row, ptrdiff_t a_col, const real *restrict b, ptrdiff_t b_row, lanes last,
                                vec tile[MR][NV]) {
    vec c[MR][NV];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) c[i][v] = fresh ? v_set(0) : tile[i][v];
    }
    for (int p = 0; p < k; p++, a += a_col, b += b_row) {
        vec bv[NV];
        UNROLLED
        for (int v = 0; v < vectors - 1; v++) bv[v] = v_load(b + v * VL);
        bv[vectors - 1] = v_load_part(b + (vectors - 1) * VL, last);
        UNROLLED
        for (int i = 0; i < rows; i++) {
            vec av = v_set(a[i * a_row]);
            UNROLLED
            for (int v = 0; v < vectors; v++) c[i][v] = v_fma(av, bv[v], c[i][v]);
        }
    }
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) tile[i][v] = c[i][v];
    }
}

/* One function for each number of rows: a compiled loop keeps all accumulators in registers. */
typedef void kernel(int vectors, int k, int fresh, const real *a, ptrdiff_t a_row, ptrdiff_t a_col, const real *b,
                    ptrdiff_t b_row, lanes last, vec tile[MR][NV]);
#define ROW(R)                                                                                             \
    static void kernel_##R(int vectors, int k, int fresh, const real *a, ptrdiff_t a_row, ptrdiff_t a_col, \
                           const real *b, ptrdiff_t b_row, lanes last, vec tile[MR][NV]) {                 \
        if (vectors == NV)                                                                                 \
            micro_kernel(R, NV, k, fresh, a, a_row, a_col, b, b_row, last, tile);                          \
        else                                                                                               \
            micro_kernel(R, 1, k, fresh, a, a_row, a_col, b, b_row, last, tile);                           \
    }
FGD_TILE_ROWS(ROW)
#undef ROW
#define ROW(R) kernel_##R,
static kernel *const kernel_of_rows[] = {NULL, FGD_TILE_ROWS(ROW)};
#undef ROW

/* How many of `count` things the parts before number `part` of `parts` nearly equal ones hold. */
static inline ptrdiff_t share(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts) { return count * part / parts; }

/* Rows [i0, i1) of one panel of columns and one block of k. */
static void multiply_panel(const product *p, int i0, int i1, int j, int columns, int k0, int k1) {
    int vectors = (columns + VL - 1) / VL;
    lanes last = v_lanes(columns - (vectors - 1) * VL);
    const real *b = p->b + j / NR * p->b_panel + k0 * p->b_row;
    int blocks = (i1 - i0 + MR - 1) / MR, fewest = (i1 - i0) / blocks, longer = (i1 - i0) % blocks;
    vec tile[MR][NV];

    for (int block = 0, i = i0, rows; block < blocks; block++, i += rows) {
        rows = fewest + (block < longer);
        real *c = p->c + i * p->c_row + j;
        if (k0 > 0)
            for (int r = 0; r < rows; r++)
                for (int v = 0; v < vectors; v++)
                    tile[r][v] = v_load_part(c + r * p->c_row + v * VL, v_lanes(columns - v * VL));
        kernel_of_rows[rows](vectors, k1 - k0, k0 == 0, p->a + i * p->a_row + k0 * p->a_col, p->a_row, p->a_col, b,
                             p->b_row, last, tile);
        if (k1 == p->k) {
            p->finish(p, i, rows, j, vectors, last, tile);
            continue;
        }
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++)
                v_store_part(c + r * p->c_row + v * VL, tile[r][v], v_lanes(columns - v * VL));
    }
}

/* Rows [i0, i1) and all n columns of the product. */
static void multiply(const product *p, int i0, int i1, int n) {
    int row_blocks = (i1 - i0 + MC - 1) / MC, k_blocks = p->whole_k ? 1 : (p->k + KC - 1) / KC;
    for (int kb = 0; kb < k_blocks; kb++)
        for (int rb = 0; rb < row_blocks; rb++)
            for (int j = 0; j < n; j += NR)
                multiply_panel(p, i0 + (int)share(i1 - i0, rb, row_blocks),
                               i0 + (int)share(i1 - i0, rb + 1, row_blocks), j, n - j < NR ? n - j : NR,
                               (int)share(p->k, kb, k_blocks), (int)share(p->k, kb + 1, k_blocks));
}

/* For finish: the lanes of vector v of a tile. */
ALWAYS_INLINE lanes tile_lanes(int v, int vectors, lanes last) { return v == vectors - 1 ? last : v_lanes(VL); }

/* The simplest finish: to c. */
static void store_tile(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    for (int r = 0; r < rows; r++) {
        real *c = p->c + (i + r) * p->c_row + j;
        for (int v = 0; v < vectors - 1; v++) v_store(c + v * VL, tile[r][v]);
        v_store_part(c + (vectors - 1) * VL, tile[r][vectors - 1], last);
    }
}
