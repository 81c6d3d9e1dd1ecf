"""What is trained: networks, data, batches, and the float64 reference that every contender must agree with.

To add a workload: one row of `WORKLOADS`.  Tests, report and pictures run over that table.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fastgd as gd
from fastgd import backend, losses

Floats = NDArray[np.floating]
Order = NDArray[np.int64]

# The share of theta's movement that may be wrong.  float32 rounds theta to 6e-8 of itself at each step, and theta
# moves by as little as 1e-4 of itself in the check: rounding alone is up to 1e-3.  A wrong batch, rate or divisor is
# over 0.1.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class Workload:
    """One training: a network, its data and its rule.

    Attributes
    ----------
    widths : tuple of int
        Inputs, hidden units, outputs.
    batch, rows : int
        Rows of a step and of the data; a multiple, so that all steps are alike.
    optimizer : {"sgd", "momentum", "adam"}
    check_steps : int
        Steps after which theta is compared with the reference.
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
        """As tables say it: mnist 784-128-10, batch 64."""
        facts = [f"{self.name} {'-'.join(map(str, self.widths))}", f"batch {self.batch:,}"]
        facts += [word for word, usual in ((self.activation, "relu"), (self.optimizer, "sgd")) if word != usual]
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
        """Whether a step takes all rows: then peers need not gather them."""
        return self.batch == self.rows

    @property
    def flops(self) -> int:
        """Of a step's products: forward and dW cost 2 a weight and row each; dX as much, but for the first layer."""
        return self.batch * (6 * sum(self.weights) - 2 * self.weights[0])

    @property
    def bytes(self) -> int:
        """That a step must at least move to and from memory: its rows in, theta and the rule's slots in and out."""
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[self.optimizer]
        return np.dtype(self.dtype).itemsize * (self.batch * self.widths[0] + 2 * (1 + slots) * self.size)

    def data(self) -> tuple[Floats, NDArray]:
        """X (rows, n_in) and y: class numbers (rows,) int64, or numbers (rows, n_out).

        A linear teacher with noise: the loss falls, but not to 0, where gradients would be denormal numbers.
        """
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, self.widths[0]), self.dtype)
        teacher = rng.standard_normal((self.widths[0], self.widths[-1]), self.dtype) / np.sqrt(self.widths[0])
        Z = X @ teacher.astype(self.dtype) + 0.5 * rng.standard_normal((self.rows, self.widths[-1]), self.dtype)
        return (X, Z.argmax(axis=1)) if self.loss == "cross_entropy" else (X, np.tanh(Z))

    def order(self, steps: int) -> Order:
        """Row numbers (steps, batch): epochs, each in a random order of its own; a full batch as it stands."""
        if self.is_full_batch:
            return np.tile(np.arange(self.rows), (steps, 1))
        rng = np.random.default_rng(1)
        epochs = -(-steps * self.batch // self.rows)
        rows = np.concatenate([rng.permutation(self.rows) for _ in range(epochs)])
        return rows[: steps * self.batch].reshape(steps, self.batch)

    def model(self, dtype: str | None = None) -> gd.Sequential:
        """The network with its first weights; in float64 they are those of the workload's dtype."""
        model = gd.MLP(*self.widths, activation=self.activation, seed=0, dtype=self.dtype)
        if dtype in (None, self.dtype):
            return model
        twin = gd.MLP(*self.widths, activation=self.activation, seed=0, dtype=dtype)
        twin.theta = model.theta
        return twin

    def rule(self) -> gd.optimizers.Optimizer:
        """The optimiser; its state starts anew."""
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

# What another rule, activation or dtype costs, beside the workload of that name.
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

# The network of the SimpleChains.jl announcement (julialang.org/blog/2022/04/simple-chains): all rows in one step.
FULL_BATCH = Workload("full-batch", (4, 32, 16, 4), 10_000, 10_000, "mse", "tanh", optimizer="adam", lr=0.001)

TRAININGS = WORKLOADS | {FULL_BATCH.name: FULL_BATCH}

# Networks and batches between the workloads: how speed depends on one size alone.
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


class Chunk:
    """Everything that `Network.train` wants for some steps of a workload, made once.

    Parameters
    ----------
    model : Sequential
        To be trained.
    order : (steps, batch) int64
    """

    def __init__(self, workload: Workload, model: gd.Sequential, X: Floats, y: NDArray, order: Order) -> None:
        steps, batch = order.shape
        optimizer = workload.rule()
        self.model, self.state, self.losses = model, optimizer.bind(model.size, model.dtype), np.empty(steps)
        coefficients = optimizer.coefficients(np.full(steps, workload.lr), np.arange(1, steps + 1))
        starts = np.arange(0, order.size + 1, batch)
        loss = losses.get(workload.loss)
        self._arguments = (X, y.reshape(len(y), -1), None, order.ravel(), starts, loss, optimizer, coefficients)

    def train(self, n_threads: int = 0) -> None:
        """The steps, from where theta is."""
        self.model.network.train(*self._arguments, self.state, self.losses, n_threads)


def reference(workload: Workload, X: Floats, y: NDArray) -> NDArray[np.float64]:
    """theta after `check_steps` steps of the NumPy engine in float64."""
    with backend.override("numpy"):
        model = workload.model("float64")
        Chunk(workload, model, X, y, workload.order(workload.check_steps)).train()
    return model.theta


def wrong_share(theta: Floats, first: Floats, expected: NDArray[np.float64]) -> float:
    """Distance of theta from what is expected, relative to the way from its first value."""
    return float(np.linalg.norm(theta - expected) / np.linalg.norm(first - expected))


def outputs(workload: Workload, theta: Floats, X: Floats) -> NDArray[np.float64]:
    """Outputs (rows, n_out) of the NumPy engine in float64."""
    with backend.override("numpy"):
        model = workload.model("float64")
        model.theta = theta
        return model.forward(X)


def mean_loss(workload: Workload, theta: Floats, X: Floats, y: NDArray, rows: int = 1024) -> float:
    """Of the first rows of the data, in float64."""
    Z = outputs(workload, theta, X[:rows])
    return float(losses.get(workload.loss).per_row(Z, y[:rows].reshape(len(Z), -1)).mean())


def write_problem(workload: Workload, folder: Path) -> None:
    """Data, first theta and reference, as files for other processes."""
    X, y = workload.data()
    arrays = {"X": X, "y": y, "theta": workload.model().theta, "expected": reference(workload, X, y)}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def read_problem(folder: Path) -> dict[str, NDArray]:
    """The arrays of `write_problem` by name; the vectors of theta's size are mapped, so that all workers share them."""
    modes = {"X": None, "y": None, "theta": "c", "expected": "c"}
    return {name: np.load(folder / f"{name}.npy", mmap_mode=mode) for name, mode in modes.items()}
