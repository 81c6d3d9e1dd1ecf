/*
 * losses.h: every loss of the C core.  The class of the same name in fastgd/losses/ is its definition, with formula
 * and reference.  The functions of focal losses are in focal.h.
 *
 * To add one: its entry in the list and its functions.  Nothing else in C changes.
 *
 * Losses process VL rows of outputs at a time, one row per lane, so that a sum along a row is accumulated in order
 * within its lane and its bits do not depend on VL.  z, y, dz are columns: z[j * VL] .. z[j * VL + VL - 1] are output j
 * of VL rows.
 *
 * MEAN entries are means over the outputs of a row:
 *   vec NAME_value(vec z, vec y, const double *c)        loss of one output
 *   vec NAME_derivative(vec z, vec y, const double *c)   its derivative with respect to z
 * MEAN_PER_OUTPUT entries are, too, and each output has its own parameter: the loss has c[0] parameters c[1] ...,
 * assigned to the outputs cyclically, and then those that all outputs share:
 *   vec NAME_value(vec z, vec y, double own, const double *shared), NAME_derivative likewise
 * ROWWISE and LABEL entries are functions of all outputs of a row; y are n columns as well or, for LABEL, a single
 * column of class indices in 0 .. n - 1:
 *   vec NAME_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c)
 *     returns the losses; dz <- scale * gradient
 *
 * c are the parameters of the loss (fgd_loss.params), NULL if it has none.
 */
#ifndef FGD_LOSSES_H
#define FGD_LOSSES_H

/* clang-format off */
#define FGD_LOSSES(MEAN, MEAN_PER_OUTPUT, ROWWISE, LABEL) \
    MEAN(mse)                                             \
    MEAN(mae)                                             \
    MEAN(huber)                                           \
    MEAN(log_cosh)                                        \
    MEAN_PER_OUTPUT(quantile)                             \
    MEAN(poisson)                                         \
    MEAN(gamma)                                           \
    MEAN(bce)                                             \
    MEAN_PER_OUTPUT(weighted_bce)                         \
    MEAN(binary_focal)                                    \
    MEAN(hinge)                                           \
    MEAN(squared_hinge)                                   \
    LABEL(cross_entropy)                                  \
    LABEL(smoothed_cross_entropy)                         \
    LABEL(focal)                                          \
    LABEL(smoothed_focal)                                 \
    ROWWISE(soft_cross_entropy)                           \
    ROWWISE(kl_div)
/* clang-format on */

#define LOSS(name) LOSS_##name,
enum { FGD_LOSSES(LOSS, LOSS, LOSS, LOSS) };
#undef LOSS

#define NO(name) 0,
#define YES(name) 1,
static const int loss_needs_labels[] = {FGD_LOSSES(NO, NO, NO, YES)};
#undef NO
#undef YES

#ifndef FGD_NAMES_ONLY

#include "../simd/math.h"

ALWAYS_INLINE vec mse_value(vec z, vec y, UNUSED const double *c) {
    vec d = v_sub(z, y);
    return v_mul(d, d);
}
ALWAYS_INLINE vec mse_derivative(vec z, vec y, UNUSED const double *c) {
    vec d = v_sub(z, y);
    return v_add(d, d);
}

/* above where d > 0, below where d < 0, otherwise d itself: 0 or NaN. */
ALWAYS_INLINE vec by_sign(vec d, vec above, vec below) {
    return v_blend(v_gt(d, v_set(0)), above, v_blend(v_gt(v_set(0), d), below, d));
}

ALWAYS_INLINE vec mae_value(vec z, vec y, UNUSED const double *c) { return v_abs(v_sub(z, y)); }
ALWAYS_INLINE vec mae_derivative(vec z, vec y, UNUSED const double *c) {
    return by_sign(v_sub(z, y), v_set(1), v_set(-1));
}

/* c = delta: b (|d| - b / 2) with b = min(|d|, delta) */
ALWAYS_INLINE vec huber_value(vec z, vec y, const double *c) {
    vec d = v_abs(v_sub(z, y)), b = v_min(v_set((real)c[0]), d);
    return v_mul(b, v_fnma(v_set(0.5), b, d));
}
ALWAYS_INLINE vec huber_derivative(vec z, vec y, const double *c) {
    return v_max(v_set((real)-c[0]), v_min(v_set((real)c[0]), v_sub(z, y)));
}

/*
 * ln cosh d, accurate to the last bits even where it is small: with u = e**|d| - 1 it is ln(1 + u**2 / (2 (1 + u))) for
 * |d| < 1, and |d| - ln 2 + ln(1 + e**(-2 |d|)) for larger ones.
 */
