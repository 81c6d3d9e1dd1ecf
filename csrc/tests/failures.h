/*
 * failures.h: tests that bad data is reported, and leaves theta and the state as they were.
 */
#ifndef FGD_TEST_FAILURES_H
#define FGD_TEST_FAILURES_H

#include <math.h>
#include <stdint.h>

#include "arrays.h"
#include "check.h"
#include "params.h"
#include "tables.h"
#include "training_run.h"

/* 24 rows in batches of 8, trained with adam. */
static void failing_problem(problem *p, const int *n, int hidden, int loss) {
    problem_init(
        p, &(problem_spec){.L = 2, .n = n, .hidden = hidden, .loss = loss, .rule = RULE_adam, .rows = 24, .batch = 8});
}

/* A run that fails at step `at` leaves theta and state as they were after the steps before it. */
static void check_failure(const fgd_engine *e, problem *p, fgd_status status, ptrdiff_t at, const char *what) {
    for (int threads = 1; threads <= 3; threads++) {
        outcome got = train(e, p, threads, 1);
        ptrdiff_t steps = p->steps;
        p->steps = at;
        outcome want = train(e, p, 1, 1);
        p->steps = steps;
        check(got.status == status && got.failed == at, "%s is reported at step %d", what, (int)at);
        check(same_reals(e->bits, got.theta, want.theta, p->w.size), "%s leaves theta unchanged", what);
        check(same_reals(e->bits, got.state, want.state, fgd_rule_slots(p->rule) * p->w.size),
              "%s leaves the state unchanged", what);
    }
}

static const int small[] = {4, 6, 3};

static void bad_labels(const fgd_engine *e) {
    static const int shared_rows[] = {170, 190, 3}; /* by threads: engine/partition.h */
    const double labels[] = {-1, 3, 1e300, NAN};
    problem p;
    for (int i = 0; i < COUNT(labels); i++) {
        failing_problem(&p, small, ACTIVATION_relu, LOSS_cross_entropy);
        p.Y[p.order[10]] = labels[i];
        check_failure(e, &p, FGD_BAD_LABEL, 1, "a bad label");
        release_arrays();
    }
    failing_problem(&p, shared_rows, ACTIVATION_relu, LOSS_cross_entropy);
    p.Y[p.order[13]] = 3;
    check_failure(e, &p, FGD_BAD_LABEL, 1, "a bad label of one thread");
    release_arrays();
}

static void bad_rows(const fgd_engine *e) {
    problem p;
    failing_problem(&p, small, ACTIVATION_identity, LOSS_mse);
    double *x = &p.X[p.order[18] * small[0]];
    *x = e->bits == 32 ? 1e30 : 1e300;
    check_failure(e, &p, FGD_NOT_FINITE, 2, "a loss that overflows");
    *x = NAN;
    check_failure(e, &p, FGD_NOT_FINITE, 2, "a loss of NaN");
    *x = 0;
    for (int64_t row = -1; row <= 24; row += 25) {
        p.order[47] = row;
        outcome got = train(e, &p, 2, 1);
        check(got.status == FGD_BAD_ROW_NUMBER, "row index %d is reported", (int)row);
        check(close_to(e->bits, got.theta, p.theta, p.w.size), "row index %d leaves theta unchanged", (int)row);
    }
    release_arrays();
}

/* The function `loss` returns losses that are not finite, but reports bad labels. */
static void bad_losses(const fgd_engine *e) {
    const double Z[] = {0, INFINITY, 1, 2}, zero[4] = {0}, minus_one = -1;
    const fgd_loss mse = {LOSS_mse, default_params}, cross_entropy = {LOSS_cross_entropy, default_params};
    fgd_table Y = real_table(64, zero, 4, 1), label = real_table(64, &minus_one, 1, 1);
    void *z = reals(e->bits, Z, 4);
    double loss[4], dz[4];
    check(e->loss(&mse, 1, z, &Y, NULL, loss, NULL) == FGD_OK, "losses need not be finite");
    check(loss[0] == 0 && isinf(loss[1]) && loss[2] == 1 && loss[3] == 4, "the rows after one that is not finite");
    check(e->loss(&cross_entropy, 4, z, &label, NULL, loss, dz) == FGD_BAD_LABEL, "a bad label of the loss function");
    release_arrays();
}

static void failures(const fgd_engine *e) {
    bad_labels(e);
    bad_rows(e);
    bad_losses(e);
}

#endif
