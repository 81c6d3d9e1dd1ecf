/*
 * training_run.h: a short training run, by an engine and by the reference.
 */
#ifndef FGD_TEST_TRAINING_RUN_H
#define FGD_TEST_TRAINING_RUN_H

#include <math.h>
#include <string.h>

#include "arrays.h"
#include "memo.h"
#include "params.h"
#include "reference.h"
#include "reference_noise.h"
#include "tables.h"

static fgd_table real_table(int bits, const double *x, ptrdiff_t count, int width) {
    return (fgd_table){
        .data = reals(bits, x, count * width),
        .type = bits == 32 ? TYPE_float32 : TYPE_float64,
        .width = width,
        .count = count,
        .stride = (ptrdiff_t)size_of(bits) * width,
    };
}

/* Columns of the targets of a loss of n outputs. */
static int target_width(int loss, int n) { return fgd_loss_needs_labels(loss) ? 1 : n; }

/* Targets of a loss: class indices (rows, 1), or (rows, n) values in (0, 1), -1 and 1 for hinge losses. */
static double *random_targets(int loss, int rows, int n) {
    if (strstr(fgd_loss_name(loss), "hinge")) {
        double *sign = doubles(rows * n);
        for (int i = 0; i < rows * n; i++) sign[i] = random_value() > 0 ? 1 : -1;
        return sign;
    }
    if (!fgd_loss_needs_labels(loss)) return random_fractions(rows * n);
    double *y = doubles(rows);
    for (int i = 0; i < rows; i++) y[i] = floor(n * (0.5 + 0.5 * random_value()));
    return y;
}

typedef struct {
    int L;
    const int *n;     /* (L + 1,) widths */
    int hidden;       /* activation of the hidden layers; that of the outputs is the identity */
    int loss, rule;
    int rows, batch;
    int weighted;     /* 1: rows have weights */
} problem_spec;

/* What to train, on which data and how. */
typedef struct {
    network w;
    int loss, rule, rows;
    ptrdiff_t steps;
    double *X, *Y, *weight, *theta;   /* weight: NULL for none */
    int64_t *order, *starts;
    const fgd_transforms *transforms; /* of all steps, or NULL */
    const double *mask;               /* of the transforms, or NULL */
    fgd_noise noise;                  /* of all steps */
    const double *coefficients;       /* of each step by an engine; NULL: those of params.h */
} problem;

/* Two passes over the rows in a random order; the last batch of each is smaller. */
static void problem_init(problem *p, const problem_spec *spec) {
    int rows = spec->rows, batches = (rows + spec->batch - 1) / spec->batch;
    *p = (problem){.loss = spec->loss, .rule = spec->rule, .rows = rows};
    network_init(&p->w, spec->L, spec->n, spec->hidden, ACTIVATION_identity);
    p->X = random_values(rows * spec->n[0], 1);
    p->Y = random_targets(spec->loss, rows, spec->n[spec->L]);
    p->theta = random_values(p->w.size, 0.5);
    p->weight = spec->weighted ? random_fractions(rows) : NULL;
    p->order = array((size_t)(2 * rows) * sizeof *p->order);
    p->starts = array((size_t)(2 * batches + 1) * sizeof *p->starts);
    for (int i = 0; i < 2 * rows; i++) {
        int j = (int)((random_value() + 1) / 2 * (i % rows + 1)) + i / rows * rows;
        p->order[i] = p->order[j];
        p->order[j] = i % rows;
        if (i % rows % spec->batch == 0) p->starts[p->steps++] = i;
    }
    p->starts[p->steps] = 2 * rows;
}

/* The outcome of a run. */
typedef struct {
    fgd_status status;
    ptrdiff_t failed;              /* the step that failed */
    void *theta, *state, *average; /* average: NULL without transforms */
    double *losses, *norms;
} outcome;

/* ---- by an engine ---- */

/* (steps, groups, coefficients of the rule) */
static double *all_coefficients(const problem *p) {
    int count = fgd_rule_coefficients(p->rule), groups = p->transforms ? p->transforms->n_groups : 1;
    double *c = doubles(p->steps * groups * count);
    for (ptrdiff_t i = 0; i < p->steps * groups * count; i++)
        c[i] =
            p->coefficients ? p->coefficients[i % count] : coefficient_of((int)(i / count % groups), (int)(i % count));
    return c;
}

static fgd_transforms *all_transforms(const problem *p, int bits, const outcome *o) {
    if (!p->transforms) return NULL;
    fgd_transforms *transforms = array(sizeof *transforms);
    *transforms = *p->transforms;
    transforms->mask = p->mask ? reals(bits, p->mask, p->w.size) : NULL;
    transforms->average = o->average;
    transforms->norm = o->norms;
    return transforms;
}

