"""The contenders: fastgd and its peers, each as users write it and as an expert does.

To add a contender, add a class to this folder and an entry to `CONTENDERS`. Each library has its own processes
(`worker.py`), so that the thread pools of libraries do not disturb each other.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..workloads import TOLERANCE, Order, Workload


class Contender:
    """A training of a workload.

    Parameters
    ----------
    workload : Workload
    X, y : ndarray (rows, n_in), (rows,) or (rows, n_out)
        The data; converting it is not timed.
    theta : ndarray (size,)
        Initial parameters, layer by layer W (n_in, n_out), then b.
    threads : int
    """

    optimizers = frozenset(("sgd",))  # that it supports; workloads with others are not given to it
    activations = frozenset(("relu", "tanh", "sigmoid"))
    dtypes = frozenset(("float32",))
    min_steps = 1  # of a turn
    tolerance = dict.fromkeys(("sgd", "momentum", "adam"), TOLERANCE)  # of theta's movement; see `wrong_share`
    prediction_tolerance = 1e-4  # relative to the largest output: float32 rounds to 6e-8, in sums of up to 1000 terms

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        self.workload = workload

    @classmethod
    def can(cls, workload: Workload) -> bool:
        """Whether it can train this workload."""
        known = workload.optimizer in cls.optimizers and workload.activation in cls.activations
        return known and workload.dtype in cls.dtypes

    def start(self, theta: NDArray) -> None:
        """Set the parameters (size,) and reset the optimizer's state."""
        raise NotImplementedError

    def train(self, order: Order) -> None:
        """Train on the rows order[0], order[1] ... (steps, batch)."""
        raise NotImplementedError

    def race(self, order: Order) -> None:
        """The timed work, which includes gathering the rows."""
        self.train(order)

    def theta(self) -> NDArray:
        """The parameters (size,)."""
        raise NotImplementedError

    def predict(self, X: NDArray) -> object:
        """Outputs (rows, n_out) for X (rows, n_in), in the contender's own array type."""
        raise NotImplementedError


@dataclass(frozen=True)
class Entry:
    """Where a contender is: `place` is "module:class"; `packages` are what it imports."""

    label: str
    place: str
    packages: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        return all(find_spec(package) for package in self.packages)

    @property
    def library(self) -> str:
        """What it imports first; "" for NumPy alone."""
        return self.packages[0] if self.packages else ""

    def load(self) -> type[Contender]:
        module, name = self.place.split(":")
        found: type[Contender] = getattr(import_module(f".{module}", __name__), name)
        return found


CONTENDERS = {
    "fastgd": Entry("fastgd", "own:Engine"),
    "fastgd-fit": Entry("fastgd, Trainer.fit", "own:Fit"),
    "fastgd-buffer": Entry("fastgd, into a buffer", "own:Buffered"),
    "fastgd-avx2": Entry("fastgd, AVX2 engine", "own:Avx2"),
    "fastgd-numpy": Entry("fastgd, NumPy engine", "own:NumPyEngine"),
    "numpy": Entry("NumPy by hand", "by_numpy:ByHand"),
    "sklearn": Entry("scikit-learn MLP", "by_sklearn:MLP", ("sklearn",)),
    "torch-loader": Entry("PyTorch, DataLoader", "by_torch:Loader", ("torch",)),
    "torch": Entry("PyTorch eager", "by_torch:Eager", ("torch",)),
    "torch-fused": Entry("PyTorch, fused optimizer", "by_torch:Fused", ("torch",)),
    "torch-manual": Entry("PyTorch, no autograd", "by_torch:Manual", ("torch",)),
    "torch-compile": Entry("PyTorch, compiled step", "by_torch:Compiled", ("torch",)),
    "jax-step": Entry("JAX, jitted step", "by_jax:Step", ("jax",)),
    "jax-scan": Entry("JAX, epochs in one jit", "by_jax:Scan", ("jax",)),
    "keras": Entry("Keras, fit", "by_keras:Fit", ("tensorflow", "keras")),
    "tensorflow": Entry("TensorFlow XLA, epochs in one jit", "by_tensorflow:Loop", ("tensorflow",)),
    "onnxruntime": Entry("ONNX Runtime", "by_onnx:Session", ("onnxruntime", "onnx")),
    "fastgd-bf16": Entry("fastgd, bf16", "own:Bf16"),
    "torch-medium": Entry("PyTorch, precision 'medium'", "by_torch_bf16:Medium", ("torch",)),
    "torch-autocast": Entry("PyTorch, autocast bf16", "by_torch_bf16:Autocast", ("torch",)),
    "torch-manual-bf16": Entry("PyTorch, no autograd, bf16", "by_torch_bf16:ManualBf16", ("torch",)),
    "torch-bf16-weights": Entry("PyTorch, weights in bf16", "by_torch_bf16:Bf16Weights", ("torch",)),
    "jax-bf16": Entry("JAX, bf16 products, epochs in one jit", "by_jax:Bf16Scan", ("jax",)),
}
LOSES_ACCURACY = "torch-bf16-weights"  # a weight keeps no change below 2^-9 of itself
_ROUNDED = ("fastgd-bf16", "torch-medium", "torch-autocast", "torch-manual-bf16", LOSES_ACCURACY, "jax-bf16")
BF16 = ("fastgd", "torch-fused", "torch-manual", "jax-scan", *_ROUNDED)  # products in bfloat16, and in float32
BF16_PREDICTORS = tuple(name for name in BF16 if name != "torch-manual")
TRAINERS = tuple(name for name in CONTENDERS if name not in ("fastgd-buffer", "onnxruntime", *_ROUNDED))
# The fastest peer of each workload, and those that the targets refer to.
QUICK = ("fastgd", "fastgd-buffer", "numpy", "torch", "torch-manual", "jax-scan", "tensorflow", "onnxruntime")
DOUBLERS = ("fastgd", "numpy", "torch", "torch-manual", "jax-step", "jax-scan", "tensorflow")  # in float64
SCALERS = ("fastgd", "numpy", "torch-manual", "jax-scan")  # where only one size changes
PREDICTORS = ("fastgd", "fastgd-buffer", "fastgd-numpy", "numpy", "sklearn", "torch", "jax-step", "onnxruntime")


def is_peer(name: str) -> bool:
    """Whether it is not fastgd."""
    return not name.startswith("fastgd")


def batch_of(workload: Workload, X: Any, y: Any, rows: Any) -> tuple[Any, Any]:
    """The rows of a step."""
    return (X, y) if workload.is_full_batch else (X[rows], y[rows])


def flatten(layers: list[tuple[NDArray, NDArray]]) -> NDArray:
    """theta from (W (n_in, n_out), b (n_out,)) of each layer."""
    return np.concatenate([np.asarray(part).ravel() for layer in layers for part in layer])
