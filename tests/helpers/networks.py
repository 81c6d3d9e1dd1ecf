"""The engines of this machine, networks bound to them, and short trainings of these."""

import itertools
from ctypes import CDLL
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from problems import targets

from fastgd import activations, backend, losses, optimizers
from fastgd.engine.chunk import Chunk

ALL_ENGINES = backend.available()
ENGINES = [engine for engine in ALL_ENGINES if engine.isa != "amx"]  # which differs from avx512 in bfloat16 alone
NATIVE = [engine for engine in ENGINES if engine.backend == "native"]
NUMPY = backend.Engine("numpy", None)
REALS = ["float32", "float64"]


def name_of(engine):
    return engine.isa or engine.backend


# (engine, dtype) for everything that is compared with the reference, the NumPy engine in float64.
CASES = [
    pytest.param(engine, dtype, id=f"{name_of(engine)}-{dtype}")
    for engine, dtype in itertools.product(ENGINES, REALS)
    if (engine, dtype) != (NUMPY, "float64")
]


@pytest.fixture(params=ENGINES, ids=name_of)
def engine(request):
    """Run the test on each engine in turn."""
    with backend.override(request.param.backend, request.param.isa) as chosen:
        yield chosen


@pytest.fixture
def three_threads():
    """Let calls from this thread start three threads on any machine: they start no more than there are CPUs."""
    if not NATIVE:
        yield
        return
    native = backend._native()
    openmp, before = CDLL(native.__file__), native.max_threads()
    most = openmp.omp_get_max_threads()
    openmp.omp_set_num_threads(max(most, 3))
    native.set_max_threads(max(before, 3))
    yield
    openmp.omp_set_num_threads(most)
    native.set_max_threads(before)


def close(got, want, tolerance):
    """Equal, apart from rounding errors relative to the largest value."""
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * abs(want).max(initial=0))


def numbers(rng, *shape):
    """Normal random values that float32 holds exactly."""
    return rng.normal(size=shape).astype("float32").astype("float64")


def layers_of(widths, hidden="tanh"):
    """Dense layers; every second one has no bias, the last one is linear."""
    names = [hidden] * (len(widths) - 2) + ["identity"]
    return [
        SimpleNamespace(n_in=n_in, n_out=n_out, activation=activations.get(name), bias=i % 2 == 0)
        for i, (n_in, n_out, name) in enumerate(zip(widths[:-1], widths[1:], names, strict=True))
    ]


class Net:
    """A network on an engine, with its vectors.

    The initial theta holds values that float32 holds exactly, so that networks of both dtypes are the same network.
    """

    def __init__(self, engine, dtype, widths, hidden="tanh", noises=(), precision="f32"):
        layers = layers_of(widths, hidden)
        rng = np.random.default_rng(0)
        scales = [2.0 ** -(layer.n_in.bit_length() // 2) for layer in layers]  # about 1 / sqrt(n_in)
        parts = [s * numbers(rng, (r.n_in + r.bias) * r.n_out) for s, r in zip(scales, layers, strict=True)]
        self.dtype = np.dtype(dtype)
        self.theta = np.concatenate(parts).astype(dtype)
        self.grad = np.full_like(self.theta, np.nan)
        self.n_out = widths[-1]
        self.biases = [layer.bias for layer in layers]
        self.network = engine.executor(layers, self.theta, self.grad, noises, precision=precision)

    def parameters(self):
        """Names of the parameters, as the groups of an optimizer need them."""
        return [f"{i}.{name}" for i, bias in enumerate(self.biases) for name in ["weight"] + bias * ["bias"]]

    def empty(self, *shape):
        return np.full(shape, np.nan, self.dtype)

    def forward(self, X, n_threads=0, noise=None):
        Z = self.empty(len(X), self.n_out)
        self.network.forward(X, Z, n_threads, noise)
        return Z

    def predict(self, X, n_threads=0):
        Z = self.empty(len(X), self.n_out)
        self.network.predict(X, Z, n_threads)
        return Z


@dataclass
class Run:
    """Data, steps, loss and optimizer of a short training; float64 where engines take the dtype of theta."""

    X: Any
    Y: Any
    order: Any
    starts: Any
    loss: Any
    optimizer: Any
    weight: Any = None
    lr: float = 0.05

    def chunk(self, net, **changes):
        """All steps as one chunk for `net`, with some fields changed."""
        steps = len(self.starts) - 1
        t = np.arange(1, steps + 1)
        chunk = Chunk(
            X=self.X,
            Y=self.Y,
            order=self.order,
            starts=self.starts,
            loss=self.loss,
            optimizer=self.optimizer,
            coefficients=self.optimizer.coefficients(np.full(steps, self.lr), t),
            state=np.zeros((self.optimizer.slots, net.theta.size), net.dtype),
            losses=np.full(steps, np.nan),
            weight=None if self.weight is None else self.weight.astype(net.dtype),
            transforms=self.optimizer.transforms(net, t, t.astype(float)) if self.optimizer.forms else None,
        )
        return replace(chunk, **changes)

    def on(self, net, pieces=1, n_threads=0, noise=None):
        """Train `net`, in `pieces` calls; returns losses and state."""
        whole = self.chunk(net, n_threads=n_threads, noise=noise)
        for steps in np.array_split(np.arange(whole.n_steps), pieces):
            net.network.train(whole, steps[0], steps[-1] + 1)
        return whole.losses, whole.state

    def changed(self, **changes):
        return replace(self, **changes)


def part_of(chunk, first, last, **changes):
    """The steps `first` to `last` - 1 of a chunk, with some fields changed."""
    steps, noise, transforms = slice(first, last), chunk.noise, chunk.transforms
    if noise is not None:
        noise = noise._replace(step=noise.step + first, strengths=noise.strengths[steps])
    if transforms is not None and "transforms" not in changes:
        of_steps = {"per_step": transforms.per_step[steps], "per_group": transforms.per_group[steps]}
        changes["transforms"] = replace(transforms, **of_steps)
    values = {name: getattr(chunk, name)[steps] for name in ("coefficients", "losses")}
    return replace(chunk, **{**values, "starts": chunk.starts[first : last + 1], "noise": noise, **changes})


def run_of(loss, optimizer, widths, rows=20, batch=9, epochs=2, weighted=False, seed=1):
    """A run on random rows in random order, with a smaller last batch in each epoch."""
    rng = np.random.default_rng(seed)
    loss = losses.get(loss)
    order = np.concatenate([rng.permutation(rows) for _ in range(epochs)])
    starts = np.append(np.add.outer(np.arange(epochs) * rows, np.arange(0, rows, batch)).ravel(), epochs * rows)
    Y = targets(rng, loss, rows, widths[-1])
    return Run(
        X=numbers(rng, rows, widths[0]),
        Y=Y if loss.target == "labels" else Y.astype("float32").astype("float64"),
        order=order,
        starts=starts,
        loss=loss,
        optimizer=optimizers.get(optimizer),
        weight=rng.integers(1, 9, rows) / 8 if weighted else None,
    )


def elementwise(optimizer, coefficients):
    """The coefficients (..., n) of the form of a rule that updates one element at a time, which is the last."""
    return np.split(coefficients, max(1, optimizer.forms), axis=-1)[-1].copy()
