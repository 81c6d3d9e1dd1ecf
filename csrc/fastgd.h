/*
 * fastgd.h: the whole C interface.  The core knows no Python; this file is all that a caller sees.
 *
 * Letters: B rows in a batch, L weight layers, n[l] widths, theta all parameters in one vector: layer by layer
 * W (n_in, n_out) row-major, then b (n_out,).  So a layer's block of theta is one matrix with n_in + 1 rows, whose
 * last row is b.
 *
 * `real` below is float or double, as the engine says.  Strides are in bytes where the caller owns the memory.
 */
#ifndef FASTGD_H
#define FASTGD_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    FGD_OK,
    FGD_NO_MEMORY,      /* the workspace could not be allocated                          */
    FGD_NOT_FINITE,     /* a row's loss became inf or NaN: theta was not updated with it; or X to predict for is */
    FGD_BAD_LABEL,      /* a class number outside 0 .. n_out - 1; likewise               */
    FGD_BAD_ROW_NUMBER, /* a row number outside the data; nothing was done               */
} fgd_status;

/* One weight layer: a = f(x W + b). */
typedef struct {
    int n_in, n_out;
    int bias;               /* 1: theta holds b (n_out,) after W                     */
    int activation;         /* row of FGD_ACTIVATIONS                                */
    const double *constant; /* numbers of the activation, as many as its row needs  */
    int noise;              /* that may disturb x: 1 + row of FGD_NOISES, or 0: none */
} fgd_layer;

typedef struct {
    int L; /* >= 1 */
    const fgd_layer *layer; /* (L,) layer[l].n_out == layer[l + 1].n_in */
} fgd_net;

/* A table in the caller's memory, read as it is: `count` rows of `width` neighbours. */
typedef struct {
    const void *data;
    int type;         /* row of FGD_TYPES       */
    int width;        /* numbers in a row       */
    ptrdiff_t count;  /* rows                   */
    ptrdiff_t stride; /* bytes from row to row, any sign */
} fgd_table;

/* A loss with its numbers. */
typedef struct {
    int row; /* of FGD_LOSSES */
    const double *constant;
} fgd_loss;

/*
 * What an update does beside its rule; see fastgd/regime.py.  A limit that is not wanted is INFINITY.
 *
 * The gradient is scaled to a norm of at most clip_norm, each number of it cut to +- clip_value, and l1 sign(theta) added;
 * then comes the rule; then no column of a W may be longer than max_norm; then `average` goes towards theta.
 */
typedef struct {
    double clip_norm;
    double average; /* weight of the new theta, 0 to 1 */
} fgd_step_numbers;
typedef struct {
    double clip_value, l1, max_norm;
} fgd_group_numbers;
typedef struct {
    const fgd_net *net;
    ptrdiff_t batch; /* rows that pass at once: a step of more sums its gradient over several passes */
    int groups;      /* of parameters, each with its own coefficients and numbers                    */
    const int64_t *group;              /* (2 L,) group of W and of b of each layer */
    const fgd_step_numbers *of_step;   /* (steps,)                                 */
    const fgd_group_numbers *of_group; /* (steps, groups)                          */
    void *average;                     /* real (size,), or NULL: none              */
    double *norm; /* (steps,) out: of each step's gradient before it is clipped; NULL: not wanted */
} fgd_regime;
/* How much noise there is in the steps of a call, and which random numbers make it. */
typedef struct {
    uint64_t seed;
    int64_t first;        /* number of the first of these steps in the whole run, in [0, 2**48)               */
    int64_t row;          /* number in its step of the first row that passes: 0, but in a later pass of one   */
    const double *amount; /* (steps, L) for the inputs of each layer: 0, or a number that its row of FGD_NOISES
                             allows; NULL: no noise                                                           */
} fgd_noise;

/* A chunk of training: `steps` steps, step s on the rows order[start[s]] .. order[start[s + 1] - 1] of X and Y. */
typedef struct {
    fgd_table X; /* (count, n[0])                                               */
    fgd_table Y; /* (count, n[L]), or (count, 1) class numbers                  */
    const void *weight; /* real (count,) of the rows, or NULL: all 1                   */
    const int64_t *order; /* row numbers                                                 */
    const int64_t *start; /* (steps + 1,) ascending; no step, or pass of one, has more rows than the
                                   work                                                        */
    ptrdiff_t steps;
    fgd_loss loss;
    int rule; /* row of FGD_RULES                                            */
    const double *coefficient; /* (steps, groups, number of the rule's coefficients)          */
    const fgd_regime *regime; /* NULL: one group, and nothing beside the rule                */
    void *theta, *grad, *state; /* real (size,), (size,), (slots, size)                        */
    fgd_noise noise;
    double *losses; /* (steps,) out: the mean loss of each step's rows             */
    int threads; /* at most; 0: the engine decides                              */
    ptrdiff_t failed; /* out: the step that ended the chunk, when the status says so */
} fgd_chunk;

