/*
 * range.h: a range cut into nearly equal parts.
 */
#ifndef FGD_RANGE_H
#define FGD_RANGE_H

#include <stddef.h>

/* Where part number `part` of `parts` begins in `count` items, and part - 1 ends. */
static inline ptrdiff_t partition(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts) {
    return parts == 1 ? count * part : count * part / parts; /* a division takes as long as ten multiplications */
}

#endif
