/* avx512.h: contract.h for AVX-512 (F, DQ, VL, BW): 16 floats or 8 doubles. */
#ifndef FGD_SIMD_AVX512_H
#define FGD_SIMD_AVX512_H
#if defined(__x86_64__) || defined(_M_X64)
#define FGD_ISA avx512

#include <immintrin.h>

#include "amx_support.h"
#include "headers.h"

/* 28 accumulators, 2 vectors of b and 1 of a occupy 31 of 32 registers. */
enum { MR = 14, NV = 2 };
#define FGD_TILE_ROWS(ROW) \
    ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14)

/* After the first declaration: the preamble that clangd precompiles must not end between push and pop. */
#ifdef FGD_HAS_AMX /* whose instructions nothing but the functions of amx.h uses */
#define FGD_TILES_ISA amx
#define FGD_TARGET "avx2,fma,avx512f,avx512dq,avx512vl,avx512bw,avx512bf16,amx-tile,amx-bf16"
#else
#define FGD_TARGET "avx2,fma,avx512f,avx512dq,avx512vl,avx512bw"
#endif
#include "target.h"

#if FGD_BITS == 32
enum { VL = 16 };
typedef float real;
typedef __m512 vec;
typedef __mmask16 lanes;
#define V(op) _mm512_##op##_ps
#else
enum { VL = 8 };
typedef double real;
typedef __m512d vec;
typedef __mmask8 lanes;
#define V(op) _mm512_##op##_pd
#endif

static inline vec v_set(real x) { return V(set1)(x); }
static inline vec v_load(const real *p) { return V(loadu)(p); }
static inline void v_store(real *p, vec v) { V(storeu)(p, v); }
static inline void v_stream(real *p, vec v) { V(stream)(p, v); }
static inline void stream_end(void) { _mm_sfence(); }

static inline lanes v_lanes(ptrdiff_t n) { return n >= VL ? (lanes)-1 : (lanes)((1u << n) - 1); }
static inline vec v_load_part(const real *p, lanes m) { return V(maskz_loadu)(m, p); }
static inline void v_store_part(real *p, vec v, lanes m) { V(mask_storeu)(p, m, v); }
static inline vec v_blend(lanes m, vec a, vec b) { return V(mask_blend)(m, b, a); }

static inline vec v_add(vec a, vec b) { return V(add)(a, b); }
static inline vec v_sub(vec a, vec b) { return V(sub)(a, b); }
static inline vec v_mul(vec a, vec b) { return V(mul)(a, b); }
static inline vec v_div(vec a, vec b) { return V(div)(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return V(fmadd)(a, b, c); }
static inline vec v_fnma(vec a, vec b, vec c) { return V(fnmadd)(a, b, c); }
static inline vec v_sqrt(vec a) { return V(sqrt)(a); }
static inline vec v_max(vec a, vec b) { return V(max)(a, b); }
static inline vec v_min(vec a, vec b) { return V(min)(a, b); }
static inline vec v_round(vec a) { return V(roundscale)(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

#if FGD_BITS == 32
ALWAYS_INLINE vec v_swap(vec a, int d) {
    if (d == 8) return _mm512_shuffle_f32x4(a, a, _MM_SHUFFLE(1, 0, 3, 2));
    if (d == 4) return _mm512_shuffle_f32x4(a, a, _MM_SHUFFLE(2, 3, 0, 1));
    if (d == 2) return _mm512_permute_ps(a, _MM_SHUFFLE(1, 0, 3, 2));
    return _mm512_permute_ps(a, _MM_SHUFFLE(2, 3, 0, 1));
}
/* Transposes 16 vectors: pairs of lanes, then quarters of vectors, in half of the steps that v_swap would take. */
#define FGD_TRANSPOSE_SQUARE
#define QUARTERS(a, b, i, j) _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(j, i, j, i))
ALWAYS_INLINE void transpose_square(vec row[16]) {
    vec a[16], b[16];
    UNROLLED
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(row[i], row[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(row[i], row[i + 1]);
    }
    UNROLLED
    for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_shuffle_ps(a[i], a[i + 2], _MM_SHUFFLE(1, 0, 1, 0));
        b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], _MM_SHUFFLE(3, 2, 3, 2));
        b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], _MM_SHUFFLE(1, 0, 1, 0));
        b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], _MM_SHUFFLE(3, 2, 3, 2));
    }
    UNROLLED
    for (int i = 0; i < 4; i++) {
        a[i] = QUARTERS(b[i], b[i + 4], 0, 2);
        a[i + 4] = QUARTERS(b[i], b[i + 4], 1, 3);
        a[i + 8] = QUARTERS(b[i + 8], b[i + 12], 0, 2);
        a[i + 12] = QUARTERS(b[i + 8], b[i + 12], 1, 3);
    }
    UNROLLED
    for (int i = 0; i < 4; i++) {
        row[i] = QUARTERS(a[i], a[i + 8], 0, 2);
        row[i + 8] = QUARTERS(a[i], a[i + 8], 1, 3);
        row[i + 4] = QUARTERS(a[i + 4], a[i + 12], 0, 2);
        row[i + 12] = QUARTERS(a[i + 4], a[i + 12], 1, 3);
    }
}
#undef QUARTERS
static inline lanes v_gt(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
static inline vec v_pow2(vec k) {
    __m512i i = _mm512_add_epi32(_mm512_cvtps_epi32(k), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(i, 23));
}
static inline vec v_exponent(vec x) {
    __m512i i = _mm512_srli_epi32(_mm512_castps_si512(x), 23);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(i, _mm512_set1_epi32(127)));
}

