/*
 * words.h: what the engines say in SIMD words, the same for every instruction set.
 *
 * simd/<isa>.h gives the type `vec` of VL `real`s, `lanes` (which of them take part), the tile (MR rows, NV vectors) and
 *
 *   v_set v_load v_store                      all VL lanes
 *   v_lanes(n)                                the first n of VL lanes; all of them when n >= VL
 *   v_load_part v_store_part                  lanes outside are 0 / untouched, and their memory is not read
 *   v_blend(m, a, b)                          a in the lanes of m, b elsewhere
 *   v_add v_sub v_mul v_div v_sqrt            IEEE, so equal everywhere
 *   v_fma(a, b, c) = a b + c, v_fnma = c - a b, rounded once (twice in scalar.h)
 *   v_max(a, b) = a > b ? a : b, v_min        b if either is NaN: put the number that may be NaN second
 *   v_gt(a, b)                                lanes where a > b
 *   v_swap(a, d)                              lane i ^ d in lane i, for a constant d = 1, 2, 4 ... VL / 2
 *   v_round                                   to the nearest whole number, ties to even
 *   v_pow2(k) = 2**k, v_exponent(x) = floor(log2 x)     for normal results / normal x > 0
 *
 * and, for random.h, the type `words` of WL whole numbers of 64 bits with
 *
 *   w_set w_load w_add w_xor
 *   w_product(a, b)                           of the low halves
 *   w_high(a)                                 the high half, moved down
 *   w_store_pairs(p, a, b)                    the low halves of both: a's, b's, a's, b's ...
 *
 * The functions below are made of these words alone, never of libm, whose last bits differ between systems.  Every
 * constant is exact or the nearest real, so all instruction sets with v_fma rounded once agree in every bit.
 */
#define NR (NV * VL) /* columns of a tile */

/* Before a loop of constant length over an array of vectors: unrolled early, the array becomes registers. */
#define UNROLLED _Pragma("GCC unroll 16")

/* Bytes of a cache line, and of a huge page. */
enum { LINE = 64, HUGE_PAGE = 1 << 21 };

/* Hints that p will soon be used: from the first level of the cache, or the second. */
ALWAYS_INLINE void fetch_near(const void *p) { __builtin_prefetch(p, 0, 3); }
ALWAYS_INLINE void fetch_far(const void *p) { __builtin_prefetch(p, 0, 2); }

/* In a loop over the few numbers that are left: keeps the compiler from making it a call of memcpy, which takes longer. */
#define NOT_A_CALL __asm__("");

/* p, of which the compiler is not to know where it comes from: in a loop it stays a pointer of its own. */
ALWAYS_INLINE const real *unrelated(const real *p) {
    __asm__("" : "+r"(p));
    return p;
}

/* x, which the compiler is not to make a lane of a vector: to gather its lanes one by one takes longer. */
ALWAYS_INLINE real alone(real x) {
#if defined(__x86_64__) || defined(_M_X64)
    __asm__("" : "+x"(x));
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
#endif
    return x;
}

/* v_fma of single numbers: an instruction, where there are vectors */
ALWAYS_INLINE real r_fma(real a, real b, real c) {
    if (VL == 1) return a * b + c;
    return FGD_BITS == 32 ? (real)fmaf((float)a, (float)b, (float)c) : (real)fma((double)a, (double)b, (double)c);
}

#if FGD_BITS == 32
#define LN2_HIGH 0x1.62e4p-1 /* 15 bits, so k LN2_HIGH is exact */
#define LN2_LOW 0x1.7f7d1cf79abcap-20
#define EXP_MIN -87.0
#define EXP_MAX 88.0
#define SMALLEST 0x1p-126 /* normal number > 0                          */
#define LOWEST -0x1p127   /* far below whatever a network may give      */
enum { EXP_TERMS = 6, LOG_TERMS = 5, LOG1P_TERMS = 7 };
#else
#define LN2_HIGH 0x1.62e42fefa38p-1 /* 40 bits */
#define LN2_LOW 0x1.ef35793c7673p-45
#define EXP_MIN -708.0
#define EXP_MAX 709.0
#define SMALLEST 0x1p-1022
#define LOWEST -0x1p1023
enum { EXP_TERMS = 12, LOG_TERMS = 11, LOG1P_TERMS = 16 };
#endif

/*
 * e**x = s (q + 1) with s = 2**k, so that e**x - 1 = s q + (s - 1) loses nothing near x = 0.
 *
 * x = k ln 2 + r with |r| <= ln(2) / 2, and q = e**r - 1 by its Taylor series to r**7 / 7! (f32; what is left out is
 * below 2**-27 of the result) or r**13 / 13! (f64; below 2**-57).  x is clamped so that s stays a normal number: the
 * result saturates instead of becoming inf or 0.  NaN stays NaN.
 */
