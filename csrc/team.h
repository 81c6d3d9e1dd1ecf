/*
 * team.h: the threads of one call: who they are, how they wait for each other, and how many of them pay.
 */

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
    atomic_int arrived, generation;
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

/* ---- how many ---- */

/* Below this many floating-point operations per thread and phase a second thread costs more than it brings. */
#define FLOPS_PER_THREAD 150e3

/* How many threads to start: `wanted`, or with 0 as many as a phase of `flops` operations pays for. */
static int useful_threads(int wanted, double flops) {
    int most = fgd_max_threads();
    if (wanted > 0) return most == 1 ? 1 : wanted;
    double worth = flops / FLOPS_PER_THREAD;
    return worth < 2 ? 1 : worth < most ? (int)worth : most;
}

static double seconds_now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/*
 * The crew of a training: what its teams of most, most / 2, most / 4 ... 1 threads were seen to need for a row.  A team
 * that is slower than a smaller one (another process has taken a core, or the cost model was wrong) shrinks on the spot,
 * and the larger one is tried again after a rest that doubles each time it disappoints.  Results do not depend on it.
 */
enum { TEAMS = 12, LONGEST_REST = 32 };
typedef struct {
    int most;              /* threads of team 0; 0: nothing known yet */
    double seconds[TEAMS]; /* per row; 0: not measured                */
    int rest, next_rest;   /* chunks until team 0 is tried again      */
} crew;

static inline int team_threads(const crew *c, int team) { return c->most >> team; }
static inline int is_smallest(const crew *c, int team) { return team + 1 >= TEAMS || team_threads(c, team) == 1; }

static int fastest_team(const crew *c) {
    int best = 0;
    for (int team = 1; team < TEAMS && team_threads(c, team) > 0; team++)
        if (c->seconds[team] > 0 && c->seconds[team] < c->seconds[best]) best = team;
    return best;
}

/* The team that begins a chunk. */
static int crew_begin(crew *c, int most) {
    if (c->most != most) *c = (crew){.most = most};
    if (c->rest == 0) return 0;
    c->rest--;
    return fastest_team(c);
}

/* The team that goes on after `team` needed `seconds` for a row: itself, or a smaller one. */
static int crew_note(crew *c, int team, double seconds) {
    c->seconds[team] = seconds;
    if (!is_smallest(c, team) && c->seconds[team + 1] == 0) return team + 1;
    int best = fastest_team(c);
    return best > team ? best : team;
}

/* After a chunk that ended with `team`. */
static void crew_end(crew *c, int began, int team) {
    if (began > 0) return;
    c->next_rest = team == 0 ? 0 : c->next_rest < LONGEST_REST / 2 ? 2 * c->next_rest + 1 : LONGEST_REST;
    c->rest = c->next_rest;
}
