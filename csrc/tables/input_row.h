/*
 * input_row.h: what the functions of an input layer work on.
 */
#ifndef FGD_INPUT_ROW_H
#define FGD_INPUT_ROW_H

#include "../fastgd.h"
#include "../simd/contract.h"

/* A parameter is a matrix; 0 rows: there is none of this number. */
typedef struct {
    ptrdiff_t rows, columns;
} parameter_shape;

/* One row. */
typedef struct {
    const fgd_input_layer *layer;
    const real *theta; /* its parameters */
    const real *x;     /* (n_in,) */
    real *a;           /* (n_out,) out of forward */
    real *kept;        /* (kept,) what forward leaves for backward, and this for the gradient; NULL: nothing */
    const real *da;    /* (n_out,) dL/da */
    real *dx;          /* (n_in,) out of backward: dL/dx; or NULL */
} input_row;

/* Rows [i0, i1) of the gradient of a parameter. */
typedef struct {
    const fgd_input_layer *layer;
    int p; /* number of the parameter */
    ptrdiff_t i0, i1;
    ptrdiff_t rows, x_ld, da_ld, kept_ld;
    const real *x, *da; /* (rows, n_in), (rows, n_out) */
    real *kept;         /* (rows, kept) */
    real *grad;         /* (shape of the parameter) out */
    int accumulate;     /* 1: the sums start at grad */
} input_gradient;

#endif
