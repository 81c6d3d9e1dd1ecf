/*
 * check.h: counts passed and failed checks, and defines how close a result must be.
 */
#ifndef FGD_TEST_CHECK_H
#define FGD_TEST_CHECK_H

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../fastgd.h"
#include "arrays.h"

static int passed, failed;
static const fgd_engine *engine; /* the engine under test */

/* That of a CPU, and one for which matrices of tests are large. */
enum { LARGE_L2 = 1 << 20, SMALL_L2 = 1 << 14 };

static void check(int ok, const char *format, ...) {
    ok ? passed++ : failed++;
    if (ok) return;
    va_list what;
    va_start(what, format);
    printf("\n    FAILED on %s f%d: ", engine->isa, engine->bits);
    vprintf(format, what);
    va_end(what);
}

/* Whether the engine's multiply-add is rounded once: all such engines agree in every bit. */
static int is_fused(const fgd_engine *e) { return strcmp(e->isa, "scalar") != 0; }

/* The engine whose bits those of e must equal. */
static const fgd_engine *same_bits_engine(const fgd_engine *e) {
    return is_fused(e) ? fgd_find_engine(NULL, e->bits) : e;
}

/* Sums of up to 1025 products of values below 1, and functions of such sums, have errors of less than 300 units. */
static double tolerance(int bits) { return 300 * (bits == 32 ? 0x1p-23 : 0x1p-52); }

/* The largest difference between got (count,), of the engine's width, and want; NaN if one of them is NaN. */
static double error_of(int bits, const void *got, const double *want, ptrdiff_t count) {
    double error = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        double difference = fabs(real_at(bits, got, i) - want[i]);
        if (!(difference <= error) && !isnan(error)) error = difference;
    }
    return error;
}

/* Whether they differ only by rounding errors, relative to the largest value of want. */
static int close_to(int bits, const void *got, const double *want, ptrdiff_t count) {
    double largest = 0;
    for (ptrdiff_t i = 0; i < count; i++) largest = fmax(largest, fabs(want[i]));
    return error_of(bits, got, want, count) <= tolerance(bits) * largest;
}

/* Whether two arrays (count,) of the engine's width are equal in every bit. */
static int same_reals(int bits, const void *a, const void *b, ptrdiff_t count) {
    return !memcmp(a, b, (size_t)count * size_of(bits));
}

#endif
