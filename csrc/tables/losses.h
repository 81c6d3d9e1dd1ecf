/*
 * losses.h: the one home of every loss in C.  Its definition, with formula and source, is the class with the same name
 * in fastgd/losses.py.
 *
 * To add one: its row and its functions.  Nothing else in C changes.
 *
 * Losses look at VL rows of outputs at once, one row a lane, so that a sum along a row is one chain in its lane and its
 * bits do not depend on VL.  z, y, dz are columns: z[j * VL] .. z[j * VL + VL - 1] are output j of VL rows.
 *
 * MEAN rows are means over the outputs of a row:
 *   vec NAME_value(vec z, vec y, const double *c)      loss of one output
 *   vec NAME_slope(vec z, vec y, const double *c)      its derivative by z
 * EACH rows, too, and every output has a number of its own: the loss has c[0] numbers c[1] ..., which the outputs take in
 * turn, and what the functions see as *c is the output's.
 * WHOLE rows look at all outputs of a row; y are n columns, too, or for LABELS one, of class numbers within 0 .. n - 1:
 *   vec NAME_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c)
 *     returns the losses; dz <- scale * slope
 *
 * c are the numbers of the loss (fgd_loss.constant), NULL if it has none.
 */
#ifndef FGD_LOSSES_H
#define FGD_LOSSES_H

#define FGD_LOSSES(MEAN, EACH, WHOLE, LABELS) \
    MEAN(mse)                                 \
    MEAN(mae)                                 \
    MEAN(huber)                               \
    MEAN(log_cosh)                            \
    EACH(quantile)                            \
    MEAN(poisson)                             \
    MEAN(gamma)                               \
    MEAN(bce)                                 \
    EACH(weighted_bce)                        \
    MEAN(binary_focal)                        \
    MEAN(hinge)                               \
    MEAN(squared_hinge)                       \
    LABELS(cross_entropy)                     \
    LABELS(smoothed_cross_entropy)            \
    LABELS(focal)                             \
    WHOLE(soft_cross_entropy)                 \
    WHOLE(kl_div)

#define ROW(name) LOSS_##name,
enum { FGD_LOSSES(ROW, ROW, ROW, ROW) };
#undef ROW

#define NUMBERS(name) 0,
#define LABELS(name) 1,
static const int loss_needs_labels[] = {FGD_LOSSES(NUMBERS, NUMBERS, NUMBERS, LABELS)};
#undef NUMBERS
#undef LABELS

#ifndef FGD_NAMES_ONLY

#include "../simd/math.h"

ALWAYS_INLINE vec mse_value(vec z, vec y, const double *c) {
    (void)c;
    vec d = v_sub(z, y);
    return v_mul(d, d);
}
ALWAYS_INLINE vec mse_slope(vec z, vec y, const double *c) {
    (void)c;
    vec d = v_sub(z, y);
    return v_add(d, d);
}

/* above where d > 0, below where d < 0, else d itself: 0, or NaN. */
ALWAYS_INLINE vec by_sign(vec d, vec above, vec below) {
    return v_blend(v_gt(d, v_set(0)), above, v_blend(v_gt(v_set(0), d), below, d));
}

ALWAYS_INLINE vec mae_value(vec z, vec y, const double *c) { return (void)c, v_abs(v_sub(z, y)); }
ALWAYS_INLINE vec mae_slope(vec z, vec y, const double *c) {
    (void)c;
    return by_sign(v_sub(z, y), v_set(1), v_set(-1));
}

/* c = delta: b (|d| - b / 2) with b = min(|d|, delta) */
ALWAYS_INLINE vec huber_value(vec z, vec y, const double *c) {
    vec d = v_abs(v_sub(z, y)), b = v_min(v_set((real)c[0]), d);
    return v_mul(b, v_fnma(v_set(0.5), b, d));
}
ALWAYS_INLINE vec huber_slope(vec z, vec y, const double *c) {
    return v_max(v_set((real)-c[0]), v_min(v_set((real)c[0]), v_sub(z, y)));
}

