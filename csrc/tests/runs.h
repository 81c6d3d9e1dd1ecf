/*
 * runs.h: a short training, by an engine and by the reference.
 */
#ifndef FGD_TEST_RUNS_H
#define FGD_TEST_RUNS_H

#include <math.h>
#include <string.h>

#include "reference_noise.h"
#include "arrays.h"
#include "reference.h"

static fgd_table real_table(int bits, const double *x, ptrdiff_t count, int width) {
    int type = bits == 32 ? TYPE_float32 : TYPE_float64;
    return (fgd_table){reals(bits, x, count * width), type, width, count, (ptrdiff_t)size_of(bits) * width};
}

/* Targets that a loss takes: class numbers (rows, 1), or (rows, n) numbers of (0, 1), for hinge losses -1 and 1. */
static double *random_targets(int loss, int rows, int n) {
    if (strstr(fgd_loss_name(loss), "hinge")) {
        double *sign = doubles(rows * n);
        for (int i = 0; i < rows * n; i++) sign[i] = random_number() > 0 ? 1 : -1;
        return sign;
    }
    if (!fgd_loss_needs_labels(loss)) return random_parts(rows * n);
    double *y = doubles(rows);
    for (int i = 0; i < rows; i++) y[i] = floor(n * (0.5 + 0.5 * random_number()));
    return y;
}

/* What is trained, on what, and how. */
typedef struct {
    network w;
    int loss, rule, rows;
    ptrdiff_t steps;
    double *X, *Y, *weight, *theta; /* weight: NULL without */
    int64_t *order, *start;
    const fgd_transforms *regime; /* of all steps, or NULL */
    uint64_t seed;        /* of the noise                       */
    int64_t first;        /* number of the first step           */
    const double *amount; /* (steps, L) of noise; NULL: no noise */
} problem;

/* What came of it. */
typedef struct {
    fgd_status status;
    ptrdiff_t failed; /* the step that did */
    void *theta, *state, *average; /* average: NULL without a regime */
    double *losses, *norms;
} outcome;

/* Two passes over the rows in a random order, the last batch of each smaller. */
static void problem_init(problem *p, int L, const int *n, int hidden, int loss, int rule, int rows, int batch,
                         int weighted) {
    network_init(&p->w, L, n, hidden, ACTIVATION_identity);
    p->loss = loss, p->rule = rule, p->rows = rows, p->steps = 0, p->regime = NULL, p->amount = NULL;
    p->X = random_numbers(rows * n[0], 1), p->Y = random_targets(loss, rows, n[L]);
    p->theta = random_numbers(p->w.size, 0.5);
    p->weight = weighted ? random_parts(rows) : NULL;
    p->order = array((size_t)(2 * rows) * sizeof *p->order);
    p->start = array((size_t)(2 * ((rows + batch - 1) / batch) + 1) * sizeof *p->start);
    for (int i = 0; i < 2 * rows; i++) {
        int j = (int)((random_number() + 1) / 2 * (i % rows + 1)) + i / rows * rows;
        p->order[i] = p->order[j];
        p->order[j] = i % rows;
        if (i % rows % batch == 0) p->start[p->steps++] = i;
    }
    p->start[p->steps] = 2 * rows;
}

/* Coefficients of step s and one of its groups: each group has a rate of its own. */
static double coefficient_of(int group, int i) { return coefficients[i] * (i == 0 ? 1 + 0.5 * group : 1); }

/* Train in `pieces` calls; stops at the first that fails. */
static outcome train(const fgd_engine *e, const problem *p, int threads, int pieces) {
    int bits = e->bits, count = fgd_rule_coefficients(p->rule), slots = fgd_rule_slots(p->rule);
    outcome o = {.theta = reals(bits, p->theta, p->w.size), .losses = doubles(p->steps)};
    o.state = array((size_t)(slots * p->w.size) * size_of(bits));
    int groups = p->regime ? p->regime->n_groups : 1;
    double *c = doubles(p->steps * groups * count);
    for (ptrdiff_t i = 0; i < p->steps * groups * count; i++)
        c[i] = coefficient_of((int)(i / count % groups), (int)(i % count));
    fgd_transforms regime = {0};
    if (p->regime) {
        o.average = array((size_t)p->w.size * size_of(bits)), o.norms = doubles(p->steps);
        regime = *p->regime, regime.average = o.average;
    }
    ptrdiff_t batch = 1;
    for (ptrdiff_t s = 0; s < p->steps; s++)
        batch = p->start[s + 1] - p->start[s] > batch ? p->start[s + 1] - p->start[s] : batch;
    const fgd_layer *last = &p->w.layer[p->w.net.L - 1];
    fgd_chunk chunk = {.X = real_table(bits, p->X, p->rows, p->w.layer[0].n_in),
                       .Y = real_table(64, p->Y, p->rows, fgd_loss_needs_labels(p->loss) ? 1 : last->n_out),
                       .weight = p->weight ? reals(bits, p->weight, p->rows) : NULL,
                       .order = p->order,
                       .loss = loss_of_row(p->loss),
                       .rule = p->rule,
                       .transforms = p->regime ? &regime : NULL,
                       .n_threads = threads,
                       .theta = o.theta,
                       .state = o.state,
                       .grad = array((size_t)p->w.size * size_of(bits))};
    for (int piece = 0; piece < pieces && o.status == FGD_OK; piece++) {
        ptrdiff_t done = p->steps * piece / pieces;
        chunk.starts = p->start + done, chunk.coefficients = c + done * groups * count, chunk.losses = o.losses + done;
        chunk.n_steps = p->steps * (piece + 1) / pieces - done;
        chunk.noise = (fgd_noise){p->seed, p->first + done, 0, p->amount ? p->amount + done * p->w.net.L : NULL};
        if (p->regime) {
            regime.per_step = p->regime->per_step + done, regime.per_group = p->regime->per_group + done * groups;
            regime.norm = o.norms + done;
        }
        ptrdiff_t most = p->regime && regime.micro_batch < batch ? regime.micro_batch : batch;
        fgd_workspace *work = e->workspace_new(&p->w.net, most);
        o.status = e->train(work, &chunk);
        o.failed = done + chunk.failed;
        e->workspace_free(work);
    }
    return o;
}

