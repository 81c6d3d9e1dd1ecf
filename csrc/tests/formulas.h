/*
 * formulas.h: some activations, losses and rules in plain C and libm, independent of the engines: the formulas of
 * fastgd/activations/, fastgd/losses/ and fastgd/optimizers/rules.py.  y: the targets of the row.
 */
#ifndef FGD_TEST_FORMULAS_H
#define FGD_TEST_FORMULAS_H

#include <math.h>

#include "params.h"

static double libm_identity(double z) { return z; }
static double libm_sigmoid(double z) { return 1 / (1 + exp(-z)); }
static double libm_hard_sigmoid(double z) { return fmin(fmax(z / 6 + 0.5, 0), 1); }
static double libm_relu(double z) { return fmax(z, 0); }
static const struct {
    const char *name;
    double (*f)(double);
} libm_activations[] = {
    /* clang-format off */
    {"identity", libm_identity},
    {"sigmoid", libm_sigmoid},
    {"hard_sigmoid", libm_hard_sigmoid},
    {"tanh", tanh},
    {"relu", libm_relu},
    /* clang-format on */
};

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
    double sum = 0, delta = default_params[0];
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
/* The binary focal loss of smoothed targets, and that of several classes, with the parameters of params.h. */
static double libm_binary_focal(int n, const double *z, const double *y) {
    double sum = 0;
    for (int j = 0; j < n; j++) {
        double t = 0.875 * y[j] + 0.0625, s = libm_sigmoid(z[j]), not_s = libm_sigmoid(-z[j]);
        double cross_entropy = -t * log(s) - (1 - t) * log(not_s);
        sum += (0.25 * t + 0.75 * (1 - t)) * pow(t * not_s + (1 - t) * s, 1.5) * cross_entropy / n;
    }
    return sum;
}
static double libm_smoothed_focal(int n, const double *z, const double *y) {
    double sum = 0, total = log_sum_exp(n, z);
    for (int j = 0; j < n; j++) {
        double t = 0.125 / n + (j == (int)y[0] ? 0.875 : 0), p = exp(z[j] - total);
        sum += (j % 2 ? 2 : 0.5) * t * pow(fmax(1 - p, 0), 1.5) * (total - z[j]);
    }
    return sum;
}
static const struct {
    const char *name;
    double (*f)(int n, const double *z, const double *y);
} libm_losses[] = {
    /* clang-format off */
    {"mse", libm_mse},
    {"mae", libm_mae},
    {"huber", libm_huber},
    {"log_cosh", libm_log_cosh},
    {"poisson", libm_poisson},
    {"gamma", libm_gamma},
    {"hinge", libm_hinge},
    {"kl_div", libm_kl_div},
    {"bce", libm_bce},
    {"binary_focal", libm_binary_focal},
    {"smoothed_focal", libm_smoothed_focal},
    {"cross_entropy", libm_cross_entropy},
    {"soft_cross_entropy", libm_soft_cross_entropy},
    /* clang-format on */
};

static void plain_sgd(double *theta, double g, __attribute__((unused)) double *s, const double *c) {
    *theta -= c[0] * (g + c[1] * *theta);
}
static void plain_momentum(double *theta, double g, double *s, const double *c) {
    g += c[1] * *theta;
    s[0] = c[2] * s[0] + c[3] * g;
    *theta = c[6] * *theta - c[0] * (c[4] * g + c[5] * s[0]);
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
