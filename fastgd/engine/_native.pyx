# cython: language_level=3, freethreading_compatible=True
"""The boundary to the C core: check, release the GIL, one C call, raise.

Arrays come as buffers, so this module needs neither NumPy's headers nor one build for each Python.  `Network` is the
native twin of `fastgd.engine.numpy_engine.Network`; `fastgd.backend` says in words what both do.
"""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t

from struct import calcsize
from sys import maxsize
from threading import Lock

from .numpy_engine import SHARED, X_NOT_FINITE
from ..losses.base import LossNotFinite
from ..layers.noise import check_noise_spec
from .plan import Plan


cdef dict _rows(const char *(*name)(int) noexcept nogil):
    """{name: row number} of one table of the core."""
    rows, i = {}, 0
    while name(i) is not NULL:
        rows[name(i).decode()] = i
        i += 1
    return rows


ISAS = tuple(_rows(fgd_isa_name))  # that this CPU can run, best first
TYPES = _rows(fgd_type_name)
ACTIVATIONS = _rows(fgd_activation_name)
LOSSES = _rows(fgd_loss_name)
RULES = _rows(fgd_rule_name)
NOISES = _rows(fgd_noise_name)
COMPILER = fgd_compiler().decode()

include "buffers.pxi"


def max_threads():
    """Threads that a call may use when it asks for 0."""
    return fgd_max_threads()


def set_max_threads(int threads):
    """Limit them."""
    fgd_set_max_threads(threads)


cdef _Array _noise(draw, Py_ssize_t steps, int layers, fgd_noise *to):
    """The noise of some steps (a `fastgd.noise.NoiseSpec`, or None), as the core is told."""
    if draw is None:
        to.strength = NULL
        return None
    check_noise_spec(draw, steps, layers)
    cdef _Array a = _dense("the strengths of noise", draw.strengths, b"d", steps, layers)
    to.seed, to.step, to.row, to.strength = draw.seed, draw.step, draw.row, <double *> a.view.buf
    return a


cdef _fail(fgd_status status, Py_ssize_t step=-1):
    if status == FGD_NO_MEMORY:
        raise MemoryError("the engine's workspace does not fit in memory: use a smaller batch")
    if status == FGD_BAD_ROW_NUMBER:
        raise ValueError("order has a row number outside the data")
    if status == FGD_BAD_LABEL:
        raise ValueError("Y has a class number outside 0 .. n_out - 1")
    raise LossNotFinite(step)


cdef class Network
include "options.pxi"