/* All steps of a run as one chunk, and memory for its outcome. */
static fgd_chunk whole_run(int bits, const problem *p, int threads, outcome *o) {
    int n_in = p->w.layer[0].n_in, n = p->w.layer[p->w.net.L - 1].n_out;
    *o = (outcome){.theta = reals(bits, p->theta, p->w.size), .losses = doubles(p->steps)};
    o->state = zero_reals(bits, fgd_rule_slots(p->rule) * p->w.size);
    if (p->transforms) {
        o->average = zero_reals(bits, p->w.size);
        o->norms = doubles(p->steps);
    }
    return (fgd_chunk){
        .X = real_table(bits, p->X, p->rows, n_in),
        .Y = real_table(64, p->Y, p->rows, target_width(p->loss, n)),
        .weight = p->weight ? reals(bits, p->weight, p->rows) : NULL,
        .order = p->order,
        .starts = p->starts,
        .n_steps = p->steps,
        .loss = loss_of_kind(p->loss),
        .rule = p->rule,
        .coefficients = all_coefficients(p),
        .transforms = all_transforms(p, bits, o),
        .theta = o->theta,
        .state = o->state,
        .grad = zero_reals(bits, p->w.size),
        .noise = p->noise,
        .losses = o->losses,
        .n_threads = threads,
    };
}

/* Steps [begin, end) of a run as a chunk of its own; `transforms` is overwritten. */
static fgd_chunk part_of_run(const fgd_chunk *run, int L, ptrdiff_t begin, ptrdiff_t end, fgd_transforms *transforms) {
    int groups = run->transforms ? run->transforms->n_groups : 1;
    fgd_chunk chunk = *run;
    chunk.starts += begin;
    chunk.n_steps = end - begin;
    chunk.coefficients += begin * groups * fgd_rule_coefficients(run->rule);
    chunk.losses += begin;
    chunk.noise.step += begin;
    if (chunk.noise.strength) chunk.noise.strength += begin * L;
    if (!run->transforms) return chunk;
    *transforms = *run->transforms;
    transforms->per_step += begin;
    transforms->per_group += begin * groups;
    transforms->norm += begin;
    chunk.transforms = transforms;
    return chunk;
}

/* Rows that the workspace of a run must hold. */
static ptrdiff_t workspace_rows(const problem *p) {
    ptrdiff_t batch = 1;
    for (ptrdiff_t s = 0; s < p->steps; s++) {
        ptrdiff_t rows = p->starts[s + 1] - p->starts[s];
        if (rows > batch) batch = rows;
    }
    return p->transforms && p->transforms->micro_batch < batch ? p->transforms->micro_batch : batch;
}

/* Trains in `pieces` chunks; stops at the first that fails. */
static outcome train(const fgd_engine *e, const problem *p, int threads, int pieces) {
    outcome o;
    fgd_chunk run = whole_run(e->bits, p, threads, &o);
    for (int piece = 0; piece < pieces && o.status == FGD_OK; piece++) {
        ptrdiff_t begin = p->steps * piece / pieces, end = p->steps * (piece + 1) / pieces;
        fgd_transforms transforms;
        fgd_chunk chunk = part_of_run(&run, p->w.net.L, begin, end, &transforms);
        fgd_workspace *workspace = e->workspace_new(&p->w.net, workspace_rows(p));
        o.status = e->train(workspace, &chunk);
        o.failed = begin + chunk.failed;
        e->workspace_free(workspace);
    }
    return o;
}

/* ---- by the reference ---- */

/* W (n_in, n): columns of a norm of at most max_norm. */
static void reference_clip_columns(const fgd_layer *layer, double *W, double max_norm) {
    for (int j = 0; j < layer->n_out; j++) {
        double square = 0;
        for (int i = 0; i < layer->n_in; i++) square += W[i * layer->n_out + j] * W[i * layer->n_out + j];
        for (int i = 0; i < layer->n_in && sqrt(square) > max_norm; i++)
            W[i * layer->n_out + j] *= max_norm / sqrt(square);
    }
}

/* Element i of theta and of the state <- step s of the rule, in a group of parameters. */
static int is_kept(const problem *p, ptrdiff_t i) { return !p->mask || p->mask[i] != 0; }

static void reference_transform_one(const problem *p, ptrdiff_t s, int group, ptrdiff_t i, double g, outcome *o) {
    const fgd_group_transforms *limits = &p->transforms->per_group[s * p->transforms->n_groups + group];
    double *theta = o->theta, c[COUNT(coefficients)];
    for (int k = 0; k < COUNT(c); k++) c[k] = coefficient_of(group, k);
    if (!is_kept(p, i)) g = 0;
    g = fmax(-limits->clip_value, fmin(limits->clip_value, g));
    g += limits->l1 * ((theta[i] > 0) - (theta[i] < 0));
    reference_update_one(p->rule, c, p->w.size, i, g, theta, o->state);
}

