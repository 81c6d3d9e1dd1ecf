/* The engine of scalar, float64: for CPUs without vectors that fastgd knows. */
#include "../optimize_for_size.h"
#define FGD_BITS 64
#include "../simd/scalar.h"
#include "../engine/engine.h"
