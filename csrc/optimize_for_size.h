/*
 * optimize_for_size.h: included first, makes the rest of a file small rather than fast.
 */
#ifndef FGD_OPTIMIZE_FOR_SIZE_H
#define FGD_OPTIMIZE_FOR_SIZE_H

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os")
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" /* of tiles, whose size is not a constant here */
#endif
#define ALWAYS_INLINE static inline /* as the compiler sees fit */
#define UNROLLED
#define VECTORIZED

#endif