cdef class Network:
    """A network bound to its memory, run by the C core.  See `fastgd.backend.Network`."""
    cdef const fgd_engine *engine
    cdef fgd_net net
    cdef fgd_layer *layers
    cdef list constants
    cdef _Array theta, grad
    cdef Py_ssize_t size
    cdef int n_in, n_out
    cdef fgd_workspace *workspace
    cdef Py_ssize_t batch       # rows that fit in the workspace
    cdef Py_ssize_t rows        # of the last forward; 0: none to go back from
    cdef char real              # format letter of theta: f or d
    cdef object lock

    def __cinit__(self, layers, theta, grad, isa=None, noises=(), lock=None):
        cdef Py_ssize_t size = 0
        layers = tuple(layers)
        if not layers:
            raise ValueError("a network needs at least one layer")
        self.layers = <fgd_layer *> PyMem_Calloc(len(layers), sizeof(fgd_layer))
        if self.layers is NULL:
            raise MemoryError()
        self.constants = [_Constants(layer.activation.params) for layer in layers]
        for l, layer in enumerate(layers):
            if l and layers[l - 1].n_out != layer.n_in:
                raise ValueError(f"layer {l} takes {layer.n_in} inputs, but layer {l - 1} gives {layers[l - 1].n_out}")
            self.layers[l] = fgd_layer(layer.n_in, layer.n_out, bool(layer.bias), ACTIVATIONS[layer.activation.name],
                                       (<_Constants> self.constants[l]).data,
                                       1 + NOISES[noises[l].name] if noises and noises[l] else 0)
            size += (self.layers[l].n_in + self.layers[l].bias) * <Py_ssize_t> self.layers[l].n_out
        self.net = fgd_net(<int> len(layers), self.layers)
        self.size, self.n_in, self.n_out = size, layers[0].n_in, layers[-1].n_out

        format = memoryview(theta).format
        if format not in ("f", "d"):
            raise TypeError(f"theta must be float32 or float64, not of format {format!r}")
        self.real = ord(format)
        self.theta = _dense("theta", theta, self.real, size, -1, True)
        self.grad = _dense("grad", grad, self.real, size, -1, True)
        name = (isa or ISAS[0]).encode()
        self.engine = fgd_find_engine(name, 32 if format == "f" else 64)
        if self.engine is NULL:
            raise ValueError(f"instruction set {isa!r} is not to be had here; there are {', '.join(ISAS)}")
        self.lock = lock or Lock()

    def __dealloc__(self):
        if self.workspace is not NULL:
            self.engine.workspace_free(self.workspace)
        PyMem_Free(self.layers)

    @property
    def isa(self):
        """The instruction set that runs this network."""
        return self.engine.isa.decode()

    cdef _enter(self):
        if not self.lock.acquire(False):
            raise RuntimeError("this model is at work in another thread: wait for it, or train a copy of the model")

    cdef _reserve(self, Py_ssize_t rows):
        """Room for a batch of `rows` rows."""
        if rows <= self.batch:
            return
        if self.workspace is not NULL:
            self.engine.workspace_free(self.workspace)
        self.batch = self.rows = 0
        self.workspace = self.engine.workspace_new(&self.net, rows)
        if self.workspace is NULL:
            _fail(FGD_NO_MEMORY)
        self.batch = rows

    def predict(self, X, out, int n_threads=0):
        """out (rows, n_out) <- the outputs for X (rows, n_in)."""
        cdef fgd_table table
        cdef fgd_status status
        cdef _Array x = _table("X", X, self.n_in, &table)
        cdef _Array z = _dense("out", out, self.real, table.count, self.n_out, True)
        if _touch(x, z):
            raise ValueError(SHARED)
        with nogil:
            status = self.engine.predict(&self.net, self.theta.view.buf, &table, z.view.buf, n_threads)
        if status == FGD_NOT_FINITE:
            raise ValueError(X_NOT_FINITE)
        if status != FGD_OK:
            _fail(status)

    def forward(self, X, out, int n_threads=0, noise=None):
        """The same, with the noise of one step, and keep the activations for `backward`."""
        cdef fgd_table table
        cdef fgd_noise c_noise
        cdef fgd_status status
        cdef _Array _x = _table("X", X, self.n_in, &table)
        cdef _Array z = _dense("out", out, self.real, table.count, self.n_out, True)
        cdef _Array _n = _noise(noise, 1, self.net.L, &c_noise)
        self._enter()
        try:
            self._reserve(max(table.count, 1))
            with nogil:
                status = self.engine.forward(self.workspace, self.theta.view.buf, &table, &c_noise, z.view.buf,
                                             n_threads)
            if status != FGD_OK:
                _fail(status)
            self.rows = table.count
        finally:
            self.lock.release()

    def backward(self, dZ, dX=None, int n_threads=0, bint accumulate=False):
        """grad <- dL/dtheta, dX (rows, n_in) <- dL/dX, from dZ (rows, n_out) = dL/d outputs of the last forward."""
        cdef _Array z, x = None
        cdef void *to_x = NULL
        cdef fgd_status status
        self._enter()
        try:
            if not self.rows:
                raise RuntimeError("backward needs a forward before it, with no training in between")
            z = _dense("dZ", dZ, self.real, self.rows, self.n_out)
            if dX is not None:
                x = _dense("dX", dX, self.real, self.rows, self.n_in, True)
                to_x = x.view.buf
            with nogil:
                status = self.engine.backward(self.workspace, self.theta.view.buf, z.view.buf, self.grad.view.buf, accumulate,
                                              to_x, n_threads)
            if status != FGD_OK:
                _fail(status)
        finally:
            self.lock.release()

    def loss(self, loss, Z, Y, weight, rows, dZ=None):
        """rows (B,) float64 <- weight * loss of each row of Z (B, n_out); dZ (B, n_out) or None <- its slope."""
        cdef fgd_table table
        cdef fgd_status status
        cdef _Constants constants = _Constants(loss.params)
        cdef fgd_loss c_loss = fgd_loss(LOSSES[loss.c_name], constants.data)
        cdef _Array _y = _table("Y", Y, 1 if fgd_loss_needs_labels(c_loss.kind) else self.n_out, &table)
        cdef Py_ssize_t count = table.count
        cdef _Array z = _dense("Z", Z, self.real, count, self.n_out)
        cdef _Array r = _dense("rows", rows, b"d", count, -1, True), w = None, d = None
        cdef void *weights = NULL
        cdef void *to_dz = NULL
        if weight is not None:
            w = _dense("weight", weight, self.real, count)
            weights = w.view.buf
        if dZ is not None:
            d = _dense("dZ", dZ, self.real, count, self.n_out, True)
            to_dz = d.view.buf
        with nogil:
            status = self.engine.loss(&c_loss, self.n_out, z.view.buf, &table, weights, <double *> r.view.buf, to_dz)
        if status != FGD_OK:
            _fail(status)

    def update(self, optimizer, coefficients, state, regime=None):
        """theta, state <- one step of optimizer.rule with grad."""
        cdef int rule = RULES[optimizer.rule]
        cdef fgd_status status
        cdef _Transforms beside = _Transforms(regime, self, 1)
        cdef _Array c = _dense("coefficients", coefficients, b"d", beside.to.n_groups * fgd_rule_coefficients(rule))
        cdef _Array s = _dense("state", state, self.real, fgd_rule_slots(rule), self.size, True)
        self._enter()
        try:
            with nogil:
                status = self.engine.update(rule, <double *> c.view.buf, beside.used, self.size, self.grad.view.buf,
                                            self.theta.view.buf, s.view.buf)
        finally:
            self.lock.release()
        if status != FGD_OK:
            _fail(status)

    def train(self, X, Y, weight, order, starts, loss, optimizer, coefficients, state, losses, int n_threads=0,
              regime=None, noise=None):
        """A chunk of steps: step s on the rows order[starts[s]:starts[s + 1]] of X and Y."""
        cdef fgd_chunk chunk
        cdef fgd_status status
        cdef _Constants constants = _Constants(loss.params)
        cdef _Array w = None
        chunk.loss = fgd_loss(LOSSES[loss.c_name], constants.data)
        chunk.rule = RULES[optimizer.rule]
        chunk.n_threads = n_threads
        chunk.n_steps = len(losses)
        cdef _Array _x = _table("X", X, self.n_in, &chunk.X)
        cdef _Array _y = _table("Y", Y, 1 if fgd_loss_needs_labels(chunk.loss.kind) else self.n_out, &chunk.Y)
        if chunk.X.count != chunk.Y.count:
            raise ValueError(f"X has {chunk.X.count} rows, but Y has {chunk.Y.count}")
        chunk.weight = NULL
        if weight is not None:
            w = _dense("weight", weight, self.real, chunk.X.count)
            chunk.weight = w.view.buf
        cdef _Array o = _dense("order", order, b"q", len(order))
        cdef _Array b = _dense("starts", starts, b"q", chunk.n_steps + 1)
        cdef _Transforms beside = _Transforms(regime, self, chunk.n_steps)
        cdef _Array c = _dense("coefficients", coefficients, b"d", chunk.n_steps,
                               beside.to.n_groups * fgd_rule_coefficients(chunk.rule))
        cdef _Array s = _dense("state", state, self.real, fgd_rule_slots(chunk.rule), self.size, True)
        cdef _Array out = _dense("losses", losses, b"d", chunk.n_steps, -1, True)
        cdef _Array _n = _noise(noise, chunk.n_steps, self.net.L, &chunk.noise)
        chunk.transforms = beside.used
        chunk.order, chunk.starts = <int64_t *> o.view.buf, <int64_t *> b.view.buf
        chunk.coefficients, chunk.losses = <double *> c.view.buf, <double *> out.view.buf
        chunk.theta, chunk.grad, chunk.state = self.theta.view.buf, self.grad.view.buf, s.view.buf

        cdef Py_ssize_t i, most = 0
        if not 0 <= chunk.starts[0] <= chunk.starts[chunk.n_steps] <= len(order):
            raise ValueError(f"starts must lie within 0 .. {len(order)}, the rows of order")
        for i in range(chunk.n_steps):
            if chunk.starts[i] >= chunk.starts[i + 1]:
                raise ValueError(f"step {i} has no rows: starts must ascend")
            most = max(most, chunk.starts[i + 1] - chunk.starts[i])
        self._enter()
        try:
            self._reserve(max(min(most, beside.to.micro_batch), 1))
            self.rows = 0
            with nogil:
                status = self.engine.train(self.workspace, &chunk)
        finally:
            self.lock.release()
        if status != FGD_OK:
            _fail(status, chunk.failed)

    def plan(self, Py_ssize_t batch, int n_threads=0):
        """What `train` would do for steps of `batch` rows, as a Plan."""
        cdef fgd_plan p = self.engine.plan(&self.net, batch, n_threads)
        if n_threads > 0:
            why = "as asked for"
        elif p.n_threads == p.max_threads == 1:
            why = "there is no other"
        elif p.n_threads == p.max_threads:
            why = "all; fewer while that is measured to be faster"
        else:
            why = f"each must be worth {p.min_flops:,.0f} operations of a forward pass"
        return Plan(f"native ({self.isa})", f"float{self.engine.bits}", batch, (p.tile_rows, p.tile_columns),
                    p.n_threads, p.max_threads, (p.row_groups, p.columns), why, p.workspace, p.flops)
