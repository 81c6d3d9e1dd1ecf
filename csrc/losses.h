/*
 * losses.h: the one home of every loss in C.  Its definition, with formula and source, is the class with the same name
 * in fastgd/losses.py.
 *
 * To add one: its row and its functions.  Nothing else in C changes.
 *
 * Losses look at VL rows of outputs at once, one row a lane, so that a sum along a row is one chain in its lane and its
 * bits do not depend on VL.  z, y, dz are columns: z[j * VL] .. z[j * VL + VL - 1] are output j of VL rows.
 *
 * MEAN rows are means over the outputs of a row:
 *   vec NAME_value(vec z, vec y, const double *c)      loss of one output
 *   vec NAME_slope(vec z, vec y, const double *c)      its derivative by z
 * WHOLE rows look at all outputs of a row; y are n columns, too, or for LABELS one, of class numbers within 0 .. n - 1:
 *   vec NAME_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c)
 *     returns the losses; dz <- scale * slope
 *
 * c are the numbers of the loss (fgd_loss.constant), NULL if it has none.
 */
#define FGD_LOSSES(MEAN, WHOLE, LABELS) MEAN(mse) MEAN(bce) LABELS(cross_entropy) WHOLE(soft_cross_entropy)

#define ROW(name) LOSS_##name,
enum { FGD_LOSSES(ROW, ROW, ROW) };
#undef ROW

#define NUMBERS(name) 0,
#define LABELS(name) 1,
static const int loss_needs_labels[] = {FGD_LOSSES(NUMBERS, NUMBERS, LABELS)};
#undef NUMBERS
#undef LABELS

#ifdef FGD_BITS

ALWAYS_INLINE vec mse_value(vec z, vec y, const double *c) {
    (void)c;
    vec d = v_sub(z, y);
    return v_mul(d, d);
}
ALWAYS_INLINE vec mse_slope(vec z, vec y, const double *c) {
    (void)c;
    vec d = v_sub(z, y);
    return v_add(d, d);
}

/* On logits: max(z, 0) - z y + ln(1 + e**-|z|), which overflows for no z. */
ALWAYS_INLINE vec bce_value(vec z, vec y, const double *c) {
    (void)c;
    vec rest = v_log1p(v_exp(v_sub(v_set(0), v_abs(z))));
    return v_add(v_fnma(z, y, v_max(v_set(0), z)), rest);
}
ALWAYS_INLINE vec bce_slope(vec z, vec y, const double *c) { return (void)c, v_sub(v_sigmoid(z), y); }

/* e <- e**(z - largest), column by column; returns their sum. */
static inline vec exponentials(int n, const real *z, real *e, vec *largest) {
    vec m = v_load(z), sum = v_set(0);
    for (int j = 1; j < n; j++) m = v_max(m, v_load(z + j * VL));
    for (int j = 0; j < n; j++) {
        vec x = v_exp(v_sub(v_load(z + j * VL), m));
        v_store(e + j * VL, x);
        sum = v_add(sum, x);
    }
    *largest = m;
    return sum;
}

/* ln sum e**z - z[y];  slope: softmax(z) - (j == y) */
static inline vec cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz, const double *c) {
    (void)c;
    vec largest, total = exponentials(n, z, dz, &largest), factor = v_div(scale, total);
    real z_label[VL], one[VL];
    for (int j = 0; j < n; j++) v_store(dz + j * VL, v_mul(v_load(dz + j * VL), factor));
    v_store(one, scale);
    for (int r = 0; r < VL; r++) {
        int at = (int)y[r] * VL + r;
        z_label[r] = z[at];
        dz[at] -= one[r];
    }
    return v_add(v_log(total), v_sub(largest, v_load(z_label)));
}

/* sum_j y_j (ln sum e**z - z_j);  slope: softmax(z) sum(y) - y */
static inline vec soft_cross_entropy_columns(int n, const real *z, const real *y, vec scale, real *dz,
                                             const double *c) {
    (void)c;
    vec largest, total = exponentials(n, z, dz, &largest), mass = v_set(0), rest = v_set(0);
    for (int j = 0; j < n; j++) {
        vec t = v_load(y + j * VL);
        mass = v_add(mass, t);
        rest = v_fma(t, v_sub(largest, v_load(z + j * VL)), rest);
    }
    vec factor = v_div(mass, total);
    for (int j = 0; j < n; j++) {
        vec slope = v_sub(v_mul(v_load(dz + j * VL), factor), v_load(y + j * VL));
        v_store(dz + j * VL, v_mul(scale, slope));
    }
    return v_fma(mass, v_log(total), rest);
}

#endif
