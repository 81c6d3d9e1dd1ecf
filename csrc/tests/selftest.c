/*
 * selftest.c: every engine of this CPU against naive code in double precision, without Python.
 *
 * A group is one function below and its line in main; sizes straddle the engines' constants: VL (1 ... 16), NR = 2 VL,
 * MR (4 ... 14), KC = 512, MC = 252, the 126 rows that predict takes at once.  All arrays are guarded (memory.h), so a
 * crash inside a group is a read or write outside an array.
 */
#include "../activations.h"
#include "../fastgd.h"
#include "../rows.h"

#include "memory.h"
#include "reference.h"

#include <stdarg.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static int passed, failed;

static void check(int ok, const char *format, ...) {
    ok ? passed++ : failed++;
    if (ok) return;
    va_list what;
    va_start(what, format);
    printf("\n    FAILED: ");
    vprintf(format, what);
    va_end(what);
}

static const char *title(const fgd_engine *e) {
    static char text[32];
    snprintf(text, sizeof text, "%s f%d", e->isa, e->bits);
    return text;
}

/* Engines whose multiply-add is rounded once, and which therefore agree in every bit. */
static int is_fused(const fgd_engine *e) { return strcmp(e->isa, "scalar") != 0; }

/* Sums of up to 1025 products of numbers below 1, and what functions make of them, lose less than 300 units. */
static double tolerance(int bits) { return 300 * (bits == 32 ? 0x1p-23 : 0x1p-52); }

/* The largest difference of got (count,), of the engine's width, from want; NaN if one is NaN. */
static double error_of(int bits, const void *got, const double *want, ptrdiff_t count) {
    double error = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        double difference = fabs(real_at(bits, got, i) - want[i]);
        if (!(difference <= error)) error = difference;
    }
    return error;
}

/* They differ by rounding errors of the size of want's largest number. */
static int close_to(int bits, const void *got, const double *want, ptrdiff_t count) {
    double largest = 0;
    for (ptrdiff_t i = 0; i < count; i++) largest = fmax(largest, fabs(want[i]));
    return error_of(bits, got, want, count) <= tolerance(bits) * largest;
}

static double *random_numbers(ptrdiff_t count, double scale) {
    double *x = doubles(count);
    for (ptrdiff_t i = 0; i < count; i++) x[i] = (double)(float)(scale * random_number());
    return x;
}

static double *random_parts(ptrdiff_t count) { /* of 1 */
    double *x = doubles(count);
    for (ptrdiff_t i = 0; i < count; i++) x[i] = (double)(float)(0.5 + 0.5 * random_number());
    return x;
}

/* Targets that a loss takes: class numbers (rows, 1), or numbers of (0, 1) (rows, n). */
static double *random_targets(int loss, int rows, int n) {
    if (!fgd_loss_needs_labels(loss)) return random_parts(rows * n);
    double *y = doubles(rows);
    for (int i = 0; i < rows; i++) y[i] = floor(n * (0.5 + 0.5 * random_number()));
    return y;
}

static int row_named(const char *(*name)(int), const char *wanted) {
    int row = 0;
    while (strcmp(name(row), wanted) != 0) row++;
    return row;
}

static fgd_table table_of(int type, size_t size, const void *data, ptrdiff_t count, int width) {
    return (fgd_table){data, type, width, count, (ptrdiff_t)size * width};
}
static fgd_table real_table(int bits, const double *x, ptrdiff_t count, int width) {
    return table_of(bits == 32 ? TYPE_float32 : TYPE_float64, size_of(bits), reals(bits, x, count * width), count, width);
}

/* ---- functions of one number, one row, one weight ---- */

