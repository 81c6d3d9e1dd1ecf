/*
 * phases.h: tests that the time of each phase is measured, and that this changes no bit.
 */
#ifndef FGD_TEST_PHASES_H
#define FGD_TEST_PHASES_H

#include "check.h"
#include "training_run.h"

/* A run with or without a step's transforms, on some threads. */
static void test_phases(const fgd_engine *e, const problem *p, int threads) {
    enum { L = 2, COLUMNS = FGD_FORWARD + FGD_PHASES_OF_LAYER * L };
    outcome want = train(e, p, threads, 1), got;
    fgd_chunk chunk = whole_run(e->bits, p, threads, &got);
    double *phases = chunk.phases = doubles(threads * COLUMNS);
    fgd_workspace *workspace = e->workspace_new(&p->w.net, workspace_rows(p));
    check(e->train(workspace, &chunk) == FGD_OK, "a run with phases succeeds");
    e->workspace_free(workspace);
    check(same_reals(e->bits, got.theta, want.theta, p->w.size), "phases change no bit, %d threads", threads);
    int never = FGD_BACKWARD; /* of layer 0 */
    for (int i = 0; i < COLUMNS; i++) {
        int is_empty = i == never || i == FGD_TRANSFORMS || (i == FGD_WAIT && threads == 1);
        check(phases[i] > 0 || is_empty, "phase %d of thread 0 takes time", i);
        check(phases[i] == 0 || !is_empty, "phase %d is empty", i);
    }
}

static void phases(const fgd_engine *e) {
    static const int rows_shared[] = {40, 30, 5}, columns_shared[] = {170, 190, 3}; /* see engine/partition.h */
    for (int threads = 1; threads <= 3; threads++)
        for (int i = 0; i < 2; i++) {
            problem p;
            problem_init(&p, &(problem_spec){.L = 2,
                                             .n = i ? columns_shared : rows_shared,
                                             .hidden = ACTIVATION_relu,
                                             .loss = LOSS_mse,
                                             .rule = RULE_sgd,
                                             .rows = 24,
                                             .batch = 8});
            test_phases(e, &p, threads);
            release_arrays();
        }
}

#endif
