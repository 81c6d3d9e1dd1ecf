/*
 * train.h: a chunk of training steps.
 *
 * Threads share a step in two phases.  First each takes its rows through everything up to dz; then each takes its rows
 * of every dW and updates them.  A barrier ends each phase.  No sum is shared, so bits do not depend on threads, and the
 * team may change from step to step.
 */
typedef struct {
    fgd_work *work;
    fgd_chunk *chunk;
    ptrdiff_t size; /* of theta                */
    real *scratch;  /* (threads, loss_scratch) */
    barrier *bands; /* (threads,) see grid.h   */
    regime_update update;
    barrier barrier;
    atomic_int status;

    /* thread 0's, read by the others between barriers */
    int threads;  /* that go on                                   */
    int watched;  /* 1: by the crew, which may let fewer go on     */
    double since; /* the moment up to which the crew knows of time */
} training;

/* Sum of the weights of a step's rows; without weights their number. */
static double step_weight(const fgd_chunk *chunk, const int64_t *order, ptrdiff_t rows) {
    if (!chunk->weight) return (double)rows;
    double sum = 0;
    for (ptrdiff_t r = 0; r < rows; r++) sum += (double)((const real *)chunk->weight)[order[r]];
    return sum;
}

static ptrdiff_t rows_of_step(const fgd_chunk *chunk, ptrdiff_t s) { return chunk->start[s + 1] - chunk->start[s]; }

/* Of the rows of step s from number `from` on. */
static fgd_noise noise_of_step(const fgd_chunk *chunk, int L, ptrdiff_t s, ptrdiff_t from) {
    fgd_noise noise = chunk->noise;
    if (noise.amount) noise.first += s, noise.amount += s * L, noise.row = from;
    return noise;
}

/* A seat's part of `rows` rows of step s, from number `from` on: data in, losses and dz out. */
static void step_rows(training *t, ptrdiff_t s, ptrdiff_t from, ptrdiff_t rows, seat seat, grid grid) {
    fgd_work *w = t->work;
    const fgd_chunk *chunk = t->chunk;
    const int64_t *order = chunk->order + chunk->start[s] + from;
    band b = band_of(seat, grid, rows, t->bands);
    int L = w->net->L, n = w->net->layer[L - 1].n_out, row0 = b.own0, row1 = b.own1;
    const real *weight = chunk->weight;

    read_rows(&chunk->X, order, row0, row1, w->a[0] + row0 * w->ld[0], w->ld[0]);
    read_rows(&chunk->Y, order, row0, row1, w->y + row0 * w->ld[L], w->ld[L]);
    if (weight)
        for (int r = row0; r < row1; r++) w->weight[r] = weight[order[r]];
    fgd_noise noise = noise_of_step(chunk, L, s, from);
    forward_rows(w, chunk->theta, &noise, &b);

    double total = step_weight(chunk, order - from, rows_of_step(chunk, s));
    ptrdiff_t ld = w->ld[L], at = row0 * ld;
    loss_rows of = {
        row1 - row0,   n,  w->a[L] + at,  w->y + at, ld, weight ? w->weight + row0 : NULL, total > 0 ? 1 / total : 0,
        w->dz[L] + at, ld, w->loss + row0};
    fgd_status status = losses_of(&chunk->loss, &of, t->scratch + seat.part * loss_scratch(n));
    if (status != FGD_OK) /* the barrier publishes it; others of the band go on until then */
        atomic_store_explicit(&t->status, (int)status, memory_order_relaxed);
    backward_rows(w, &noise, &b);
}

/* A seat's part of every dW of step s, straight into theta, and of the transposed weights of the next step. */
static void step_update(training *t, ptrdiff_t s, seat seat, grid grid) {
    fgd_chunk *chunk = t->chunk;
    update_context u;
    update_init(&u, chunk->rule, chunk->coefficient + s * rule_coefficients[chunk->rule], t->size, chunk->theta,
                chunk->state);
    gradient_sink sink = {.update = &u, .grad = chunk->grad};
    if (rule_slots[chunk->rule] > 0) grid = lone_grid(seat); /* whole rows: see update_blocks */
    gradients(t->work, (int)rows_of_step(chunk, s), &sink, seat, grid);
}

/* Thread 0, after a step of `rows` rows: let the crew say who goes on. */
static void watch(training *t, ptrdiff_t rows) {
    double now = seconds_now();
    crew_note(&t->work->crew, now, now - t->since, (double)rows);
    t->threads = team_threads(&t->work->crew);
    t->since = now;
}

/* After a step: 0 if this thread leaves the team, else its seat and grid in what is left of it. */
static int goes_on(const training *t, seat *seat, grid *grid) {
    if (!t->watched || t->threads >= seat->parts) return 1;
    if (seat->part >= t->threads) return 0;
    seat->parts = t->threads;
    *grid = grid_of(t->work->net, t->work->batch, seat->parts);
    return 1;
}

