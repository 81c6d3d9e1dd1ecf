/*
 * embedding.h: the input layer in which codes of categories become vectors.  A parameter is the matrix (cardinality,
 * dim) of an embedded column; sizes: both numbers of each.  The outputs are the other columns, then the vectors.
 */
#ifndef FGD_EMBEDDING_H
#define FGD_EMBEDDING_H

#include <string.h>

#include "input_row.h"

static parameter_shape embedding_shape(const fgd_input_layer *layer, int p) {
    if (p >= layer->n_columns) return (parameter_shape){0};
    return (parameter_shape){layer->sizes[2 * p], layer->sizes[2 * p + 1]};
}

/* The code x, or 0 with *fits = 0 if it is not a whole number in [0, cardinality). */
static ptrdiff_t code_of(real x, ptrdiff_t cardinality, int *fits) {
    if (!(x >= 0 && x < (real)cardinality)) return *fits = 0;
    ptrdiff_t code = (ptrdiff_t)x;
    return (real)code == x ? code : (*fits = 0);
}

static int embedding_forward(const input_row *row) {
    const fgd_input_layer *layer = row->layer;
    const real *theta = row->theta;
    real *a = row->a;
    int fits = 1;
    for (int j = 0, c = 0; j < layer->n_in; j++)
        if (c < layer->n_columns && layer->columns[c] == j)
            c++;
        else
            *a++ = row->x[j];
    for (int c = 0; c < layer->n_columns; c++) {
        parameter_shape shape = embedding_shape(layer, c);
        ptrdiff_t code = code_of(row->x[layer->columns[c]], shape.rows, &fits);
        memcpy(a, theta + code * shape.columns, (size_t)shape.columns * sizeof *a);
        a += shape.columns;
        theta += shape.rows * shape.columns;
    }
    return fits;
}

static void embedding_backward(const input_row *row) {
    const fgd_input_layer *layer = row->layer;
    const real *da = row->da;
    for (int j = 0, c = 0; row->dx && j < layer->n_in; j++) {
        int is_code = c < layer->n_columns && layer->columns[c] == j;
        row->dx[j] = is_code ? 0 : *da++;
        c += is_code;
    }
}

static void embedding_gradient(const input_gradient *g) {
    parameter_shape shape = embedding_shape(g->layer, g->p);
    const real *x = g->x + g->layer->columns[g->p], *da = g->da + g->layer->n_in - g->layer->n_columns;
    ptrdiff_t n = shape.columns;
    int fits;
    for (int c = 0; c < g->p; c++) da += embedding_shape(g->layer, c).columns;
    if (!g->accumulate) memset(g->grad + g->i0 * n, 0, (size_t)((g->i1 - g->i0) * n) * sizeof *g->grad);
    for (ptrdiff_t r = 0; r < g->rows; r++, x += g->x_ld, da += g->da_ld) {
        ptrdiff_t code = code_of(*x, shape.rows, &fits);
        real *sum = g->grad + code * n;
        for (ptrdiff_t j = 0; code >= g->i0 && code < g->i1 && j < n; j += VL) {
            lanes m = v_lanes(n - j);
            v_store_part(sum + j, v_add(v_load_part(sum + j, m), v_load_part(da + j, m)), m);
        }
    }
}

#endif
