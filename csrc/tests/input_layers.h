/*
 * input_layers.h: tests of the layers before the first one: values, derivatives, bits, and codes out of range.
 */
#ifndef FGD_TEST_INPUT_LAYERS_H
#define FGD_TEST_INPUT_LAYERS_H

#include <math.h>
#include <string.h>

#include "arrays.h"
#include "check.h"
#include "failures.h"
#include "reference.h"
#include "tables.h"
#include "training_run.h"

/* X (rows, 5) with codes in columns 1 and 3, which become vectors of 3 and 19; two of the 25 columns are then embedded
   periodically, in 2 features of 4 cosines each. */
enum {
    CODED_WIDTH = 5,
    VECTORS_WIDTH = 25,
    INPUTS_WIDTH = 29,
    INPUT_PARAMETERS = 4 * 3 + 7 * 19 + 2 * (4 + 4 + 8 + 2)
};
static const int code_columns[] = {1, 3}, code_sizes[] = {4, 3, 7, 19}, periodic_columns[] = {0, 24}, waves[] = {4, 2};
static const fgd_input_layer input_layers_of_tests[] = {
    {INPUT_LAYER_embedding, CODED_WIDTH, VECTORS_WIDTH, 2, code_columns, code_sizes},
    {INPUT_LAYER_periodic_embedding, VECTORS_WIDTH, INPUTS_WIDTH, 2, periodic_columns, waves},
    {INPUT_LAYER_scale, INPUTS_WIDTH, INPUTS_WIDTH, 0, NULL, NULL},
};

/* X (rows, CODED_WIDTH) */
static double *coded_rows(int rows) {
    double *X = random_values(rows * CODED_WIDTH, 1);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < 2; c++)
            X[r * CODED_WIDTH + code_columns[c]] = floor(code_sizes[2 * c] * (0.5 + 0.5 * random_value()));
    return X;
}

/* A problem whose network (INPUTS_WIDTH, 18, 3) has the input layers above. */
static void problem_with_inputs(problem *p, int rule, int rows, int batch) {
    static const int n[] = {INPUTS_WIDTH, 18, 3};
    problem_init(
        p,
        &(problem_spec){
            .L = 2, .n = n, .hidden = ACTIVATION_tanh, .loss = LOSS_mse, .rule = rule, .rows = rows, .batch = batch});
    p->w.net.n_inputs = COUNT(input_layers_of_tests);
    p->w.net.input = input_layers_of_tests;
    p->w.size += INPUT_PARAMETERS + INPUTS_WIDTH;
    p->theta = random_values(p->w.size, 0.5);
    p->X = coded_rows(rows);
}

/* cos(2 pi x), and the sine from its derivative, by an embedding with frequency 1 and amplitude 1. */
static void test_cosines(const fgd_engine *e) {
    enum { ROWS = 4001 };
    static const int column[] = {0}, sizes[] = {1, 1};
    static const fgd_input_layer cosine = {INPUT_LAYER_periodic_embedding, 1, 2, 1, column, sizes};
    static const fgd_layer second = {.n_in = 2, .n_out = 1};
    fgd_net net = {.L = 1, .layer = &second, .n_inputs = 1, .input = &cosine};
    int bits = e->bits;
    double *x = doubles(ROWS), *cosines = doubles(ROWS), *slopes = doubles(ROWS), *ones = doubles(ROWS);
    for (int i = 0; i < ROWS; i++) {
        x[i] = (double)(float)((i - ROWS / 2) * 0.00390625 * (i % 7 ? 1 : 64));
        double turn = x[i] - nearbyint(x[i]);
        cosines[i] = cos(6.283185307179586 * turn);
        slopes[i] = -6.283185307179586 * sin(6.283185307179586 * turn);
        ones[i] = 1;
    }
    const double parameters[] = {1, 0, 1, 0, 0, 1}; /* frequency, phase, amplitude, offset, W */
    void *theta = reals(bits, parameters, 6), *Z = zero_reals(bits, ROWS), *dX = zero_reals(bits, ROWS);
    void *grad = zero_reals(bits, 6);
    fgd_table X = real_table(bits, x, ROWS, 1);
    fgd_workspace *workspace = e->workspace_new(&net, ROWS);
    e->forward(workspace, theta, &X, NULL, Z, 2);
    e->backward(workspace, theta, reals(bits, ones, ROWS), grad, 0, dX, 2);
    e->workspace_free(workspace);
    double unit = bits == 32 ? 0x1p-24 : 0x1p-53;
    check(error_of(bits, Z, cosines, ROWS) < 4 * unit, "cosines");
    check(error_of(bits, dX, slopes, ROWS) < 30 * unit, "sines");
    release_arrays();
}

