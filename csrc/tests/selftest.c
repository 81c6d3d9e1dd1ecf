/*
 * selftest.c: every engine of this CPU against naive code in double precision, without Python.
 *
 * A group is one function below and its line in main; sizes straddle the engines' constants: VL (1 ... 16), NR = 2 VL,
 * MR (4 ... 14), KC = 512 or 1024, MC = 336, the 126 rows that predict takes at once.  All arrays are guarded (memory.h), so a
 * crash inside a group is a read or write outside an array.
 */
#include "tables.h"
#include "arrays.h"
#include "check.h"
#include "reference.h"
#include "reference_noise.h"
#include "runs.h"
#include "activations_and_losses.h"
#include "transforms.h"
#include "noise.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- whole networks ---- */

/* forward, predict and backward of n_in -> n -> n_in: all three products have all three shapes. */
static void one_product(const fgd_engine *e, int rows, int n_in, int n, int threads) {
    network w;
    reference r;
    network_init(&w, 2, (const int[]){n_in, n, n_in}, ACTIVATION_tanh, ACTIVATION_identity);
    double *X = random_numbers(rows * n_in, 1), *theta = random_numbers(w.size, 1 / sqrt(n_in)),
           *dZ = random_numbers(rows * n_in, 1);
    size_t outputs = (size_t)(rows * n_in) * size_of(e->bits);
    fgd_table table = real_table(e->bits, X, rows, n_in);
    void *t = reals(e->bits, theta, w.size), *d = reals(e->bits, dZ, rows * n_in);
    void *Z = array(outputs), *predicted = array(outputs), *grad = array((size_t)w.size * size_of(e->bits)),
         *dX = array(outputs);

    reference_init(&r, &w, rows, X);
    reference_forward(&r, theta);
    reference_backward(&r, theta, dZ);
    fgd_workspace *work = e->workspace_new(&w.net, rows);
    e->forward(work, t, &table, NULL, Z, threads);
    e->predict(&w.net, t, &table, predicted, threads);
    e->backward(work, t, d, grad, 0, dX, threads);
    e->workspace_free(work);
    check(close_to(e->bits, Z, r.a[2], rows * n_in), "forward %d x %d x %d", rows, n_in, n);
    check(!memcmp(Z, predicted, outputs), "predict %d x %d x %d has the bits of forward", rows, n_in, n);
    check(close_to(e->bits, grad, r.grad, w.size), "gradient %d x %d x %d", rows, n_in, n);
    check(close_to(e->bits, dX, r.dX, rows * n_in), "dX %d x %d x %d", rows, n_in, n);
    release_arrays();
}

static void products(const fgd_engine *e) {
    static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 28, 29, 125, 126, 127, 335, 336, 337};
    static const int widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65},
                     deep[] = {512, 513, 1024, 1025, 2049};
    for (int i = 0; i < COUNT(rows); i++)
        for (int j = 0; j < COUNT(widths); j++) one_product(e, rows[i], 7, widths[j], 1 + (i + j) % 3);
    for (int i = 0; i < COUNT(deep); i++) {
        one_product(e, 5, deep[i], 1 + i, 1);
        one_product(e, 15, deep[i], 33, 3);
        one_product(e, deep[i], 3, 17, 2);
    }
    for (int i = 1; i < 16; i++) one_product(e, i, 400, 331, 1 + i % 3); /* prefetched: more than L2_RESIDENT_BYTES */
    one_product(e, 31, 140, 1024, 2); /* and its rows collide: panels are packed */
    one_product(e, 15, 1100, 1024, 1); /* in blocks of k, too */
    one_product(e, 3, 1500, 1450, 2); /* more than CACHED_BYTES */
}

/* ---- training ---- */

