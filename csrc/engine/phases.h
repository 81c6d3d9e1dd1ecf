/*
 * phases.h: where the time of training steps goes, phase by phase, on each thread.
 *
 * A thread enters a phase; the time until it enters the next one counts for it.  Without a stopwatch (NULL) entering
 * one is a comparison, of which a step makes a few per layer.
 */
#ifndef FGD_PHASES_H
#define FGD_PHASES_H

#ifdef _WIN32
#include <windows.h>
#endif
#include <time.h>

#include "../fastgd.h"

static double seconds_now(void) {
#ifdef _WIN32
    LARGE_INTEGER ticks, ticks_per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&ticks_per_second);
    return (double)ticks.QuadPart / (double)ticks_per_second.QuadPart;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}

typedef struct {
    double *seconds; /* of this thread, phase by phase */
    int phase;       /* the current one */
    double since;    /* when it was entered, or last */
} stopwatch;

/* A phase of layer l. */
static inline int phase_of_layer(int phase, int l) { return phase + FGD_PHASES_OF_LAYER * l; }

/* The stopwatch of thread number `rank`, or NULL if `phases`, as in fgd_chunk, is. */
static stopwatch *start_watch(stopwatch *watch, double *phases, int L, int rank) {
    if (!phases) return NULL;
    *watch = (stopwatch){
        .seconds = phases + rank * phase_of_layer(FGD_FORWARD, L), .phase = FGD_GATHER, .since = seconds_now()};
    return watch;
}

/* Returns the phase that ends. */
static inline int enter_phase(stopwatch *watch, int phase) {
    if (!watch) return 0;
    double now = seconds_now();
    int before = watch->phase;
    watch->seconds[before] += now - watch->since;
    watch->phase = phase;
    watch->since = now;
    return before;
}

#endif
