/*
 * peak.c: what this machine can do, for machine.py.  Prints one number, the best of several runs: whatever else the
 * machine does can only make it smaller.
 *
 *   peak fma THREADS          1e9 operations a second of fused multiply-adds (one counts 2) of REAL, in registers
 *   peak bytes THREADS SIZE   1e9 bytes a second of a = a + s b over two arrays of SIZE bytes in all, each thread its own:
 *                             two reads and one write count.  STREAM's triad a = b + s c (McCalpin 1995) would read a
 *                             line of a, uncounted, before it writes it
 *
 * cc -O3 -march=native -ffp-contract=fast -fopenmp -DREAL=float
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
enum { BYTES = 64, CHAINS = 24 }; /* of 32 registers */
#elif defined(__AVX__)
enum { BYTES = 32, CHAINS = 12 }; /* of 16 */
#else
enum { BYTES = 16, CHAINS = 24 };
#endif
typedef REAL vec __attribute__((vector_size(BYTES)));

enum { REPEATS = 20 };
static const double SECONDS = 0.03;
static volatile REAL sink;

/* CHAINS independent sums hide the latency of the multiply-add; returns operations done. */
static double fma_loop(long count) {
    const vec a = (vec){0} + (REAL)0.999, b = (vec){0} + (REAL)0.001;
    vec sum[CHAINS];
#pragma GCC unroll 32
    for (int i = 0; i < CHAINS; i++) sum[i] = (vec){0} + (REAL)i;
    for (long n = 0; n < count; n++) {
#pragma GCC unroll 32
        for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * a + b;
    }
#pragma GCC unroll 32
    for (int i = 0; i < CHAINS; i++) sink = sum[i][0];
    return 2.0 * count * CHAINS * (BYTES / sizeof(REAL));
}

/* Returns bytes moved. */
static double update_loop(long passes, long length, REAL *restrict a, const REAL *restrict b) {
    for (long n = 0; n < passes; n++) {
        for (long i = 0; i < length; i++) a[i] += (REAL)0.5 * b[i];
        __asm__ volatile("" : : "r"(a) : "memory"); /* every pass counts */
    }
    return 3.0 * passes * length * sizeof(REAL);
}

/* One thread's share, `count` times; a thread's arrays are touched first by itself. */
static double work(int is_fma, long count, long length, REAL *memory) {
    if (is_fma) return fma_loop(count);
    return update_loop(count, length, memory, memory + length);
}

/* 1e9 a second of all threads together, each doing `count`; the time is that of the slowest. */
static double rate(int is_fma, int threads, long count, long size, double *seconds) {
    double done = 0, begin = 0, end = 0;
#pragma omp parallel num_threads(threads) reduction(+ : done)
    {
        long length = size / threads / 2 / (long)sizeof(REAL) / BYTES * BYTES;
        REAL *memory = is_fma ? NULL : aligned_alloc(4096, (2 * length * sizeof(REAL) + 4095) / 4096 * 4096);
        if (memory) memset(memory, 0, 2 * length * sizeof(REAL));
        work(is_fma, 1, length, memory);
#pragma omp barrier
#pragma omp master
        begin = omp_get_wtime();
        done += work(is_fma, count, length, memory);
#pragma omp barrier
#pragma omp master
        end = omp_get_wtime();
        free(memory);
    }
    *seconds = end - begin;
    return done / *seconds / 1e9;
}

int main(int argc, char **argv) {
    if (argc < 3) return 1;
    int is_fma = !strcmp(argv[1], "fma"), threads = atoi(argv[2]);
    long size = argc > 3 ? atol(argv[3]) : 0, count = 1;
    double best = 0, seconds = 0;
    while (rate(is_fma, threads, count, size, &seconds), seconds < SECONDS) count *= 2;
    for (int i = 0; i < REPEATS; i++) {
        double r = rate(is_fma, threads, count, size, &seconds);
        if (r > best) best = r;
    }
    printf("%.3f\n", best);
    return 0;
}
