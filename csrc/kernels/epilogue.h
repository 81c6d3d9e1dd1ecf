/*
 * epilogue.h: the functions that a matrix product may apply to its finished tiles.
 */
#ifndef FGD_EPILOGUE_H
#define FGD_EPILOGUE_H

#include "../simd/contract.h"
#include "../tables/activations.h"
#include "../tables/rules.h"

/*
 * These epilogues are compiled into the kernels, where the tile is still in registers: that saves 8 % of a step of
 * digits and 3 % of one of mnist-big over a tile in memory, which is what EPILOGUE_callback gets.  Each entry names the
 * function that is applied, and the activation or the rule that it belongs to:
 *
 *   STORE      c <- tile
 *   FORWARD    c <- function(tile)
 *   BACKWARD   c <- function(x, tile), x being laid out like c
 *   UPDATE     theta <- function(theta, tile), of a rule without state
 */
/* clang-format off */
#define FGD_EPILOGUES(STORE, FORWARD, BACKWARD, UPDATE) \
    STORE(store, identity)                              \
    FORWARD(relu_forward, relu)                         \
    BACKWARD(relu_backward, relu)                       \
    BACKWARD(sigmoid_backward, sigmoid)                 \
    BACKWARD(tanh_backward, tanh)                       \
    UPDATE(sgd_step, sgd)
/* clang-format on */

#define EPILOGUE(function, of) EPILOGUE_##function,
enum { EPILOGUE_callback, FGD_EPILOGUES(EPILOGUE, EPILOGUE, EPILOGUE, EPILOGUE) };
#undef EPILOGUE

#define NO_EPILOGUE(function, of) /* for the entries that a use of the list leaves out */

/* Whether an epilogue reads the elements that it overwrites or, BACKWARD, those of x. */
ALWAYS_INLINE int epilogue_reads(const int kind) {
    switch (kind) {
#define READS(function, of) \
    case EPILOGUE_##function: return 1;
        FGD_EPILOGUES(NO_EPILOGUE, NO_EPILOGUE, READS, READS)
#undef READS
    default: return 0;
    }
}

ALWAYS_INLINE int epilogue_updates(const int kind) {
    switch (kind) {
#define UPDATES(function, of) \
    case EPILOGUE_##function: return 1;
        FGD_EPILOGUES(NO_EPILOGUE, NO_EPILOGUE, NO_EPILOGUE, UPDATES)
#undef UPDATES
    default: return 0;
    }
}

/* The result for sum, a vector of the tile; old: the elements that were read, if any; c: coefficients of the rule. */
ALWAYS_INLINE vec epilogue_value(const int kind, vec sum, vec old, const vec *c) {
    switch (kind) {
#define FORWARD(function, of) \
    case EPILOGUE_##function: return function(sum, NULL);
#define BACKWARD(function, of) \
    case EPILOGUE_##function: return function(old, sum, NULL);
#define UPDATE(function, of) \
    case EPILOGUE_##function: return function(old, sum, NULL, c);
        FGD_EPILOGUES(NO_EPILOGUE, FORWARD, BACKWARD, UPDATE)
#undef FORWARD
#undef BACKWARD
#undef UPDATE
    default: return sum;
    }
}

#endif
