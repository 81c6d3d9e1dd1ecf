/*
 * reference.h: a network in double precision as one would write it down: three loops a product, one row and one number
 * at a time.
 *
 * Activations, losses and rules are those of the scalar float64 engine, asked by themselves, so that a new row is tested
 * here without a line.  The rows named at the end are compared with libm as well.
 */
#ifndef FGD_TEST_REFERENCE_H
#define FGD_TEST_REFERENCE_H

#include <math.h>
#include <string.h>

#include "arrays.h"
#include "tables.h"

enum { MAX_LAYERS = 4 };
typedef struct {
    fgd_net net;
    fgd_layer layer[MAX_LAYERS];
    ptrdiff_t size; /* of theta */
} network;

/* For the rows that take numbers; the others do not look at them. */
static const double constants[] = {0.5, 0.25, 0.125, 0.0625};
static const struct {
    const char *name;
    double numbers[4];
} loss_constants[] = {{"quantile", {2, 0.25, 0.75}},
                      {"weighted_bce", {2, 3, 0.5}},
                      {"binary_focal", {1.5, 0.25, 0.75}},
                      {"focal", {1.5, 2, 0.5, 2}},
                      {"soft_cross_entropy", {0}}};

/* A loss with numbers that it can take. */
static fgd_loss loss_of_row(int row) {
    for (int i = 0; i < COUNT(loss_constants); i++)
        if (!strcmp(loss_constants[i].name, fgd_loss_name(row))) return (fgd_loss){row, loss_constants[i].numbers};
    return (fgd_loss){row, constants};
}
static const double coefficients[] = {0.05, 0.01, 0.9, 0.1, 0.75, 0.25, 1.5, 0.125,
                                      1,    0.05, 0.5, 0.5, 0.5,  0.5,  0.5, 0.5};

/* Widths n (L + 1,), every second layer without a bias. */
static void network_init(network *w, int L, const int *n, int hidden, int output) {
    w->net = (fgd_net){L, w->layer};
    w->size = 0;
    for (int l = 0; l < L; l++) {
        w->layer[l] = (fgd_layer){n[l], n[l + 1], l % 2 == 0, l == L - 1 ? output : hidden, constants, 0};
        w->size += (ptrdiff_t)(n[l] + w->layer[l].bias) * n[l + 1];
    }
}

static const fgd_engine *one_by_one(void) { return fgd_find_engine("scalar", 64); }

/* a (rows, n) <- f(z);  dz (rows, n) <- dL/dz of g = dL/da, or NULL: the outputs and slopes of a network of one layer whose
   weights are the identity matrix. */
static void reference_activation(const fgd_layer *layer, int rows, int n, const double *z, double *a, const double *g,
                                 double *dz) {
    double *identity = doubles(n * n), *grad = doubles(n * n);
    for (int i = 0; i < n * n; i++) identity[i] = i % (n + 1) == 0;
    fgd_layer single = {n, n, 0, layer->activation, layer->params, 0};
    fgd_net net = {1, &single};
    fgd_workspace *work = one_by_one()->workspace_new(&net, rows);
    fgd_table Z = {z, TYPE_float64, n, rows, n * (ptrdiff_t)sizeof *z};
    one_by_one()->forward(work, identity, &Z, NULL, a, 1);
    if (dz) one_by_one()->backward(work, identity, g, grad, 0, dz, 1);
    one_by_one()->workspace_free(work);
}

/* The doubles that one pass of a network leaves; z[l], a[l] (rows, n[l]). */
typedef struct {
    const network *w;
    int rows;
    double *z[MAX_LAYERS + 1], *a[MAX_LAYERS + 1];
    double *grad, *dX;               /* (size,), (rows, n[0])                                            */
    const double *noise[MAX_LAYERS]; /* (rows, n[l]) what disturbs the inputs of a layer that names a noise */
} reference;

static void reference_init(reference *r, const network *w, int rows, const double *X) {
    r->w = w, r->rows = rows;
    r->a[0] = doubles(rows * w->layer[0].n_in);
    memcpy(r->a[0], X, (size_t)(rows * w->layer[0].n_in) * sizeof *X);
    for (int l = 0; l < w->net.L; l++) {
        r->z[l + 1] = doubles(rows * w->layer[l].n_out);
        r->a[l + 1] = doubles(rows * w->layer[l].n_out);
    }
    r->grad = doubles(w->size);
    r->dX = doubles(rows * w->layer[0].n_in);
}

/* x (rows, n[l]) <- x as noise disturbs the inputs of layer l; a gradient only where it multiplies. */
static void reference_disturb(const reference *r, int l, double *x, int is_gradient) {
    int kind = r->w->layer[l].noise;
    if (!kind || !r->noise[l]) return;
    for (int i = 0; i < r->rows * r->w->layer[l].n_in; i++) {
        if (noise_multiplies[kind])
            x[i] *= r->noise[l][i];
        else if (!is_gradient)
            x[i] += r->noise[l][i];
    }
}

static void reference_forward(reference *r, const double *theta) {
    for (int l = 0; l < r->w->net.L; l++) {
        const fgd_layer *layer = &r->w->layer[l];
        int n_in = layer->n_in, n = layer->n_out;
        reference_disturb(r, l, r->a[l], 0);
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
        reference_disturb(r, l, below, 1);
        g = below;
    }
}

