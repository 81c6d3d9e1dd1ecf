/*
 * stepwise.h: the parts of a step as separate calls, for custom training loops: forward, backward, loss, update.
 */
#ifndef FGD_STEPWISE_H
#define FGD_STEPWISE_H

#include "../kernels/gather.h"
#include "../kernels/loss_rows.h"
#include "../kernels/update.h"
#include "gradient.h"
#include "layers.h"
#include "team.h"
#include "transforms.h"
#include "tuner.h"
#include "workspace.h"

/* ---- forward ---- */

typedef struct {
    const fgd_workspace *workspace; /* and its noise */
    const real *theta;
    const fgd_table *X;
    real *Z;
} forward_call;

static void run_forward(void *argument, worker self) {
    const forward_call *call = argument;
    const fgd_workspace *w = call->workspace;
    int n = w->net->layer[w->net->L - 1].n_out;
    const layer_memory *in = &w->at[0], *out = &w->at[w->net->L];
    row_group g = own_rows(self, call->X->count);
    read_table(call->X, g.row0, g.row1, in->a + g.row0 * in->ld, in->ld);
    forward_rows(w, call->theta, &w->noise, &g);
    for (ptrdiff_t r = g.row0; r < g.row1; r++) memcpy(call->Z + r * n, out->a + r * out->ld, (size_t)n * sizeof(real));
}

static fgd_status forward(fgd_workspace *w, const void *theta, const fgd_table *X, const fgd_noise *noise, void *Z,
                          int n_threads) {
    forward_call call = {.workspace = w, .theta = theta, .X = X, .Z = Z};
    w->noise = (fgd_noise){0};
    if (noise && noise->strength) {
        w->noise = *noise;
        w->noise.strength = memcpy(w->strength, noise->strength, (size_t)w->net->L * sizeof *w->strength);
    }
    run_team(useful_threads(n_threads, forward_flops(w->net, X->count), MIN_FLOPS_OF_CALL), run_forward, &call);
    w->rows = X->count;
    return FGD_OK;
}

/* ---- backward ---- */

typedef struct {
    const fgd_workspace *workspace;
    const real *theta, *dZ;
    real *grad, *dX; /* dX may be NULL */
    int accumulate;
    spin_barrier barrier;
} backward_call;

/* A thread's rows of dX. */
static void input_gradient(const backward_call *call, const row_group *g) {
    const fgd_workspace *w = call->workspace;
    int n = w->net->layer[0].n_in;
    gemm_product p = {.operands = {.c = call->dX, .c_row = n}, .epilogue = {.kind = EPILOGUE_store}};
    layer_backward(w, 0, &p, g);
    if (is_masked(w, &w->noise, 0)) apply_mask(w, 0, call->dX, n, g->row0, g->row1);
}

static void run_backward(void *argument, worker self) {
    backward_call *call = argument;
    const fgd_workspace *w = call->workspace;
    const layer_memory *out = &w->at[w->net->L];
    int n = w->net->layer[w->net->L - 1].n_out;
    row_group g = own_rows(self, w->rows);
    transpose_all(w, call->theta, call->dX ? 0 : 1, self);
    for (ptrdiff_t r = g.row0; r < g.row1; r++)
        memcpy(out->dz + r * out->ld, call->dZ + r * n, (size_t)n * sizeof(real));
    barrier_wait(&call->barrier, self.size);
    backward_rows(w, &w->noise, &g);
    if (call->dX) input_gradient(call, &g);
    barrier_wait(&call->barrier, self.size);
    gradient_sink sink = {.grad = call->grad, .accumulate = call->accumulate};
    gradients(w, (int)w->rows, &sink, self, grid_of_rows(self));
}

static fgd_status backward(fgd_workspace *w, const void *theta, const void *dZ, void *grad, int accumulate, void *dX,
                           int n_threads) {
    backward_call call = {.workspace = w, .theta = theta, .dZ = dZ, .grad = grad, .dX = dX, .accumulate = accumulate};
    if (dX && !w->at[0].wt) {
        w->at[0].wt = alloc_zeroed(panels_bytes(&w->net->layer[0]));
        if (!w->at[0].wt) return FGD_NO_MEMORY;
    }
    run_team(useful_threads(n_threads, forward_flops(w->net, w->rows), MIN_FLOPS_OF_CALL), run_backward, &call);
    return FGD_OK;
}

/* ---- loss ---- */

/* On one thread: it is memory-bound, and short compared with the forward before it. */
static fgd_status loss_of_table(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                                double *row_losses, void *dZ) {
    real *y = alloc_zeroed((size_t)((ptrdiff_t)VL * n + loss_scratch(n)) * sizeof *y);
    if (!y) return FGD_NO_MEMORY;
    fgd_status status = FGD_OK;
    for (ptrdiff_t row = 0; row < Y->count && status != FGD_BAD_LABEL; row += VL) {
        loss_rows of = {.rows = Y->count - row < VL ? (int)(Y->count - row) : VL,
                        .n = n,
                        .z = (const real *)Z + row * n,
                        .y = y,
                        .ld = n,
                        .weight = weight ? (const real *)weight + row : NULL,
                        .scale = 1,
                        .dz = dZ ? (real *)dZ + row * n : NULL,
                        .dz_ld = n,
                        .loss = row_losses + row};
        read_table(Y, row, row + of.rows, y, n);
        status = compute_losses(loss, &of, y + (ptrdiff_t)VL * n);
    }
    free_aligned(y);
    return status == FGD_NOT_FINITE ? FGD_OK : status;
}

/* ---- update ---- */

/* An update with transforms: one step, on one thread. */
static fgd_status transformed_step(int rule, const double *coefficients, const fgd_transforms *transforms,
                                   ptrdiff_t size, const real *grad, real *theta, real *state) {
    size_t sums = round_up((size_t)theta_rows(transforms->net) * sizeof(double), LINE);
    double *squares = alloc_zeroed(sums + (rule == RULE_muon ? muon_scratch(transforms->net) * sizeof(real) : 0));
    if (!squares) return FGD_NO_MEMORY;
    spin_barrier barrier = {0};
    transformed_update u = {.transforms = transforms,
                            .rule = rule,
                            .coefficients = coefficients,
                            .n_steps = 1,
                            .size = size,
                            .grad = grad,
                            .theta = theta,
                            .state = state,
                            .squares = squares,
                            .muon = (real *)((char *)squares + sums),
                            .barrier = &barrier};
    apply_transformed(&u, 0, (worker){.rank = 0, .size = 1});
    free_aligned(squares);
    return FGD_OK;
}

static fgd_status update(int rule, const double *coefficients, const fgd_transforms *transforms, ptrdiff_t size,
                         const void *grad, void *theta, void *state) {
    if (transforms) return transformed_step(rule, coefficients, transforms, size, grad, theta, state);
    update_context u;
    update_init(&u, rule, coefficients, size, theta, state);
    update_flat(&u, 0, grad, size);
    return FGD_OK;
}

#endif
