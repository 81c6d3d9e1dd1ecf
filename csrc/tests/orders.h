/*
 * orders.h: tests the random orders of rows against their definition, one index at a time.
 */
#ifndef FGD_TEST_ORDERS_H
#define FGD_TEST_ORDERS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrays.h"
#include "check.h"
#include "tables.h"

/* The high half of a 128-bit product, from 32-bit digits. */
static uint64_t reference_high(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t carry = ((a0 * b0 >> 32) + (uint32_t)(a1 * b0) + (uint32_t)(a0 * b1)) >> 32;
    return a1 * b1 + (a1 * b0 >> 32) + (a0 * b1 >> 32) + carry;
}

/* Word i of stream 0 of Philox4x64-10 with the key (seed, 1), whose blocks are counted from 1. */
static uint64_t reference_order_word(uint64_t seed, uint64_t i) {
    uint64_t c[4] = {i / 4 + 1, 0, 0, 0}, k[2] = {seed, 1};
    for (int round = 0; round < 10; round++) {
        uint64_t m0 = 0xd2e7470ee14c6c93, m1 = 0xca5a826395121157;
        uint64_t next[4] = {reference_high(m1, c[2]) ^ c[1] ^ k[0], m1 * c[2], reference_high(m0, c[0]) ^ c[3] ^ k[1],
                            m0 * c[0]};
        memcpy(c, next, sizeof next);
        k[0] += 0x9e3779b97f4a7c15;
        k[1] += 0xbb67ae8584caa73b;
    }
    return c[i % 4];
}

static int compare_keys(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* order (n,) <- the indices of an epoch, sorted by the halves of words, whose low k bits are the index itself. */
static void reference_sorted(uint64_t seed, uint64_t epoch, int n, int k, int64_t *order) {
    uint64_t *key = array((size_t)n * sizeof *key), words = (uint64_t)(n + 7) / 8 * 4;
    for (int i = 0; i < n; i++) {
        uint64_t half = reference_order_word(seed, epoch * words + (uint64_t)i / 2) >> i % 2 * 32;
        key[i] = (half & 0xffffffff) >> k << k | (uint64_t)i;
    }
    qsort(key, (size_t)n, sizeof *key, compare_keys);
    for (int i = 0; i < n; i++) order[i] = (int64_t)(key[i] & (((uint64_t)1 << k) - 1));
}

/* order (n,) <- those of the images of 0 ... 2^k - 1 that are less than n. */
static void reference_mixed(uint64_t seed, uint64_t epoch, int64_t n, int k, int64_t *order) {
    uint64_t size = (uint64_t)1 << k;
    for (uint64_t i = 0; i < size; i++) {
        uint64_t v = i;
        for (uint64_t r = 0; r < 8; r++) {
            v = (v + reference_order_word(seed, 8 * epoch + r)) * (r % 2 ? 0x846ca68b : 0x7feb352d) % size;
            v ^= v >> (k - 1) / 2;
        }
        if (v < (uint64_t)n) *order++ = (int64_t)v;
    }
}

/* Three epochs of n rows, by index and as the rows 5, 12, 19 ... */
static void test_orders(const fgd_engine *e, uint64_t seed, uint64_t epoch, int n) {
    size_t size = (size_t)n * sizeof(int64_t);
    int64_t *got = array(3 * size), *want = array(3 * size), *rows = array(size);
    int k = 0;
    while (1 << k < n) k++;
    for (int i = 0; i < 3; i++)
        if (n <= 1024)
            reference_sorted(seed, epoch + (uint64_t)i, n, k, want + i * n);
        else
            reference_mixed(seed, epoch + (uint64_t)i, n, k, want + i * n);
    e->orders(seed, epoch, 3, NULL, n, got);
    check(!memcmp(got, want, 3 * size), "the order of %d rows", n);
    for (int i = 0; i < n; i++) rows[i] = 5 + 7 * i;
    for (int i = 0; i < 3 * n; i++) want[i] = rows[want[i]];
    e->orders(seed, epoch, 3, rows, n, got);
    check(!memcmp(got, want, 3 * size), "the order of %d chosen rows", n);
    release_arrays();
}

static void orders(const fgd_engine *e) {
    static const int larger[] = {1000, 1023, 1024, 1025, 1437, 2047, 2048, 2049, 5000, 32768, 32769, 70000};
    for (int n = 1; n <= 70; n++) test_orders(e, 0x123456789abcdef * (uint64_t)n, (uint64_t)n * 1000, n);
    for (int i = 0; i < COUNT(larger); i++) test_orders(e, UINT64_MAX - (uint64_t)i, (uint64_t)i << 32, larger[i]);
}

#endif