/* sum of dZ Z for the network of a problem, by an engine of float64. */
static double value_of(const fgd_engine *e, const problem *p, const double *dZ) {
    fgd_table X = {p->X, TYPE_float64, CODED_WIDTH, p->rows, CODED_WIDTH * (ptrdiff_t)sizeof(double)};
    double Z[64], sum = 0;
    e->predict(&p->w.net, p->theta, &X, Z, 1);
    for (int i = 0; i < p->rows * 3; i++) sum += dZ[i] * Z[i];
    return sum;
}

/* Whether central differences by x agree with a derivative. */
static int is_derivative(const problem *p, const double *dZ, double *x, double derivative) {
    const double h = 1e-6, before = *x;
    *x = before + h;
    double above = value_of(scalar_engine(), p, dZ);
    *x = before - h;
    double below = value_of(scalar_engine(), p, dZ);
    *x = before;
    return fabs((above - below) / (2 * h) - derivative) < 1e-7 * (1 + fabs(derivative));
}

/* A pass by an engine has the derivatives of the scalar float64 engine, and these are derivatives. */
static void test_derivatives(const fgd_engine *e) {
    enum { ROWS = 7 };
    int bits = e->bits;
    problem p;
    problem_with_inputs(&p, RULE_sgd, ROWS, ROWS);
    double *dZ = random_values(ROWS * 3, 1), *grad = doubles(p.w.size), *dX = doubles(ROWS * CODED_WIDTH);
    void *theta = reals(bits, p.theta, p.w.size), *Z = zero_reals(bits, ROWS * 3),
         *grad_of = zero_reals(bits, p.w.size);
    void *dX_of = zero_reals(bits, ROWS * CODED_WIDTH);
    fgd_table X = real_table(bits, p.X, ROWS, CODED_WIDTH);
    for (int by_reference = 0; by_reference < 2; by_reference++) {
        const fgd_engine *by = by_reference ? scalar_engine() : e;
        fgd_workspace *workspace = by->workspace_new(&p.w.net, ROWS);
        if (by_reference) X = real_table(64, p.X, ROWS, CODED_WIDTH);
        by->forward(workspace, by_reference ? p.theta : theta, &X, NULL, by_reference ? doubles(ROWS * 3) : Z, 2);
        by->backward(workspace, by_reference ? p.theta : theta, by_reference ? dZ : reals(bits, dZ, ROWS * 3),
                     by_reference ? grad : grad_of, 0, by_reference ? dX : dX_of, 3);
        by->workspace_free(workspace);
    }
    check(close_to(bits, grad_of, grad, p.w.size), "gradient through input layers");
    check(close_to(bits, dX_of, dX, ROWS * CODED_WIDTH), "dX through input layers");
    int right = 1;
    for (ptrdiff_t i = 0; i < p.w.size; i++) right &= is_derivative(&p, dZ, &p.theta[i], grad[i]);
    check(right, "derivatives by theta");
    for (int i = 0; i < ROWS * CODED_WIDTH; i++) {
        int column = i % CODED_WIDTH;
        right &= column == 1 || column == 3 ? dX[i] == 0 : is_derivative(&p, dZ, &p.X[i], dX[i]);
    }
    check(right, "derivatives by X");
    release_arrays();
}

/* The same bits of every engine, number of threads, of chunks and of micro-batches. */
static void test_bits_of_inputs(const fgd_engine *e, int rule, int rows, int batch) {
    problem p;
    problem_with_inputs(&p, rule, rows, batch);
    outcome want = train(same_bits_engine(e), &p, 1, 1);
    for (int threads = 0; threads <= 3; threads++) {
        outcome got = train(e, &p, threads, threads + 1);
        check(got.status == FGD_OK && same_reals(e->bits, want.theta, got.theta, p.w.size),
              "theta with input layers, rule %d, %d rows, %d threads", rule, batch, threads);
    }
    release_arrays();
}

static void input_layers(const fgd_engine *e) {
    test_cosines(e);
    test_derivatives(e);
    for (int rule = 0; fgd_rule_name(rule); rule++)
        if (rule != RULE_muon) test_bits_of_inputs(e, rule, 26, 9);
    test_bits_of_inputs(e, RULE_adam, 1100, 1100);

    const double codes[] = {-1, 4, 0.5, 1e30, INFINITY, NAN};
    for (int i = 0; i < COUNT(codes); i++) {
        problem p;
        problem_with_inputs(&p, RULE_adam, 24, 8);
        p.X[p.order[10] * CODED_WIDTH + code_columns[0]] = codes[i];
        if (isfinite(codes[i])) check_failure(e, &p, FGD_BAD_CODE, 1, "a bad code");
        fgd_table X = real_table(e->bits, p.X, p.rows, CODED_WIDTH);
        void *theta = reals(e->bits, p.theta, p.w.size), *Z = zero_reals(e->bits, p.rows * 3);
        fgd_status status = e->predict(&p.w.net, theta, &X, Z, 1 + i % 3);
        check(status == (isfinite(codes[i]) ? FGD_BAD_CODE : FGD_NOT_FINITE), "predict reports the code %g", codes[i]);
        release_arrays();
    }
}

#endif
