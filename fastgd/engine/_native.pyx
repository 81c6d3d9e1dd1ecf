# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False
# cython: binding=False, embedsignature=True, embedsignature.format=clinic
"""The boundary to the C core: convert and check the arguments, release the GIL, call C once, raise.

Arrays come as buffers, so this module needs neither NumPy's headers nor a build for each version of Python. `Executor`
is the native counterpart of `fastgd.engine.numpy_engine.Executor`; `fastgd.engine.contract` describes both.
"""
cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.pythread cimport (
    NOWAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock,
    PyThread_type_lock,
)
from libc.stdint cimport int64_t, uint64_t

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX

from struct import calcsize

from ..layers.inputs import InputLayer
from ..layers.noise import check_noise_spec
from ..losses.base import LossNotFinite
from ..optimizers.bound_steps import UpdateNotFinite
from . import contract, numpy_engine
from .plan import Plan
from .precision import check_precision


cdef dict _entries(const char *(*name)(int) noexcept nogil):
    """{name: index} of one of the core's tables."""
    indices, i = {}, 0
    while name(i) is not NULL:
        indices[name(i).decode()] = i
        i += 1
    return indices


ISAS = tuple(_entries(fgd_isa_name))  # that this CPU can run, best first
TYPES = _entries(fgd_type_name)
ACTIVATIONS = _entries(fgd_activation_name)
LOSSES = _entries(fgd_loss_name)
RULES = _entries(fgd_rule_name)
NOISES = _entries(fgd_noise_name)
INPUT_LAYERS = _entries(fgd_input_layer_name)
COMPILER = fgd_compiler().decode()

include "buffers.pxi"
include "orders.pxi"


def max_threads():
    """Maximum number of threads of a call that asks for 0."""
    return fgd_max_threads()


def set_max_threads(int threads):
    """Limit the number of threads of a call that asks for 0."""
    fgd_set_max_threads(threads)


cdef _fail(fgd_status status, Py_ssize_t step=-1):
    if status == FGD_NO_MEMORY:
        raise MemoryError("the engine's workspace does not fit in memory: use a smaller batch")
    if status == FGD_NOT_FINITE and step < 0:
        raise ValueError(contract.X_NOT_FINITE)
    if status == FGD_BAD_CODE:
        raise ValueError(contract.BAD_CODE)
    if status == FGD_BAD_ROW_NUMBER:
        raise ValueError("order has a row index outside the data")
    if status == FGD_BAD_LABEL:
        raise ValueError("Y has a class index outside 0 .. n_out - 1")
    raise LossNotFinite(step)


@cython.final
cdef class Lock:
    """Held by the exclusive calls of the executors that share it; `threading.Lock` would add 0.15 us to each."""
    cdef PyThread_type_lock lock

    def __cinit__(self):
        self.lock = PyThread_allocate_lock()
        if self.lock is NULL:
            raise MemoryError()

    def __dealloc__(self):
        if self.lock is not NULL:
            PyThread_free_lock(self.lock)

    def __enter__(self):
        if not PyThread_acquire_lock(self.lock, NOWAIT_LOCK):
            raise RuntimeError(contract.IN_USE)

    def __exit__(self, *error):
        PyThread_release_lock(self.lock)


cdef class Executor
include "options.pxi"
include "steps.pxi"


