/*
 * denormals.h: tests that denormals are zero in every function of an engine, and in no other code.
 */
#ifndef FGD_TEST_DENORMALS_H
#define FGD_TEST_DENORMALS_H

#include <math.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "../simd/denormals.h"
#include "arrays.h"
#include "check.h"
#include "params.h"
#include "tables.h"
#include "training_run.h"

enum { MAX_TEAM = 8 };

/* x (count,) with a denormal, or a zero of the same sign, in place of two of three elements. */
static double *with_denormals(int bits, const double *x, ptrdiff_t count, int as_zeros) {
    double smallest = bits == 32 ? 0x1p-149 : 0x1p-1074, *to = copy_of(x, count);
    for (ptrdiff_t i = 0; i < count; i++)
        if (i % 3) to[i] = copysign(as_zeros ? 0 : smallest * (double)(1 + i % 1000), x[i]);
    return to;
}

static int has_denormals(int bits, const void *x, ptrdiff_t count) {
    double smallest_normal = bits == 32 ? 0x1p-126 : 0x1p-1022;
    for (ptrdiff_t i = 0; i < count; i++)
        if (real_at(bits, x, i) != 0 && fabs(real_at(bits, x, i)) < smallest_normal) return 1;
    return 0;
}

/* ---- where they are zero ---- */

/* A problem whose data, weights and theta are two thirds denormals, or zeros. */
static void problem_with_denormals(int bits, problem *p, int loss, int rule, int as_zeros) {
    static const int n[] = {37, 65, 19, 3};
    random_state = 1;
    problem_init(p, &(problem_spec){.L = 3,
                                    .n = n,
                                    .hidden = loss % entry_count(fgd_activation_name),
                                    .loss = loss,
                                    .rule = rule,
                                    .rows = 40,
                                    .batch = 16,
                                    .weighted = 1});
    p->X = with_denormals(bits, p->X, p->rows * n[0], as_zeros);
    p->theta = with_denormals(bits, p->theta, p->w.size, as_zeros);
    p->weight = with_denormals(bits, p->weight, p->rows, as_zeros);
    if (!fgd_loss_needs_labels(loss)) p->Y = with_denormals(64, p->Y, p->rows * n[3], as_zeros);
}

/* Training has the bits that it has with zeros, on every engine and with any number of threads. */
static void train_denormals(const fgd_engine *e) {
    for (int loss = 0; fgd_loss_name(loss); loss++) {
        problem p, zeros;
        int rule = loss % entry_count(fgd_rule_name), bits = e->bits;
        problem_with_denormals(bits, &zeros, loss, rule, 1);
        outcome want = train(same_bits_engine(e), &zeros, 1, 1);
        problem_with_denormals(bits, &p, loss, rule, 0);
        for (int threads = 1; threads <= 3; threads++) {
            outcome got = train(e, &p, threads, 1);
            const char *what = fgd_loss_name(loss), *rule_name = fgd_rule_name(rule);
            check(same_reals(bits, got.theta, want.theta, p.w.size), "theta of %s, %s, with denormals", what,
                  rule_name);
            check(same_reals(64, got.losses, want.losses, p.steps), "losses of %s with denormals", what);
        }
        release_arrays();
    }
}

/* A gradient of 0, step after step: neither theta nor a slot remains denormal. */
static void decay_to_zero(const fgd_engine *e) {
    enum { SIZE = 37, STEPS = 100 };
    int bits = e->bits;
    for (int rule = 0; fgd_rule_name(rule); rule++) {
        int slots = fgd_rule_slots(rule);
        double small[SIZE * MAX_SLOTS], zero[SIZE] = {0};
        for (int i = 0; i < SIZE * MAX_SLOTS; i++) small[i] = (bits == 32 ? 0x1p-126 : 0x1p-1022) * (1 + i);
        void *grad = reals(bits, zero, SIZE), *theta = reals(bits, small, SIZE),
             *state = reals(bits, small, slots * SIZE);
        for (int step = 0; step < STEPS; step++) {
            e->update(rule, coefficients, NULL, SIZE, grad, theta, state);
            check(!has_denormals(bits, theta, SIZE), "theta of %s in step %d", fgd_rule_name(rule), step);
            check(!has_denormals(bits, state, slots * SIZE), "state of %s in step %d", fgd_rule_name(rule), step);
        }
        release_arrays();
    }
}

