/*
 * pass.h: a pass through a network, forward and backward, by an engine and by the reference.
 */
#ifndef FGD_TEST_PASS_H
#define FGD_TEST_PASS_H

#include <string.h>

#include "arrays.h"
#include "check.h"
#include "memo.h"
#include "reference.h"
#include "reference_noise.h"
#include "training_run.h"

typedef struct {
    network w;
    int rows, n_in, n_out;
    double *X, *theta, *dZ;
} pass;

/* Random inputs, weights in (-scale, scale) and gradients of a network of widths n (L + 1,). */
static void pass_init(pass *p, int L, const int *n, int hidden, int rows, double scale) {
    *p = (pass){.rows = rows, .n_in = n[0], .n_out = n[L]};
    network_init(&p->w, L, n, hidden, ACTIVATION_identity);
    p->X = random_values(rows * n[0], 1);
    p->theta = random_values(p->w.size, scale);
    p->dZ = random_values(rows * n[L], 1);
}

/* The pass by the reference; noise may be NULL. */
static reference reference_pass(const pass *p, const fgd_noise *noise) {
    reference r;
    reference_init(&r, &p->w, p->rows, p->X);
    const memo results[] = {
        {r.a[p->w.net.L], p->rows * p->n_out},
        {r.grad, p->w.size},
        {r.dX, p->rows * p->n_in},
    };
    if (recall(p->theta[0], results, COUNT(results))) return r;
    if (noise) reference_noise(&r, noise);
    reference_forward(&r, p->theta);
    reference_backward(&r, p->theta, copy_of(p->dZ, p->rows * p->n_out));
    keep(p->theta[0], results, COUNT(results));
    return r;
}

/* Checks that the pass by an engine gives the same; a pass without noise is compared with predict as well. */
static void check_pass(const fgd_engine *e, const pass *p, fgd_workspace *workspace, const fgd_noise *noise,
                       int forward_threads, int backward_threads) {
    int bits = e->bits, rows = p->rows, outputs = rows * p->n_out, n = p->w.layer[0].n_out;
    const char *what = noise ? "with noise" : "without noise";
    reference r = reference_pass(p, noise);
    fgd_table X = real_table(bits, p->X, rows, p->n_in);
    void *theta = reals(bits, p->theta, p->w.size), *dZ = reals(bits, p->dZ, outputs), *Z = zero_reals(bits, outputs);
    void *grad = zero_reals(bits, p->w.size), *dX = zero_reals(bits, rows * p->n_in);
    e->forward(workspace, theta, &X, noise, Z, forward_threads);
    e->backward(workspace, theta, dZ, grad, 0, dX, backward_threads);
    check(close_to(bits, Z, r.a[p->w.net.L], outputs), "forward %s, %d x %d x %d", what, rows, p->n_in, n);
    check(close_to(bits, grad, r.grad, p->w.size), "gradient %s, %d x %d x %d", what, rows, p->n_in, n);
    check(close_to(bits, dX, r.dX, rows * p->n_in), "dX %s, %d x %d x %d", what, rows, p->n_in, n);
    if (noise) return;
    void *predicted = zero_reals(bits, outputs);
    e->predict(&p->w.net, theta, &X, predicted, forward_threads);
    check(same_reals(bits, Z, predicted, outputs), "predict %d x %d x %d has the bits of forward", rows, p->n_in, n);
}

#endif
