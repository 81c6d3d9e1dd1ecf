/*
 * inputs.h: the passes through the input layers, and their part of the gradient.  Each thread takes its own rows through
 * forward and backward, and its rows of each parameter, in the phase in which dW is computed.
 */
#ifndef FGD_INPUTS_H
#define FGD_INPUTS_H

#include "../kernels/update.h"
#include "../tables/input_layers.h"
#include "gradient.h"
#include "layers.h"
#include "partition.h"
#include "workspace.h"

/* From the own rows of X, at inputs[0].a, those of a[0]; returns 0 if a code is out of range. */
static int forward_inputs(const fgd_workspace *w, const real *theta, const row_group *g) {
    int fits = 1;
    for (int i = 0; i < w->net->n_inputs; i++) {
        const fgd_input_layer *layer = &w->net->input[i];
        const input_memory *in = &w->inputs[i];
        ptrdiff_t ld = i + 1 < w->net->n_inputs ? in[1].ld : w->at[0].ld;
        real *a = i + 1 < w->net->n_inputs ? in[1].a : w->at[0].a;
        for (int r = g->own0; r < g->own1; r++) {
            input_row row = {.layer = layer,
                             .theta = theta,
                             .x = in->a + r * in->ld,
                             .a = a + r * ld,
                             .kept = in->kept + r * in->kept_ld};
            fits &= functions_of_input[layer->kind].forward(&row);
        }
        theta += input_size(layer);
    }
    return fits;
}

/* All rows of the group of to (rows, n[0]), ld apart, <- dL/da[0], from dz[1]. */
static void first_layer_backward(const fgd_workspace *w, const fgd_noise *noise, real *to, ptrdiff_t ld,
                                 const row_group *g) {
    gemm_product p = {.operands = {.c = to, .c_row = ld}, .epilogue = {.kind = EPILOGUE_store}};
    row_group_wait(g);
    enter_phase(g->watch, phase_of_layer(FGD_BACKWARD, 0));
    layer_backward(w, 0, &p, g);
    row_group_wait(g);
    if (is_masked(w, noise, 0)) apply_mask(w, 0, to, ld, g->own0, g->own1);
}

/* From dz[1], the own rows of the gradient of every input layer's inputs; dX (rows, n_in) or NULL. */
static void backward_inputs(const fgd_workspace *w, const real *theta, const fgd_noise *noise, real *dX,
                            const row_group *g) {
    first_layer_backward(w, noise, w->at[0].dz, w->at[0].ld, g);
    theta += w->inputs_size;
    for (int i = w->net->n_inputs - 1; i >= 0; i--) {
        const fgd_input_layer *layer = &w->net->input[i];
        const input_memory *in = &w->inputs[i];
        const real *da = i + 1 < w->net->n_inputs ? in[1].da : w->at[0].dz;
        ptrdiff_t da_ld = i + 1 < w->net->n_inputs ? in[1].ld : w->at[0].ld, dx_ld = i > 0 ? in->ld : layer->n_in;
        real *dx = i > 0 ? in->da : dX;
        theta -= input_size(layer);
        for (int r = g->own0; r < g->own1; r++) {
            input_row row = {.layer = layer,
                             .theta = theta,
                             .x = in->a + r * in->ld,
                             .kept = in->kept + r * in->kept_ld,
                             .da = da + r * da_ld,
                             .dx = dx ? dx + r * dx_ld : NULL};
            functions_of_input[layer->kind].backward(&row);
        }
    }
}

/* A thread's rows of the gradient of each parameter, to the sink, and their update if it has one. */
static void input_gradients(const fgd_workspace *w, int rows, const gradient_sink *sink, worker self) {
    ptrdiff_t offset = 0;
    for (int i = 0; i < w->net->n_inputs; i++) {
        const input_memory *in = &w->inputs[i];
        int is_last = i + 1 == w->net->n_inputs;
        input_gradient g = {.layer = &w->net->input[i],
                            .rows = rows,
                            .x_ld = in->ld,
                            .da_ld = is_last ? w->at[0].ld : in[1].ld,
                            .kept_ld = in->kept_ld,
                            .x = in->a,
                            .da = is_last ? w->at[0].dz : in[1].da,
                            .kept = in->kept,
                            .accumulate = sink->accumulate};
        for (parameter_shape s; (s = input_shape(g.layer, g.p)).rows > 0; g.p++, offset += s.rows * s.columns) {
            g.i0 = part_begin(self, s.rows);
            g.i1 = part_end(self, s.rows);
            g.grad = sink->grad + offset;
            if (g.i0 < g.i1) functions_of_input[g.layer->kind].gradient(&g);
            if (sink->update)
                update_flat(sink->update, offset + g.i0 * s.columns, g.grad + g.i0 * s.columns,
                            (g.i1 - g.i0) * s.columns);
        }
    }
}

#endif