/* What a chunk of training will be, for people: see `plan` below. */
typedef struct {
    int tile_rows, tile_columns; /* of the product's kernel                                        */
    int most;                    /* threads that a call may use                                    */
    int threads;                 /* threads that a chunk starts with                               */
    int bands, columns;          /* of threads: those that share the rows, and those of each band  */
    double worth;                /* operations of a forward pass for each thread that make it pay  */
    double flops;                /* operations of a step's products                                */
    size_t workspace;            /* bytes of a work                                                */
} fgd_plan;

/* Memory for one network: activations and their gradients for up to `batch` rows, and transposed weights.  The net and
   its layers must outlive it. */
typedef struct fgd_work fgd_work;

/* One instruction set and width of real.  All functions may be called from any thread, one at a time per work. */
typedef struct {
    const char *isa;
    int bits; /* 32 or 64 */

    int (*max_threads)(void); /* what OpenMP would use; 1 without it */

    fgd_work *(*work_new)(const fgd_net *net, ptrdiff_t batch); /* NULL: no memory */
    void (*work_free)(fgd_work *work);

    /* Z (X.count, n[L]) <- outputs.  Needs no work: any number of threads may call it on one network.
       FGD_NOT_FINITE: a number of X is not, as a real. */
    fgd_status (*predict)(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int threads);

    /* The same, with the noise of one step, and keeps every layer's activations in the work.  X.count <= batch. */
    fgd_status (*forward)(fgd_work *work, const void *theta, const fgd_table *X, const fgd_noise *noise, void *Z,
                          int threads);

    /* grad <- dL/dtheta summed over the rows of the last forward, from dZ (rows, n[L]) = dL/dZ, and with `adds` over
       those that grad is the sum of; dX (rows, n[0]) or NULL <- dL/dX. */
    fgd_status (*backward)(fgd_work *work, const void *theta, const void *dZ, void *grad, int adds, void *dX,
                           int threads);

    /* loss_of_row (Y.count,) <- weight * loss of each row of Z (Y.count, n); dZ (same shape) or NULL <- its slope. */
    fgd_status (*loss)(const fgd_loss *loss, int n, const void *Z, const fgd_table *Y, const void *weight,
                       double *loss_of_row, void *dZ);

    /* theta, state <- one step of a rule with grad; regime, of one step: see fgd_chunk. */
    fgd_status (*update)(int rule, const double *coefficient, const fgd_regime *regime, ptrdiff_t size,
                         const void *grad, void *theta, void *state);

    fgd_status (*train)(fgd_work *work, fgd_chunk *chunk);

    /* What train would do for steps of `batch` rows; does nothing. */
    fgd_plan (*plan)(const fgd_net *net, ptrdiff_t batch, int threads);

    /* word (64,) <- a group of the random words that noise is made of; see random.h. */
    void (*random)(uint64_t seed, uint64_t stream, uint64_t group, uint32_t *word);
} fgd_engine;

/* The engine of an instruction set ("avx512", "avx2", "neon", "scalar"; NULL: the best one) that this build and this
   CPU have, else NULL. */
const fgd_engine *fgd_find_engine(const char *isa, int bits);

/* Names of all rows, in order; NULL after the last.  fgd_isa_name lists only what this CPU can run, best first. */
const char *fgd_isa_name(int i);
const char *fgd_type_name(int i);
const char *fgd_activation_name(int i);
const char *fgd_loss_name(int i);
const char *fgd_rule_name(int i);
const char *fgd_noise_name(int i);

int fgd_rule_slots(int rule); /* vectors of state, each as long as theta */
int fgd_rule_coefficients(int rule); /* numbers of each step                    */
int fgd_loss_needs_labels(int loss); /* 1: Y is (B, 1) class numbers            */

/* Threads that a call may use when it asks for 0: the least of what was set and OpenMP's own number (which affinity,
   OMP_NUM_THREADS and threadpoolctl limit); 1 in a forked child and in a build without OpenMP. */
int fgd_max_threads(void);
void fgd_set_max_threads(int threads);

/* What built the core, e.g. "gcc 12.2.0, OpenMP". */
const char *fgd_compiler(void);

#endif