/*
 * ln cosh d, right to the last bits also where it is small: with u = e**|d| - 1 it is ln(1 + u**2 / (2 (1 + u))) for
 * |d| < 1, beyond it |d| - ln 2 + ln(1 + e**(-2 |d|)).
 */
ALWAYS_INLINE vec log_cosh_value(vec z, vec y, const double *c) {
    (void)c;
    vec d = v_abs(v_sub(z, y)), one = v_set(1), u = v_expm1(v_min(one, d)), uu = v_mul(u, u);
    vec tail = v_exp(v_mul(v_set(-2), d));
    lanes far = v_gt(d, one);
    vec x = v_blend(far, tail, v_div(uu, v_add(v_set(2), v_add(u, u))));
    vec rest = v_sub(v_sub(d, v_set(LN2_HIGH)), v_set(LN2_LOW));
    return v_add(v_blend(far, rest, v_set(0)), v_log1p(x));
}
ALWAYS_INLINE vec log_cosh_slope(vec z, vec y, const double *c) { return (void)c, v_tanh(v_sub(z, y)); }

/* c = the output's quantile q: with d = y - z, the larger of q d and (q - 1) d */
ALWAYS_INLINE vec quantile_value(vec z, vec y, const double *c) {
    vec d = v_sub(y, z);
    return v_max(v_mul(v_set((real)c[0]), d), v_mul(v_set((real)(c[0] - 1)), d));
}
ALWAYS_INLINE vec quantile_slope(vec z, vec y, const double *c) {
    return by_sign(v_sub(y, z), v_set((real)-c[0]), v_set((real)(1 - c[0])));
}

/* e**x that becomes inf and 0 where v_exp saturates: there no finite loss would be true. */
ALWAYS_INLINE vec exp_or_inf(vec x) {
    vec root = v_exp(v_mul(v_set(0.5), x));
    return v_mul(root, root);
}

/* e**z - y z */
ALWAYS_INLINE vec poisson_value(vec z, vec y, const double *c) { return (void)c, v_fnma(y, z, exp_or_inf(z)); }
ALWAYS_INLINE vec poisson_slope(vec z, vec y, const double *c) { return (void)c, v_sub(exp_or_inf(z), y); }

/* y e**-z + z */
ALWAYS_INLINE vec gamma_value(vec z, vec y, const double *c) {
    (void)c;
    return v_fma(y, exp_or_inf(v_sub(v_set(0), z)), z);
}
ALWAYS_INLINE vec gamma_slope(vec z, vec y, const double *c) {
    (void)c;
    return v_fnma(y, exp_or_inf(v_sub(v_set(0), z)), v_set(1));
}

/* On logits: max(z, 0) - z y + ln(1 + e**-|z|), which overflows for no z. */
ALWAYS_INLINE vec bce_value(vec z, vec y, const double *c) {
    (void)c;
    vec rest = v_log1p(v_exp(v_sub(v_set(0), v_abs(z))));
    return v_add(v_fnma(z, y, v_max(v_set(0), z)), rest);
}
ALWAYS_INLINE vec bce_slope(vec z, vec y, const double *c) { return (void)c, v_sub(v_sigmoid(z), y); }

/* ln(1 + e**z) and ln(1 + e**-z) */
ALWAYS_INLINE void softplus_both(vec z, vec *of_z, vec *of_minus_z) {
    vec minus_z = v_sub(v_set(0), z), rest = v_log1p(v_exp(v_sub(v_set(0), v_abs(z))));
    *of_z = v_add(v_max(v_set(0), z), rest);
    *of_minus_z = v_add(v_max(v_set(0), minus_z), rest);
}

/* c = the output's weight w of a yes: w y ln(1 + e**-z) + (1 - y) ln(1 + e**z), two numbers >= 0 */
ALWAYS_INLINE vec weighted_bce_value(vec z, vec y, const double *c) {
    vec no, yes;
    softplus_both(z, &no, &yes);
    return v_fma(v_mul(v_set((real)c[0]), y), yes, v_mul(v_sub(v_set(1), y), no));
}
ALWAYS_INLINE vec weighted_bce_slope(vec z, vec y, const double *c) {
    vec p = v_sigmoid(z), q = v_sigmoid(v_sub(v_set(0), z));
    return v_fnma(v_mul(v_set((real)c[0]), y), q, v_mul(v_sub(v_set(1), y), p));
}

