/*
 * team.h: the threads of one call.
 */
#ifndef FGD_TEAM_H
#define FGD_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "affinity.h"
#include "partition.h"

/* Calls run(argument, worker) on `threads` threads at once. */
static void run_team(int threads, void (*run)(void *argument, worker self), void *argument) {
    if (threads == 1) {
        run(argument, (worker){.rank = 0, .size = 1});
        return;
    }
#ifdef _OPENMP
    cpu_claims claims = {0};
#pragma omp parallel num_threads(threads)
    {
        spread_threads(&claims);
        run(argument, (worker){.rank = omp_get_thread_num(), .size = omp_get_num_threads()});
    }
#else
    run(argument, (worker){.rank = 0, .size = 1});
#endif
}

#endif
