/*
 * input_layers.h: every layer that may precede the first layer of weights.  Definitions: fastgd/layers/inputs.py,
 * embedding.py and periodic.py.
 *
 * To add one: its entry in the list, with the number of values that it keeps of each row, and a header with its
 * functions.  Its parameters are matrices, one after the other in theta.  Rows are independent of each other but for the
 * gradient, each element of which is a sum over the rows in their order.
 *
 *   parameter_shape NAME_shape(layer, p)    of parameter number p
 *   int NAME_forward(row)                   0: a code is out of range, and was taken for 0
 *   void NAME_backward(row)
 *   void NAME_gradient(g)
 */
#ifndef FGD_INPUT_LAYERS_H
#define FGD_INPUT_LAYERS_H

/* clang-format off */
#define FGD_INPUT_LAYERS(ENTRY) \
    ENTRY(scale, 0)             \
    ENTRY(embedding, 0)         \
    ENTRY(periodic_embedding, layer->n_columns * (ptrdiff_t)(1 + 3 * layer->sizes[0]))
/* clang-format on */

#define INPUT_LAYER(name, kept) INPUT_LAYER_##name,
enum { FGD_INPUT_LAYERS(INPUT_LAYER) INPUT_LAYERS };
#undef INPUT_LAYER

#ifndef FGD_NAMES_ONLY

#include "embedding.h"
#include "periodic.h"
#include "scale.h"

typedef struct {
    parameter_shape (*shape)(const fgd_input_layer *layer, int p);
    int (*forward)(const input_row *row);
    void (*backward)(const input_row *row);
    void (*gradient)(const input_gradient *g);
} input_functions;

#define INPUT_LAYER(name, kept) {name##_shape, name##_forward, name##_backward, name##_gradient},
static const input_functions functions_of_input[] = {FGD_INPUT_LAYERS(INPUT_LAYER)};
#undef INPUT_LAYER

static parameter_shape input_shape(const fgd_input_layer *layer, int p) {
    return functions_of_input[layer->kind].shape(layer, p);
}

/* Values that are kept of a row. */
static ptrdiff_t input_kept(const fgd_input_layer *layer) {
    switch (layer->kind) {
#define INPUT_LAYER(name, kept) \
    case INPUT_LAYER_##name: return kept;
        FGD_INPUT_LAYERS(INPUT_LAYER)
#undef INPUT_LAYER
    default: return 0;
    }
}

#endif
#endif
