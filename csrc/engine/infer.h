/*
 * passes.h: everything but training: prediction, and the steps of a loop of one's own.
 */
#ifndef FGD_INFER_H
#define FGD_INFER_H

#include "../kernels/gather.h"
#include "../kernels/loss_rows.h"
#include "../kernels/update.h"
#include "gradient.h"
#include "layers.h"
#include "team.h"
#include "transforms.h"

/* ---- forward, backward ---- */

typedef struct {
    fgd_workspace *work;
    const real *theta;
    const fgd_table *X;
    real *Z;
} forward_call; /* the noise is the work's */

static void forward_seat(void *argument, seat seat) {
    const forward_call *call = argument;
    const fgd_workspace *w = call->work;
    int L = w->net->L, n = w->net->layer[L - 1].n_out;
    band b = lone_band(seat, call->X->count);
    read_table(call->X, b.row0, b.row1, w->a[0] + b.row0 * w->ld[0], w->ld[0]);
    forward_rows(w, call->theta, &w->noise, &b);
    for (ptrdiff_t r = b.row0; r < b.row1; r++)
        memcpy(call->Z + r * n, w->a[L] + r * w->ld[L], (size_t)n * sizeof(real));
}

static fgd_status forward(fgd_workspace *w, const void *theta, const fgd_table *X, const fgd_noise *noise, void *Z,
                          int wanted) {
    forward_call call = {w, theta, X, Z};
    w->noise = (fgd_noise){0};
    if (noise && noise->strength) {
        w->noise = *noise;
        w->noise.strength = memcpy(w->amount, noise->strength, (size_t)w->net->L * sizeof *w->amount);
    }
    run_team(useful_threads(wanted, forward_flops(w->net, X->count), FLOPS_OF_CALL), forward_seat, &call);
    w->rows = X->count;
    return FGD_OK;
}

/* A seat's part of all W transposed, from layer `from` on, in whole panels. */
static void transpose_all(const fgd_workspace *w, const real *theta, int from, seat seat) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        patch part = {.j1 = layer->n_out};
        columns_of(seat, layer->n_in, &part.i0, &part.i1);
        if (l >= from) transpose_weights(layer, theta, w->wt[l], part);
        theta += block_size(layer);
    }
}

typedef struct {
    fgd_workspace *work;
    const real *theta, *dZ;
    real *grad, *dX; /* dX may be NULL */
    int adds;
    barrier barrier;
} backward_call;

static void backward_seat(void *argument, seat seat) {
    backward_call *call = argument;
    fgd_workspace *w = call->work;
    const fgd_layer *layer = w->net->layer;
    int L = w->net->L, n = layer[L - 1].n_out;
    band b = lone_band(seat, w->rows);
    transpose_all(w, call->theta, call->dX ? 0 : 1, seat);
    for (ptrdiff_t r = b.row0; r < b.row1; r++)
        memcpy(w->dz[L] + r * w->ld[L], call->dZ + r * n, (size_t)n * sizeof(real));
    barrier_wait(&call->barrier, seat.parts);
    backward_rows(w, &w->noise, &b);
    if (call->dX) {
        product p = {.c = call->dX, .c_row = layer[0].n_in, .finish = FINISH_store};
        layer_backward(&layer[0], w->wt[0], w->dz[1], w->ld[1], &p, &b);
        if (is_kept(w, &w->noise, 0)) keep_rows(w, 0, call->dX, layer[0].n_in, b.row0, b.row1);
    }
    barrier_wait(&call->barrier, seat.parts);
    gradient_sink sink = {.grad = call->grad, .adds = call->adds};
    gradients(w, (int)w->rows, &sink, seat, lone_grid(seat));
}

static fgd_status backward(fgd_workspace *w, const void *theta, const void *dZ, void *grad, int adds, void *dX,
                           int wanted) {
    backward_call call = {.work = w, .theta = theta, .dZ = dZ, .grad = grad, .dX = dX, .adds = adds};
    if (dX && !w->wt[0]) {
        w->wt[0] = allocate((size_t)panels_size(&w->net->layer[0]) * sizeof(real));
        if (!w->wt[0]) return FGD_NO_MEMORY;
    }
    run_team(useful_threads(wanted, forward_flops(w->net, w->rows), FLOPS_OF_CALL), backward_seat, &call);
    return FGD_OK;
}

/* ---- loss, update ---- */

/* For validation and loops of one's own.  One thread: it is memory-bound, and small beside the forward before it. */
static fgd_status loss_of_table(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                                double *loss_of_row, void *dZ) {
    real *y = allocate((size_t)((ptrdiff_t)VL * n + loss_scratch(n)) * sizeof *y);
    if (!y) return FGD_NO_MEMORY;
    fgd_status status = FGD_OK;
    for (ptrdiff_t row = 0; row < Y->count && status != FGD_BAD_LABEL; row += VL) {
        loss_rows of = {Y->count - row < VL ? (int)(Y->count - row) : VL,
                        n,
                        (const real *)Z + row * n,
                        y,
                        n,
                        weight ? (const real *)weight + row : NULL,
                        1,
                        dZ ? (real *)dZ + row * n : NULL,
                        n,
                        loss_of_row + row};
        read_table(Y, row, row + of.rows, y, n);
        status = losses_of(loss, &of, y + (ptrdiff_t)VL * n);
    }
    release(y);
    return status == FGD_NOT_FINITE ? FGD_OK : status;
}