static inline vec v_bf16(vec x) {
    __m512i u = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, is_nan, u, _mm512_set1_epi32(0x400000));
    __mmask16 is_zero = _mm512_testn_epi32_mask(u, _mm512_set1_epi32(0x7f800000));
    return _mm512_castsi512_ps(_mm512_mask_and_epi32(rounded, is_zero, u, _mm512_set1_epi32(INT32_MIN)));
}
static inline vec v_pairs(vec a, vec b) {
    __m512i low = _mm512_srli_epi32(_mm512_castps_si512(a), 16);
    return _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_castps_si512(b)));
}
static inline vec v_pack(vec a, vec b) {
    __m512i high = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23,
                                    21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_castsi512_ps(_mm512_permutex2var_epi16(_mm512_castps_si512(a), high, _mm512_castps_si512(b)));
}
static inline vec v_load_bf16(const void *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}
static inline vec v_low(vec w) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(w), 16)); }
static inline vec v_high(vec w) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(w), _mm512_set1_epi32(-65536)));
}
#else
ALWAYS_INLINE vec v_swap(vec a, int d) {
    if (d == 4) return _mm512_shuffle_f64x2(a, a, _MM_SHUFFLE(1, 0, 3, 2));
    if (d == 2) return _mm512_shuffle_f64x2(a, a, _MM_SHUFFLE(2, 3, 0, 1));
    return _mm512_permute_pd(a, 0x55);
}
static inline lanes v_gt(vec a, vec b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
static inline vec v_pow2(vec k) {
    __m512i i = _mm512_add_epi64(_mm512_cvtpd_epi64(k), _mm512_set1_epi64(1023));
    return _mm512_castsi512_pd(_mm512_slli_epi64(i, 52));
}
static inline vec v_exponent(vec x) {
    __m512i i = _mm512_srli_epi64(_mm512_castpd_si512(x), 52);
    return _mm512_cvtepi64_pd(_mm512_sub_epi64(i, _mm512_set1_epi64(1023)));
}
#endif

typedef __m512i vec_u64;
enum { VL_U64 = 8 };
static inline vec_u64 u64_set(uint64_t x) { return _mm512_set1_epi64((long long)x); }
static inline vec_u64 u64_load(const uint64_t *p) { return _mm512_loadu_si512(p); }
static inline vec_u64 u64_add(vec_u64 a, vec_u64 b) { return _mm512_add_epi64(a, b); }
static inline vec_u64 u64_xor(vec_u64 a, vec_u64 b) { return _mm512_xor_si512(a, b); }
static inline vec_u64 u64_mul_low(vec_u64 a, vec_u64 b) { return _mm512_mul_epu32(a, b); }
static inline vec_u64 u64_high(vec_u64 a) { return _mm512_srli_epi64(a, 32); }
static inline void u64_store_low(uint32_t *p, vec_u64 a, vec_u64 b) {
    _mm512_storeu_si512(p, _mm512_mask_blend_epi32(0xaaaa, a, _mm512_slli_epi64(b, 32)));
}

enum { U32_AT_ONCE = 16 };
#define U32_KEEP_UP_TO
static inline int u32_keep_up_to(uint32_t last, const uint32_t *from, uint32_t *to) {
    __m512i x = _mm512_loadu_si512(from);
    __mmask16 kept = _mm512_cmple_epu32_mask(x, _mm512_set1_epi32((int)last));
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(kept, x));
    return __builtin_popcount(kept);
}

#include "amx.h"

#if __INCLUDE_LEVEL__ == 0 /* compiled alone */
#include "target_end.h"
#endif

#endif
#endif