ALWAYS_INLINE vec v_exp_parts(vec x, vec *s) {
    static const double inverse_factorial[] = {0.5,          1. / 6,        1. / 24,        1. / 120,
                                               1. / 720,     1. / 5040,     1. / 40320,     1. / 362880,
                                               1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};
    x = v_max(v_set(EXP_MIN), v_min(v_set(EXP_MAX), x));
    vec k = v_round(v_mul(x, v_set(1.4426950408889634)));
    vec r = v_fnma(k, v_set(LN2_LOW), v_fnma(k, v_set(LN2_HIGH), x));
    vec p = v_set(inverse_factorial[EXP_TERMS - 1]);
    for (int i = EXP_TERMS - 2; i >= 0; i--) p = v_fma(p, r, v_set(inverse_factorial[i]));
    *s = v_pow2(k);
    return v_fma(v_mul(r, r), p, r);
}

/* e**x; saturates at e**EXP_MIN and e**EXP_MAX. */
ALWAYS_INLINE vec v_exp(vec x) {
    vec s, q = v_exp_parts(x, &s);
    return v_fma(s, q, s);
}

/* e**x - 1 */
ALWAYS_INLINE vec v_expm1(vec x) {
    vec s, q = v_exp_parts(x, &s);
    return v_fma(s, q, v_sub(s, v_set(1)));
}

/*
 * 2 artanh(t) = ln((1 + t) / (1 - t)) = 2 t (1 + t**2 / 3 + t**4 / 5 + ...), for `terms` terms after the first.  What the
 * callers leave out is below 2**-27 (f32) or 2**-57 (f64) of the result.
 */
ALWAYS_INLINE vec v_two_artanh(vec t, int terms) {
    static const double inverse_odd[] = {1. / 3,  1. / 5,  1. / 7,  1. / 9,  1. / 11, 1. / 13, 1. / 15, 1. / 17,
                                         1. / 19, 1. / 21, 1. / 23, 1. / 25, 1. / 27, 1. / 29, 1. / 31, 1. / 33};
    vec tt = v_mul(t, t), t2 = v_add(t, t);
    vec p = v_set(inverse_odd[terms - 1]);
    for (int i = terms - 2; i >= 0; i--) p = v_fma(p, tt, v_set(inverse_odd[i]));
    return v_fma(v_mul(t2, tt), p, t2);
}

/* ln x for 2**-126 <= x < 2**127 (f64: 2**-1022, 2**1023): x = 2**e m, 3/4 < m <= 3/2, so |t| <= 1/5 for t = (m - 1) / (m + 1). */
ALWAYS_INLINE vec v_log(vec x) {
    vec e = v_exponent(x);
    vec m = v_mul(x, v_pow2(v_sub(v_set(0), e)));
    lanes high = v_gt(m, v_set(1.5));
    m = v_blend(high, v_mul(m, v_set(0.5)), m);
    e = v_blend(high, v_add(e, v_set(1)), e);
    vec ln_m = v_two_artanh(v_div(v_sub(m, v_set(1)), v_add(m, v_set(1))), LOG_TERMS);
    return v_fma(e, v_set(LN2_HIGH), v_fma(e, v_set(LN2_LOW), ln_m));
}

/* ln(1 + x) for 0 <= x <= 1, to the last bits of small x: t = x / (2 + x) <= 1/3. */
ALWAYS_INLINE vec v_log1p(vec x) { return v_two_artanh(v_div(x, v_add(v_set(2), x)), LOG1P_TERMS); }

/* 1 / (1 + e**-x) */
ALWAYS_INLINE vec v_sigmoid(vec x) { return v_div(v_set(1), v_add(v_set(1), v_exp(v_sub(v_set(0), x)))); }

/* tanh x = p / (p + 2) with p = e**2x - 1 */
ALWAYS_INLINE vec v_tanh(vec x) {
    vec p = v_expm1(v_max(v_set(-40), v_min(v_set(40), v_add(x, x))));
    return v_div(p, v_add(p, v_set(2)));
}

ALWAYS_INLINE vec v_abs(vec x) { return v_max(v_sub(v_set(0), x), x); }

/* Swaps rows and lanes of VL vectors, bit by bit of their numbers. */
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

/* to (columns, rows), to_ld apart, <- from (rows, columns), from_ld apart, transposed. */
static void transpose(int rows, int columns, const real *from, ptrdiff_t from_ld, real *to, ptrdiff_t to_ld) {
    enum { FEW = 4 }; /* columns that are sooner copied one by one */
    for (int i = 0; i < rows; i += VL) {
        int height = rows - i < VL ? rows - i : VL, j = 0;
        for (; columns - j >= FEW; j += VL) {
            int width = columns - j < VL ? columns - j : VL;
            vec square[VL];
            UNROLLED
            for (int r = 0; r < VL; r++)
                square[r] = r < height ? v_load_part(from + (i + r) * from_ld + j, v_lanes(width)) : v_set(0);
            transpose_square(square);
            UNROLLED
            for (int r = 0; r < VL; r++)
                if (r < width) v_store_part(to + (j + r) * to_ld + i, square[r], v_lanes(height));
        }
        for (; j < columns; j++)
            for (int r = 0; r < height; r++) to[j * to_ld + i + r] = from[(i + r) * from_ld + j];
    }
}
