/*
 * functions.h: the groups that test activations, losses, rules and types by themselves.
 */
#ifndef FGD_TEST_FUNCTIONS_H
#define FGD_TEST_FUNCTIONS_H

#include <math.h>
#include <string.h>

#include "check.h"
#include "arrays.h"
#include "reference.h"
#include "runs.h"
#include "tables.h"

/* slope (count,) of an activation at z, by central differences. */
static void activation_slope(const fgd_layer *layer, int count, const double *z, double *slope) {
    double h = 1e-6, *near = doubles(count), *above = doubles(count), *below = doubles(count);
    for (int i = 0; i < count; i++) near[i] = z[i] + h;
    reference_activation(layer, count, 1, near, above, NULL, NULL);
    for (int i = 0; i < count; i++) near[i] = z[i] - h;
    reference_activation(layer, count, 1, near, below, NULL, NULL);
    for (int i = 0; i < count; i++) slope[i] = (above[i] - below[i]) / (2 * h);
}

static void activations(const fgd_engine *e) {
    enum { Z_COUNT = 61 };
    double z[Z_COUNT], want[Z_COUNT], ones[Z_COUNT];
    for (int i = 0; i < Z_COUNT; i++) z[i] = (i - 30) * 0.171875 + 0.015625, ones[i] = 1; /* not at a kink */
    for (int row = 0; fgd_activation_name(row); row++) {
        fgd_layer layer = {1, 1, 0, row, constants, 0};
        fgd_net net = {1, &layer};
        fgd_table X = real_table(e->bits, z, Z_COUNT, 1);
        void *theta = reals(e->bits, ones, 1), *g = reals(e->bits, ones, Z_COUNT), *grad = array(size_of(e->bits));
        void *a = array(Z_COUNT * size_of(e->bits)), *dz = array(Z_COUNT * size_of(e->bits));
        fgd_workspace *work = e->workspace_new(&net, Z_COUNT);
        e->forward(work, theta, &X, NULL, a, 1);
        e->backward(work, theta, g, grad, 0, dz, 1);
        e->workspace_free(work);

        activation_slope(&layer, Z_COUNT, z, want);
        check(error_of(e->bits, dz, want, Z_COUNT) < tolerance(e->bits) + 1e-8, "slope of %s",
              fgd_activation_name(row));
        for (int i = 0; i < COUNT(libm_activations); i++) {
            if (strcmp(libm_activations[i].name, fgd_activation_name(row)) != 0) continue;
            for (int j = 0; j < Z_COUNT; j++) want[j] = libm_activations[i].f(z[j]);
            check(close_to(e->bits, a, want, Z_COUNT), "values of %s", fgd_activation_name(row));
        }
        release_arrays();
    }
}

/* slope (n,) of one row's loss at Z (n,), by central differences. */
static void loss_slope(int row, int n, double *Z, const double *Y, double *slope) {
    double h = 1e-6, above, below, *ignored = doubles(n);
    for (int j = 0; j < n; j++) {
        double kept = Z[j];
        Z[j] = kept + h;
        reference_loss(row, n, 1, Z, Y, &above, ignored);
        Z[j] = kept - h;
        reference_loss(row, n, 1, Z, Y, &below, ignored);
        Z[j] = kept;
        slope[j] = (above - below) / (2 * h);
    }
}

/* Losses and slopes of `rows` rows of n outputs, with weights or without. */
static void one_loss(const fgd_engine *e, int row, int rows, int n, int weighted) {
    double *Z = random_numbers(rows * n, 4), *Y = random_targets(row, rows, n), *weight = random_numbers(rows, 1);
    double *want = doubles(rows), *want_dz = doubles(rows * n), *got = doubles(rows);
    void *z = reals(e->bits, Z, rows * n), *w = reals(e->bits, weight, rows),
         *dz = array((size_t)(rows * n) * size_of(e->bits));
    fgd_table y = real_table(e->bits, Y, rows, fgd_loss_needs_labels(row) ? 1 : n);
    const fgd_loss loss = loss_of_row(row);
    const char *name = fgd_loss_name(row);

    reference_loss(row, n, rows, Z, Y, want, want_dz);
    for (int i = 0; i < COUNT(libm_losses); i++) {
        if (strcmp(libm_losses[i].name, name) != 0) continue;
        for (int r = 0; r < rows; r++) got[r] = libm_losses[i].f(n, Z + r * n, Y + r * y.width);
        check(error_of(64, got, want, rows) < 20 * tolerance(64), "value of %s, n %d", name, n);
    }
    if (rows == 1) {
        double *slope = doubles(n);
        loss_slope(row, n, Z, Y, slope);
        check(error_of(64, slope, want_dz, n) < 1e-8 * fmax(1, fabs(want[0])), "slope of %s, n %d", name, n);
    }
    for (int r = 0; r < rows && weighted; r++) {
        want[r] *= weight[r];
        for (int j = 0; j < n; j++) want_dz[r * n + j] *= weight[r];
    }
    fgd_status status = e->loss(&loss, n, z, &y, weighted ? w : NULL, got, dz);
    double *without_dz = doubles(rows);
    e->loss(&loss, n, z, &y, weighted ? w : NULL, without_dz, NULL);
    check(status == FGD_OK && error_of(64, got, want, rows) < 20 * tolerance(e->bits), "%s of %d rows of %d", name,
          rows, n);
    check(close_to(e->bits, dz, want_dz, rows * n), "slope of %s of %d rows of %d", name, rows, n);
    check(!memcmp(got, without_dz, (size_t)rows * sizeof *got), "%s without dZ", name);
    release_arrays();
}

