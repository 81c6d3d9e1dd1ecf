/*
 * random.h: random words as a function of (seed, stream, number): the same for any thread, chunk and instruction set.
 *
 * Philox4x32-10 of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011: the key is the
 * seed, the counter of block b is (b, b >> 32, stream, stream >> 32), and each block is four words of 32 bits.  Its
 * definition in NumPy is philox4x32 in fastgd/random.py.
 *
 * All are taken from the low halves of 64-bit lanes; the high halves hold what came there and are never looked at.
 */
enum { BLOCKS = 16, GROUP_WORDS = 4 * BLOCKS, PHILOX_ROUNDS = 10, CHAINS = 2 };

/*
 * word (GROUP_WORDS,) <- blocks 16 g ... 16 g + 15 of a stream: first words 0 and 1 of each block by turns, then words 2
 * and 3.  CHAINS vectors go through the rounds together, so that one does not wait for its multiplications.
 */
static void random_group(uint64_t seed, uint64_t stream, uint64_t group, uint32_t *word) {
    static const uint64_t number[BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int i = 0; i < BLOCKS; i += CHAINS * WL) {
        words c[CHAINS][4];
        UNROLLED
        for (int v = 0; v < CHAINS; v++) {
            c[v][0] = w_add(w_set(group * BLOCKS), w_load(number + i + v * WL));
            c[v][1] = w_high(c[v][0]);
            c[v][2] = w_set(stream);
            c[v][3] = w_set(stream >> 32);
        }
        for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
            words k0 = w_set(seed + round * (uint64_t)0x9e3779b9),
                  k1 = w_set((seed >> 32) + round * (uint64_t)0xbb67ae85);
            UNROLLED
            for (int v = 0; v < CHAINS; v++) {
                words p0 = w_product(c[v][0], w_set(0xd2511f53)), p1 = w_product(c[v][2], w_set(0xcd9e8d57));
                c[v][0] = w_xor(w_xor(w_high(p1), c[v][1]), k0);
                c[v][1] = p1;
                c[v][2] = w_xor(w_xor(w_high(p0), c[v][3]), k1);
                c[v][3] = p0;
            }
        }
        UNROLLED
        for (int v = 0; v < CHAINS; v++) {
            int at = 2 * (i + v * WL);
            w_store_pairs(word + at, c[v][0], c[v][1]);
            w_store_pairs(word + 2 * BLOCKS + at, c[v][2], c[v][3]);
        }
    }
}
