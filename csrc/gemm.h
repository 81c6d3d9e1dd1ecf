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

/*
 * What happens to an element x of a finished tile.  The finishes of this table are compiled into the kernels, where the
 * tile is still in registers: that spares a step of digits 8 % and one of mnist-big 3 % against a tile in memory, which is
 * what all others get, by `tile_done`.
 *
 *   void finish_NAME(const product *p, ptrdiff_t at, vec x, lanes m)      x: the lanes m of C at p->c + at
 */
#define FGD_FINISHES(ROW) ROW(store) ROW(relu) ROW(relu_slope) ROW(sigmoid_slope) ROW(tanh_slope) ROW(sgd)
#define ROW(name) FINISH_##name,
enum { FINISH_tile, FGD_FINISHES(ROW) };
#undef ROW

enum { MAX_TOUCHED = 2 };
typedef struct product product;
struct product {
    int k;
    int whole_k;   /* 1: never blocks k, so that c is not needed */
    int adds;      /* 1: goes on from the sums in c              */
    const real *a; /* a(i, p) = a[i * a_row + p * a_col] */
    ptrdiff_t a_row, a_col;
    const real *b; /* b(p, j) = b[j / NR * b_panel + p * b_row + j % NR] */
    ptrdiff_t b_row, b_panel;
    real *c; /* c(i, j) = c[i * c_row + j]: the result, and the partial sums between blocks of k */
    ptrdiff_t c_row;

    int finish;                   /* row of FGD_FINISHES, or FINISH_tile                        */
    const real *x;                /* of slopes: laid out like c, what they are written through  */
    const update_context *update; /* of sgd                                                     */
    ptrdiff_t c_in_theta;         /* of gradients: the place in theta of what c is of           */

    /* FINISH_tile: called for each finished tile; `context` is the caller's own. */
    void (*tile_done)(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]);
    /* Called, if there, when rows [i0, i1) of a panel of columns are finished and still in the cache. */
    void (*panel_done)(const product *p, int i0, int i1, int j, int columns);
    const void *context;

    /* What the finish will read or write, laid out like c: fetched while the tile is made. */
    const real *touched[MAX_TOUCHED];
    int touches;
};

ALWAYS_INLINE void finish_store(const product *p, ptrdiff_t at, vec x, lanes m) { v_store_part(p->c + at, x, m); }
ALWAYS_INLINE void finish_relu(const product *p, ptrdiff_t at, vec x, lanes m) {
    v_store_part(p->c + at, relu_forward(x, NULL), m);
}
ALWAYS_INLINE void finish_relu_slope(const product *p, ptrdiff_t at, vec x, lanes m) {
    v_store_part(p->c + at, relu_backward(v_load_part(p->x + at, m), x, NULL), m);
}
ALWAYS_INLINE void finish_sigmoid_slope(const product *p, ptrdiff_t at, vec x, lanes m) {
    v_store_part(p->c + at, sigmoid_backward(v_load_part(p->x + at, m), x, NULL), m);
}
ALWAYS_INLINE void finish_tanh_slope(const product *p, ptrdiff_t at, vec x, lanes m) {
    v_store_part(p->c + at, tanh_backward(v_load_part(p->x + at, m), x, NULL), m);
}
ALWAYS_INLINE void finish_sgd(const product *p, ptrdiff_t at, vec x, lanes m) {
    update_sgd(p->update, p->c_in_theta + at, x, m);
}

/* Blocks of k, so that a panel of B stays in L1 or L2, and of rows, so that a block of A stays in L2. */
enum { KC = 512, MC = 336 };

/* A B of at most this size stays in L2 from step to step: no need to fetch it ahead. */
enum { NEAR_BYTES = 1 << 19 };
static inline int is_far(int k, int n) { return (size_t)k * (size_t)n * sizeof(real) > NEAR_BYTES; }

/* One tile of a product over one block of k. */
typedef struct {
    int i, j, k0, k1;
    lanes last;
    ptrdiff_t
        ahead; /* from b to the panel that comes next: with the rows of a wide B far apart no prefetcher of the CPU
                        finds it */
} place;

/* The lanes of vector v of a tile. */
ALWAYS_INLINE lanes tile_lanes(int v, int vectors, lanes last) { return v == vectors - 1 ? last : v_lanes(VL); }

/* Rows of A that share a pointer: from it the CPU's addresses reach stride 0, 1, 2. */
enum { GROUP = 3 };

