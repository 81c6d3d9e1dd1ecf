/*
 * reference_noise.h: random words and noise, written naively: one block and one value at a time.
 */
#ifndef FGD_TEST_DRAWS_H
#define FGD_TEST_DRAWS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "reference.h"
#include "tables.h"

/* c (4,) <- block c of Philox4x32-10 with the key (2,); the lowest 32 bits come first in both. */
static void reference_philox(const uint32_t *key, uint32_t *c) {
    uint32_t k[2] = {key[0], key[1]};
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)c[0] * 0xd2511f53, q = (uint64_t)c[2] * 0xcd9e8d57;
        uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k[0], (uint32_t)q, (uint32_t)(p >> 32) ^ c[3] ^ k[1],
                            (uint32_t)p};
        memcpy(c, next, sizeof next);
        k[0] += 0x9e3779b9;
        k[1] += 0xbb67ae85;
    }
}

/* Word k of a group of a stream. */
static uint32_t reference_word(uint64_t seed, uint64_t stream, uint64_t group, int k) {
    uint64_t block = 16 * group + (uint64_t)(k % 32 / 2);
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    reference_philox(key, c);
    return c[k / 32 * 2 + k % 2];
}

/* The x >= 0 with P(|N(0, 1)| > x) = v: PPND7 of algorithm AS 241, as in tables/noise.h. */
static double two_sided_quantile(double v) {
    double q = 0.5 - v / 2, r = 0.180625 - q * q, t = sqrt(-log(v / 2)) - 1.6;
    if (q > 0.425)
        return (((0.17023821103 * t + 1.3067284816) * t + 2.7568153900) * t + 1.4234372777) /
               ((0.12021132975 * t + 0.73700164250) * t + 1);
    return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
           (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1);
}

/* The same by bisection of the normal distribution of libm. */
static double libm_quantile(double v) {
    double low = 0, high = 8;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (erfc(middle / sqrt(2)) > v)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The value of the noise for element e of the inputs of a layer in a step. */
static double reference_noise_value(int kind, uint64_t seed, uint64_t stream, ptrdiff_t e, double strength) {
    if (kind == NOISE_dropout) {
        uint32_t word = reference_word(seed, stream, (uint64_t)e / 128, (int)(e % 64));
        double threshold = fmin(floor(strength * 65536 + 0.5), 65535);
        return (e / 64 % 2 ? word >> 16 : word & 0xffff) < threshold ? 0 : 65536 / (65536 - threshold);
    }
    if (kind == NOISE_gradient_reversal) return -strength;
    uint32_t word = reference_word(seed, stream, (uint64_t)e / 64, (int)(e % 64));
    return (word & 1 ? -strength : strength) * two_sided_quantile((word / 2 + 0.5) * 0x1p-31);
}

/* r->noise <- that of the step noise->step. */
static void reference_noise(reference *r, const fgd_noise *noise) {
    for (int l = 0; l < r->w->net.L; l++) {
        int count = r->rows * r->w->layer[l].n_in, kind = r->w->layer[l].noise;
        uint64_t stream = (uint64_t)noise->step | (uint64_t)l << 48;
        r->noise[l] = NULL;
        if (!kind || (noise->strength[l] == 0 && kind != NOISE_gradient_reversal)) continue;
        double *value = doubles(count);
        for (int e = 0; e < count; e++)
            value[e] = reference_noise_value(kind, noise->seed, stream, e, noise->strength[l]);
        r->noise[l] = value;
    }
}

#endif
