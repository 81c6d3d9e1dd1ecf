/*
 * regimes.h: the group that tests what an update does beside its rule.
 */
#ifndef FGD_TEST_REGIMES_H
#define FGD_TEST_REGIMES_H

#include <math.h>
#include <string.h>

#include "check.h"
#include "arrays.h"
#include "reference.h"
#include "runs.h"
#include "tables.h"

enum { GROUPS = 3, MOST_STEPS = 40 };

/* A regime for a run: each limit is passed by some numbers of some steps, and set on some of them only. */
typedef struct {
    fgd_transforms regime;
    int64_t group[2 * MAX_LAYERS];
    fgd_step_transforms per_step[MOST_STEPS];
    fgd_group_transforms per_group[MOST_STEPS * GROUPS];
} beside;

static void beside_init(beside *b, problem *p, ptrdiff_t at_once, int kind) {
    for (int i = 0; i < 2 * MAX_LAYERS; i++) b->group[i] = (i * i + kind) % GROUPS;
    for (int s = 0; s < p->steps; s++) {
        b->per_step[s] = (fgd_step_transforms){kind & 1 ? 0.125 : INFINITY, s % 3 == 1 ? 0 : 1. / (s + 1)};
        for (int g = 0; g < GROUPS; g++)
            b->per_group[s * GROUPS + g] = (fgd_group_transforms){
                kind & 2 ? 0.03125 * (g + 1) : INFINITY, 0.0078125 * g, kind & 4 && g ? 0.75 + 0.25 * g : INFINITY};
    }
    b->regime = (fgd_transforms){&p->w.net, at_once, GROUPS, b->group, b->per_step, b->per_group, NULL, NULL};
    p->regime = &b->regime;
}

static void same_outcome(const fgd_engine *e, const problem *p, const outcome *got, const outcome *want,
                         const char *what) {
    size_t theta = (size_t)p->w.size * size_of(e->bits), steps = (size_t)p->steps * sizeof(double);
    check(!memcmp(want->theta, got->theta, theta) && !memcmp(want->average, got->average, theta), "theta, %s", what);
    check(!memcmp(want->losses, got->losses, steps) && !memcmp(want->norms, got->norms, steps), "losses, %s", what);
}

/* A run in a regime is that of the reference, and for every team, cut and number of passes the same one. */
static void one_regime(const fgd_engine *e, const int *n, int rule, int kind) {
    problem p;
    beside b;
    int sgd = row_named(fgd_rule_name, "sgd"), bits = e->bits;
    problem_init(&p, 3, n, ACTIVATION_tanh, row_named(fgd_loss_name, "mse"), rule, 26, 9, kind % 2);
    beside_init(&b, &p, 1000, kind);
    const fgd_engine *first = is_fused(e) ? fgd_find_engine(NULL, bits) : e;
    outcome want = reference_train(&p), whole = train(first, &p, 1, 1);
    double rounding = rule == sgd ? 1 : 10; /* the others divide by what may be small */
    check(error_of(bits, whole.theta, want.theta, p.w.size) < rounding * tolerance(bits), "theta of regime %d", kind);
    check(error_of(bits, whole.average, want.average, p.w.size) < rounding * tolerance(bits), "average %d", kind);
    check(error_of(64, whole.norms, want.norms, p.steps) < 20 * rounding * tolerance(bits), "norms of regime %d", kind);
    for (int threads = 0; threads <= 3; threads++) {
        b.regime.micro_batch = threads == 0 ? 1000 : 2 * threads;
        outcome got = train(e, &p, threads, threads == 3 ? (int)p.steps : threads + 1);
        same_outcome(e, &p, &got, &whole, threads == 0 ? "whole steps" : "steps in passes");
    }
    release_arrays();
}

static void regimes(const fgd_engine *e) {
    static const int narrow[] = {5, 33, 9, 2}, wide[] = {38, 71, 33, 1}, one[] = {1, 1, 1, 1};
    for (int kind = 0; kind < 8; kind++) {
        for (int rule = 0; fgd_rule_name(rule); rule++) one_regime(e, narrow, rule, kind);
        one_regime(e, wide, row_named(fgd_rule_name, "sgd"), kind);
        one_regime(e, one, row_named(fgd_rule_name, "sgd"), kind);
    }

    double grad[] = {3e30, 4e30}, theta[] = {1, 2}, norm;
    fgd_layer layer = {1, 1, 1, ACTIVATION_identity, constants, 0};
    fgd_net net = {1, &layer};
    int64_t group[] = {0, 0};
    fgd_step_transforms step = {1, 0};
    fgd_group_transforms numbers = {INFINITY, 0, INFINITY};
    fgd_transforms regime = {&net, 1, 1, group, &step, &numbers, NULL, &norm};
    void *g = reals(e->bits, grad, 2), *t = reals(e->bits, theta, 2);
    const double c[] = {1, 0};
    check(e->update(row_named(fgd_rule_name, "sgd"), c, &regime, 2, g, t, NULL) == FGD_OK, "an update in a regime");
    check(fabs(norm / 5e30 - 1) < tolerance(e->bits), "a norm whose square is beyond float");
    check(close_to(e->bits, t, (const double[]){0.4, 1.2}, 2), "a clipped step");
    release_arrays();
}

#endif