static void losses(const fgd_engine *e) {
    static const int rows[] = {1, 2, 7, 8, 9, 15, 16, 17, 33}, outputs[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33};
    for (int row = 0; fgd_loss_name(row); row++)
        for (int i = 0; i < COUNT(rows); i++)
            for (int j = 0; j < COUNT(outputs); j++) one_loss(e, row, rows[i], outputs[j], (i + j) % 2);
}

static void rules(const fgd_engine *e) {
    static const int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100};
    for (int row = 0; fgd_rule_name(row); row++)
        for (int i = 0; i < COUNT(sizes); i++) {
            int size = sizes[i], slots = fgd_rule_slots(row);
            double *g = random_numbers(size, 1), *theta = random_numbers(size, 1), *state = doubles(slots * size);
            void *tg = reals(e->bits, g, size), *t = reals(e->bits, theta, size),
                 *s = reals(e->bits, state, slots * size);
            for (int step = 0; step < 3; step++) {
                double weight = theta[0], own[8];
                for (int k = 0; k < slots; k++) own[k] = state[k * size];
                e->update(row, coefficients, NULL, size, tg, t, s);
                reference_update(row, size, g, theta, state);
                for (int k = 0; k < COUNT(plain_rules); k++) {
                    if (strcmp(plain_rules[k].name, fgd_rule_name(row)) != 0) continue;
                    plain_rules[k].f(&weight, g[0], own, coefficients);
                    check(fabs(weight - theta[0]) < 1e-14, "value of %s", fgd_rule_name(row));
                }
            }
            check(close_to(e->bits, t, theta, size), "%s on %d weights", fgd_rule_name(row), size);
            check(close_to(e->bits, s, state, slots * size), "state of %s on %d weights", fgd_rule_name(row), size);
            release_arrays();
        }
}

/* Types of numbers: integers 0 ... 7 of every type, rows upwards in memory with a gap, give what doubles give. */
#define TO_AS_REAL(x) (x)
#define TO_half_to_real(x) ((const uint16_t[]){0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700}[(int)(x)])
static void types(const fgd_engine *e) {
    enum { ROWS = 5, WIDTH = 11, GAP = 3 };
    double numbers[ROWS * WIDTH], theta[WIDTH];
    network w;
    network_init(&w, 1, (const int[]){WIDTH, 1}, 0, 0);
    w.layer[0].bias = 0;
    for (int i = 0; i < ROWS * WIDTH; i++) numbers[i] = i % 8;
    for (int j = 0; j < WIDTH; j++) theta[j] = random_number();
    for (int type = 0; fgd_type_name(type); type++) {
        fgd_table plain = real_table(64, numbers, ROWS, WIDTH), table = plain;
        void *t = reals(e->bits, theta, WIDTH), *want = array(ROWS * size_of(e->bits)),
             *got = array(ROWS * size_of(e->bits));
        switch (type) {
#define ROW(name, c_type, convert)                                                                                 \
    case TYPE_##name: {                                                                                            \
        c_type *to = array(((ROWS - 1) * (WIDTH + GAP) + WIDTH) * sizeof *to);                                     \
        for (int i = 0; i < ROWS * WIDTH; i++)                                                                     \
            to[(ROWS - 1 - i / WIDTH) * (WIDTH + GAP) + i % WIDTH] = (c_type)TO_##convert(numbers[i]);             \
        table = (fgd_table){to + (ROWS - 1) * (WIDTH + GAP), type, WIDTH, ROWS, -(WIDTH + GAP) * (int)sizeof *to}; \
    } break;
            FGD_TYPES(ROW)
#undef ROW
        }
        e->predict(&w.net, t, &plain, want, 1);
        e->predict(&w.net, t, &table, got, 1);
        check(!memcmp(want, got, ROWS * size_of(e->bits)), "%s", fgd_type_name(type));
        release_arrays();
    }
}

#endif
