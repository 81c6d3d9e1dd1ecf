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
    for (int i = 1; i < 16; i++) test_product(e, i, 400, 331, 1 + i % 3); /* B larger than L2: it is prefetched */
    test_product(e, 31, 140, 1024, 2);  /* and its rows fall into the same sets of the cache */
    test_product(e, 15, 1100, 1024, 1); /* in blocks of k as well */
    static const int copied[] = {256, 271, 289, 305, 331}; /* panels of B and blocks of A are copied */
    for (int i = 0; i < COUNT(copied); i++) test_product(e, 56 + copied[i] % 15, 515 + i, copied[i], 1 + i % 2);
    test_product(e, 340, 510, 260, 1); /* in several blocks of rows */
    test_product(e, 57, 1100, 257, 1); /* and of k */
    test_product(e, 1100, 20, 270, 1);
    test_product(e, 3, 1500, 1450, 2);  /* W larger than the caches: it is transposed by streaming stores */
}

#endif
