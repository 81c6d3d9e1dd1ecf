/*
 * activations_and_losses.h: tests each activation and each loss by itself: values, and derivatives by differences.
 */
#ifndef FGD_TEST_ACTIVATIONS_AND_LOSSES_H
#define FGD_TEST_ACTIVATIONS_AND_LOSSES_H

#include <math.h>
#include <string.h>

#include "arrays.h"
#include "check.h"
#include "formulas.h"
#include "params.h"
#include "reference.h"
#include "tables.h"
#include "training_run.h"

static const double step_size = 1e-6; /* of central differences */

/* derivative (count,) of an activation at z. */
static void differentiate_activation(const fgd_layer *layer, int count, const double *z, double *derivative) {
    double *near = doubles(count), *above = doubles(count), *below = doubles(count);
    for (int i = 0; i < count; i++) near[i] = z[i] + step_size;
    reference_activation(layer, count, 1, near, above, NULL, NULL);
    for (int i = 0; i < count; i++) near[i] = z[i] - step_size;
    reference_activation(layer, count, 1, near, below, NULL, NULL);
    for (int i = 0; i < count; i++) derivative[i] = (above[i] - below[i]) / (2 * step_size);
}

/* The outputs (count,) of a layer of one weight 1, and their derivatives, at z. */
static void test_activation(const fgd_engine *e, int kind, int count, const double *z, const double *ones) {
    const char *name = fgd_activation_name(kind);
    int bits = e->bits;
    fgd_layer layer = {.n_in = 1, .n_out = 1, .activation = kind, .params = default_params};
    fgd_net net = {.L = 1, .layer = &layer};
    fgd_table X = real_table(bits, z, count, 1);
    void *theta = reals(bits, ones, 1), *g = reals(bits, ones, count), *grad = zero_reals(bits, 1);
    void *a = zero_reals(bits, count), *dz = zero_reals(bits, count);
    double *want = doubles(count);
    fgd_workspace *workspace = e->workspace_new(&net, count);
    e->forward(workspace, theta, &X, NULL, a, 1);
    e->backward(workspace, theta, g, grad, 0, dz, 1);
    e->workspace_free(workspace);

    differentiate_activation(&layer, count, z, want);
    check(error_of(bits, dz, want, count) < tolerance(bits) + 1e-8, "derivative of %s", name);
    for (int i = 0; i < COUNT(libm_activations); i++) {
        if (strcmp(libm_activations[i].name, name) != 0) continue;
        for (int j = 0; j < count; j++) want[j] = libm_activations[i].f(z[j]);
        check(close_to(bits, a, want, count), "values of %s", name);
    }
    release_arrays();
}

static void activations(const fgd_engine *e) {
    enum { Z_COUNT = 61 };
    double z[Z_COUNT], ones[Z_COUNT];
    for (int i = 0; i < Z_COUNT; i++) {
        z[i] = (i - 30) * 0.171875 + 0.015625; /* not at a kink */
        ones[i] = 1;
    }
    for (int kind = 0; fgd_activation_name(kind); kind++) test_activation(e, kind, Z_COUNT, z, ones);
}

/* gradient (n,) of the loss of one row at Z (n,). */
static void differentiate_loss(int kind, int n, double *Z, const double *Y, double *gradient) {
    double above, below, *ignored = doubles(n);
    for (int j = 0; j < n; j++) {
        double z = Z[j];
        Z[j] = z + step_size;
        reference_loss(kind, n, 1, Z, Y, &above, ignored);
        Z[j] = z - step_size;
        reference_loss(kind, n, 1, Z, Y, &below, ignored);
        Z[j] = z;
        gradient[j] = (above - below) / (2 * step_size);
    }
}

/* The reference itself: value (rows,), dZ (rows, n) against independent formulas and, of one row, differences. */
static void check_reference_loss(int kind, int rows, int n, double *Z, const double *Y, const double *value,
                                 const double *dZ) {
    const char *name = fgd_loss_name(kind);
    double *want = doubles(rows), *gradient = doubles(n);
    for (int i = 0; i < COUNT(libm_losses); i++) {
        if (strcmp(libm_losses[i].name, name) != 0) continue;
        for (int r = 0; r < rows; r++) want[r] = libm_losses[i].f(n, Z + r * n, Y + r * target_width(kind, n));
        check(error_of(64, want, value, rows) < 20 * tolerance(64), "value of %s, n %d", name, n);
    }
    if (rows > 1) return;
    differentiate_loss(kind, n, Z, Y, gradient);
    check(error_of(64, gradient, dZ, n) < 1e-8 * fmax(1, fabs(value[0])), "gradient of %s, n %d", name, n);
}

/* Losses and gradients of `rows` rows of n outputs, with weights or without. */
static void test_loss(const fgd_engine *e, int kind, int rows, int n, int weighted) {
    int bits = e->bits;
    double *Z = random_values(rows * n, 4), *Y = random_targets(kind, rows, n), *weight = random_values(rows, 1);
    double *want = doubles(rows), *want_dZ = doubles(rows * n), *got = doubles(rows), *without_dZ = doubles(rows);
    void *z = reals(bits, Z, rows * n), *w = weighted ? reals(bits, weight, rows) : NULL;
    void *dz = zero_reals(bits, rows * n);
    fgd_table y = real_table(bits, Y, rows, target_width(kind, n));
    const fgd_loss loss = loss_of_kind(kind);
    const char *name = fgd_loss_name(kind);

    reference_loss(kind, n, rows, Z, Y, want, want_dZ);
    check_reference_loss(kind, rows, n, Z, Y, want, want_dZ);
    for (int r = 0; r < rows && weighted; r++) {
        want[r] *= weight[r];
        for (int j = 0; j < n; j++) want_dZ[r * n + j] *= weight[r];
    }
    fgd_status status = e->loss(&loss, n, z, &y, w, got, dz);
    e->loss(&loss, n, z, &y, w, without_dZ, NULL);
    check(status == FGD_OK && error_of(64, got, want, rows) < 20 * tolerance(bits), "%s of %d rows of %d", name, rows,
          n);
    check(close_to(bits, dz, want_dZ, rows * n), "gradient of %s of %d rows of %d", name, rows, n);
    check(same_reals(64, got, without_dZ, rows), "%s without dZ", name);
    release_arrays();
}

/* Outputs of few distinct values, so that often several of a row are the largest. */
static void test_count_correct(const fgd_engine *e, int rows, int n) {
    double *Z = random_values(rows * n, 2), *Y = random_targets(LOSS_cross_entropy, rows, n);
    ptrdiff_t want = 0;
    for (int i = 0; i < rows * n; i++) Z[i] = round(Z[i]);
    for (int r = 0; r < rows; r++) {
        int first = 0;
        for (int j = 1; j < n; j++) first = Z[r * n + j] > Z[r * n + first] ? j : first;
        want += first == (int)Y[r];
    }
    fgd_table y = real_table(64, Y, rows, 1);
    check(e->count_correct(n, reals(e->bits, Z, rows * n), &y) == want, "correct of %d rows of %d", rows, n);
    release_arrays();
}

static void losses(const fgd_engine *e) {
    static const int rows[] = {1, 2, 7, 8, 9, 15, 16, 17, 33}, outputs[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33};
    for (int kind = 0; fgd_loss_name(kind); kind++)
        for (int i = 0; i < COUNT(rows); i++)
            for (int j = 0; j < COUNT(outputs); j++) test_loss(e, kind, rows[i], outputs[j], (i + j) % 2);
    for (int n = 2; n < 20; n++) test_count_correct(e, 60 * n % 301, n);
}

#endif
