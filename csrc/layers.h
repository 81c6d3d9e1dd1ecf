/*
 * layers.h: the three products of a layer on rows or columns of its matrices, and what is done to their finished tiles.
 *
 *   forward    a[l + 1] = f(a[l] W + b)          finish_forward: f
 *   backward   dz[l] = (dz[l + 1] W^T) f'(a[l])  finish_backward: f'
 *   gradient   dW = a[l]^T dz[l + 1]             finish_gradient (update.h): update of theta
 */
/* tile <- f(tile) */
static void activate(const fgd_layer *layer, int rows, int vectors, vec tile[MR][NV]) {
    const double *c = layer->constant;
    switch (layer->activation) {
#define ROW(name)                                                                         \
    case ACTIVATION_##name:                                                               \
        for (int r = 0; r < rows; r++)                                                    \
            for (int v = 0; v < vectors; v++) tile[r][v] = name##_forward(tile[r][v], c); \
        return;
        FGD_ACTIVATIONS(ROW, ROW)
#undef ROW
    }
}

typedef struct {
    const fgd_layer *layer;
    real *z; /* laid out like c: where z is kept for an activation that needs it, or NULL */
} forward_context;

static void finish_forward(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const forward_context *context = p->context;
    if (context->z) save_tile(context->z + i * p->c_row + j, p->c_row, rows, vectors, last, tile);
    activate(context->layer, rows, vectors, tile);
    store_tile(p, i, rows, j, vectors, last, tile);
}

/* to (rows, n_out) <- f(from W + b), from (rows, n_in) with its column of ones; W, b: the layer's block of theta; z: see
   forward_context. */
static void layer_forward(const fgd_layer *layer, const real *block, const real *from, ptrdiff_t from_ld, real *to,
                          ptrdiff_t to_ld, real *z, int row0, int row1) {
    forward_context context = {layer, z};
    product p = {.k = layer->n_in + layer->bias,
                 .a = from,
                 .a_row = from_ld,
                 .a_col = 1,
                 .b = block,
                 .b_row = layer->n_out,
                 .b_panel = NR,
                 .c = to,
                 .c_row = to_ld,
                 .finish = finish_forward,
                 .context = &context,
                 .touched = {to},
                 .touches = 1};
    multiply(&p, row0, row1, layer->n_out);
}

static void forward_rows(const fgd_work *w, const real *theta, int row0, int row1) {
    for (int l = 0; l < w->net->L; l++) {
        const fgd_layer *layer = &w->net->layer[l];
        layer_forward(layer, theta, w->a[l], w->ld[l], w->a[l + 1], w->ld[l + 1], w->z[l + 1], row0, row1);
        theta += block_size(layer);
    }
}

/* What the backward function of a[l] reads: a[l], or z[l] where it was kept. */
static const real *backward_input(const fgd_work *w, int l) { return w->z[l] ? w->z[l] : w->a[l]; }

/* dz (n,) <- dz f'(z), through x (n,) */
static void slope(const fgd_layer *layer, int n, const real *x, real *dz) {
    const double *c = layer->constant;
    switch (layer->activation) {
#define ROW(name)                                                                                          \
    case ACTIVATION_##name:                                                                                \
        for (int j = 0; j < n; j += VL) {                                                                  \
            lanes in = v_lanes(n - j);                                                                     \
            v_store_part(dz + j, name##_backward(v_load_part(x + j, in), v_load_part(dz + j, in), c), in); \
        }                                                                                                  \
        return;
        FGD_ACTIVATIONS(ROW, ROW)
#undef ROW
    }
}

typedef struct {
    const fgd_layer *layer; /* whose gradient this is */
    const real *x;          /* laid out like c        */
} slope_context;

static void finish_backward(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const slope_context *context = p->context;
    const double *c = context->layer->constant;
    const real *x = context->x + i * p->c_row + j;
    switch (context->layer->activation) {
#define ROW(name)                                                                                                  \
    case ACTIVATION_##name:                                                                                        \
        for (int r = 0; r < rows; r++)                                                                             \
            for (int v = 0; v < vectors; v++)                                                                      \
                tile[r][v] = name##_backward(v_load_part(x + r * p->c_row + v * VL, tile_lanes(v, vectors, last)), \
                                             tile[r][v], c);                                                       \
        break;
        FGD_ACTIVATIONS(ROW, ROW)
#undef ROW
    }
    store_tile(p, i, rows, j, vectors, last, tile);
}

