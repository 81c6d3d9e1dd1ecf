/*
 * denormals.h: denormals are zero inside the engine, as operands and as results.
 *
 * CPUs compute with them in microcode, 10 to 100 times slower, and training produces them for good: a slot of momentum
 * whose gradient stays 0 decays into the range of denormals and remains there.  As zeros they cost what other values
 * cost.  All instruction sets of x86 give the same bits.  NEON flushes a result that would be rounded up to the least
 * normal value, which x86 keeps: tininess is detected before rounding there.
 */
#ifndef FGD_SIMD_DENORMALS_H
#define FGD_SIMD_DENORMALS_H

#include "headers.h"

/* The register that controls arithmetic: MXCSR or FPCR of the current thread. */
#if defined(__x86_64__) || defined(_M_X64)
typedef uint32_t fp_control;
enum { FLUSH_DENORMALS = 1 << 15 | 1 << 6 }; /* FTZ: denormal results; DAZ: denormal operands */
ALWAYS_INLINE fp_control get_fp_control(void) {
    fp_control control;
    __asm__ volatile("stmxcsr %0" : "=m"(control) : : "memory");
    return control;
}
ALWAYS_INLINE void set_fp_control(fp_control control) { __asm__ volatile("ldmxcsr %0" : : "m"(control) : "memory"); }
#elif defined(__aarch64__)
typedef uint64_t fp_control;
enum { FLUSH_DENORMALS = 1 << 24 }; /* FZ: both */
ALWAYS_INLINE fp_control get_fp_control(void) {
    fp_control control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control) : : "memory");
    return control;
}
ALWAYS_INLINE void set_fp_control(fp_control control) { __asm__ volatile("msr fpcr, %0" : : "r"(control) : "memory"); }
#else
typedef int fp_control;
enum { FLUSH_DENORMALS = 0 };
ALWAYS_INLINE fp_control get_fp_control(void) { return 0; }
ALWAYS_INLINE void set_fp_control(UNUSED fp_control control) {}
#endif

ALWAYS_INLINE fp_control flush_denormals(void) {
    fp_control before = get_fp_control();
    if ((before & FLUSH_DENORMALS) != FLUSH_DENORMALS) set_fp_control(before | FLUSH_DENORMALS);
    return before;
}
ALWAYS_INLINE void restore_denormals(const fp_control *before) {
    if ((*before & FLUSH_DENORMALS) != FLUSH_DENORMALS) set_fp_control(*before);
}

/* The declaration, first in a block, after which denormals are zero in this thread until the block is left. */
#define DENORMALS_ARE_ZERO __attribute__((cleanup(restore_denormals))) const fp_control before = flush_denormals()

#endif
