/*
 * affinity.h: keeps two threads of a team off the same CPU.
 *
 * A system may start two threads of a team on one CPU while another is idle and, since both yield while they wait,
 * leave them there for a second, during which each step takes three times as long.  So each thread claims its CPU, and
 * one that finds it claimed moves to one that is not.
 */
#ifndef FGD_AFFINITY_H
#define FGD_AFFINITY_H

#ifdef __linux__
#include <sched.h>
#include <stdatomic.h>

typedef struct {
    atomic_uchar taken[CPU_SETSIZE];
} cpu_claims;

/* Whether this thread is the first to claim the CPU that it runs on. */
static int claim_cpu(cpu_claims *claims) {
    int cpu = sched_getcpu();
    return cpu < 0 || cpu >= CPU_SETSIZE || !atomic_exchange(&claims->taken[cpu], 1);
}

static void spread_threads(cpu_claims *claims) {
    cpu_set_t allowed, unclaimed;
    if (claim_cpu(claims) || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    unclaimed = allowed;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (atomic_load(&claims->taken[cpu])) CPU_CLR(cpu, &unclaimed);
    if (CPU_COUNT(&unclaimed) == 0 || sched_setaffinity(0, sizeof unclaimed, &unclaimed)) return;
    claim_cpu(claims);
    sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
typedef char cpu_claims;
static void spread_threads(cpu_claims *claims) { (void)claims; }
#endif

#endif
