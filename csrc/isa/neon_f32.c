/* The engine of neon, float32. */
#if defined(__aarch64__)
#define FGD_BITS 32
#include "../simd/neon.h"
#include "../engine/engine.h"
#endif
