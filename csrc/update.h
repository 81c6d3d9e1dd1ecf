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
#define ROW(name, slots, coefficients)                                                               \
    ALWAYS_INLINE void update_##name(const update_context *u, ptrdiff_t at, vec g, lanes m) {        \
        vec s[MAX_SLOTS];                                                                            \
        for (int i = 0; i < slots; i++) s[i] = v_load_part(u->state + i * u->size + at, m);          \
        v_store_part(u->theta + at, name##_step(v_load_part(u->theta + at, m), g, s, u->c), m);      \
        for (int i = 0; i < slots; i++) v_store_part(u->state + i * u->size + at, s[i], m);          \
    }
FGD_RULES(ROW)
#undef ROW

/* All of theta at once, from a gradient in memory. */
static void update_flat(const update_context *u, const real *grad, ptrdiff_t from, ptrdiff_t to) {
    switch (u->rule) {
#define ROW(name, slots, coefficients)                                       \
    case RULE_##name:                                                        \
        for (ptrdiff_t i = from; i < to; i += VL) {                          \
            lanes m = v_lanes(to - i);                                       \
            update_##name(u, i, v_load_part(grad + i, m), m);                \
        }                                                                    \
        return;
        FGD_RULES(ROW)
#undef ROW
    }
}

/* A finished tile of dW goes straight into theta: p->c is where dW would be, in the caller's grad. */
typedef struct {
    update_context update;
    const real *grad; /* whole vector: the tile's place in it is its place in theta */
} fused_context;

static void finish_update(const product *p, int i, int rows, int j, int vectors, lanes last, vec tile[MR][NV]) {
    const fused_context *context = p->context;
    const update_context *u = &context->update;
    ptrdiff_t at = p->c - context->grad + i * p->c_row + j;
    switch (u->rule) {
#define ROW(name, slots, coefficients)                                                                      \
    case RULE_##name:                                                                                       \
        for (int r = 0; r < rows; r++)                                                                      \
            for (int v = 0; v < vectors; v++)                                                               \
                update_##name(u, at + r * p->c_row + v * VL, tile[r][v], tile_lanes(v, vectors, last));     \
        return;
        FGD_RULES(ROW)
#undef ROW
    }
}