ALWAYS_INLINE vec log_cosh_value(vec z, vec y, UNUSED const double *c) {
    vec d = v_abs(v_sub(z, y)), one = v_set(1), u = v_expm1(v_min(one, d)), uu = v_mul(u, u);
    vec tail = v_exp_call(v_mul(v_set(-2), d));
    lanes far = v_gt(d, one);
    vec x = v_blend(far, tail, v_div(uu, v_add(v_set(2), v_add(u, u))));
    vec rest = v_sub(v_sub(d, v_set(LN2_HIGH)), v_set(LN2_LOW));
    return v_add(v_blend(far, rest, v_set(0)), v_log1p(x));
}
ALWAYS_INLINE vec log_cosh_derivative(vec z, vec y, UNUSED const double *c) { return v_tanh(v_sub(z, y)); }

/* own = the output's quantile q: with d = y - z, the larger of q d and (q - 1) d */
ALWAYS_INLINE vec quantile_value(vec z, vec y, double own, UNUSED const double *shared) {
    vec d = v_sub(y, z);
    return v_max(v_mul(v_set((real)own), d), v_mul(v_set((real)(own - 1)), d));
}
ALWAYS_INLINE vec quantile_derivative(vec z, vec y, double own, UNUSED const double *shared) {
    return by_sign(v_sub(y, z), v_set((real)-own), v_set((real)(1 - own)));
}

/* e**x that overflows to inf and underflows to 0 where v_exp saturates: a finite loss would be wrong there. */
ALWAYS_INLINE vec exp_or_inf(vec x) {
    vec root = v_exp_call(v_mul(v_set(0.5), x));
    return v_mul(root, root);
}

/* e**z - y z */
ALWAYS_INLINE vec poisson_value(vec z, vec y, UNUSED const double *c) { return v_fnma(y, z, exp_or_inf(z)); }
ALWAYS_INLINE vec poisson_derivative(vec z, vec y, UNUSED const double *c) { return v_sub(exp_or_inf(z), y); }

/* y e**-z + z */
ALWAYS_INLINE vec gamma_value(vec z, vec y, UNUSED const double *c) {
    return v_fma(y, exp_or_inf(v_sub(v_set(0), z)), z);
}
ALWAYS_INLINE vec gamma_derivative(vec z, vec y, UNUSED const double *c) {
    return v_fnma(y, exp_or_inf(v_sub(v_set(0), z)), v_set(1));
}

/* On logits: max(z, 0) - z y + ln(1 + e**-|z|), which overflows for no z. */
ALWAYS_INLINE vec bce_value(vec z, vec y, UNUSED const double *c) {
    vec rest = v_log1p(v_exp(v_sub(v_set(0), v_abs(z))));
    return v_add(v_fnma(z, y, v_max(v_set(0), z)), rest);
}
ALWAYS_INLINE vec bce_derivative(vec z, vec y, UNUSED const double *c) { return v_sub(v_sigmoid(z), y); }

/* ln(1 + e**z) and ln(1 + e**-z); the smaller of them is `rest`. */
OUT_OF_LINE vec softplus_rest(vec z) { return v_log1p(v_exp(v_sub(v_set(0), v_abs(z)))); }
ALWAYS_INLINE void softplus_both(vec z, vec *of_z, vec *of_minus_z) {
    vec minus_z = v_sub(v_set(0), z), rest = softplus_rest(z);
    *of_z = v_add(v_max(v_set(0), z), rest);
    *of_minus_z = v_add(v_max(v_set(0), minus_z), rest);
}

/* Targets of binary losses with label smoothing e: (1 - e) y + e / 2, which is y if e is 0 */
ALWAYS_INLINE vec smooth_answers(vec y, double e) { return v_fma(v_set((real)(1 - e)), y, v_set((real)(e / 2))); }

/*
 * own = the output's weight w of the positive class, shared = smoothing: w y ln(1 + e**-z) + (1 - y) ln(1 + e**z), two
 * terms >= 0, of the smoothed y
 */
ALWAYS_INLINE vec weighted_bce_value(vec z, vec y, double own, const double *shared) {
    vec negative, positive;
    y = smooth_answers(y, shared[0]);
    softplus_both(z, &negative, &positive);
    return v_fma(v_mul(v_set((real)own), y), positive, v_mul(v_sub(v_set(1), y), negative));
}
ALWAYS_INLINE vec weighted_bce_derivative(vec z, vec y, double own, const double *shared) {
    vec p = v_sigmoid_call(z), q = v_sigmoid_call(v_sub(v_set(0), z));
    y = smooth_answers(y, shared[0]);
    return v_fnma(v_mul(v_set((real)own), y), q, v_mul(v_sub(v_set(1), y), p));
}

