/*
 * update.h: theta and the optimiser's state move, either all at once from a gradient in memory, or tile by tile as the
 * product that makes the gradient finishes.
 */
typedef struct {
    int rule;
    vec c[MAX_COEFFICIENTS];
    ptrdiff_t size; /* of theta: from slot to slot */
    real *theta, *state;
} update_context;

static void update_init(update_context *u, int rule, const double *coefficient, ptrdiff_t size, real *theta,
                        real *state) {
    u->rule = rule, u->size = size, u->theta = theta, u->state = state;
    for (int i = 0; i < rule_coefficients[rule]; i++) u->c[i] = v_set((real)coefficient[i]);
}

/* One step of a rule on the numbers of theta at `at`, the lanes m of a vector; g their gradient. */
#define ROW(name, slots, coefficients)                                                          \
    ALWAYS_INLINE void update_##name(const update_context *u, ptrdiff_t at, vec g, lanes m) {   \
        vec s[MAX_SLOTS];                                                                       \
        for (int i = 0; i < slots; i++) s[i] = v_load_part(u->state + i * u->size + at, m);     \
        v_store_part(u->theta + at, name##_step(v_load_part(u->theta + at, m), g, s, u->c), m); \
        for (int i = 0; i < slots; i++) v_store_part(u->state + i * u->size + at, s[i], m);     \
    }
FGD_RULES(ROW)
#undef ROW

/* The numbers of theta from `at` on, from their gradient (count,). */
static void update_flat(const update_context *u, ptrdiff_t at, const real *gradient, ptrdiff_t count) {
    switch (u->rule) {
#define ROW(name, slots, coefficients)                                 \
    case RULE_##name:                                                  \
        for (ptrdiff_t i = 0; i < count; i += VL) {                    \
            lanes m = v_lanes(count - i);                              \
            update_##name(u, at + i, v_load_part(gradient + i, m), m); \
        }                                                              \
        return;
        FGD_RULES(ROW)
#undef ROW
    }
}

/* Where a gradient goes: straight into theta, or, with update NULL, to grad. */
typedef struct {
    const update_context *update;
    real *grad; /* (size,) */
    int n_in;   /* of the layer, and its W transposed, when theta moves */
    real *wt;
} gradient_sink;

/* p->c is where dW lies in sink->grad, so that a tile's place in grad is its place in theta. */
static void finish_gradient(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const gradient_sink *sink = p->context;
    const update_context *u = sink->update;
    if (!u) {
        store_tile(p, i, rows, j, vectors, last, tile);
        return;
    }
    ptrdiff_t at = p->c - sink->grad + i * p->c_row + j;
    switch (u->rule) {
#define ROW(name, slots, coefficients)                                                                  \
    case RULE_##name:                                                                                   \
        for (int r = 0; r < rows; r++)                                                                  \
            for (int v = 0; v < vectors; v++)                                                           \
                update_##name(u, at + r * p->c_row + v * VL, tile[r][v], tile_lanes(v, vectors, last)); \
        return;
        FGD_RULES(ROW)
#undef ROW
    }
}

/* A gradient that was made transposed: tile (n_out, inputs) of a layer with few outputs. */
enum { NARROW = 4 };
typedef struct {
    const gradient_sink *sink;
    ptrdiff_t at;      /* of the product's first column in theta */
    int inputs, n_out; /* the product's size: n_out <= NARROW    */
} narrow_sink;

static void finish_narrow(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const narrow_sink *to = p->context;
    int n = to->n_out, columns = to->inputs - j < NR ? to->inputs - j : NR;
    real row[NR], gradient[NR * NARROW];
    (void)i, (void)last;
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) v_store(row + v * VL, tile[r][v]);
        for (int c = 0; c < columns; c++) gradient[c * n + r] = row[c];
    }
    ptrdiff_t at = to->at + (ptrdiff_t)j * n;
    if (to->sink->update)
        update_flat(to->sink->update, at, gradient, (ptrdiff_t)columns * n);
    else
        memcpy(to->sink->grad + at, gradient, (size_t)(columns * n) * sizeof *gradient);
}
