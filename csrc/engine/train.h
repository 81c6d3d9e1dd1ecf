/*
 * train.h: a chunk of training steps.
 *
 * The threads of a team do a step in two phases.  First each takes its rows through everything up to dz; then each
 * takes a block of every dW and updates it, or adds its rows to all of it (relay.h).  A barrier ends each phase, except
 * in a relay.  Every sum is a single chain in the order of rows, so bits do not depend on the number of threads, and the
 * team may change from step to step.
 *
 * A step of many rows is done in micro-batches, each in both phases, and theta is updated with the last one: what
 * forward leaves for backward, and for dW, is then still in the caches.  Sums resume where the micro-batch before left
 * them, so micro-batches change no bit either.
 */
#ifndef FGD_TRAIN_H
#define FGD_TRAIN_H

#include <stdatomic.h>

#include "../kernels/loss_rows.h"
#include "gradient.h"
#include "inputs.h"
#include "layers.h"
#include "micro_batch.h"
#include "own_columns.h"
#include "relay.h"
#include "team.h"
#include "training_team.h"
#include "transforms.h"
#include "workspace.h"

/* A thread's rows of a micro-batch, from X to losses and dz. */
static void train_rows(training *t, const micro_batch *mb, const team_member *me) {
    const fgd_workspace *w = t->workspace;
    const fgd_chunk *chunk = t->chunk;
    row_group g = me->relay.passed ? relay_rows(me->self, mb->rows, is_last(chunk, mb))
                                   : row_group_of(me->self, me->grid, mb->rows, row_unit(w->net), t->barriers);
    g.watch = me->watch;
    g.own = me->own;
    g.transposed = me->relay.transposed;
    if (mb->row == 0) g.updates = updates_before(&me->relay);
    int L = w->net->L, n = w->net->layer[L - 1].n_out;
    const layer_memory *out = &w->at[L];
    enter_phase(me->watch, FGD_GATHER);
    gather_micro_batch(w, chunk, mb, &g);
    if (!forward_inputs(w, chunk->theta, &g)) fail(t, FGD_BAD_CODE);
    fgd_noise noise = micro_batch_noise(chunk, L, mb);
    forward_rows(w, (const real *)chunk->theta + w->inputs_size, &noise, &g);

    enter_phase(me->watch, FGD_LOSS);
    ptrdiff_t offset = g.own0 * out->ld;
    loss_rows of = {.rows = g.own1 - g.own0,
                    .n = n,
                    .z = out->a + offset,
                    .y = w->y + offset,
                    .ld = out->ld,
                    .weight = chunk->weight ? w->weight + g.own0 : NULL,
                    .scale = mb->step_weight > 0 ? 1 / mb->step_weight : 0,
                    .dz = out->dz + offset,
                    .dz_ld = out->ld,
                    .loss = w->loss + g.own0};
    fgd_status status = compute_losses(&chunk->loss, &of, t->scratch + me->self.rank * loss_scratch(n));
    if (status != FGD_OK) fail(t, status);
    if (g.transposed && mb->row == 0) {
        enter_phase(me->watch, phase_of_layer(FGD_BACKWARD, L - 1));
        transpose_own(w, chunk->theta, &g);
    }
    backward_rows(w, &noise, &g);
    if (w->net->n_inputs > 0) backward_inputs(w, chunk->theta, &noise, NULL, &g);
}

/*
 * A thread's part of every dW of a micro-batch, added to those before.  With the last one theta is updated directly and
 * transposed for the next step, unless a transform needs the whole gradient, which then goes to grad.
 */
static void train_gradients(training *t, const micro_batch *mb, team_member *me) {
    fgd_chunk *chunk = t->chunk;
    update_context u;
    gradient_sink sink = {.grad = chunk->grad,
                          .accumulate = mb->row > 0,
                          .transposes = mb->step + 1 < chunk->n_steps,
                          .watch = me->watch,
                          .own = me->own};
    sink.whole_rows = chunk->transforms || rule_slots[chunk->rule] > 0; /* see apply_transformed, update_blocks */
    if (!chunk->transforms && is_last(chunk, mb)) {
        update_init(&u, chunk->rule, chunk->coefficients + mb->step * rule_coefficients[chunk->rule], t->size,
                    chunk->theta, chunk->state);
        sink.update = &u;
    }
    if (me->relay.passed) {
        row_group own = relay_rows(me->self, mb->rows, is_last(chunk, mb));
        sink.first_row = own.row0;
        relay_gradients(t->workspace, &me->relay, own.row1 - own.row0, &sink);
        return;
    }
    gradients(t->workspace, (int)mb->rows, &sink, me->self, me->grid);
    input_gradients(t->workspace, (int)mb->rows, &sink, me->self);
}

