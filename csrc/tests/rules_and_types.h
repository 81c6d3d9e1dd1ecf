/*
 * rules_and_types.h: tests each update rule, and each element type of the caller's tables.
 */
#ifndef FGD_TEST_RULES_AND_TYPES_H
#define FGD_TEST_RULES_AND_TYPES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "arrays.h"
#include "check.h"
#include "formulas.h"
#include "params.h"
#include "reference.h"
#include "tables.h"
#include "training_run.h"

/* The first element of theta (size,) and of the state (slots, size), after a step of plain_rules from what it was. */
static void check_plain_rule(int rule, double before, double *slots, double g, double after) {
    for (int i = 0; i < COUNT(plain_rules); i++) {
        if (strcmp(plain_rules[i].name, fgd_rule_name(rule)) != 0) continue;
        plain_rules[i].f(&before, g, slots, coefficients);
        check(fabs(before - after) < 1e-14, "value of %s", fgd_rule_name(rule));
    }
}

/* Three steps on `size` weights. */
static void test_rule(const fgd_engine *e, int rule, int size) {
    int bits = e->bits, slots = fgd_rule_slots(rule);
    double *grad = random_values(size, 1), *theta = random_values(size, 1), *state = doubles(slots * size);
    void *g = reals(bits, grad, size), *t = reals(bits, theta, size), *s = reals(bits, state, slots * size);
    for (int step = 0; step < 3; step++) {
        double first = theta[0], first_slots[8];
        for (int k = 0; k < slots; k++) first_slots[k] = state[k * size];
        e->update(rule, coefficients, NULL, size, g, t, s);
        reference_update(rule, size, grad, theta, state);
        check_plain_rule(rule, first, first_slots, grad[0], theta[0]);
    }
    check(close_to(bits, t, theta, size), "%s on %d weights", fgd_rule_name(rule), size);
    check(close_to(bits, s, state, slots * size), "state of %s on %d weights", fgd_rule_name(rule), size);
    release_arrays();
}

static void rules(const fgd_engine *e) {
    static const int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100};
    for (int rule = 0; fgd_rule_name(rule); rule++)
        for (int i = 0; i < COUNT(sizes); i++) test_rule(e, rule, sizes[i]);
}

enum { ROWS = 5, WIDTH = 11, GAP = 3 };

/* The integers x (ROWS, WIDTH), 0 ... 7, as a table of an element type, its rows in reverse order and with gaps. */
static fgd_table table_of_type(int type, const double *x) {
    static const uint16_t halves[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700};
    enum { PITCH = WIDTH + GAP, LAST_ROW = (ROWS - 1) * PITCH };
    switch (type) {
#define FROM_AS_REAL(x) (x)
#define FROM_half_to_real(x) halves[(int)(x)]
#define TYPE(name, c_type, convert)                                                           \
    case TYPE_##name: {                                                                       \
        c_type *to = array((LAST_ROW + WIDTH) * sizeof *to);                                  \
        for (int i = 0; i < ROWS * WIDTH; i++)                                                \
            to[LAST_ROW - i / WIDTH * PITCH + i % WIDTH] = (c_type)FROM_##convert(x[i]);      \
        return (fgd_table){to + LAST_ROW, type, WIDTH, ROWS, -PITCH * (ptrdiff_t)sizeof *to}; \
    }
        FGD_TYPES(TYPE)
#undef TYPE
#undef FROM_half_to_real
#undef FROM_AS_REAL
    }
    return (fgd_table){0};
}

/* A network gives the same bits for the same values of any type. */
static void types(const fgd_engine *e) {
    int bits = e->bits;
    double x[ROWS * WIDTH], theta[WIDTH];
    network w;
    network_init(&w, 1, (const int[]){WIDTH, 1}, ACTIVATION_identity, ACTIVATION_identity);
    w.layer[0].bias = 0;
    for (int i = 0; i < ROWS * WIDTH; i++) x[i] = i % 8;
    for (int j = 0; j < WIDTH; j++) theta[j] = random_value();
    for (int type = 0; fgd_type_name(type); type++) {
        fgd_table doubles_table = real_table(64, x, ROWS, WIDTH), table = table_of_type(type, x);
        void *t = reals(bits, theta, WIDTH), *want = zero_reals(bits, ROWS), *got = zero_reals(bits, ROWS);
        e->predict(&w.net, t, &doubles_table, want, 1);
        e->predict(&w.net, t, &table, got, 1);
        check(same_reals(bits, want, got, ROWS), "%s", fgd_type_name(type));
        release_arrays();
    }
}

#endif
