/*
 * math.h: elementary functions of vectors.
 *
 * They are made of the operations of contract.h alone, never of libm, whose last bits differ between systems.  Every
 * constant is exact or the nearest real, so all instruction sets whose v_fma is rounded once agree in every bit.
 */
#ifndef FGD_SIMD_MATH_H
#define FGD_SIMD_MATH_H

#include "contract.h"

#if FGD_BITS == 32
#define LN2_HIGH 0x1.62e4p-1 /* 15 bits, so k LN2_HIGH is exact */
#define LN2_LOW 0x1.7f7d1cf79abcap-20
#define EXP_MIN -87.0
#define EXP_MAX 88.0
#define MIN_NORMAL 0x1p-126
#define LOWEST -0x1p127   /* far below any output of a network */
#define GAUSS_MAX 13.1909 /* sqrt(-2 EXP_MIN) */
#define GAUSS_GRID 16.0
#else
#define LN2_HIGH 0x1.62e42fefa38p-1 /* 40 bits */
#define LN2_LOW 0x1.ef35793c7673p-45
#define EXP_MIN -708.0
#define EXP_MAX 709.0
#define MIN_NORMAL 0x1p-1022
#define LOWEST -0x1p1023
#define GAUSS_MAX 37.6297
#define GAUSS_GRID 0x1p18
#endif

/*
 * Coefficients of minimax approximations, lowest power first, each with its maximum relative error, not counting the
 * rounding of the evaluation:
 *   EXPM1            (e**r - 1 - r) / r**2 for |r| <= ln(2) / 2; errors of e**r - 1
 *   ARTANH           (artanh(t) / t - 1) / t**2 in powers of t**2, for |t| <= 1/3; errors of artanh
 *   TAIL_P, TAIL_Q   e**(t**2 / 2) Phi(-t) = P(t) / Q(t) for 0 <= t <= GAUSS_MAX
 *   SIN_TURN         sin(2 pi u) / u in powers of u**2, for |u| <= 1/4; errors of the sine
 */
/* clang-format off */
#if FGD_BITS == 32
static const double EXPM1[] = { /* 2**-26.1 */
    0.500000006191527988, 0.166665429286115996, 0.0416662821141658683, 0.00836659200347195426,
    0.00139464455121486357,
};
static const double ARTANH[] = { /* 2**-27.7 */
    0.333332065271953287, 0.20010852602199607, 0.139995098838986665, 0.140125689441898452,
};
static const double TAIL_P[] = { /* 2**-27.5 */
    0.5000000024424736, 0.4354601327961094, 0.18114024499842601, 0.039928305806412163,
    0.004011960955631225,
};
static const double TAIL_Q[] = {
    1.0, 1.6688051792509166, 1.193790294946963, 0.46394090400801347,
    0.10009288744314364, 0.010056349342653316,
};
static const double SIN_TURN[] = { /* 2**-27.5 */
    6.28318527379082309, -41.3416774783958132, 81.6022312425598749, -76.5749921717879873,
    39.7109180368881778,
};
#else
static const double EXPM1[] = { /* 2**-55.6 */
    0.500000000000000556, 0.166666666666666861, 0.041666666666573548, 0.00833333333331453221,
    0.00138888889324063846, 0.000198412699031505719, 0.0000248015044107107803, 2.75572278525167511e-6,
    2.76263412107160973e-7, 2.51145038012015881e-8,
};
static const double ARTANH[] = { /* 2**-59.3 */
    0.333333333333331517, 0.20000000000078695, 0.142857142739169073, 0.111111119855305509,
    0.0909087193774091429, 0.0769328051261917894, 0.0665047927023032098, 0.0605310470348397872,
    0.0416977337221146402, 0.0850981618570412973,
};
static const double TAIL_P[] = { /* 2**-60.0 */
    0.5, 0.8270409041428377, 0.6782324539025139, 0.3562845963866609,
    0.13152721866829362, 0.03549160620015192, 0.007080003911413579, 0.0010322378287591569,
    0.00010566772963673604, 6.906439561556593e-06, 2.2155776821528328e-07,
};
static const double TAIL_Q[] = {
    1.0, 2.451966369088541, 2.812851017308627, 1.9968779270459671,
    0.9770356996473286, 0.34691258975020844, 0.09151707669930292, 0.01801069697200156,
    0.0026047484046164988, 0.00026542508178627265, 1.7311876682061484e-05, 5.553629662724236e-07,
};
static const double SIN_TURN[] = { /* 2**-61.8 */
    6.28318530717958648, -41.3417022403997562, 81.6052492760734061, -76.7058597527984975,
    42.0586939237852359, -15.0946416205099614, 3.81992705047893385, -0.717723580155449819,
    0.100856330773540559,
};
#endif
/* clang-format on */

