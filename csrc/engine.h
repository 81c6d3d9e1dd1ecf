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

#define MEAN(name)                                                                                                 \
    static vec name##_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {         \
        vec sum = v_set(0), one_of_n = v_set(1 / (real)n);                                                         \
        scale = v_mul(scale, one_of_n);                                                                            \
        for (int j = 0; j < n; j++) {                                                                              \
            vec zj = v_load(z + j * VL), yj = v_load(y + j * VL);                                                  \
            sum = v_add(sum, name##_value(zj, yj, c));                                                             \
            v_store(dz + j * VL, v_mul(scale, name##_slope(zj, yj, c)));                                           \
        }                                                                                                          \
        return v_mul(sum, one_of_n);                                                                               \
    }
#define WHOLE(name)
FGD_LOSSES(MEAN, WHOLE, WHOLE)
#undef MEAN
#undef WHOLE

static vec loss_columns(const fgd_loss *loss, int n, const real *z, const real *y, vec scale, real *dz) {
    switch (loss->row) {
#define ROW(name) \
    case LOSS_##name: return name##_columns(n, z, y, scale, dz, loss->constant);
        FGD_LOSSES(ROW, ROW, ROW)
#undef ROW
    }
    return v_set(0);
}

/* Some rows of outputs, their targets and what comes of them; y is (rows, n), or (rows, 1) for labels. */
typedef struct {
    int rows, n;
    const real *z, *y;
    ptrdiff_t ld;       /* of z and y            */
    const real *weight; /* (rows,), or NULL: 1   */
    double scale;
    real *dz; /* (rows, n) out: weight * scale * slope, or NULL */
    ptrdiff_t dz_ld;
    double *loss; /* (rows,) out: weight * scale * loss */
} loss_rows;

/* Numbers that `losses_of` needs for VL rows as columns. */
static ptrdiff_t loss_scratch(int n) { return 3 * (ptrdiff_t)n * VL; }

/* Loss and slope of all rows.  FGD_NOT_FINITE: of one of them; the rest is done. */
static fgd_status losses_of(const fgd_loss *loss, const loss_rows *of, real *scratch) {
    int labels = loss_needs_labels[loss->row], n = of->n;
    real *z = scratch, *y = z + n * VL, *dz = y + n * VL;
    fgd_status status = FGD_OK;
    for (int row = 0; row < of->rows; row += VL) {
        int rows = of->rows - row < VL ? of->rows - row : VL;
        real scale[VL] = {0}, value[VL];
        if (rows < VL) memset(scratch, 0, (size_t)(2 * n * VL) * sizeof *scratch);
        transpose(rows, n, of->z + row * of->ld, of->ld, z, VL);
        transpose(rows, labels ? 1 : n, of->y + row * of->ld, of->ld, y, VL);
        for (int r = 0; r < rows; r++) {
            if (labels && !(y[r] >= 0 && y[r] < (real)n)) return FGD_BAD_LABEL;
            scale[r] = (real)((of->weight ? (double)of->weight[row + r] : 1) * of->scale);
        }
        v_store(value, loss_columns(loss, n, z, y, v_load(scale), dz));
        if (of->dz) transpose(n, rows, dz, VL, of->dz + row * of->dz_ld, of->dz_ld);
        for (int r = 0; r < rows; r++) {
            of->loss[row + r] = (double)scale[r] * (double)value[r];
            if (!isfinite(of->loss[row + r])) status = FGD_NOT_FINITE;
        }
    }
    return status;
}

/* For validation and loops of one's own.  One thread: it is memory-bound, and small beside the forward before it. */
static fgd_status loss_of_table(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                                double *loss_of_row, void *dZ) {
    real *y = allocate((size_t)((ptrdiff_t)VL * n + loss_scratch(n)) * sizeof *y);
    if (!y) return FGD_NO_MEMORY;
    fgd_status status = FGD_OK;
    for (ptrdiff_t row = 0; row < Y->count && status != FGD_BAD_LABEL; row += VL) {
        loss_rows of = {Y->count - row < VL ? (int)(Y->count - row) : VL, n, (const real *)Z + row * n, y, n,
                        weight ? (const real *)weight + row : NULL, 1, dZ ? (real *)dZ + row * n : NULL, n,
                        loss_of_row + row};
        for (int r = 0; r < of.rows; r++) read_row(Y, row + r, y + r * n);
        status = losses_of(loss, &of, y + (ptrdiff_t)VL * n);
    }
    release(y);
    return status == FGD_NOT_FINITE ? FGD_OK : status;
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
    real *scratch;  /* (threads, loss_scratch) */
    barrier barrier;
    atomic_int status;
} training;

/* Rows [row0, row1) of step s: data in, losses and dz out. */
static void step_rows(training *t, ptrdiff_t s, int row0, int row1, int part) {
    fgd_work *w = t->work;
    const fgd_chunk *chunk = t->chunk;
    const int64_t *order = chunk->order + chunk->start[s];
    ptrdiff_t rows = chunk->start[s + 1] - chunk->start[s];
    int L = w->net->L;

    for (int r = row0; r < row1; r++) {
        read_row(&chunk->X, order[r], w->a[0] + r * w->ld[0]);
        read_row(&chunk->Y, order[r], w->y + r * w->ld[L]);
    }
    const real *weight = NULL;
    double total_weight = (double)rows;
    if (chunk->weight) {
        weight = w->weight + row0;
        total_weight = 0;
        for (ptrdiff_t r = 0; r < rows; r++) total_weight += (double)((const real *)chunk->weight)[order[r]];
        for (int r = row0; r < row1; r++) w->weight[r] = ((const real *)chunk->weight)[order[r]];
    }
    forward_rows(w, chunk->theta, row0, row1);
    int n = w->net->layer[L - 1].n_out;
    ptrdiff_t ld = w->ld[L], at = row0 * ld;
    loss_rows of = {row1 - row0, n, w->a[L] + at, w->y + at, ld, weight, total_weight > 0 ? 1 / total_weight : 0,
                    w->dz[L] + at, ld, w->loss + row0};
    fgd_status status = losses_of(&chunk->loss, &of, t->scratch + part * loss_scratch(n));
    if (status == FGD_OK)
        backward_rows(w, row0, row1);
    else
        atomic_store_explicit(&t->status, (int)status, memory_order_relaxed); /* the barrier publishes it */
}

/* One thread's rows of every dW of step s, straight into theta, and of the transposed weights of the next step. */
static void step_update(training *t, ptrdiff_t s, seat seat) {
    const fgd_work *w = t->work;
    fgd_chunk *chunk = t->chunk;
    fused_context context = {.grad = chunk->grad};
    update_init(&context.update, chunk->rule, chunk->coefficient + s * rule_coefficients[chunk->rule], t->size,
                chunk->theta, chunk->state);
    real *theta = chunk->theta, *grad = chunk->grad;
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        product p = {.c = grad, .finish = finish_update, .context = &context};
        gradient_rows rows = layer_gradient(w, l, chunk->start[s + 1] - chunk->start[s], &p, seat.part, seat.parts);
        if (l > 0) transpose_weights(layer, theta, w->wt[l], rows.first, rows.end < layer->n_in ? rows.end : layer->n_in);
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
        step_rows(t, s, (int)share(rows, seat.part, seat.parts), (int)share(rows, seat.part + 1, seat.parts),
                  seat.part);
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
        if (l >= from) transpose_weights(layer, theta, w->wt[l], 0, layer->n_in);
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
    int threads = useful_threads(chunk->threads, forward_flops(w->net, w->batch));
    ptrdiff_t scratch = threads * loss_scratch(w->net->layer[w->net->L - 1].n_out);
    training t = {.work = w, .chunk = chunk, .size = theta_size(w->net)};
    t.scratch = allocate((size_t)scratch * sizeof(real));
    if (!t.scratch) return FGD_NO_MEMORY;
    w->rows = 0;
    transpose_all(w, chunk->theta, 1);
#pragma omp parallel num_threads(threads) if (threads > 1)
    train_thread(&t, take_seat());
    release(t.scratch);
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
        layer_forward(layer, theta, from, ld, last ? Z + row0 * layer->n_out : to, last ? layer->n_out : ld, NULL, 0, rows);
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
    .loss = loss_of_table,
    .update = update,
    .train = train,
};

#ifdef FGD_TARGET_PUSHED
FGD_PRAGMA(clang attribute pop)
#endif
