/*
 * memory.h: allocation, and memory that is handed out piece by piece.
 */
#ifndef FGD_MEMORY_H
#define FGD_MEMORY_H

#include "../simd/contract.h"

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Uninitialized memory; large blocks are on huge pages, which saves TLB misses. */
static void *alloc_aligned(size_t bytes) {
    size_t page = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    bytes = round_up(bytes, page);
#ifdef _WIN32
    void *memory = _aligned_malloc(bytes, page);
#else
    void *memory = aligned_alloc(page, bytes);
#if defined(MADV_HUGEPAGE)
    if (memory && page == HUGE_PAGE) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
#endif
    return memory;
}

static void *alloc_zeroed(size_t bytes) {
    void *memory = alloc_aligned(bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

static void free_aligned(void *memory) {
#ifdef _WIN32
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* Memory that is handed out piece by piece.  With base NULL it only counts the bytes. */
typedef struct {
    char *base;
    size_t used;
} arena;

static void *arena_take(arena *from, size_t bytes) {
    size_t offset = from->used;
    from->used += round_up(bytes, LINE);
    return from->base ? from->base + offset : NULL;
}

#endif