/* max(0, 1 - t z) with t = 1 where y > 0, -1 elsewhere */
ALWAYS_INLINE vec side_of(vec y) { return v_blend(v_gt(y, v_set(0)), v_set(1), v_set(-1)); }
ALWAYS_INLINE vec hinge_value(vec z, vec y, UNUSED const double *c) {
    return v_max(v_set(0), v_fnma(side_of(y), z, v_set(1)));
}
ALWAYS_INLINE vec hinge_derivative(vec z, vec y, const double *c) {
    vec minus_t = v_sub(v_set(0), side_of(y));
    return v_blend(v_gt(hinge_value(z, y, c), v_set(0)), minus_t, v_set(0));
}

ALWAYS_INLINE vec squared_hinge_value(vec z, vec y, const double *c) {
    vec h = hinge_value(z, y, c);
    return v_mul(h, h);
}
ALWAYS_INLINE vec squared_hinge_derivative(vec z, vec y, const double *c) {
    return v_mul(v_mul(v_set(-2), side_of(y)), hinge_value(z, y, c));
}

/* e <- e**(z - max), column by column; returns their sum. */
OUT_OF_LINE vec exponentials(int n, const real *z, real *e, vec *max) {
    vec m = v_load(z), sum = v_set(0);
    for (int j = 1; j < n; j++) m = v_max(m, v_load(z + j * VL));
    for (int j = 0; j < n; j++) {
        vec x = v_exp(v_sub(v_load(z + j * VL), m));
        v_store(e + j * VL, x);
        sum = v_add(sum, x);
    }
    *max = m;
    return sum;
}

/* ln sum e**z - z[y];  gradient: softmax(z) - (j == y) */
static inline vec cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz,
                                        UNUSED const double *c) {
    vec max, total = exponentials(n, z, dz, &max), factor = v_div(scale, total);
    real z_label[VL], one[VL];
    for (int j = 0; j < n; j++) v_store(dz + j * VL, v_mul(v_load(dz + j * VL), factor));
    v_store(one, scale);
    UNROLLED
    for (int r = 0; r < VL; r++) {
        int at = (int)y[r] * VL + r;
        z_label[r] = z[at];
        dz[at] -= one[r];
    }
    return v_add(v_log(total), v_sub(max, v_load(z_label)));
}

/* c = smoothing e: (1 - e) times the above + e times the mean over j of ln sum e**z - z_j */
static inline vec smoothed_cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz,
                                                 const double *c) {
    vec max, total = exponentials(n, z, dz, &max), factor = v_div(scale, total), rest = v_set(0);
    vec share = v_set((real)(c[0] / n)), kept = v_set((real)(1 - c[0])), share_of_scale = v_mul(scale, share);
    real z_label[VL], taken[VL];
    for (int j = 0; j < n; j++) {
        v_store(dz + j * VL, v_sub(v_mul(v_load(dz + j * VL), factor), share_of_scale));
        rest = v_add(rest, v_sub(max, v_load(z + j * VL)));
    }
    v_store(taken, v_mul(scale, kept));
    UNROLLED
    for (int r = 0; r < VL; r++) {
        int at = (int)y[r] * VL + r;
        z_label[r] = z[at];
        dz[at] -= taken[r];
    }
    return v_fma(share, rest, v_fma(kept, v_sub(max, v_load(z_label)), v_log_call(total)));
}

/* c = smoothing e; with t = (1 - e) y + e / n: sum_j t_j (ln sum e**z - z_j);  gradient: softmax(z) sum(t) - t */
static inline vec soft_cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz,
                                             const double *c) {
    vec max, total = exponentials(n, z, dz, &max), mass = v_set(0), rest = v_set(0);
    vec share = v_set((real)(c[0] / n)), kept = v_set((real)(1 - c[0]));
    for (int j = 0; j < n; j++) {
        vec t = v_fma(kept, v_load(y + j * VL), share);
        mass = v_add(mass, t);
        rest = v_fma(t, v_sub(max, v_load(z + j * VL)), rest);
    }
    vec factor = v_div(mass, total);
    for (int j = 0; j < n; j++) {
        vec gradient = v_sub(v_mul(v_load(dz + j * VL), factor), v_fma(kept, v_load(y + j * VL), share));
        v_store(dz + j * VL, v_mul(scale, gradient));
    }
    return v_fma(mass, v_log_call(total), rest);
}

/* The above without smoothing + sum_j y_j ln y_j, which does not depend on z. */
static inline vec kl_div_columns(int n, const real *z, const real *y, vec scale, real *dz, UNUSED const double *c) {
    const double no_smoothing = 0;
    vec entropy = v_set(0);
    for (int j = 0; j < n; j++) {
        vec t = v_load(y + j * VL);
        entropy = v_fma(t, v_log_call(v_max(v_set(MIN_NORMAL), t)), entropy);
    }
    return v_add(soft_cross_entropy_columns(n, z, y, scale, dz, &no_smoothing), entropy);
}

#endif

#endif
