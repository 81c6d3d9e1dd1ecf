/*
 * update.h: one step of a rule on theta and its state, from a gradient in memory.  Of plain descent the matrix product
 * that makes the gradient does it tile by tile instead; see FGD_EPILOGUES.
 */
#ifndef FGD_UPDATE_H
#define FGD_UPDATE_H

#include "../simd/contract.h"
#include "../tables/rules.h"

typedef struct {
    int rule;
    vec c[MAX_COEFFICIENTS];
    ptrdiff_t size; /* of theta, and the distance between slots of state */
    real *theta, *state;
} update_context;

static void update_init(update_context *u, int rule, const double *coefficients, ptrdiff_t size, real *theta,
                        real *state) {
    u->rule = rule;
    u->size = size;
    u->theta = theta;
    u->state = state;
    for (int i = 0; i < rule_coefficients[rule]; i++) u->c[i] = v_set((real)coefficients[i]);
}

/* One step of a rule on the elements of theta at `at`, the lanes m of a vector; g: their gradient. */
#define RULE(name, slots, coefficients)                                                         \
    ALWAYS_INLINE void update_##name(const update_context *u, ptrdiff_t at, vec g, lanes m) {   \
        vec s[MAX_SLOTS];                                                                       \
        UNROLLED                                                                                \
        for (int i = 0; i < slots; i++) s[i] = v_load_part(u->state + i * u->size + at, m);     \
        v_store_part(u->theta + at, name##_step(v_load_part(u->theta + at, m), g, s, u->c), m); \
        UNROLLED                                                                                \
        for (int i = 0; i < slots; i++) v_store_part(u->state + i * u->size + at, s[i], m);     \
    }
FGD_RULES(RULE)
#undef RULE

/* One step on elements of theta: rows of `count` that begin at `at` and are ld apart; gradient: rows g_ld apart. */
static void update_matrix(const update_context *u, ptrdiff_t at, ptrdiff_t ld, const real *gradient, ptrdiff_t g_ld,
                          ptrdiff_t rows, ptrdiff_t count) {
    switch (u->rule) {
#define RULE(name, slots, coefficients)                                    \
    case RULE_##name:                                                      \
        for (; rows > 0; rows--, at += ld, gradient += g_ld)               \
            for (ptrdiff_t i = 0; i < count; i += VL) {                    \
                lanes m = v_lanes(count - i);                              \
                update_##name(u, at + i, v_load_part(gradient + i, m), m); \
            }                                                              \
        return;
        FGD_RULES(RULE)
#undef RULE
    }
}

/* One step on `count` elements of theta from `at` on; gradient (count,). */
static void update_flat(const update_context *u, ptrdiff_t at, const real *gradient, ptrdiff_t count) {
    update_matrix(u, at, 0, gradient, 0, 1, count);
}

#endif