/* By the last thread, which knows the losses of all rows. */
static void record_losses(training *t, const micro_batch *mb, const team_member *me) {
    double *loss = &t->chunk->losses[mb->step];
    *loss = add_up(mb->row > 0 ? *loss : 0, t->workspace->loss, mb->rows);
    if (!is_last(t->chunk, mb)) return;
    if (t->tuned) tuner_step(t, step_rows(t->chunk, mb->step));
    t->relayed = me->relay.passed != NULL;
    t->next_step = mb->step + 1;
}

/* The update of a step with transforms.  Threads divide the rows of theta in another way than bf16 products do. */
static void transform_step(training *t, ptrdiff_t step, worker self) {
    const fgd_workspace *w = t->workspace;
    if (w->bf16) barrier_wait(&t->barrier, self.size);
    apply_transformed(&t->update, step, self);
    if (!w->bf16 || step + 1 == t->chunk->n_steps) return;
    barrier_wait(&t->barrier, self.size);
    round_all_weights(w, (const real *)t->chunk->theta + w->inputs_size, self);
}

/* Whether a thread may go on to the next micro-batch while others do this one: if it updates theta, for which they then
   wait, and if each has the same rows as now, because rows of others may still be read. */
static int goes_on(const fgd_chunk *chunk, const micro_batch *mb) {
    ptrdiff_t next = mb->step + 1;
    return is_last(chunk, mb) && mb->row == 0 && next < chunk->n_steps && step_rows(chunk, next) == mb->rows;
}

/*
 * The second phase of a micro-batch in a relay.  The last thread, which receives bands of all others, knows that they
 * have computed their losses; with its first band the others know the outcome of the step, and the next team.
 */
static fgd_status relay_micro_batch(training *t, const micro_batch *mb, team_member *me) {
    relay *r = &me->relay;
    int last = r->self.size - 1;
    long long first_band = r->begun + 1;
    if (is_last_of(me->self)) {
        receive_from(r, last - 1, first_band, me->watch);
        t->outcome = (fgd_status)atomic_load_explicit(&t->status, memory_order_relaxed);
        if (t->outcome == FGD_OK)
            record_losses(t, mb, me);
        else
            pass_band(r, first_band);
    }
    if (!is_last_of(me->self) || t->outcome == FGD_OK) train_gradients(t, mb, me);
    receive_from(r, last, first_band, me->watch);
    if (t->outcome == FGD_OK && !goes_on(t->chunk, mb)) timed_wait(&t->barrier, me->self.size, me->watch);
    return t->outcome;
}

/* Both phases of a micro-batch and, after the last one of a step, its transforms. */
static fgd_status train_micro_batch(training *t, const micro_batch *mb, team_member *me) {
    train_rows(t, mb, me);
    if (me->relay.passed) return relay_micro_batch(t, mb, me);
    timed_wait(&t->barrier, me->self.size, me->watch);
    fgd_status status = (fgd_status)atomic_load_explicit(&t->status, memory_order_relaxed);
    if (status != FGD_OK) return status;
    train_gradients(t, mb, me);
    if (t->chunk->transforms && is_last(t->chunk, mb)) {
        enter_phase(me->watch, FGD_TRANSFORMS);
        transform_step(t, mb->step, me->self);
    }
    if (is_last_of(me->self)) record_losses(t, mb, me);
    timed_wait(&t->barrier, me->self.size, me->watch);
    return FGD_OK;
}

/* Steps until the chunk ends, with success or not, or the thread leaves the team. */
static void train_steps(training *t, team_member *me) {
    fgd_chunk *chunk = t->chunk;
    ptrdiff_t max_rows = max_micro_batch(t->workspace, t->chunk, me->self.size);
    int unit = row_unit(t->workspace->net);
    for (ptrdiff_t s = t->next_step; s < chunk->n_steps; s++) {
        micro_batch mb = {.step = s, .step_weight = step_weight(chunk, s)};
        ptrdiff_t rows = step_rows(chunk, s), count = 1 + (rows - 1) / max_rows;
        for (ptrdiff_t i = 0; i < count; i++, mb.row += mb.rows) {
            mb.rows = rows_of_units(partition((rows + unit - 1) / unit, i + 1, count), unit, rows) - mb.row;
            if (train_micro_batch(t, &mb, me) == FGD_OK) continue;
            if (me->self.rank == 0) chunk->failed = s;
            return;
        }
        if (!stays_in_team(t, me)) break;
    }
    enter_phase(me->watch, FGD_GATHER);
}

/* Whether the threads of a team keep their columns of the first layer. */
static int team_copies_columns(const training *t, thread_grid grid, int threads) {
    const fgd_chunk *chunk = t->chunk;
    ptrdiff_t rows = t->workspace->max_rows;
    if (chunk->transforms || t->workspace->bf16 || rows > max_micro_batch(t->workspace, chunk, threads)) return 0;
    return copies_columns(t->workspace->net, grid, threads, chunk->rule, rows, chunk->n_steps - t->next_step);
}

