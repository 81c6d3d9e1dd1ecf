/*
 * orders.h: the random order of the rows of an epoch, a function of (seed, epoch).
 *
 * The definition is `permutations` in fastgd/_common/random.py: up to SORTED rows are sorted by random keys; more are
 * the values below n of a bijection on 0 ... 2^k - 1, in turn.  Plain C, which the compiler vectorizes.
 */
#ifndef FGD_ORDERS_H
#define FGD_ORDERS_H

#include "../simd/contract.h"

enum { SORTED = 1024, MIXED = 512, BATCH = 64, MIX_ROUNDS = 8 };

/* The high half of a 128-bit product, whose low half goes to *low. */
ALWAYS_INLINE uint64_t high_product(uint64_t a, uint64_t b, uint64_t *low) {
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (uint32_t)middle;
    *low = a * b;
    return a1 * b1 + (middle >> 32) + (other >> 32);
#endif
}

/* word (4,) <- a block of Philox4x64-10 with the key (seed, 1) and the counter (block, 0, 0, 0). */
ALWAYS_INLINE void order_words(uint64_t seed, uint64_t block, uint64_t *word) {
    uint64_t c0 = block, c1 = 0, c2 = 0, c3 = 0, k0 = seed, k1 = 1; /* 1: Purpose.SHUFFLE */
    UNROLLED
    for (int round = 0; round < 10; round++) {
        uint64_t low0, low1, high0 = high_product(0xd2e7470ee14c6c93, c0, &low0);
        uint64_t high1 = high_product(0xca5a826395121157, c2, &low1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9e3779b97f4a7c15;
        k1 += 0xbb67ae8584caa73b;
    }
    memcpy(word, (uint64_t[]){c0, c1, c2, c3}, 4 * sizeof *word);
}

/* The least k with n <= 2^k. */
static int bits_of_index(int64_t n) {
    int k = 0;
    while ((int64_t)1 << k < n) k++;
    return k;
}

/* Sorts n <= 2^k distinct random keys: by their highest k bits into as many buckets, then by insertion, as a bucket has
   one key on average. */
static void sort_keys(uint32_t *key, int n, int k) {
    uint32_t by_bucket[SORTED];
    uint16_t end[SORTED]; /* of each bucket */
    int shift = 32 - k;
    if (k == 0) return;
    memset(end, 0, sizeof *end << k);
    for (int i = 0; i < n; i++) end[key[i] >> shift]++;
    for (int b = 0, sum = 0; b < 1 << k; b++) end[b] = (uint16_t)(sum += end[b]);
    for (int i = 0; i < n; i++) by_bucket[--end[key[i] >> shift]] = key[i];
    for (int i = 0; i < n; i++) {
        uint32_t inserted = by_bucket[i];
        int at = i;
        for (; at > 0 && key[at - 1] > inserted; at--) key[at] = key[at - 1];
        key[at] = inserted;
    }
}

/* The order of an epoch of n <= SORTED rows: the indices in the low bits of sorted keys. */
static void sorted_order(uint64_t seed, uint64_t epoch, int n, int64_t *order) {
    uint32_t key[SORTED];
    uint64_t word[4], blocks = (uint64_t)(n + 7) / 8;
    int k = bits_of_index(n);
    uint32_t index = ((uint32_t)1 << k) - 1;
    for (int i = 0; i < n; i += 8) {
        order_words(seed, epoch * blocks + 1 + (uint64_t)i / 8, word);
        UNROLLED
        for (int j = 0; j < 8; j++) key[i + j] = ((uint32_t)(word[j / 2] >> j % 2 * 32) & ~index) | (uint32_t)(i + j);
    }
    sort_keys(key, n, k);
    VECTORIZED
    for (int i = 0; i < n; i++) order[i] = key[i] & index;
}

/*
 * x (MIXED,) <- the images of first, first + 1 ...  A round of BATCH indices at a time hides the latency of its
 * multiplications.  Bits above k may be set within the rounds: a mask keeps them away from the bits below.
 */
static void mix_indices(uint32_t first, const uint32_t *key, int k, uint32_t *x) {
    int shift = (k - 1) / 2;
    uint32_t mask = (uint32_t)(((uint64_t)1 << k) - 1), shifted = mask >> shift;
    for (uint32_t i = 0; i < MIXED; i++) x[i] = first + i;
    for (uint32_t *batch = x; batch < x + MIXED; batch += BATCH) {
        UNROLLED
        for (int r = 0; r < MIX_ROUNDS; r++) {
            UNROLLED
            for (int i = 0; i < BATCH; i++) {
                uint32_t v = (batch[i] + key[r]) * (r % 2 ? 0x846ca68b : 0x7feb352d);
                batch[i] = v ^ (v >> shift & shifted);
            }
        }
    }
    for (int i = 0; i < MIXED; i++) x[i] &= mask;
}

/* The order of an epoch of more rows, up to 2^32. */
static void mixed_order(uint64_t seed, uint64_t epoch, int64_t n, int64_t *order) {
    uint64_t word[MIX_ROUNDS];
    uint32_t key[MIX_ROUNDS], x[MIXED], last = (uint32_t)(n - 1);
    int k = bits_of_index(n);
    order_words(seed, 2 * epoch + 1, word);
    order_words(seed, 2 * epoch + 2, word + 4);
    for (int r = 0; r < MIX_ROUNDS; r++) key[r] = (uint32_t)word[r];
    for (uint64_t first = 0; first >> k == 0; first += MIXED) {
        mix_indices((uint32_t)first, key, k, x);
        int kept = 0;
        for (int i = 0; i < MIXED; i += U32_AT_ONCE) kept += u32_keep_up_to(last, x + i, x + kept);
        VECTORIZED
        for (int i = 0; i < kept; i++) order[i] = x[i];
        order += kept;
    }
}

/* order (epochs, n) <- the rows (n,), NULL for 0 ... n - 1, in the order of each epoch from `epoch` on; n <= 2^32. */
static void fill_orders(uint64_t seed, uint64_t epoch, ptrdiff_t epochs, const int64_t *rows, ptrdiff_t n,
                        int64_t *order) {
    for (; epochs > 0; epochs--, epoch++, order += n) {
        if (n <= SORTED)
            sorted_order(seed, epoch, (int)n, order);
        else
            mixed_order(seed, epoch, n, order);
        for (ptrdiff_t i = 0; rows && i < n; i++) order[i] = rows[order[i]];
    }
}

#endif
