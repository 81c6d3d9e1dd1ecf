"""What all programs of this folder share: the problem, and the epochs until the goal is reached. Needs NumPy alone."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_EPOCHS = 200

_file, _seed, _started = sys.argv[1:]
seed = int(_seed)
_arrays = dict(np.load(_file))
X, y, X_test, y_test = (_arrays[name] for name in ("X", "y", "X_test", "y_test"))
batch, lr, goal = int(_arrays["batch"]), float(_arrays["lr"]), float(_arrays["goal"])
widths = [int(n) for n in _arrays["widths"]]
is_classifier = y.dtype == np.int64  # cross-entropy and SGD with momentum 0.9; else mean squared error and Adam


def layers() -> list[tuple[NDArray, NDArray]]:
    """Initial W (n_in, n_out) and b (n_out,) of each layer, the same for all programs: He et al. 2015."""
    rng = np.random.default_rng(seed)
    return [
        ((rng.standard_normal((n_in, n_out)) * (2 / n_in) ** 0.5).astype("float32"), np.zeros(n_out, "float32"))
        for n_in, n_out in zip(widths, widths[1:], strict=False)
    ]


def orders() -> NDArray:
    """Rows of the full batches of an epoch, (steps, batch), in a new random order at each call."""
    steps = len(X) // batch
    return _rng.permutation(len(X))[: steps * batch].reshape(steps, batch)


_rng = np.random.default_rng(seed)


def run(epoch: Callable[[], object], predict: Callable[[], Any]) -> None:
    """Train, epoch by epoch, until the predictions for X_test reach the goal; print when that was.

    Parameters
    ----------
    epoch : callable
        Trains for one epoch.
    predict : callable
        Outputs (rows, n_out), or classes or values (rows,), for X_test.
    """
    begun, epochs, score = time.monotonic(), 0, -np.inf
    while score < goal and epochs < MAX_EPOCHS:
        epoch()
        epochs += 1
        score = _score(np.asarray(predict()))
    end = time.monotonic()
    print(json.dumps({"epochs": epochs, "score": score, "total": end - float(_started), "training": end - begun}))


def _score(outputs: NDArray) -> float:
    """Accuracy, or R^2."""
    if is_classifier:
        classes = outputs if outputs.ndim == 1 else outputs.argmax(1)
        return float((classes == y_test).mean())
    residual = outputs.reshape(-1) - y_test.reshape(-1)
    return float(1 - (residual**2).mean() / y_test.var())
