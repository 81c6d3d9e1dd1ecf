/*
 * team.h: a barrier for the threads of one call.
 *
 * libgomp's own costs more (a step of a 32-128-64-1 network: 124 us against 111), and much more when another process
 * takes a core: it goes on spinning, where this one yields.
 */
typedef struct {
    atomic_int arrived, generation;
} barrier;

static inline void relax(void) {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void give_way(void) {
#ifdef _WIN32
    SwitchToThread();
#else
    sched_yield();
#endif
}

enum { SPINS = 300 }; /* about 10 us: longer than a phase is uneven, shorter than a time slice is lost */

/* Returns when all `threads` have come; what they wrote before is then seen by all. */
static void barrier_wait(barrier *b, int threads) {
    if (threads == 1) return;
    int generation = atomic_load_explicit(&b->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->generation, generation + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&b->generation, memory_order_acquire) == generation; spins++) {
        if (spins < SPINS)
            relax();
        else
            give_way();
    }
}
