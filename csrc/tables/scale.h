/*
 * scale.h: the input layer x s; the parameter s is one column.
 */
#ifndef FGD_SCALE_H
#define FGD_SCALE_H

#include "../kernels/column_sums.h"
#include "../kernels/multiply.h"
#include "input_row.h"

static parameter_shape scale_shape(const fgd_input_layer *layer, int p) {
    return (parameter_shape){p == 0 ? layer->n_in : 0, 1};
}

static int scale_forward(const input_row *row) {
    multiply_values(row->layer->n_in, row->x, row->theta, row->a);
    return 1;
}

static void scale_backward(const input_row *row) {
    if (row->dx) multiply_values(row->layer->n_in, row->da, row->theta, row->dx);
}

static void scale_gradient(const input_gradient *g) {
    column_sums sums = {.rows = g->rows, .u_ld = g->x_ld, .v_ld = g->da_ld, .accumulate = g->accumulate};
    add_sums(&sums, g->i1 - g->i0, g->x + g->i0, g->da + g->i0, g->grad + g->i0);
    finish_sums(&sums);
}

#endif
