/*
 * activations.h: every activation of the C core.  The class of the same name in fastgd/activations/ is its
 * definition, with formula and reference; docs/activations.md states how accurate each one is.
 *
 * To add one: its entry in the list and its two functions.  Nothing else in C changes.
 *
 * ELEMENTWISE and ELEMENTWISE_OF_Z entries are functions of one value:
 *   vec NAME_forward(vec z, const double *c)           a = f(z)
 *   vec NAME_backward(vec x, vec g, const double *c)   g f'(z), computed from x: the output a, so that z need not be
 *                                                      kept, or for ELEMENTWISE_OF_Z the input z
 * ROWWISE entries are functions of all n outputs of a layer:
 *   void NAME_forward(int n, real *z, const double *c)                    z (n,) <- a = f(z)
 *   void NAME_backward(int n, const real *a, real *g, const double *c)    g (n,) <- g da/dz, computed from a (n,)
 *
 * c are the parameters of the activation (fgd_layer.params), NULL if it has none.
 */
#ifndef FGD_ACTIVATIONS_H
#define FGD_ACTIVATIONS_H

/* clang-format off */
#define FGD_ACTIVATIONS(ELEMENTWISE, ELEMENTWISE_OF_Z, ROWWISE) \
    ELEMENTWISE(identity)                                       \
    ELEMENTWISE(sigmoid)                                        \
    ELEMENTWISE(hard_sigmoid)                                   \
    ELEMENTWISE(tanh)                                           \
    ELEMENTWISE(hard_tanh)                                      \
    ELEMENTWISE(relu)                                           \
    ELEMENTWISE(leaky_relu)                                     \
    ELEMENTWISE(relu6)                                          \
    ELEMENTWISE(elu)                                            \
    ELEMENTWISE(selu)                                           \
    ELEMENTWISE(softplus)                                       \
    ELEMENTWISE_OF_Z(silu)                                      \
    ELEMENTWISE_OF_Z(hard_swish)                                \
    ELEMENTWISE_OF_Z(gelu)                                      \
    ELEMENTWISE_OF_Z(gelu_tanh)                                 \
    ELEMENTWISE_OF_Z(mish)                                      \
    ROWWISE(softmax)
/* clang-format on */

#define ACTIVATION(name) ACTIVATION_##name,
enum { FGD_ACTIVATIONS(ACTIVATION, ACTIVATION, ACTIVATION) };
#undef ACTIVATION

#define NO(name) 0,
#define YES(name) 1,
static const int activation_needs_z[] = {FGD_ACTIVATIONS(NO, YES, NO)};
static const int activation_is_row[] = {FGD_ACTIVATIONS(NO, NO, YES)};
#undef NO
#undef YES

#ifndef FGD_NAMES_ONLY

#include "../simd/math.h"

ALWAYS_INLINE vec identity_forward(vec z, UNUSED const double *c) { return z; }
ALWAYS_INLINE vec identity_backward(UNUSED vec a, vec g, UNUSED const double *c) { return g; }

ALWAYS_INLINE vec sigmoid_forward(vec z, UNUSED const double *c) { return v_sigmoid(z); }
ALWAYS_INLINE vec sigmoid_backward(vec a, vec g, UNUSED const double *c) { return v_mul(g, v_fnma(a, a, a)); }

/* g where low < a < high, 0 elsewhere */
ALWAYS_INLINE vec where_between(double low, vec a, double high, vec g) {
    g = v_blend(v_gt(a, v_set((real)low)), g, v_set(0));
    return v_blend(v_gt(v_set((real)high), a), g, v_set(0));
}

ALWAYS_INLINE vec hard_sigmoid_forward(vec z, UNUSED const double *c) {
    return v_mul(v_clamp(0, 6, v_add(z, v_set(3))), v_set(1. / 6));
}
ALWAYS_INLINE vec hard_sigmoid_backward(vec a, vec g, UNUSED const double *c) {
    return where_between(0, a, 1, v_mul(g, v_set(1. / 6)));
}

ALWAYS_INLINE vec tanh_forward(vec z, UNUSED const double *c) { return v_tanh(z); }
ALWAYS_INLINE vec tanh_backward(vec a, vec g, UNUSED const double *c) { return v_mul(g, v_fnma(a, a, v_set(1))); }

ALWAYS_INLINE vec hard_tanh_forward(vec z, UNUSED const double *c) { return v_clamp(-1, 1, z); }
ALWAYS_INLINE vec hard_tanh_backward(vec a, vec g, UNUSED const double *c) { return where_between(-1, a, 1, g); }

ALWAYS_INLINE vec relu_forward(vec z, UNUSED const double *c) { return v_max(v_set(0), z); }
ALWAYS_INLINE vec relu_backward(vec a, vec g, UNUSED const double *c) {
    return v_blend(v_gt(a, v_set(0)), g, v_set(0));
}

