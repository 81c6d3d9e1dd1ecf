# What `_native.pyx` hands to the core beside plain arrays: the numbers of a function, and a `fastgd.regime.Regime`.


cdef class _Constants:
    """Float64 numbers of an activation or a loss; NULL if it has none."""
    cdef double *data

    def __cinit__(self, numbers):
        numbers = tuple(numbers)
        if not numbers:
            return
        self.data = <double *> PyMem_Calloc(len(numbers), sizeof(double))
        if self.data is NULL:
            raise MemoryError()
        for i, number in enumerate(numbers):
            self.data[i] = number

    def __dealloc__(self):
        PyMem_Free(self.data)


cdef class _Transforms:
    """What an update does beside its rule, with the arrays that it refers to; `used` is NULL without."""
    cdef fgd_transforms to
    cdef const fgd_transforms *used
    cdef _Array group, per_step, per_group, average, norm

    def __cinit__(self, regime, Network of, Py_ssize_t steps):
        self.to.n_groups, self.to.micro_batch = 1, maxsize
        if regime is None:
            return
        self.to.net, self.to.n_groups, self.to.micro_batch, self.used = &of.net, regime.n_groups, regime.micro_batch, &self.to
        self.group = _dense("group", regime.group, b"q", 2 * of.net.L)
        self.per_step = _dense("per_step", regime.per_step, b"d", steps, 2)
        self.per_group = _dense("per_group", regime.per_group, b"d", steps, 3 * self.to.n_groups)
        self.to.group = <int64_t *> self.group.view.buf
        self.to.per_step = <fgd_step_transforms *> self.per_step.view.buf
        self.to.per_group = <fgd_group_transforms *> self.per_group.view.buf
        if self.to.micro_batch < 1 or not all(0 <= group < self.to.n_groups for group in regime.group):
            raise ValueError(f"group must hold numbers in 0 .. {self.to.n_groups - 1}, and micro_batch be 1 or more")
        if regime.average is not None:
            self.average = _dense("average", regime.average, of.real, of.size, -1, True)
            self.to.average = self.average.view.buf
        if regime.norm is not None:
            self.norm = _dense("norm", regime.norm, b"d", steps, -1, True)
            self.to.norm = <double *> self.norm.view.buf
