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

/* All the MEAN rows, some rows of outputs at a time: single outputs side by side, else along each row. */
#define MEAN(name)                                                                                      \
    static void name##_rows(const loss_block *b, const double *c) {                                     \
        if (b->n == 1) {                                                                                \
            real z[VL] = {0}, y[VL] = {0}, dz[VL];                                                      \
            for (int r = 0; r < b->rows; r++) z[r] = b->z[r * b->ld], y[r] = b->y[r * b->ld];           \
            lanes in = v_lanes(b->rows);                                                                \
            vec slope = name##_slope(v_load(z), v_load(y), c);                                          \
            v_store(dz, v_mul(v_load_part(b->scale, in), slope));                                       \
            v_store_part(b->loss, name##_value(v_load(z), v_load(y), c), in);                           \
            for (int r = 0; r < b->rows; r++) b->dz[r * b->dz_ld] = dz[r];                              \
            return;                                                                                     \
        }                                                                                               \
        for (int r = 0; r < b->rows; r++) {                                                             \
            const real *z = b->z + r * b->ld, *y = b->y + r * b->ld;                                    \
            vec scale = v_set(b->scale[r] / (real)b->n);                                                \
            row_sum sum = row_sum_zero();                                                               \
            for (int j = 0; j < b->n; j += VL) {                                                        \
                lanes in = v_lanes(b->n - j);                                                           \
                vec zj = v_load_part(z + j, in), yj = v_load_part(y + j, in);                           \
                row_sum_add(&sum, j, name##_value(zj, yj, c), in);                                      \
                v_store_part(b->dz + r * b->dz_ld + j, v_mul(scale, name##_slope(zj, yj, c)), in);      \
            }                                                                                           \
            b->loss[r] = row_sum_total(&sum) / (real)b->n;                                              \
        }                                                                                               \
    }
#define WHOLE(name)
FGD_LOSSES(MEAN, WHOLE, WHOLE)
#undef MEAN
#undef WHOLE

static void loss_rows(const fgd_loss *loss, const loss_block *b) {
    switch (loss->row) {
#define ROW(name) \
    case LOSS_##name: name##_rows(b, loss->constant); return;
        FGD_LOSSES(ROW, ROW, ROW)
#undef ROW
    }
}

static int label_is_bad(int loss, int n, real y) { return loss_needs_labels[loss] && !(y >= 0 && y < (real)n); }

/*
 * weight * loss of each row of outputs z (rows, n), and dz <- weight * scale * slope; weight NULL: 1.  y (rows, n or 1)
 * is laid out like z.
 */
static fgd_status loss_of_rows(const fgd_loss *loss, int rows, int n, const real *z, const real *y, ptrdiff_t ld,
                               const real *weight, double scale, real *dz, ptrdiff_t dz_ld, double *loss_of_row) {
    for (int row = 0; row < rows; row += VL) {
        real scales[VL], losses[VL] = {0};
        loss_block b = {rows - row < VL ? rows - row : VL, n, z + row * ld, y + row * ld, ld, scales,
                        dz + row * dz_ld, dz_ld, losses};
        for (int r = 0; r < b.rows; r++) {
            if (label_is_bad(loss->row, n, b.y[r * ld])) return FGD_BAD_LABEL;
            scales[r] = (real)((weight ? (double)weight[row + r] : 1) * scale);
        }
        loss_rows(loss, &b);
        for (int r = 0; r < b.rows; r++) {
            loss_of_row[row + r] = (weight ? (double)weight[row + r] : 1) * scale * (double)losses[r];
            if (!isfinite(loss_of_row[row + r])) return FGD_NOT_FINITE;
        }
    }
    return FGD_OK;
}

/* For validation and loops of one's own.  One thread: it is memory-bound, and small beside the forward before it. */
static fgd_status loss_of_table(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                                double *loss_of_row, void *dZ) {
    real *y = allocate((size_t)(2 * VL * n) * sizeof *y), *scratch = y + VL * n;
    if (!y) return FGD_NO_MEMORY;
    fgd_status status = FGD_OK;
    for (ptrdiff_t row = 0; row < Y->count && status != FGD_BAD_LABEL; row += VL) {
        int rows = Y->count - row < VL ? (int)(Y->count - row) : VL;
        for (int r = 0; r < rows; r++) read_row(Y, row + r, y + r * n);
        status = loss_of_rows(loss, rows, n, (const real *)Z + row * n, y, n,
                              weight ? (const real *)weight + row : NULL, 1, dZ ? (real *)dZ + row * n : scratch, n,
                              loss_of_row + row);
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
    barrier barrier;
    atomic_int status;
} training;

/* Rows [row0, row1) of step s: data in, losses and dz out. */
static void step_rows(training *t, ptrdiff_t s, int row0, int row1) {
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
    ptrdiff_t at = row0 * w->ld[L];
    fgd_status status =
        loss_of_rows(&chunk->loss, row1 - row0, w->net->layer[L - 1].n_out, w->a[L] + at, w->y + at, w->ld[L], weight,
                     total_weight > 0 ? 1 / total_weight : 0, w->dz[L] + at, w->ld[L], w->loss + row0);
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
    .loss = loss_of_table,
    .update = update,
    .train = train,
};

#ifdef FGD_TARGET_PUSHED
FGD_PRAGMA(clang attribute pop)
#endif