/* Step s of the update with grad (size,), element by element. */
static void reference_transforms(const problem *p, ptrdiff_t s, const double *grad, outcome *o) {
    const fgd_transforms *t = p->transforms;
    double *theta = o->theta, *average = o->average, square = 0, kept = 1 - t->per_step[s].average_weight;
    for (ptrdiff_t i = 0; i < p->w.size; i++) square += is_kept(p, i) ? grad[i] * grad[i] : 0;
    o->norms[s] = sqrt(square);
    double factor = fmin(1, t->per_step[s].clip_norm / (sqrt(square) + 1e-6));
    ptrdiff_t at = 0;
    for (int l = 0; l < p->w.net.L; l++) {
        const fgd_layer *layer = &p->w.layer[l];
        const int64_t *group = &t->group[2 * l];
        ptrdiff_t bias = at + (ptrdiff_t)layer->n_in * layer->n_out, end = bias + layer->bias * layer->n_out;
        for (ptrdiff_t i = at; i < end; i++)
            reference_transform_one(p, s, (int)group[i >= bias], i, factor * grad[i], o);
        reference_clip_columns(layer, theta + at, t->per_group[s * t->n_groups + group[0]].max_norm);
        at = end;
    }
    for (ptrdiff_t i = 0; i < p->w.size; i++) theta[i] *= is_kept(p, i);
    for (ptrdiff_t i = 0; i < p->w.size; i++) average[i] = kept * average[i] + (1 - kept) * theta[i];
}

/* The rows of step s of x (rows, width). */
static double *rows_of_step(const problem *p, ptrdiff_t s, const double *x, int width) {
    ptrdiff_t rows = p->starts[s + 1] - p->starts[s];
    double *to = doubles(rows * width);
    for (ptrdiff_t i = 0; i < rows; i++)
        memcpy(to + i * width, x + p->order[p->starts[s] + i] * width, (size_t)width * sizeof *x);
    return to;
}

/* o->losses[s], dZ (rows, n) <- means over the rows of step s, from the loss (rows,) and dZ of each row. */
static void reference_means(const problem *p, ptrdiff_t s, int n, const double *loss, double *dZ, outcome *o) {
    ptrdiff_t rows = p->starts[s + 1] - p->starts[s];
    const double *weight = p->weight ? rows_of_step(p, s, p->weight, 1) : NULL;
    double total = 0;
    for (ptrdiff_t i = 0; i < rows; i++) total += weight ? weight[i] : 1;
    for (ptrdiff_t i = 0; i < rows; i++) {
        double share = (weight ? weight[i] : 1) / total;
        o->losses[s] += share * loss[i];
        for (int j = 0; j < n; j++) dZ[i * n + j] *= share;
    }
}

static void reference_step(const problem *p, ptrdiff_t s, outcome *o) {
    int L = p->w.net.L, n = p->w.layer[L - 1].n_out, rows = (int)(p->starts[s + 1] - p->starts[s]);
    const double *X = rows_of_step(p, s, p->X, p->w.layer[0].n_in);
    const double *Y = rows_of_step(p, s, p->Y, target_width(p->loss, n));
    double *loss = doubles(rows), *dZ = doubles(rows * n);
    reference r;
    reference_init(&r, &p->w, rows, X);
    if (p->noise.strength) {
        fgd_noise noise = p->noise;
        noise.step += s;
        noise.strength += s * L;
        reference_noise(&r, &noise);
    }
    reference_forward(&r, o->theta);
    reference_loss(p->loss, n, rows, r.a[L], Y, loss, dZ);
    reference_means(p, s, n, loss, dZ, o);
    reference_backward(&r, o->theta, dZ);
    if (p->transforms)
        reference_transforms(p, s, r.grad, o);
    else
        reference_update(p->rule, p->w.size, r.grad, o->theta, o->state);
}

/* The same run in double precision: theta (size,), state (slots, size) and losses (steps,). */
static outcome reference_train(const problem *p) {
    outcome o = {
        .theta = copy_of(p->theta, p->w.size),
        .state = doubles(fgd_rule_slots(p->rule) * p->w.size),
        .average = doubles(p->w.size),
        .losses = doubles(p->steps),
        .norms = doubles(p->steps),
    };
    const memo results[] = {
        {o.theta, p->w.size},   {o.state, fgd_rule_slots(p->rule) * p->w.size},
        {o.average, p->w.size}, {o.losses, p->steps},
        {o.norms, p->steps},
    };
    if (recall(p->theta[0], results, COUNT(results))) return o;
    for (ptrdiff_t s = 0; s < p->steps; s++) reference_step(p, s, &o);
    keep(p->theta[0], results, COUNT(results));
    return o;
}

#endif
