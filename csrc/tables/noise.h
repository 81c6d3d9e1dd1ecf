/*
 * noise.h: every noise that can be applied to the inputs of a layer during training.  Definitions:
 * fastgd/layers/noise.py.
 *
 * To add one: its entry in the list and its function.  A MULTIPLICATIVE entry generates factors, which are saved as a
 * mask for the backward pass; an ADDITIVE entry generates summands.  A BACKWARD entry generates factors of the gradient
 * alone, for strengths that include 0: the inputs stay as they are.  All state the number of values per random word.
 *
 *   void NAME_values(const uint32_t *word, double strength, real *value)
 *       value (PER_WORD * GROUP_WORDS,) <- from the words of one group, (GROUP_WORDS,)
 *
 * The inputs of layer l in step s form one matrix (rows, n); its element e = row n + column uses value e % (PER_WORD *
 * GROUP_WORDS) of group e / (PER_WORD * GROUP_WORDS) of the stream (s, l).  A value thus depends on its position alone.
 */
#ifndef FGD_NOISE_H
#define FGD_NOISE_H

/* clang-format off */
#define FGD_NOISES(MULTIPLICATIVE, ADDITIVE, BACKWARD) \
    MULTIPLICATIVE(dropout, 2)                         \
    ADDITIVE(gaussian_noise, 1)                        \
    BACKWARD(gradient_reversal, 2)
/* clang-format on */

#define NOISE(name, per_word) NOISE_##name,
enum { NO_NOISE, FGD_NOISES(NOISE, NOISE, NOISE) };
#undef NOISE

#define YES(name, per_word) 1,
#define NO(name, per_word) 0,
static const int noise_multiplies[] = {0, FGD_NOISES(YES, NO, NO)};
static const int noise_is_backward[] = {0, FGD_NOISES(NO, NO, YES)};
static const int noise_has_mask[] = {0, FGD_NOISES(YES, NO, YES)};
#undef YES
#undef NO

#ifndef FGD_NAMES_ONLY

#include "../fastgd.h"
#include "../kernels/philox.h"
#include "../simd/math.h"

enum { MAX_VALUES = 2 * GROUP_WORDS };

#define PER_WORD(name, per_word) per_word,
static const int noise_values_per_word[] = {0, FGD_NOISES(PER_WORD, PER_WORD, PER_WORD)};
#undef PER_WORD

/*
 * 0 with probability p, else 1 / (1 - p): a value is 0 if 16 bits of a word are below round(65536 p).  The low halves
 * of all words come first, then the high halves.
 */
static void dropout_values(const uint32_t *word, double p, real *value) {
    int32_t threshold = p < 1 ? (int32_t)(p * 65536 + 0.5) : 65535;
    if (threshold > 65535) threshold = 65535;
    real factor = (real)(65536. / (65536 - threshold));
    VECTORIZED
    for (int i = 0; i < GROUP_WORDS; i++) value[i] = (int32_t)(word[i] & 0xffff) < threshold ? 0 : factor;
    VECTORIZED
    for (int i = 0; i < GROUP_WORDS; i++) value[GROUP_WORDS + i] = (int32_t)(word[i] >> 16) < threshold ? 0 : factor;
}

/* c[0] + c[1] x + ... + c[3] x**3 */
ALWAYS_INLINE vec v_cubic(const double *c, vec x) {
    return v_fma(v_fma(v_fma(v_set((real)c[3]), x, v_set((real)c[2])), x, v_set((real)c[1])), x, v_set((real)c[0]));
}

/*
 * The x >= 0 with P(|N(0, 1)| > x) = v, for v in [2**-32, 1], within 2e-7.
 * Reference: Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (PPND7), 1988.
 */
ALWAYS_INLINE vec v_normal_quantile(vec v) {
    static const double center[2][4] = {{3.3871327179, 50.434271938, 159.29113202, 59.109374720},
                                        {1, 17.895169469, 78.757757664, 67.187563600}};
    static const double tail[2][4] = {{1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103},
                                      {1, 0.73700164250, 0.12021132975, 0}};
    vec p = v_mul(v, v_set(0.5)), q = v_sub(v_set(0.5), p), r = v_fnma(q, q, v_set((real)0.180625));
    vec near = v_mul(q, v_div(v_cubic(center[0], r), v_cubic(center[1], r)));
    vec t = v_sub(v_sqrt(v_sub(v_set(0), v_log(p))), v_set((real)1.6));
    return v_blend(v_gt(q, v_set((real)0.425)), v_div(v_cubic(tail[0], t), v_cubic(tail[1], t)), near);
}

