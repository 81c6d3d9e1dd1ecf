# What `_native.pyx` hands to the core besides arrays: parameters, noise, transforms, chunks. Included by it.


@cython.final
cdef class _Params:
    """The float64 parameters of an activation or a loss; NULL if it has none."""
    cdef double *data

    def __dealloc__(self):
        PyMem_Free(self.data)


cdef _Params _params(values):
    cdef _Params p = _Params.__new__(_Params)
    values = tuple(values)
    if not values:
        return p
    p.data = <double *> PyMem_Calloc(len(values), sizeof(double))
    if p.data is NULL:
        raise MemoryError()
    for i, value in enumerate(values):
        p.data[i] = value
    return p


@cython.final
cdef class _InputLayers:
    """The input layers of a network; `count` is 0 if it has none."""
    cdef fgd_input_layer *layer
    cdef int *numbers            # columns and sizes of each layer, one after the other
    cdef int count
    cdef Py_ssize_t size, parts  # number of parameters, and of arrays that they form

    def __dealloc__(self):
        PyMem_Free(self.layer)
        PyMem_Free(self.numbers)

    cdef check(self, int n_in):
        """That the outputs of each are the inputs of the next one; the first dense layer has n_in."""
        cdef int i, width
        for i in range(self.count):
            width = self.layer[i + 1].n_in if i + 1 < self.count else n_in
            if self.layer[i].n_out != width:
                raise ValueError(f"input layer {i} has {self.layer[i].n_out} outputs, but the next layer takes {width} "
                                 "inputs")


cdef _InputLayers _input_layers(list layers):
    cdef _InputLayers of = _InputLayers.__new__(_InputLayers)
    cdef int *to
    cdef int n_columns
    if not layers:
        return of
    of.count, of.size = <int> len(layers), sum([layer.size for layer in layers])
    of.parts = sum([len(layer.shapes()) for layer in layers])
    of.layer = <fgd_input_layer *> PyMem_Calloc(len(layers), sizeof(fgd_input_layer))
    of.numbers = to = <int *> PyMem_Calloc(1 + sum([len(layer.columns) + len(layer.sizes) for layer in layers]),
                                           sizeof(int))
    if of.layer is NULL or to is NULL:
        raise MemoryError()
    for i, layer in enumerate(layers):
        n_columns = len(layer.columns)
        of.layer[i] = fgd_input_layer(INPUT_LAYERS[layer.name], layer.n_in, layer.n_out, n_columns, to, to + n_columns)
        for number in (*layer.columns, *layer.sizes):
            to[0] = number
            to += 1
    return of


cdef _Array _noise_spec(spec, Py_ssize_t steps, int layers, fgd_noise *to):
    """to <- the noise of some steps (a `fastgd.layers.noise.NoiseSpec`, or None); the array that it refers to."""
    if spec is None:
        to.strength = NULL
        return None
    check_noise_spec(spec, steps, layers)
    cdef _Array a = _dense("the amounts of noise", spec.strengths, b"d", steps, layers)
    to.seed, to.step, to.row, to.strength = spec.seed, spec.step, spec.row, <double *> a.view.buf
    return a


@cython.final
@cython.no_gc
cdef class _Transforms:
    """A `fastgd.optimizers.transforms.Transforms`, or None: then `used` is NULL."""
    cdef fgd_transforms to
    cdef const fgd_transforms *used
    cdef _Array group, per_step, per_group, mask, average, norm

    cdef _set(self, transforms, Executor of, Py_ssize_t steps):
        self.to.net, self.to.n_groups, self.to.micro_batch = &of.net, transforms.n_groups, transforms.micro_batch
        self.used = &self.to
        self.group = _dense("group", transforms.group, b"q", of.inputs.parts + 2 * of.net.L)
        self.per_step = _dense("per_step", transforms.per_step, b"d", steps, 2)
        self.per_group = _dense("per_group", transforms.per_group, b"d", steps, 3 * self.to.n_groups)
        self.to.group = <int64_t *> self.group.view.buf
        self.to.per_step = <fgd_step_transforms *> self.per_step.view.buf
        self.to.per_group = <fgd_group_transforms *> self.per_group.view.buf
        self._check()
        if transforms.mask is not None:
            self.mask = _dense("mask", transforms.mask, of.real, of.size)
            self.to.mask = self.mask.view.buf
        if transforms.average is not None:
            self.average = _dense("average", transforms.average, of.real, of.size, -1, True)
            self.to.average = self.average.view.buf
        if transforms.norm is not None:
            self.norm = _dense("norm", transforms.norm, b"d", steps, -1, True)
            self.to.norm = <double *> self.norm.view.buf

    cdef _check(self):
        cdef Py_ssize_t i
        if self.to.micro_batch < 1:
            raise ValueError(f"micro_batch must be 1 or more, not {self.to.micro_batch}")
        for i in range(self.group.view.shape[0]):
            if not 0 <= self.to.group[i] < self.to.n_groups:
                raise ValueError(f"group must hold indices in 0 .. {self.to.n_groups - 1}, not {self.to.group[i]}")


