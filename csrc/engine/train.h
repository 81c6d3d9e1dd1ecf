/*
 * train.h: a chunk of training steps.
 *
 * Threads share a step in two phases.  First each takes its rows through everything up to dz; then each takes a patch
 * of every dW and updates it.  A barrier ends each phase.  No sum is shared, so bits do not depend on threads, and the
 * team may change from step to step.
 *
 * A step of many rows takes them in several passes, each of both phases, and theta moves with the last: what a pass
 * leaves for its way back, and for dW, is then still in the caches.  Sums go on where the pass before has left them, so
 * passes change no bit either.
 */
#ifndef FGD_TRAIN_H
#define FGD_TRAIN_H

#include "../kernels/gather.h"
#include "../kernels/loss_rows.h"
#include "gradient.h"
#include "infer.h"
#include "layers.h"
#include "team.h"
#include "transforms.h"

typedef struct {
    fgd_workspace *work;
    fgd_chunk *chunk;
    ptrdiff_t size; /* of theta                */
    real *scratch;  /* (threads, loss_scratch) */
    barrier *bands; /* (threads,) see grid.h   */
    regime_update update;
    barrier barrier;
    atomic_int status;

    /* thread 0's, read by the others between barriers */
    ptrdiff_t next; /* step of the next team                       */
    int threads;  /* that go on                                   */
    int watched;  /* 1: by the crew, which may change their number */
    double since; /* the moment up to which the crew knows of time */
} training;

static ptrdiff_t rows_of_step(const fgd_chunk *chunk, ptrdiff_t s) { return chunk->starts[s + 1] - chunk->starts[s]; }

/* Sum of the weights of a step's rows; without weights their number. */
static double step_weight(const fgd_chunk *chunk, ptrdiff_t s) {
    ptrdiff_t rows = rows_of_step(chunk, s);
    if (!chunk->weight) return (double)rows;
    double sum = 0;
    for (const int64_t *row = chunk->order + chunk->starts[s]; rows > 0; row++, rows--)
        sum += (double)((const real *)chunk->weight)[*row];
    return sum;
}

/* `rows` rows of step `step`, from its row number `from` on; weight: that of the step. */
typedef struct {
    ptrdiff_t step, from, rows;
    double weight;
} pass;

static int is_last(const fgd_chunk *chunk, const pass *p) { return p->from + p->rows == rows_of_step(chunk, p->step); }

/* What a thread's rows of a pass leave behind may take so many bytes, or is that of so many rows, if that is more. */
enum { PASS_BYTES = 1 << 19, PASS_ROWS = 512 };

/* The most rows of a pass. */
static ptrdiff_t longest_pass(const training *t, int threads) {
    ptrdiff_t numbers = 0;
    for (int l = 0; l <= t->work->net->L; l++) numbers += 2 * t->work->ld[l];
    ptrdiff_t rows = PASS_BYTES / (numbers * (ptrdiff_t)sizeof(real));
    rows = threads * (rows > PASS_ROWS ? rows : PASS_ROWS);
    const fgd_transforms *regime = t->chunk->transforms;
    return regime && regime->micro_batch < rows ? regime->micro_batch : rows;
}

static fgd_noise noise_of_pass(const fgd_chunk *chunk, int L, const pass *p) {
    fgd_noise noise = chunk->noise;
    if (noise.strength) noise.step += p->step, noise.strength += p->step * L, noise.row = p->from;
    return noise;
}

