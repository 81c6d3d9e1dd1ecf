/*
 * amx.h: products of bf16 factors by the instructions of x86 for them; kernels/bf16_product.h says what they compute.
 * A part of avx512.h, of 32 bits only.
 *
 * TDPBF16PS adds the product of two tiles of 1 KiB to a third one, exactly as defined there, whatever MXCSR says.
 * VDPBF16PS is two links of a chain in each lane: of the high halves of two words, then of the low ones.
 */
#ifndef FGD_SIMD_AMX_H
#define FGD_SIMD_AMX_H

#include "avx512.h"

#if defined(FGD_HAS_AMX) && FGD_BITS == 32
#define FGD_BF16_INSTRUCTIONS

extern atomic_int fgd_converts_bf16, fgd_dots_are_faster; /* dispatch.c */
int fgd_may_use_tiles(void);

/* ---- tiles ---- */

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Some compilers believe that the instruction reads 8 bytes: the others have to be in memory. */
static void load_tile_config(const tile_config *config) {
    __asm__ volatile("" : : "r"(config) : "memory");
    _tile_loadconfig(config);
}

/* All eight tiles have 16 rows of 64 bytes.  Returns the configuration that another user of this thread has left. */
static tile_config configure_tiles(int use) {
    tile_config before = {0}, all = {.palette = 1};
    if (!use) return before;
    for (int i = 0; i < 8; i++) {
        all.row_bytes[i] = 64;
        all.rows[i] = 16;
    }
    _tile_storeconfig(&before);
    __asm__ volatile("" : : "r"(&before) : "memory");
    load_tile_config(&all);
    return before;
}

/* Tiles that are in use make a switch of threads slower. */
static void release_tiles(int use, const tile_config *before) {
    if (use && before->palette)
        load_tile_config(before);
    else if (use)
        _tile_release();
}

/* The four tiles of a block of C (32, 32), in memory at c; sums that are kept in tiles 0 to 3 until tiles_store. */
ALWAYS_INLINE void tiles_zero(void) {
    __asm__ volatile("" ::: "memory"); /* what is stored before is in memory: compilers do not know what tiles read */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}
ALWAYS_INLINE void tiles_load(const real *c) {
    __asm__ volatile("" ::: "memory");
    _tile_loadd(0, c, 128);
    _tile_loadd(1, c + 16, 128);
    _tile_loadd(2, c + 16 * 32, 128);
    _tile_loadd(3, c + 16 * 32 + 16, 128);
}
ALWAYS_INLINE void tiles_store(real *c) {
    _tile_stored(0, c, 128);
    _tile_stored(1, c + 16, 128);
    _tile_stored(2, c + 16 * 32, 128);
    _tile_stored(3, c + 16 * 32 + 16, 128);
    __asm__ volatile("" ::: "memory");
}

/* += the product of a block of A and one of B, of two tiles each */
ALWAYS_INLINE void tiles_multiply(const real *a, const real *b) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + 256, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + 256, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/* ---- vectors ---- */

ALWAYS_INLINE int converts_bf16(void) { return atomic_load_explicit(&fgd_converts_bf16, memory_order_relaxed); }

/* Rows 2 p and 2 p + 1 of a block, rounded, to 16 words each at `rows`, and as pairs to both tiles. */
ALWAYS_INLINE void convert_row_pair(const vec even[2], const vec odd[2], real *rows, real *pairs0, real *pairs1) {
    __m512i a = (__m512i)_mm512_cvtne2ps_pbh(even[1], even[0]), b = (__m512i)_mm512_cvtne2ps_pbh(odd[1], odd[0]);
    __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5,
                                   36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    _mm512_storeu_si512(rows, a);
    _mm512_storeu_si512(rows + 16, b);
    _mm512_storeu_si512(pairs0, _mm512_permutex2var_epi16(a, low, b));
    _mm512_storeu_si512(pairs1, _mm512_permutex2var_epi16(a, high, b));
}

/* sum + the products of the high halves of a and b, then of the low halves */
ALWAYS_INLINE vec v_dot(vec a, vec b, vec sum) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

/* Of words of columns k, k + 1 and k + 2, k + 3: words for v_dot, of the even columns and of the odd ones. */
ALWAYS_INLINE vec v_even_links(vec first, vec second) {
    return _mm512_castsi512_ps(_mm512_mask_blend_epi16(0x55555555, _mm512_slli_epi32(_mm512_castps_si512(first), 16),
                                                       _mm512_castps_si512(second)));
}
ALWAYS_INLINE vec v_odd_links(vec first, vec second) {
    return _mm512_castsi512_ps(_mm512_mask_blend_epi16(0x55555555, _mm512_castps_si512(first),
                                                       _mm512_srli_epi32(_mm512_castps_si512(second), 16)));
}

/* The 16 words of a row of A as 8 words of its even columns and 8 of the odd ones. */
ALWAYS_INLINE vec v_links_of_row(vec words) {
    __m512i halves = _mm512_set_epi16(29, 31, 25, 27, 21, 23, 17, 19, 13, 15, 9, 11, 5, 7, 1, 3, 28, 30, 24, 26, 20, 22,
                                      16, 18, 12, 14, 8, 10, 4, 6, 0, 2);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(halves, _mm512_castps_si512(words)));
}

#endif

#endif