/* The steps of a chunk that a team does, by one of its threads. */
static void run_training(void *argument, worker self) {
    training *t = argument;
    const fgd_workspace *w = t->workspace;
    TILES_ARE_USABLE(w->method);
    fgd_chunk *chunk = t->chunk;
    team_member me = {.self = self, .n_threads = t->n_threads};
    join_team(t, &me);
    own_columns own;
    if (w->n_own >= own_columns_size(w->net, self.size) && team_copies_columns(t, me.grid, self.size)) {
        own = take_columns(w->net, self, chunk->theta, w->own);
        me.own = &own;
    }
    prepare_weights(t, &me);
    stopwatch watch;
    me.watch = start_watch(&watch, chunk->phases, w->net->L, self.rank);
    train_steps(t, &me);
    if (me.own) return_columns(me.own, w->net->layer[0].n_out, chunk->theta);
}

static int has_bad_row(const fgd_chunk *chunk) {
    for (int64_t i = chunk->starts[0]; i < chunk->starts[chunk->n_steps]; i++)
        if (chunk->order[i] < 0 || chunk->order[i] >= chunk->X.count) return 1;
    return 0;
}

static transformed_update chunk_update(const fgd_workspace *w, const fgd_chunk *chunk, spin_barrier *barrier) {
    return (transformed_update){.transforms = chunk->transforms,
                                .rule = chunk->rule,
                                .coefficients = chunk->coefficients,
                                .n_steps = chunk->n_steps,
                                .size = theta_size(w->net),
                                .grad = chunk->grad,
                                .theta = chunk->theta,
                                .state = chunk->state,
                                .workspace = w,
                                .squares = w->squares,
                                .barrier = barrier};
}

/* Memory for the weights that the threads of a team of at most `max` keep; returns 0 if there is none. */
COLD int reserve_own_weights(training *t, int max) {
    const fgd_net *net = t->workspace->net;
    thread_grid grid = grid_of_micro_batch(net, t->workspace->max_rows, max);
    ptrdiff_t count = team_copies_columns(t, grid, max) ? own_columns_size(net, max) : 0;
    for (int threads = max; threads > 1 && count == 0; threads /= 2)
        if (team_relays(t, threads)) count = transposed_size(net) * threads;
    return count == 0 || reserve_own(t->workspace, count);
}

/* Whether W is kept in blocks during a chunk: products of bf16 factors update it block by block, and no line belongs to
   two threads.  To copy it, and back, costs what some steps gain. */
static int keeps_blocks(const fgd_workspace *w, const fgd_chunk *chunk) {
    enum { MIN_STEPS = 16 };
    return w->bf16 && !chunk->transforms && chunk->rule == RULE_sgd && chunk->n_steps >= MIN_STEPS;
}

COLD fgd_status train(fgd_workspace *w, fgd_chunk *chunk) {
    if (has_bad_row(chunk)) return FGD_BAD_ROW_NUMBER;

    int max = training_threads(w->net, w->max_rows, chunk->n_threads, w->method);
    training t = {.workspace = w, .chunk = chunk, .size = theta_size(w->net), .n_threads = max, .since = seconds_now()};
    t.update = chunk_update(w, chunk, &t.barrier);
    t.tuned = chunk->n_threads == 0 && max > 1;
    if (t.tuned) {
        if (w->tuner.max != max) w->tuner = (thread_tuner){.max = max};
        t.n_threads = team_threads(&w->tuner);
    }
    size_t scratch = (size_t)loss_scratch(w->net->layer[w->net->L - 1].n_out) * sizeof(real);
    size_t shared = round_up((size_t)max * (sizeof *t.barriers + sizeof *t.passed + scratch), LINE);
    t.barriers = alloc_zeroed(shared + (chunk->rule == RULE_muon ? muon_scratch(w->net) * sizeof(real) : 0));
    if (!t.barriers || !workspace_reserve(w, max) || !reserve_own_weights(&t, max)) {
        free_aligned(t.barriers);
        return FGD_NO_MEMORY;
    }
    t.passed = (band_counter *)(t.barriers + max);
    t.scratch = (real *)(t.passed + max);
    t.barrier.spins = spins_of(forward_flops(w->net, w->max_rows) / max);
    for (int i = 0; i < max; i++) t.barriers[i].spins = t.barrier.spins;
    t.update.muon = (real *)((char *)t.barriers + shared);

    w->rows = 0;
    int in_blocks = keeps_blocks(w, chunk) && reserve_own(w, blocks_size(w->net));
    if (in_blocks) take_blocks(w, (real *)chunk->theta + w->inputs_size, w->own);
    do {
        atomic_store(&t.stay, t.n_threads);
        for (int i = 0; i < max; i++) atomic_store(&t.passed[i].count, 0);
        run_team(t.n_threads, run_training, &t);
    } while (t.next_step < chunk->n_steps && atomic_load(&t.status) == FGD_OK);
    if (in_blocks) return_blocks(w, (real *)chunk->theta + w->inputs_size);
    free_aligned(t.barriers);
    return (fgd_status)atomic_load(&t.status);
}

#endif