/* The tile at `at`, over one block of k.  `rows` and `vectors` are constants of each caller below. */
ALWAYS_INLINE void micro_kernel(const int rows, const int vectors, const product *p, const place *at) {
    vec c[MR][NV];
    ptrdiff_t a_row = p->a_row, a_col = p->a_col, b_row = p->b_row, ahead = at->ahead, c_row = p->c_row;
    ptrdiff_t to = at->i * c_row + at->j;
    lanes last = at->last;
    UNROLLED
    for (int i = 0; i < rows; i++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) c[i][v] = v_set(0);
    }
    if (at->k0 > 0 || p->adds) {
        UNROLLED
        for (int i = 0; i < rows; i++) {
            UNROLLED
            for (int v = 0; v < vectors; v++)
                c[i][v] = v_load_part(p->c + to + i * c_row + v * VL, tile_lanes(v, vectors, last));
        }
    }

    const real *b = p->b + at->j / NR * p->b_panel + at->k0 * b_row;
    const real *a[(MR + GROUP - 1) / GROUP];
    UNROLLED
    for (int g = 0; g * GROUP < rows; g++) a[g] = p->a + (at->i + g * GROUP) * a_row + at->k0 * a_col;
    for (int k = at->k1 - at->k0; k > 0; k--, b += b_row) {
        vec bv[NV];
        UNROLLED
        for (int v = 0; v < vectors; v++) fetch_far(b + ahead + v * VL);
        UNROLLED
        for (int v = 0; v < vectors; v++) bv[v] = v_load_part(b + v * VL, tile_lanes(v, vectors, last));
        UNROLLED
        for (int i = 0; i < rows; i++) {
            vec av = v_set(a[i / GROUP][i % GROUP * a_row]);
            UNROLLED
            for (int v = 0; v < vectors; v++) c[i][v] = v_fma(av, bv[v], c[i][v]);
        }
        UNROLLED
        for (int g = 0; g * GROUP < rows; g++) a[g] = unrelated(a[g] + a_col);
    }

    int finish = at->k1 < p->k ? FINISH_store : p->finish;
    switch (finish) {
#define ROW(name)                                                                                 \
    case FINISH_##name:                                                                           \
        UNROLLED                                                                                  \
        for (int i = 0; i < rows; i++) {                                                          \
            UNROLLED                                                                              \
            for (int v = 0; v < vectors; v++)                                                     \
                finish_##name(p, to + i * c_row + v * VL, c[i][v], tile_lanes(v, vectors, last)); \
        }                                                                                         \
        return;
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
#define ROW(R)                                                                                   \
    static void kernel_##R##_1(const product *p, const place *at) { micro_kernel(R, 1, p, at); } \
    static void kernel_##R##_NV(const product *p, const place *at) { micro_kernel(R, NV, p, at); }
FGD_TILE_ROWS(ROW)
#undef ROW
#define ROW(R) {kernel_##R##_1, kernel_##R##_NV},
static kernel *const kernel_of_rows[][2] = {{NULL}, FGD_TILE_ROWS(ROW)};
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

/* Bring rows of a tile at p to L2: to L1 is too many lines at once, and costs a step of mnist-big 2 to 5 %. */
ALWAYS_INLINE void fetch_tile(const real *p, ptrdiff_t row, int rows) {
    for (int r = 0; r < rows; r++)
        for (int at = 0; at < NR; at += LINE / (int)sizeof(real)) fetch_far(p + r * row + at);
}

/* Rows [i0, i1) of one panel of columns and one block of k. */
static void multiply_panel(const product *p, int i0, int i1, int j, int columns, int k0, int k1, ptrdiff_t ahead) {
    int vectors = (columns + VL - 1) / VL;
    int m = i1 - i0, blocks = (m + MR - 1) / MR, fewest = blocks > 1 ? m / blocks : m, longer = m - fewest * blocks;
    place at = {i0, j, k0, k1, v_lanes(columns - (vectors - 1) * VL), ahead};
    for (int block = 0, rows; block < blocks; block++, at.i += rows, at.ahead = 0) {
        rows = fewest + (block < longer);
        for (int t = 0; t < p->touches; t++) fetch_tile(p->touched[t] + at.i * p->c_row + j, p->c_row, rows);
        kernel_of_rows[rows][vectors == NV](p, &at);
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
                multiply_panel(p, r0, r1, j, columns, k0, k1, far && j1 - j > NR ? p->b_panel : 0);
            }
        }
    }
}
