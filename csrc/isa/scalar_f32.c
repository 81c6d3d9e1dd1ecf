/* The engine of scalar, float32: for CPUs without vectors that fastgd knows. */
#include "../optimize_for_size.h"
#define FGD_BITS 32
#include "../simd/scalar.h"
#include "../engine/engine.h"
