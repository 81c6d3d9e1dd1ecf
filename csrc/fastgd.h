/*
 * fastgd.h: the C interface.  The core knows nothing of Python; this header is all that a caller sees.
 *
 * Notation: B rows in a batch, L layers of weights, n[l] widths.  theta is the vector of all parameters: those of the
 * input layers, then, layer by layer, W (n_in, n_out) in row-major order and b (n_out,).  A layer's block of theta is
 * thus one matrix of n_in + 1 rows, whose last row is b.
 *
 * `real` stands for float or double, the type of the engine.  Strides are in bytes wherever the caller owns the memory.
 * A shape in parentheses describes the array that a pointer points to; "out" marks what a call writes.
 */
#ifndef FASTGD_H
#define FASTGD_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off */

typedef enum {
    FGD_OK,
    FGD_NO_MEMORY,      /* an allocation failed */
    FGD_NOT_FINITE,     /* a loss became inf or NaN, and theta was not updated; or X of predict is not finite */
    FGD_BAD_LABEL,      /* a class index outside 0 .. n_out - 1; theta was not updated */
    FGD_BAD_ROW_NUMBER, /* a row index outside the data; nothing was done */
    FGD_BAD_VALUE,      /* a target or a weight that a loss does not take */
    FGD_BAD_CODE,       /* X has a code of a category that an embedding does not have; theta was not updated */
    FGD_OVERFLOW,       /* theta, or what goes with it, would become inf or NaN; nothing was done; or an output of
                           predict is not finite */
} fgd_status;

/* One layer: a = f(x W + b). */
typedef struct {
    int n_in, n_out;
    int bias;             /* 1: theta holds b (n_out,) after W */
    int activation;       /* entry of FGD_ACTIVATIONS */
    const double *params; /* parameters of the activation, as many as its definition takes */
    int noise;            /* noise that may be added to x: 1 + entry of FGD_NOISES, or 0 for none */
} fgd_layer;

/* A layer before the first one, which maps rows of X, or of the input layer before it, to rows of another width. */
typedef struct {
    int kind;           /* entry of FGD_INPUT_LAYERS */
    int n_in, n_out;
    int n_columns;      /* columns of its inputs that it embeds */
    const int *columns; /* (n_columns,) ascending */
    const int *sizes;   /* as many as its entry takes */
} fgd_input_layer;

/* The factors of the products: values of `real`, or of real = float rounded to bf16 (kernels/bf16.h). */
typedef enum { FGD_PRECISION_REAL, FGD_PRECISION_BF16 } fgd_precision;

typedef struct {
    int L;                        /* >= 1 */
    const fgd_layer *layer;       /* (L,) layer[l].n_out == layer[l + 1].n_in */
    int n_inputs;                 /* input layers; may be 0 */
    const fgd_input_layer *input; /* (n_inputs,) */
    fgd_precision precision;      /* FGD_PRECISION_BF16: only of engines of 32 bits */
} fgd_net;

/* A matrix in the caller's memory, read in place: `count` rows of `width` contiguous values. */
typedef struct {
    const void *data;
    int type;         /* entry of FGD_TYPES */
    int width;        /* values in a row */
    ptrdiff_t count;  /* rows */
    ptrdiff_t stride; /* bytes from row to row, of either sign */
} fgd_table;

/* A loss and its parameters. */
typedef struct {
    int kind;             /* entry of FGD_LOSSES */
    const double *params; /* parameters of the loss, as many as its definition takes */
} fgd_loss;

/*
 * What an update does besides its rule; engine/transforms.h.  A limit that is not set is INFINITY.
 *
 * In this order: the gradient is masked, scaled to a norm of at most clip_norm and clipped to +- clip_value element by
 * element, and l1 sign(theta) is added; the rule is applied; each column of W is scaled to a norm of at most max_norm;
 * theta is masked; the average moves towards theta.
 */
typedef struct {
    double clip_norm;
    double average_weight; /* of the new theta in the average, 0 to 1 */
} fgd_step_transforms;

typedef struct {
    double clip_value, l1, max_norm;
} fgd_group_transforms;

typedef struct {
    const fgd_net *net;
    ptrdiff_t micro_batch;                 /* rows that go through the network at once: a step of more rows
                                              accumulates its gradient over several micro-batches */
    int n_groups;                          /* groups of parameters, each with its own coefficients and limits */
    const int64_t *group;                  /* group of each parameter of the input layers, then of W and of b, layer
                                              by layer */
    const fgd_step_transforms *per_step;   /* (n_steps,) */
    const fgd_group_transforms *per_group; /* (n_steps, n_groups) */
    const void *mask;                      /* real (size,): 0 for the elements of theta that stay 0, 1 for the others; or
                                              NULL for none */
    void *average;                         /* real (size,), or NULL for none */
    double *norm;                          /* (n_steps,) out: norm of each step's gradient before clipping; or NULL */
} fgd_transforms;