/*
 * The focal loss q**gamma (-ln p) of a margin s, p = 1 / (1 + e**-s) the probability of what is true, q = 1 - p.  Both
 * logarithms are softplus of -+s, so q**gamma = e**(-gamma softplus(s)), and nothing overflows.
 */
ALWAYS_INLINE vec focal_value_of(vec s, double gamma) {
    vec of_s, of_minus_s;
    softplus_both(s, &of_s, &of_minus_s);
    return v_mul(v_exp(v_mul(v_set((real)-gamma), of_s)), of_minus_s);
}
ALWAYS_INLINE vec focal_slope_of(vec s, double gamma) {
    vec of_s, of_minus_s, minus_s = v_sub(v_set(0), s);
    softplus_both(s, &of_s, &of_minus_s);
    vec inner = v_fma(v_mul(v_set((real)gamma), v_sigmoid(s)), of_minus_s, v_sigmoid(minus_s));
    return v_sub(v_set(0), v_mul(v_exp(v_mul(v_set((real)-gamma), of_s)), inner));
}

/* c = gamma, weight of a yes, weight of a no */
ALWAYS_INLINE vec binary_focal_value(vec z, vec y, const double *c) {
    vec yes = v_mul(v_set((real)c[1]), y), no = v_mul(v_set((real)c[2]), v_sub(v_set(1), y));
    return v_fma(yes, focal_value_of(z, c[0]), v_mul(no, focal_value_of(v_sub(v_set(0), z), c[0])));
}
ALWAYS_INLINE vec binary_focal_slope(vec z, vec y, const double *c) {
    vec yes = v_mul(v_set((real)c[1]), y), no = v_mul(v_set((real)c[2]), v_sub(v_set(1), y));
    return v_fnma(no, focal_slope_of(v_sub(v_set(0), z), c[0]), v_mul(yes, focal_slope_of(z, c[0])));
}

/* max(0, 1 - t z) with t = 1 where y > 0, else -1 */
ALWAYS_INLINE vec side_of(vec y) { return v_blend(v_gt(y, v_set(0)), v_set(1), v_set(-1)); }
ALWAYS_INLINE vec hinge_value(vec z, vec y, const double *c) {
    (void)c;
    return v_max(v_set(0), v_fnma(side_of(y), z, v_set(1)));
}
ALWAYS_INLINE vec hinge_slope(vec z, vec y, const double *c) {
    vec minus_t = v_sub(v_set(0), side_of(y));
    return v_blend(v_gt(hinge_value(z, y, c), v_set(0)), minus_t, v_set(0));
}

ALWAYS_INLINE vec squared_hinge_value(vec z, vec y, const double *c) {
    vec h = hinge_value(z, y, c);
    return v_mul(h, h);
}
ALWAYS_INLINE vec squared_hinge_slope(vec z, vec y, const double *c) {
    return v_mul(v_mul(v_set(-2), side_of(y)), hinge_value(z, y, c));
}

/* e <- e**(z - largest), column by column; returns their sum. */
static inline vec exponentials(int n, const real *z, real *e, vec *largest) {
    vec m = v_load(z), sum = v_set(0);
    for (int j = 1; j < n; j++) m = v_max(m, v_load(z + j * VL));
    for (int j = 0; j < n; j++) {
        vec x = v_exp(v_sub(v_load(z + j * VL), m));
        v_store(e + j * VL, x);
        sum = v_add(sum, x);
    }
    *largest = m;
    return sum;
}

/* ln sum e**z - z[y];  slope: softmax(z) - (j == y) */
static inline vec cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {
    (void)c;
    vec largest, total = exponentials(n, z, dz, &largest), factor = v_div(scale, total);
    real z_label[VL], one[VL];
    for (int j = 0; j < n; j++) v_store(dz + j * VL, v_mul(v_load(dz + j * VL), factor));
    v_store(one, scale);
    for (int r = 0; r < VL; r++) {
        int at = (int)y[r] * VL + r;
        z_label[r] = z[at];
        dz[at] -= one[r];
    }
    return v_add(v_log(total), v_sub(largest, v_load(z_label)));
}

