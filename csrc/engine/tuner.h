/*
 * tuner.h: how many of the threads that were started to keep, by measurement.  Results do not depend on it.
 */
#ifndef FGD_TUNER_H
#define FGD_TUNER_H

#include <math.h>

/*
 * The time per row that teams of max, max / 2, max / 4 ... 1 threads take is measured in windows.  A team is judged by
 * the median of its latest windows, because the system may hold up any one of them: it takes the core for another
 * process, or some time to wake a thread.  The fastest team trains.  One that is slower than a smaller one (a process
 * has taken a core for longer, or the cost model was wrong) is given up for that.  No team is judged before RECENT
 * windows, or the time of as many.  The largest is tried again after an interval, which doubles each time until that
 * team has trained for as long; a window that takes far longer than those of a smaller team ends such a trial, because
 * a thread that waits for its core may take ten times as long.
 *
 * Before all that, if steps are short, the two largest teams are compared for a moment: a short training may be over
 * before the first window ends, and if threads cost more than they gain, most of it should do without them.
 */
enum { TEAMS = 12, RECENT = 3, MIN_PROBE_STEPS = 8 };
#define WINDOW 5e-3 /* seconds, like the others */
#define TRIAL_WINDOW (WINDOW / 4) /* of a smaller team, which most often is slower */
#define PROBE 3e-4                /* of each of the two largest teams, if that is several steps */
#define MIN_INTERVAL 0.05
#define MAX_INTERVAL 2.0
#define SLOWDOWN 1.25
#define HOPELESS 1.5
typedef struct {
    int max, team;                /* threads of team 0 (0: nothing measured yet); the team that trains */
    int windows[TEAMS];           /* measured of each team, at most RECENT: the first of `recent` */
    double recent[TEAMS][RECENT]; /* seconds per row, latest first */
    double fastest[TEAMS];        /* per row, since the measurements of smaller teams were last dropped */
    double elapsed, rows;         /* of the current window */
    int steps, is_probed;         /* of the current window; 1: the two largest teams have been compared */
    double probed;                /* seconds per row of the largest team */
    double trained;               /* seconds since the team has begun */
    double interval, retry;       /* until team 0 is tried again (0: nothing was given up), and the time of that */
} thread_tuner;

static inline int team_threads(const thread_tuner *t) { return t->max >> t->team; }

/* Seconds per row: the median of the latest windows, or the least of fewer; INFINITY: not measured. */
static double team_seconds(const thread_tuner *t, int team) {
    double least = INFINITY, second = INFINITY;
    for (int i = 0; i < t->windows[team]; i++) {
        double seconds = t->recent[team][i];
        second = fmin(second, fmax(least, seconds));
        least = fmin(least, seconds);
    }
    return t->windows[team] == RECENT ? second : least;
}

static int is_known(const thread_tuner *t) { return t->windows[t->team] == RECENT || t->trained >= RECENT * WINDOW; }

static int fastest_team(const thread_tuner *t) {
    int best = 0;
    for (int team = 1; team < TEAMS; team++)
        if (team_seconds(t, team) < team_seconds(t, best)) best = team;
    return best;
}

/* The current team took `seconds` per row.  If it has become slower, the measurements of smaller teams are dropped. */
static void add_window(thread_tuner *t, double seconds) {
    int team = t->team;
    for (int i = RECENT - 1; i > 0; i--) t->recent[team][i] = t->recent[team][i - 1];
    t->recent[team][0] = seconds;
    if (t->windows[team] < RECENT) t->windows[team]++;
    double usual = team_seconds(t, team);
    if (is_known(t) && usual > SLOWDOWN * t->fastest[team]) {
        t->fastest[team] = usual;
        for (int smaller = team + 1; smaller < TEAMS; smaller++) t->windows[smaller] = 0;
    }
    if (t->windows[team] == 1 || usual < t->fastest[team]) t->fastest[team] = usual;
}

/* The interval after one that has not made team 0 the fastest. */
static double longer_interval(double interval) {
    if (interval == 0) return MIN_INTERVAL;
    return 2 * interval < MAX_INTERVAL ? 2 * interval : MAX_INTERVAL;
}

/* Whether team 0, which was given up before, takes so much longer than team `best` that it is not tried any longer. */
static int is_hopeless(const thread_tuner *t, int best) {
    return t->interval > 0 && t->team == 0 && team_seconds(t, 0) > HOPELESS * team_seconds(t, best);
}

/* After a window of the current team: the one to train next. */
static int next_team(thread_tuner *t, double now) {
    int team = t->team, smaller = team + 1, best = fastest_team(t);
    int is_smallest = smaller == TEAMS || t->max >> smaller == 0;
    if (!is_known(t) && !is_hopeless(t, best)) return team;
    if (best == team && !is_smallest && t->windows[smaller] == 0) return smaller;
    if (best > 0 && (team == 0 || t->interval == 0)) {
        t->interval = longer_interval(t->interval);
        t->retry = now + t->interval;
    }
    if (best == 0 && now > t->retry + t->interval) t->interval = 0;
    return now < t->retry ? best : 0;
}

/* At the end of a probe of one of the two largest teams: the smaller one stays if it was faster. */
static void end_probe(thread_tuner *t, double now) {
    double seconds = t->elapsed / t->rows;
    t->elapsed = t->rows = 0;
    t->steps = 0;
    if (t->team == 0) {
        t->probed = seconds;
        t->team = 1;
        return;
    }
    t->is_probed = 1;
    t->team = 0;
    t->trained = 0;
    if (seconds >= t->probed) return;
    add_window(t, t->probed);
    t->team = 1;
    add_window(t, seconds);
    t->interval = longer_interval(t->interval);
    t->retry = now + t->interval;
}

/* The team took `elapsed` seconds for `rows` rows; at the end of a window the team may change. */
static void tuner_record(thread_tuner *t, double now, double elapsed, double rows) {
    int is_trial = !is_known(t) && t->team > 0;
    t->elapsed += elapsed;
    t->trained += elapsed;
    t->rows += rows;
    t->steps++;
    if (!t->is_probed && t->elapsed >= PROBE) {
        if (t->max > 1 && (t->team > 0 || t->steps >= MIN_PROBE_STEPS)) return end_probe(t, now);
        t->is_probed = 1;
    }
    if (t->elapsed < (is_trial ? TRIAL_WINDOW : WINDOW)) return;
    add_window(t, t->elapsed / t->rows);
    int next = next_team(t, now);
    if (next != t->team) {
        t->windows[next] = 0;
        t->trained = 0;
    }
    t->team = next;
    t->elapsed = t->rows = 0;
}

#endif