/* Every pair of an activation, a loss and a rule: there are at least as many activations as rules. */
static void training(const fgd_engine *e) {
    for (int hidden = 0; fgd_activation_name(hidden); hidden++)
        for (int loss = 0; fgd_loss_name(loss); loss++) {
            int rule = (hidden + loss) % count_of(fgd_rule_name);
            int weighted = (hidden + rule) % 2, threads = 1 + (hidden + rule) % 3;
            const char *names[] = {fgd_activation_name(hidden), fgd_loss_name(loss), fgd_rule_name(rule)};
            /* Equal slopes whose sum is 0 but for rounding have no sign to step by. */
            if (strstr(names[1], "hinge") && !strcmp(names[2], "lion")) continue;
            problem p;
            problem_init(&p, 3, (const int[]){5, 33, 9, 1 + loss}, hidden, loss, rule, 13, 9, weighted);
            outcome want = reference_train(&p), got = train(e, &p, threads, 1);
            check(got.status == FGD_OK, "%s %s %s ends well", names[0], names[1], names[2]);
            check(close_to(e->bits, got.theta, want.theta, p.w.size), "%s %s %s", names[0], names[1], names[2]);
            check(close_to(e->bits, got.state, want.state, fgd_rule_slots(rule) * p.w.size), "state of %s %s %s",
                  names[0], names[1], names[2]);
            check(error_of(64, got.losses, want.losses, p.steps) < 20 * tolerance(e->bits), "losses of %s %s %s",
                  names[0], names[1], names[2]);
            release_arrays();
        }
}

/* Any number of threads, any cut into chunks and, with fused multiply-adds, any engine: the same bits. */
static void same_bits(const fgd_engine *e) {
    /* batch > KC: dW is summed in blocks; n[0] > KC: z is; few rows for many weights: threads share columns (partition.h);
       the last W is prefetched: more than L2_RESIDENT_BYTES */
    static const struct {
        int n[4], rows, batch;
    } shapes[] = {{{37, 65, 33, 10}, 80, 32}, {{1100, 40, 17, 3}, 60, 30},  {{3, 5, 16, 2}, 2200, 1100},
                  {{1, 1, 1, 2}, 3, 1},       {{170, 130, 99, 33}, 30, 12}, {{400, 350, 12, 3}, 60, 30}};
    for (int i = 0; i < COUNT(shapes); i++)
        for (int loss = 0; fgd_loss_name(loss); loss++) {
            int rule = (i + loss) % count_of(fgd_rule_name), hidden = (i + loss) % count_of(fgd_activation_name);
            problem p;
            problem_init(&p, 3, shapes[i].n, hidden, loss, rule, shapes[i].rows, shapes[i].batch, loss % 2);
            const fgd_engine *first = is_fused(e) ? fgd_find_engine(NULL, e->bits) : e;
            outcome want = train(first, &p, 1, 1);
            for (int threads = 0; threads <= 3; threads++) { /* 0: the engine decides */
                outcome got = train(e, &p, threads, threads == 3 ? (int)p.steps : threads + 1);
                const char *name = fgd_loss_name(loss);
                check(!memcmp(want.theta, got.theta, (size_t)p.w.size * size_of(e->bits)),
                      "theta, %s, shape %d, %d threads", name, i, threads);
                check(!memcmp(want.losses, got.losses, (size_t)p.steps * sizeof(double)),
                      "losses, %s, shape %d, %d threads", name, i, threads);
            }
            release_arrays();
        }
}

/* ---- what must be refused ---- */

/* A run that fails at step `at` leaves theta and state as the steps before it do. */
static void one_failure(const fgd_engine *e, problem *p, fgd_status status, ptrdiff_t at, const char *what) {
    for (int threads = 1; threads <= 3; threads++) {
        outcome got = train(e, p, threads, 1);
        ptrdiff_t steps = p->steps;
        p->steps = at;
        outcome want = train(e, p, 1, 1);
        p->steps = steps;
        check(got.status == status && got.failed == at, "%s is found at step %d", what, (int)at);
        check(!memcmp(got.theta, want.theta, (size_t)p->w.size * size_of(e->bits)), "%s leaves theta", what);
        check(!memcmp(got.state, want.state, (size_t)(fgd_rule_slots(p->rule) * p->w.size) * size_of(e->bits)),
              "%s leaves the state", what);
    }
}

