/*
 * transforms.h: tests what an update does besides its rule.
 */
#ifndef FGD_TEST_TRANSFORMS_H
#define FGD_TEST_TRANSFORMS_H

#include <math.h>
#include <string.h>

#include "arrays.h"
#include "check.h"
#include "params.h"
#include "tables.h"
#include "training_run.h"

enum { GROUPS = 3, MAX_STEPS = 40, WHOLE_STEPS = 1000 };

/* The transforms of a run, and their arrays. */
typedef struct {
    fgd_transforms transforms;
    int64_t group[2 * MAX_LAYERS];
    fgd_step_transforms per_step[MAX_STEPS];
    fgd_group_transforms per_group[MAX_STEPS * GROUPS];
} run_transforms;

/* Theta with about a third of its elements masked. */
static void mask_init(problem *p) {
    double *mask = doubles(p->w.size);
    for (ptrdiff_t i = 0; i < p->w.size; i++) {
        mask[i] = random_value() > -1. / 3;
        p->theta[i] *= mask[i];
    }
    p->mask = mask;
}

/* The bits of `kind` choose which limits are set, of which some steps and values exceed each and others do not, and
   whether there is a mask. */
static void transforms_init(run_transforms *t, problem *p, int kind) {
    int clip_norm = kind & 1, clip_value = kind & 2, max_norm = kind & 4;
    if (kind & 8) mask_init(p);
    for (int i = 0; i < 2 * MAX_LAYERS; i++) t->group[i] = (i * i + kind) % GROUPS;
    for (int s = 0; s < p->steps; s++) {
        t->per_step[s].clip_norm = clip_norm ? 0.125 : INFINITY;
        t->per_step[s].average_weight = s % 3 == 1 ? 0 : 1. / (s + 1);
        for (int g = 0; g < GROUPS; g++) {
            fgd_group_transforms *limits = &t->per_group[s * GROUPS + g];
            limits->clip_value = clip_value ? 0.03125 * (g + 1) : INFINITY;
            limits->l1 = 0.0078125 * g;
            limits->max_norm = max_norm && g ? 0.75 + 0.25 * g : INFINITY;
        }
    }
    t->transforms = (fgd_transforms){
        .net = &p->w.net,
        .micro_batch = WHOLE_STEPS,
        .n_groups = GROUPS,
        .group = t->group,
        .per_step = t->per_step,
        .per_group = t->per_group,
    };
    p->transforms = &t->transforms;
}

static int masked_are_zero(int bits, const problem *p, const void *theta) {
    for (ptrdiff_t i = 0; i < p->w.size; i++)
        if (!is_kept(p, i) && real_at(bits, theta, i) != 0) return 0;
    return 1;
}

static void check_same_bits(const fgd_engine *e, const problem *p, const outcome *got, const outcome *want,
                            const char *what) {
    int bits = e->bits;
    ptrdiff_t size = p->w.size;
    check(same_reals(bits, want->theta, got->theta, size) && same_reals(bits, want->average, got->average, size),
          "theta, %s", what);
    check(same_reals(64, want->losses, got->losses, p->steps) && same_reals(64, want->norms, got->norms, p->steps),
          "losses, %s", what);
}

/* A run with transforms is close to the reference, and its bits depend on neither threads, chunks nor micro-batches. */
static void test_transformed_run(const fgd_engine *e, const int *n, int rule, int kind) {
    int bits = e->bits, mse = entry_named(fgd_loss_name, "mse");
    problem p;
    run_transforms t;
    problem_init(&p, &(problem_spec){.L = 3,
                                     .n = n,
                                     .hidden = ACTIVATION_tanh,
                                     .loss = mse,
                                     .rule = rule,
                                     .rows = 26,
                                     .batch = 9,
                                     .weighted = kind % 2});
    transforms_init(&t, &p, kind);
    outcome want = reference_train(&p), first = train(same_bits_engine(e), &p, 1, 1);
    double rounding = rule == RULE_sgd ? 1 : 10; /* the others divide by values that may be small */
    check(error_of(bits, first.theta, want.theta, p.w.size) < rounding * tolerance(bits), "theta, kind %d", kind);
    check(error_of(bits, first.average, want.average, p.w.size) < rounding * tolerance(bits), "average, kind %d", kind);
    check(error_of(64, first.norms, want.norms, p.steps) < 20 * rounding * tolerance(bits), "norms, kind %d", kind);
    check(masked_are_zero(bits, &p, first.theta), "masked elements of theta, kind %d", kind);
    for (int threads = 0; threads <= 3; threads++) {
        t.transforms.micro_batch = threads == 0 ? WHOLE_STEPS : 2 * threads;
        outcome got = train(e, &p, threads, threads == 3 ? (int)p.steps : threads + 1);
        check_same_bits(e, &p, &got, &first, threads == 0 ? "whole steps" : "micro-batches");
    }
    release_arrays();
}

/* A norm whose square is not representable in float. */
static void test_large_norm(const fgd_engine *e) {
    const double grad[] = {3e30, 4e30}, theta[] = {1, 2}, c[] = {1, 0};
    const fgd_layer layer = {.n_in = 1, .n_out = 1, .bias = 1, .activation = ACTIVATION_identity};
    const fgd_net net = {1, &layer};
    const int64_t group[] = {0, 0};
    const fgd_step_transforms per_step = {.clip_norm = 1};
    const fgd_group_transforms per_group = {.clip_value = INFINITY, .max_norm = INFINITY};
    double norm;
    fgd_transforms transforms = {
        .net = &net,
        .micro_batch = 1,
        .n_groups = 1,
        .group = group,
        .per_step = &per_step,
        .per_group = &per_group,
        .norm = &norm,
    };
    void *g = reals(e->bits, grad, 2), *t = reals(e->bits, theta, 2);
    check(e->update(RULE_sgd, c, &transforms, 2, g, t, NULL) == FGD_OK, "an update with transforms");
    check(fabs(norm / 5e30 - 1) < tolerance(e->bits), "a norm whose square overflows float");
    check(close_to(e->bits, t, (const double[]){0.4, 1.2}, 2), "a clipped step");
    release_arrays();
}

static void transforms(const fgd_engine *e) {
    static const int narrow[] = {5, 33, 9, 2}, wide[] = {38, 71, 33, 1}, one[] = {1, 1, 1, 1};
    for (int kind = 0; kind < 16; kind++) {
        if (kind > 8 && kind < 15) continue; /* of masks, with no limit and with all */
        for (int rule = 0; fgd_rule_name(rule); rule++) test_transformed_run(e, narrow, rule, kind);
        test_transformed_run(e, wide, RULE_sgd, kind);
        test_transformed_run(e, one, RULE_sgd, kind);
    }
    test_large_norm(e);
}

#endif
