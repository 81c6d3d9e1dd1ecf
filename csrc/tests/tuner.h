/*
 * tuner.h: tests which teams the tuner chooses, on a clock of its own.
 */
#ifndef FGD_TEST_TUNER_H
#define FGD_TEST_TUNER_H

#include <math.h>

#include "../engine/tuner.h"
#include "check.h"

/* Seconds that a team of some threads takes from `now` on for work that takes one thread, alone, `seconds`. */
typedef double team_time(int threads, double now, double seconds);

/* Trains steps of `rows` rows, on a clock that starts at *now, until `end`; returns the share of the rows that were
   trained by teams of `threads`. */
static double simulate(thread_tuner *t, team_time *time, int rows, double *now, double end, int threads) {
    const double seconds_per_row = 1e-5;
    double all = 0, by_team = 0;
    while (*now < end) {
        int team = team_threads(t);
        double seconds = time(team, *now, rows * seconds_per_row);
        *now += seconds;
        all += rows;
        if (team == threads) by_team += rows;
        tuner_record(t, *now, seconds, rows);
    }
    return by_team / all;
}

static double scales(int threads, double now, double seconds) {
    (void)now;
    return seconds / threads;
}
static double does_not_scale(int threads, double now, double seconds) {
    (void)now;
    return seconds * (1 + 0.1 * threads);
}
/* Every 50 ms the system holds up any team of several for 12 ms: two windows, or more. */
static double is_held_up(int threads, double now, double seconds) {
    const double every = 0.05, pause = 0.012;
    double end = now + seconds / threads;
    return end - now + (threads > 1 ? pause * (floor(end / every) - floor(now / every)) : 0);
}
/* The threads of any team of several run for 4 ms, then one of them waits for 8 ms. */
static double takes_turns(int threads, double now, double seconds) {
    const double run = 0.004, cycle = 0.012;
    double left = seconds / threads, end = now;
    while (threads > 1 && left > 0) {
        double turn = floor(end / cycle + 1e-6), runs = fmax(0, turn * cycle + run - end);
        if (left < runs) break;
        left -= runs;
        end = (turn + 1) * cycle;
    }
    return end + left - now;
}
/* From 0.3 to 1.3 seconds another process occupies a core. */
static double loses_a_core(int threads, double now, double seconds) {
    return now < 0.3 || now > 1.3 || threads == 1 ? seconds / threads : 3 * seconds;
}

/* In each step of several threads, one waits for a time slice of a CPU that another process wants. */
static double waits_for_slices(int threads, double now, double seconds) {
    (void)now;
    return threads > 1 ? seconds / threads + 0.004 : seconds;
}

/* The time that a training of half a second takes, relative to that of a single thread. */
static double relative_time(team_time *time, int rows) {
    thread_tuner t = {.max = 2};
    double now = 0, alone = 0;
    while (now < 0.5) {
        double before = now;
        simulate(&t, time, rows, &now, before + 1e-9, 1); /* a step */
        alone += time(1, before, rows * 1e-5);
    }
    return now / alone;
}

/* The share of two (or max) threads, or of one, in a whole training. */
static double share(team_time *time, int rows, int max, int threads) {
    thread_tuner t = {.max = max};
    double now = 0;
    return simulate(&t, time, rows, &now, 2, threads);
}

/* Of a training of a few milliseconds most is done by the faster team. */
static void test_short_training(void) {
    thread_tuner t = {.max = 2}, other = t;
    double now = 0, start = 0;
    check(simulate(&t, does_not_scale, 1, &now, 5e-3, 1) > 0.9, "a short training does without a thread that costs");
    check(simulate(&other, scales, 1, &start, 5e-3, 2) > 0.9, "a short training keeps two threads");
}

static void tuner(const fgd_engine *e) {
    (void)e;
    test_short_training();
    for (int rows = 1; rows <= 1000; rows *= 10) {
        check(share(scales, rows, 2, 2) > 0.98, "two threads stay, steps of %d rows", rows);
        check(share(scales, rows, 8, 8) > 0.98, "eight threads stay, steps of %d rows", rows);
        check(share(is_held_up, rows, 2, 2) > 0.98, "they stay though they are held up, steps of %d rows", rows);
        check(share(does_not_scale, rows, 2, 1) > 0.8, "a second thread that costs leaves, steps of %d rows", rows);
        check(share(does_not_scale, rows, 8, 1) > 0.8, "seven threads that cost leave, steps of %d rows", rows);
        check(share(takes_turns, rows, 2, 1) > 0.7, "so does one that must take turns, steps of %d rows", rows);
        check(relative_time(waits_for_slices, rows) < 1.12, "it costs little to try, steps of %d rows", rows);
        thread_tuner t = {.max = 2};
        double now = 0;
        simulate(&t, loses_a_core, rows, &now, 0.3, 2);
        check(simulate(&t, loses_a_core, rows, &now, 1.3, 1) > 0.8, "one leaves a busy core, steps of %d rows", rows);
        simulate(&t, loses_a_core, rows, &now, 2.6, 2);
        check(simulate(&t, loses_a_core, rows, &now, 3, 2) > 0.98, "and comes back, steps of %d rows", rows);
    }
}

#endif
