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
enum { MAX_TOUCHED = 1 + MAX_SLOTS };
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
    /* Called, if there, when rows [i0, i1) of a panel of columns are finished and still in the cache. */
    void (*panel_done)(const product *p, int i0, int i1, int j, int columns);
    const void *context;

    /* What finish will read or write, laid out like c: fetched while the tile is made. */
    const real *touched[MAX_TOUCHED];
    int touches;
};

/* Blocks of k, so that a panel of B stays in L1 or L2, and of rows, so that a block of A stays in L2. */
enum { KC = 512, MC = 336 };

/* A B of at most this size stays in L2 from step to step: no need to fetch it ahead. */
enum { NEAR_BYTES = 1 << 19 };

/*
 * tile (rows, vectors) <- (fresh ? 0 : tile) + A B.  `rows` and `vectors` are constants of each caller below.  `ahead` is
 * the way from b to the panel that comes next: with the rows of a wide B far apart no prefetcher of the CPU finds it.
 */
ALWAYS_INLINE void micro_kernel(const int rows, const int vectors, int k, int fresh, const real *restrict a,
                                ptrdiff_t a_row, ptrdiff_t a_col, const real *restrict b, ptrdiff_t b_row,
                                ptrdiff_t ahead, lanes last, vec tile[MR][NV]) {
    vec c[MR][NV];
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) c[i][v] = fresh ? v_set(0) : tile[i][v];
    }
    for (int p = 0; p < k; p++, a += a_col, b += b_row) {
        vec bv[NV];
        UNROLLED
        for (int v = 0; v < vectors; v++) fetch_far(b + ahead + v * VL);
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
                    ptrdiff_t b_row, ptrdiff_t ahead, lanes last, vec tile[MR][NV]);
#define ROW(R)                                                                                              \
    static void kernel_##R(int vectors, int k, int fresh, const real *a, ptrdiff_t a_row, ptrdiff_t a_col,  \
                           const real *b, ptrdiff_t b_row, ptrdiff_t ahead, lanes last, vec tile[MR][NV]) { \
        if (vectors == NV)                                                                                  \
            micro_kernel(R, NV, k, fresh, a, a_row, a_col, b, b_row, ahead, last, tile);                    \
        else                                                                                                \
            micro_kernel(R, 1, k, fresh, a, a_row, a_col, b, b_row, ahead, last, tile);                     \
    }
FGD_TILE_ROWS(ROW)
#undef ROW
#define ROW(R) kernel_##R,
static kernel *const kernel_of_rows[] = {NULL, FGD_TILE_ROWS(ROW)};
#undef ROW

/* How many of `count` things the parts before number `part` of `parts` nearly equal ones hold. */
static inline ptrdiff_t share(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts) { return count * part / parts; }

/* The lanes of vector v of a tile. */
ALWAYS_INLINE lanes tile_lanes(int v, int vectors, lanes last) { return v == vectors - 1 ? last : v_lanes(VL); }

/* A tile from and to row-major memory at c. */
static void load_tile(const real *c, ptrdiff_t c_row, int rows, int vectors, lanes last, vec tile[MR][NV]) {
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            tile[r][v] = v_load_part(c + r * c_row + v * VL, tile_lanes(v, vectors, last));
}
static void save_tile(real *c, ptrdiff_t c_row, int rows, int vectors, lanes last, vec tile[MR][NV]) {
    for (int r = 0; r < rows; r++, c += c_row) {
        for (int v = 0; v < vectors - 1; v++) v_store(c + v * VL, tile[r][v]);
        v_store_part(c + (vectors - 1) * VL, tile[r][vectors - 1], last);
    }
}

/* Bring rows of a tile at p near the core. */
ALWAYS_INLINE void fetch_tile(const real *p, ptrdiff_t row, int rows) {
    for (int r = 0; r < rows; r++)
        for (int at = 0; at < NR; at += LINE / (int)sizeof(real)) fetch_near(p + r * row + at);
}

/* Rows [i0, i1) of one panel of columns and one block of k. */
static void multiply_panel(const product *p, int i0, int i1, int j, int columns, int k0, int k1, ptrdiff_t ahead) {
    int vectors = (columns + VL - 1) / VL;
    lanes last = v_lanes(columns - (vectors - 1) * VL);
    const real *b = p->b + j / NR * p->b_panel + k0 * p->b_row;
    int blocks = (i1 - i0 + MR - 1) / MR, fewest = (i1 - i0) / blocks, longer = (i1 - i0) % blocks;
    vec tile[MR][NV];

    for (int block = 0, i = i0, rows; block < blocks; block++, i += rows, ahead = 0) {
        rows = fewest + (block < longer);
        real *c = p->c + i * p->c_row + j;
        for (int t = 0; t < p->touches; t++) fetch_tile(p->touched[t] + i * p->c_row + j, p->c_row, rows);
        if (k0 > 0) load_tile(c, p->c_row, rows, vectors, last, tile);
        kernel_of_rows[rows](vectors, k1 - k0, k0 == 0, p->a + i * p->a_row + k0 * p->a_col, p->a_row, p->a_col, b,
                             p->b_row, ahead, last, tile);
        if (k1 < p->k)
            save_tile(c, p->c_row, rows, vectors, last, tile);
        else
            p->finish(p, i, rows, j, vectors, last, tile);
    }
    if (k1 == p->k && p->panel_done) p->panel_done(p, i0, i1, j, columns);
}

/* Rows [i0, i1) and all n columns of the product. */
static void multiply(const product *p, int i0, int i1, int n) {
    int row_blocks = (i1 - i0 + MC - 1) / MC, k_blocks = p->whole_k ? 1 : (p->k + KC - 1) / KC;
    int far = (size_t)p->k * (size_t)n * sizeof(real) > NEAR_BYTES;
    for (int kb = 0; kb < k_blocks; kb++) {
        int k0 = (int)share(p->k, kb, k_blocks), k1 = (int)share(p->k, kb + 1, k_blocks);
        for (int rb = 0; rb < row_blocks; rb++) {
            int r0 = i0 + (int)share(i1 - i0, rb, row_blocks), r1 = i0 + (int)share(i1 - i0, rb + 1, row_blocks);
            for (int j = 0; j < n; j += NR) {
                int columns = n - j < NR ? n - j : NR;
                multiply_panel(p, r0, r1, j, columns, k0, k1, far && n - j > NR ? p->b_panel : 0);
            }
        }
    }
}

/* The simplest finish: to c. */
static void store_tile(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    save_tile(p->c + i * p->c_row + j, p->c_row, rows, vectors, last, tile);
}
