/*
 * barrier.h: a barrier that spins for a while, then yields.
 *
 * libgomp's costs more (a step of a 32-128-64-1 network takes 124 us instead of 111), and far more when another process
 * takes a core, because it keeps spinning.
 */
#ifndef FGD_BARRIER_H
#define FGD_BARRIER_H

#include <stdatomic.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <sched.h>
#endif

#include "../simd/contract.h"

typedef struct {
    _Alignas(LINE) atomic_int arrived;
    atomic_int generation;
    int spins; /* turns for which to wait without yielding; at least MIN_SPINS */
} spin_barrier;

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void cpu_yield(void) {
#ifdef _WIN32
    SwitchToThread();
#else
    sched_yield();
#endif
}

enum { MIN_SPINS = 300, MAX_SPINS = 4000 }; /* some 10 and 100 us; a time slice lasts several milliseconds */

/*
 * Turns for which a thread waits, without yielding, where it does `flops` operations from one wait to the next: about
 * as long as those take the others.  If it yields sooner, on a CPU that another process wants, it loses its time slice
 * in each step: one of 32-128-64-1 with 256 rows then takes 4 ms.  If it spins for longer, and the one that it waits
 * for has been put on the same CPU, it holds that one up.  (Measured on Linux 6.18, Intel Emerald Rapids; elsewhere a
 * turn may take another time, which moves when a thread yields, and no bit.)
 */
static int spins_of(double flops) {
    const double flops_per_turn = 1500;
    double spins = flops / flops_per_turn;
    return spins < MIN_SPINS ? MIN_SPINS : spins < MAX_SPINS ? (int)spins : MAX_SPINS;
}

/* Turn number `turn` of a loop that waits for another thread. */
static inline void pause_or_yield(int turn, int spins) {
    if (turn < MIN_SPINS || turn < spins)
        cpu_pause();
    else
        cpu_yield();
}

/* Returns when all `threads` have called it; what each wrote before is then visible to all. */
static void barrier_wait(spin_barrier *b, int threads) {
    if (threads == 1) return;
    int generation = atomic_load_explicit(&b->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->generation, generation + 1, memory_order_release);
        return;
    }
    for (int turn = 0; atomic_load_explicit(&b->generation, memory_order_acquire) == generation; turn++)
        pause_or_yield(turn, b->spins);
}

#endif