static void activations(const fgd_engine *e) {
    enum { COUNT_Z = 61 };
    double *z = doubles(COUNT_Z), *ones = doubles(COUNT_Z), one = 1;
    for (int i = 0; i < COUNT_Z; i++) z[i] = (i - 30) * 0.171875 + 0.015625, ones[i] = 1; /* not at a kink */
    for (int row = 0; fgd_activation_name(row); row++) {
        fgd_layer layer = {1, 1, 0, row, constants};
        fgd_net net = {1, &layer};
        fgd_work *work = e->work_new(&net, COUNT_Z);
        fgd_table X = real_table(e->bits, z, COUNT_Z, 1);
        void *theta = reals(e->bits, &one, 1), *g = reals(e->bits, ones, COUNT_Z), *grad = array(size_of(e->bits));
        void *a = array(COUNT_Z * size_of(e->bits)), *dz = array(COUNT_Z * size_of(e->bits));
        e->forward(work, theta, &X, a, 1);
        e->backward(work, theta, g, grad, dz, 1);
        e->work_free(work);

        double *above = doubles(COUNT_Z), *below = doubles(COUNT_Z), h = 1e-6;
        for (int i = 0; i < COUNT_Z; i++) ones[i] = z[i] + h;
        reference_activation(&layer, COUNT_Z, ones, above, NULL, NULL);
        for (int i = 0; i < COUNT_Z; i++) ones[i] = z[i] - h;
        reference_activation(&layer, COUNT_Z, ones, below, NULL, NULL);
        double error = 0;
        for (int i = 0; i < COUNT_Z; i++) {
            error = fmax(error, fabs(real_at(e->bits, dz, i) - (above[i] - below[i]) / (2 * h)));
            ones[i] = 1;
        }
        check(error < tolerance(e->bits) + 1e-8, "slope of %s", fgd_activation_name(row));
        for (int i = 0; i < COUNT(libm_activations); i++) {
            if (strcmp(libm_activations[i].name, fgd_activation_name(row)) != 0) continue;
            for (int j = 0; j < COUNT_Z; j++) above[j] = libm_activations[i].f(z[j]);
            check(close_to(e->bits, a, above, COUNT_Z), "values of %s", fgd_activation_name(row));
        }
    }
}

/* By how much dZ (n,) differs from the slope of one row's loss, by central differences. */
static double slope_error(int row, int n, double *Z, const double *Y, const double *dZ) {
    double h = 1e-6, error = 0, above, below, *ignored = doubles(n);
    for (int j = 0; j < n; j++) {
        double kept = Z[j];
        Z[j] = kept + h;
        reference_loss(row, n, 1, Z, Y, &above, ignored);
        Z[j] = kept - h;
        reference_loss(row, n, 1, Z, Y, &below, ignored);
        Z[j] = kept;
        error = fmax(error, fabs((above - below) / (2 * h) - dZ[j]));
    }
    return error;
}

/* Losses and slopes of `rows` rows of n outputs, with weights or without. */
static void one_loss(const fgd_engine *e, int row, int rows, int n, int weighted) {
    double *Z = random_numbers(rows * n, 4), *Y = random_targets(row, rows, n), *weight = random_numbers(rows, 1);
    double *want = doubles(rows), *want_dz = doubles(rows * n), *got = doubles(rows);
    void *z = reals(e->bits, Z, rows * n), *w = reals(e->bits, weight, rows), *dz = array((size_t)(rows * n) * size_of(e->bits));
    fgd_table y = real_table(e->bits, Y, rows, fgd_loss_needs_labels(row) ? 1 : n);
    const fgd_loss loss = {row, constants};
    const char *name = fgd_loss_name(row);

    reference_loss(row, n, rows, Z, Y, want, want_dz);
    for (int i = 0; i < COUNT(libm_losses); i++) {
        if (strcmp(libm_losses[i].name, name) != 0) continue;
        for (int r = 0; r < rows; r++) got[r] = libm_losses[i].f(n, Z + r * n, Y + r * y.width);
        check(error_of(64, got, want, rows) < 20 * tolerance(64), "value of %s, n %d", name, n);
    }
    if (rows == 1) check(slope_error(row, n, Z, Y, want_dz) < 1e-8 * fmax(1, fabs(want[0])), "slope of %s, n %d", name, n);
    for (int r = 0; r < rows && weighted; r++) {
        want[r] *= weight[r];
        for (int j = 0; j < n; j++) want_dz[r * n + j] *= weight[r];
    }
    fgd_status status = e->loss(&loss, n, z, &y, weighted ? w : NULL, got, dz);
    double *without_dz = doubles(rows);
    e->loss(&loss, n, z, &y, weighted ? w : NULL, without_dz, NULL);
    check(status == FGD_OK && error_of(64, got, want, rows) < 20 * tolerance(e->bits), "%s of %d rows of %d", name, rows, n);
    check(close_to(e->bits, dz, want_dz, rows * n), "slope of %s of %d rows of %d", name, rows, n);
    check(!memcmp(got, without_dz, (size_t)rows * sizeof *got), "%s without dZ", name);
    release_arrays();
}

