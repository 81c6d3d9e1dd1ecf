"""The workloads: networks, data, batches, and the float64 reference that every contender must agree with.

To add a workload, add an entry to `WORKLOADS`: tests, report and figures run over that table.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fastgd as gd
from fastgd import backend, losses
from fastgd.engine.chunk import Chunk

Floats = NDArray[np.floating]
Order = NDArray[np.int64]

# The share of theta's movement that may be wrong. float32 rounds theta to 6e-8 of itself in each step, and theta moves
# by as little as 1e-4 of itself in the check: rounding alone is up to 1e-3. A wrong batch, rate or divisor is over 0.1.
TOLERANCE = 1e-2
# Of products in bfloat16, whose factors are rounded to 2^-9 of themselves. Adam moves weights of small gradients, whose
# signs are then uncertain, as far as all others: after a few steps of Adam fastgd, PyTorch and JAX all differ by 0.15.
BF16_TOLERANCE, BF16_PREDICTION_TOLERANCE = {"sgd": 0.1, "adam": 0.2}, 0.01

LARGE = 2e8  # operations of a step, above which no contender is faster on one thread than on all


@dataclass(frozen=True)
class Workload:
    """A network, its data and its update rule.

    Attributes
    ----------
    widths : tuple of int
        Inputs, hidden units, outputs.
    batch, rows : int
        Rows of a step and of the data; `rows` is a multiple of `batch`, so that all steps are alike.
    optimizer : {"sgd", "momentum", "adam"}
    check_steps : int
        Number of steps after which theta is compared with the reference.
    """

    name: str
    widths: tuple[int, ...]
    batch: int
    rows: int
    loss: str = "cross_entropy"
    activation: str = "relu"
    optimizer: str = "sgd"
    lr: float = 0.1
    dtype: str = "float32"
    check_steps: int = 16

    @property
    def title(self) -> str:
        """As in tables: mnist 784-128-10, batch 64."""
        facts = [f"{self.name} {'-'.join(map(str, self.widths))}", f"batch {self.batch:,}"]
        facts += [name for name, usual in ((self.activation, "relu"), (self.optimizer, "sgd")) if name != usual]
        return ", ".join(facts)

    @property
    def weights(self) -> list[int]:
        """Weights of each layer, without biases."""
        return [n_in * n_out for n_in, n_out in zip(self.widths, self.widths[1:], strict=False)]

    @property
    def size(self) -> int:
        """Length of theta."""
        return sum(self.weights) + sum(self.widths[1:])

    @property
    def is_full_batch(self) -> bool:
        """Whether a step reads all rows: then peers need not gather them."""
        return self.batch == self.rows

    @property
    def flops(self) -> int:
        """Operations of a step's products: 2 per weight and row in forward, dW and dX (no dX for the first layer)."""
        return self.batch * (6 * sum(self.weights) - 2 * self.weights[0])

    @property
    def bytes(self) -> int:
        """Minimum traffic of a step from and to memory: its rows in, theta and the rule's slots in and out."""
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[self.optimizer]
        return np.dtype(self.dtype).itemsize * (self.batch * self.widths[0] + 2 * (1 + slots) * self.size)

    def data(self) -> tuple[Floats, NDArray]:
        """X (rows, n_in) and y: class indices (rows,) int64, or real targets (rows, n_out).

        A linear teacher with noise: the loss falls, but not to 0, where gradients would be subnormal.
        """
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, self.widths[0]), self.dtype)
        teacher = rng.standard_normal((self.widths[0], self.widths[-1]), self.dtype) / np.sqrt(self.widths[0])
        Z = X @ teacher.astype(self.dtype) + 0.5 * rng.standard_normal((self.rows, self.widths[-1]), self.dtype)
        return (X, Z.argmax(axis=1)) if self.loss == "cross_entropy" else (X, np.tanh(Z))

    def order(self, steps: int) -> Order:
        """Row indices (steps, batch): epochs, each in its own random order; a full batch in the given order."""
        if self.is_full_batch:
            return np.tile(np.arange(self.rows), (steps, 1))
        rng = np.random.default_rng(1)
        epochs = -(-steps * self.batch // self.rows)
        rows = np.concatenate([rng.permutation(self.rows) for _ in range(epochs)])
        return rows[: steps * self.batch].reshape(steps, self.batch)

    def model(self, dtype: str | None = None) -> gd.Sequential:
        """The network with its initial weights; in float64 they are those of the workload's dtype."""
        model = gd.MLP(*self.widths, activation=self.activation, seed=0, dtype=self.dtype)
        if dtype in (None, self.dtype):
            return model
        copy = gd.MLP(*self.widths, activation=self.activation, seed=0, dtype=dtype)
        copy.theta = model.theta
        return copy

    def chunk(self, model: gd.Sequential, X: Floats, y: NDArray, order: Order, n_threads: int = 0) -> Chunk:
        """Steps on `batch` rows of the order each, of which the last may have fewer, for `model.network.train`."""
        steps, optimizer = -(-order.size // self.batch), self.rule()
        return Chunk(
            X=X,
            Y=y.reshape(len(y), -1),
            order=order.ravel(),
            starts=np.append(np.arange(0, order.size, self.batch), order.size),
            loss=losses.get(self.loss),
            optimizer=optimizer,
            coefficients=optimizer.coefficients(np.full(steps, self.lr), np.arange(1, steps + 1)),
            state=optimizer.bind(model.size, model.dtype),
            losses=np.empty(steps),
            n_threads=n_threads,
        )

    def rule(self) -> gd.optimizers.Optimizer:
        """A new optimizer."""
        if self.optimizer == "adam":
            return gd.Adam(lr=self.lr)
        return gd.SGD(lr=self.lr, momentum=0.9 if self.optimizer == "momentum" else 0.0)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tiny", (4, 16, 3), 16, 160),
        Workload("digits", (64, 64, 10), 32, 1792),
        Workload("tabular", (32, 128, 64, 1), 256, 16384, loss="mse", lr=0.05),
        Workload("mnist", (784, 128, 10), 64, 59968),
        Workload("mnist-big", (784, 512, 512, 10), 128, 59904, check_steps=8),
        Workload("wide", (1024, 4096, 4096, 1000), 512, 4096, check_steps=2),
    )
}