/* The strength of the noise in the steps of a call, and the random numbers that make it. */
typedef struct {
    uint64_t seed;
    int64_t step;           /* index of the call's first step in the whole run, in [0, 2**48) */
    int64_t row;            /* index within its step of the call's first row: > 0 only in later micro-batches */
    const double *strength; /* (n_steps, L) of the inputs of each layer: 0, or a value that the entry of FGD_NOISES
                               takes; NULL for no noise */
} fgd_noise;

/*
 * The phases of a training step, each entered once: FGD_GATHER copies its rows of X and Y, input layers included,
 * FGD_LOSS computes losses and their gradients, FGD_TRANSFORMS does what an update does besides its rule, and FGD_WAIT
 * is the time in which a thread waits for others.  Layer l then has its own three, FGD_PHASES_OF_LAYER * l further on:
 * FGD_FORWARD, FGD_BACKWARD (the gradient of its inputs; none for the first layer without input layers) and FGD_UPDATE
 * (dW, and with it the rule and the new transpose).  The backward pass and the update of input layers count as the first
 * layer's.
 */
enum {
    FGD_GATHER, FGD_LOSS, FGD_TRANSFORMS, FGD_WAIT,
    FGD_FORWARD, FGD_BACKWARD, FGD_UPDATE,
    FGD_PHASES_OF_LAYER = 3
};

/* A chunk of training: step s is on the rows order[starts[s]] .. order[starts[s + 1] - 1] of X and Y. */
typedef struct {
    fgd_table X;                      /* (count, n_in of the first input layer or layer) */
    fgd_table Y;                      /* (count, n[L]), or (count, 1) class indices */
    const void *weight;               /* real (count,) weights of the rows, or NULL for 1 */
    const int64_t *order;             /* row indices */
    const int64_t *starts;            /* (n_steps + 1,) ascending; no step (or, with transforms, micro-batch) has
                                         more rows than the workspace */
    ptrdiff_t n_steps;
    fgd_loss loss;
    int rule;                         /* entry of FGD_RULES */
    const double *coefficients;       /* (n_steps, n_groups, coefficients of the rule) */
    const fgd_transforms *transforms; /* NULL: one group, and nothing besides the rule */
    void *theta, *grad, *state;       /* real (size,), (size,), (slots, size) */
    fgd_noise noise;
    double *losses;                   /* (n_steps,) out: mean loss of each step's rows */
    int n_threads;                    /* maximum, like fgd_max_threads(); 0: the engine decides */
    double *phases;                   /* (n_threads, FGD_FORWARD + FGD_PHASES_OF_LAYER * L) out, or NULL: the seconds of
                                         each thread in each phase are added to it.  Requires n_threads > 0 */
    ptrdiff_t failed;                 /* out: index of the step that ended the chunk, unless the status is FGD_OK */
} fgd_chunk;

/* How a chunk of training would be executed; for reports. */
typedef struct {
    int tile_rows, tile_columns; /* tile of the matrix product */
    int max_threads;             /* threads that a call may use */
    int n_threads;               /* threads that a chunk starts with */
    int row_groups, columns;     /* groups of threads, each with its own rows; threads of a group, each with its own
                                    columns */
    double min_flops;            /* operations of a forward pass per thread below which a thread does not pay */
    double flops;                /* operations of the matrix products of a step */
    size_t workspace;            /* bytes */
    const char *unit;            /* what computes products of bf16 factors: "AMX tiles", "VDPBF16PS" or "FMA"; else "" */
    int f32_is_faster;           /* 1: products of reals are likely to take less time */
} fgd_plan;

/* Memory of one network: activations and their gradients for up to `max_rows` rows, and transposed weights.  The net
   and its layers must outlive it. */
typedef struct fgd_workspace fgd_workspace;

/* The functions of one instruction set and one type of real.  Thread-safe, but a workspace serves one call at
   a time. */
