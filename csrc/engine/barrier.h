/*
 * team.h: the threads of one call: who they are, how they wait for each other, and how many of them pay.
 */
#ifndef FGD_BARRIER_H
#define FGD_BARRIER_H

#include "../fastgd.h"
#include "../kernels/gemm.h"
#include "../simd/contract.h"

/* A thread's number in its team, and how many there are. */
typedef struct {
    int part, parts;
} seat;

/* Where this thread's part of `count` things begins, and where it ends. */
static inline int first_of(seat s, ptrdiff_t count) { return (int)share(count, s.part, s.parts); }
static inline int end_of(seat s, ptrdiff_t count) { return (int)share(count, s.part + 1, s.parts); }

/* ---- waiting ---- */

/*
 * A barrier of our own: libgomp's costs more (a step of a 32-128-64-1 network: 124 us against 111), and much more when
 * another process takes a core: it goes on spinning, where this one yields.
 */
typedef struct {
    _Alignas(LINE) atomic_int arrived;
    atomic_int generation;
} barrier;

static inline void relax(void) {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void give_way(void) {
#ifdef _WIN32
    SwitchToThread();
#else
    sched_yield();
#endif
}

enum { SPINS = 300 }; /* about 10 us: longer than a phase is uneven, shorter than a time slice is lost */

/* Returns when all `threads` have come; what they wrote before is then seen by all. */
static void barrier_wait(barrier *b, int threads) {
    if (threads == 1) return;
    int generation = atomic_load_explicit(&b->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->generation, generation + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&b->generation, memory_order_acquire) == generation; spins++) {
        if (spins < SPINS)
            relax();
        else
            give_way();
    }
}

/* ---- where ---- */

/*
 * A system may start two threads of a team on one CPU while another is idle, and since both wait by giving way it may
 * leave them there for a second, in which each step takes three times as long.  So every thread claims its CPU, and one
 * that finds it claimed goes to one that is not.
 */
#ifdef __linux__
typedef struct {
    atomic_uchar taken[CPU_SETSIZE];
} claims;

static int claim_cpu(claims *c) {
    int cpu = sched_getcpu();
    return cpu < 0 || cpu >= CPU_SETSIZE || !atomic_exchange(&c->taken[cpu], 1);
}

static void take_seat(claims *c) {
    cpu_set_t allowed, free;
    if (claim_cpu(c) || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    free = allowed;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (atomic_load(&c->taken[cpu])) CPU_CLR(cpu, &free);
    if (CPU_COUNT(&free) == 0 || sched_setaffinity(0, sizeof free, &free)) return;
    claim_cpu(c);
    sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
typedef char claims;
static void take_seat(claims *c) { (void)c; }
#endif

/* ---- how many ---- */

/*
 * Below this many floating-point operations for each thread another one costs more than it brings: in a phase of a
 * training, whose threads are there and wait for each other; in a call that starts them; and in a prediction, which has
 * no crew to see that another process has taken a core.
 */
#define FLOPS_OF_PHASE 150e3
#define FLOPS_OF_CALL 1e6
#define FLOPS_OF_PREDICTION 4.5e6

/* How many threads to start: `wanted`, or with 0 as many as `flops` operations pay for, at `each` or more. */
static int useful_threads(int wanted, double flops, double each) {
    int most = fgd_max_threads();
    if (wanted > 0) return most == 1 ? 1 : wanted;
    double worth = flops / each;
    return worth < 2 ? 1 : worth < most ? (int)worth : most;
}

static double seconds_now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/*
 * The crew of a training: what its teams of most, most / 2, most / 4 ... 1 threads were seen to need for a row, in windows
 * of some milliseconds, long enough for a thread to be woken in one and for another process to get its turn.  The fastest
 * is at work: a team that is slower than a smaller one (another process has taken a core, or the cost model was wrong)
 * shrinks.  The largest is tried again after a rest that doubles each time it disappoints.  Results do not depend on it.
 */
enum { TEAMS = 12 };
#define WINDOW 5e-3
#define SHORTEST_REST 0.05
#define LONGEST_REST 2.0
#define WORSE 1.25
typedef struct {
    int most, team;        /* threads of team 0 (0: nothing known yet); the team at work               */
    double seconds[TEAMS]; /* for a row; 0: not measured                                               */
    double least[TEAMS];   /* for a row, since the smaller team was last measured                      */
    double passed, rows;   /* of the window under way                                                  */
    double rest, retry;    /* the last rest in seconds (0: team 0 is at work), and the moment of its end */
} crew;

static inline int team_threads(const crew *c) { return c->most >> c->team; }

static int fastest_team(const crew *c) {
    int best = 0;
    for (int team = 1; team < TEAMS && c->most >> team > 0; team++)
        if (c->seconds[team] > 0 && c->seconds[team] < c->seconds[best]) best = team;
    return best;
}

static void change_team(crew *c, int team) {
    c->team = team;
    c->passed = c->rows = 0;
}

/* The team at work has needed so much for a row: if that is worse than it was, no smaller team is known any more. */
static void crew_learn(crew *c, double seconds) {
    int team = c->team;
    c->seconds[team] = seconds;
    if (seconds > WORSE * c->least[team]) {
        c->least[team] = seconds;
        for (int smaller = team + 1; smaller < TEAMS; smaller++) c->seconds[smaller] = 0;
    }
    if (seconds < c->least[team]) c->least[team] = seconds;
}

/* The team has needed `passed` seconds for `rows` rows: who goes on? */
static void crew_note(crew *c, double now, double passed, double rows) {
    c->passed += passed;
    c->rows += rows;
    if (c->passed < WINDOW) return;
    crew_learn(c, c->passed / c->rows);
    int smaller = c->team + 1, is_smallest = smaller == TEAMS || c->most >> smaller == 0;
    int was_worth_it = c->team == 0 || c->seconds[c->team] < c->seconds[c->team - 1];
    if (!is_smallest && was_worth_it && c->seconds[smaller] == 0) {
        change_team(c, smaller);
        return;
    }
    int best = fastest_team(c);
    if (best == 0) {
        c->rest = 0;
    } else if (best > c->team || c->rest == 0) {
        c->rest = c->rest == 0 ? SHORTEST_REST : 2 * c->rest < LONGEST_REST ? 2 * c->rest : LONGEST_REST;
        c->retry = now + c->rest;
    } else if (now >= c->retry) {
        best = 0;
    }
    change_team(c, best);
}

#endif
