/*
 * engine.h: one engine, the same text for every instruction set and width of real (engines/<isa>_f<bits>.c).
 *
 * A step of training, as data flows: rows of X -> a[0] -> per layer a = f(a W + b) -> losses and dz[L] -> per layer from
 * the back dz = (dz W^T) f'(a) -> per layer dW = a^T dz, whose finished tiles go straight into the update of theta.
 *
 * Threads share a step in two phases.  First each takes its rows through everything up to dz; then each takes its rows
 * of every dW and updates them.  A barrier ends each phase.  No sum is shared, so bits do not depend on threads.
 */
#include "words.h"

#include "activations.h"
#include "losses.h"
#include "optimizers.h"

#include "gemm.h"
#include "rows.h"
#include "team.h"
#include "work.h"

#include "layers.h"
#include "update.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- losses ---- */

/* Loss of one row of outputs z (n,) against y; dz (n,) <- scale * its slope. */
static double loss_row(const fgd_loss *loss, int n, const real *z, const real *y, real scale, real *dz) {
    const double *c = loss->constant;
    switch (loss->row) {
#define MEAN(name)                                                               \
    case LOSS_##name: {                                                          \
        row_sum sum = row_sum_zero();                                            \
        vec s = v_set(scale / (real)n);                                          \
        for (int j = 0; j < n; j += VL) {                                        \
            lanes in = v_lanes(n - j);                                           \
            vec zj = v_load_part(z + j, in), yj = v_load_part(y + j, in);        \
            row_sum_add(&sum, j, name##_value(zj, yj, c), in);                   \
            v_store_part(dz + j, v_mul(s, name##_slope(zj, yj, c)), in);         \
        }                                                                        \
        return (double)row_sum_total(&sum) / n;                                  \
    }
#define WHOLE(name) \
    case LOSS_##name: return (double)name##_row(n, z, y, scale, dz, c);
        FGD_LOSSES(MEAN, WHOLE, WHOLE)
#undef MEAN
#undef WHOLE
    }
    return 0;
}

static int label_is_bad(int loss, int n, const real *y) {
    return fgd_loss_needs_labels(loss) && !(y[0] >= 0 && y[0] < (real)n);
}

/* For validation and loops of one's own.  One thread: it is memory-bound, and small beside the forward before it. */
static fgd_status loss_of_rows(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                               double *loss_of_row, void *dZ) {
    real *scratch = allocate((size_t)(n + Y->width) * sizeof *scratch);
    if (!scratch) return FGD_NO_MEMORY;
    real *y = scratch + n;
    fgd_status status = FGD_OK;
    for (ptrdiff_t r = 0; r < Y->count && status == FGD_OK; r++) {
        read_row(Y, r, y);
        if (label_is_bad(loss->row, n, y)) status = FGD_BAD_LABEL;
        if (status != FGD_OK) break;
        real w = weight ? ((const real *)weight)[r] : 1;
        real *dz = dZ ? (real *)dZ + r * n : scratch;
        loss_of_row[r] = (double)w * loss_row(loss, n, (const real *)Z + r * n, y, w, dz);
    }
    release(scratch);
    return status;
}

/* ---- threads ---- */

/* Threads of the next parallel region, at most. */
static int max_threads(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Below this many floating-point operations per thread and phase a second thread costs more than it brings. */
#define FLOPS_PER_THREAD 150e3

/* How many threads to start: `wanted`, or with 0 as many as pay for a phase of `flops` operations. */
static int useful_threads(int wanted, double flops) {
    int most = fgd_max_threads();
    if (wanted > 0) return most == 1 ? 1 : wanted;
    double worth = flops / FLOPS_PER_THREAD;
    return worth < 2 ? 1 : worth < most ? (int)worth : most;
}

/* Multiply-adds of a forward pass over `rows` rows, twice. */
static double forward_flops(const fgd_net *net, ptrdiff_t rows) {
    double flops = 0;
    for (int l = 0; l < net->L; l++) flops += 2. * (double)rows * (double)block_size(&net->layer[l]);
    return flops;
}

/* This thread's number in a team, and how many there are. */
typedef struct {
    int part, parts;
} seat;

static seat take_seat(void) {
#ifdef _OPENMP
    return (seat){omp_get_thread_num(), omp_get_num_threads()};
#else
    return (seat){0, 1};
#endif
}

/* ---- training ---- */

typedef struct {
    fgd_work *work;
    fgd_chunk *chunk;
    ptrdiff_t size; /* of theta */
    barrier barrier;
    atomic_int status;
} training;

/* Rows [row0, row1) of step s: data in, losses and dz out. */
static void step_rows(training *t, ptrdiff_t s, int row0, int row1) {
    fgd_work *w = t->work;
    const fgd_chunk *chunk = t->chunk;
    const int64_t *order = chunk->order + chunk->start[s];
    ptrdiff_t rows = chunk->start[s + 1] - chunk->start[s], ld = w->ld[w->net->L];
    const real *weight = chunk->weight;
    int n = w->net->layer[w->net->L - 1].n_out;

    double total_weight = (double)rows;
    if (weight) {
        total_weight = 0;
        for (ptrdiff_t r = 0; r < rows; r++) total_weight += (double)weight[order[r]];
    }
    double per_weight = total_weight > 0 ? 1 / total_weight : 0;

    for (int r = row0; r < row1; r++) {
        read_row(&chunk->X, order[r], w->a[0] + r * w->ld[0]);
        read_row(&chunk->Y, order[r], w->y + r * ld);
    }
    forward_rows(w, chunk->theta, row0, row1);
    int status = FGD_OK;
    for (int r = row0; r < row1; r++) {
        double scale = (weight ? (double)weight[order[r]] : 1) * per_weight;
        const real *y = w->y + r * ld;
        if (label_is_bad(chunk->loss.row, n, y)) {
            status = FGD_BAD_LABEL;
            break;
        }
        w->loss[r] = scale * loss_row(&chunk->loss, n, w->a[w->net->L] + r * ld, y, (real)scale, w->dz[w->net->L] + r * ld);
        if (!isfinite(w->loss[r])) status = FGD_NOT_FINITE;
    }
    if (status != FGD_OK)
        atomic_store_explicit(&t->status, status, memory_order_relaxed); /* the barrier publishes it */
    else
        backward_rows(w, row0, row1);
}

/* One thread's rows of every dW of step s, straight into theta, and of the transposed weights of the next step. */
static void step_update(training *t, ptrdiff_t s, seat seat) {
    const fgd_work *w = t->work;
    fgd_chunk *chunk = t->chunk;
    fused_context context = {.grad = chunk->grad};
    update_init(&context.update, chunk->rule, chunk->coefficient + s * fgd_rule_coefficients(chunk->rule), t->size,
                chunk->theta, chunk->state);
    real *theta = chunk->theta, *grad = chunk->grad;
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        product p = {.c = grad, .finish = finish_update, .context = &context};
        gradient_rows rows = layer_gradient(w, l, chunk->start[s + 1] - chunk->start[s], &p, seat.part, seat.parts);
        if (l > 0) transpose(layer, theta, w->wt[l], rows.first, rows.end < layer->n_in ? rows.end : layer->n_in);
        theta += block_size(layer);
        grad += block_size(layer);
    }
}

static double sum_of(const double *x, ptrdiff_t n) {
    double sum = 0;
    for (ptrdiff_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

/* All steps of a chunk, by one thread of a team. */
static void train_thread(training *t, seat seat) {
    fgd_chunk *chunk = t->chunk;
    for (ptrdiff_t s = 0; s < chunk->steps; s++) {
        ptrdiff_t rows = chunk->start[s + 1] - chunk->start[s];
        step_rows(t, s, (int)share(rows, seat.part, seat.parts), (int)share(rows, seat.part + 1, seat.parts));
        barrier_wait(&t->barrier, seat.parts);
        if (atomic_load_explicit(&t->status, memory_order_relaxed) != FGD_OK) {
            if (seat.part == 0) chunk->failed = s;
            return;
        }
        if (seat.part == 0) chunk->losses[s] = sum_of(t->work->loss, rows);
        step_update(t, s, seat);
        barrier_wait(&t->barrier, seat.parts);
    }
}

static void transpose_all(const fgd_work *w, const real *theta, int from) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        if (l >= from) transpose(layer, theta, w->wt[l], 0, layer->n_in);
        theta += block_size(layer);
    }
}

static ptrdiff_t theta_size(const fgd_net *net) {
    ptrdiff_t size = 0;
    for (int l = 0; l < net->L; l++) size += block_size(&net->layer[l]);
    return size;
}

static fgd_status train(fgd_work *w, fgd_chunk *chunk) {
    for (int64_t i = chunk->start[0]; i < chunk->start[chunk->steps]; i++)
        if (chunk->order[i] < 0 || chunk->order[i] >= chunk->X.count) return FGD_BAD_ROW_NUMBER;
    training t = {.work = w, .chunk = chunk, .size = theta_size(w->net)};
    w->rows = 0;
    transpose_all(w, chunk->theta, 1);
    int threads = useful_threads(chunk->threads, forward_flops(w->net, w->batch));
    (void)threads;
#pragma omp parallel num_threads(threads) if (threads > 1)
    train_thread(&t, take_seat());
    return (fgd_status)atomic_load(&t.status);
}

/* ---- a loop of one's own ---- */

static fgd_status forward(fgd_work *w, const void *theta, const fgd_table *X, void *Z, int wanted) {
    int L = w->net->L, n = w->net->layer[L - 1].n_out;
    int threads = useful_threads(wanted, forward_flops(w->net, X->count));
    (void)threads;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        seat seat = take_seat();
        ptrdiff_t row0 = share(X->count, seat.part, seat.parts), row1 = share(X->count, seat.part + 1, seat.parts);
        for (ptrdiff_t r = row0; r < row1; r++) read_row(X, r, w->a[0] + r * w->ld[0]);
        forward_rows(w, theta, (int)row0, (int)row1);
        for (ptrdiff_t r = row0; r < row1; r++)
            memcpy((real *)Z + r * n, w->a[L] + r * w->ld[L], (size_t)n * sizeof(real));
    }
    w->rows = X->count;
    return FGD_OK;
}

static void backward_thread(fgd_work *w, const real *dZ, real *grad, real *dX, barrier *b, seat seat) {
    const fgd_layer *layer = w->net->layer;
    int L = w->net->L, n = layer[L - 1].n_out;
    int row0 = (int)share(w->rows, seat.part, seat.parts), row1 = (int)share(w->rows, seat.part + 1, seat.parts);
    for (int r = row0; r < row1; r++) memcpy(w->dz[L] + r * w->ld[L], dZ + r * n, (size_t)n * sizeof(real));
    backward_rows(w, row0, row1);
    if (dX) {
        product p = {.c = dX, .c_row = layer[0].n_in, .finish = store_tile};
        layer_backward(&layer[0], w->wt[0], w->dz[1], w->ld[1], &p, row0, row1);
    }
    barrier_wait(b, seat.parts);
    for (int l = 0; l < L; l++) {
        product p = {.c = grad, .finish = store_tile};
        layer_gradient(w, l, w->rows, &p, seat.part, seat.parts);
        grad += block_size(&layer[l]);
    }
}

static void backward(fgd_work *w, const void *theta, const void *dZ, void *grad, void *dX, int wanted) {
    barrier b = {0};
    int threads = useful_threads(wanted, forward_flops(w->net, w->rows));
    (void)threads;
    transpose_all(w, theta, dX ? 0 : 1);
#pragma omp parallel num_threads(threads) if (threads > 1)
    backward_thread(w, dZ, grad, dX, &b, take_seat());
}

static void update(int rule, const double *coefficient, ptrdiff_t size, const void *grad, void *theta, void *state) {
    update_context context;
    update_init(&context, rule, coefficient, size, theta, state);
    update_flat(&context, grad, 0, size);
}

/* ---- prediction ---- */

/* Rows that pass through all layers at once, so that their activations stay in L2. */
enum { PREDICT_ROWS = 126, SMALL_SCRATCH = 4096 };

/* Rows [row0, row1) of X to Z, by way of two matrices of activations. */
static void predict_rows(const fgd_net *net, const real *theta, const fgd_table *X, real *Z, ptrdiff_t row0, int rows,
                         ptrdiff_t ld, real *scratch) {
    real *from = scratch, *to = scratch + PREDICT_ROWS * ld;
    if (rows < PREDICT_ROWS) to = scratch + rows * ld;
    for (int r = 0; r < rows; r++) read_row(X, row0 + r, from + r * ld);
    for (int l = 0; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        int last = l == net->L - 1;
        for (int r = 0; r < rows; r++) from[r * ld + layer->n_in] = 1;
        layer_forward(layer, theta, from, ld, last ? Z + row0 * layer->n_out : to, last ? layer->n_out : ld, 0, rows);
        real *used = from;
        from = to, to = used;
        theta += block_size(layer);
    }
}

static fgd_status predict(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int wanted) {
    int widest = 0;
    for (int l = 0; l < net->L; l++) widest = net->layer[l].n_in > widest ? net->layer[l].n_in : widest;
    ptrdiff_t ld = odd_lines(widest + 1), rows = X->count < PREDICT_ROWS ? X->count : PREDICT_ROWS;
    ptrdiff_t blocks = (X->count + PREDICT_ROWS - 1) / PREDICT_ROWS, each = 2 * rows * ld;
    int threads = useful_threads(wanted, forward_flops(net, X->count));
    if (threads > blocks) threads = (int)blocks;

    real small[SMALL_SCRATCH], *scratch = small;
    if (each * threads > SMALL_SCRATCH) scratch = allocate((size_t)(each * threads) * sizeof(real));
    if (!scratch) return FGD_NO_MEMORY;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        seat seat = take_seat();
        for (ptrdiff_t b = share(blocks, seat.part, seat.parts); b < share(blocks, seat.part + 1, seat.parts); b++) {
            ptrdiff_t row0 = share(X->count, b, blocks), row1 = share(X->count, b + 1, blocks);
            predict_rows(net, theta, X, Z, row0, (int)(row1 - row0), ld, scratch + seat.part * each);
        }
    }
    if (scratch != small) release(scratch);
    return FGD_OK;
}

#define FGD_JOIN_TEXT(a, b) a##_f##b
#define FGD_JOIN(a, b) FGD_JOIN_TEXT(a, b)
#define FGD_TEXT_TEXT(a) #a
#define FGD_TEXT(a) FGD_TEXT_TEXT(a)
const fgd_engine FGD_JOIN(FGD_ISA, FGD_BITS) = {
    .isa = FGD_TEXT(FGD_ISA),
    .bits = FGD_BITS,
    .max_threads = max_threads,
    .work_new = work_new,
    .work_free = work_free,
    .predict = predict,
    .forward = forward,
    .backward = backward,
    .loss = loss_of_rows,
    .update = update,
    .train = train,
};

#ifdef FGD_TARGET_PUSHED
FGD_PRAGMA(clang attribute pop)
#endif