static void losses(const fgd_engine *e) {
    static const int rows[] = {1, 2, 7, 8, 9, 15, 16, 17, 33}, outputs[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33};
    for (int row = 0; fgd_loss_name(row); row++)
        for (int i = 0; i < COUNT(rows); i++)
            for (int j = 0; j < COUNT(outputs); j++) one_loss(e, row, rows[i], outputs[j], (i + j) % 2);
}

static void rules(const fgd_engine *e) {
    static const int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100};
    for (int row = 0; fgd_rule_name(row); row++)
        for (int i = 0; i < COUNT(sizes); i++) {
            int size = sizes[i], slots = fgd_rule_slots(row);
            double *g = random_numbers(size, 1), *theta = random_numbers(size, 1), *state = doubles(slots * size);
            void *tg = reals(e->bits, g, size), *t = reals(e->bits, theta, size), *s = reals(e->bits, state, slots * size);
            for (int step = 0; step < 3; step++) {
                double weight = theta[0], own[8];
                for (int k = 0; k < slots; k++) own[k] = state[k * size];
                e->update(row, coefficients, size, tg, t, s);
                reference_update(row, size, g, theta, state);
                for (int k = 0; k < COUNT(plain_rules); k++) {
                    if (strcmp(plain_rules[k].name, fgd_rule_name(row)) != 0) continue;
                    plain_rules[k].f(&weight, g[0], own, coefficients);
                    check(fabs(weight - theta[0]) < 1e-14, "value of %s", fgd_rule_name(row));
                }
            }
            check(close_to(e->bits, t, theta, size), "%s on %d weights", fgd_rule_name(row), size);
            check(close_to(e->bits, s, state, slots * size), "state of %s on %d weights", fgd_rule_name(row), size);
            release_arrays();
        }
}

/* ---- whole networks ---- */

/* Types of numbers: integers 0 ... 7 of every type, rows upwards in memory with a gap, give what doubles give. */
#define TO_AS_REAL(x) (x)
#define TO_real_of_half(x) ((x) ? 0x3c00 + ((int)log2(x) << 10) + (int)(((x) / exp2(floor(log2(x))) - 1) * 1024) : 0)
static void types(const fgd_engine *e) {
    enum { ROWS = 5, WIDTH = 11, GAP = 3 };
    double numbers[ROWS * WIDTH], theta[WIDTH];
    network w;
    network_init(&w, 1, (const int[]){WIDTH, 1}, 0, 0);
    w.layer[0].bias = 0;
    for (int i = 0; i < ROWS * WIDTH; i++) numbers[i] = i % 8;
    for (int j = 0; j < WIDTH; j++) theta[j] = random_number();
    for (int type = 0; fgd_type_name(type); type++) {
        fgd_table plain = real_table(64, numbers, ROWS, WIDTH), table = plain;
        void *t = reals(e->bits, theta, WIDTH), *want = array(ROWS * size_of(e->bits)), *got = array(ROWS * size_of(e->bits));
        switch (type) {
#define ROW(name, c_type, convert)                                                                              \
    case TYPE_##name: {                                                                                         \
        c_type *to = array(((ROWS - 1) * (WIDTH + GAP) + WIDTH) * sizeof *to);                                  \
        for (int i = 0; i < ROWS * WIDTH; i++)                                                                  \
            to[(ROWS - 1 - i / WIDTH) * (WIDTH + GAP) + i % WIDTH] = (c_type)TO_##convert(numbers[i]);          \
        table = (fgd_table){to + (ROWS - 1) * (WIDTH + GAP), type, WIDTH, ROWS, -(WIDTH + GAP) * (int)sizeof *to}; \
    } break;
            FGD_TYPES(ROW)
#undef ROW
        }
        e->predict(&w.net, t, &plain, want, 1);
        e->predict(&w.net, t, &table, got, 1);
        check(!memcmp(want, got, ROWS * size_of(e->bits)), "%s", fgd_type_name(type));
        release_arrays();
    }
}