/* A seat's part of the rows of a pass: data in, losses and dz out. */
static void pass_rows(training *t, const pass *p, seat seat, grid grid) {
    fgd_workspace *w = t->work;
    const fgd_chunk *chunk = t->chunk;
    ptrdiff_t first = chunk->starts[p->step] + p->from;
    const int64_t *order = chunk->order + first;
    band b = band_of(seat, grid, p->rows, t->bands);
    int L = w->net->L, n = w->net->layer[L - 1].n_out, row0 = b.own0, row1 = b.own1;
    const real *weight = chunk->weight;

    reading of_pass = {order, row0, row1, p->rows + row0, chunk->starts[chunk->n_steps] - first};
    read_rows(&chunk->X, &of_pass, w->a[0] + row0 * w->ld[0], w->ld[0]);
    read_rows(&chunk->Y, &of_pass, w->y + row0 * w->ld[L], w->ld[L]);
    if (weight)
        for (int r = row0; r < row1; r++) w->weight[r] = weight[order[r]];
    fgd_noise noise = noise_of_pass(chunk, L, p);
    forward_rows(w, chunk->theta, &noise, &b);

    ptrdiff_t ld = w->ld[L], at = row0 * ld;
    double scale = p->weight > 0 ? 1 / p->weight : 0;
    loss_rows of = {row1 - row0,   n,  w->a[L] + at,  w->y + at, ld, weight ? w->weight + row0 : NULL, scale,
                    w->dz[L] + at, ld, w->loss + row0};
    fgd_status status = losses_of(&chunk->loss, &of, t->scratch + seat.part * loss_scratch(n));
    if (status != FGD_OK) /* the barrier publishes it; others of the band go on until then */
        atomic_store_explicit(&t->status, (int)status, memory_order_relaxed);
    backward_rows(w, &noise, &b);
}

/*
 * A seat's part of every dW of a pass, added to those of the passes before: with the last one straight into theta and the
 * transposed weights of the next step, if nothing beside the rule wants to see it whole; else to grad.
 */
static void pass_gradients(training *t, const pass *p, seat seat, grid grid) {
    fgd_chunk *chunk = t->chunk;
    update_context u;
    gradient_sink sink = {.grad = chunk->grad, .adds = p->from > 0, .transposes = p->step + 1 < chunk->n_steps};
    sink.whole_rows = chunk->transforms || rule_slots[chunk->rule] > 0; /* see update_in_regime, update_blocks */
    if (!chunk->transforms && is_last(chunk, p)) {
        update_init(&u, chunk->rule, chunk->coefficients + p->step * rule_coefficients[chunk->rule], t->size,
                    chunk->theta, chunk->state);
        sink.update = &u;
    }
    gradients(t->work, (int)p->rows, &sink, seat, grid);
}

/* Thread 0, after a step of `rows` rows: let the crew say who goes on. */
static void watch(training *t, ptrdiff_t rows) {
    double now = seconds_now();
    crew_note(&t->work->crew, now, now - t->since, (double)rows);
    t->threads = team_threads(&t->work->crew);
    t->since = now;
}

/* After a step of a team of `team`: 0 if this thread leaves it, as all do for a larger one, else what is left of it. */
static int goes_on(const training *t, int *team, seat *seat, grid *grid) {
    if (t->threads == *team) return 1;
    if (t->threads > *team || seat->part >= t->threads) return 0;
    *team = t->threads;
    if (seat->parts <= *team) return 1; /* the system had given fewer threads than were asked for */
    seat->parts = *team;
    *grid = grid_of(t->work->net, t->work->batch, seat->parts);
    return 1;
}

/* Both phases of a pass, and after the last one of a step what a regime does. */
static fgd_status one_pass(training *t, const pass *p, seat seat, grid grid) {
    fgd_chunk *chunk = t->chunk;
    int last = is_last(chunk, p);
    pass_rows(t, p, seat, grid);
    barrier_wait(&t->barrier, seat.parts);
    fgd_status status = (fgd_status)atomic_load_explicit(&t->status, memory_order_relaxed);
    if (status != FGD_OK) return status;
    pass_gradients(t, p, seat, grid);
    if (last && chunk->transforms) update_in_regime(&t->update, p->step, seat);
    if (seat.part == 0) {
        double *loss = &chunk->losses[p->step];
        *loss = sum_from(p->from > 0 ? *loss : 0, t->work->loss, p->rows);
        if (last && t->watched) watch(t, rows_of_step(chunk, p->step));
        if (last) t->next = p->step + 1;
    }
    barrier_wait(&t->barrier, seat.parts);
    return FGD_OK;
}

