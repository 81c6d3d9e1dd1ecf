/* The engine of scalar, float32: for CPUs without vectors that fastgd knows, and small rather than fast. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os")
#endif
#define FGD_BITS 32
#include "../simd/scalar.h"
#include "../engine/engine.h"