/* c[0] + c[1] x + ..., by Horner's rule */
#define POLYNOMIAL(c, x) polynomial(c, (int)(sizeof(c) / sizeof *(c)), x)
ALWAYS_INLINE vec polynomial(const double *c, int terms, vec x) {
    vec p = v_set((real)c[terms - 1]);
    UNROLLED
    for (int i = terms - 2; i >= 0; i--) p = v_fma(p, x, v_set((real)c[i]));
    return p;
}

/* e**r - 1 for |r| <= ln(2) / 2 */
ALWAYS_INLINE vec v_expm1_near_0(vec r) { return v_fma(v_mul(r, r), POLYNOMIAL(EXPM1, r), r); }

/* s (1 + q) for a power of two s, rounded once.  Without fused operations, s q could be denormal where the sum is not. */
ALWAYS_INLINE vec v_scale(vec s, vec q) { return VL > 1 ? v_fma(s, q, s) : v_mul(s, v_add(v_set(1), q)); }

/*
 * 2**shift e**x = s (q + 1) with s = 2**(k + shift), so that e**x - 1 = s q + (s - 1) is accurate near x = 0.
 *
 * x = k ln 2 + r with |r| <= ln(2) / 2, and q = e**r - 1.  s must be normal, so x must lie between
 * EXP_MIN - shift ln 2 and EXP_MAX - shift ln 2: see v_clamp.  NaN propagates.
 */
ALWAYS_INLINE vec v_exp_parts(vec x, int shift, vec *s) {
    vec k = v_round(v_mul(x, v_set((real)1.4426950408889634)));
    vec r = v_fnma(k, v_set((real)LN2_LOW), v_fnma(k, v_set((real)LN2_HIGH), x));
    *s = v_pow2(shift ? v_add(k, v_set((real)shift)) : k);
    return v_expm1_near_0(r);
}

/* min(max(x, low), high); NaN propagates. */
ALWAYS_INLINE vec v_clamp(double low, double high, vec x) {
    return v_max(v_set((real)low), v_min(v_set((real)high), x));
}

/* e**x, within 2 ulp; saturates at e**EXP_MIN and e**EXP_MAX instead of becoming 0 or inf. */
ALWAYS_INLINE vec v_exp(vec x) {
    vec s, q = v_exp_parts(v_clamp(EXP_MIN, EXP_MAX, x), 0, &s);
    return v_scale(s, q);
}

/*
 * e**(-t**2 / 2) for 0 <= t <= GAUSS_MAX, within 2 ulp as well: t**2 / 2 is split into two terms, the first of which is
 * exact because it is the square of the leading bits of t, so that the exponential does not amplify its rounding error.
 */
ALWAYS_INLINE vec v_gauss(vec t) {
    vec lead = v_mul(v_round(v_mul(t, v_set((real)GAUSS_GRID))), v_set((real)(1 / GAUSS_GRID)));
    vec high = v_mul(v_mul(lead, lead), v_set(-0.5));
    vec low = v_mul(v_mul(v_sub(t, lead), v_add(t, lead)), v_set(-0.5));
    vec k = v_round(v_mul(v_add(high, low), v_set((real)1.4426950408889634))), s = v_pow2(k);
    vec r = v_add(v_fnma(k, v_set((real)LN2_HIGH), high), v_fnma(k, v_set((real)LN2_LOW), low));
    return v_scale(s, v_expm1_near_0(r));
}

