/*
 * activate.h: the activation of a layer, applied to tiles and to rows.
 */
#ifndef FGD_ACTIVATE_H
#define FGD_ACTIVATE_H

#include "../fastgd.h"
#include "../simd/contract.h"
#include "../tables/activations.h"

#define NO_CASE(name)

/* ---- f ---- */

/* tile <- f(tile) */
static void activate_tile(const fgd_layer *layer, int rows, int vectors, vec tile[MR][NV]) {
    const double *c = layer->params;
    switch (layer->activation) {
#define ACTIVATION(name)                                                                  \
    case ACTIVATION_##name:                                                               \
        for (int r = 0; r < rows; r++)                                                    \
            for (int v = 0; v < vectors; v++) tile[r][v] = name##_forward(tile[r][v], c); \
        return;
        FGD_ACTIVATIONS(ACTIVATION, ACTIVATION, NO_CASE)
#undef ACTIVATION
    }
}

/* Rows [row0, row1) of z, ld apart, <- f(z), if f is a function of whole rows. */
static void activate_rows(const fgd_layer *layer, real *z, ptrdiff_t ld, int row0, int row1) {
    switch (layer->activation) {
#define ACTIVATION(name)                                                                           \
    case ACTIVATION_##name:                                                                        \
        for (int r = row0; r < row1; r++) name##_forward(layer->n_out, z + r * ld, layer->params); \
        return;
        FGD_ACTIVATIONS(NO_CASE, NO_CASE, ACTIVATION)
#undef ACTIVATION
    }
}

/* x (n,) <- f(x), of a function of single values */
static void activate_values(const fgd_layer *layer, int n, real *x) {
    for (int j = 0; j < n; j += VL) {
        lanes m = v_lanes(n - j);
        vec tile[MR][NV] = {{v_load_part(x + j, m)}};
        activate_tile(layer, 1, 1, tile);
        v_store_part(x + j, tile[0][0], m);
    }
}

/* ---- f' ---- */

/* dz (rows, n) <- dz f'(z), computed from x (rows, n), both ld apart; n: n_out or, of a function of single values, any
   number */
static void activation_backward(const fgd_layer *layer, ptrdiff_t rows, int n, const real *x, real *dz, ptrdiff_t ld) {
    const double *c = layer->params;
    switch (layer->activation) {
#define OF_ROW(name)                                                              \
    case ACTIVATION_##name:                                                       \
        for (; rows > 0; rows--, x += ld, dz += ld) name##_backward(n, x, dz, c); \
        return;
#define OF_VALUE(name)                                                                                      \
    case ACTIVATION_##name:                                                                                 \
        for (; rows > 0; rows--, x += ld, dz += ld)                                                         \
            for (int j = 0; j < n; j += VL) {                                                               \
                lanes m = v_lanes(n - j);                                                                   \
                v_store_part(dz + j, name##_backward(v_load_part(x + j, m), v_load_part(dz + j, m), c), m); \
            }                                                                                               \
        return;
        FGD_ACTIVATIONS(OF_VALUE, OF_VALUE, OF_ROW)
#undef OF_VALUE
#undef OF_ROW
    }
}

/* Likewise for rows [row0, row1) of matrices of n_out columns. */
static void activation_backward_rows(const fgd_layer *layer, const real *x, real *dz, ptrdiff_t ld, int row0,
                                     int row1) {
    if (layer->activation == ACTIVATION_identity) return;
    activation_backward(layer, row1 - row0, layer->n_out, x + row0 * ld, dz + row0 * ld, ld);
}

#endif
