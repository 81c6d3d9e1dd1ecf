/*
 * losses.h: the one home of every loss in C.  Its definition, with formula and source, is the class with the same name
 * in fastgd/losses.py.
 *
 * To add one: its row and its functions.  Nothing else in C changes.
 *
 * MEAN rows are means over the outputs of a row; y (n,) are numbers:
 *   vec NAME_value(vec z, vec y, const double *c)      loss of one output
 *   vec NAME_slope(vec z, vec y, const double *c)      its derivative by z
 * WHOLE rows look at the row as one:
 *   real NAME_row(int n, const real *z, const real *y, real scale, real *dz, const double *c)
 *     returns the row's loss; dz (n,) <- scale * slope.  y (n,), or for LABELS y (1,): a class number within 0 .. n - 1.
 *
 * c are the numbers of the loss (fgd_loss.constant), NULL if it has none.
 */
#define FGD_LOSSES(MEAN, WHOLE, LABELS) \
    MEAN(mse) MEAN(bce) LABELS(cross_entropy) WHOLE(soft_cross_entropy)

#define ROW(name) LOSS_##name,
enum { FGD_LOSSES(ROW, ROW, ROW) };
#undef ROW

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

/* e (n,) <- e**(z - max z); returns ln of their sum, and the largest z and the sum. */
static inline real exponentials(int n, const real *z, real *e, real *largest, real *total) {
    vec m = v_set(z[0]);
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        vec x = v_load_part(z + j, in);
        m = v_blend(in, v_max(m, x), m);
    }
    real lane[VL];
    v_store(lane, m);
    *largest = lane[0];
    for (int i = 1; i < VL; i++) *largest = lane[i] > *largest ? lane[i] : *largest;

    row_sum sum = row_sum_zero();
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        vec x = v_exp(v_sub(v_load_part(z + j, in), v_set(*largest)));
        v_store_part(e + j, x, in);
        row_sum_add(&sum, j, x, in);
    }
    *total = row_sum_total(&sum);
    return log_of(*total);
}

/* ln sum e**z - z[y] */
static inline real cross_entropy_row(int n, const real *z, const real *y, real scale, real *dz, const double *c) {
    (void)c;
    int label = (int)y[0];
    real largest, total, ln_total = exponentials(n, z, dz, &largest, &total);
    vec factor = v_set(scale / total);
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        v_store_part(dz + j, v_mul(v_load_part(dz + j, in), factor), in);
    }
    real loss = ln_total + (largest - z[label]);
    dz[label] -= scale;
    return loss;
}

/* sum_j y_j (ln sum e**z - z_j);  slope: softmax(z) sum(y) - y */
static inline real soft_cross_entropy_row(int n, const real *z, const real *y, real scale, real *dz, const double *c) {
    (void)c;
    real largest, total, ln_total = exponentials(n, z, dz, &largest, &total);
    row_sum loss = row_sum_zero(), mass = row_sum_zero();
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        vec t = v_load_part(y + j, in);
        vec minus_ln_p = v_add(v_set(ln_total), v_sub(v_set(largest), v_load_part(z + j, in)));
        row_sum_add(&loss, j, v_mul(t, minus_ln_p), in);
        row_sum_add(&mass, j, t, in);
    }
    vec factor = v_set(row_sum_total(&mass) / total), s = v_set(scale);
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        vec slope = v_sub(v_mul(v_load_part(dz + j, in), factor), v_load_part(y + j, in));
        v_store_part(dz + j, v_mul(s, slope), in);
    }
    return row_sum_total(&loss);
}

#endif