static fgd_status update(int rule, const double *coefficient, const fgd_transforms *regime, ptrdiff_t size,
                         const void *grad, void *theta, void *state) {
    if (regime) return update_once_in_regime(rule, coefficient, regime, size, grad, theta, state);
    update_context u;
    update_init(&u, rule, coefficient, size, theta, state);
    update_flat(&u, 0, grad, size);
    return FGD_OK;
}

/* ---- prediction ---- */

/* Rows that pass through all layers at once, so that their activations stay in L2. */
enum { PREDICT_ROWS = 126, SMALL_SCRATCH = 4096 };

/* Whether a product can read X where it is. */
static int reads_in_place(const fgd_table *X) {
    return X->type == TYPE_real && X->stride % (ptrdiff_t)sizeof(real) == 0 && !collide(X->stride);
}

/* Rows [row0, row0 + rows) of X to Z, by way of two matrices of activations.  0: X is not finite there. */
static int predict_rows(const fgd_net *net, const real *theta, const fgd_table *X, real *Z, ptrdiff_t row0, int rows,
                        ptrdiff_t ld, real *scratch) {
    real *hidden[2] = {scratch, scratch + rows * ld};
    const real *from = hidden[1];
    ptrdiff_t from_ld = ld;
    if (reads_in_place(X))
        from = (const real *)row_at(X, NULL, row0), from_ld = X->stride / (ptrdiff_t)sizeof(real);
    else
        read_table(X, row0, row0 + rows, hidden[1], ld);
    if (!rows_finite(from, from_ld, rows, X->width)) return 0;
    for (int l = 0; l < net->L; l++) {
        const fgd_layer *layer = &net->layer[l];
        int last = l == net->L - 1;
        real *to = last ? Z + row0 * layer->n_out : hidden[l % 2];
        ptrdiff_t to_ld = last ? layer->n_out : ld;
        layer_forward(layer, theta, from, from_ld, to, to_ld, NULL, 0, rows, 0, layer->n_out);
        activate_rows(layer, to, to_ld, 0, rows);
        from = to, from_ld = ld;
        theta += block_size(layer);
    }
    return 1;
}

typedef struct {
    const fgd_net *net;
    const real *theta;
    const fgd_table *X;
    real *Z, *scratch;
    int blocks;         /* of rows                                                 */
    ptrdiff_t ld, each; /* of the scratch: distance of rows, and numbers of a thread */
    atomic_int next;    /* block that nobody has taken: a thread without a core holds up no other */
    atomic_int status;
} predict_call;

static void predict_seat(void *argument, seat seat) {
    predict_call *call = argument;
    for (int b; (b = atomic_fetch_add_explicit(&call->next, 1, memory_order_relaxed)) < call->blocks;) {
        ptrdiff_t row0 = share(call->X->count, b, call->blocks), row1 = share(call->X->count, b + 1, call->blocks);
        if (!predict_rows(call->net, call->theta, call->X, call->Z, row0, (int)(row1 - row0), call->ld,
                          call->scratch + seat.part * call->each))
            atomic_store_explicit(&call->status, FGD_NOT_FINITE,
                                  memory_order_relaxed); /* the region's end publishes it */
    }
}

static fgd_status predict(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int wanted) {
    int widest = 0;
    for (int l = 0; l < net->L; l++) widest = net->layer[l].n_in > widest ? net->layer[l].n_in : widest;
    ptrdiff_t rows = X->count < PREDICT_ROWS ? X->count : PREDICT_ROWS, ld = odd_lines(widest);
    int blocks = (int)((X->count + PREDICT_ROWS - 1) / PREDICT_ROWS);
    int threads = useful_threads(wanted, forward_flops(net, X->count), FLOPS_OF_PREDICTION);
    blocks = (blocks + threads - 1) / threads * threads; /* the same number for each */
    if (blocks > X->count) blocks = (int)X->count;
    if (threads > blocks) threads = blocks > 0 ? blocks : 1;
    predict_call call = {net, theta, X, Z, NULL, blocks, ld, 2 * rows * ld, 0, FGD_OK};

    real small[SMALL_SCRATCH];
    call.scratch = call.each * threads > SMALL_SCRATCH ? obtain((size_t)(call.each * threads) * sizeof(real)) : small;
    if (!call.scratch) return FGD_NO_MEMORY;
    run_team(threads, predict_seat, &call);
    if (call.scratch != small) release(call.scratch);
    return (fgd_status)atomic_load(&call.status);
}

#endif
