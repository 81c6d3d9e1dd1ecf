/*
 * gradient_sink.h: what becomes of the gradients that a thread computes.
 */
#ifndef FGD_GRADIENT_SINK_H
#define FGD_GRADIENT_SINK_H

#include "../kernels/pack.h"
#include "../kernels/update.h"
#include "partition.h"
#include "phases.h"

typedef struct {
    const update_context *update; /* of theta; NULL: the gradient is written to grad */
    real *grad;                   /* (size,) */
    const pack_buffers *buffers;  /* of this thread */
    int accumulate;               /* 1: the sums start at grad */
    int whole_rows;               /* 1: each thread has rows of all columns, as what follows requires */
    int transposes;               /* 1: after an update W is transposed, because another step follows */
    const fgd_layer *layer;       /* the current one, and its W transposed, or NULL */
    real *wt;
    stopwatch *watch;             /* of this thread, or NULL */
    const own_columns *own;       /* of this thread, or NULL */
} gradient_sink;

#endif
