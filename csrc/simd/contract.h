/*
 * contract.h: the operations that every instruction set provides; csrc/ is plain C written in terms of them.
 *
 * simd/<isa>.h defines the type `vec` of VL `real`s, `lanes` (a mask of the active lanes), the tile of the matrix
 * product (MR rows, NV vectors) and
 *
 *   v_set v_load v_store                      all VL lanes
 *   v_lanes(n)                                the first n of VL lanes; all of them if n >= VL
 *   v_load_part v_store_part                  inactive lanes are loaded as 0 / not stored; their memory is not accessed
 *   v_stream(p, v)                            v_store of data not read again soon: bypasses caches where a vector
 *                                             fills a cache line; p must then be aligned to a vector.  stream_end()
 *                                             orders such stores before later ones
 *   v_blend(m, a, b)                          a in the lanes of m, b elsewhere
 *   v_add v_sub v_mul v_div v_sqrt            IEEE, hence the same bits everywhere
 *   v_fma(a, b, c) = a b + c, v_fnma = c - a b, rounded once (twice in scalar.h)
 *   v_max(a, b) = a > b ? a : b, v_min        b if either is NaN: pass the operand that may be NaN second
 *   v_gt(a, b)                                the lanes where a > b
 *   v_swap(a, d)                              exchanges lanes i and i ^ d, for a constant d = 1, 2, 4 ... VL / 2
 *   v_round                                   to the nearest integer, ties to even
 *   v_pow2(k) = 2**k, v_exponent(x) = floor(log2 x)     for normal results / normal x > 0
 *
 * of 32 bits only, for kernels/bf16.h, where a vector may also hold VL words of two bf16 each,
 *
 *   v_bf16(x)                                 x rounded to bf16, to nearest even, in the high half of its lane; a denormal
 *                                             becomes a zero of its sign.  The low half is undefined
 *   v_pairs(a, b)                             words of the high half of a's lane, then of b's
 *   v_pack(a, b)                              the high halves of a, then of b, in the order of memory
 *   v_low(w), v_high(w)                       the halves of a word as reals
 *   v_load_bf16(p)                            VL bf16 values that are next to each other, as reals
 *
 * and, for kernels/philox.h, the type `vec_u64` of VL_U64 unsigned 64-bit integers with
 *
 *   u64_set u64_load u64_add u64_xor
 *   u64_mul_low(a, b)                         64-bit products of the low 32-bit halves
 *   u64_high(a)                               the high half, shifted down
 *   u64_store_low(p, a, b)                    the low halves of both, interleaved: a's, b's, a's, b's ...
 *
 * and, unless those below and in kernels/transpose.h are as good, transpose_square and, for kernels/orders.h,
 *
 *   u32_keep_up_to(last, from, to)            to <- those of U32_AT_ONCE integers that are at most `last`, in their
 *                                             order; returns how many.  It may write U32_AT_ONCE, and to <= from
 *
 * A translation unit includes one simd/<isa>.h before anything else.  Without one, as when an editor opens a header,
 * this file chooses scalar float32.
 */
#ifndef FGD_SIMD_CONTRACT_H
#define FGD_SIMD_CONTRACT_H

#ifndef FGD_ISA
#include "scalar.h"
#endif

#define NR (NV * VL) /* columns of a tile */

/* Bytes of a cache line and of a huge page. */
enum { LINE = 64, HUGE_PAGE = 1 << 21 };

/* Hints that p will be read soon: from L1, or from L2. */
ALWAYS_INLINE void prefetch_l1(const void *p) { __builtin_prefetch(p, 0, 3); }
ALWAYS_INLINE void prefetch_l2(const void *p) { __builtin_prefetch(p, 0, 2); }

/* In a loop over a few remaining values: keeps the compiler from replacing it by a call of memcpy, which is slower. */
#define KEEP_LOOP __asm__("");

/* p with its origin hidden from the compiler, which then keeps it as a separate pointer in a loop. */
ALWAYS_INLINE const real *opaque_ptr(const real *p) {
    __asm__("" : "+r"(p));
    return p;
}

/* x, which the compiler must not turn into a lane of a vector: gathering the lanes one by one is slower. */
ALWAYS_INLINE real opaque_scalar(real x) {
#if defined(__x86_64__) || defined(_M_X64)
    __asm__("" : "+x"(x));
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
#endif
    return x;
}

#ifndef U32_KEEP_UP_TO
enum { U32_AT_ONCE = 8 };
static inline int u32_keep_up_to(uint32_t last, const uint32_t *from, uint32_t *to) {
    int kept = 0, keep[U32_AT_ONCE]; /* without a branch, which would be mispredicted half of the time */
    UNROLLED
    for (int j = 0; j < U32_AT_ONCE; j++) keep[j] = from[j] <= last;
    UNROLLED
    for (int j = 0; j < U32_AT_ONCE; j++) {
        to[kept] = from[j];
        kept += keep[j];
    }
    return kept;
}
#endif

/* v_fma of scalars: a single instruction where there are vectors */
ALWAYS_INLINE real r_fma(real a, real b, real c) {
    if (VL == 1) return a * b + c;
    return FGD_BITS == 32 ? (real)fmaf((float)a, (float)b, (float)c) : (real)fma((double)a, (double)b, (double)c);
}

#endif