/* c = smoothing e: (1 - e) of the above + e times the mean over j of ln sum e**z - z_j */
static inline vec smoothed_cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz,
                                                 const double *c) {
    vec largest, total = exponentials(n, z, dz, &largest), factor = v_div(scale, total), rest = v_set(0);
    vec share = v_set((real)(c[0] / n)), kept = v_set((real)(1 - c[0])), share_of_scale = v_mul(scale, share);
    real z_label[VL], taken[VL];
    for (int j = 0; j < n; j++) {
        v_store(dz + j * VL, v_sub(v_mul(v_load(dz + j * VL), factor), share_of_scale));
        rest = v_add(rest, v_sub(largest, v_load(z + j * VL)));
    }
    v_store(taken, v_mul(scale, kept));
    for (int r = 0; r < VL; r++) {
        int at = (int)y[r] * VL + r;
        z_label[r] = z[at];
        dz[at] -= taken[r];
    }
    return v_fma(share, rest, v_fma(kept, v_sub(largest, v_load(z_label)), v_log(total)));
}

/*
 * c = gamma, count, weights of the classes, taken in turn.  -ln p of the label is softplus(-s) of the margin s = z[y] -
 * ln sum of the other e**z, so this is the focal loss of two classes, the label and the rest.  For the sum of the others
 * the label's column is set far below all.
 */
static inline vec focal_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {
    real z_label[VL], weight[VL], slope[VL];
    memcpy(dz, z, (size_t)(n * VL) * sizeof *dz);
    for (int r = 0; r < VL; r++) {
        int label = (int)y[r], at = label * VL + r;
        z_label[r] = z[at];
        weight[r] = (real)c[2 + label % (int)c[1]];
        dz[at] = LOWEST;
    }
    vec largest, total = exponentials(n, dz, dz, &largest);
    vec s = v_sub(v_sub(v_load(z_label), largest), v_log(total));
    scale = v_mul(scale, v_load(weight));
    vec ds = v_mul(scale, focal_slope_of(s, c[0])), factor = v_div(v_sub(v_set(0), ds), total);
    for (int j = 0; j < n; j++) v_store(dz + j * VL, v_mul(v_load(dz + j * VL), factor));
    v_store(slope, ds);
    for (int r = 0; r < VL; r++) dz[(int)y[r] * VL + r] = slope[r];
    return v_mul(v_load(weight), focal_value_of(s, c[0]));
}

/* c = smoothing e; with t = (1 - e) y + e / n: sum_j t_j (ln sum e**z - z_j);  slope: softmax(z) sum(t) - t */
static inline vec soft_cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz,
                                             const double *c) {
    vec largest, total = exponentials(n, z, dz, &largest), mass = v_set(0), rest = v_set(0);
    vec share = v_set((real)(c[0] / n)), kept = v_set((real)(1 - c[0]));
    for (int j = 0; j < n; j++) {
        vec t = v_fma(kept, v_load(y + j * VL), share);
        mass = v_add(mass, t);
        rest = v_fma(t, v_sub(largest, v_load(z + j * VL)), rest);
    }
    vec factor = v_div(mass, total);
    for (int j = 0; j < n; j++) {
        vec slope = v_sub(v_mul(v_load(dz + j * VL), factor), v_fma(kept, v_load(y + j * VL), share));
        v_store(dz + j * VL, v_mul(scale, slope));
    }
    return v_fma(mass, v_log(total), rest);
}

/* The same without smoothing + sum_j y_j ln y_j, which does not depend on z. */
static inline vec kl_div_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {
    (void)c;
    const double no_smoothing = 0;
    vec entropy = v_set(0);
    for (int j = 0; j < n; j++) {
        vec t = v_load(y + j * VL);
        entropy = v_fma(t, v_log(v_max(v_set(MIN_NORMAL), t)), entropy);
    }
    return v_add(soft_cross_entropy_columns(n, z, y, scale, dz, &no_smoothing), entropy);
}

#endif

#endif
