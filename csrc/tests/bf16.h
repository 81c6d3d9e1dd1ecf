/*
 * bf16.h: tests products of factors rounded to bf16, bit by bit, against their definition.
 */
#ifndef FGD_TEST_BF16_H
#define FGD_TEST_BF16_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../simd/denormals.h"
#include "arrays.h"
#include "check.h"
#include "noise.h"
#include "pass.h"
#include "training.h"
#include "training_run.h"
#include "transforms.h"

/* ---- the definition ---- */

static float rounded_to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t exponent = bits >> 23 & 0xff, below = bits & 0xffff;
    if (exponent == 0) bits &= 0x80000000;
    if (exponent > 0 && exponent < 0xff && (below > 0x8000 || (below == 0x8000 && bits & 0x10000))) bits += 0x10000;
    if (exponent == 0xff && bits & 0x7fffff) bits |= 0x400000;
    bits &= 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* c + the product of a and b (k,), in steps of a_step and b_step */
static float bf16_dot(const float *a, ptrdiff_t a_step, const float *b, ptrdiff_t b_step, int k, float c) {
    for (int group = 0; group < k; group += 32) {
        float sum[2] = {0, 0};
        for (int i = group; i < group + 32 && i < k; i++)
            sum[i % 2] = fmaf(rounded_to_bf16(a[i * a_step]), rounded_to_bf16(b[i * b_step]), sum[i % 2]);
        c += sum[0] + sum[1];
    }
    return c;
}

/* grad of b (n,) += the sums of dz (rows, n) */
static void bf16_bias_gradient(const float *dz, int rows, int n, float *grad) {
    for (int j = 0; j < n; j++)
        for (int group = 0; group < rows; group += 32) {
            float sum = 0;
            for (int r = group; r < group + 32 && r < rows; r++) sum += dz[r * n + j];
            grad[j] += sum;
        }
}

/* Of the two layers of a pass whose hidden activation is relu: Z (rows, n[2]), grad (size,) and dX (rows, n[0]). */
static void bf16_reference(const pass *p, const float *X, const float *theta, const float *dZ, float *Z, float *grad,
                           float *dX) {
    DENORMALS_ARE_ZERO;
    int rows = p->rows, n0 = p->n_in, n1 = p->w.layer[0].n_out, n2 = p->n_out;
    const float *W1 = theta, *b1 = W1 + n0 * n1, *W2 = b1 + n1;
    float *a = array((size_t)(rows * n1) * sizeof *a), *dz = array((size_t)(rows * n1) * sizeof *dz);
    float *grad1 = grad, *grad2 = grad + n0 * n1 + n1;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n1; j++) {
            float z = bf16_dot(X + r * n0, 1, W1 + j, n1, n0, 0) + b1[j];
            a[r * n1 + j] = z > 0 ? z : 0;
        }
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < n2; j++) Z[r * n2 + j] = bf16_dot(a + r * n1, 1, W2 + j, n2, n1, 0);
        for (int j = 0; j < n1; j++)
            dz[r * n1 + j] = a[r * n1 + j] > 0 ? bf16_dot(dZ + r * n2, 1, W2 + j * n2, 1, n2, 0) : 0;
        for (int j = 0; j < n0; j++) dX[r * n0 + j] = bf16_dot(dz + r * n1, 1, W1 + j * n1, 1, n1, 0);
    }
    for (int i = 0; i < n0 * n1; i++) grad1[i] = bf16_dot(X + i / n1, n0, dz + i % n1, n1, rows, grad1[i]);
    for (int i = 0; i < n1 * n2; i++) grad2[i] = bf16_dot(a + i / n2, n1, dZ + i % n2, n2, rows, grad2[i]);
    bf16_bias_gradient(dz, rows, n1, grad1 + n0 * n1);
}

/* ---- passes ---- */

