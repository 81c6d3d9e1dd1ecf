/*
 * tuner.h: how many threads to start, by a cost model, and how many to keep, by measurement.  Results do not depend on
 * it.
 */
#ifndef FGD_TUNER_H
#define FGD_TUNER_H

#include "../fastgd.h"

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

/*
 * The time per row that teams of max, max / 2, max / 4 ... 1 threads were measured to take, in windows of some
 * milliseconds: long enough for a thread to be woken and for another process to get a time slice.  The fastest team
 * trains: one that is slower than a smaller one (another process has taken a core, or the cost model was wrong)
 * shrinks. The largest is tried again after an interval that doubles each time it is not the fastest.
 */
enum { TEAMS = 12 };
#define WINDOW 5e-3 /* seconds, like the others */
#define MIN_INTERVAL 0.05
#define MAX_INTERVAL 2.0
#define SLOWDOWN 1.25
typedef struct {
    int max, team;          /* threads of team 0 (0: nothing measured yet); the team that trains */
    double seconds[TEAMS];  /* per row; 0: not measured */
    double fastest[TEAMS];  /* per row, since the measurements of smaller teams were last dropped */
    double elapsed, rows;   /* of the current window */
    double interval, retry; /* until team 0 is tried again (0: it trains), and the time of that */
} thread_tuner;

static inline int team_threads(const thread_tuner *t) { return t->max >> t->team; }

static int fastest_team(const thread_tuner *t) {
    int best = 0;
    for (int team = 1; team < TEAMS && t->max >> team > 0; team++)
        if (t->seconds[team] > 0 && t->seconds[team] < t->seconds[best]) best = team;
    return best;
}

static void change_team(thread_tuner *t, int team) {
    t->team = team;
    t->elapsed = 0;
    t->rows = 0;
}

/* The current team took `seconds` per row.  If it has become slower, the measurements of smaller teams are dropped. */
static void tuner_update(thread_tuner *t, double seconds) {
    int team = t->team;
    t->seconds[team] = seconds;
    if (seconds > SLOWDOWN * t->fastest[team]) {
        t->fastest[team] = seconds;
        for (int smaller = team + 1; smaller < TEAMS; smaller++) t->seconds[smaller] = 0;
    }
    if (seconds < t->fastest[team]) t->fastest[team] = seconds;
}

/* The interval after one that has not made team 0 the fastest. */
static double longer_interval(double interval) {
    if (interval == 0) return MIN_INTERVAL;
    return 2 * interval < MAX_INTERVAL ? 2 * interval : MAX_INTERVAL;
}

/* The team took `elapsed` seconds for `rows` rows; at the end of a window the team may change. */
static void tuner_record(thread_tuner *t, double now, double elapsed, double rows) {
    t->elapsed += elapsed;
    t->rows += rows;
    if (t->elapsed < WINDOW) return;
    tuner_update(t, t->elapsed / t->rows);
    int smaller = t->team + 1, is_smallest = smaller == TEAMS || t->max >> smaller == 0;
    int beats_larger = t->team == 0 || t->seconds[t->team] < t->seconds[t->team - 1];
    if (!is_smallest && beats_larger && t->seconds[smaller] == 0) {
        change_team(t, smaller);
        return;
    }
    int best = fastest_team(t);
    if (best == 0) {
        t->interval = 0;
    } else if (best > t->team || t->interval == 0) {
        t->interval = longer_interval(t->interval);
        t->retry = now + t->interval;
    } else if (now >= t->retry) {
        best = 0;
    }
    change_team(t, best);
}

#endif
