/* neon.h: contract.h for NEON (AArch64): 4 floats or 2 doubles. */
#ifndef FGD_SIMD_NEON_H
#define FGD_SIMD_NEON_H
#if defined(__aarch64__)
#define FGD_ISA neon

#include <arm_neon.h>

#include "headers.h"

/* 24 accumulators, 2 vectors of b and 1 of a occupy 27 of 32 registers. */
enum { MR = 12, NV = 2 };
#define FGD_TILE_ROWS(ROW) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11) ROW(12)

#if FGD_BITS == 32
enum { VL = 4 };
typedef float real;
typedef float32x4_t vec;
#define V(op) v##op##q_f32
#else
enum { VL = 2 };
typedef double real;
typedef float64x2_t vec;
#define V(op) v##op##q_f64
#endif

/* Active lanes: the bits of a comparison, or the first `count` lanes. */
typedef struct {
#if FGD_BITS == 32
    uint32x4_t bits;
#else
    uint64x2_t bits;
#endif
    int count;
} lanes;

#if FGD_BITS == 32
static inline vec v_set(real x) { return vdupq_n_f32(x); }
#else
static inline vec v_set(real x) { return vdupq_n_f64(x); }
#endif
static inline vec v_load(const real *p) { return V(ld1)(p); }
static inline void v_store(real *p, vec v) { V(st1)(p, v); }
static inline void v_stream(real *p, vec v) { v_store(p, v); }
static inline void stream_end(void) {}
static inline vec v_load_part(const real *p, lanes m) {
    if (m.count >= VL) return v_load(p);
    real part[VL] = {0};
    for (int i = 0; i < m.count; i++) part[i] = p[i];
    return v_load(part);
}
static inline void v_store_part(real *p, vec v, lanes m) {
    if (m.count >= VL) {
        v_store(p, v);
        return;
    }
    real part[VL];
    v_store(part, v);
    for (int i = 0; i < m.count; i++) p[i] = part[i];
}

static inline vec v_add(vec a, vec b) { return V(add)(a, b); }
static inline vec v_sub(vec a, vec b) { return V(sub)(a, b); }
static inline vec v_mul(vec a, vec b) { return V(mul)(a, b); }
static inline vec v_div(vec a, vec b) { return V(div)(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return V(fma)(c, a, b); }
static inline vec v_fnma(vec a, vec b, vec c) { return V(fms)(c, a, b); }
static inline vec v_sqrt(vec a) { return V(sqrt)(a); }
static inline vec v_round(vec a) { return V(rndn)(a); }
static inline vec v_blend(lanes m, vec a, vec b) { return V(bsl)(m.bits, a, b); }
static inline lanes v_gt(vec a, vec b) { return (lanes){V(cgt)(a, b), VL}; }
static inline vec v_max(vec a, vec b) { return v_blend(v_gt(a, b), a, b); }
static inline vec v_min(vec a, vec b) { return v_blend(v_gt(b, a), a, b); }

#if FGD_BITS == 32
ALWAYS_INLINE vec v_swap(vec a, int d) { return d == 2 ? vextq_f32(a, a, 2) : vrev64q_f32(a); }
static inline lanes v_lanes(ptrdiff_t n) {
    int count = n > VL ? VL : (int)n;
    return (lanes){vcltq_u32((uint32x4_t){0, 1, 2, 3}, vdupq_n_u32((uint32_t)count)), count};
}
static inline vec v_pow2(vec k) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(k), vdupq_n_s32(127)), 23));
}
static inline vec v_exponent(vec x) {
    int32x4_t i = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(x), 23));
    return vcvtq_f32_s32(vsubq_s32(i, vdupq_n_s32(127)));
}

static inline vec v_bf16(vec x) {
    uint32x4_t u = vreinterpretq_u32_f32(x), odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    uint32x4_t of_nan = vbslq_u32(vceqq_f32(x, x), rounded, vorrq_u32(u, vdupq_n_u32(0x400000)));
    uint32x4_t is_zero = vceqq_u32(vandq_u32(u, vdupq_n_u32(0x7f800000)), vdupq_n_u32(0));
    return vreinterpretq_f32_u32(vbslq_u32(is_zero, vandq_u32(u, vdupq_n_u32(0x80000000)), of_nan));
}
static inline vec v_pairs(vec a, vec b) {
    return vreinterpretq_f32_u32(vsriq_n_u32(vreinterpretq_u32_f32(b), vreinterpretq_u32_f32(a), 16));
}
static inline vec v_pack(vec a, vec b) {
    return vreinterpretq_f32_u16(vuzp2q_u16(vreinterpretq_u16_f32(a), vreinterpretq_u16_f32(b)));
}
static inline vec v_load_bf16(const void *p) {
    uint16x4_t values;
    memcpy(&values, p, sizeof values);
    return vreinterpretq_f32_u32(vshll_n_u16(values, 16));
}
static inline vec v_low(vec w) { return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(w), 16)); }
static inline vec v_high(vec w) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(w), vdupq_n_u32(0xffff0000)));
}
#else
ALWAYS_INLINE vec v_swap(vec a, UNUSED int d) { return vextq_f64(a, a, 1); }
static inline lanes v_lanes(ptrdiff_t n) {
    int count = n > VL ? VL : (int)n;
    return (lanes){vcltq_u64((uint64x2_t){0, 1}, vdupq_n_u64((uint64_t)count)), count};
}
static inline vec v_pow2(vec k) {
    return vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(vcvtq_s64_f64(k), vdupq_n_s64(1023)), 52));
}
static inline vec v_exponent(vec x) {
    int64x2_t i = vreinterpretq_s64_u64(vshrq_n_u64(vreinterpretq_u64_f64(x), 52));
    return vcvtq_f64_s64(vsubq_s64(i, vdupq_n_s64(1023)));
}
#endif

typedef uint64x2_t vec_u64;
enum { VL_U64 = 2 };
static inline vec_u64 u64_set(uint64_t x) { return vdupq_n_u64(x); }
static inline vec_u64 u64_load(const uint64_t *p) { return vld1q_u64(p); }
static inline vec_u64 u64_add(vec_u64 a, vec_u64 b) { return vaddq_u64(a, b); }
static inline vec_u64 u64_xor(vec_u64 a, vec_u64 b) { return veorq_u64(a, b); }
static inline vec_u64 u64_mul_low(vec_u64 a, vec_u64 b) { return vmull_u32(vmovn_u64(a), vmovn_u64(b)); }
static inline vec_u64 u64_high(vec_u64 a) { return vshrq_n_u64(a, 32); }
static inline void u64_store_low(uint32_t *p, vec_u64 a, vec_u64 b) {
    vst1q_u32(p, vreinterpretq_u32_u64(vsliq_n_u64(a, b, 32)));
}

#endif
#endif
