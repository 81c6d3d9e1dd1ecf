/*
 * training_team.h: the threads that do the steps of a chunk, and how their number changes from step to step.
 */
#ifndef FGD_TRAINING_TEAM_H
#define FGD_TRAINING_TEAM_H

#include <stdatomic.h>

#include "layers.h"
#include "micro_batch.h"
#include "own_columns.h"
#include "plan.h"
#include "relay.h"
#include "transforms.h"
#include "tuner.h"
#include "workspace.h"

typedef struct {
    fgd_workspace *workspace;
    fgd_chunk *chunk;
    ptrdiff_t size;         /* of theta */
    spin_barrier *barriers; /* (max_threads,) of the row groups */
    real *scratch;          /* (max_threads, loss_scratch) */
    transformed_update update;
    spin_barrier barrier;   /* of the team */
    band_counter *passed;   /* (max_threads,) of a team that relays */
    atomic_int status;
    fgd_status outcome;     /* of a relay: the status of the micro-batch, by its last thread */

    /* written by the last thread, read by the others before the next step */
    ptrdiff_t next_step;    /* of the next team */
    int n_threads;          /* of the team after the current step */
    atomic_int stay;        /* the threads below this rank stay: the least n_threads since the team began */
    int relayed;            /* 1: the team did, and W transposed in the workspace is not up to date */
    int tuned;              /* 1: the tuner may change n_threads */
    double since;           /* the time up to which the tuner has recorded */
} training;

/* A thread of the team. */
typedef struct {
    worker self;      /* among those that still train */
    int n_threads;    /* of the team; fewer may have started */
    thread_grid grid; /* of the team */
    stopwatch *watch; /* NULL: phases are not measured */
    const own_columns *own; /* NULL: all weights are in theta */
    relay relay;
} team_member;

/* Published by the barrier; until then the other threads of the group continue. */
static void fail(training *t, int status) { atomic_store_explicit(&t->status, status, memory_order_relaxed); }

/* Whether a team of `threads` threads relays. */
COLD int team_relays(const training *t, int threads) {
    const fgd_workspace *w = t->workspace;
    ptrdiff_t rows = w->max_rows, max_rows = max_micro_batch(w, t->chunk, threads);
    thread_grid grid = grid_of_micro_batch(w->net, rows, threads);
    return !t->chunk->transforms && relays(w->net, grid, rows < max_rows ? rows : max_rows, threads);
}

/* How a thread works in its team, whose size has changed. */
COLD void join_team(training *t, team_member *me) {
    const fgd_workspace *w = t->workspace;
    ptrdiff_t transposed = transposed_size(w->net);
    int relays = team_relays(t, me->self.size) && transposed * me->self.size <= w->n_own;
    me->grid = grid_of_micro_batch(w->net, w->max_rows, me->self.size);
    me->relay.self = me->self;
    me->relay.updated = -1;
    me->relay.passed = relays ? t->passed : NULL;
    me->relay.transposed = relays ? w->own + transposed * me->self.rank : NULL;
    me->relay.spins = t->barrier.spins;
}

/* By all threads of a team: what its steps expect in the workspace, unless it is there. */
static void prepare_weights(training *t, const team_member *me) {
    const fgd_workspace *w = t->workspace;
    const real *theta = (const real *)t->chunk->theta + w->inputs_size;
    if (me->relay.passed || (t->next_step > 0 && !t->relayed)) return;
    if (w->bf16)
        round_all_weights(w, theta, me->self);
    else
        transpose_all(w, theta, w->net->n_inputs == 0, me->self);
    barrier_wait(&t->barrier, me->self.size);
}

/* By one thread, after a step of `rows` rows: the tuner may change the team. */
static void tuner_step(training *t, ptrdiff_t rows) {
    thread_tuner *tuner = &t->workspace->tuner;
    double now = seconds_now();
    tuner_record(tuner, now, now - t->since, (double)rows);
    t->n_threads = team_threads(tuner);
    if (t->n_threads < atomic_load_explicit(&t->stay, memory_order_relaxed))
        atomic_store_explicit(&t->stay, t->n_threads, memory_order_relaxed);
    t->since = now;
}

/*
 * After a step: whether this thread stays in the team.  All leave before the team grows.  The others do
 * not wait for a thread that is to leave, and n_threads may have changed again until the system lets it run.
 */
static int stays_in_team(training *t, team_member *me) {
    if (me->self.rank >= atomic_load_explicit(&t->stay, memory_order_relaxed)) return 0;
    if (t->n_threads == me->n_threads) return 1;
    if (t->n_threads > me->n_threads || me->own) return 0; /* the columns of those that leave are not in theta yet */
    me->n_threads = t->n_threads;
    if (me->self.size <= me->n_threads) return 1; /* the system started fewer threads than requested */
    if (me->relay.passed) receive_from(&me->relay, me->self.size - 1, me->relay.begun, me->watch);
    me->self.size = me->n_threads;
    join_team(t, me);
    prepare_weights(t, me);
    return 1;
}

#endif