static void failures(const fgd_engine *e) {
    int adam = row_named(fgd_rule_name, "adam"), labels = row_named(fgd_loss_name, "cross_entropy"),
        mse = row_named(fgd_loss_name, "mse");
    const double bad[] = {-1, 3, 1e300, NAN};
    problem p;
    for (int i = 0; i < COUNT(bad); i++) {
        problem_init(&p, 2, (const int[]){4, 6, 3}, ACTIVATION_relu, labels, adam, 24, 8, 0);
        p.Y[p.order[10]] = bad[i];
        one_failure(e, &p, FGD_BAD_LABEL, 1, "a bad label");
        release_arrays();
    }
    problem_init(&p, 2, (const int[]){170, 190, 3}, ACTIVATION_relu, labels, adam, 24, 8, 0); /* in a shared band */
    p.Y[p.order[13]] = 3;
    one_failure(e, &p, FGD_BAD_LABEL, 1, "a bad label of one thread");
    release_arrays();
    problem_init(&p, 2, (const int[]){4, 6, 3}, ACTIVATION_identity, mse, adam, 24, 8, 0);
    p.X[p.order[18] * 4] = e->bits == 32 ? 1e30 : 1e300;
    one_failure(e, &p, FGD_NOT_FINITE, 2, "a loss that overflows");
    p.X[p.order[18] * 4] = NAN;
    one_failure(e, &p, FGD_NOT_FINITE, 2, "a loss of NaN");
    p.X[p.order[18] * 4] = 0;
    for (int64_t row = -1; row <= 24; row += 25) {
        p.order[47] = row;
        outcome got = train(e, &p, 2, 1);
        check(got.status == FGD_BAD_ROW_NUMBER, "row number %d is refused", (int)row);
        check(close_to(e->bits, got.theta, p.theta, p.w.size), "and theta left");
    }
    release_arrays();

    double Z[4] = {0, INFINITY, 1, 2}, zero[4] = {0}, minus = -1, loss[4], dz[4];
    const fgd_loss row = {mse, constants}, classes = {labels, constants};
    fgd_table Y = real_table(64, zero, 4, 1), label = real_table(64, &minus, 1, 1);
    void *z = reals(e->bits, Z, 4);
    check(e->loss(&row, 1, z, &Y, NULL, loss, NULL) == FGD_OK, "losses that are not finite may be asked for");
    check(loss[0] == 0 && isinf(loss[1]) && loss[2] == 1 && loss[3] == 4, "the rows after one that is not finite");
    check(e->loss(&classes, 4, z, &label, NULL, loss, dz) == FGD_BAD_LABEL, "a bad label of one's own loop");
    release_arrays();
}

/* ---- known answers ---- */

/* FNV-1a (Fowler, Noll & Vo), continued. */
static uint64_t hash(uint64_t h, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
    return h;
}

/* theta after a short run is the same on every machine with fused multiply-adds.  Change the hashes only when a change
   of bits is meant, and say so in CHANGELOG.md: it ends the comparability of models with those of earlier versions. */
static void known_answers(const fgd_engine *e) {
    static const char *const runs[][3] = {
        {"tanh", "cross_entropy", "adam"}, {"sigmoid", "bce", "momentum"}, {"relu", "mse", "sgd"}};
    const uint64_t known = e->bits == 32 ? 0x97f944ed604456f7 : 0xcf591f82c012e8ed;
    uint64_t h = 0xcbf29ce484222325;
    random_state = 0;
    for (int i = 0; i < COUNT(runs); i++) {
        problem p;
        problem_init(&p, 2, (const int[]){9, 35, 3}, row_named(fgd_activation_name, runs[i][0]),
                     row_named(fgd_loss_name, runs[i][1]), row_named(fgd_rule_name, runs[i][2]), 50, 16, i % 2);
        outcome o = train(e, &p, 2, 1);
        h = hash(h, o.theta, (size_t)p.w.size * size_of(e->bits));
        release_arrays();
    }
    if (!at_start) printf(" %s f%d %016llx,", e->isa, e->bits, (unsigned long long)h);
    check(!is_fused(e) || h == known, "these are not the bits of earlier versions: %016llx", (unsigned long long)known);
}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(const fgd_engine *);
    } groups[] = {{"activations", activations},
                  {"losses", losses},
                  {"rules", rules},
                  {"types", types},
                  {"products", products},
                  {"training", training},
                  {"same bits", same_bits},
                  {"failures", failures},
                  {"regimes", regimes},
                  {"random words", random_words},
                  {"noise", noise},
                  {"known answers", known_answers}};
#ifdef _OPENMP
    omp_set_num_threads(3); /* on any machine: the engines start no more threads than OpenMP would */
#endif
    for (int g = 0; g < COUNT(groups); g++) {
        int before = passed;
        printf("%s:", groups[g].name);
        for (at_start = 0; at_start < 2; at_start++)
            for (int i = 0; fgd_isa_name(i); i++)
                for (int bits = 32; bits <= 64; bits += 32) {
                    fflush(stdout);
                    groups[g].run(engine = fgd_find_engine(fgd_isa_name(i), bits));
                    release_arrays();
                }
        printf(" %d checks\n", passed - before);
    }
    printf("%d passed, %d failed (%s)\n", passed, failed, fgd_compiler());
    return failed > 0;
}
