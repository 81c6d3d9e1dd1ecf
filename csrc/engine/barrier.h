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

/*
 * 50 to 200 us, by CPU: more than the imbalance of a phase, far less than a time slice.  A thread that yields on a CPU
 * that another process wants loses a time slice, each time: Linux 6.18 takes what was left of its own as used up.
 */
enum { SPINS = 4000 };

/* Turn number `turn` of a loop that waits for another thread. */
static inline void pause_or_yield(int turn) {
    if (turn < SPINS)
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
        pause_or_yield(turn);
}

#endif
