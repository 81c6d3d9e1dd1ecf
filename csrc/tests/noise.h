/*
 * disturbed.h: the groups that test random words, and networks whose inputs and hidden layers are disturbed.
 */
#ifndef FGD_TEST_DISTURBED_H
#define FGD_TEST_DISTURBED_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "reference_noise.h"
#include "arrays.h"
#include "reference.h"
#include "runs.h"
#include "tables.h"

/* The known answers that Salmon et al. publish with Philox4x32-10 (Random123, kat_vectors); then any others. */
static void random_words(const fgd_engine *e) {
    static const struct {
        uint32_t c[4], k[2], answer[4];
    } known[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                 {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                  {0xffffffff, 0xffffffff},
                  {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                 {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                  {0xa4093822, 0x299f31d0},
                  {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
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

/* forward and backward of 3 layers whose inputs are all disturbed, by as much as `amount` says. */
static void one_disturbed(const fgd_engine *e, int hidden, int kind, int rows, const int *n, const double *amount) {
    network w;
    reference r;
    network_init(&w, 3, n, hidden, ACTIVATION_identity);
    for (int l = 0; l < 3; l++) w.layer[l].noise = 1 + (kind + l) % count_of(fgd_noise_name);
    double *X = random_numbers(rows * n[0], 1), *theta = random_numbers(w.size, 0.3),
           *dZ = random_numbers(rows * n[3], 1);
    fgd_table table = real_table(e->bits, X, rows, n[0]);
    fgd_noise of_step = {0x123456789abcdef, ((int64_t)1 << 48) - 1, 0, amount};
    void *t = reals(e->bits, theta, w.size), *d = reals(e->bits, dZ, rows * n[3]);
    void *Z = array((size_t)(rows * n[3]) * size_of(e->bits)), *grad = array((size_t)w.size * size_of(e->bits)),
         *dX = array((size_t)(rows * n[0]) * size_of(e->bits));
    reference_init(&r, &w, rows, X);
    reference_noise(&r, of_step.seed, of_step.step, amount);
    reference_forward(&r, theta);
    fgd_workspace *work = e->workspace_new(&w.net, rows);
    e->forward(work, t, &table, &of_step, Z, 1 + rows % 3);
    check(close_to(e->bits, Z, r.a[3], rows * n[3]), "disturbed forward, %d rows of %d", rows, n[0]);
    reference_backward(&r, theta, dZ);
    e->backward(work, t, d, grad, 0, dX, 1 + rows % 2);
    check(close_to(e->bits, grad, r.grad, w.size), "disturbed gradient, %d rows of %d", rows, n[0]);
    check(close_to(e->bits, dX, r.dX, rows * n[0]), "disturbed dX, %d rows of %d", rows, n[0]);

    memset(&r.noise, 0, sizeof r.noise);
    memcpy(r.a[0], X, (size_t)(rows * n[0]) * sizeof *X);
    reference_forward(&r, theta);
    reference_backward(&r, theta, dZ);
    e->forward(work, t, &table, NULL, Z, 1);
    e->backward(work, t, d, grad, 0, dX, 1);
    check(close_to(e->bits, Z, r.a[3], rows * n[3]), "forward without noise, %d rows of %d", rows, n[0]);
    check(close_to(e->bits, grad, r.grad, w.size), "gradient without noise, %d rows of %d", rows, n[0]);
    e->workspace_free(work);
    release_arrays();
}

/* A training in which amounts come and go, bit by bit the same with other threads and chunks and, where rounding errors
   stay small, as the reference does it. */
static void disturbed_training(const fgd_engine *e, int hidden, int kind, const int *n, int stays_small) {
    problem p;
    problem_init(&p, 3, n, hidden, 0, 0, 29, 11, hidden % 2);
    for (int l = 0; l < 3; l++) p.w.layer[l].noise = 1 + (kind + l) % count_of(fgd_noise_name);
    double *amount = doubles(p.steps * 3);
    for (ptrdiff_t i = 0; i < p.steps * 3; i++) amount[i] = i % 4 ? 0.1 * (double)(i % 7) : 0;
    p.amount = amount, p.seed = 77, p.first = ((int64_t)1 << 32) - 3;
    outcome first = train(is_fused(e) ? fgd_find_engine(NULL, e->bits) : e, &p, 1, 1);
    outcome want = stays_small ? reference_train(&p) : first;
    for (int threads = 1; threads <= 3; threads++) {
        outcome got = train(e, &p, threads, threads);
        check(!stays_small || close_to(e->bits, got.theta, want.theta, p.w.size), "%s with noise",
              fgd_activation_name(hidden));
        check(!memcmp(first.theta, got.theta, (size_t)p.w.size * size_of(e->bits)), "bits with noise, %d threads",
              threads);
    }
    release_arrays();
}

static void noise(const fgd_engine *e) {
    static const int rows[] = {1, 2, 3, 13, 14, 64, 65}, widths[] = {1, 3, 16, 17, 63, 64, 65, 128, 130};
    for (double v = 0x1p-32; v < 1; v *= 1.03125)
        check(fabs(two_sided_quantile(v) / libm_quantile(v) - 1) < 2e-7, "the normal number of %g", v);
    static const double amounts[][3] = {{0.5, 0.25, 0.125}, {0.3, 0, 0.7}, {0, 0.9999999, 0}};
    for (int i = 0; i < COUNT(rows); i++)
        for (int j = 0; j < COUNT(widths); j++)
            one_disturbed(e, (i + j) % count_of(fgd_activation_name), i + j, rows[i],
                          (const int[]){widths[j], 1 + j, widths[COUNT(widths) - 1 - j], 2}, amounts[(i + j) % 3]);
    for (int hidden = 0; fgd_activation_name(hidden); hidden++)
        for (int kind = 0; fgd_noise_name(kind); kind++) {
            disturbed_training(e, hidden, kind, (const int[]){7, 33, 65, 3}, 1);
            disturbed_training(e, hidden, kind, (const int[]){7, 133, 165, 3}, 0); /* threads share rows (partition.h) */
        }
}

#endif
