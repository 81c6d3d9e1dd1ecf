/*
 * memory.h: arrays between two pages that may not be touched, so that a read or write outside one ends the program.
 *
 * An array lies at the end of its pages or, with `at_start`, at their start: a test runs once with each.
 */
#ifndef FGD_TEST_MEMORY_H
#define FGD_TEST_MEMORY_H


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

/* `bytes` zeroed bytes, until release_arrays. */
static void *array(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes / page + 1) * page;
    char *pages = arrays_used < MAX_ARRAYS
                      ? mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : MAP_FAILED;
    if (pages == MAP_FAILED || mprotect(pages + page, inside, PROT_READ | PROT_WRITE)) {
        fprintf(stderr, "the self-test has no memory left\n");
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

static size_t size_of(int bits) { return (size_t)bits / 8; }

/* The numbers x (count,) as an engine of this width reads them. */
static void *reals(int bits, const double *x, ptrdiff_t count) {
    void *to = array((size_t)count * size_of(bits));
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

/* Numbers of (-1, 1) that float holds exactly: splitmix64 (Steele, Lea & Flood, OOPSLA 2014), 24 bits of each. */
static uint64_t random_state;
static double random_number(void) {
    uint64_t x = random_state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    x ^= x >> 31;
    return (double)((int64_t)(x >> 40) * 2 - (1 << 24) + 1) * 0x1p-24;
}

static double *random_numbers(ptrdiff_t count, double scale) {
    double *x = doubles(count);
    for (ptrdiff_t i = 0; i < count; i++) x[i] = (double)(float)(scale * random_number());
    return x;
}

static double *random_parts(ptrdiff_t count) { /* of 1 */
    double *x = doubles(count);
    for (ptrdiff_t i = 0; i < count; i++) x[i] = (double)(float)(0.5 + 0.5 * random_number());
    return x;
}

#endif
