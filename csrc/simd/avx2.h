/* avx2.h: contract.h for AVX2 with FMA: 8 floats or 4 doubles. */
#ifndef FGD_SIMD_AVX2_H
#define FGD_SIMD_AVX2_H
#if defined(__x86_64__) || defined(_M_X64)
#define FGD_ISA avx2

#include <immintrin.h>

#include "headers.h"

/* 12 accumulators, 2 vectors of b and 1 of a occupy 15 of 16 registers. */
enum { MR = 6, NV = 2 };
#define FGD_TILE_ROWS(ROW) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6)

/* After the first declaration: the preamble that clangd precompiles must not end between push and pop. */
#define FGD_TARGET "avx2,fma"
#include "target.h"

#if FGD_BITS == 32
enum { VL = 8 };
typedef float real;
typedef __m256 vec;
#define V(op) _mm256_##op##_ps
#else
enum { VL = 4 };
typedef double real;
typedef __m256d vec;
#define V(op) _mm256_##op##_pd
#endif
typedef __m256i lanes; /* all bits of an active lane are set */

static inline vec v_set(real x) { return V(set1)(x); }
static inline vec v_load(const real *p) { return V(loadu)(p); }
static inline void v_store(real *p, vec v) { V(storeu)(p, v); }
static inline void v_stream(real *p, vec v) { v_store(p, v); }
static inline void stream_end(void) {}
static inline vec v_load_part(const real *p, lanes m) { return V(maskload)(p, m); }
/* A masked store takes ten times as long as an ordinary one. */
static inline void v_store_part(real *p, vec v, lanes m) {
    if (_mm256_movemask_epi8(m) == -1)
        v_store(p, v);
    else
        V(maskstore)(p, m, v);
}

static inline vec v_add(vec a, vec b) { return V(add)(a, b); }
static inline vec v_sub(vec a, vec b) { return V(sub)(a, b); }
static inline vec v_mul(vec a, vec b) { return V(mul)(a, b); }
static inline vec v_div(vec a, vec b) { return V(div)(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return V(fmadd)(a, b, c); }
static inline vec v_fnma(vec a, vec b, vec c) { return V(fnmadd)(a, b, c); }
static inline vec v_sqrt(vec a) { return V(sqrt)(a); }
static inline vec v_max(vec a, vec b) { return V(max)(a, b); }
static inline vec v_min(vec a, vec b) { return V(min)(a, b); }
static inline vec v_round(vec a) { return V(round)(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

#if FGD_BITS == 32
ALWAYS_INLINE vec v_swap(vec a, int d) {
    if (d == 4) return _mm256_permute2f128_ps(a, a, 1);
    if (d == 2) return _mm256_permute_ps(a, _MM_SHUFFLE(1, 0, 3, 2));
    return _mm256_permute_ps(a, _MM_SHUFFLE(2, 3, 0, 1));
}
static inline lanes v_lanes(ptrdiff_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > VL ? VL : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec v_blend(lanes m, vec a, vec b) { return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m)); }
static inline lanes v_gt(vec a, vec b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
static inline vec v_pow2(vec k) {
    __m256i i = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(i, 23));
}
static inline vec v_exponent(vec x) {
    __m256i i = _mm256_srli_epi32(_mm256_castps_si256(x), 23);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(i, _mm256_set1_epi32(127)));
}

static inline vec v_bf16(vec x) {
    __m256i u = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    vec quiet = _mm256_or_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x400000)));
    vec of_nan = _mm256_blendv_ps(_mm256_castsi256_ps(rounded), quiet, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    __m256i exponent = _mm256_and_si256(u, _mm256_set1_epi32(0x7f800000));
    __m256i is_zero = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    __m256i kept = _mm256_andnot_si256(is_zero, _mm256_set1_epi32(INT32_MAX)); /* besides the sign */
    return _mm256_and_ps(of_nan, _mm256_castsi256_ps(_mm256_or_si256(kept, _mm256_set1_epi32(INT32_MIN))));
}
static inline vec v_pairs(vec a, vec b) {
    __m256i low = _mm256_srli_epi32(_mm256_castps_si256(a), 16);
    return _mm256_castsi256_ps(_mm256_blend_epi16(low, _mm256_castps_si256(b), 0xaa));
}
static inline vec v_pack(vec a, vec b) {
    __m256i low = _mm256_srli_epi32(_mm256_castps_si256(a), 16), high = _mm256_srli_epi32(_mm256_castps_si256(b), 16);
    return _mm256_castsi256_ps(_mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), _MM_SHUFFLE(3, 1, 2, 0)));
}
static inline vec v_load_bf16(const void *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
static inline vec v_low(vec w) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(w), 16)); }
static inline vec v_high(vec w) { return _mm256_and_ps(w, _mm256_castsi256_ps(_mm256_set1_epi32(-65536))); }
#else
ALWAYS_INLINE vec v_swap(vec a, int d) {
    if (d == 2) return _mm256_permute2f128_pd(a, a, 1);
    return _mm256_permute_pd(a, 5);
}
static inline lanes v_lanes(ptrdiff_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n > VL ? VL : (int)n), _mm256_setr_epi64x(0, 1, 2, 3));
}
static inline vec v_blend(lanes m, vec a, vec b) { return _mm256_blendv_pd(b, a, _mm256_castsi256_pd(m)); }
static inline lanes v_gt(vec a, vec b) { return _mm256_castpd_si256(_mm256_cmp_pd(a, b, _CMP_GT_OQ)); }
static inline vec v_pow2(vec k) {
    __m256i i = _mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(k));
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_add_epi64(i, _mm256_set1_epi64x(1023)), 52));
}
/* The 11 bits of the exponent become the mantissa of 2**52 + exponent; then 2**52 and the bias are subtracted. */
static inline vec v_exponent(vec x) {
    __m256i i = _mm256_srli_epi64(_mm256_castpd_si256(x), 52);
    vec shifted = _mm256_castsi256_pd(_mm256_or_si256(i, _mm256_castpd_si256(v_set(0x1p52))));
    return v_sub(shifted, v_set(0x1p52 + 1023));
}
#endif

typedef __m256i vec_u64;
enum { VL_U64 = 4 };
static inline vec_u64 u64_set(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
static inline vec_u64 u64_load(const uint64_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vec_u64 u64_add(vec_u64 a, vec_u64 b) { return _mm256_add_epi64(a, b); }
static inline vec_u64 u64_xor(vec_u64 a, vec_u64 b) { return _mm256_xor_si256(a, b); }
static inline vec_u64 u64_mul_low(vec_u64 a, vec_u64 b) { return _mm256_mul_epu32(a, b); }
static inline vec_u64 u64_high(vec_u64 a) { return _mm256_srli_epi64(a, 32); }
static inline void u64_store_low(uint32_t *p, vec_u64 a, vec_u64 b) {
    _mm256_storeu_si256((__m256i *)p, _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa));
}

#if __INCLUDE_LEVEL__ == 0 /* compiled alone */
#include "target_end.h"
#endif

#endif
#endif
