/*
 * training.h: tests whole training runs: against the reference, other engines and earlier versions.
 */
#ifndef FGD_TEST_TRAINING_H
#define FGD_TEST_TRAINING_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arrays.h"
#include "check.h"
#include "tables.h"
#include "training_run.h"

static void test_run(const fgd_engine *e, int hidden, int loss, int rule) {
    const char *activation = fgd_activation_name(hidden), *loss_name = fgd_loss_name(loss);
    const char *rule_name = fgd_rule_name(rule);
    int weighted = (hidden + loss + rule) % 2, threads = 1 + (hidden + loss) % 3, bits = e->bits;
    const int n[] = {5, 33, 9, 1 + loss};
    problem p;
    problem_init(&p, &(problem_spec){.L = 3,
                                     .n = n,
                                     .hidden = hidden,
                                     .loss = loss,
                                     .rule = rule,
                                     .rows = 13,
                                     .batch = 9,
                                     .weighted = weighted});
    outcome want = reference_train(&p), got = train(e, &p, threads, 1);
    check(got.status == FGD_OK, "%s %s %s succeeds", activation, loss_name, rule_name);
    check(close_to(bits, got.theta, want.theta, p.w.size), "%s %s %s", activation, loss_name, rule_name);
    check(close_to(bits, got.state, want.state, fgd_rule_slots(rule) * p.w.size), "state of %s %s %s", activation,
          loss_name, rule_name);
    check(error_of(64, got.losses, want.losses, p.steps) < 20 * tolerance(bits), "losses of %s %s %s", activation,
          loss_name, rule_name);
    release_arrays();
}

/* Every activation, every loss and every rule at least four times, with others each time: no code belongs to a pair. */
static void training(const fgd_engine *e) {
    int activations = entry_count(fgd_activation_name), losses = entry_count(fgd_loss_name);
    int rules = entry_count(fgd_rule_name), most = activations > losses ? activations : losses;
    for (int i = 0; i < 4 * (most > rules ? most : rules); i++) {
        int loss = (i + i / losses) % losses, rule = i % rules;
        /* Equal derivatives whose sum is 0 except for rounding have no sign for lion to step by. */
        if (strstr(fgd_loss_name(loss), "hinge") && rule == RULE_lion) rule = RULE_sgd;
        test_run(e, i % activations, loss, rule);
    }
}

/* The same bits, whatever the number of threads and chunks, the size of L2 and, with fused multiply-adds, the engine. */
static void same_bits_of(const fgd_engine *e, fgd_precision precision) {
    static const struct {
        int n[4], rows, batch;
    } shapes[] = {
        /* clang-format off */
        {{37, 65, 33, 10}, 80, 32},
        {{1100, 40, 17, 3}, 60, 30},   /* z is summed in blocks */
        {{3, 5, 16, 2}, 2200, 1100},   /* dW is */
        {{1, 1, 1, 2}, 3, 1},
        {{170, 130, 99, 33}, 30, 12},  /* few rows for many weights: threads share columns (engine/partition.h) */
        {{400, 350, 12, 3}, 60, 30},   /* the last W is larger than L2 */
        {{40, 290, 70, 9}, 130, 65},   /* panels of B and blocks of A^T are copied */
        /* clang-format on */
    };
    /* Every loss on the first shape, some on each other; on each of them sgd, which products apply to their tiles. */
    for (int i = 0; i < COUNT(shapes); i++)
        for (int loss = i; fgd_loss_name(loss); loss += i || precision ? COUNT(shapes) : 1) {
            problem p;
            problem_init(&p, &(problem_spec){.L = 3,
                                             .n = shapes[i].n,
                                             .hidden = (i + loss) % entry_count(fgd_activation_name),
                                             .loss = loss,
                                             .rule = loss == i ? RULE_sgd : (i + loss) % entry_count(fgd_rule_name),
                                             .rows = shapes[i].rows,
                                             .batch = shapes[i].batch,
                                             .weighted = loss % 2});
            p.w.net.precision = precision;
            fgd_set_l2_bytes(LARGE_L2);
            outcome want = train(same_bits_engine(e), &p, 1, 1);
            for (int threads = 0; threads <= 3; threads++) { /* 0: the engine decides */
                fgd_set_l2_bytes(threads % 2 ? SMALL_L2 : LARGE_L2);
                outcome got = train(e, &p, threads, threads == 3 ? (int)p.steps : threads + 1);
                check(same_reals(e->bits, want.theta, got.theta, p.w.size), "theta, %s, shape %d, %d threads",
                      fgd_loss_name(loss), i, threads);
                check(same_reals(64, want.losses, got.losses, p.steps), "losses, %s, shape %d, %d threads",
                      fgd_loss_name(loss), i, threads);
            }
            release_arrays();
        }
}

static void same_bits(const fgd_engine *e) {
    same_bits_of(e, FGD_PRECISION_REAL);
    if (e->bits == 32) same_bits_of(e, FGD_PRECISION_BF16);
}

/* FNV-1a (Fowler, Noll & Vo), continued from h. */
static uint64_t hash(uint64_t h, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
    return h;
}

/*
 * theta after a short run is the same on every machine with fused multiply-adds.  Change the hashes only if a change of
 * bits is intended, and say so in CHANGELOG.md: models can then no longer be compared with those of earlier versions.
 */
static void known_answer(const fgd_engine *e, fgd_precision precision, uint64_t known) {
    static const struct {
        int hidden, loss, rule;
        double coefficients[9];
    } runs[] = {
        {ACTIVATION_tanh, LOSS_cross_entropy, RULE_adam, {0.05, 0.01, 0.9, 0.1, 0.75, 0.25, 1.5, 0.125, 1}},
        {ACTIVATION_sigmoid, LOSS_bce, RULE_momentum, {0.05, 0.01, 0.9, 0.1, 0.75, 0.25, 1}},
        {ACTIVATION_relu, LOSS_mse, RULE_sgd, {0.05, 0.01}},
    };
    static const int n[] = {9, 35, 3};
    uint64_t h = 0xcbf29ce484222325;
    random_state = 0;
    for (int i = 0; i < COUNT(runs); i++) {
        problem p;
        problem_init(&p, &(problem_spec){.L = 2,
                                         .n = n,
                                         .hidden = runs[i].hidden,
                                         .loss = runs[i].loss,
                                         .rule = runs[i].rule,
                                         .rows = 50,
                                         .batch = 16,
                                         .weighted = i % 2});
        p.coefficients = runs[i].coefficients;
        p.w.net.precision = precision;
        outcome o = train(e, &p, 2, 1);
        h = hash(h, o.theta, (size_t)p.w.size * size_of(e->bits));
        release_arrays();
    }
    const char *type = precision == FGD_PRECISION_BF16 ? "bf16" : e->bits == 32 ? "f32" : "f64";
    if (!at_start) printf(" %s %s %016llx,", e->isa, type, (unsigned long long)h);
    check(!is_fused(e) || h == known, "the bits of %s differ from earlier versions: %016llx", type,
          (unsigned long long)known);
}

static void known_answers(const fgd_engine *e) {
    known_answer(e, FGD_PRECISION_REAL, e->bits == 32 ? 0x97f944ed604456f7 : 0xcf591f82c012e8ed);
    if (e->bits == 32) known_answer(e, FGD_PRECISION_BF16, 0x9237cc38b3ed8fff);
}

#endif
