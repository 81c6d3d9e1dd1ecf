/*
 * team.h: the threads of one call: how many to start, by a cost model, and how they run.
 */
#ifndef FGD_TEAM_H
#define FGD_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "../fastgd.h"
#include "../simd/denormals.h"
#include "affinity.h"
#include "partition.h"

/*
 * Floating-point operations per thread below which one more thread costs more than it gains: in a phase of training,
 * whose threads are running and wait for each other; in a call that starts them; and in a prediction, which has no
 * tuner to notice that another process has taken a core.
 */
#define MIN_FLOPS_OF_PHASE 150e3
#define MIN_FLOPS_OF_CALL 1e6
#define MIN_FLOPS_OF_PREDICTION 4.5e6

/* The number of threads to start, at most fgd_max_threads(): `requested`, or if that is 0, one for each min_flops of
   `flops`. */
static int useful_threads(int requested, double flops, double min_flops) {
    int max = fgd_max_threads();
    double useful = requested > 0 ? requested : flops / min_flops;
    return useful < 2 ? 1 : useful < max ? (int)useful : max;
}

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
