/*
 * loss_rows.h: the losses of rows in row-major order.  VL rows at a time are transposed to columns, passed to a
 * function of tables/losses.h, and their gradients are transposed back.
 */
#ifndef FGD_LOSS_ROWS_H
#define FGD_LOSS_ROWS_H

#include "../fastgd.h"
#include "../simd/contract.h"
#include "../tables/focal.h"
#include "../tables/losses.h"
#include "transpose.h"

/* NAME_columns of the losses that are means over the outputs of a row; then the parameters of output j. */
#define MEAN_COLUMNS(name, ...)                                                                            \
    static vec name##_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) { \
        vec sum = v_set(0), one_of_n = v_set(1 / (real)n);                                                 \
        scale = v_mul(scale, one_of_n);                                                                    \
        for (int j = 0; j < n; j++) {                                                                      \
            vec zj = v_load(z + j * VL), yj = v_load(y + j * VL);                                          \
            sum = v_add(sum, name##_value(zj, yj, __VA_ARGS__));                                           \
            v_store(dz + j * VL, v_mul(scale, name##_derivative(zj, yj, __VA_ARGS__)));                    \
        }                                                                                                  \
        return v_mul(sum, one_of_n);                                                                       \
    }
#define MEAN(name) MEAN_COLUMNS(name, c)
#define MEAN_PER_OUTPUT(name) MEAN_COLUMNS(name, c[1 + j % (int)c[0]], c + 1 + (int)c[0])
#define OTHER(name) /* defined in losses.h */
FGD_LOSSES(MEAN, MEAN_PER_OUTPUT, OTHER, OTHER)
#undef MEAN
#undef MEAN_PER_OUTPUT
#undef OTHER
#undef MEAN_COLUMNS

static vec loss_columns(const fgd_loss *loss, int n, const real *z, const real *y, vec scale, real *dz) {
    switch (loss->kind) {
#define LOSS(name) \
    case LOSS_##name: return name##_columns(n, z, y, scale, dz, loss->params);
        FGD_LOSSES(LOSS, LOSS, LOSS, LOSS)
#undef LOSS
    }
    return v_set(0);
}

/* Rows of outputs z (rows, n) and targets y (rows, n), or (rows, 1) for labels; and the results. */
typedef struct {
    int rows, n;
    const real *z, *y;
    ptrdiff_t ld;       /* of z and y */
    const real *weight; /* (rows,), or NULL for 1 */
    double scale;
    real *dz;           /* (rows, n) out: weight * scale * gradient; or NULL */
    ptrdiff_t dz_ld;
    double *loss;       /* (rows,) out: weight * scale * loss */
} loss_rows;

/* Elements of the scratch memory of compute_losses. */
static ptrdiff_t loss_scratch(int n) { return 3 * (ptrdiff_t)n * VL; }

/* Loss and gradient of all rows.  FGD_NOT_FINITE: the loss of a row is not; the other rows are computed anyway. */
static fgd_status compute_losses(const fgd_loss *loss, const loss_rows *of, real *scratch) {
    int labels = loss_needs_labels[loss->kind], n = of->n;
    real *z = scratch, *y = z + n * VL, *dz = y + n * VL;
    fgd_status status = FGD_OK;
    for (int row = 0; row < of->rows; row += VL) {
        int rows = of->rows - row < VL ? of->rows - row : VL;
        real scale[VL] = {0}, value[VL];
        if (rows < VL) memset(scratch, 0, (size_t)(2 * n * VL) * sizeof *scratch);
        transpose(rows, n, of->z + row * of->ld, of->ld, z, VL, 0);
        transpose(rows, labels ? 1 : n, of->y + row * of->ld, of->ld, y, VL, 0);
        for (int r = 0; r < rows; r++) {
            if (labels && !(y[r] >= 0 && y[r] < (real)n)) return FGD_BAD_LABEL;
            scale[r] = (real)((of->weight ? (double)of->weight[row + r] : 1) * of->scale);
        }
        v_store(value, loss_columns(loss, n, z, y, v_load(scale), dz));
        if (of->dz) transpose(n, rows, dz, VL, of->dz + row * of->dz_ld, of->dz_ld, 0);
        for (int r = 0; r < rows; r++) {
            of->loss[row + r] = (double)scale[r] * (double)value[r];
            if (!isfinite(of->loss[row + r])) status = FGD_NOT_FINITE;
        }
    }
    return status;
}

#endif
