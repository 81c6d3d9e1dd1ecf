/* scalar.h: contract.h in plain C, one value at a time and without fused multiply-add: for any CPU, and to read. */
#ifndef FGD_SIMD_SCALAR_H
#define FGD_SIMD_SCALAR_H
#define FGD_ISA scalar

#include "headers.h"

enum { MR = 4, NV = 2, VL = 1 };
#define FGD_TILE_ROWS(ROW) ROW(1) ROW(2) ROW(3) ROW(4)

#if FGD_BITS == 32
typedef float real;
typedef uint32_t word;
#define M(op) op##f
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };
#else
typedef double real;
typedef uint64_t word;
#define M(op) op
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };
#endif
typedef real vec;
typedef int lanes; /* 1: the lane is active */

static inline vec v_set(real x) { return x; }
static inline vec v_load(const real *p) { return *p; }
static inline void v_store(real *p, vec v) { *p = v; }
static inline void v_stream(real *p, vec v) { v_store(p, v); }
static inline void stream_end(void) {}
static inline lanes v_lanes(ptrdiff_t n) { return n > 0; }
static inline vec v_load_part(const real *p, lanes m) { return m ? *p : 0; }
static inline void v_store_part(real *p, vec v, lanes m) {
    if (m) *p = v;
}
static inline vec v_blend(lanes m, vec a, vec b) { return m ? a : b; }

static inline vec v_swap(vec a, UNUSED int d) { return a; }
static inline vec v_add(vec a, vec b) { return a + b; }
static inline vec v_sub(vec a, vec b) { return a - b; }
static inline vec v_mul(vec a, vec b) { return a * b; }
static inline vec v_div(vec a, vec b) { return a / b; }
static inline vec v_fma(vec a, vec b, vec c) { return a * b + c; }
static inline vec v_fnma(vec a, vec b, vec c) { return c - a * b; }
static inline vec v_sqrt(vec a) { return M(sqrt)(a); }
static inline lanes v_gt(vec a, vec b) { return a > b; }
static inline vec v_max(vec a, vec b) { return a > b ? a : b; }
static inline vec v_min(vec a, vec b) { return a < b ? a : b; }
static inline vec v_round(vec a) { return M(nearbyint)(a); }
static inline vec v_pow2(vec k) {
    word bits = (word)((int)k + EXPONENT_BIAS) << MANTISSA_BITS;
    vec x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline vec v_exponent(vec x) {
    word bits;
    memcpy(&bits, &x, sizeof x);
    return (vec)((int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS);
}

#if FGD_BITS == 32
static inline word bits_of(vec x) {
    word bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline vec of_bits(word bits) {
    vec x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline vec v_bf16(vec x) {
    word u = bits_of(x), magnitude = u & 0x7fffffff;
    if (magnitude < 0x800000) return of_bits(u & 0x80000000);
    return of_bits(magnitude > 0x7f800000 ? u | 0x400000 : u + 0x7fff + (u >> 16 & 1));
}
static inline vec v_pairs(vec a, vec b) { return of_bits(bits_of(a) >> 16 | (bits_of(b) & 0xffff0000)); }
static inline vec v_pack(vec a, vec b) { return v_pairs(a, b); }
static inline vec v_load_bf16(const void *p) {
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return of_bits((word)value << 16);
}
static inline vec v_low(vec w) { return of_bits(bits_of(w) << 16); }
static inline vec v_high(vec w) { return of_bits(bits_of(w) & 0xffff0000); }
#endif

typedef uint64_t vec_u64;
enum { VL_U64 = 1 };
static inline vec_u64 u64_set(uint64_t x) { return x; }
static inline vec_u64 u64_load(const uint64_t *p) { return *p; }
static inline vec_u64 u64_add(vec_u64 a, vec_u64 b) { return a + b; }
static inline vec_u64 u64_xor(vec_u64 a, vec_u64 b) { return a ^ b; }
static inline vec_u64 u64_mul_low(vec_u64 a, vec_u64 b) { return (a & 0xffffffff) * (b & 0xffffffff); }
static inline vec_u64 u64_high(vec_u64 a) { return a >> 32; }
static inline void u64_store_low(uint32_t *p, vec_u64 a, vec_u64 b) {
    p[0] = (uint32_t)a;
    p[1] = (uint32_t)b;
}

#endif