/* forward, predict and backward of n_in -> n -> n_in: all three products have all three shapes. */
static void one_product(const fgd_engine *e, int rows, int n_in, int n, int threads) {
    network w;
    reference r;
    network_init(&w, 2, (const int[]){n_in, n, n_in}, ACTIVATION_tanh, ACTIVATION_identity);
    double *X = random_numbers(rows * n_in, 1), *theta = random_numbers(w.size, 1 / sqrt(n_in)), *dZ = random_numbers(rows * n_in, 1);
    size_t outputs = (size_t)(rows * n_in) * size_of(e->bits);
    fgd_table table = real_table(e->bits, X, rows, n_in);
    void *t = reals(e->bits, theta, w.size), *d = reals(e->bits, dZ, rows * n_in);
    void *Z = array(outputs), *predicted = array(outputs), *grad = array((size_t)w.size * size_of(e->bits)), *dX = array(outputs);

    reference_init(&r, &w, rows, X);
    reference_forward(&r, theta);
    reference_backward(&r, theta, dZ);
    fgd_work *work = e->work_new(&w.net, rows);
    e->forward(work, t, &table, Z, threads);
    e->predict(&w.net, t, &table, predicted, threads);
    e->backward(work, t, d, grad, dX, threads);
    e->work_free(work);
    check(close_to(e->bits, Z, r.a[2], rows * n_in), "forward %d x %d x %d", rows, n_in, n);
    check(!memcmp(Z, predicted, outputs), "predict %d x %d x %d has the bits of forward", rows, n_in, n);
    check(close_to(e->bits, grad, r.grad, w.size), "gradient %d x %d x %d", rows, n_in, n);
    check(close_to(e->bits, dX, r.dX, rows * n_in), "dX %d x %d x %d", rows, n_in, n);
    release_arrays();
}

static void products(const fgd_engine *e) {
    static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 28, 29, 125, 126, 127, 251, 252, 253};
    static const int widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}, deep[] = {511, 512, 513, 1025};
    for (int i = 0; i < COUNT(rows); i++)
        for (int j = 0; j < COUNT(widths); j++) one_product(e, rows[i], 7, widths[j], 1 + (i + j) % 3);
    for (int i = 0; i < COUNT(deep); i++) {
        one_product(e, 1, deep[i], 1, 1);
        one_product(e, 15, deep[i], 33, 3);
        one_product(e, deep[i], 3, 17, 2);
    }
}

/* ---- training ---- */

typedef struct {
    network w;
    int loss, rule, rows;
    ptrdiff_t steps;
    double *X, *Y, *weight, *theta; /* weight: NULL without */
    int64_t *order, *start;
} problem;

typedef struct {
    fgd_status status;
    ptrdiff_t failed, done; /* steps: the one that failed, those before the chunk that ended */
    void *theta, *state;
    double *losses;
} outcome;

/* Two passes over the rows in a random order, the last batch of each smaller. */
static void problem_init(problem *p, int L, const int *n, int hidden, int loss, int rule, int rows, int batch, int weighted) {
    network_init(&p->w, L, n, hidden, ACTIVATION_identity);
    p->loss = loss, p->rule = rule, p->rows = rows, p->steps = 0;
    p->X = random_numbers(rows * n[0], 1), p->Y = random_targets(loss, rows, n[L]);
    p->theta = random_numbers(p->w.size, 0.5);
    p->weight = weighted ? random_parts(rows) : NULL;
    p->order = array((size_t)(2 * rows) * sizeof *p->order);
    p->start = array((size_t)(2 * ((rows + batch - 1) / batch) + 1) * sizeof *p->start);
    for (int i = 0; i < 2 * rows; i++) {
        int j = (int)((random_number() + 1) / 2 * (i % rows + 1)) + i / rows * rows;
        p->order[i] = p->order[j];
        p->order[j] = i % rows;
        if (i % rows % batch == 0) p->start[p->steps++] = i;
    }
    p->start[p->steps] = 2 * rows;
}

