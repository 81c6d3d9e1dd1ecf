/*
 * losses.h: the one home of every loss in C.  Its definition, with formula and source, is the class with the same name
 * in fastgd/losses.py.
 *
 * To add one: its row and its functions.  Nothing else in C changes.
 *
 * MEAN rows are means over the outputs of a row; y are numbers:
 *   vec NAME_value(vec z, vec y, const double *c)      loss of one output
 *   vec NAME_slope(vec z, vec y, const double *c)      its derivative by z
 * WHOLE rows look at a row of outputs as one, and at `rows` <= VL rows at a time, so that what is one number a row can be
 * one vector for all of them:
 *   void NAME_rows(const loss_block *b, const double *c)
 * LABELS are such, too; their y are class numbers within 0 .. n - 1, one a row.
 *
 * c are the numbers of the loss (fgd_loss.constant), NULL if it has none.
 */
#define FGD_LOSSES(MEAN, WHOLE, LABELS) \
    MEAN(mse) MEAN(bce) LABELS(cross_entropy) WHOLE(soft_cross_entropy)

#define ROW(name) LOSS_##name,
enum { FGD_LOSSES(ROW, ROW, ROW) };
#undef ROW

#define NUMBERS(name) 0,
#define LABELS(name) 1,
static const int loss_needs_labels[] = {FGD_LOSSES(NUMBERS, NUMBERS, LABELS)};
#undef NUMBERS
#undef LABELS

#ifdef FGD_BITS

/* Outputs z and targets y of some rows; out: their losses and dz = scale * slope. */
typedef struct {
    int rows, n;
    const real *z, *y; /* (rows, n) and (rows, n or 1), ld apart */
    ptrdiff_t ld;
    const real *scale; /* (rows,) */
    real *dz;          /* (rows, n), dz_ld apart */
    ptrdiff_t dz_ld;
    real *loss; /* (rows,) */
} loss_block;

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

/* e (n,) <- e**(z - max z); returns their sum. */
ALWAYS_INLINE real exponentials(int n, const real *z, real *e, real *largest) {
    vec m = v_set(z[0]);
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        m = v_blend(in, v_max(m, v_load_part(z + j, in)), m);
    }
    *largest = largest_lane(m);
    row_sum sum = row_sum_zero();
    for (int j = 0; j < n; j += VL) {
        lanes in = v_lanes(n - j);
        vec x = v_exp(v_sub(v_load_part(z + j, in), v_set(*largest)));
        v_store_part(e + j, x, in);
        row_sum_add(&sum, j, x, in);
    }
    return row_sum_total(&sum);
}

/* ln sum e**z - z[y] */
static inline void cross_entropy_rows(const loss_block *b, const double *c) {
    (void)c;
    real total[VL] = {0}, rest[VL] = {0};
    for (int r = 0; r < b->rows; r++) {
        const real *z = b->z + r * b->ld;
        real *dz = b->dz + r * b->dz_ld, largest;
        int label = (int)b->y[r * b->ld];
        total[r] = exponentials(b->n, z, dz, &largest);
        rest[r] = largest - z[label];
        vec factor = v_set(b->scale[r] / total[r]);
        for (int j = 0; j < b->n; j += VL) {
            lanes in = v_lanes(b->n - j);
            v_store_part(dz + j, v_mul(v_load_part(dz + j, in), factor), in);
        }
        dz[label] -= b->scale[r];
    }
    v_store_part(b->loss, v_add(v_log(v_load(total)), v_load(rest)), v_lanes(b->rows));
}

/* sum_j y_j (ln sum e**z - z_j);  slope: softmax(z) sum(y) - y */
static inline void soft_cross_entropy_rows(const loss_block *b, const double *c) {
    (void)c;
    real total[VL] = {0}, rest[VL] = {0}, mass[VL] = {0};
    for (int r = 0; r < b->rows; r++) {
        const real *z = b->z + r * b->ld, *y = b->y + r * b->ld;
        real *dz = b->dz + r * b->dz_ld, largest;
        total[r] = exponentials(b->n, z, dz, &largest);
        row_sum below = row_sum_zero(), sum_y = row_sum_zero();
        for (int j = 0; j < b->n; j += VL) {
            lanes in = v_lanes(b->n - j);
            vec t = v_load_part(y + j, in);
            row_sum_add(&below, j, v_mul(t, v_sub(v_set(largest), v_load_part(z + j, in))), in);
            row_sum_add(&sum_y, j, t, in);
        }
        rest[r] = row_sum_total(&below);
        mass[r] = row_sum_total(&sum_y);
        vec factor = v_set(mass[r] / total[r]), scale = v_set(b->scale[r]);
        for (int j = 0; j < b->n; j += VL) {
            lanes in = v_lanes(b->n - j);
            vec slope = v_fma(v_load_part(dz + j, in), factor, v_sub(v_set(0), v_load_part(y + j, in)));
            v_store_part(dz + j, v_mul(scale, slope), in);
        }
    }
    v_store_part(b->loss, v_fma(v_load(mass), v_log(v_load(total)), v_load(rest)), v_lanes(b->rows));
}

#endif
