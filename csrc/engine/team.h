/*
 * team.h: the threads of one call, in which denormals are zero.
 */
#ifndef FGD_TEAM_H
#define FGD_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "../simd/denormals.h"
#include "affinity.h"
#include "partition.h"

typedef void team_function(void *argument, worker self);

/* By each thread of a team.  It is not enough for the caller to flush denormals: threads that OpenMP started meanwhile
   would inherit that for good, and other users of the process with them. */
static void run_worker(team_function *run, void *argument, worker self) {
    DENORMALS_ARE_ZERO;
    run(argument, self);
}

/* Calls run(argument, worker) on `threads` threads at once. */
static void run_team(int threads, team_function *run, void *argument) {
    if (threads == 1) {
        run_worker(run, argument, (worker){.rank = 0, .size = 1});
        return;
    }
#ifdef _OPENMP
    cpu_claims claims = {0};
#pragma omp parallel num_threads(threads)
    {
        spread_threads(&claims);
        run_worker(run, argument, (worker){.rank = omp_get_thread_num(), .size = omp_get_num_threads()});
    }
#else
    run_worker(run, argument, (worker){.rank = 0, .size = 1});
#endif
}

#endif