/* Train in `pieces` calls; stops at the first that fails. */
static outcome train(const fgd_engine *e, const problem *p, int threads, int pieces) {
    int bits = e->bits, count = fgd_rule_coefficients(p->rule), slots = fgd_rule_slots(p->rule);
    outcome o = {.theta = reals(bits, p->theta, p->w.size), .losses = doubles(p->steps)};
    o.state = array((size_t)(slots * p->w.size) * size_of(bits));
    double *c = doubles(p->steps * count);
    for (ptrdiff_t i = 0; i < p->steps * count; i++) c[i] = coefficients[i % count];
    ptrdiff_t batch = 1;
    for (ptrdiff_t s = 0; s < p->steps; s++) batch = p->start[s + 1] - p->start[s] > batch ? p->start[s + 1] - p->start[s] : batch;
    const fgd_layer *last = &p->w.layer[p->w.net.L - 1];
    fgd_chunk chunk = {.X = real_table(bits, p->X, p->rows, p->w.layer[0].n_in),
                       .Y = real_table(64, p->Y, p->rows, fgd_loss_needs_labels(p->loss) ? 1 : last->n_out),
                       .weight = p->weight ? reals(bits, p->weight, p->rows) : NULL,
                       .order = p->order, .loss = {p->loss, constants}, .rule = p->rule, .threads = threads,
                       .theta = o.theta, .state = o.state, .grad = array((size_t)p->w.size * size_of(bits))};
    for (int piece = 0; piece < pieces && o.status == FGD_OK; piece++) {
        o.done = p->steps * piece / pieces;
        chunk.start = p->start + o.done, chunk.coefficient = c + o.done * count, chunk.losses = o.losses + o.done;
        chunk.steps = p->steps * (piece + 1) / pieces - o.done;
        fgd_work *work = e->work_new(&p->w.net, batch);
        o.status = e->train(work, &chunk);
        o.failed = o.done + chunk.failed;
        e->work_free(work);
    }
    return o;
}

/* The same run in doubles: theta (size,), state (slots, size) and losses (steps,). */
static outcome reference_train(const problem *p) {
    int n_in = p->w.layer[0].n_in, n = p->w.layer[p->w.net.L - 1].n_out, width = fgd_loss_needs_labels(p->loss) ? 1 : n;
    outcome o = {.theta = reals(64, p->theta, p->w.size), .losses = doubles(p->steps)};
    o.state = doubles(fgd_rule_slots(p->rule) * p->w.size);
    for (ptrdiff_t s = 0; s < p->steps; s++) {
        int rows = (int)(p->start[s + 1] - p->start[s]);
        double *X = doubles(rows * n_in), *Y = doubles(rows * width), *loss = doubles(rows), *dZ = doubles(rows * n);
        double total = 0;
        reference r;
        for (int i = 0; i < rows; i++) {
            int64_t row = p->order[p->start[s] + i];
            memcpy(X + i * n_in, p->X + row * n_in, (size_t)n_in * sizeof *X);
            memcpy(Y + i * width, p->Y + row * width, (size_t)width * sizeof *Y);
            total += p->weight ? p->weight[row] : 1;
        }
        reference_init(&r, &p->w, rows, X);
        reference_forward(&r, o.theta);
        reference_loss(p->loss, n, rows, r.a[p->w.net.L], Y, loss, dZ);
        for (int i = 0; i < rows; i++) {
            double part = (p->weight ? p->weight[p->order[p->start[s] + i]] : 1) / total;
            o.losses[s] += part * loss[i];
            for (int j = 0; j < n; j++) dZ[i * n + j] *= part;
        }
        reference_backward(&r, o.theta, dZ);
        reference_update(p->rule, p->w.size, r.grad, o.theta, o.state);
    }
    return o;
}