ALWAYS_INLINE vec leaky_relu_backward(vec a, vec g, const double *c) {
    return v_blend(v_gt(a, v_set(0)), g, v_mul(v_set((real)c[0]), g));
}
ALWAYS_INLINE vec leaky_relu_forward(vec z, const double *c) { return leaky_relu_backward(z, z, c); }

ALWAYS_INLINE vec relu6_forward(vec z, UNUSED const double *c) { return v_clamp(0, 6, z); }
ALWAYS_INLINE vec relu6_backward(vec a, vec g, UNUSED const double *c) { return where_between(0, a, 6, g); }

/* scale (z > 0 ? z : alpha (e**z - 1)), and its backward function of the outputs */
ALWAYS_INLINE vec exponential_linear(vec z, double scale, double alpha) {
    vec below = v_mul(v_set((real)(scale * alpha)), v_expm1(v_min(v_set(0), z)));
    return v_blend(v_gt(z, v_set(0)), v_mul(v_set((real)scale), z), below);
}
ALWAYS_INLINE vec exponential_linear_backward(vec a, vec g, double scale, double alpha) {
    vec derivative = v_blend(v_gt(a, v_set(0)), v_set((real)scale), v_add(a, v_set((real)(scale * alpha))));
    return v_mul(g, derivative);
}

ALWAYS_INLINE vec elu_forward(vec z, const double *c) { return exponential_linear(z, 1, c[0]); }
ALWAYS_INLINE vec elu_backward(vec a, vec g, const double *c) { return exponential_linear_backward(a, g, 1, c[0]); }

#define SELU_SCALE 1.0507009873554804934
#define SELU_ALPHA 1.6732632423543772848
ALWAYS_INLINE vec selu_forward(vec z, UNUSED const double *c) { return exponential_linear(z, SELU_SCALE, SELU_ALPHA); }
ALWAYS_INLINE vec selu_backward(vec a, vec g, UNUSED const double *c) {
    return exponential_linear_backward(a, g, SELU_SCALE, SELU_ALPHA);
}

ALWAYS_INLINE vec softplus_forward(vec z, UNUSED const double *c) {
    return v_add(v_max(v_set(0), z), v_log1p(v_exp(v_sub(v_set(0), v_abs(z)))));
}
ALWAYS_INLINE vec softplus_backward(vec a, vec g, UNUSED const double *c) {
    return v_mul(g, v_sub(v_set(0), v_expm1(v_sub(v_set(0), a))));
}

/*
 * The remaining ones are z times a gate that rises from 0 to 1.  For very negative z the gate becomes subnormal before
 * the product does, so it is computed scaled by 2**GATE_SHIFT.  z is clamped to the range outside which the product is
 * negligible or equal to z.
 */
enum { GATE_SHIFT = 16 };
#define GATE_UNIT (1. / (1 << GATE_SHIFT))
#define GATE_MIN (EXP_MIN - 11) /* > EXP_MIN - GATE_SHIFT ln 2 */

/* 2**GATE_SHIFT e**x for x <= 50 */
ALWAYS_INLINE vec gate_exp(vec x) {
    vec s, q = v_exp_parts(v_clamp(GATE_MIN, 50, x), GATE_SHIFT, &s);
    return v_scale(s, q);
}

/* z s(x), where s is the sigmoid */
ALWAYS_INLINE vec gated(vec z, vec x) {
    vec n = gate_exp(x);
    return v_mul(v_div(v_mul(z, n), v_fma(n, v_set(GATE_UNIT), v_set(1))), v_set(GATE_UNIT));
}
/* its derivative with respect to z: s(x) (1 + z x' s(-x)) with x' = dx/dz */
ALWAYS_INLINE vec gated_derivative(vec z, vec x, vec dx) {
    vec n = v_exp(x), q = v_div(v_set(1), v_add(v_set(1), n));
    return v_mul(v_mul(n, q), v_fma(v_mul(z, dx), q, v_set(1)));
}

ALWAYS_INLINE vec silu_forward(vec z, UNUSED const double *c) {
    vec near = v_clamp(GATE_MIN, 40, z);
    return v_blend(v_gt(z, v_set(40)), z, gated(near, near));
}
ALWAYS_INLINE vec silu_backward(vec z, vec g, UNUSED const double *c) {
    z = v_clamp(GATE_MIN, 40, z);
    return v_mul(g, gated_derivative(z, z, v_set(1)));
}

ALWAYS_INLINE vec hard_swish_forward(vec z, const double *c) {
    return v_mul(v_max(v_set(-3), z), hard_sigmoid_forward(z, c)); /* -inf times 0 would be NaN */
}
ALWAYS_INLINE vec hard_swish_backward(vec z, vec g, UNUSED const double *c) {
    vec derivative = v_blend(v_gt(v_set(3), z), v_fma(z, v_set(1. / 3), v_set(0.5)), v_set(1));
    return v_blend(v_gt(z, v_set(-3)), v_mul(g, derivative), v_set(0));
}

