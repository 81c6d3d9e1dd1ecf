/*
 * headers.h: what every simd/<isa>.h includes before target.h enables an instruction set for all that follows.
 */
#ifndef FGD_SIMD_HEADERS_H
#define FGD_SIMD_HEADERS_H

#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <sched.h>
#include <sys/mman.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#include "../fastgd.h"

#ifndef ALWAYS_INLINE /* `make coverage` counts the lines of every function where it is defined */
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif
#define OUT_OF_LINE static __attribute__((noinline)) /* for what is called in many places, but seldom */
#define COLD static __attribute__((cold, noinline)) /* for what runs once a call: small rather than fast */
#define UNUSED __attribute__((unused)) /* a parameter that not all functions of a table need */

#ifndef UNROLLED /* optimize_for_size.h */
/* Before a loop of constant length over an array of vectors: unrolled early, the array is kept in registers. */
#define UNROLLED _Pragma("GCC unroll 16")

/* Before a plain loop over independent elements: -O2 vectorizes it as well, whatever its length. */
#define VECTORIZED _Pragma("omp simd")
#endif

/* The width of `real`, 32 or 64: isa/<isa>_f<bits>.c defines it first; 32 when a header is compiled alone. */
#ifndef FGD_BITS
#define FGD_BITS 32
#endif

#endif
