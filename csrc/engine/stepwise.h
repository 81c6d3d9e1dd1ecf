/*
 * stepwise.h: the parts of a step as separate calls, for custom training loops: forward, backward, loss, update.
 */
#ifndef FGD_STEPWISE_H
#define FGD_STEPWISE_H

#include <stdatomic.h>

#include "../kernels/gather.h"
#include "../kernels/loss_rows.h"
#include "../kernels/update.h"
#include "gradient.h"
#include "inputs.h"
#include "layers.h"
#include "micro_batch.h"
#include "team.h"
#include "transforms.h"
#include "workspace.h"

/* ---- forward ---- */

typedef struct {
    const fgd_workspace *workspace; /* and its noise */
    const real *theta;
    const fgd_table *X;
    real *Z;
    spin_barrier barrier;
    atomic_int status;
} forward_call;

static void run_forward(void *argument, worker self) {
    forward_call *call = argument;
    const fgd_workspace *w = call->workspace;
    TILES_ARE_USABLE(w->method);
    int n = w->net->layer[w->net->L - 1].n_out;
    const layer_memory *out = &w->at[w->net->L];
    const real *theta = call->theta + w->inputs_size;
    row_group g = own_rows(self, call->X->count, row_unit(w->net));
    gather_range range = {.begin = g.row0, .end = g.row1, .next = g.row1, .known = call->X->count};
    gather_inputs(w, call->X, &range, self.rank);
    if (!forward_inputs(w, call->theta, &g)) atomic_store(&call->status, FGD_BAD_CODE);
    if (w->bf16) {
        round_all_weights(w, theta, self);
        barrier_wait(&call->barrier, self.size);
    }
    forward_rows(w, theta, &w->noise, &g);
    for (ptrdiff_t r = g.row0; r < g.row1; r++) memcpy(call->Z + r * n, out->a + r * out->ld, (size_t)n * sizeof(real));
}

static fgd_status forward(fgd_workspace *w, const void *theta, const fgd_table *X, const fgd_noise *noise, void *Z,
                          int n_threads) {
    forward_call call = {.workspace = w, .theta = theta, .X = X, .Z = Z, .status = FGD_OK};
    w->noise = (fgd_noise){0};
    if (noise && noise->strength) {
        w->noise = *noise;
        w->noise.strength = memcpy(w->strength, noise->strength, (size_t)w->net->L * sizeof *w->strength);
    }
    int threads = useful_threads(n_threads, forward_flops(w->net, X->count), MIN_FLOPS_OF_CALL);
    if (!workspace_reserve(w, threads)) return FGD_NO_MEMORY;
    run_team(threads, run_forward, &call);
    w->rows = X->count;
    return (fgd_status)atomic_load(&call.status);
}

/* ---- backward ---- */

typedef struct {
    const fgd_workspace *workspace;
    const real *theta, *dZ;
    real *grad, *dX; /* dX may be NULL */
    int accumulate;
    spin_barrier barrier;
} backward_call;

static void run_backward(void *argument, worker self) {
    backward_call *call = argument;
    const fgd_workspace *w = call->workspace;
    TILES_ARE_USABLE(w->method);
    const layer_memory *out = &w->at[w->net->L];
    int n = w->net->layer[w->net->L - 1].n_out;
    row_group g = own_rows(self, w->rows, row_unit(w->net));
    const real *weights = call->theta + w->inputs_size;
    if (w->bf16)
        round_all_weights(w, weights, self);
    else
        transpose_all(w, weights, call->dX || w->net->n_inputs > 0 ? 0 : 1, self);
    for (ptrdiff_t r = g.row0; r < g.row1; r++)
        memcpy(out->dz + r * out->ld, call->dZ + r * n, (size_t)n * sizeof(real));
    barrier_wait(&call->barrier, self.size);
    backward_rows(w, &w->noise, &g);
    if (w->net->n_inputs > 0)
        backward_inputs(w, call->theta, &w->noise, call->dX, &g);
    else if (call->dX)
        first_layer_backward(w, &w->noise, call->dX, w->net->layer[0].n_in, &g);
    barrier_wait(&call->barrier, self.size);
    gradient_sink sink = {.grad = call->grad, .accumulate = call->accumulate};
    gradients(w, (int)w->rows, &sink, self, grid_of_rows(self));
    input_gradients(w, (int)w->rows, &sink, self);
}

static fgd_status backward(fgd_workspace *w, const void *theta, const void *dZ, void *grad, int accumulate, void *dX,
                           int n_threads) {
    backward_call call = {.workspace = w, .theta = theta, .dZ = dZ, .grad = grad, .dX = dX, .accumulate = accumulate};
    if (dX && !reserve_first_transpose(w)) return FGD_NO_MEMORY;
    int threads = useful_threads(n_threads, forward_flops(w->net, w->rows), MIN_FLOPS_OF_CALL);
    if (!workspace_reserve(w, threads)) return FGD_NO_MEMORY;
    run_team(threads, run_backward, &call);
    return FGD_OK;
}