# Other rules, activations and dtypes, to be compared with the workload of that name.
VARIANTS = {
    "mnist-big": (
        {"name": "momentum", "optimizer": "momentum", "lr": 0.01},
        {"name": "Adam", "optimizer": "adam", "lr": 0.001},
        {"name": "float64", "dtype": "float64"},
    ),
    "tabular": (
        {"name": "sigmoid", "activation": "sigmoid"},
        {"name": "tanh", "activation": "tanh"},
    ),
}

# What also the peers train in float64.
DOUBLES = {name: replace(WORKLOADS[name], dtype="float64") for name in ("tabular", "mnist", "mnist-big")}

# The network of the SimpleChains.jl announcement (julialang.org/blog/2022/04/simple-chains): all rows in one step.
FULL_BATCH = Workload("full-batch", (4, 32, 16, 4), 10_000, 10_000, "mse", "tanh", optimizer="adam", lr=0.001)

TRAININGS = WORKLOADS | {FULL_BATCH.name: FULL_BATCH}

# Networks and batches in between: how speed depends on a single size.
WIDTHS = [
    Workload(f"width {n}", (n, n, 10), 128, 2048, check_steps=2) for n in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
]
BATCHES = [
    Workload(f"batch {b}", (256, 256, 10), b, 4096, lr=0.1 if b >= 16 else 0.001, check_steps=4)  # single rows diverge
    for b in (1, 4, 16, 64, 256, 1024, 4096)
]


def variants(base: str) -> list[Workload]:
    """The workload `base` and its variants."""
    return [WORKLOADS[base], *(replace(WORKLOADS[base], **change) for change in VARIANTS[base])]


def parameters(widths: tuple[int, ...], theta: Floats) -> list[tuple[Floats, Floats]]:
    """Views (W (n_in, n_out), b (n_out,)) of each layer in the flat vector theta."""
    found, start = [], 0
    for n_in, n_out in zip(widths, widths[1:], strict=False):
        end = start + n_in * n_out
        found.append((theta[start:end].reshape(n_in, n_out), theta[end : end + n_out]))
        start = end + n_out
    return found


def reference(workload: Workload, X: Floats, y: NDArray) -> NDArray[np.float64]:
    """theta after `check_steps` steps of the NumPy engine in float64."""
    with backend.override("numpy"):
        model = workload.model("float64")
        model.network.train(workload.chunk(model, X, y, workload.order(workload.check_steps)))
    return model.theta


def wrong_share(theta: Floats, first: Floats, expected: NDArray[np.float64]) -> float:
    """Distance of theta from the expected one, relative to the distance of that from the initial one."""
    return float(np.linalg.norm(theta - expected) / np.linalg.norm(first - expected))


def outputs(workload: Workload, theta: Floats, X: Floats) -> NDArray[np.float64]:
    """Outputs (rows, n_out) of the NumPy engine in float64."""
    with backend.override("numpy"):
        model = workload.model("float64")
        model.theta = theta
        return model.forward(X)


def write_problem(workload: Workload, folder: Path) -> None:
    """Write data, initial theta and reference to files for other processes."""
    X, y = workload.data()
    arrays = {"X": X, "y": y, "theta": workload.model().theta, "expected": reference(workload, X, y)}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def read_problem(folder: Path) -> dict[str, NDArray]:
    """The arrays of `write_problem` by name; vectors of theta's size are memory-mapped and so shared by all workers."""
    modes = {"X": None, "y": None, "theta": "c", "expected": "c"}
    return {name: np.load(folder / f"{name}.npy", mmap_mode=mode) for name, mode in modes.items()}
