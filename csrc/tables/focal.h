/*
 * focal.h: the functions of the focal losses, whose entries are in losses.h.
 */
#ifndef FGD_FOCAL_H
#define FGD_FOCAL_H

#include "losses.h"

/*
 * The focal loss q**gamma (-ln p) of a margin s, where p = 1 / (1 + e**-s) is the probability of the true class and
 * q = 1 - p.  -ln p and -ln q are softplus of -s and s, so q**gamma = e**(-gamma softplus(s)), and nothing overflows.
 */
ALWAYS_INLINE vec focal_value_of(vec s, double gamma) {
    vec of_s, of_minus_s;
    softplus_both(s, &of_s, &of_minus_s);
    return v_mul(v_exp_call(v_mul(v_set((real)-gamma), of_s)), of_minus_s);
}
ALWAYS_INLINE vec focal_derivative_of(vec s, double gamma) {
    vec of_s, of_minus_s, minus_s = v_sub(v_set(0), s);
    softplus_both(s, &of_s, &of_minus_s);
    vec inner = v_fma(v_mul(v_set((real)gamma), v_sigmoid_call(s)), of_minus_s, v_sigmoid_call(minus_s));
    return v_sub(v_set(0), v_mul(v_exp_call(v_mul(v_set((real)-gamma), of_s)), inner));
}

/* q**gamma of a probability q, which is made a normal number */
ALWAYS_INLINE vec power_of_probability(vec q, double gamma) {
    return v_exp_call(v_mul(v_set((real)gamma), v_log_call(v_max(v_set((real)MIN_NORMAL), q))));
}

/*
 * c = gamma, weights of the positive and the negative class, smoothing.  Of the smoothed y: q = y (1 - s) + (1 - y) s,
 * the probability of the wrong answer; the binary cross-entropy; the weight of y times q**gamma.
 */
typedef struct {
    vec y, no, s, not_s, q, cross_entropy, weight;
} binary_focal_terms;

ALWAYS_INLINE binary_focal_terms binary_focal_of(vec z, vec y, const double *c) {
    binary_focal_terms t = {
        .y = smooth_answers(y, c[3]), .s = v_sigmoid_call(z), .not_s = v_sigmoid_call(v_sub(v_set(0), z))};
    vec positive, negative, one = v_set(1);
    softplus_both(z, &negative, &positive);
    t.no = v_sub(one, t.y);
    t.q = v_max(v_set((real)MIN_NORMAL), v_fma(t.y, t.not_s, v_mul(t.no, t.s)));
    t.cross_entropy = v_fma(t.y, positive, v_mul(t.no, negative));
    vec weight = v_fma(v_set((real)c[1]), t.y, v_mul(v_set((real)c[2]), t.no));
    t.weight = v_mul(weight, power_of_probability(t.q, c[0]));
    return t;
}
ALWAYS_INLINE vec binary_focal_value(vec z, vec y, const double *c) {
    binary_focal_terms t = binary_focal_of(z, y, c);
    return v_mul(t.weight, t.cross_entropy);
}
/* weight (s - y + gamma cross_entropy (1 - 2 y) s (1 - s) / q) */
ALWAYS_INLINE vec binary_focal_derivative(vec z, vec y, const double *c) {
    binary_focal_terms t = binary_focal_of(z, y, c);
    vec ratio = v_mul(v_div(v_min(t.s, t.not_s), t.q), v_max(t.s, t.not_s));
    vec of_power = v_mul(v_mul(v_set((real)c[0]), t.cross_entropy), v_mul(v_sub(t.no, t.y), ratio));
    return v_mul(t.weight, v_add(v_fnma(t.y, t.not_s, v_mul(t.no, t.s)), of_power));
}

/*
 * c = gamma, count, class weights, assigned cyclically.  -ln p of the label is softplus(-s) of the margin s = z[y] - ln
 * sum of the other e**z, so this is the focal loss of two classes, the label and the rest.  To exclude the label from
 * the sum of the others, its column is set far below all of them.
 */
static inline vec focal_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {
    real z_label[VL], weight[VL], derivative[VL];
    memcpy(dz, z, (size_t)(n * VL) * sizeof *dz);
    for (int r = 0; r < VL; r++) {
        int label = (int)y[r], at = label * VL + r;
        z_label[r] = z[at];
        weight[r] = (real)c[2 + label % (int)c[1]];
        dz[at] = LOWEST;
    }
    vec max, total = exponentials(n, dz, dz, &max);
    vec s = v_sub(v_sub(v_load(z_label), max), v_log_call(total));
    scale = v_mul(scale, v_load(weight));
    vec ds = v_mul(scale, focal_derivative_of(s, c[0])), factor = v_div(v_sub(v_set(0), ds), total);
    for (int j = 0; j < n; j++) v_store(dz + j * VL, v_mul(v_load(dz + j * VL), factor));
    v_store(derivative, ds);
    for (int r = 0; r < VL; r++) dz[(int)y[r] * VL + r] = derivative[r];
    return v_mul(v_load(weight), focal_value_of(s, c[0]));
}

/*
 * c = gamma, count, class weights w, assigned cyclically, smoothing e.  With t = (1 - e) (j == y) + e / n it is the sum
 * of w_j t_j q_j**gamma (-ln p_j), q = 1 - p.  The sum of e**(z - max) of all classes but the largest is exact
 * where it is small, and so are q and -ln p of the largest, the sum of the others' share.
 */
static inline vec smoothed_focal_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {
    const double *weights = c + 2, smoothing = c[2 + (int)c[1]];
    vec max = v_load(z), one = v_set(1), largest = v_set(0), rest = v_set(0), loss = v_set(0), sum = v_set(0);
    vec share = v_set((real)(smoothing / n)), kept = v_set((real)(1 - smoothing)), label = v_load(y);
    for (int j = 1; j < n; j++) max = v_max(max, v_load(z + j * VL));
    for (int j = 0; j < n; j++) {
        vec e = v_exp_call(v_sub(v_load(z + j * VL), max));
        v_store(dz + j * VL, e);
        rest = v_add(rest, v_min(largest, e));
        largest = v_max(largest, e);
    }
    vec total = v_add(one, rest);
    vec log_total = v_blend(v_gt(one, rest), v_log1p(v_min(one, rest)), v_log_call(total));
    for (int j = 0; j < n; j++) {
        vec e = v_load(dz + j * VL), is_label = v_abs(v_sub(label, v_set((real)j)));
        vec t = v_add(share, v_blend(v_gt(v_set(0.5), is_label), kept, v_set(0)));
        vec q = v_div(v_blend(v_gt(one, e), v_sub(total, e), rest), total);
        vec minus_log_p = v_sub(log_total, v_sub(v_load(z + j * VL), max));
        q = v_max(v_set((real)MIN_NORMAL), q);
        t = v_mul(v_mul(v_set((real)weights[j % (int)c[1]]), t), power_of_probability(q, c[0]));
        vec p_gamma = v_mul(v_set((real)c[0]), v_div(e, total));
        vec g = v_mul(t, v_fma(p_gamma, v_div(minus_log_p, q), one)); /* -p d / dp of the loss */
        loss = v_fma(t, minus_log_p, loss);
        sum = v_add(sum, g);
        v_store(dz + j * VL, g);
    }
    for (int j = 0; j < n; j++) {
        vec p = v_div(v_exp_call(v_sub(v_load(z + j * VL), max)), total);
        v_store(dz + j * VL, v_mul(scale, v_sub(v_mul(p, sum), v_load(dz + j * VL))));
    }
    return loss;
}

#endif