typedef struct {
    const char *isa;
    int bits; /* 32 or 64 */

    fgd_workspace *(*workspace_new)(const fgd_net *net, ptrdiff_t max_rows); /* NULL: no memory */
    void (*workspace_free)(fgd_workspace *workspace);

    /* Z (X.count, n[L]) <- outputs.  Needs no workspace: any number of threads may call it on one network.
       FGD_NOT_FINITE: a value of X, converted to real, is inf or NaN; FGD_OVERFLOW: an output is, and Z complete. */
    fgd_status (*predict)(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int n_threads);

    /* 1 if all values of a table, converted to real, are finite. */
    int (*is_finite)(const fgd_table *X);

    /* Like predict, but X may hold any values; with the noise of one step, and keeps all activations in the workspace.
       X.count <= max_rows. */
    fgd_status (*forward)(fgd_workspace *workspace, const void *theta, const fgd_table *X, const fgd_noise *noise,
                          void *Z, int n_threads);

    /* grad <- dL/dtheta summed over the rows of the last forward, from dZ (rows, n[L]) = dL/dZ; with `accumulate` it is
       added to grad.  dX (rows, n_in) or NULL <- dL/dX. */
    fgd_status (*backward)(fgd_workspace *workspace, const void *theta, const void *dZ, void *grad, int accumulate,
                           void *dX, int n_threads);

    /* row_losses (Y.count,) <- weight * loss of each row of Z (Y.count, n); dZ (same shape) or NULL <- its gradient. */
    fgd_status (*loss)(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                       double *row_losses, void *dZ);

    /* The number of rows of Z (Y.count, n), all finite, whose largest value, the first of several, is in the column that Y
       (Y.count, 1), class indices below n, says. */
    ptrdiff_t (*count_correct)(int n, const void *Z, const fgd_table *Y);

    /* *mean <- sum of weight * loss of each row / sum of weights, 0 if that is 0; dZ (Y.count, n) or NULL <- its
       gradient.  FGD_NOT_FINITE: a loss is not; FGD_BAD_VALUE: a weight is negative or not finite, or a target that is
       no label is outside [bounds[0], bounds[1]] or not finite.  mean and dZ are then incomplete. */
    fgd_status (*mean_loss)(const fgd_loss *loss, int n, const double *bounds, const void *Z, const fgd_table *Y,
                            const void *weight, double *mean, void *dZ);

    /* theta, state <- one step of a rule with grad; transforms, of one step, as in fgd_chunk. */
    fgd_status (*update)(int rule, const double *coefficients, const fgd_transforms *transforms, ptrdiff_t size,
                         const void *grad, void *theta, void *state);

    /* Likewise, or nothing.  FGD_NOT_FINITE: grad is not finite; FGD_OVERFLOW: theta, state or the average would not be.
       saved: memory of a real for each element of these three. */
    fgd_status (*checked_update)(int rule, const double *coefficients, const fgd_transforms *transforms,
                                 ptrdiff_t size, const void *grad, void *theta, void *state, void *saved);

    fgd_status (*train)(fgd_workspace *workspace, fgd_chunk *chunk);

    /* How train would execute steps of `rows` rows, with n_threads (0: the engine decides) even if a call may not use
       that many. */
    fgd_plan (*plan)(const fgd_net *net, ptrdiff_t rows, int n_threads);

    /* word (64,) <- a group of the random words that noise is made of; see kernels/philox.h. */
    void (*random)(uint64_t seed, uint64_t stream, uint64_t group, uint32_t *word);

    /* order (epochs, n) <- the rows (n,), or 0 ... n - 1 if they are NULL, in the random order of each epoch from
       `epoch` on; n <= 2**32.  See kernels/orders.h. */
    void (*orders)(uint64_t seed, uint64_t epoch, ptrdiff_t epochs, const int64_t *rows, ptrdiff_t n, int64_t *order);
} fgd_engine;

/* The engine of an instruction set ("avx512", "avx2", "neon", "scalar"; NULL: the best one), or NULL if this build or
   this CPU does not have it. */
const fgd_engine *fgd_find_engine(const char *isa, int bits);

/* Names of the entries of each table, in order; NULL after the last.  fgd_isa_name lists only what this CPU can run,
   best first. */
const char *fgd_isa_name(int i);
const char *fgd_type_name(int i);
const char *fgd_activation_name(int i);
const char *fgd_loss_name(int i);
const char *fgd_rule_name(int i);
const char *fgd_noise_name(int i);
const char *fgd_input_layer_name(int i);

int fgd_rule_slots(int rule);         /* vectors of state, each of the size of theta */
int fgd_rule_coefficients(int rule);  /* coefficients of one step */
int fgd_loss_needs_labels(int loss);  /* 1: Y is (B, 1) class indices */

/* Threads that a call may use, however many it asks for: the limit that was set or OpenMP's (which affinity,
   OMP_NUM_THREADS and threadpoolctl determine), whichever is less; 1 in a forked child and in a build without OpenMP. */
int fgd_max_threads(void);
void fgd_set_max_threads(int n_threads);

/* Bytes of the L2 cache of a core, from which the engines derive the sizes of their blocks; no result depends on it.
   0 stands for the size that this CPU or the system states.  Set it only while no call is running. */
size_t fgd_l2_bytes(void);
void fgd_set_l2_bytes(size_t bytes);

/* The compiler that built the core, e.g. "gcc 12.2.0, OpenMP". */
const char *fgd_compiler(void);

/* clang-format on */

#endif
