/*
 * threads.c: how many threads a call may use.
 */
#include "fastgd.h"

#ifndef _WIN32
#include <pthread.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

/*
 * A forked child inherits the state of OpenMP's thread pool but none of its threads, so that its first parallel region
 * would wait for ever: a child runs on one thread.
 */
#ifdef _WIN32
static int is_forked_child(void) { return 0; }
#else
static int forked_child;
static pthread_once_t fork_guard = PTHREAD_ONCE_INIT;
static void mark_child(void) { forked_child = 1; }
static void install_fork_guard(void) { pthread_atfork(NULL, NULL, mark_child); }
static int is_forked_child(void) {
    pthread_once(&fork_guard, install_fork_guard);
    return forked_child;
}
#endif

static int thread_limit = 1 << 16;
void fgd_set_max_threads(int n_threads) { thread_limit = n_threads; }

int fgd_max_threads(void) {
#ifdef _OPENMP
    int openmp = omp_get_max_threads();
#else
    int openmp = 1;
#endif
    if (is_forked_child()) return 1;
    return openmp < thread_limit ? openmp : thread_limit;
}
