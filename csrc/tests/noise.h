/*
 * noise.h: tests random words, and networks with noise on their inputs and hidden layers.
 */
#ifndef FGD_TEST_NOISE_H
#define FGD_TEST_NOISE_H

#include <math.h>
#include <stdint.h>

#include "arrays.h"
#include "check.h"
#include "pass.h"
#include "reference_noise.h"
#include "tables.h"
#include "training_run.h"

/* The known answers published with Philox4x32-10 (Random123, kat_vectors); then words of various streams. */
static void random_words(const fgd_engine *e) {
    static const struct {
        uint32_t c[4], k[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    uint32_t *word = array(64 * sizeof *word);
    for (int i = 0; i < COUNT(known); i++) {
        const uint32_t *c = known[i].c, *k = known[i].k;
        uint64_t block = c[0] | (uint64_t)c[1] << 32;
        e->random(k[0] | (uint64_t)k[1] << 32, c[2] | (uint64_t)c[3] << 32, block / 16, word);
        for (int j = 0; j < 4; j++)
            check(word[j / 2 * 32 + block % 16 * 2 + j % 2] == known[i].answer[j], "word %d of known answer %d", j, i);
    }
    for (uint64_t group = 0; group < 8; group++) {
        uint64_t seed = group << 30 | 5, stream = group << 48 | group << 31 | 3;
        e->random(seed, stream, group << 26, word);
        for (int k = 0; k < 64; k++)
            check(word[k] == reference_word(seed, stream, group << 26, k), "word %d of group %d", k, (int)group);
    }
    release_arrays();
}

/* Gives the inputs of each layer a noise, beginning with `kind` and cycling through all of them. */
static void network_set_noise(network *w, int kind) {
    for (int l = 0; l < w->net.L; l++) w->layer[l].noise = 1 + (kind + l) % entry_count(fgd_noise_name);
}

/* A pass through 3 layers with noise of a strength (3,) on the inputs of each, then one without. */
static void test_noisy_pass(const fgd_engine *e, int hidden, int kind, int rows, const int *n, const double *strength) {
    fgd_noise noise = {.seed = 0x123456789abcdef, .step = ((int64_t)1 << 48) - 1, .strength = strength};
    pass p;
    pass_init(&p, 3, n, hidden, rows, 0.3);
    network_set_noise(&p.w, kind);
    fgd_workspace *workspace = e->workspace_new(&p.w.net, rows);
    check_pass(e, &p, workspace, &noise, 1 + rows % 3, 1 + rows % 2);
    check_pass(e, &p, workspace, NULL, 1, 1);
    e->workspace_free(workspace);
    release_arrays();
}

/*
 * A run in which noise is switched on and off: the bits must not depend on threads and chunks, and where rounding
 * errors stay small they must be close to the reference.
 */
static void test_noisy_run(const fgd_engine *e, int hidden, int kind, const int *n, int stays_small) {
    problem p;
    problem_init(&p,
                 &(problem_spec){.L = 3, .n = n, .hidden = hidden, .rows = 29, .batch = 11, .weighted = hidden % 2});
    network_set_noise(&p.w, kind);
    double *strength = doubles(p.steps * 3);
    for (ptrdiff_t i = 0; i < p.steps * 3; i++) strength[i] = i % 4 ? 0.1 * (double)(i % 7) : 0;
    p.noise = (fgd_noise){.seed = 77, .step = ((int64_t)1 << 32) - 3, .strength = strength};
    outcome first = train(same_bits_engine(e), &p, 1, 1);
    outcome want = stays_small ? reference_train(&p) : first;
    for (int threads = 1; threads <= 3; threads++) {
        outcome got = train(e, &p, threads, threads);
        check(!stays_small || close_to(e->bits, got.theta, want.theta, p.w.size), "%s with noise",
              fgd_activation_name(hidden));
        check(same_reals(e->bits, first.theta, got.theta, p.w.size), "bits with noise, %d threads", threads);
    }
    release_arrays();
}

static void noise(const fgd_engine *e) {
    static const int rows[] = {1, 2, 3, 13, 14, 64, 65}, widths[] = {1, 3, 16, 17, 63, 64, 65, 128, 130};
    static const double strengths[][3] = {{0.5, 0.25, 0.125}, {0.3, 0, 0.7}, {0, 0.9999999, 0}};
    static const int small[] = {7, 33, 65, 3}, shared_rows[] = {7, 133, 165, 3}; /* by threads: engine/partition.h */
    for (double v = 0x1p-32; v < 1; v *= 1.03125)
        check(fabs(two_sided_quantile(v) / libm_quantile(v) - 1) < 2e-7, "the normal quantile of %g", v);
    for (int i = 0; i < COUNT(rows); i++)
        for (int j = 0; j < COUNT(widths); j++) {
            const int n[] = {widths[j], 1 + j, widths[COUNT(widths) - 1 - j], 2};
            test_noisy_pass(e, (i + j) % entry_count(fgd_activation_name), i + j, rows[i], n, strengths[(i + j) % 3]);
        }
    for (int hidden = 0; fgd_activation_name(hidden); hidden++)
        for (int kind = 0; fgd_noise_name(kind); kind++) {
            test_noisy_run(e, hidden, kind, small, 1);
            if (hidden % entry_count(fgd_noise_name) == kind) test_noisy_run(e, hidden, kind, shared_rows, 0);
        }
}

#endif
