/*
 * arrays.h: arrays between two inaccessible pages, so that a read or write outside one ends the program.
 *
 * An array lies at the end of its pages or, with `at_start`, at their start: every test runs once with each.
 */
#ifndef FGD_TEST_ARRAYS_H
#define FGD_TEST_ARRAYS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

enum { MAX_ARRAYS = 1000 };
static struct {
    void *pages;
    size_t bytes;
} arrays[MAX_ARRAYS];
static int arrays_used, at_start;

/* `bytes` zeroed bytes, valid until release_arrays. */
static void *array(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes / page + 1) * page;
    char *pages = arrays_used < MAX_ARRAYS
                      ? mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : MAP_FAILED;
    if (pages == MAP_FAILED || mprotect(pages + page, inside, PROT_READ | PROT_WRITE)) {
        fprintf(stderr, "the self-test is out of memory\n");
        exit(2);
    }
    arrays[arrays_used].pages = pages;
    arrays[arrays_used++].bytes = inside + 2 * page;
    return pages + page + (at_start ? 0 : inside - bytes);
}

static void release_arrays(void) {
    while (arrays_used > 0) {
        arrays_used--;
        munmap(arrays[arrays_used].pages, arrays[arrays_used].bytes);
    }
}

static double *doubles(ptrdiff_t count) { return array((size_t)count * sizeof(double)); }

static double *copy_of(const double *x, ptrdiff_t count) {
    return memcpy(doubles(count), x, (size_t)count * sizeof *x);
}

static size_t size_of(int bits) { return (size_t)bits / 8; }

/* An array (count,) of `real` of this width, zeroed or converted from x (count,). */
static void *zero_reals(int bits, ptrdiff_t count) { return array((size_t)count * size_of(bits)); }
static void *reals(int bits, const double *x, ptrdiff_t count) {
    void *to = zero_reals(bits, count);
    for (ptrdiff_t i = 0; i < count; i++) {
        if (bits == 32)
            ((float *)to)[i] = (float)x[i];
        else
            ((double *)to)[i] = x[i];
    }
    return to;
}

static double real_at(int bits, const void *x, ptrdiff_t i) {
    return bits == 32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/*
 * A random value in (-1, 1) that float represents exactly, from 24 bits of splitmix64.
 * Reference: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
 */
static uint64_t random_state;
static double random_value(void) {
    uint64_t x = random_state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    x ^= x >> 31;
    return (double)((int64_t)(x >> 40) * 2 - (1 << 24) + 1) * 0x1p-24;
}

/* Random values in (-scale, scale), and in (0, 1). */
static double *random_values(ptrdiff_t count, double scale) {
    double *x = doubles(count);
    for (ptrdiff_t i = 0; i < count; i++) x[i] = (double)(float)(scale * random_value());
    return x;
}
static double *random_fractions(ptrdiff_t count) {
    double *x = doubles(count);
    for (ptrdiff_t i = 0; i < count; i++) x[i] = (double)(float)(0.5 + 0.5 * random_value());
    return x;
}

#endif