/* Row by row: loss (rows,) of Z (rows, n) and Y (rows, width), and dZ. */
static fgd_status reference_loss(int loss, int n, int rows, const double *Z, const double *Y, double *value,
                                 double *dZ) {
    const fgd_loss row = loss_of_row(loss);
    int width = fgd_loss_needs_labels(loss) ? 1 : n;
    fgd_status status = FGD_OK;
    for (int i = 0; i < rows && status == FGD_OK; i++) {
        fgd_table y = {Y + i * width, TYPE_float64, width, 1, 0};
        status = one_by_one()->loss(&row, n, Z + i * n, &y, NULL, value + i, dZ + i * n);
    }
    return status;
}

/* Weight i of theta (size,), and of state (slots, size), <- one step of a rule with gradient g. */
static void reference_weight(int rule, const double *c, ptrdiff_t size, ptrdiff_t i, double g, double *theta,
                             double *state) {
    int slots = fgd_rule_slots(rule);
    double s[8];
    for (int k = 0; k < slots; k++) s[k] = state[k * size + i];
    one_by_one()->update(rule, c, NULL, 1, &g, theta + i, s);
    for (int k = 0; k < slots; k++) state[k * size + i] = s[k];
}

/* theta (size,), state (slots, size) <- one step of a rule, weight by weight. */
static void reference_update(int rule, ptrdiff_t size, const double *grad, double *theta, double *state) {
    for (ptrdiff_t i = 0; i < size; i++) reference_weight(rule, coefficients, size, i, grad[i], theta, state);
}

/* ---- what libm says; y: the row's targets ---- */

static double libm_identity(double z) { return z; }
static double libm_sigmoid(double z) { return 1 / (1 + exp(-z)); }
static double libm_hard_sigmoid(double z) { return fmin(fmax(z / 6 + 0.5, 0), 1); }
static double libm_relu(double z) { return fmax(z, 0); }
static const struct {
    const char *name;
    double (*f)(double);
} libm_activations[] = {{"identity", libm_identity},
                        {"sigmoid", libm_sigmoid},
                        {"hard_sigmoid", libm_hard_sigmoid},
                        {"tanh", tanh},
                        {"relu", libm_relu}};

static double log_sum_exp(int n, const double *z) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += exp(z[j]);
    return log(sum);
}
static double libm_mse(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += (z[j] - y[j]) * (z[j] - y[j]) / n;
    return sum;
}
static double libm_bce(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum -= (y[j] * log(libm_sigmoid(z[j])) + (1 - y[j]) * log(libm_sigmoid(-z[j]))) / n;
    return sum;
}
static double libm_cross_entropy(int n, const double *z, const double *y) { return log_sum_exp(n, z) - z[(int)y[0]]; }
static double libm_soft_cross_entropy(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += y[j] * (log_sum_exp(n, z) - z[j]);
    return sum;
}
static double libm_mae(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += fabs(z[j] - y[j]) / n;
    return sum;
}
static double libm_huber(int n, const double *z, const double *y) {
    double sum = 0, delta = constants[0];
    for (int j = 0; j < n; j++) {
        double d = fabs(z[j] - y[j]);
        sum += (d <= delta ? d * d / 2 : delta * (d - delta / 2)) / n;
    }
    return sum;
}
static double libm_log_cosh(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += log(cosh(z[j] - y[j])) / n;
    return sum;
}
static double libm_poisson(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += (exp(z[j]) - y[j] * z[j]) / n;
    return sum;
}
static double libm_gamma(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += (y[j] / exp(z[j]) + z[j]) / n;
    return sum;
}
static double libm_hinge(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += fmax(0, 1 - y[j] * z[j]) / n;
    return sum;
}
static double libm_kl_div(int n, const double *z, const double *y) {
    double sum = libm_soft_cross_entropy(n, z, y);
    for (int j = 0; j < n; j++) sum += y[j] * log(y[j]);
    return sum;
}
static const struct {
    const char *name;
    double (*f)(int n, const double *z, const double *y);
} libm_losses[] = {{"mse", libm_mse},
                   {"mae", libm_mae},
                   {"huber", libm_huber},
                   {"log_cosh", libm_log_cosh},
                   {"poisson", libm_poisson},
                   {"gamma", libm_gamma},
                   {"hinge", libm_hinge},
                   {"kl_div", libm_kl_div},
                   {"bce", libm_bce},
                   {"cross_entropy", libm_cross_entropy},
                   {"soft_cross_entropy", libm_soft_cross_entropy}};

static void plain_sgd(double *theta, double g, __attribute__((unused)) double *s, const double *c) {
    *theta -= c[0] * (g + c[1] * *theta);
}
static void plain_momentum(double *theta, double g, double *s, const double *c) {
    g += c[1] * *theta;
    s[0] = c[2] * s[0] + c[3] * g;
    *theta -= c[0] * (c[4] * g + c[5] * s[0]);
}
static void plain_adam(double *theta, double g, double *s, const double *c) {
    g += c[1] * *theta;
    s[0] = c[2] * s[0] + c[3] * g;
    s[1] = c[4] * s[1] + c[5] * g * g;
    *theta = c[8] * *theta - c[0] * s[0] / (sqrt(s[1]) * c[6] + c[7]);
}
static const struct {
    const char *name;
    void (*f)(double *theta, double g, double *s, const double *c);
} plain_rules[] = {{"sgd", plain_sgd}, {"momentum", plain_momentum}, {"adam", plain_adam}};

#endif
