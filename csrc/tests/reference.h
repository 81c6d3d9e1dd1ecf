/*
 * reference.h: a network in double precision, written naively: three loops per product, one value at a time.
 *
 * Activations, losses and rules are computed one by one by the scalar float64 engine, so that a new entry is tested
 * without a new line here.  Those of formulas.h are compared with independent code as well.
 */
#ifndef FGD_TEST_REFERENCE_H
#define FGD_TEST_REFERENCE_H

#include <math.h>
#include <string.h>

#include "arrays.h"
#include "params.h"
#include "tables.h"

enum { MAX_LAYERS = 4 };
typedef struct {
    fgd_net net;
    fgd_layer layer[MAX_LAYERS];
    ptrdiff_t size; /* of theta */
} network;

/* Widths n (L + 1,); every second layer has no bias. */
static void network_init(network *w, int L, const int *n, int hidden, int output) {
    w->net = (fgd_net){.L = L, .layer = w->layer};
    w->size = 0;
    for (int l = 0; l < L; l++) {
        w->layer[l] = (fgd_layer){
            .n_in = n[l],
            .n_out = n[l + 1],
            .bias = l % 2 == 0,
            .activation = l == L - 1 ? output : hidden,
            .params = default_params,
        };
        w->size += (ptrdiff_t)(n[l] + w->layer[l].bias) * n[l + 1];
    }
}

static const fgd_engine *scalar_engine(void) { return fgd_find_engine("scalar", 64); }

/*
 * a (rows, n) <- f(z); dz (rows, n) <- dL/dz from g = dL/da, unless it is NULL: the outputs and the gradient of a
 * network of one layer whose weights are the identity matrix.
 */
static void reference_activation(const fgd_layer *layer, int rows, int n, const double *z, double *a, const double *g,
                                 double *dz) {
    double *identity = doubles(n * n), *grad = doubles(n * n);
    for (int i = 0; i < n * n; i++) identity[i] = i % (n + 1) == 0;
    fgd_layer single = {.n_in = n, .n_out = n, .activation = layer->activation, .params = layer->params};
    fgd_net net = {.L = 1, .layer = &single};
    fgd_workspace *workspace = scalar_engine()->workspace_new(&net, rows);
    fgd_table Z = {z, TYPE_float64, n, rows, n * (ptrdiff_t)sizeof *z};
    scalar_engine()->forward(workspace, identity, &Z, NULL, a, 1);
    if (dz) scalar_engine()->backward(workspace, identity, g, grad, 0, dz, 1);
    scalar_engine()->workspace_free(workspace);
}

/* The state of one pass through a network; z[l], a[l] (rows, n[l]). */
typedef struct {
    const network *w;
    int rows;
    double *z[MAX_LAYERS + 1], *a[MAX_LAYERS + 1];
    double *grad, *dX;               /* (size,), (rows, n[0]) */
    const double *noise[MAX_LAYERS]; /* (rows, n[l]) of the inputs of each layer, or NULL */
} reference;

static void reference_init(reference *r, const network *w, int rows, const double *X) {
    *r = (reference){.w = w, .rows = rows};
    r->a[0] = copy_of(X, rows * w->layer[0].n_in);
    for (int l = 0; l < w->net.L; l++) {
        r->z[l + 1] = doubles(rows * w->layer[l].n_out);
        r->a[l + 1] = doubles(rows * w->layer[l].n_out);
    }
    r->grad = doubles(w->size);
    r->dX = doubles(rows * w->layer[0].n_in);
}

/* x (rows, n[l]) <- x with the noise of the inputs of layer l; or x <- x times the factors that it has for a gradient. */
static void reference_apply_noise(const reference *r, int l, double *x, int is_gradient) {
    int kind = r->w->layer[l].noise;
    if (!kind || !r->noise[l]) return;
    for (int i = 0; i < r->rows * r->w->layer[l].n_in; i++) {
        if (is_gradient ? noise_has_mask[kind] : noise_multiplies[kind])
            x[i] *= r->noise[l][i];
        else if (!is_gradient && !noise_is_backward[kind])
            x[i] += r->noise[l][i];
    }
}

