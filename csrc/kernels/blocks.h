/*
 * blocks.h: the sizes of blocks, from the L2 cache of a core.  No result depends on them.
 */
#ifndef FGD_BLOCKS_H
#define FGD_BLOCKS_H

#include <stdatomic.h>

#include "../simd/contract.h"

extern atomic_size_t fgd_l2_cache; /* dispatch.c */
static inline size_t l2_bytes(void) { return atomic_load_explicit(&fgd_l2_cache, memory_order_relaxed); }

/* A matrix of this size or larger does not stay in L2 from step to step. */
static inline int exceeds_l2(int k, int n) { return (size_t)k * (size_t)n * sizeof(real) >= l2_bytes() / 2; }

/* Maximum number of rows in a block of A; minimum and maximum steps along k. */
enum { MC = 336, MIN_KC = 32, MAX_KC = 1024 };

/* The steps along k that a block of A of m rows and a panel of B have: they stay in L2, and a panel takes an eighth. */
static inline int block_steps(int m) {
    size_t l2 = l2_bytes(), steps = l2 / (8 * NR * sizeof(real)), row = (size_t)m * sizeof(real);
    if (steps > MAX_KC) steps = MAX_KC;
    if (row * steps > l2) steps = l2 / row;
    return steps < MIN_KC ? MIN_KC : (int)steps;
}

/*
 * Rows a multiple of PAGE bytes apart compete for a few sets of each cache: L2 cannot hold a panel of them, nor L1 MR
 * of them.
 */
enum { PAGE = 4096 };
static inline int same_cache_set(ptrdiff_t bytes) { return bytes % PAGE == 0; }

#endif