cdef _Transforms _transforms(transforms, Executor of, Py_ssize_t steps):
    cdef _Transforms t = _Transforms.__new__(_Transforms)
    t.to.n_groups, t.to.micro_batch = 1, PY_SSIZE_T_MAX
    if transforms is not None:
        t._set(transforms, of, steps)
    return t


@cython.final
@cython.no_gc
cdef class _Chunk:
    """A `fastgd.engine.chunk.Chunk`, and the buffers that it refers to."""
    cdef fgd_chunk to
    cdef Py_ssize_t max_rows    # of a pass through the network; at least 1
    cdef _Params params
    cdef _Transforms transforms
    cdef _Array X, Y, weight, order, starts, coefficients, state, losses, noise, phases

    cdef _set_data(self, chunk, Executor of):
        loss = chunk.loss
        self.params = _params(loss.params)
        self.to.loss = fgd_loss(LOSSES[loss.c_name], self.params.data)
        self.X = _table("X", chunk.X, of.n_in, &self.to.X)
        self.Y = _table("Y", chunk.Y, 1 if fgd_loss_needs_labels(self.to.loss.kind) else of.n_out, &self.to.Y)
        if self.to.X.count != self.to.Y.count:
            raise ValueError(f"X has {self.to.X.count} rows, but Y has {self.to.Y.count}")
        weight = chunk.weight
        if weight is not None:
            self.weight = _dense("weight", weight, of.real, self.to.X.count)
            self.to.weight = self.weight.view.buf

    cdef _set_steps(self, chunk):
        order = chunk.order
        self.order = _dense("order", order, b"q", len(order))
        self.starts = _dense("starts", chunk.starts, b"q", self.to.n_steps + 1)
        self.to.order, self.to.starts = <int64_t *> self.order.view.buf, <int64_t *> self.starts.view.buf

    cdef _set_update(self, chunk, Executor of):
        self.to.rule = RULES[chunk.optimizer.rule]
        self.transforms = _transforms(chunk.transforms, of, self.to.n_steps)
        self.to.transforms = self.transforms.used
        self.coefficients = _dense("coefficients", chunk.coefficients, b"d", self.to.n_steps,
                                   self.transforms.to.n_groups * fgd_rule_coefficients(self.to.rule))
        self.state = _dense("state", chunk.state, of.real, fgd_rule_slots(self.to.rule), of.size, True)
        self.to.coefficients, self.to.state = <double *> self.coefficients.view.buf, self.state.view.buf
        self.to.theta, self.to.grad = of.theta.view.buf, of.grad.view.buf

    cdef _set_phases(self, phases, int layers):
        if phases is None:
            return
        if self.to.n_threads < 1:
            raise ValueError(f"phases are measured on a number of threads >= 1, not {self.to.n_threads}")
        cdef Py_ssize_t columns = FGD_FORWARD + FGD_PHASES_OF_LAYER * layers
        self.phases = _dense("phases", phases, b"d", self.to.n_threads, columns, True)
        self.to.phases = <double *> self.phases.view.buf

    cdef _check_starts(self, Py_ssize_t first):
        """That every selected step has rows; `max_rows` <- the most that pass through the network at once."""
        cdef Py_ssize_t i, length = self.order.view.shape[0]
        cdef const int64_t *starts = self.to.starts
        if not 0 <= starts[0] <= starts[self.to.n_steps] <= length:
            raise ValueError(f"starts must lie within 0 .. {length}, the length of order")
        self.max_rows = 1
        for i in range(self.to.n_steps):
            if starts[i] >= starts[i + 1]:
                raise ValueError(f"step {first + i} has no rows: starts must be strictly increasing")
            self.max_rows = max(self.max_rows, starts[i + 1] - starts[i])
        self.max_rows = min(self.max_rows, self.transforms.to.micro_batch)

    cdef _select(self, Py_ssize_t first, Py_ssize_t last):
        """Only the steps `first` to `last` - 1."""
        if not 0 <= first <= last <= self.to.n_steps:
            raise IndexError(f"a chunk of {self.to.n_steps} steps has none from {first} to {last}")
        cdef fgd_transforms *t = &self.transforms.to
        self.to.n_steps = last - first
        self.to.starts += first
        self.to.coefficients += first * self.coefficients.view.shape[1]
        self.to.losses += first
        self.to.noise.step += first
        if self.noise is not None:
            self.to.noise.strength += first * self.noise.view.shape[1]
        if self.transforms.used is not NULL:
            t.per_step += first
            t.per_group += first * t.n_groups
            t.norm = t.norm + first if t.norm is not NULL else NULL


cdef _Chunk _chunk(chunk, Executor of, Py_ssize_t first, last):
    cdef _Chunk c = _Chunk.__new__(_Chunk)
    losses = chunk.losses
    c.to.n_steps, c.to.n_threads = len(losses), chunk.n_threads
    c._set_data(chunk, of)
    c._set_steps(chunk)
    c._set_update(chunk, of)
    c.losses = _dense("losses", losses, b"d", c.to.n_steps, -1, True)
    c.to.losses = <double *> c.losses.view.buf
    c.noise = _noise_spec(chunk.noise, c.to.n_steps, of.net.L, &c.to.noise)
    c._set_phases(chunk.phases, of.net.L)
    c._select(first, c.to.n_steps if last is None else last)
    c._check_starts(first)
    return c