static void reference_forward(reference *r, const double *theta) {
    for (int l = 0; l < r->w->net.L; l++) {
        const fgd_layer *layer = &r->w->layer[l];
        int n_in = layer->n_in, n = layer->n_out;
        reference_apply_noise(r, l, r->a[l], 0);
        for (int i = 0; i < r->rows; i++) {
            double *z = r->z[l + 1] + i * n;
            for (int j = 0; j < n; j++) z[j] = layer->bias ? theta[n_in * n + j] : 0;
            for (int k = 0; k < n_in; k++)
                for (int j = 0; j < n; j++) z[j] += r->a[l][i * n_in + k] * theta[k * n + j];
        }
        reference_activation(layer, r->rows, n, r->z[l + 1], r->a[l + 1], NULL, NULL);
        theta += (n_in + layer->bias) * n;
    }
}

/* grad, dX <- from dZ (rows, n[L]), which is overwritten. */
static void reference_backward(reference *r, const double *theta, double *dZ) {
    double *g = dZ, *grad = r->grad + r->w->size;
    theta += r->w->size;
    for (int l = r->w->net.L - 1; l >= 0; l--) {
        const fgd_layer *layer = &r->w->layer[l];
        int n_in = layer->n_in, n = layer->n_out;
        double *below = l > 0 ? doubles(r->rows * n_in) : r->dX;
        reference_activation(layer, r->rows, n, r->z[l + 1], r->a[l + 1], g, g);
        theta -= (n_in + layer->bias) * n;
        grad -= (n_in + layer->bias) * n;
        memset(grad, 0, (size_t)((n_in + layer->bias) * n) * sizeof *grad);
        for (int i = 0; i < r->rows; i++)
            for (int k = 0; k < n_in + layer->bias; k++) {
                double a = k < n_in ? r->a[l][i * n_in + k] : 1, sum = 0;
                for (int j = 0; j < n; j++) {
                    grad[k * n + j] += a * g[i * n + j];
                    sum += theta[k * n + j] * g[i * n + j];
                }
                if (k < n_in) below[i * n_in + k] = sum;
            }
        reference_apply_noise(r, l, below, 1);
        g = below;
    }
}

/* value (rows,), dZ (rows, n) <- losses of Z (rows, n) and Y (rows, width) and their gradients, row by row. */
static fgd_status reference_loss(int kind, int n, int rows, const double *Z, const double *Y, double *value,
                                 double *dZ) {
    const fgd_loss loss = loss_of_kind(kind);
    int width = fgd_loss_needs_labels(kind) ? 1 : n;
    fgd_status status = FGD_OK;
    for (int i = 0; i < rows && status == FGD_OK; i++) {
        fgd_table y = {Y + i * width, TYPE_float64, width, 1, 0};
        status = scalar_engine()->loss(&loss, n, Z + i * n, &y, NULL, value + i, dZ + i * n);
    }
    return status;
}

/* Element i of theta (size,) and of state (slots, size) <- one step of a rule with gradient g. */
static void reference_update_one(int rule, const double *c, ptrdiff_t size, ptrdiff_t i, double g, double *theta,
                                 double *state) {
    int slots = fgd_rule_slots(rule);
    double s[8];
    for (int k = 0; k < slots; k++) s[k] = state[k * size + i];
    scalar_engine()->update(rule, c, NULL, 1, &g, theta + i, s);
    for (int k = 0; k < slots; k++) state[k * size + i] = s[k];
}

/* theta (size,), state (slots, size) <- one step of a rule, element by element. */
static void reference_update(int rule, ptrdiff_t size, const double *grad, double *theta, double *state) {
    for (ptrdiff_t i = 0; i < size; i++) reference_update_one(rule, coefficients, size, i, grad[i], theta, state);
}

#endif
