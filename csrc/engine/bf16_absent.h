/*
 * bf16_absent.h: what engines of 64 bits have in place of bf16 products, which only networks of 32 bits use.
 */
#ifndef FGD_BF16_ABSENT_H
#define FGD_BF16_ABSENT_H

#include "../kernels/gather.h"
#include "gradient_sink.h"
#include "partition.h"
#include "workspace.h"

static inline void round_activations(UNUSED const fgd_workspace *w, UNUSED int l, UNUSED const row_group *g) {}
static inline void round_gradients(UNUSED const fgd_workspace *w, UNUSED int l, UNUSED const row_group *g) {}
static inline void round_all_weights(UNUSED const fgd_workspace *w, UNUSED const real *theta, UNUSED worker self) {}
static inline void bf16_layer_forward(UNUSED const fgd_workspace *w, UNUSED int l, UNUSED const real *W,
                                      UNUSED real *to, UNUSED int complete, UNUSED const row_group *g) {}
static inline void bf16_layer_backward(UNUSED const fgd_workspace *w, UNUSED int l, UNUSED const real *x,
                                       UNUSED int complete, UNUSED const row_group *g) {}
static inline void bf16_input_gradient(UNUSED const fgd_workspace *w, UNUSED real *to, UNUSED ptrdiff_t ld,
                                       UNUSED const row_group *g) {}
static inline void bf16_gradients(UNUSED const fgd_workspace *w, UNUSED int rows, UNUSED const gradient_sink *sink,
                                  UNUSED worker self, UNUSED thread_grid grid) {}

static inline ptrdiff_t blocks_size(UNUSED const fgd_net *net) { return 0; }
static inline void take_blocks(UNUSED const fgd_workspace *w, UNUSED const real *theta, UNUSED real *blocks) {}
static inline void return_blocks(UNUSED const fgd_workspace *w, UNUSED real *theta) {}

static inline void gather_rounded(UNUSED const fgd_workspace *w, UNUSED const fgd_table *X,
                                  UNUSED const gather_range *range, UNUSED int thread) {}

#endif