/* ---- loss ---- */

/* Rows [row, row + VL) of Z and Y, or as many as there are; y: scratch memory of loss_memory(n) elements. */
static fgd_status loss_of_few_rows(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                                   double scale, ptrdiff_t row, double *row_losses, void *dZ, real *y) {
    loss_rows of = {.rows = Y->count - row < VL ? (int)(Y->count - row) : VL,
                    .n = n,
                    .z = (const real *)Z + row * n,
                    .y = y,
                    .ld = n,
                    .weight = weight ? (const real *)weight + row : NULL,
                    .scale = scale,
                    .dz = dZ ? (real *)dZ + row * n : NULL,
                    .dz_ld = n,
                    .loss = row_losses};
    read_table(Y, row, row + of.rows, y, n);
    return compute_losses(loss, &of, y + (ptrdiff_t)VL * n);
}

static real *loss_memory(int n) { return alloc_zeroed((size_t)((ptrdiff_t)VL * n + loss_scratch(n)) * sizeof(real)); }

/* On one thread: it is memory-bound, and short compared with the forward before it. */
COLD fgd_status loss_of_table(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                              double *row_losses, void *dZ) {
    DENORMALS_ARE_ZERO;
    real *y = loss_memory(n);
    if (!y) return FGD_NO_MEMORY;
    fgd_status status = FGD_OK;
    for (ptrdiff_t row = 0; row < Y->count && status != FGD_BAD_LABEL; row += VL)
        status = loss_of_few_rows(loss, n, Z, Y, weight, 1, row, row_losses + row, dZ, y);
    free_aligned(y);
    return status == FGD_NOT_FINITE ? FGD_OK : status;
}

/* Whether z[label] is the first of the largest values of z (n,). */
static int is_first_maximum(const real *z, int n, int label) {
    int not_first = 0;
    for (int j = 0; j < label; j++) not_first |= z[j] >= z[label];
    for (int j = label + 1; j < n; j++) not_first |= z[j] > z[label];
    return !not_first;
}

static ptrdiff_t count_correct(int n, const void *Z, const fgd_table *Y) {
    enum { ROWS = 128 };
    real label[ROWS];
    ptrdiff_t correct = 0;
    for (ptrdiff_t row = 0, end; row < Y->count; row = end) {
        end = row + ROWS < Y->count ? row + ROWS : Y->count;
        read_table(Y, row, end, label, 1);
        for (ptrdiff_t r = row; r < end; r++)
            correct += is_first_maximum((const real *)Z + r * n, n, (int)label[r - row]);
    }
    return correct;
}

/* Whether targets y (count,) lie in [bounds[0], bounds[1]] and are finite. */
static int targets_fit(const real *y, ptrdiff_t count, const double *bounds) {
    real low = (real)bounds[0], high = (real)bounds[1];
    int fit = 1;
    for (ptrdiff_t i = 0; i < count; i++) fit &= y[i] >= low && y[i] <= high && y[i] - y[i] == 0;
    return fit;
}

/* The sum of some weights >= 0 (count,), or their number if they are NULL; NaN if one is none. */
static double sum_of_weights(const real *weight, ptrdiff_t count) {
    if (!weight) return (double)count;
    double sum = 0;
    for (ptrdiff_t i = 0; i < count; i++) sum += weight[i] >= 0 ? (double)weight[i] : NAN;
    return isfinite(sum) ? sum : NAN;
}

/* The operations of a step of a chunk in the same order, and thus the same bits. */
COLD fgd_status mean_loss(const fgd_loss *loss, int n, const double *bounds, const void *Z, const fgd_table *Y,
                          const void *weight, double *mean, void *dZ) {
    DENORMALS_ARE_ZERO;
    double sum = sum_of_weights(weight, Y->count), row_losses[VL];
    if (isnan(sum)) return FGD_BAD_VALUE;
    real *y = loss_memory(n);
    if (!y) return FGD_NO_MEMORY;
    int rows, labels = loss_needs_labels[loss->kind];
    fgd_status status = FGD_OK;
    *mean = 0;
    for (ptrdiff_t row = 0; row < Y->count && status == FGD_OK; row += rows) {
        rows = Y->count - row < VL ? (int)(Y->count - row) : VL;
        status = loss_of_few_rows(loss, n, Z, Y, weight, sum > 0 ? 1 / sum : 0, row, row_losses, dZ, y);
        *mean = add_up(*mean, row_losses, rows);
        if (!labels && !targets_fit(y, (ptrdiff_t)rows * n, bounds)) status = FGD_BAD_VALUE;
    }
    free_aligned(y);
    return status;
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
    DENORMALS_ARE_ZERO;
    if (transforms) return transformed_step(rule, coefficients, transforms, size, grad, theta, state);
    update_context u;
    update_init(&u, rule, coefficients, size, theta, state);
    update_flat(&u, 0, grad, size);
    return FGD_OK;
}

