/*
 * rules.h: every update rule of the C core.  The function of the same name in fastgd/optimizers/rules.py is its
 * definition, with formula and reference, and says what the coefficients of a step are.
 *
 * To add one: its entry in the list (name, slots, coefficients) and its function.  Nothing else in C changes.
 *
 *   vec NAME_step(vec theta, vec g, vec *s, const vec *c)
 *     returns the new theta; s: the slots of state, updated; c: the coefficients of this step
 */
#ifndef FGD_RULES_H
#define FGD_RULES_H

/* clang-format off */
#define FGD_RULES(RULE)          \
    RULE(sgd, 0, 2)              \
    RULE(momentum, 1, 7)         \
    RULE(rmsprop, 1, 6)          \
    RULE(rmsprop_momentum, 2, 7) \
    RULE(rmsprop_centered, 3, 7) \
    RULE(adadelta, 2, 6)         \
    RULE(adam, 2, 9)             \
    RULE(amsgrad, 3, 9)          \
    RULE(nadam, 2, 10)           \
    RULE(lion, 1, 7)             \
    RULE(muon, 2, 13)
/* clang-format on */

#define RULE(name, slots, coefficients) RULE_##name,
enum { FGD_RULES(RULE) };
#undef RULE

enum { MAX_SLOTS = 4, MAX_COEFFICIENTS = 16 };

#define SLOTS(name, slots, coefficients) slots,
static const int rule_slots[] = {FGD_RULES(SLOTS)};
#undef SLOTS

#define COEFFICIENTS(name, slots, coefficients) coefficients,
static const int rule_coefficients[] = {FGD_RULES(COEFFICIENTS)};
#undef COEFFICIENTS

#ifndef FGD_NAMES_ONLY

#include "../simd/math.h"

/* c = lr, weight_decay */
ALWAYS_INLINE vec sgd_step(vec theta, vec g, UNUSED vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    return v_fnma(c[0], g, theta);
}

/* c = lr, weight_decay, momentum, gain of g, share of g, share of v, shrink; s = v */
ALWAYS_INLINE vec momentum_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    s[0] = v_fma(c[2], s[0], v_mul(c[3], g));
    return v_fnma(c[0], v_fma(c[5], s[0], v_mul(c[4], g)), v_mul(c[6], theta));
}

/* s <- decay s + gain x */
ALWAYS_INLINE vec running_mean(vec *s, vec decay, vec gain, vec x) { return *s = v_fma(decay, *s, v_mul(gain, x)); }

/* c = lr, weight_decay, alpha, gain, eps, shrink; s = v */
ALWAYS_INLINE vec rmsprop_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec v = running_mean(&s[0], c[2], c[3], v_mul(g, g));
    return v_fnma(c[0], v_div(g, v_add(v_sqrt(v), c[4])), v_mul(c[5], theta));
}

/* c = lr, weight_decay, alpha, gain, eps, momentum, shrink; s = v, b */
ALWAYS_INLINE vec rmsprop_momentum_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec v = running_mean(&s[0], c[2], c[3], v_mul(g, g));
    s[1] = v_fma(c[5], s[1], v_div(g, v_add(v_sqrt(v), c[4])));
    return v_fnma(c[0], s[1], v_mul(c[6], theta));
}

/* c = lr, weight_decay, alpha, gain, eps, momentum, shrink; s = v, m, b */
ALWAYS_INLINE vec rmsprop_centered_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec v = running_mean(&s[0], c[2], c[3], v_mul(g, g));
    vec m = running_mean(&s[1], c[2], c[3], g);
    vec variance = v_max(v_set(0), v_fnma(m, m, v)); /* in this order NaN propagates */
    s[2] = v_fma(c[5], s[2], v_div(g, v_add(v_sqrt(variance), c[4])));
    return v_fnma(c[0], s[2], v_mul(c[6], theta));
}

/* c = lr, weight_decay, rho, 1 - rho, eps, shrink; s = v, u */
ALWAYS_INLINE vec adadelta_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec v = running_mean(&s[0], c[2], c[3], v_mul(g, g));
    vec d = v_mul(g, v_div(v_sqrt(v_add(s[1], c[4])), v_sqrt(v_add(v, c[4]))));
    running_mean(&s[1], c[2], c[3], v_mul(d, d));
    return v_fnma(c[0], d, v_mul(c[5], theta));
}

/* c = step_size, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, 1 / sqrt(1 - beta2**t), eps, shrink; s = m, v */
ALWAYS_INLINE vec adam_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec m = running_mean(&s[0], c[2], c[3], g);
    vec v = running_mean(&s[1], c[4], c[5], v_mul(g, g));
    vec d = v_fma(v_sqrt(v), c[6], c[7]);
    return v_fnma(c[0], v_div(m, d), v_mul(c[8], theta));
}

/* c as for adam; s = m, v, max v */
ALWAYS_INLINE vec amsgrad_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec m = running_mean(&s[0], c[2], c[3], g);
    vec v = running_mean(&s[1], c[4], c[5], v_mul(g, g));
    s[2] = v_max(s[2], v);
    vec d = v_fma(v_sqrt(s[2]), c[6], c[7]);
    return v_fnma(c[0], v_div(m, d), v_mul(c[8], theta));
}

/* c = step size of m, then as for adam, then step size of g; s = m, v */
ALWAYS_INLINE vec nadam_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec m = running_mean(&s[0], c[2], c[3], g);
    vec v = running_mean(&s[1], c[4], c[5], v_mul(g, g));
    vec d = v_fma(v_sqrt(v), c[6], c[7]);
    return v_sub(v_mul(c[8], theta), v_div(v_fma(c[0], m, v_mul(c[9], g)), d));
}

/* 1 or -1; 0 and NaN are returned unchanged */
ALWAYS_INLINE vec sign_of(vec x) {
    vec zero = v_set(0);
    return v_blend(v_gt(x, zero), v_set(1), v_blend(v_gt(zero, x), v_set(-1), x));
}

/* c = lr, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, shrink; s = m */
ALWAYS_INLINE vec lion_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    vec sign = sign_of(v_fma(c[2], s[0], v_mul(c[3], g)));
    running_mean(&s[0], c[4], c[5], g);
    return v_fnma(c[0], sign, v_mul(c[6], theta));
}

/* Of parameters that are no W, or not to be orthogonalized (engine/muon.h has the others): c as for adam; s = m, v */
ALWAYS_INLINE vec muon_step(vec theta, vec g, vec *s, const vec *c) { return adam_step(theta, g, s, c); }

#endif

#endif
