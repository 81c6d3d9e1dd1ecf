/*
 * products.h: tests the matrix products, in networks of all shapes that the kernels distinguish.
 */
#ifndef FGD_TEST_PRODUCTS_H
#define FGD_TEST_PRODUCTS_H

#include <math.h>

#include "arrays.h"
#include "pass.h"
#include "tables.h"

/* n_in -> n -> n_in: all three products have all three shapes. */
static void test_product(const fgd_engine *e, int rows, int n_in, int n, int threads) {
    pass p;
    pass_init(&p, 2, (const int[]){n_in, n, n_in}, ACTIVATION_tanh, rows, 1 / sqrt(n_in));
    fgd_workspace *workspace = e->workspace_new(&p.w.net, rows);
    check_pass(e, &p, workspace, NULL, threads, threads);
    e->workspace_free(workspace);
    release_arrays();
}

/*
 * With an L2 of SMALL_L2 bytes and blocks of 32 steps along k: W (33, 80) is far, and its panels are copied for 57 rows
 * or more; blocks of A^T are copied for 8 panels, 256 columns, or more.  Every width of a last panel, every number of
 * rows of a last tile.
 */
static void small_l2(const fgd_engine *e) {
    fgd_set_l2_bytes(SMALL_L2);
    for (int i = 1; i <= 70; i++) {
        test_product(e, 56 + i % 41, 33 + i % 7, 64 + i, 1 + i % 3);
        test_product(e, 1 + (i - 1) % 40, 9 + i % 29, 256 + i, 1 + i % 2);
        test_product(e, 1 + i % 15, 150, 64 + i, 1 + i % 3); /* far, but for few tiles: prefetched */
    }
    test_product(e, 31, 40, 1024, 2);   /* rows in the same sets of a cache */
    test_product(e, 340, 70, 290, 1);   /* several blocks of rows, A^T with several blocks of k */
    test_product(e, 1100, 9, 270, 3);
    test_product(e, 3, 210, 180, 2);    /* a W that is transposed by streaming stores */
}

static void products(const fgd_engine *e) {
    static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 28, 29, 125, 126, 127, 335, 336, 337};
    static const int widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65};
    static const int deep[] = {512, 513, 1024, 1025, 2049};
    for (int i = 0; i < COUNT(rows); i++)
        for (int j = 0; j < COUNT(widths); j++) test_product(e, rows[i], 7, widths[j], 1 + (i + j) % 3);
    for (int i = 0; i < COUNT(deep); i++) {
        test_product(e, 5, deep[i], 1 + i, 1);
        test_product(e, 15, deep[i], 33, 3);
        test_product(e, deep[i], 3, 17, 2);
    }
    small_l2(e);
}

#endif
