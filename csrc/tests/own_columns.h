/*
 * own_columns.h: tests that threads which keep their columns of the first layer change no bit.
 */
#ifndef FGD_TEST_OWN_COLUMNS_H
#define FGD_TEST_OWN_COLUMNS_H

#include "check.h"
#include "training_run.h"

/* As many inputs and as few rows as it takes for threads to divide columns, and enough steps for copies to pay. */
enum { INPUTS = 300, BATCH = 8, STEPS = 64 };

static void test_own_columns(const fgd_engine *e, int width, int batch, int weighted) {
    const int n[] = {INPUTS, width, 3};
    problem p;
    problem_init(&p, &(problem_spec){.L = 2,
                                     .n = n,
                                     .hidden = weighted ? ACTIVATION_softmax : ACTIVATION_relu,
                                     .loss = LOSS_mse,
                                     .rule = RULE_sgd,
                                     .rows = STEPS / 2 * batch,
                                     .batch = batch,
                                     .weighted = weighted});
    outcome want = train(same_bits_engine(e), &p, 1, 1);
    for (int threads = 0; threads <= 4; threads++) {
        outcome got = train(e, &p, threads, 1);
        check(same_reals(e->bits, want.theta, got.theta, p.w.size), "theta, width %d, batch %d, %d threads", width,
              batch, threads);
        check(same_reals(64, want.losses, got.losses, p.steps), "losses, width %d, batch %d, %d threads", width, batch,
              threads);
    }
    p.Y[p.order[p.starts[p.steps - 2]]] = NAN; /* theta is that of the steps before */
    outcome fails = train(e, &p, 2, 1), alone = train(e, &p, 1, 1);
    check(fails.status == FGD_NOT_FINITE && fails.failed == alone.failed, "a loss that is not finite, width %d", width);
    check(same_reals(e->bits, fails.theta, alone.theta, p.w.size), "leaves theta unchanged, width %d", width);
    release_arrays();
}

/* A plan counts the copies, of W and b: threads divide the columns of a large layer. */
static void test_planned_columns(const fgd_engine *e, int width) {
    fgd_layer layers[] = {{.n_in = INPUTS, .n_out = width, .bias = 1}, {.n_in = width, .n_out = 3}};
    fgd_net net = {.L = 2, .layer = layers};
    size_t copies = (size_t)(INPUTS + 1) * (size_t)width * (size_t)e->bits / 8;
    check(e->plan(&net, BATCH, 2).workspace >= e->plan(&net, BATCH, 1).workspace + copies, "plan of width %d", width);
}

static void own_columns_of_threads(const fgd_engine *e) {
    int panel = e->plan(&(fgd_net){.L = 1, .layer = &(fgd_layer){.n_in = 1, .n_out = 1}}, 1, 1).tile_columns;
    for (int width = panel + 1; width <= 4 * panel; width += panel > 8 ? panel - 1 : 1)
        test_own_columns(e, width, BATCH, width % 2);
    test_planned_columns(e, 64 * panel);
    for (int batch = 1; batch <= 40; batch += 13) test_own_columns(e, 2 * panel, batch, 0);
}

#endif