static void training(const fgd_engine *e) {
    for (int hidden = 0; fgd_activation_name(hidden); hidden++)
        for (int loss = 0; fgd_loss_name(loss); loss++)
            for (int rule = 0; fgd_rule_name(rule); rule++) {
                int weighted = (hidden + loss + rule) % 2, threads = 1 + (hidden + loss + rule) % 3;
                problem p;
                problem_init(&p, 3, (const int[]){5, 33, 9, 1 + loss}, hidden, loss, rule, 13, 9, weighted);
                outcome want = reference_train(&p), got = train(e, &p, threads, 1);
                const char *names[] = {fgd_activation_name(hidden), fgd_loss_name(loss), fgd_rule_name(rule)};
                check(got.status == FGD_OK, "%s %s %s ends well", names[0], names[1], names[2]);
                check(close_to(e->bits, got.theta, want.theta, p.w.size), "%s %s %s", names[0], names[1], names[2]);
                check(close_to(e->bits, got.state, want.state, fgd_rule_slots(rule) * p.w.size), "state of %s %s %s", names[0],
                      names[1], names[2]);
                check(error_of(64, got.losses, want.losses, p.steps) < 20 * tolerance(e->bits), "losses of %s %s %s", names[0],
                      names[1], names[2]);
                release_arrays();
            }
}

/* Any number of threads, any cut into chunks and, with fused multiply-adds, any engine: the same bits. */
static void same_bits(const fgd_engine *e) {
    static const struct {
        int n[4], rows, batch; /* batch > KC: dW is summed in blocks; n[0] > KC: z is */
    } shapes[] = {{{37, 65, 33, 10}, 80, 32}, {{600, 40, 17, 3}, 60, 30}, {{3, 5, 16, 2}, 1100, 550}, {{1, 1, 1, 2}, 3, 1}};
    for (int i = 0; i < COUNT(shapes); i++)
        for (int loss = 0; fgd_loss_name(loss); loss++) {
            int rule = (i + loss) % 3, hidden = (i + loss) % 5;
            problem p;
            problem_init(&p, 3, shapes[i].n, hidden, loss, rule, shapes[i].rows, shapes[i].batch, loss % 2);
            const fgd_engine *first = is_fused(e) ? fgd_find_engine(NULL, e->bits) : e;
            outcome want = train(first, &p, 1, 1);
            for (int threads = 1; threads <= 3; threads++) {
                outcome got = train(e, &p, threads, threads == 3 ? (int)p.steps : threads);
                const char *name = fgd_loss_name(loss);
                check(!memcmp(want.theta, got.theta, (size_t)p.w.size * size_of(e->bits)), "theta, %s, shape %d, %d threads", name, i, threads);
                check(!memcmp(want.losses, got.losses, (size_t)p.steps * sizeof(double)), "losses, %s, shape %d, %d threads", name, i, threads);
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
        check(!memcmp(got.state, want.state, (size_t)(fgd_rule_slots(p->rule) * p->w.size) * size_of(e->bits)), "%s leaves the state", what);
    }
}

static void failures(const fgd_engine *e) {
    int adam = row_named(fgd_rule_name, "adam"), labels = row_named(fgd_loss_name, "cross_entropy"), mse = row_named(fgd_loss_name, "mse");
    const double bad[] = {-1, 3, 1e300, NAN};
    problem p;
    for (int i = 0; i < COUNT(bad); i++) {
        problem_init(&p, 2, (const int[]){4, 6, 3}, ACTIVATION_relu, labels, adam, 24, 8, 0);
        p.Y[p.order[10]] = bad[i];
        one_failure(e, &p, FGD_BAD_LABEL, 1, "a bad label");
        release_arrays();
    }
    problem_init(&p, 2, (const int[]){4, 6, 3}, ACTIVATION_relu, mse, adam, 24, 8, 0);
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
    static const char *const runs[][3] = {{"tanh", "cross_entropy", "adam"}, {"sigmoid", "bce", "momentum"}, {"relu", "mse", "sgd"}};
    const uint64_t known = e->bits == 32 ? 0 : 0;
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
    printf(" %s %016llx", title(e), (unsigned long long)h);
    check(!is_fused(e) || h == known, "these are not the bits of earlier versions: %016llx", (unsigned long long)known);
}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(const fgd_engine *);
    } groups[] = {{"activations", activations}, {"losses", losses}, {"rules", rules}, {"types", types}, {"products", products},
                  {"training", training}, {"same bits", same_bits}, {"failures", failures}, {"known answers", known_answers}};
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
                    groups[g].run(fgd_find_engine(fgd_isa_name(i), bits));
                    release_arrays();
                }
        printf(" %d checks\n", passed - before);
    }
    printf("%d passed, %d failed (%s)\n", passed, failed, fgd_compiler());
    return failed > 0;
}
