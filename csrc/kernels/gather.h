/*
 * gather.h: rows of the caller's tables, converted to real.
 */
#ifndef FGD_GATHER_H
#define FGD_GATHER_H

#include "../fastgd.h"
#include "../simd/contract.h"
#include "../tables/input_types.h"

/* Row number `r` of those that `order` names, or without an order of all. */
ALWAYS_INLINE const char *row_at(const fgd_table *table, const int64_t *order, ptrdiff_t r) {
    return (const char *)table->data + (order ? (ptrdiff_t)order[r] : r) * table->stride;
}

/* Rows begin ... end - 1 (see row_at) are read now; those from `next` on come after them, if they are before `known`. */
typedef struct {
    const int64_t *order;
    ptrdiff_t begin, end, next, known;
} reading;

/* Bytes that are fetched ahead of the row that is read: lines enough to hide the way to memory, few enough for the CPU. */
enum { FETCH_AHEAD = 1024 };

/* How many rows are fetched ahead of that which is read: two or, if they are short, more; 0 where they are not known. */
ALWAYS_INLINE ptrdiff_t rows_ahead(const reading *of, size_t bytes) {
    ptrdiff_t ahead = 2 + FETCH_AHEAD / (ptrdiff_t)(bytes + LINE);
    return of->next + ahead <= of->known ? ahead : 0;
}

/*
 * to (end - begin, table->width), to_ld apart, <- the rows of a reading, line by line of the cache.  In shuffled data
 * every row begins with a miss that no prefetcher foresees: later rows are fetched, at the end those of the next reading.
 */
static void read_rows(const fgd_table *table, const reading *of, real *restrict to, ptrdiff_t to_ld) {
    int n = table->width;
    switch (table->type) {
#define ROW(name, type, convert)                                                               \
    case TYPE_##name: {                                                                        \
        ptrdiff_t ahead = rows_ahead(of, (size_t)n * sizeof(type));                            \
        for (ptrdiff_t r = of->begin; r < of->end; r++, to += to_ld) {                         \
            enum { LINEFUL = LINE / sizeof(type) };                                            \
            ptrdiff_t next = r + ahead < of->end ? r + ahead : r + ahead - of->end + of->next; \
            const type *from = (const type *)row_at(table, of->order, r);                      \
            const type *later = (const type *)row_at(table, of->order, next);                  \
            int j = 0;                                                                         \
            for (; j + LINEFUL <= n; j += LINEFUL) {                                           \
                prefetch_l1(later + j);                                                         \
                for (int i = j; i < j + LINEFUL; i++) to[i] = convert(from[i]);                \
            }                                                                                  \
            prefetch_l1(later + j);                                                             \
            for (; j < n; j++) {                                                               \
                KEEP_LOOP                                                                     \
                to[j] = convert(from[j]);                                                      \
            }                                                                                  \
        }                                                                                      \
        return;                                                                                \
    }
        FGD_TYPES(ROW)
#undef ROW
    }
}

/* The same of rows as they stand. */
static void read_table(const fgd_table *table, ptrdiff_t begin, ptrdiff_t end, real *restrict to, ptrdiff_t to_ld) {
    reading of = {NULL, begin, end, end, table->count};
    read_rows(table, &of, to, to_ld);
}

/* Whether all of x (rows, n) is finite: x 0 is 0, but NaN for what is not.  Several sums, as each waits for itself. */
static int rows_finite(const real *x, ptrdiff_t ld, ptrdiff_t rows, int n) {
    enum { SUMS = 4 };
    vec sum[SUMS];
    UNROLLED
    for (int s = 0; s < SUMS; s++) sum[s] = v_set(0);
    for (ptrdiff_t r = 0; r < rows; r++, x += ld) {
        int j = 0;
        for (; j + SUMS * VL <= n; j += SUMS * VL) {
            UNROLLED
            for (int s = 0; s < SUMS; s++) sum[s] = v_fma(v_load(x + j + s * VL), v_set(0), sum[s]);
        }
        for (; j < n; j += VL) sum[0] = v_fma(v_load_part(x + j, v_lanes(n - j)), v_set(0), sum[0]);
    }
    real lane[VL], total = 0;
    v_store(lane, v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
    for (int i = 0; i < VL; i++) total += lane[i];
    return total == 0;
}

#endif
