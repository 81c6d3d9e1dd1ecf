/*
 * check.h: what passed, what failed, and how close is close.
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
static const fgd_engine *engine; /* on which a group runs now */

static void check(int ok, const char *format, ...) {
    ok ? passed++ : failed++;
    if (ok) return;
    va_list what;
    va_start(what, format);
    printf("\n    FAILED on %s f%d: ", engine->isa, engine->bits);
    vprintf(format, what);
    va_end(what);
}

/* Rows of one of the core's tables. */
static int count_of(const char *(*name)(int)) {
    int count = 0;
    while (name(count)) count++;
    return count;
}
static int row_named(const char *(*name)(int), const char *wanted) {
    int row = 0;
    while (strcmp(name(row), wanted) != 0) row++;
    return row;
}

/* Engines whose multiply-add is rounded once, and which therefore agree in every bit. */
static int is_fused(const fgd_engine *e) { return strcmp(e->isa, "scalar") != 0; }

/* Sums of up to 1025 products of numbers below 1, and what functions make of them, lose less than 300 units. */
static double tolerance(int bits) { return 300 * (bits == 32 ? 0x1p-23 : 0x1p-52); }

/* The largest difference of got (count,), of the engine's width, from want; NaN if one is NaN. */
static double error_of(int bits, const void *got, const double *want, ptrdiff_t count) {
    double error = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        double difference = fabs(real_at(bits, got, i) - want[i]);
        if (!(difference <= error) && !isnan(error)) error = difference;
    }
    return error;
}

/* They differ by rounding errors of the size of want's largest number. */
static int close_to(int bits, const void *got, const double *want, ptrdiff_t count) {
    double largest = 0;
    for (ptrdiff_t i = 0; i < count; i++) largest = fmax(largest, fabs(want[i]));
    return error_of(bits, got, want, count) <= tolerance(bits) * largest;
}

#endif
