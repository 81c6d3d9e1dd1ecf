"""Who takes part: fastgd and its peers, each as people write it and as an expert does.

To add a contender: a class in a file of this folder, and its row in `CONTENDERS`.  A contender is made in a process of
its own (`worker.py`), so that nobody's thread pool disturbs another's, and does what `Contender` says.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..workloads import Order, Workload


class Contender:
    """One training of one workload.

    Parameters
    ----------
    workload : Workload
    X, y : ndarray (rows, n_in), (rows,) or (rows, n_out)
        The data; converting it is not timed.
    theta : ndarray (size,)
        First parameters, layer by layer W (n_in, n_out), then b.
    threads : int
    """

    optimizers = frozenset(("sgd",))  # what it knows; a workload with another is not given to it
    activations = frozenset(("relu", "tanh", "sigmoid"))
    dtypes = frozenset(("float32",))
    least_steps = 1  # that it can be timed on

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        self.workload = workload

    @classmethod
    def can(cls, workload: Workload) -> bool:
        """Whether it can train this workload."""
        known = workload.optimizer in cls.optimizers and workload.activation in cls.activations
        return known and workload.dtype in cls.dtypes

    def start(self, theta: NDArray) -> None:
        """Set the parameters (size,) and forget all momentum."""
        raise NotImplementedError

    def train(self, order: Order) -> None:
        """Steps on the rows order[0], order[1]...: (steps, batch)."""
        raise NotImplementedError

    def race(self, order: Order) -> None:
        """What is timed, the gather of the rows included."""
        self.train(order)

    def theta(self) -> NDArray:
        """The parameters (size,)."""
        raise NotImplementedError

    def predict(self, X: NDArray) -> object:
        """Outputs (rows, n_out) for X (rows, n_in), in the contender's own kind of array."""
        raise NotImplementedError


@dataclass(frozen=True)
class Row:
    """One contender: `place` is "module:class", `packages` are what it imports."""

    label: str
    place: str
    packages: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        return all(find_spec(package) for package in self.packages)

    def load(self) -> type[Contender]:
        module, name = self.place.split(":")
        found: type[Contender] = getattr(import_module(f".{module}", __name__), name)
        return found


CONTENDERS = {
    "fastgd": Row("fastgd", "own:Engine"),
    "fastgd-fit": Row("fastgd, Trainer.fit", "own:Fit"),
    "fastgd-buffer": Row("fastgd, into a buffer", "own:Buffered"),
    "fastgd-numpy": Row("fastgd, NumPy engine", "own:NumPyEngine"),
    "numpy": Row("NumPy by hand", "by_numpy:ByHand"),
    "sklearn": Row("scikit-learn MLP", "by_sklearn:MLP", ("sklearn",)),
    "torch-loader": Row("PyTorch, DataLoader", "by_torch:Loader", ("torch",)),
    "torch": Row("PyTorch eager", "by_torch:Eager", ("torch",)),
    "torch-fused": Row("PyTorch, fused optimiser", "by_torch:Fused", ("torch",)),
    "torch-manual": Row("PyTorch, no autograd", "by_torch:Manual", ("torch",)),
    "torch-compile": Row("PyTorch, compiled step", "by_torch:Compiled", ("torch",)),
    "jax-step": Row("JAX, jitted step", "by_jax:Step", ("jax",)),
    "jax-scan": Row("JAX, epochs in one jit", "by_jax:Scan", ("jax",)),
    "keras": Row("Keras, fit", "by_keras:Fit", ("tensorflow", "keras")),
    "tensorflow": Row("TensorFlow XLA, epochs in one jit", "by_tensorflow:Loop", ("tensorflow",)),
    "onnxruntime": Row("ONNX Runtime", "by_onnx:Session", ("onnxruntime", "onnx")),
}
TRAINERS = tuple(name for name in CONTENDERS if name not in ("fastgd-buffer", "onnxruntime"))
# Those that were the fastest peer of a workload, and those that targets name.
QUICK = ("fastgd", "fastgd-buffer", "numpy", "torch", "torch-manual", "jax-scan", "tensorflow", "onnxruntime")
PREDICTORS = ("fastgd", "fastgd-buffer", "fastgd-numpy", "numpy", "sklearn", "torch", "jax-step", "onnxruntime")


def is_peer(name: str) -> bool:
    """Whether it is somebody else's code."""
    return not name.startswith("fastgd")


def batch_of(workload: Workload, X: Any, y: Any, rows: Any) -> tuple[Any, Any]:
    """The rows of a step."""
    return (X, y) if workload.is_full_batch else (X[rows], y[rows])


def flatten(layers: list[tuple[NDArray, NDArray]]) -> NDArray:
    """theta from (W (n_in, n_out), b (n_out,)) of each layer."""
    return np.concatenate([np.asarray(part).ravel() for layer in layers for part in layer])
