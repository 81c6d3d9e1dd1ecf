/*
 * activations.h: the one home of every activation in C.  Its definition, with formula and source, is the class of the
 * same name in fastgd/activations.py.
 *
 * To add one: its row and its two functions.  Nothing else in C changes.
 *
 *   vec NAME_forward(vec z, const double *c)           a = f(z)
 *   vec NAME_backward(vec x, vec g, const double *c)   g f'(z), written through x: of an A row the output a, so that z
 *                                                      need not be kept; of a Z row the input z
 *
 * c are the numbers of the activation (fgd_layer.constant), NULL if it has none.
 */
#define FGD_ACTIVATIONS(A, Z) A(identity) A(sigmoid) A(hard_sigmoid) A(tanh) A(relu)

#define ROW(name) ACTIVATION_##name,
enum { FGD_ACTIVATIONS(ROW, ROW) };
#undef ROW

#define THROUGH_A(name) 0,
#define THROUGH_Z(name) 1,
static const int activation_needs_z[] = {FGD_ACTIVATIONS(THROUGH_A, THROUGH_Z)};
#undef THROUGH_A
#undef THROUGH_Z

#ifdef FGD_BITS /* inside an engine: the functions too, not only the rows */

ALWAYS_INLINE vec identity_forward(vec z, const double *c) { return (void)c, z; }
ALWAYS_INLINE vec identity_backward(vec a, vec g, const double *c) { return (void)a, (void)c, g; }

ALWAYS_INLINE vec sigmoid_forward(vec z, const double *c) { return (void)c, v_sigmoid(z); }
ALWAYS_INLINE vec sigmoid_backward(vec a, vec g, const double *c) { return (void)c, v_mul(g, v_fnma(a, a, a)); }

ALWAYS_INLINE vec hard_sigmoid_forward(vec z, const double *c) {
    (void)c;
    return v_max(v_set(0), v_min(v_set(1), v_fma(z, v_set(1. / 6), v_set(0.5))));
}
ALWAYS_INLINE vec hard_sigmoid_backward(vec a, vec g, const double *c) {
    (void)c;
    vec inside = v_blend(v_gt(a, v_set(0)), v_mul(g, v_set(1. / 6)), v_set(0));
    return v_blend(v_gt(v_set(1), a), inside, v_set(0));
}

ALWAYS_INLINE vec tanh_forward(vec z, const double *c) { return (void)c, v_tanh(z); }
ALWAYS_INLINE vec tanh_backward(vec a, vec g, const double *c) { return (void)c, v_mul(g, v_fnma(a, a, v_set(1))); }

ALWAYS_INLINE vec relu_forward(vec z, const double *c) { return (void)c, v_max(v_set(0), z); }
ALWAYS_INLINE vec relu_backward(vec a, vec g, const double *c) {
    return (void)c, v_blend(v_gt(a, v_set(0)), g, v_set(0));
}

#endif
