/*
 * rows.h: the types of numbers that the engine reads from the caller's memory as they are.
 *
 * To add one: its row here (name, C type, conversion to real) and in fastgd/arrays.py.
 */
#define FGD_TYPES(ROW)           \
    ROW(uint8, uint8_t, AS_REAL) \
    ROW(int8, int8_t, AS_REAL)   \
    ROW(int16, int16_t, AS_REAL) \
    ROW(int32, int32_t, AS_REAL) \
    ROW(int64, int64_t, AS_REAL) \
    ROW(float16, uint16_t, real_of_half) ROW(float32, float, AS_REAL) ROW(float64, double, AS_REAL)

#define ROW(name, type, convert) TYPE_##name,
enum { FGD_TYPES(ROW) };
#undef ROW

#ifdef FGD_BITS

#define AS_REAL(x) ((real)(x))

/*
 * IEEE binary16 from its bits, exactly.  A multiplication rebases the exponent, which mends subnormal numbers too; inf
 * and NaN are set apart.
 */
ALWAYS_INLINE real real_of_half(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13, bits;
    float x;
    memcpy(&x, &magnitude, sizeof x);
    x *= 0x1p112f;
    memcpy(&bits, &x, sizeof x);
    if (magnitude >= 0x0f800000) bits = magnitude | 0x7f800000;
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* to (table->width,) <- row number `row` */
static void read_row(const fgd_table *table, ptrdiff_t row, real *restrict to) {
    const char *from = (const char *)table->data + row * table->stride;
    int n = table->width;
    switch (table->type) {
#define ROW(name, type, convert)                                              \
    case TYPE_##name:                                                         \
        for (int j = 0; j < n; j++) to[j] = convert(((const type *)from)[j]); \
        return;
        FGD_TYPES(ROW)
#undef ROW
    }
}

#endif