/* The next steps of a chunk, by one thread of a team. */
static void train_seat(void *argument, seat seat) {
    training *t = argument;
    fgd_chunk *chunk = t->chunk;
    grid grid = grid_of(t->work->net, t->work->batch, seat.parts);
    ptrdiff_t most = longest_pass(t, seat.parts);
    int team = t->threads;
    if (t->next == 0) {
        transpose_all(t->work, chunk->theta, 1, seat);
        barrier_wait(&t->barrier, seat.parts);
    }
    for (ptrdiff_t s = t->next; s < chunk->n_steps; s++) {
        pass p = {.step = s, .weight = step_weight(chunk, s)};
        ptrdiff_t rows = rows_of_step(chunk, s), passes = 1 + (rows - 1) / most;
        for (ptrdiff_t i = 0; i < passes; i++, p.from += p.rows) {
            p.rows = share(rows, i + 1, passes) - p.from;
            if (one_pass(t, &p, seat, grid) == FGD_OK) continue;
            if (seat.part == 0) chunk->failed = s;
            return;
        }
        if (!goes_on(t, &team, &seat, &grid)) return;
    }
}

static int step_threads(const fgd_net *net, ptrdiff_t batch, int wanted) {
    return useful_threads(wanted, forward_flops(net, batch), FLOPS_OF_PHASE);
}

static fgd_status train(fgd_workspace *w, fgd_chunk *chunk) {
    for (int64_t i = chunk->starts[0]; i < chunk->starts[chunk->n_steps]; i++)
        if (chunk->order[i] < 0 || chunk->order[i] >= chunk->X.count) return FGD_BAD_ROW_NUMBER;

    int most = step_threads(w->net, w->batch, chunk->n_threads);
    training t = {.work = w, .chunk = chunk, .size = theta_size(w->net), .threads = most, .since = seconds_now()};
    t.watched = chunk->n_threads == 0 && most > 1;
    if (t.watched) {
        if (w->crew.most != most) w->crew = (crew){.most = most};
        t.threads = team_threads(&w->crew);
    }
    size_t scratch = (size_t)loss_scratch(w->net->layer[w->net->L - 1].n_out) * sizeof(real);
    t.bands = allocate((size_t)most * (sizeof *t.bands + scratch));
    if (!t.bands) return FGD_NO_MEMORY;
    t.scratch = (real *)(t.bands + most);
    t.update = (regime_update){.regime = chunk->transforms,
                               .rule = chunk->rule,
                               .coefficient = chunk->coefficients,
                               .steps = chunk->n_steps,
                               .size = t.size,
                               .grad = chunk->grad,
                               .theta = chunk->theta,
                               .state = chunk->state,
                               .wt = w->wt,
                               .squares = w->squares,
                               .barrier = &t.barrier};

    w->rows = 0;
    do run_team(t.threads, train_seat, &t);
    while (t.next < chunk->n_steps && atomic_load(&t.status) == FGD_OK);
    release(t.bands);
    return (fgd_status)atomic_load(&t.status);
}

static fgd_plan plan(const fgd_net *net, ptrdiff_t batch, int wanted) {
    double weights = 0, first = (double)net->layer[0].n_in * net->layer[0].n_out;
    for (int l = 0; l < net->L; l++) weights += (double)net->layer[l].n_in * net->layer[l].n_out;
    int threads = step_threads(net, batch, wanted);
    grid grid = grid_of(net, batch, threads);
    return (fgd_plan){.tile_rows = MR,
                      .tile_columns = NR,
                      .max_threads = fgd_max_threads(),
                      .n_threads = threads,
                      .row_groups = grid.rows,
                      .columns = grid.columns,
                      .min_flops = FLOPS_OF_PHASE,
                      .flops = 2. * (double)batch * (3 * weights - first), /* no dX for the first layer */
                      .workspace = lay_out(net, batch, NULL)};
}

#endif