/* W (n_in, n): columns no longer than `most`. */
static void reference_limit(const fgd_layer *layer, double *W, double most) {
    for (int j = 0; j < layer->n_out; j++) {
        double square = 0;
        for (int i = 0; i < layer->n_in; i++) square += W[i * layer->n_out + j] * W[i * layer->n_out + j];
        for (int i = 0; i < layer->n_in && sqrt(square) > most; i++) W[i * layer->n_out + j] *= most / sqrt(square);
    }
}

/* Step s of the update with grad (size,), number by number. */
static void reference_regime(const problem *p, ptrdiff_t s, const double *grad, outcome *o) {
    const fgd_transforms *r = p->regime;
    double *theta = o->theta, *average = o->average, square = 0, kept = 1 - r->per_step[s].average_weight;
    for (ptrdiff_t i = 0; i < p->w.size; i++) square += grad[i] * grad[i];
    o->norms[s] = sqrt(square);
    double factor = fmin(1, r->per_step[s].clip_norm / (sqrt(square) + 1e-6));
    ptrdiff_t at = 0;
    for (int l = 0; l < p->w.net.L; l++) {
        const fgd_layer *layer = &p->w.layer[l];
        ptrdiff_t first = at, weights = (ptrdiff_t)layer->n_in * layer->n_out;
        for (ptrdiff_t end = at + weights + layer->bias * layer->n_out; at < end; at++) {
            int group = (int)r->group[2 * l + (at - first >= weights)];
            const fgd_group_transforms *numbers = &r->per_group[s * r->n_groups + group];
            double g = fmax(-numbers->clip_value, fmin(numbers->clip_value, factor * grad[at])), c[16];
            for (int i = 0; i < 16; i++) c[i] = coefficient_of(group, i);
            g += numbers->l1 * ((theta[at] > 0) - (theta[at] < 0));
            reference_weight(p->rule, c, p->w.size, at, g, theta, o->state);
        }
        reference_limit(layer, theta + first, r->per_group[s * r->n_groups + r->group[2 * l]].max_norm);
    }
    for (ptrdiff_t i = 0; i < p->w.size; i++) average[i] = kept * average[i] + (1 - kept) * theta[i];
}

/* The same run in doubles: theta (size,), state (slots, size) and losses (steps,). */
static outcome reference_train(const problem *p) {
    int n_in = p->w.layer[0].n_in, n = p->w.layer[p->w.net.L - 1].n_out, width = fgd_loss_needs_labels(p->loss) ? 1 : n;
    outcome o = {.theta = reals(64, p->theta, p->w.size), .losses = doubles(p->steps)};
    o.state = doubles(fgd_rule_slots(p->rule) * p->w.size);
    o.average = doubles(p->w.size), o.norms = doubles(p->steps);
    for (ptrdiff_t s = 0; s < p->steps; s++) {
        int rows = (int)(p->start[s + 1] - p->start[s]);
        double *X = doubles(rows * n_in), *Y = doubles(rows * width), *loss = doubles(rows), *dZ = doubles(rows * n);
        double total = 0;
        reference r;
        for (int i = 0; i < rows; i++) {
            int64_t row = p->order[p->start[s] + i];
            memcpy(X + i * n_in, p->X + row * n_in, (size_t)n_in * sizeof *X);
            memcpy(Y + i * width, p->Y + row * width, (size_t)width * sizeof *Y);
            total += p->weight ? p->weight[row] : 1;
        }
        reference_init(&r, &p->w, rows, X);
        if (p->amount) reference_noise(&r, p->seed, p->first + s, p->amount + s * p->w.net.L);
        reference_forward(&r, o.theta);
        reference_loss(p->loss, n, rows, r.a[p->w.net.L], Y, loss, dZ);
        for (int i = 0; i < rows; i++) {
            double part = (p->weight ? p->weight[p->order[p->start[s] + i]] : 1) / total;
            o.losses[s] += part * loss[i];
            for (int j = 0; j < n; j++) dZ[i * n + j] *= part;
        }
        reference_backward(&r, o.theta, dZ);
        if (p->regime)
            reference_regime(p, s, r.grad, &o);
        else
            reference_update(p->rule, p->w.size, r.grad, o.theta, o.state);
    }
    return o;
}

#endif
