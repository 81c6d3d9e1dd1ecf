/* The engine of avx512, float64. */
#if defined(__x86_64__) || defined(_M_X64)
#define FGD_BITS 64
#include "../simd/avx512.h"
#include "../engine/engine.h"
#endif
