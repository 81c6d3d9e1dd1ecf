/* The engine of scalar, float32. */
#define FGD_BITS 32
#include "../simd/scalar.h"
#include "../engine/engine.h"