/* All steps of a chunk, by one thread of a team. */
static void train_seat(void *argument, seat seat) {
    training *t = argument;
    fgd_chunk *chunk = t->chunk;
    grid grid = grid_of(t->work->net, t->work->batch, seat.parts);
    for (ptrdiff_t s = 0; s < chunk->steps; s++) {
        ptrdiff_t rows = rows_of_step(chunk, s);
        step_rows(t, s, 0, rows, seat, grid);
        barrier_wait(&t->barrier, seat.parts);
        if (atomic_load_explicit(&t->status, memory_order_relaxed) != FGD_OK) {
            if (seat.part == 0) chunk->failed = s;
            return;
        }
        step_update(t, s, seat, grid);
        if (seat.part == 0) {
            chunk->losses[s] = sum_from(0, t->work->loss, rows);
            if (t->watched) watch(t, rows);
        }
        barrier_wait(&t->barrier, seat.parts);
        if (!goes_on(t, &seat, &grid)) return;
    }
}

static int step_threads(const fgd_net *net, ptrdiff_t batch, int wanted) {
    return useful_threads(wanted, forward_flops(net, batch), FLOPS_OF_PHASE);
}

/* `rows` rows of step s, from number `from` on, as a pass of several; with the last one theta moves. */
static fgd_status pass_in_regime(training *t, ptrdiff_t s, ptrdiff_t from, ptrdiff_t rows, seat seat, grid grid) {
    fgd_chunk *chunk = t->chunk;
    int is_last = from + rows == rows_of_step(chunk, s);
    step_rows(t, s, from, rows, seat, grid);
    barrier_wait(&t->barrier, seat.parts);
    fgd_status status = (fgd_status)atomic_load_explicit(&t->status, memory_order_relaxed);
    if (status != FGD_OK) return status;
    gradient_sink sink = {.grad = chunk->grad, .adds = from > 0};
    gradients(t->work, (int)rows, &sink, seat, lone_grid(seat)); /* as update_in_regime shares them */
    if (is_last) update_in_regime(&t->update, s, seat);
    if (seat.part == 0) {
        chunk->losses[s] = sum_from(from > 0 ? chunk->losses[s] : 0, t->work->loss, rows);
        if (is_last && t->watched) watch(t, rows_of_step(chunk, s));
    }
    barrier_wait(&t->barrier, seat.parts);
    return FGD_OK;
}

/* train_seat for a chunk with a regime: every gradient is whole in memory before theta moves. */
static void train_seat_in_regime(void *argument, seat seat) {
    training *t = argument;
    ptrdiff_t batch = t->chunk->regime->batch;
    grid grid = grid_of(t->work->net, t->work->batch, seat.parts);
    for (ptrdiff_t s = 0; s < t->chunk->steps; s++) {
        for (ptrdiff_t from = 0, left; (left = rows_of_step(t->chunk, s) - from) > 0; from += batch) {
            if (pass_in_regime(t, s, from, left < batch ? left : batch, seat, grid) != FGD_OK) {
                if (seat.part == 0) t->chunk->failed = s;
                return;
            }
        }
        if (!goes_on(t, &seat, &grid)) return;
    }
}

static fgd_status train(fgd_work *w, fgd_chunk *chunk) {
    for (int64_t i = chunk->start[0]; i < chunk->start[chunk->steps]; i++)
        if (chunk->order[i] < 0 || chunk->order[i] >= chunk->X.count) return FGD_BAD_ROW_NUMBER;

    training t = {.work = w, .chunk = chunk, .size = theta_size(w->net), .since = seconds_now()};
    t.threads = step_threads(w->net, w->batch, chunk->threads);
    t.watched = chunk->threads == 0 && t.threads > 1;
    if (t.watched) {
        crew_begin(&w->crew, t.threads, t.since);
        t.threads = team_threads(&w->crew);
    }
    size_t scratch = (size_t)loss_scratch(w->net->layer[w->net->L - 1].n_out) * sizeof(real);
    t.bands = allocate((size_t)t.threads * (sizeof *t.bands + scratch));
    if (!t.bands) return FGD_NO_MEMORY;
    t.scratch = (real *)(t.bands + t.threads);
    t.update = (regime_update){.regime = chunk->regime,
                               .rule = chunk->rule,
                               .coefficient = chunk->coefficient,
                               .size = t.size,
                               .grad = chunk->grad,
                               .theta = chunk->theta,
                               .state = chunk->state,
                               .wt = w->wt,
                               .squares = w->squares,
                               .barrier = &t.barrier};

    w->rows = 0;
    transpose_all(w, chunk->theta, 1);
    run_team(t.threads, chunk->regime ? train_seat_in_regime : train_seat, &t);
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
                      .most = fgd_max_threads(),
                      .threads = threads,
                      .bands = grid.rows,
                      .columns = grid.columns,
                      .worth = FLOPS_OF_PHASE,
                      .flops = 2. * (double)batch * (3 * weights - first), /* no dX for the first layer */
                      .workspace = lay_out(net, batch, NULL)};
}
