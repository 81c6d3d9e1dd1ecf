/*
 * team.h: the threads of one call.
 */
#ifndef FGD_TEAM_H
#define FGD_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "barrier.h"

/* Threads that OpenMP would start now. */
static int max_threads(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* work(argument, seat) by `threads` threads at once, each with a seat of its own. */
static void run_team(int threads, void (*work)(void *argument, seat seat), void *argument) {
    if (threads == 1) {
        work(argument, (seat){0, 1});
        return;
    }
#ifdef _OPENMP
    claims cpus = {0};
#pragma omp parallel num_threads(threads)
    {
        take_seat(&cpus);
        work(argument, (seat){omp_get_thread_num(), omp_get_num_threads()});
    }
#else
    work(argument, (seat){0, 1});
#endif
}

#endif