/* z Phi(z) = max(z, 0) - t Phi(-t) with t = |z|, Phi(-t) = e**(-t**2 / 2) P(t) / Q(t) */
ALWAYS_INLINE vec gelu_forward(vec z, UNUSED const double *c) {
    vec t = v_min(v_set((real)GAUSS_MAX), v_abs(z));
    vec rest = v_div(v_mul(t, POLYNOMIAL(TAIL_P, t)), POLYNOMIAL(TAIL_Q, t));
    return v_fnma(rest, v_gauss(t), v_max(v_set(0), z));
}
ALWAYS_INLINE vec gelu_backward(vec z, vec g, UNUSED const double *c) {
    z = v_clamp(-GAUSS_MAX, GAUSS_MAX, z);
    vec t = v_abs(z), e = v_gauss(t);
    vec tail = v_mul(e, v_div(POLYNOMIAL(TAIL_P, t), POLYNOMIAL(TAIL_Q, t)));
    vec phi = v_blend(v_gt(z, v_set(0)), v_sub(v_set(1), tail), tail);
    return v_mul(g, v_fma(v_mul(z, v_set((real)0.39894228040143267794)), e, phi));
}

/* z s(2 u) with 2 u = z (K + K C z**2) */
#define GELU_K 1.5957691216057307117 /* 2 sqrt(2 / pi) */
#define GELU_C 0.044715
ALWAYS_INLINE vec gelu_tanh_forward(vec z, UNUSED const double *c) {
    vec near = v_clamp(-22, 8, z);
    vec u2 = v_mul(near, v_fma(v_mul(near, near), v_set((real)(GELU_K * GELU_C)), v_set((real)GELU_K)));
    return v_blend(v_gt(z, v_set(8)), z, gated(near, u2));
}
ALWAYS_INLINE vec gelu_tanh_backward(vec z, vec g, UNUSED const double *c) {
    z = v_clamp(-22, 8, z);
    vec zz = v_mul(z, z), k = v_set((real)GELU_K);
    vec u2 = v_mul(z, v_fma(zz, v_set((real)(GELU_K * GELU_C)), k));
    return v_mul(g, gated_derivative(z, u2, v_fma(zz, v_set((real)(3 * GELU_K * GELU_C)), k)));
}

/* tanh(ln(1 + n)) = p / (p + 2) with n = e**z, p = n (n + 2) */
ALWAYS_INLINE vec mish_forward(vec z, UNUSED const double *c) {
    vec near = v_clamp(GATE_MIN, 24, z), n = gate_exp(near);
    vec unit = v_set(GATE_UNIT), p = v_mul(n, v_fma(n, unit, v_set(2)));
    return v_blend(v_gt(z, v_set(24)), z, v_mul(v_div(v_mul(near, p), v_fma(p, unit, v_set(2))), unit));
}
/* (p + 4 z n (n + 1) / (p + 2)) / (p + 2) */
ALWAYS_INLINE vec mish_backward(vec z, vec g, UNUSED const double *c) {
    z = v_clamp(GATE_MIN, 24, z);
    vec n = v_exp(z), p = v_mul(n, v_add(n, v_set(2))), q = v_div(v_set(1), v_add(p, v_set(2)));
    vec z4 = v_mul(v_mul(v_set(4), z), v_fma(n, n, n));
    return v_mul(g, v_mul(q, v_fma(z4, q, p)));
}

/* Sums along a row are accumulated in order, one element at a time, so that their bits do not depend on VL. */
static void softmax_forward(int n, real *z, UNUSED const double *c) {
    real part[VL], max = -(real)INFINITY, sum = 0;
    vec maxima = v_set(max);
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        maxima = v_max(maxima, v_blend(in, v_load_part(z + j, in), maxima));
    }
    v_store(part, maxima);
    for (int i = 0; i < VL; i++) max = part[i] > max ? part[i] : max;
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        v_store_part(z + j, v_exp(v_sub(v_load_part(z + j, in), v_set(max))), in);
    }
    for (int j = 0; j < n; j++) sum += z[j];
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        v_store_part(z + j, v_div(v_load_part(z + j, in), v_set(sum)), in);
    }
}
/* a (g - sum g a) */
static void softmax_backward(int n, const real *a, real *g, UNUSED const double *c) {
    real mean = 0;
    for (int j = 0; j < n; j++) mean += g[j] * a[j];
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        v_store_part(g + j, v_mul(v_load_part(a + j, in), v_sub(v_load_part(g + j, in), v_set(mean))), in);
    }
}

#endif

#endif
