# What `_native.pyx` sees of the C core: csrc/fastgd.h, name by name.
from libc.stdint cimport int64_t, uint64_t

cdef extern from "optimize_for_size.h":
    pass

cdef extern from "fastgd.h" nogil:
    enum:
        FGD_FORWARD
        FGD_PHASES_OF_LAYER

    ctypedef enum fgd_status:
        FGD_OK
        FGD_NO_MEMORY
        FGD_NOT_FINITE
        FGD_BAD_LABEL
        FGD_BAD_ROW_NUMBER
        FGD_BAD_VALUE
        FGD_BAD_CODE
        FGD_OVERFLOW

    ctypedef struct fgd_layer:
        int n_in
        int n_out
        int bias
        int activation
        const double *params
        int noise

    ctypedef enum fgd_precision:
        FGD_PRECISION_REAL
        FGD_PRECISION_BF16

    ctypedef struct fgd_input_layer:
        int kind
        int n_in
        int n_out
        int n_columns
        const int *columns
        const int *sizes

    ctypedef struct fgd_net:
        int L
        const fgd_layer *layer
        int n_inputs
        const fgd_input_layer *input
        fgd_precision precision

    ctypedef struct fgd_table:
        const void *data
        int type
        int width
        ptrdiff_t count
        ptrdiff_t stride

    ctypedef struct fgd_loss:
        int kind
        const double *params

    ctypedef struct fgd_step_transforms:
        double clip_norm
        double average_weight

    ctypedef struct fgd_group_transforms:
        double clip_value
        double l1
        double max_norm

    ctypedef struct fgd_transforms:
        const fgd_net *net
        ptrdiff_t micro_batch
        int n_groups
        const int64_t *group
        const fgd_step_transforms *per_step
        const fgd_group_transforms *per_group
        const void *mask
        void *average
        double *norm

    ctypedef struct fgd_noise:
        uint64_t seed
        int64_t step
        int64_t row
        const double *strength

    ctypedef struct fgd_chunk:
        fgd_table X
        fgd_table Y
        const void *weight
        const int64_t *order
        const int64_t *starts
        ptrdiff_t n_steps
        fgd_loss loss
        int rule
        const double *coefficients
        const fgd_transforms *transforms
        void *theta
        void *grad
        void *state
        fgd_noise noise
        double *losses
        int n_threads
        double *phases
        ptrdiff_t failed

    ctypedef struct fgd_plan:
        int tile_rows
        int tile_columns
        int max_threads
        int n_threads
        int row_groups
        int columns
        double min_flops
        double flops
        size_t workspace
        const char *unit
        int f32_is_faster

    ctypedef struct fgd_workspace:
        pass

    ctypedef struct fgd_engine:
        const char *isa
        int bits
        fgd_workspace *(*workspace_new)(const fgd_net *, ptrdiff_t) noexcept nogil
        void (*workspace_free)(fgd_workspace *) noexcept nogil
        fgd_status (*predict)(const fgd_net *, const void *, const fgd_table *, void *, int) noexcept nogil
        int (*is_finite)(const fgd_table *) noexcept nogil
        fgd_status (*forward)(fgd_workspace *, const void *, const fgd_table *, const fgd_noise *, void *,
                              int) noexcept nogil
        fgd_status (*backward)(fgd_workspace *, const void *, const void *, void *, int, void *, int) noexcept nogil
        fgd_status (*loss)(const fgd_loss *, int, const void *, const fgd_table *, const void *, double *,
                           void *) noexcept nogil
        ptrdiff_t (*count_correct)(int, const void *, const fgd_table *) noexcept nogil
        fgd_status (*mean_loss)(const fgd_loss *, int, const double *, const void *, const fgd_table *, const void *,
                                double *, void *) noexcept nogil
        fgd_status (*update)(int, const double *, const fgd_transforms *, ptrdiff_t, const void *, void *,
                             void *) noexcept nogil
        fgd_status (*checked_update)(int, const double *, const fgd_transforms *, ptrdiff_t, const void *, void *,
                                     void *, void *) noexcept nogil
        fgd_status (*train)(fgd_workspace *, fgd_chunk *) noexcept nogil
        fgd_plan (*plan)(const fgd_net *, ptrdiff_t, int) noexcept nogil
        void (*orders)(uint64_t, uint64_t, ptrdiff_t, const int64_t *, ptrdiff_t, int64_t *) noexcept nogil

    const fgd_engine *fgd_find_engine(const char *, int)
    const char *fgd_isa_name(int)
    const char *fgd_type_name(int)
    const char *fgd_activation_name(int)
    const char *fgd_loss_name(int)
    const char *fgd_rule_name(int)
    const char *fgd_noise_name(int)
    const char *fgd_input_layer_name(int)
    int fgd_rule_slots(int)
    int fgd_rule_coefficients(int)
    int fgd_loss_needs_labels(int)
    int fgd_max_threads()
    void fgd_set_max_threads(int)
    const char *fgd_compiler()
