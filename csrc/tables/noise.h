/*
 * noise.h: the one home in C of what disturbs the inputs of a layer while it is trained.  Definitions: fastgd/noise.py.
 *
 * To add one: its row and its function.  An M row makes multipliers, which are kept for the way back; an A row makes
 * numbers that are added.  Both name how many numbers are made of each random word.
 *
 *   void NAME_numbers(const uint32_t *word, double amount, real *number)
 *       number (PER * GROUP_WORDS,) <- of the words of one group, (GROUP_WORDS,)
 *
 * The inputs of layer l in step s are one matrix (rows, n); its element e = row n + column takes number e % (PER *
 * GROUP_WORDS) of group e / (PER * GROUP_WORDS) of the stream (s, l).  So a number depends on nothing but its place.
 */
#ifndef FGD_NOISE_H
#define FGD_NOISE_H

#define FGD_NOISES(M, A) M(dropout, 2) A(gaussian_noise, 1)

#define ROW(name, per) NOISE_##name,
enum { NO_NOISE, FGD_NOISES(ROW, ROW) };
#undef ROW

#define MULTIPLIES(name, per) 1,
#define ADDS(name, per) 0,
static const int noise_multiplies[] = {0, FGD_NOISES(MULTIPLIES, ADDS)};
#undef MULTIPLIES
#undef ADDS

#ifndef FGD_NAMES_ONLY

#include "../fastgd.h"
#include "../kernels/philox.h"
#include "../simd/math.h"

enum { MOST_NUMBERS = 2 * GROUP_WORDS };

#define ROW(name, per) per,
static const int numbers_of_word[] = {0, FGD_NOISES(ROW, ROW)};
#undef ROW

/* 0 or 1 / (1 - p): 16 bits of a word are below 65536 p, rounded.  First the low halves of all words, then the high. */
static void dropout_numbers(const uint32_t *word, double p, real *number) {
    int32_t below = p < 1 ? (int32_t)(p * 65536 + 0.5) : 65535;
    if (below > 65535) below = 65535;
    real kept = (real)(65536. / (65536 - below));
    for (int i = 0; i < GROUP_WORDS; i++) number[i] = (int32_t)(word[i] & 0xffff) < below ? 0 : kept;
    for (int i = 0; i < GROUP_WORDS; i++) number[GROUP_WORDS + i] = (int32_t)(word[i] >> 16) < below ? 0 : kept;
}

/* c[0] + c[1] x + ... + c[3] x**3 */
ALWAYS_INLINE vec v_cubic(const double *c, vec x) {
    return v_fma(v_fma(v_fma(v_set((real)c[3]), x, v_set((real)c[2])), x, v_set((real)c[1])), x, v_set((real)c[0]));
}

/* The x >= 0 with P(|N(0, 1)| > x) = v, for v in [2**-32, 1]: Wichura, algorithm AS 241 (PPND7), 1988; within 2e-7. */
ALWAYS_INLINE vec v_normal_quantile(vec v) {
    static const double centre[2][4] = {{3.3871327179, 50.434271938, 159.29113202, 59.109374720},
                                        {1, 17.895169469, 78.757757664, 67.187563600}};
    static const double tail[2][4] = {{1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103},
                                      {1, 0.73700164250, 0.12021132975, 0}};
    vec p = v_mul(v, v_set(0.5)), q = v_sub(v_set(0.5), p), r = v_fnma(q, q, v_set((real)0.180625));
    vec near = v_mul(q, v_div(v_cubic(centre[0], r), v_cubic(centre[1], r)));
    vec t = v_sub(v_sqrt(v_sub(v_set(0), v_log(p))), v_set((real)1.6));
    return v_blend(v_gt(q, v_set((real)0.425)), v_div(v_cubic(tail[0], t), v_cubic(tail[1], t)), near);
}

/* std N(0, 1): 31 bits of a word choose the size, its lowest the sign. */
static void gaussian_noise_numbers(const uint32_t *word, double std, real *number) {
    real size[GROUP_WORDS], sign[GROUP_WORDS];
    for (int i = 0; i < GROUP_WORDS; i++) size[i] = (real)(int32_t)(word[i] >> 1);
    for (int i = 0; i < GROUP_WORDS; i++) sign[i] = word[i] & 1 ? (real)-std : (real)std;
    for (int i = 0; i < GROUP_WORDS; i += VL) {
        vec v = v_fma(v_load(size + i), v_set(0x1p-31), v_set(0x1p-32));
        v_store(number + i, v_mul(v_normal_quantile(v), v_load(sign + i)));
    }
}

static void noise_numbers(int kind, const uint32_t *word, double amount, real *number) {
    switch (kind) {
#define ROW(name, per) \
    case NOISE_##name: name##_numbers(word, amount, number); return;
        FGD_NOISES(ROW, ROW)
#undef ROW
    }
}

/* to (count,) <- from (count,), disturbed by `number`, which goes to keep too if that is not NULL.  `to` may be `from`. */
ALWAYS_INLINE void disturb_part(int multiplies, int count, const real *number, const real *from, real *to, real *keep) {
    for (int i = 0; i < count; i += VL) {
        lanes m = v_lanes(count - i);
        vec x = v_load_part(from + i, m), by = v_load(number + i);
        v_store_part(to + i, multiplies ? v_mul(x, by) : v_add(x, by), m);
        if (keep) v_store_part(keep + i, by, m);
    }
}

/* What a pass disturbs: matrices (rows, n) whose rows are ld apart.  keep: NULL, or where multipliers are kept. */
typedef struct {
    int kind, n;
    ptrdiff_t ld;
    const real *from;
    real *to, *keep;
} disturbance;

/* Rows [row0, row1) of `to` <- those of `from`, disturbed as the inputs of layer l in the step that noise is about. */
static void disturb(const disturbance *d, const fgd_noise *noise, int l, int row0, int row1) {
    uint64_t stream = (uint64_t)noise->step | (uint64_t)l << 48;
    int per = numbers_of_word[d->kind] * GROUP_WORDS, multiplies = noise_multiplies[d->kind];
    uint32_t word[GROUP_WORDS];
    real number[MOST_NUMBERS + NR]; /* a ragged end loads whole vectors */
    memset(number + MOST_NUMBERS, 0, NR * sizeof *number);
    int64_t e = (noise->row + row0) * d->n;
    for (int row = row0, j = 0, count; row < row1;) {
        random_group(noise->seed, stream, (uint64_t)(e / per), word);
        noise_numbers(d->kind, word, noise->strength[l], number);
        for (int i = (int)(e % per); i < per && row < row1; i += count) {
            count = per - i < d->n - j ? per - i : d->n - j;
            ptrdiff_t at = row * d->ld + j;
            disturb_part(multiplies, count, number + i, d->from + at, d->to + at, d->keep ? d->keep + at : NULL);
            e += count, j += count;
            if (j == d->n) j = 0, row++;
        }
    }
}

#endif

#endif
