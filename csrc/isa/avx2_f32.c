/* The engine of avx2, float32. */
#if defined(__x86_64__) || defined(_M_X64)
#define FGD_BITS 32
#include "../simd/avx2.h"
#include "../engine/engine.h"
#endif
