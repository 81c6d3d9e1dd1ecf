/* The engine of scalar, float64. */
#define FGD_BITS 64
#include "../simd/scalar.h"
#include "../engine/engine.h"
