# Losses of rows and of a batch, measurements, and updates that are bound once. Included by `_native.pyx`.


@cython.final
@cython.no_gc
cdef class _Loss:
    """A loss as the core takes it."""
    cdef object of
    cdef _Params params
    cdef fgd_loss to
    cdef double[2] bounds   # of targets that are no labels
    cdef bint labels


cdef _Loss _loss(loss):
    cdef _Loss l = _Loss.__new__(_Loss)
    l.of, l.params = loss, _params(loss.params)
    l.to = fgd_loss(LOSSES[loss.c_name], l.params.data)
    l.labels = fgd_loss_needs_labels(l.to.kind)
    l.bounds = contract.bounds_of(loss.interval)
    return l


@cython.final
@cython.no_gc
cdef class _RowLosses:
    """The losses of some rows, and the arrays that they refer to."""
    cdef Executor of
    cdef _Params params
    cdef fgd_loss loss
    cdef fgd_table targets
    cdef void *weights
    cdef _Array Y, Z, weight, losses

    cdef fgd_status compute(self, void *dZ) noexcept nogil:
        return self.of.engine.loss(&self.loss, self.of.n_out, self.Z.view.buf, &self.targets, self.weights,
                                   <double *> self.losses.view.buf, dZ)


cdef _RowLosses _row_losses(Executor of, loss, Z, Y, weight, losses):
    cdef _RowLosses r = _RowLosses.__new__(_RowLosses)
    r.of, r.params = of, _params(loss.params)
    r.loss = fgd_loss(LOSSES[loss.c_name], r.params.data)
    r.Y = _table("Y", Y, 1 if fgd_loss_needs_labels(r.loss.kind) else of.n_out, &r.targets)
    r.Z = _dense("Z", Z, of.real, r.targets.count, of.n_out)
    r.losses = _dense("rows", losses, b"d", r.targets.count, -1, True)
    if weight is not None:
        r.weight = _dense("weight", weight, of.real, r.targets.count)
        r.weights = r.weight.view.buf
    return r


cdef Py_ssize_t _measure(Executor of, loss, X, Y, weight, Z, losses, int n_threads) except -2:
    """Z <- outputs, losses <- those of rows; the number of rows of the right class, or -1."""
    cdef _RowLosses to = _row_losses(of, loss, Z, Y, weight, losses)
    cdef bint finite = of.predict(X, Z, n_threads)
    cdef Py_ssize_t correct = -1
    cdef fgd_status status
    with nogil:
        status = to.compute(NULL)
        if status == FGD_OK and finite and fgd_loss_needs_labels(to.loss.kind):
            correct = of.engine.count_correct(of.n_out, to.Z.view.buf, &to.targets)
    if status != FGD_OK:
        _fail(status)
    return correct


@cython.final
cdef class Losses:
    """The built-in losses, on an instruction set. See `fastgd.engine.contract.Losses`."""
    cdef const fgd_engine *f32
    cdef const fgd_engine *f64
    cdef _Loss last     # because most loops have one loss

    def __cinit__(self, isa=None):
        name = (isa or ISAS[0]).encode()
        self.f32, self.f64 = fgd_find_engine(name, 32), fgd_find_engine(name, 64)
        if self.f32 is NULL or self.f64 is NULL:
            raise ValueError(f"instruction set {isa!r} is not available on this CPU; choose from {', '.join(ISAS)}")

    def mean(self, loss, Z, Y, weight, dZ):
        """The mean loss of the rows of Z (B, n); dZ (B, n) <- its derivative with respect to Z."""
        cdef _Loss l = self.last
        cdef fgd_table z, y
        cdef _Array w = None
        cdef void *weights = NULL
        cdef double mean
        cdef fgd_status status
        if l is None or l.of is not loss:
            l = self.last = _loss(loss)
        cdef _Array _z = _matrix("Z", Z, &z)
        cdef char real = <char> _z.view.format[0]
        cdef _Array _y = _table("Y", Y, 1 if l.labels else z.width, &y, True)
        cdef _Array d = _dense("out", dZ, real, z.count, z.width, True)
        if y.count != z.count:
            raise ValueError(f"Y has {y.count} rows, but Z has {z.count}")
        if l.labels and _y.view.format[0] in b"efd":
            raise TypeError(f"Y must hold class indices, not the format {_y.view.format.decode()!r}")
        if weight is not None:
            w = _dense("weight", weight, real, z.count)
            weights = w.view.buf
        for name, other in (("Z", _z), ("Y", _y), ("weight", w)):
            _check_out("out", d, name, other)
        cdef const fgd_engine *engine = self.f32 if real == b"f" else self.f64
        with nogil:
            status = engine.mean_loss(&l.to, z.width, l.bounds, z.data, &y, weights, &mean, d.view.buf)
        if status != FGD_OK:
            _fail_loss(status)
        return mean


