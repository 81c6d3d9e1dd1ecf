/*
 * relay.h: tests that threads which pass on the sums of a gradient change no bit.
 */
#ifndef FGD_TEST_RELAY_H
#define FGD_TEST_RELAY_H

#include "check.h"
#include "training_run.h"

/* Two passes over the rows, whose last batch is smaller, down to a single row. */
static void relay_problem(problem *p, const int *n, int rule, int rows, int batch) {
    problem_init(p, &(problem_spec){.L = 3,
                                    .n = n,
                                    .hidden = rule % 2 ? ACTIVATION_softmax : ACTIVATION_relu,
                                    .loss = LOSS_mse,
                                    .rule = rule,
                                    .rows = rows,
                                    .batch = batch,
                                    .weighted = rule % 2});
}

static void test_relay(const fgd_engine *e, const problem *p, const char *rule) {
    outcome want = train(same_bits_engine(e), p, 1, 1);
    for (int threads = 0; threads <= 4; threads++) {
        outcome got = train(e, p, threads, 1 + threads % 2);
        check(same_reals(e->bits, want.theta, got.theta, p->w.size), "theta, %s, %d threads", rule, threads);
        check(same_reals(e->bits, want.state, got.state, fgd_rule_slots(p->rule) * p->w.size), "state, %s", rule);
        check(same_reals(64, want.losses, got.losses, p->steps), "losses, %s, %d threads", rule, threads);
    }
}

/* The loss of one row, of the first thread or of the last, is not finite. */
static void test_failing_relay(const fgd_engine *e, problem *p, ptrdiff_t row) {
    p->Y[p->order[row] * p->w.layer[2].n_out] = NAN;
    for (int threads = 2; threads <= 3; threads++) {
        outcome got = train(e, p, threads, 1), alone = train(e, p, 1, 1);
        check(got.status == FGD_NOT_FINITE && got.failed == alone.failed, "row %d is not finite", (int)row);
        check(same_reals(e->bits, got.theta, alone.theta, p->w.size), "row %d leaves theta unchanged", (int)row);
        check(same_reals(e->bits, got.state, alone.state, fgd_rule_slots(p->rule) * p->w.size),
              "row %d leaves the state unchanged", (int)row);
    }
}

/* A plan counts the copies of W of the second layer. */
static void test_planned_relay(const fgd_engine *e) {
    fgd_layer layers[] = {{.n_in = 30, .n_out = 70, .bias = 1}, {.n_in = 70, .n_out = 20}};
    fgd_net net = {.L = 2, .layer = layers};
    size_t copies = 2 * 70 * 20 * (size_t)e->bits / 8;
    check(e->plan(&net, 200, 2).workspace >= e->plan(&net, 200, 1).workspace + copies, "plan of a relay");
}

/* Many rows for few weights, and several bands for each thread: see relays in engine/relay.h. */
static void relay_of_threads(const fgd_engine *e) {
    static const int shapes[][4] = {{30, 70, 20, 1}, {33, 65, 17, 2}, {90, 130, 10, 7}};
    enum { BATCH = 200, MICRO_BATCHES = 1100 }; /* the second is done in several micro-batches */
    test_planned_relay(e);
    for (int rule = 0; fgd_rule_name(rule); rule++) {
        problem p;
        relay_problem(&p, shapes[rule % COUNT(shapes)], rule, 2 * BATCH + 1, BATCH);
        test_relay(e, &p, fgd_rule_name(rule));
        release_arrays();
    }
    for (int i = 0; i < COUNT(shapes); i++) {
        problem p;
        relay_problem(&p, shapes[i], i % 2 ? RULE_adam : RULE_sgd, MICRO_BATCHES, MICRO_BATCHES);
        test_relay(e, &p, "micro-batches");
        release_arrays();
        static const ptrdiff_t failing[] = {BATCH, 2 * BATCH - 1, 2 * BATCH}; /* the last one is a batch of its own */
        for (int row = 0; row < COUNT(failing); row++) {
            relay_problem(&p, shapes[i], i % 2 ? RULE_adam : RULE_sgd, 2 * BATCH + 1, BATCH);
            test_failing_relay(e, &p, failing[row]);
            release_arrays();
        }
    }
}

#endif
