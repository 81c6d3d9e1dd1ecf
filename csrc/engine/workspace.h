/*
 * work.h: the memory of one network: what forward leaves for backward, and nothing that must outlive a chunk.
 *
 * Activations are matrices (batch, ld) whose row-major rows are an odd number of cache lines apart: with a power of two
 * the MR rows that a tile reads at once would fall into one set of the cache.  Column n[l] of a[l] is all ones, so that
 * the gradient of b, the last row of a layer's block of theta, is made like that of any other.
 *
 * Where noise may disturb a[l], x[l] holds what it was before, and keep[l] what a noise that multiplies has multiplied it
 * with.
 *
 * wt[l] is W transposed, for dA = dZ W^T, in panels of NR of its columns: panel j / NR holds (n_out, NR).
 */
#ifndef FGD_WORKSPACE_H
#define FGD_WORKSPACE_H

#include "../fastgd.h"
#include "../simd/contract.h"
#include "../tables/activations.h"
#include "../tables/noise.h"
#include "barrier.h"

struct fgd_workspace {
    const fgd_net *net;
    ptrdiff_t batch; /* rows that fit                                  */
    ptrdiff_t rows;  /* of the last forward                            */
    ptrdiff_t *ld;   /* (L + 1,)                                       */
    real **a;        /* (L + 1,) a[0] = X, a[l] outputs of layer l - 1 */
    real **z;        /* (L + 1,) like a: inputs of the activations that need them, else NULL */
    real **dz;       /* (L + 1,) like a: dL/dz of layer l - 1; dz[0] is NULL */
    real **x, **keep; /* (L + 1,) like a, or NULL                       */
    real **wt;       /* (L,) wt[0] is NULL until somebody asks for dX  */
    real *y;         /* (batch, ld[L])                                 */
    real *weight;    /* (batch,)                                       */
    double *loss;    /* (batch,)                                       */
    double *squares; /* (all_block_rows,) of a gradient, row by row    */
    fgd_noise noise; /* of the last forward, its amount (L,) or NULL   */
    double *amount;  /* (L,) the place for it                          */
    crew crew;       /* threads that paid in earlier chunks            */
};

static ptrdiff_t odd_lines(ptrdiff_t numbers) {
    ptrdiff_t per_line = LINE / (ptrdiff_t)sizeof(real);
    return ((numbers + per_line - 1) / per_line | 1) * per_line;
}

/* Rows of a layer's block of theta, its numbers, and those of all. */
static int block_rows(const fgd_layer *layer) { return layer->n_in + layer->bias; }
static ptrdiff_t block_size(const fgd_layer *layer) { return (ptrdiff_t)block_rows(layer) * layer->n_out; }
static ptrdiff_t theta_size(const fgd_net *net) {
    ptrdiff_t size = 0;
    for (int l = 0; l < net->L; l++) size += block_size(&net->layer[l]);
    return size;
}

static ptrdiff_t all_block_rows(const fgd_net *net) {
    ptrdiff_t rows = 0;
    for (int l = 0; l < net->L; l++) rows += block_rows(&net->layer[l]);
    return rows;
}

/* Floating-point operations of a forward pass over `rows` rows. */
static double forward_flops(const fgd_net *net, ptrdiff_t rows) { return 2. * (double)rows * (double)theta_size(net); }

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Memory as it comes; large blocks on huge pages, which spare misses of the address cache. */
static void *obtain(size_t bytes) {
    size_t page = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    bytes = round_up(bytes, page);
#ifdef _WIN32
    void *p = _aligned_malloc(bytes, page);
#else
    void *p = aligned_alloc(page, bytes);
#if defined(MADV_HUGEPAGE)
    if (p && page == HUGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE);
#endif
#endif
    return p;
}