/* Rows [i0, i1) of W (n_in, n_out) to their places in the panels of W transposed. */
static void transpose_weights(const fgd_layer *layer, const real *W, real *wt, int i0, int i1) {
    ptrdiff_t n = layer->n_out;
    for (int i = i0, rows; i < i1; i += rows) {
        rows = NR - i % NR < i1 - i ? NR - i % NR : i1 - i;
        transpose(rows, layer->n_out, W + i * n, n, wt + i / NR * NR * n + i % NR, NR);
    }
}

/* to (rows, n_in) <- dz W^T, finished as the caller says */
static void layer_backward(const fgd_layer *layer, const real *wt, const real *dz, ptrdiff_t dz_ld, product *p,
                           int row0, int row1) {
    p->k = layer->n_out;
    p->a = dz, p->a_row = dz_ld, p->a_col = 1;
    p->b = wt, p->b_row = NR, p->b_panel = (ptrdiff_t)NR * layer->n_out;
    multiply(p, row0, row1, layer->n_in);
}

/* dz[L] (rows, n) holds dL/da[L]; on return all dz[l], l >= 1, hold dL/dz. */
static void backward_rows(const fgd_work *w, int row0, int row1) {
    int L = w->net->L;
    const fgd_layer *layer = w->net->layer;
    for (int r = row0; r < row1; r++)
        slope(&layer[L - 1], layer[L - 1].n_out, backward_input(w, L) + r * w->ld[L], w->dz[L] + r * w->ld[L]);
    for (int l = L - 1; l > 0; l--) {
        slope_context context = {&layer[l - 1], backward_input(w, l)};
        product p = {.c = w->dz[l],
                     .c_row = w->ld[l],
                     .finish = finish_backward,
                     .context = &context,
                     .touched = {w->dz[l], context.x},
                     .touches = 2};
        layer_backward(&layer[l], w->wt[l], w->dz[l + 1], w->ld[l + 1], &p, row0, row1);
    }
}

/* Rows [i0, i1) of a panel of columns of W, just updated, to W transposed. */
static void transpose_panel(const product *p, int i0, int i1, int j, int columns) {
    const gradient_sink *sink = p->context;
    const real *W = sink->update->theta + (p->c - sink->grad);
    int end = i1 < sink->n_in ? i1 : sink->n_in;
    for (int i = i0, rows; i < end; i += rows) {
        rows = NR - i % NR < end - i ? NR - i % NR : end - i;
        transpose(rows, columns, W + i * p->c_row + j, p->c_row, sink->wt + (i / NR * p->c_row + j) * NR + i % NR, NR);
    }
}

/*
 * dW (n_in + 1, n_out) = a^T dz of layer l over `rows` rows: rows [i0, i1) of it, to the sink; at: the layer's place in
 * theta.  Few outputs would leave most lanes of a vector empty: then it is made transposed, vectors along the inputs.
 */
static void layer_gradient(const fgd_work *w, int l, int rows, const gradient_sink *to, ptrdiff_t at, int i0, int i1) {
    const fgd_layer *layer = &w->net->layer[l];
    int n = layer->n_out, transposes = to->update && l > 0;
    const real *a = w->a[l], *dz = w->dz[l + 1];
    ptrdiff_t a_ld = w->ld[l], dz_ld = w->ld[l + 1];
    if (n <= NARROW) {
        narrow_sink narrow = {to, at + (ptrdiff_t)i0 * n, i1 - i0, n};
        product p = {.k = rows,
                     .whole_k = 1,
                     .a = dz,
                     .a_row = 1,
                     .a_col = dz_ld,
                     .b = a + i0,
                     .b_row = a_ld,
                     .b_panel = NR,
                     .finish = finish_narrow,
                     .context = &narrow};
        multiply(&p, 0, n, i1 - i0);
        if (transposes)
            transpose_weights(layer, to->update->theta + at, w->wt[l], i0, i1 < layer->n_in ? i1 : layer->n_in);
        return;
    }
    gradient_sink sink = *to;
    sink.n_in = layer->n_in;
    sink.wt = w->wt[l];
    product p = {.k = rows,
                 .a = a,
                 .a_row = 1,
                 .a_col = a_ld,
                 .b = dz,
                 .b_row = dz_ld,
                 .b_panel = NR,
                 .c = sink.grad + at,
                 .c_row = n,
                 .finish = finish_gradient,
                 .panel_done = transposes ? transpose_panel : NULL,
                 .context = &sink};
    if (sink.update) {
        p.touched[p.touches++] = sink.update->theta + at;
        for (int s = 0; s < rule_slots[sink.update->rule]; s++)
            p.touched[p.touches++] = sink.update->state + s * sink.update->size + at;
    }
    multiply(&p, i0, i1, n);
}
