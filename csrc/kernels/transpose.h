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

/* A matrix of `lines` rows or columns of n values: how far apart these are, and the values of each. */
typedef struct {
    ptrdiff_t line, value;
} line_strides;

ALWAYS_INLINE void copy_lines(const int lines, int n, const real *from, line_strides from_by, real *to,
                              line_strides to_by) {
    for (; n > 0; n--, from += from_by.value, to += to_by.value) {
        UNROLLED
        for (int i = 0; i < lines; i++) to[i * to_by.line] = from[i * from_by.line];
    }
}

/* Fewer rows or columns than this are copied value by value, which is faster. */
enum { FEW = 4 };

/* The same for lines < FEW, which are then a constant in the loop. */
static void copy_few(int lines, int n, const real *from, line_strides from_by, real *to, line_strides to_by) {
    if (lines == 1)
        copy_lines(1, n, from, from_by, to, to_by);
    else if (lines == 2)
        copy_lines(2, n, from, from_by, to, to_by);
    else if (lines == 3)
        copy_lines(3, n, from, from_by, to, to_by);
}

/*
 * to (columns, rows) <- from (rows, columns), transposed, with leading dimensions to_ld and from_ld; streams: 1 to
 * store by v_stream.
 */
static void transpose(int rows, int columns, const real *from, ptrdiff_t from_ld, real *to, ptrdiff_t to_ld,
                      int streams) {
    if (columns < FEW) return copy_few(columns, rows, from, (line_strides){1, from_ld}, to, (line_strides){to_ld, 1});
    if (rows < FEW) return copy_few(rows, columns, from, (line_strides){from_ld, 1}, to, (line_strides){1, to_ld});
    for (int i = 0; i < rows; i += VL) {
        int height = rows - i < VL ? rows - i : VL;
        for (int j = 0; j < columns; j += VL) {
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
    }
    if (streams) stream_end();
}

#endif
