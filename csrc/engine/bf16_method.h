/*
 * bf16_method.h: the fastest way in which this CPU, or the process, can compute products of bf16 factors.  The bits are
 * the same.
 */
#ifndef FGD_BF16_METHOD_H
#define FGD_BF16_METHOD_H

#include "../fastgd.h"
#include "../kernels/bf16_product.h"
#include "memory.h"
#include "phases.h"

#if FGD_BITS == 32 && defined(FGD_BF16_INSTRUCTIONS)

/* The least time, of some attempts, for a few products of blocks. */
static double seconds_of_blocks(const int dots, bf16_scratch *s) {
    enum { ATTEMPTS = 5, BLOCKS = 20 };
    double least = INFINITY;
    for (int i = 0; i < ATTEMPTS; i++) {
        double start = seconds_now();
        for (int b = 0; b < BLOCKS; b++) add_block(dots, s->outer[b % MAX_STEPS], s->inner, SIDE, SIDE, s->c[0][0]);
        least = fmin(least, seconds_now() - start);
    }
    return least;
}

/* Whether VDPBF16PS beats multiply-adds of unpacked values: some CPUs have a fast unit for it, others a slow one.
   Measured once. */
static int dots_are_faster(void) {
    if (!converts_bf16()) return 0;
    int known = atomic_load(&fgd_dots_are_faster);
    if (known) return known > 0;
    bf16_scratch *scratch = alloc_zeroed(sizeof *scratch);
    if (!scratch) return 0;
    int faster = seconds_of_blocks(1, scratch) < seconds_of_blocks(0, scratch);
    free_aligned(scratch);
    atomic_store(&fgd_dots_are_faster, faster ? 1 : -1);
    return faster;
}

static bf16_method method_of(const fgd_net *net, int tiles) {
    if (net->precision != FGD_PRECISION_BF16) return BF16_BY_FMA;
    if (tiles && fgd_may_use_tiles()) return BF16_BY_TILES;
    return dots_are_faster() ? BF16_BY_DOTS : BF16_BY_FMA;
}

/* The declaration after which a thread may use tiles until the block is left. */
typedef struct {
    int used;
    tile_config before;
} tiles_of_thread;
static tiles_of_thread use_tiles(int use) { return (tiles_of_thread){use, configure_tiles(use)}; }
static void leave_tiles(const tiles_of_thread *t) { release_tiles(t->used, &t->before); }
#define TILES_ARE_USABLE(method) \
    UNUSED __attribute__((cleanup(leave_tiles))) const tiles_of_thread tiles = use_tiles((method) == BF16_BY_TILES)

#else

#if FGD_BITS == 64
typedef enum { BF16_BY_FMA, BF16_BY_DOTS, BF16_BY_TILES } bf16_method;
#endif
static bf16_method method_of(UNUSED const fgd_net *net, UNUSED int tiles) { return BF16_BY_FMA; }
#define TILES_ARE_USABLE(method) (void)(method)

#endif

/* For reports. */
static const char *unit_of(const fgd_net *net, bf16_method method) {
    static const char *const names[] = {"FMA", "VDPBF16PS", "AMX tiles"};
    return net->precision == FGD_PRECISION_BF16 ? names[method] : "";
}

#endif
