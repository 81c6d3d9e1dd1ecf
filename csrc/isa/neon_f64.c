/* The engine of neon, float64. */
#if defined(__aarch64__)
#define FGD_BITS 64
#include "../simd/neon.h"
#include "../engine/engine.h"
#endif