/* The vectors that an update changes: theta, the slots of state, the average. */
enum { MAX_CHANGED = 3 };
typedef struct {
    real *x;
    ptrdiff_t count;
} changed_vector;

static int changed_vectors(int rule, const fgd_transforms *transforms, ptrdiff_t size, void *theta, void *state,
                           changed_vector *to) {
    int n = 0;
    to[n++] = (changed_vector){theta, size};
    if (rule_slots[rule] > 0) to[n++] = (changed_vector){state, rule_slots[rule] * size};
    if (transforms && transforms->average) to[n++] = (changed_vector){transforms->average, size};
    return n;
}

static int vector_is_finite(const real *x, ptrdiff_t count) {
    enum { ROW = 1 << 16 };
    ptrdiff_t rows = count / ROW;
    return all_finite(x, ROW, rows, ROW) && all_finite(x + rows * ROW, ROW, 1, (int)(count % ROW));
}

/* The sum of |x[i]|: an upper bound of each, and inf or NaN if one is. */
static double sum_of_magnitudes(const real *x, ptrdiff_t count) {
    enum { SUMS = 4 };
    vec sum[SUMS];
    real lane[VL];
    double total = 0;
    ptrdiff_t i = 0;
    for (int s = 0; s < SUMS; s++) sum[s] = v_set(0);
    for (; i + SUMS * VL <= count; i += SUMS * VL) {
        UNROLLED
        for (int s = 0; s < SUMS; s++) sum[s] = v_add(sum[s], v_abs(v_load(x + i + s * VL)));
    }
    for (; i < count; i += VL) sum[0] = v_add(sum[0], v_abs(v_load_part(x + i, v_lanes(count - i))));
    v_store(lane, v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
    for (int j = 0; j < VL; j++) total += (double)lane[j];
    return total;
}

/*
 * Whether no value can overflow in an update.  Let M bound |g|, |theta| and |state|, A >= 1 all coefficients and l1, and
 * E >= 1 their inverses.  A rule multiplies by coefficients, squares g once and divides by no less than 1 / E, so
 *
 *     |g + weight_decay theta| <= 2 A (1 + M)     slots <= 5 A**4 E (1 + M)**3     theta <= 6 A**4 E (1 + M)
 *
 * for each of tables/rules.h, and what they compute on the way is below the limit here.  Limits of the gradient and of
 * the norms of columns only make values smaller.
 */
static int cannot_overflow(int rule, const double *coefficients, const fgd_transforms *transforms, double M) {
    int groups = transforms ? transforms->n_groups : 1;
    double A = 1, E = 1, limit = FGD_BITS == 32 ? 0x1p120 : 0x1p1000;
    for (int i = 0; i < groups * rule_coefficients[rule]; i++) {
        double c = fabs(coefficients[i]);
        A = c > A ? c : A;
        E = c != 0 && 1 / c > E ? 1 / c : E;
    }
    for (int g = 0; transforms && g < groups; g++) A = transforms->per_group[g].l1 + A;
    return 64 * A * A * A * A * E * (1 + M) * (1 + M) * (1 + M) < limit;
}

static fgd_status checked_update(int rule, const double *coefficients, const fgd_transforms *transforms, ptrdiff_t size,
                                 const void *grad, void *theta, void *state, void *saved) {
    DENORMALS_ARE_ZERO;
    changed_vector changed[MAX_CHANGED];
    int n = changed_vectors(rule, transforms, size, theta, state, changed), finite = 1;
    double M = sum_of_magnitudes(grad, size);
    for (int i = 0; i < n; i++) M += sum_of_magnitudes(changed[i].x, changed[i].count);
    if (cannot_overflow(rule, coefficients, transforms, M))
        return update(rule, coefficients, transforms, size, grad, theta, state);

    if (!vector_is_finite(grad, size)) return FGD_NOT_FINITE;
    real *to = saved;
    for (int i = 0; i < n; to += changed[i++].count) memcpy(to, changed[i].x, (size_t)changed[i].count * sizeof(real));
    fgd_status status = update(rule, coefficients, transforms, size, grad, theta, state);
    for (int i = 0; i < n; i++) finite &= vector_is_finite(changed[i].x, changed[i].count);
    if (status == FGD_OK && finite) return FGD_OK;
    const real *from = saved;
    for (int i = 0; i < n; from += changed[i++].count)
        memcpy(changed[i].x, from, (size_t)changed[i].count * sizeof(real));
    return status == FGD_OK ? FGD_OVERFLOW : status;
}

#endif