/* e**x - 1; saturates like v_exp. */
ALWAYS_INLINE vec v_expm1(vec x) {
    vec s, q = v_exp_parts(v_clamp(EXP_MIN, EXP_MAX, x), 0, &s);
    return v_fma(s, q, v_sub(s, v_set(1)));
}

/* 2 artanh(t) = ln((1 + t) / (1 - t)) for |t| <= 1/3, from 2 t: t may be denormal where the result is not. */
ALWAYS_INLINE vec v_two_artanh(vec t2) {
    vec tt = v_mul(v_mul(t2, t2), v_set(0.25));
    return v_fma(v_mul(t2, tt), POLYNOMIAL(ARTANH, tt), t2);
}

/*
 * ln x for 2**-126 <= x < 2**127 (f64: 2**-1022, 2**1023).  x = 2**e m with 3/4 < m <= 3/2, so t = (m - 1) / (m + 1) is
 * at most 1/5 in magnitude.
 */
ALWAYS_INLINE vec v_log(vec x) {
    vec e = v_exponent(x);
    vec m = v_mul(x, v_pow2(v_sub(v_set(0), e)));
    lanes high = v_gt(m, v_set(1.5));
    m = v_blend(high, v_mul(m, v_set(0.5)), m);
    e = v_blend(high, v_add(e, v_set(1)), e);
    vec m1 = v_sub(m, v_set(1)), ln_m = v_two_artanh(v_div(v_add(m1, m1), v_add(m, v_set(1))));
    return v_fma(e, v_set((real)LN2_HIGH), v_fma(e, v_set((real)LN2_LOW), ln_m));
}

/* ln(1 + x) for 0 <= x <= 1, accurate for small x too: t = x / (2 + x) <= 1/3. */
ALWAYS_INLINE vec v_log1p(vec x) { return v_two_artanh(v_div(v_add(x, x), v_add(v_set(2), x))); }

/* 1 / (1 + e**-x) */
ALWAYS_INLINE vec v_sigmoid(vec x) { return v_div(v_set(1), v_add(v_set(1), v_exp(v_sub(v_set(0), x)))); }

/* tanh x = p / (p + 2) with p = e**2x - 1; exactly 1 for x >= 20. */
ALWAYS_INLINE vec v_tanh(vec x) {
    vec s, q = v_exp_parts(v_clamp(-40, 40, v_add(x, x)), 0, &s);
    vec p = v_fma(s, q, v_sub(s, v_set(1)));
    return v_div(p, v_add(p, v_set(2)));
}

/* The same for losses that few networks have: a copy in each of their functions would make the engine larger. */
OUT_OF_LINE UNUSED vec v_exp_call(vec x) { return v_exp(x); }
OUT_OF_LINE UNUSED vec v_log_call(vec x) { return v_log(x); }
OUT_OF_LINE UNUSED vec v_sigmoid_call(vec x) { return v_sigmoid(x); }

ALWAYS_INLINE vec v_abs(vec x) { return v_max(v_sub(v_set(0), x), x); }

/* sin(2 pi u) for |u| <= 1/4 */
ALWAYS_INLINE vec v_sin_quarter(vec u) { return v_mul(u, POLYNOMIAL(SIN_TURN, v_mul(u, u))); }

/*
 * cos(2 pi t) and *sin = sin(2 pi t) of any finite t, within 3 ulp of the exact value or 2**-24 (f64: 2**-53) of 1; NaN
 * if t is infinite or NaN.  t = k + r with an integer k and |r| <= 1/2, which is exact; then
 * cos(2 pi r) = sin(2 pi (1/4 - |r|)) and sin(2 pi r) = +- sin(2 pi min(|r|, 1/2 - |r|)).
 */
ALWAYS_INLINE vec v_cos_sin_turns(vec t, vec *sin) {
    vec r = v_sub(t, v_round(t)), a = v_abs(r), s = v_sin_quarter(v_min(v_sub(v_set(0.5), a), a));
    *sin = v_blend(v_gt(v_set(0), r), v_sub(v_set(0), s), s);
    return v_sin_quarter(v_sub(v_set(0.25), a));
}

#endif