@cython.final
cdef class Executor:
    """A network bound to its memory, run by the C core. See `fastgd.engine.contract.Executor`."""
    cdef const fgd_engine *engine
    cdef fgd_net net
    cdef fgd_layer *layers
    cdef list params            # of the activations, which `layers` points to
    cdef _InputLayers inputs    # those before the dense layers
    cdef _Array theta, grad
    cdef Py_ssize_t size
    cdef int n_in, n_out
    cdef fgd_workspace *workspace
    cdef Py_ssize_t max_rows    # that fit in the workspace
    cdef Py_ssize_t rows        # of the last forward; 0: no activations for backward
    cdef char real              # format letter of theta: f or d
    cdef Lock lock

    def __cinit__(self, layers, theta, grad, isa=None, noises=(), Lock lock=None, precision="f32"):
        self._set_layers(tuple(layers), tuple(noises))
        format = memoryview(theta).format
        if format not in ("f", "d"):
            raise TypeError(f"theta must be float32 or float64, not of format {format!r}")
        check_precision(precision, f"float{8 * calcsize(format)}")
        self.net.precision = FGD_PRECISION_BF16 if precision == "bf16" else FGD_PRECISION_REAL
        self.real = ord(format)
        self.theta = _dense("theta", theta, self.real, self.size, -1, True)
        self.grad = _dense("grad", grad, self.real, self.size, -1, True)
        name = (isa or ISAS[0]).encode()
        self.engine = fgd_find_engine(name, 32 if format == "f" else 64)
        if self.engine is NULL:
            raise ValueError(f"instruction set {isa!r} is not available on this CPU; choose from {', '.join(ISAS)}")
        self.lock = lock or Lock()

    def __dealloc__(self):
        if self.workspace is not NULL:
            self.engine.workspace_free(self.workspace)
        PyMem_Free(self.layers)

    cdef _set_layers(self, tuple layers, tuple noises):
        """Everything that the core must know of the layers."""
        self.inputs = _input_layers([layer for layer in layers if isinstance(layer, InputLayer)])
        self.n_in, self.size = layers[0].n_in if layers else 0, self.inputs.size
        layers = layers[self.inputs.count:]
        if not layers:
            raise ValueError("a network needs at least one layer")
        self.layers = <fgd_layer *> PyMem_Calloc(len(layers), sizeof(fgd_layer))
        if self.layers is NULL:
            raise MemoryError()
        self.params = [_params(layer.activation.params) for layer in layers]
        for l, layer in enumerate(layers):
            if l and layers[l - 1].n_out != layer.n_in:
                raise ValueError(f"layer {l} takes {layer.n_in} inputs, but layer {l - 1} has {layers[l - 1].n_out} "
                                 "outputs")
            self.layers[l] = fgd_layer(layer.n_in, layer.n_out, bool(layer.bias), ACTIVATIONS[layer.activation.name],
                                       (<_Params> self.params[l]).data,
                                       1 + NOISES[noises[l].name] if noises and noises[l] else 0)
            self.size += (self.layers[l].n_in + self.layers[l].bias) * <Py_ssize_t> self.layers[l].n_out
        self.net.L, self.net.layer, self.n_out = <int> len(layers), self.layers, layers[-1].n_out
        self.net.n_inputs, self.net.input = self.inputs.count, self.inputs.layer
        self.inputs.check(layers[0].n_in)

    def __reduce__(self):
        raise TypeError("an Executor cannot be pickled, because it refers to memory: pickle the model")

    @property
    def isa(self):
        """The instruction set that runs this network."""
        return self.engine.isa.decode()

    @property
    def precision(self):
        """The precision of the factors of its products."""
        return "bf16" if self.net.precision == FGD_PRECISION_BF16 else "f32"

    cdef _acquire(self):
        if not PyThread_acquire_lock(self.lock.lock, NOWAIT_LOCK):
            raise RuntimeError(contract.IN_USE)

    cdef void _release(self) noexcept:
        PyThread_release_lock(self.lock.lock)

    cdef _check_out(self, str name, _Array out, str other_name, _Array other):
        """Refuse an output in the memory of theta, of grad or of another argument."""
        _check_out(name, out, other_name, other)
        _check_out(name, out, "theta", self.theta)
        _check_out(name, out, "grad", self.grad)

    cdef _reserve(self, Py_ssize_t rows):
        """Make the workspace large enough for a pass of `rows` rows."""
        if rows <= self.max_rows:
            return
        if self.workspace is not NULL:
            self.engine.workspace_free(self.workspace)
        self.max_rows = self.rows = 0
        self.workspace = self.engine.workspace_new(&self.net, rows)
        if self.workspace is NULL:
            _fail(FGD_NO_MEMORY)
        self.max_rows = rows

    def predict(self, X, out, int n_threads=0):
        """out (rows, n_out) <- the outputs for X (rows, n_in); returns whether all of them are finite."""
        cdef fgd_table table
        cdef fgd_status status
        cdef _Array x = _table("X", X, self.n_in, &table)
        cdef _Array z = _dense("out", out, self.real, table.count, self.n_out, True)
        self._check_out("out", z, "X", x)
        with nogil:
            status = self.engine.predict(&self.net, self.theta.view.buf, &table, z.view.buf, n_threads)
        if status != FGD_OK and status != FGD_OVERFLOW:
            _fail(status)
        return status == FGD_OK

    def forward(self, X, out, int n_threads=0, noise=None, bint check=False):
        """out (rows, n_out) <- the outputs with the noise of one step; the activations are kept for `backward`."""
        cdef fgd_table table
        cdef fgd_noise c_noise
        cdef fgd_status status
        cdef bint is_finite = True
        cdef _Array x = _table("X", X, self.n_in, &table)
        cdef _Array z = _dense("out", out, self.real, table.count, self.n_out, True)
        cdef _Array _n = _noise_spec(noise, 1, self.net.L, &c_noise)
        self._check_out("out", z, "X", x)
        if check:
            with nogil:
                is_finite = self.engine.is_finite(&table)
        if not is_finite:
            _fail(FGD_NOT_FINITE)
        self._acquire()
        try:
            self._reserve(max(table.count, 1))
            self.rows = 0
            with nogil:
                status = self.engine.forward(self.workspace, self.theta.view.buf, &table, &c_noise, z.view.buf,
                                             n_threads)
            if status != FGD_OK:
                _fail(status)
            self.rows = table.count
        finally:
            self._release()

    def backward(self, dZ, dX=None, int n_threads=0, bint accumulate=False, bint check=False):
        """grad <- dL/dtheta, dX (rows, n_in) <- dL/dX, from dZ (rows, n_out) = dL/d outputs of the last forward."""
        cdef _Array z, x = None
        cdef void *to_x = NULL
        cdef fgd_table table
        cdef fgd_status status = FGD_OK
        self._acquire()
        try:
            if not self.rows:
                raise RuntimeError(contract.NO_FORWARD)
            z = _dense("dZ", dZ, self.real, self.rows, self.n_out)
            if dX is not None:
                x = _dense("dX", dX, self.real, self.rows, self.n_in, True)
                self._check_out("dX", x, "dZ", z)
                to_x = x.view.buf
            if check:
                z = _table("dZ", dZ, self.n_out, &table)
            with nogil:
                if check and not self.engine.is_finite(&table):
                    status = FGD_NOT_FINITE
                else:
                    status = self.engine.backward(self.workspace, self.theta.view.buf, z.view.buf,
                                                  self.grad.view.buf, accumulate, to_x, n_threads)
        finally:
            self._release()
        if status == FGD_NOT_FINITE:
            raise ValueError(contract.DZ_NOT_FINITE)
        if status != FGD_OK:
            _fail(status)

    def loss(self, loss, Z, Y, weight, rows, dZ=None):
        """rows (B,) float64 <- weight * loss of each row of Z (B, n_out); dZ (B, n_out) or None <- its gradient."""
        cdef _RowLosses to = _row_losses(self, loss, Z, Y, weight, rows)
        cdef _Array d = None
        cdef void *to_dz = NULL
        cdef fgd_status status
        if dZ is not None:
            d = _dense("dZ", dZ, self.real, to.targets.count, self.n_out, True)
            to_dz = d.view.buf
        with nogil:
            status = to.compute(to_dz)
        if status != FGD_OK:
            _fail(status)

    def measure(self, loss, X, Y, weight, Z, losses, int n_threads=0):
        """Z (B, n_out) <- the outputs for X, losses (B,) <- those of `loss`; returns how many classes are right."""
        return _measure(self, loss, X, Y, weight, Z, losses, n_threads)

    def update(self, optimizer, coefficients, state, transforms=None):
        """theta, state <- one step of optimizer.rule with grad."""
        cdef int rule = RULES[optimizer.rule]
        cdef fgd_status status
        cdef _Transforms t = _transforms(transforms, self, 1)
        cdef _Array c = _dense("coefficients", coefficients, b"d", t.to.n_groups * fgd_rule_coefficients(rule))
        cdef _Array s = _dense("state", state, self.real, fgd_rule_slots(rule), self.size, True)
        self._acquire()
        try:
            with nogil:
                status = self.engine.update(rule, <double *> c.view.buf, t.used, self.size, self.grad.view.buf,
                                            self.theta.view.buf, s.view.buf)
        finally:
            self._release()
        if status != FGD_OK:
            _fail(status)

    def updates(self, optimizer, coefficients, state, transforms=None):
        """Updates for some steps, bound to their arrays."""
        return _updates(self, optimizer, coefficients, state, transforms)

    def train(self, chunk, Py_ssize_t first=0, last=None):
        """Execute the steps `first` to `last` - 1 of a chunk."""
        cdef _Chunk c = _chunk(chunk, self, first, last)
        cdef fgd_status status
        self._acquire()
        try:
            self._reserve(c.max_rows)
            self.rows = 0
            with nogil:
                status = self.engine.train(self.workspace, &c.to)
        finally:
            self._release()
        if status != FGD_OK:
            _fail(status, first + c.to.failed)

    def plan(self, Py_ssize_t batch, int n_threads=0):
        """How `train` would execute steps of `batch` rows, as a Plan."""
        cdef fgd_plan p = self.engine.plan(&self.net, batch, n_threads)
        if n_threads > 0:
            why = "as requested"
        elif p.n_threads == p.max_threads == 1:
            why = "the only one available"
        elif p.n_threads == p.max_threads:
            why = "all; fewer while that proves faster"
        else:
            why = f"each needs {p.min_flops:,.0f} operations of a forward pass to pay"
        is_bf16 = self.net.precision == FGD_PRECISION_BF16
        bf16 = dict(precision="bf16", unit=p.unit.decode(), f32_is_faster=bool(p.f32_is_faster)) if is_bf16 else {}
        facts = p.n_threads, p.max_threads, (p.row_groups, p.columns), why, p.workspace, p.flops, p.min_flops
        return Plan(f"native ({self.isa})", f"float{self.engine.bits}", batch, (p.tile_rows, p.tile_columns), *facts,
                    **bf16)
