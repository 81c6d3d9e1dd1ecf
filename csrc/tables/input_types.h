/*
 * input_types.h: the element types that the engine reads directly from the caller's memory.
 *
 * To add one: its entry here (name, C type, conversion to real) and in fastgd/data/arrays.py.
 */
#ifndef FGD_INPUT_TYPES_H
#define FGD_INPUT_TYPES_H

#include <stdint.h>

/* clang-format off */
#define FGD_TYPES(TYPE)                  \
    TYPE(uint8, uint8_t, AS_REAL)        \
    TYPE(int8, int8_t, AS_REAL)          \
    TYPE(int16, int16_t, AS_REAL)        \
    TYPE(int32, int32_t, AS_REAL)        \
    TYPE(int64, int64_t, AS_REAL)        \
    TYPE(float16, uint16_t, half_to_real) \
    TYPE(float32, float, AS_REAL)        \
    TYPE(float64, double, AS_REAL)
/* clang-format on */

#define TYPE(name, c_type, convert) TYPE_##name,
enum { FGD_TYPES(TYPE) };
#undef TYPE

#ifndef FGD_NAMES_ONLY

#include "../simd/contract.h"

#define AS_REAL(x) ((real)(x))

#define TYPE(name, c_type, convert) sizeof(c_type),
static const ptrdiff_t type_size[] = {FGD_TYPES(TYPE)};
#undef TYPE

enum { TYPE_real = FGD_BITS == 32 ? TYPE_float32 : TYPE_float64 };

/*
 * An IEEE binary16 from its bits, exactly.  Its subnormals, with an exponent of 0, are normal as real: integers times
 * 2**-24.  The exponent of all others is rebased, by twice as much for inf and NaN.
 */
ALWAYS_INLINE real half_to_real(uint16_t half) {
    uint32_t magnitude = half & 0x7fff, rebase = 112u << 23, subnormal, bits;
    float x = (float)(int32_t)magnitude * 0x1p-24f;
    memcpy(&subnormal, &x, sizeof x);
    bits = (magnitude << 13) + (magnitude < 0x7c00 ? rebase : 2 * rebase);
    bits = (magnitude < 0x400 ? subnormal : bits) | (uint32_t)(half & 0x8000) << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif

#endif
