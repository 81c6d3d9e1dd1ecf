/*
 * gather.h: rows of the caller's tables, converted to real.
 */
#ifndef FGD_GATHER_H
#define FGD_GATHER_H

#include "../fastgd.h"
#include "../simd/contract.h"
#include "../simd/denormals.h"
#include "../tables/input_types.h"

/* The address of row order[r] of a table, or of row r if order is NULL. */
ALWAYS_INLINE const char *row_at(const fgd_table *table, const int64_t *order, ptrdiff_t r) {
    return (const char *)table->data + (order ? (ptrdiff_t)order[r] : r) * table->stride;
}

/* Rows [begin, end) in the sense of row_at, to be read now, and row `next`, where the following range begins.  Rows
   from `known` on may not exist. */
typedef struct {
    const int64_t *order;
    ptrdiff_t begin, end, next, known;
} gather_range;

/* How far ahead of the row being read data is prefetched: enough lines to hide the latency of memory, few enough for
   the CPU to have them under way at once. */
enum { PREFETCH_BYTES = 1024 };

/* The same in rows: two, or more if they are short; 0 if the range may have no rows to prefetch at its end. */
ALWAYS_INLINE ptrdiff_t prefetch_distance(const gather_range *range, size_t row_bytes) {
    ptrdiff_t ahead = 2 + PREFETCH_BYTES / (ptrdiff_t)(row_bytes + LINE);
    return range->next + ahead <= range->known ? ahead : 0;
}

/*
 * to (end - begin, table->width), to_ld apart, <- the rows of a range, one cache line at a time.  In shuffled data
 * every row begins with a miss that no hardware prefetcher predicts: later rows are prefetched, and at the end of the
 * range the first ones of the next.
 */
static void gather_rows(const fgd_table *table, const gather_range *range, real *restrict to, ptrdiff_t to_ld) {
    int n = table->width;
    switch (table->type) {
#define TYPE(name, c_type, convert)                                                                     \
    case TYPE_##name: {                                                                                 \
        ptrdiff_t ahead = prefetch_distance(range, (size_t)n * sizeof(c_type));                         \
        for (ptrdiff_t r = range->begin; r < range->end; r++, to += to_ld) {                            \
            enum { PER_LINE = LINE / sizeof(c_type) };                                                  \
            ptrdiff_t next = r + ahead < range->end ? r + ahead : r + ahead - range->end + range->next; \
            const c_type *from = (const c_type *)row_at(table, range->order, r);                        \
            const c_type *later = (const c_type *)row_at(table, range->order, next);                    \
            int j = 0;                                                                                  \
            for (; j + PER_LINE <= n; j += PER_LINE) {                                                  \
                prefetch_l1(later + j);                                                                 \
                VECTORIZED                                                                              \
                for (int i = j; i < j + PER_LINE; i++) to[i] = convert(from[i]);                        \
            }                                                                                           \
            prefetch_l1(later + j);                                                                     \
            for (; j < n; j++) {                                                                        \
                KEEP_LOOP                                                                               \
                to[j] = convert(from[j]);                                                               \
            }                                                                                           \
        }                                                                                               \
        return;                                                                                         \
    }
        FGD_TYPES(TYPE)
#undef TYPE
    }
}

/* Likewise, rows [begin, end) of the table in their own order. */
static void read_table(const fgd_table *table, ptrdiff_t begin, ptrdiff_t end, real *restrict to, ptrdiff_t to_ld) {
    gather_range range = {.begin = begin, .end = end, .next = end, .known = table->count};
    gather_rows(table, &range, to, to_ld);
}

/* Whether all of x (rows, n) is finite: the sum of 0 x is NaN if it is not.  Several sums hide the latency. */
static int all_finite(const real *x, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t n) {
    enum { SUMS = 4 };
    vec sum[SUMS];
    UNROLLED
    for (int s = 0; s < SUMS; s++) sum[s] = v_set(0);
    for (ptrdiff_t r = 0; r < rows; r++, x += ld) {
        ptrdiff_t j = 0;
        for (; j + SUMS * VL <= n; j += SUMS * VL) {
            UNROLLED
            for (int s = 0; s < SUMS; s++) sum[s] = v_fma(v_load(x + j + s * VL), v_set(0), sum[s]);
        }
        for (ptrdiff_t left = n - j; left > 0; left -= VL, j += VL)
            sum[0] = v_fma(v_load_part(x + j, v_lanes(left)), v_set(0), sum[0]);
    }
    real lane[VL], total = 0;
    v_store(lane, v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
    for (int i = 0; i < VL; i++) total += lane[i];
    return total == 0;
}

/* Whether all of a table is finite in real. */
static int table_is_finite(const fgd_table *table) {
    DENORMALS_ARE_ZERO;
    enum { BLOCK = 512 };
    real block[BLOCK];
    ptrdiff_t size = (ptrdiff_t)sizeof(real);
    if (table->type == TYPE_real && table->stride % size == 0)
        return all_finite(table->data, table->stride / size, table->count, table->width);
    for (int j = 0; j < table->width; j += BLOCK) {
        fgd_table part = *table;
        part.data = (const char *)table->data + j * type_size[table->type];
        part.width = table->width - j < BLOCK ? table->width - j : BLOCK;
        for (ptrdiff_t row = 0, rows = BLOCK / part.width; row < table->count; row += rows) {
            ptrdiff_t end = row + rows < table->count ? row + rows : table->count;
            read_table(&part, row, end, block, part.width);
            if (!all_finite(block, part.width, end - row, part.width)) return 0;
        }
    }
    return 1;
}

#endif