cdef _fail_loss(fgd_status status):
    if status == FGD_NOT_FINITE:
        raise FloatingPointError(contract.LOSS_NOT_FINITE)
    if status == FGD_BAD_VALUE:
        raise ValueError(contract.BAD_VALUE)
    _fail(status)


cdef _Array _matrix(str name, array, fgd_table *table):
    """table <- a C-contiguous matrix of float32 or float64."""
    cdef _Array a = _array(array, PyBUF_C_CONTIGUOUS)
    if a.view.ndim != 2 or a.view.format[0] not in b"fd" or a.view.format[1] != 0:
        raise ValueError(f"{name} must be a matrix of format 'f' or 'd', "
                         f"not of {a.view.format.decode()!r}, {a.shape()}")
    table.data, table.count, table.width = a.view.buf, a.view.shape[0], <int> a.view.shape[1]
    return a


@cython.final
cdef class Updates:
    """Updates of a network, step by step. See `fastgd.engine.contract.Updates`."""
    cdef Executor of
    cdef int rule
    cdef Py_ssize_t steps
    cdef _Array coefficients, state
    cdef _Transforms transforms
    cdef void *saved

    def __dealloc__(self):
        PyMem_Free(self.saved)

    def step(self, Py_ssize_t i):
        """theta, state <- update number i, with grad."""
        cdef fgd_transforms t = self.transforms.to
        cdef fgd_transforms *used = NULL
        cdef fgd_status status
        cdef const double *coefficients = <double *> self.coefficients.view.buf
        if not 0 <= i < self.steps:
            raise IndexError(f"there are {self.steps} updates, but no number {i}")
        coefficients += i * self.coefficients.view.shape[1]
        if self.transforms.used is not NULL:
            used = &t
            t.per_step += i
            t.per_group += i * t.n_groups
            t.norm = t.norm + i if t.norm is not NULL else NULL
        self.of._acquire()
        try:
            with nogil:
                status = self.of.engine.checked_update(self.rule, coefficients, used, self.of.size,
                                                       self.of.grad.view.buf, self.of.theta.view.buf,
                                                       self.state.view.buf, self.saved)
        finally:
            self.of._release()
        if status == FGD_NO_MEMORY:
            _fail(status)
        if status != FGD_OK:
            raise UpdateNotFinite(status == FGD_NOT_FINITE)


cdef Updates _updates(Executor of, optimizer, coefficients, state, transforms):
    cdef Updates u = Updates.__new__(Updates)
    u.of, u.rule, u.steps = of, RULES[optimizer.rule], len(coefficients)
    u.transforms = _transforms(transforms, of, u.steps)
    cdef Py_ssize_t slots = fgd_rule_slots(u.rule), width = u.transforms.to.n_groups * fgd_rule_coefficients(u.rule)
    u.coefficients = _dense("coefficients", coefficients, b"d", u.steps, width)
    u.state = _dense("state", state, of.real, slots, of.size, True)
    u.saved = PyMem_Malloc((1 + slots + (u.transforms.average is not None)) * of.size * of.theta.view.itemsize)
    if u.saved is NULL:
        raise MemoryError("no memory for a copy of theta and of the state of the optimizer")
    return u