static void test_bf16_pass(const fgd_engine *e, int rows, int n0, int n1, int n2, double scale, int threads) {
    pass p;
    pass_init(&p, 2, (const int[]){n0, n1, n2}, ACTIVATION_relu, rows, 1);
    p.w.net.precision = FGD_PRECISION_BF16;
    for (int i = 0; i < rows * n0; i++) p.X[i] *= scale;
    fgd_table X = real_table(32, p.X, rows, n0);
    float *theta = reals(32, p.theta, p.w.size), *dZ = reals(32, p.dZ, rows * n2);
    float *Z = zero_reals(32, rows * n2), *grad = zero_reals(32, p.w.size), *dX = zero_reals(32, rows * n0);
    float *want_Z = zero_reals(32, rows * n2), *want_grad = zero_reals(32, p.w.size);
    float *want_dX = zero_reals(32, rows * n0), *predicted = zero_reals(32, rows * n2);
    fgd_workspace *workspace = e->workspace_new(&p.w.net, rows);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        bf16_reference(&p, X.data, theta, dZ, want_Z, want_grad, want_dX);
        e->forward(workspace, theta, &X, NULL, Z, threads);
        e->backward(workspace, theta, dZ, grad, accumulate, dX, threads);
        check(same_reals(32, want_Z, Z, rows * n2), "forward, %d x %d x %d x %d", rows, n0, n1, n2);
        check(same_reals(32, want_grad, grad, p.w.size), "gradient, %d x %d x %d x %d", rows, n0, n1, n2);
        check(same_reals(32, want_dX, dX, rows * n0), "dX, %d x %d x %d x %d", rows, n0, n1, n2);
    }
    e->predict(&p.w.net, theta, &X, predicted, threads);
    check(same_reals(32, want_Z, predicted, rows * n2), "predict, %d x %d x %d x %d", rows, n0, n1, n2);
    e->workspace_free(workspace);
    release_arrays();
}

/* ---- runs ---- */

/* Training with noise (kind & 1), transforms (kind & 2) and a function of whole rows (kind & 4) inside: the bits depend
   on nothing, and theta is where training of reals brings it, but for the errors of bf16. */
static void test_bf16_run(const fgd_engine *e, int kind) {
    problem p;
    run_transforms t;
    problem_init(&p, &(problem_spec){.L = 3,
                                     .n = (const int[]){20, 70, 33, 5},
                                     .hidden = kind & 4    ? ACTIVATION_softmax
                                               : kind == 1 ? ACTIVATION_relu
                                                           : ACTIVATION_tanh,
                                     .loss = entry_named(fgd_loss_name, "mse"),
                                     .rule = RULE_sgd,
                                     .rows = 230,
                                     .batch = 150,
                                     .weighted = 1});
    if (kind & 1) {
        double *strength = doubles(3 * p.steps);
        for (int i = 0; i < 3 * p.steps; i++) strength[i] = i % 4 ? 0.25 : 0;
        network_set_noise(&p.w, kind);
        p.noise = (fgd_noise){.seed = 5, .strength = strength};
    }
    if (kind & 2) transforms_init(&t, &p, kind);
    outcome of_reals = train(e, &p, 1, 1);
    double *want = doubles(p.w.size);
    for (ptrdiff_t i = 0; i < p.w.size; i++) want[i] = real_at(32, of_reals.theta, i);
    p.w.net.precision = FGD_PRECISION_BF16;
    outcome first = train(same_bits_engine(e), &p, 1, 1);
    check(error_of(32, first.theta, want, p.w.size) < 0x1p-8, "theta of bf16 and of reals, kind %d", kind);
    for (int threads = 0; threads <= 3; threads++) {
        if (kind & 2) t.transforms.micro_batch = threads == 0 ? WHOLE_STEPS : 20 * threads;
        outcome got = train(e, &p, threads, threads + 1);
        check(same_reals(32, first.theta, got.theta, p.w.size), "theta, kind %d, %d threads", kind, threads);
        check(same_reals(64, first.losses, got.losses, p.steps), "losses, kind %d, %d threads", kind, threads);
    }
    release_arrays();
}

static void bf16_runs(const fgd_engine *e) {
    for (int kind = 0; kind < 8 && e->bits == 32; kind++) test_bf16_run(e, kind);
}

/* ---- all shapes ---- */

static void bf16_passes(const fgd_engine *e) {
    if (e->bits != 32) return;
    for (int i = 1; i <= 70; i++) {
        test_bf16_pass(e, 1 + (i - 1) % 40, i, 71 - i, 1 + i % 37, 1, 1 + i % 3);
        test_bf16_pass(e, 31 + i % 3, 1 + i % 5, i, 1 + i % 2, 1, 1 + i % 2);
    }
    test_bf16_pass(e, 129, 300, 65, 3, 1, 2);
    test_bf16_pass(e, 70, 33, 600, 40, 1, 3);
    if (is_fused(e)) test_bf16_pass(e, 40, 60, 50, 40, 0x1p-120, 1); /* products are denormal */
}

#endif
