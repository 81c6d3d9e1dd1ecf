/*
 * params.h: parameters and coefficients that the entries of the tables are tested with.
 */
#ifndef FGD_TEST_PARAMS_H
#define FGD_TEST_PARAMS_H

#include <string.h>

#include "arrays.h"
#include "tables.h"

/* For all entries that take parameters and are not listed below; the others ignore them. */
static const double default_params[] = {0.5, 0.25, 0.125, 0.0625};
static const struct {
    const char *name;
    double params[5];
} loss_params[] = {
    {"quantile", {2, 0.25, 0.75}},               /* count, quantiles */
    {"weighted_bce", {2, 3, 0.5, 0.125}},        /* count, weights, smoothing */
    {"binary_focal", {1.5, 0.25, 0.75, 0.125}},  /* gamma, weights, smoothing */
    {"focal", {1.5, 2, 0.5, 2}},                 /* gamma, count, weights */
    {"smoothed_focal", {1.5, 2, 0.5, 2, 0.125}}, /* gamma, count, weights, smoothing */
    {"soft_cross_entropy", {0}},       /* smoothing */
};

/* A loss with parameters that it accepts. */
static fgd_loss loss_of_kind(int kind) {
    for (int i = 0; i < COUNT(loss_params); i++)
        if (!strcmp(loss_params[i].name, fgd_loss_name(kind))) return (fgd_loss){kind, loss_params[i].params};
    return (fgd_loss){kind, default_params};
}

/* Of a step of any rule; coefficient i of a group of parameters, each with its own learning rate. */
static const double coefficients[] = {0.05, 0.01, 0.9, 0.1, 0.75, 0.25, 0.875, 0.125,
                                      1,    0.05, 0.5, 0.5, 0.5,  0.5,  0.5,   0.5};
static double coefficient_of(int group, int i) { return coefficients[i] * (i == 0 ? 1 + 0.5 * group : 1); }

#endif
