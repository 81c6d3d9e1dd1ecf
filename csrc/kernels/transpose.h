/*
 * transpose.h: transposes a matrix, in squares of VL by VL values.
 */
#ifndef FGD_TRANSPOSE_H
#define FGD_TRANSPOSE_H

#include "../simd/contract.h"

#ifndef FGD_TRANSPOSE_SQUARE
/* Transposes VL vectors in log2(VL) passes: the pass of bit d exchanges rows and lanes whose indices differ in it. */
ALWAYS_INLINE void transpose_square(vec row[VL]) {
    UNROLLED
    for (int d = VL / 2; d > 0; d /= 2) {
        real is_low[VL];
        UNROLLED
        for (int i = 0; i < VL; i++) is_low[i] = i & d ? 0 : 1;
        lanes low = v_gt(v_load(is_low), v_set(0));
        UNROLLED
        for (int i = 0; i < VL; i++) {
            if (i & d) continue;
            vec a = row[i], b = row[i + d];
            row[i] = v_blend(low, a, v_swap(b, d));
            row[i + d] = v_blend(low, v_swap(a, d), b);
        }
    }
}

#endif

/* to (width, height) <- `height` lanes of the first `width` vectors of a square; streams: all lanes, by v_stream. */
ALWAYS_INLINE void store_square(vec square[VL], int height, int width, real *to, ptrdiff_t to_ld, const int streams) {
    UNROLLED
    for (int r = 0; r < VL; r++) {
        if (r >= width) continue;
        if (streams)
            v_stream(to + r * to_ld, square[r]);
        else
            v_store_part(to + r * to_ld, square[r], v_lanes(height));
    }
}

/*
 * to (columns, rows) <- from (rows, columns), transposed, with leading dimensions to_ld and from_ld; streams: 1 to
 * store by v_stream.
 */
static void transpose(int rows, int columns, const real *from, ptrdiff_t from_ld, real *to, ptrdiff_t to_ld,
                      int streams) {
    enum { FEW = 4 }; /* fewer rows or columns are copied faster one by one */
    for (int i = 0; i < rows; i += VL) {
        int height = rows - i < VL ? rows - i : VL, j = 0;
        for (; height >= FEW && columns - j >= FEW; j += VL) {
            int width = columns - j < VL ? columns - j : VL;
            vec square[VL];
            UNROLLED
            for (int r = 0; r < VL; r++)
                square[r] = r < height ? v_load_part(from + (i + r) * from_ld + j, v_lanes(width)) : v_set(0);
            transpose_square(square);
            if (streams && height == VL)
                store_square(square, height, width, to + j * to_ld + i, to_ld, 1);
            else
                store_square(square, height, width, to + j * to_ld + i, to_ld, 0);
        }
        for (; j < columns; j++)
            for (int r = 0; r < height; r++) to[j * to_ld + i + r] = from[(i + r) * from_ld + j];
    }
    if (streams) stream_end();
}

#endif