/* The same, zeroed. */
static void *allocate(size_t bytes) {
    void *p = obtain(bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

static void release(void *p) {
#ifdef _WIN32
    _aligned_free(p);
#else
    free(p);
#endif
}

/* The next `bytes` of a block that starts at `base`; with base NULL only counts them. */
static void *take(char *base, size_t *used, size_t bytes) {
    size_t at = *used;
    *used += round_up(bytes, LINE);
    return base ? base + at : NULL;
}

static ptrdiff_t panels_size(const fgd_layer *layer) {
    return (ptrdiff_t)round_up((size_t)layer->n_in, NR) * layer->n_out;
}

/* Points every field into the block; returns the block's size. */
static size_t lay_out(const fgd_net *net, ptrdiff_t batch, char *base) {
    int L = net->L;
    size_t used = 0;
    take(base, &used, sizeof(fgd_workspace));
    ptrdiff_t *ld = take(base, &used, (size_t)(L + 1) * sizeof *ld);
    real **a = take(base, &used, (size_t)(L + 1) * sizeof *a);
    real **z = take(base, &used, (size_t)(L + 1) * sizeof *z);
    real **dz = take(base, &used, (size_t)(L + 1) * sizeof *dz);
    real **x = take(base, &used, (size_t)(L + 1) * sizeof *x);
    real **keep = take(base, &used, (size_t)(L + 1) * sizeof *keep);
    real **wt = take(base, &used, (size_t)L * sizeof *wt);
    for (int l = 0; l <= L; l++) {
        ptrdiff_t stride = odd_lines(l < L ? net->layer[l].n_in + 1 : net->layer[L - 1].n_out);
        size_t bytes = (size_t)(batch * stride) * sizeof(real);
        real *al = take(base, &used, bytes), *dzl = l > 0 ? take(base, &used, bytes) : NULL;
        int needs_z = l > 0 && activation_needs_z[net->layer[l - 1].activation];
        real *zl = needs_z ? take(base, &used, bytes) : NULL;
        int noise = l < L ? net->layer[l].noise : NO_NOISE;
        real *xl = noise && l > 0 ? take(base, &used, bytes) : NULL;
        real *keepl = noise_multiplies[noise] ? take(base, &used, bytes) : NULL;
        real *wtl = l > 0 && l < L ? take(base, &used, (size_t)panels_size(&net->layer[l]) * sizeof(real)) : NULL;
        if (!base) continue;
        ld[l] = stride;
        a[l] = al;
        z[l] = zl;
        dz[l] = dzl;
        x[l] = xl;
        keep[l] = keepl;
        if (l < L) wt[l] = wtl;
    }
    real *y = take(base, &used, (size_t)(batch * odd_lines(net->layer[L - 1].n_out)) * sizeof *y);
    real *weight = take(base, &used, (size_t)batch * sizeof *weight);
    double *loss = take(base, &used, (size_t)batch * sizeof *loss);
    double *squares = take(base, &used, (size_t)all_block_rows(net) * sizeof *squares);
    double *amount = take(base, &used, (size_t)L * sizeof *amount);
    if (base)
        *(fgd_workspace *)base = (fgd_workspace){.net = net,
                                                 .batch = batch,
                                                 .ld = ld,
                                                 .a = a,
                                                 .z = z,
                                                 .dz = dz,
                                                 .x = x,
                                                 .keep = keep,
                                                 .wt = wt,
                                                 .y = y,
                                                 .weight = weight,
                                                 .loss = loss,
                                                 .squares = squares,
                                                 .amount = amount};
    return used;
}

static fgd_workspace *workspace_new(const fgd_net *net, ptrdiff_t batch) {
    char *base = allocate(lay_out(net, batch, NULL));
    if (!base) return NULL;
    lay_out(net, batch, base);
    fgd_workspace *w = (fgd_workspace *)base;
    for (int l = 0; l < net->L; l++)
        for (ptrdiff_t r = 0; r < batch; r++) w->a[l][r * w->ld[l] + net->layer[l].n_in] = 1;
    return w;
}

static void workspace_free(fgd_workspace *w) {
    release(w->wt[0]);
    release(w);
}

#endif
