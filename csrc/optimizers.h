/*
 * optimizers.h: the one home of every update rule in C.  Its definition, with formula and source, is the function with
 * the same name in fastgd/optimizers.py, which also says what the coefficients of a step are.
 *
 * To add one: its row (name, slots, coefficients) and its function.  Nothing else in C changes.
 *
 *   vec NAME_step(vec theta, vec g, vec *s, const vec *c)
 *     returns the new theta; s: the slots of state, updated; c: the coefficients of this step
 */
#define FGD_RULES(ROW) ROW(sgd, 0, 2) ROW(momentum, 1, 6) ROW(adam, 2, 9)

#define ROW(name, slots, coefficients) RULE_##name,
enum { FGD_RULES(ROW) };
#undef ROW

enum { MAX_SLOTS = 4, MAX_COEFFICIENTS = 16 };

#define ROW(name, slots, coefficients) slots,
static const int rule_slots[] = {FGD_RULES(ROW)};
#undef ROW
#define ROW(name, slots, coefficients) coefficients,
static const int rule_coefficients[] = {FGD_RULES(ROW)};
#undef ROW

#ifdef FGD_BITS

/* c = lr, weight_decay */
ALWAYS_INLINE vec sgd_step(vec theta, vec g, vec *s, const vec *c) {
    (void)s;
    g = v_fma(c[1], theta, g);
    return v_fnma(c[0], g, theta);
}

/* c = lr, weight_decay, momentum, gain of g, part of g, part of v */
ALWAYS_INLINE vec momentum_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    s[0] = v_fma(c[2], s[0], v_mul(c[3], g));
    return v_fnma(c[0], v_fma(c[5], s[0], v_mul(c[4], g)), theta);
}

/* c = step_size, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, 1 / sqrt(1 - beta2**t), eps, shrink */
ALWAYS_INLINE vec adam_step(vec theta, vec g, vec *s, const vec *c) {
    g = v_fma(c[1], theta, g);
    s[0] = v_fma(c[2], s[0], v_mul(c[3], g));
    s[1] = v_fma(c[4], s[1], v_mul(c[5], v_mul(g, g)));
    vec d = v_fma(v_sqrt(s[1]), c[6], c[7]);
    return v_fnma(c[0], v_div(s[0], d), v_mul(c[8], theta));
}

#endif
