/*
 * philox.h: random words as a function of (seed, stream, index), independent of threads, chunks and instruction sets.
 *
 * Philox4x32-10: the key is the seed, the counter of block b is (b, b >> 32, stream, stream >> 32), and each block is
 * four words of 32 bits.  Its definition in NumPy is philox4x32 in fastgd/_common/random.py.
 * Reference: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 *
 * Words occupy the low halves of 64-bit lanes; the high halves hold arbitrary bits, which are never used.
 */
#ifndef FGD_PHILOX_H
#define FGD_PHILOX_H

#include "../simd/contract.h"

enum { BLOCKS = 16, GROUP_WORDS = 4 * BLOCKS, PHILOX_ROUNDS = 10, CHAINS = 2 };

/*
 * word (GROUP_WORDS,) <- blocks 16 g ... 16 g + 15 of a stream: first words 0 and 1 of each block, interleaved, then
 * words 2 and 3.  CHAINS vectors pass through the rounds together to hide the latency of the multiplications.
 */
static void random_group(uint64_t seed, uint64_t stream, uint64_t group, uint32_t *word) {
    static const uint64_t block[BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int i = 0; i < BLOCKS; i += CHAINS * VL_U64) {
        vec_u64 c[CHAINS][4];
        UNROLLED
        for (int v = 0; v < CHAINS; v++) {
            c[v][0] = u64_add(u64_set(group * BLOCKS), u64_load(block + i + v * VL_U64));
            c[v][1] = u64_high(c[v][0]);
            c[v][2] = u64_set(stream);
            c[v][3] = u64_set(stream >> 32);
        }
        for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
            vec_u64 k0 = u64_set(seed + round * (uint64_t)0x9e3779b9),
                    k1 = u64_set((seed >> 32) + round * (uint64_t)0xbb67ae85);
            UNROLLED
            for (int v = 0; v < CHAINS; v++) {
                vec_u64 p0 = u64_mul_low(c[v][0], u64_set(0xd2511f53)), p1 = u64_mul_low(c[v][2], u64_set(0xcd9e8d57));
                c[v][0] = u64_xor(u64_xor(u64_high(p1), c[v][1]), k0);
                c[v][1] = p1;
                c[v][2] = u64_xor(u64_xor(u64_high(p0), c[v][3]), k1);
                c[v][3] = p0;
            }
        }
        UNROLLED
        for (int v = 0; v < CHAINS; v++) {
            int at = 2 * (i + v * VL_U64);
            u64_store_low(word + at, c[v][0], c[v][1]);
            u64_store_low(word + 2 * BLOCKS + at, c[v][2], c[v][3]);
        }
    }
}

#endif