/* std N(0, 1): 31 bits of a word determine the magnitude, the lowest bit the sign. */
static void gaussian_noise_values(const uint32_t *word, double std, real *value) {
    real magnitude[GROUP_WORDS], sign[GROUP_WORDS];
    VECTORIZED
    for (int i = 0; i < GROUP_WORDS; i++) magnitude[i] = (real)(int32_t)(word[i] >> 1);
    VECTORIZED
    for (int i = 0; i < GROUP_WORDS; i++) sign[i] = word[i] & 1 ? (real)-std : (real)std;
    for (int i = 0; i < GROUP_WORDS; i += VL) {
        vec v = v_fma(v_load(magnitude + i), v_set(0x1p-31), v_set(0x1p-32));
        v_store(value + i, v_mul(v_normal_quantile(v), v_load(sign + i)));
    }
}

/* -strength: no function of the words */
static void gradient_reversal_values(UNUSED const uint32_t *word, double strength, real *value) {
    for (int i = 0; i < 2 * GROUP_WORDS; i++) value[i] = (real)-strength;
}

static void noise_values(int kind, const uint32_t *word, double strength, real *value) {
    switch (kind) {
#define VALUES(name, per_word) \
    case NOISE_##name: name##_values(word, strength, value); return;
        FGD_NOISES(VALUES, VALUES, VALUES)
#undef VALUES
    }
}

/*
 * to (count,) <- from (count,) times or plus value, or from alone if the noise is BACKWARD; value is saved to mask
 * unless that is NULL.  `to` may be `from`.
 */
ALWAYS_INLINE void apply_values(int kind, int count, const real *value, const real *from, real *to, real *mask) {
    int multiplies = noise_multiplies[kind], is_backward = noise_is_backward[kind];
    for (int i = 0; i < count; i += VL) {
        lanes m = v_lanes(count - i);
        vec x = v_load_part(from + i, m), y = v_load(value + i);
        v_store_part(to + i, multiplies ? v_mul(x, y) : is_backward ? x : v_add(x, y), m);
        if (mask) v_store_part(mask + i, y, m);
    }
}

/* The inputs of a layer: matrices (rows, n) with leading dimension ld.  mask: where factors are saved, or NULL. */
typedef struct {
    int kind, n;
    ptrdiff_t ld;
    const real *from;
    real *to, *mask;
} noise_inputs;

/* Rows [row0, row1) of `to` <- those of `from` with the noise of the inputs of layer l in step noise->step. */
static void add_noise(const noise_inputs *inputs, const fgd_noise *noise, int l, int row0, int row1) {
    uint64_t stream = (uint64_t)noise->step | (uint64_t)l << 48;
    int n = inputs->n, per_group = noise_values_per_word[inputs->kind] * GROUP_WORDS;
    uint32_t word[GROUP_WORDS];
    real value[MAX_VALUES + NR]; /* the last vectors are loaded whole */
    memset(value + MAX_VALUES, 0, NR * sizeof *value);
    int64_t e = (noise->row + row0) * n;
    for (int row = row0, j = 0; row < row1;) {
        random_group(noise->seed, stream, (uint64_t)(e / per_group), word);
        noise_values(inputs->kind, word, noise->strength[l], value);
        for (int i = (int)(e % per_group), count; i < per_group && row < row1; i += count) {
            count = per_group - i < n - j ? per_group - i : n - j;
            ptrdiff_t at = row * inputs->ld + j;
            real *mask = inputs->mask ? inputs->mask + at : NULL;
            apply_values(inputs->kind, count, value + i, inputs->from + at, inputs->to + at, mask);
            e += count;
            j += count;
            if (j < n) continue;
            j = 0;
            row++;
        }
    }
}

#endif

#endif