/* Every binary16 keeps its value: its subnormals are normal as real. */
static void halves(const fgd_engine *e) {
    enum { SUBNORMALS = 1 << 10, HALVES = 31 * SUBNORMALS };
    int bits = e->bits;
    double *want = doubles(HALVES), one = 1;
    uint16_t *half = array(HALVES * sizeof *half);
    for (int i = 0; i < HALVES; i++) {
        int exponent = i / SUBNORMALS, fraction = i % SUBNORMALS;
        half[i] = (uint16_t)(i | (i % 2 << 15));
        want[i] = ldexp(fraction + (exponent ? SUBNORMALS : 0), (exponent ? exponent : 1) - 25) * (i % 2 ? -1 : 1);
    }
    network w;
    network_init(&w, 1, (const int[]){1, 1}, ACTIVATION_identity, ACTIVATION_identity);
    w.layer[0].bias = 0;
    fgd_table X = {half, TYPE_float16, 1, HALVES, sizeof *half};
    void *got = zero_reals(bits, HALVES);
    e->predict(&w.net, reals(bits, &one, 1), &X, got, 1);
    check(error_of(bits, got, want, HALVES) == 0, "values of float16");
    release_arrays();
}

/* ---- where they are not ---- */

/* FP control of each thread of a team. */
static void get_team_control(fp_control control[MAX_TEAM]) {
    memset(control, 0, MAX_TEAM * sizeof *control);
#ifdef _OPENMP
#pragma omp parallel num_threads(3)
    control[omp_get_thread_num()] = get_fp_control();
#else
    control[0] = get_fp_control();
#endif
}

/* Calls every function of the engine, with data of the problem p, in ways that succeed or, with `bad`, fail. */
static void call_everything(const fgd_engine *e, const problem *p, int threads, int bad) {
    int n_in = p->w.layer[0].n_in, n = p->w.layer[p->w.net.L - 1].n_out, bits = e->bits;
    fgd_table X = real_table(bits, p->X, p->rows, n_in), Y = real_table(64, p->Y, p->rows, 1);
    void *theta = reals(bits, p->theta, p->w.size), *Z = zero_reals(bits, p->rows * n);
    void *grad = zero_reals(bits, p->w.size), *state = zero_reals(bits, p->w.size),
         *dX = zero_reals(bits, p->rows * n_in);
    const fgd_loss loss = loss_of_kind(p->loss);
    fgd_workspace *w = e->workspace_new(&p->w.net, p->rows);
    check((e->predict(&p->w.net, theta, &X, Z, threads) != FGD_OK) == bad, "predict");
    e->forward(w, theta, &X, NULL, Z, threads);
    check((e->loss(&loss, n, Z, &Y, NULL, doubles(p->rows), zero_reals(bits, p->rows * n)) != FGD_OK) == bad, "loss");
    const double bounds[] = {-INFINITY, INFINITY};
    double mean;
    check((e->mean_loss(&loss, n, bounds, Z, &Y, NULL, &mean, zero_reals(bits, p->rows * n)) != FGD_OK) == bad, "mean");
    check(e->is_finite(&X) != bad, "is_finite");
    e->backward(w, theta, Z, grad, 0, dX, threads);
    e->update(RULE_momentum, coefficients, NULL, p->w.size, grad, theta, state);
    e->checked_update(RULE_momentum, coefficients, NULL, p->w.size, grad, theta, state,
                      zero_reals(bits, 2 * p->w.size));
    e->workspace_free(w);
    check((train(e, p, threads, 1).status != FGD_OK) == bad, "train");
}

/* No function leaves its mark on the arithmetic of the caller, nor on that of OpenMP's threads. */
static void other_arithmetic(const fgd_engine *e) {
    static const int n[] = {300, 400, 3}; /* so much that a call starts several threads */
    problem p;
    problem_init(
        &p, &(problem_spec){.L = 2, .n = n, .loss = LOSS_cross_entropy, .rule = RULE_adam, .rows = 40, .batch = 20});
    fp_control before[MAX_TEAM], after[MAX_TEAM], own = get_fp_control();
    get_team_control(before);
    for (int bad = 0; bad < 2; bad++) {
        if (bad) p.X[p.order[30] * n[0]] = NAN, p.Y[p.order[31]] = 3;
        for (int threads = 0; threads <= 3; threads += 1 + threads) { /* 0: the engine decides */
            call_everything(e, &p, threads, bad);
            get_team_control(after);
            check(!memcmp(before, after, sizeof before), "%d threads leave denormals as they were", threads);
        }
    }
    set_fp_control(own | FLUSH_DENORMALS);
    call_everything(e, &p, 1, 1);
    check((get_fp_control() & FLUSH_DENORMALS) == FLUSH_DENORMALS, "a caller's own choice is kept");
    set_fp_control(own);
    release_arrays();
}

static void denormals(const fgd_engine *e) {
    train_denormals(e);
    decay_to_zero(e);
    halves(e);
    other_arithmetic(e);
}

#endif
