/*
 * multiply.h: products element by element.
 */
#ifndef FGD_MULTIPLY_H
#define FGD_MULTIPLY_H

#include "../simd/contract.h"

/* to (n,) <- x y; to may be x or y. */
static void multiply_values(ptrdiff_t n, const real *x, const real *y, real *to) {
    for (ptrdiff_t j = 0; j < n; j += VL) {
        lanes m = v_lanes(n - j);
        v_store_part(to + j, v_mul(v_load_part(x + j, m), v_load_part(y + j, m)), m);
    }
}

#endif
