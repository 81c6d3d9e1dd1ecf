"""Training on all rows at once by L-BFGS, for small data; needs SciPy: `pip install "fastgd[lbfgs]"`."""

import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import losses
from .._common.checks import check_int, check_scalar
from ..callbacks.history import History
from ..losses import Loss
from ..models.sequential import Sequential
from .fit_data import FitData, WithoutTrainer, prepare
from .stepwise import measure

# Rows that go through the network at once: activations of a block stay small, whatever the data.
_BLOCK = 8192


def fit_lbfgs(
    model: Sequential,
    X: Any,
    y: Any,
    *,
    loss: str | Loss | Callable[..., Any],
    epochs: int = 200,
    weight_decay: float = 0.0,
    memory: int = 10,
    tol: float = 1e-5,
    sample_weight: Any = None,
    n_threads: int | None = None,
) -> History:
    """Bring the mean loss over all rows to a minimum by L-BFGS, from where theta is.

    f(theta) = mean loss + weight_decay |theta|^2 / 2 is handed to `scipy.optimize.minimize(method="L-BFGS-B")`.  There
    is no learning rate: each step is found by a search along a line.  Take dtype="float64": float32 is too rough for
    the last digits.  The result is the same for every number of threads, but depends on the version of SciPy.

    Parameters
    ----------
    model : Sequential
        Its theta is changed in place.
    X, y, sample_weight
        As in `Trainer.fit`.
    loss, n_threads
        As in `Trainer`.
    epochs : int >= 1, default=200
        Steps at most; each looks at all rows once or a few times.
    weight_decay : float >= 0, default=0.0
        L2 penalty, on weights and biases as in the optimisers.
    memory : int >= 1, default=10
        Steps from which the curvature is estimated.
    tol : float >= 0, default=1e-5
        End when no number of the gradient is larger.

    Returns
    -------
    History
        A row per step: "epoch", "loss" (f after it), "gradient" (the largest number of the gradient), "seconds".

    Raises
    ------
    ImportError
        SciPy is not installed.
    TypeError, ValueError
        Something does not fit; nothing was changed.
    FloatingPointError
        The loss became NaN or infinite; theta is that of the last step before.

    References
    ----------
    Liu & Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming 45, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> model = gd.MLP(1, 1, seed=0, dtype="float64")
    >>> history = gd.fit_lbfgs(model, X, 1 + 2 * X[:, 0], loss="mse")
    >>> model.theta.round(3)
    array([2., 1.])
    """
    try:
        from scipy import optimize
    except ImportError:
        raise ImportError('fit_lbfgs needs SciPy: pip install "fastgd[lbfgs]"') from None
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential (or made by MLP), not {model!r}")
    if any(model.noises):
        raise ValueError(
            "L-BFGS needs a loss that does not change from look to look, but the model has "
            f"{next(filter(None, model.noises))}: train it with a Trainer, or leave noise out"
        )
    options = {
        "maxiter": check_int("epochs", epochs),
        "maxcor": check_int("memory", memory),
        "gtol": check_scalar("tol", tol, "[0, inf)"),
        "ftol": 0.0,
        "maxfun": 2**31 - 1,  # epochs is the only limit
    }
    request = WithoutTrainer(model, losses.get(loss), None if n_threads is None else check_int("n_threads", n_threads))
    penalty = check_scalar("weight_decay", weight_decay, "[0, inf)")
    data = prepare(request, X, y, None, sample_weight)
    objective = _Objective(model, data, penalty, n_threads or 0)
    model.head = data.head
    try:
        theta = model.theta.astype(np.float64)
        optimize.minimize(objective, theta, jac=True, method="L-BFGS-B", callback=objective.accept, options=options)
    except KeyboardInterrupt:
        pass  # as in Trainer.fit: the model keeps what it has learnt
    finally:
        model.theta = objective.accepted
    return objective.history


class _Objective:
    """f and its gradient at any theta; what SciPy's steps led to."""

    def __init__(self, model: Sequential, data: FitData, weight_decay: float, n_threads: int) -> None:
        self._model, self._job, self._weight_decay, self._n_threads = model, data, weight_decay, n_threads
        weight = data.weight
        self._divisor = float(len(data.X)) if weight is None else float(weight.sum(dtype=np.float64))
        self.accepted = model.theta.copy()
        self.history = History()
        self._begun = time.perf_counter()
        self._last: tuple[NDArray[np.float64], float, NDArray[np.float64]] | None = None

    def __call__(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """f and its gradient; the last answer is kept, since SciPy accepts the point that it asked for last."""
        if self._last is None or not np.array_equal(self._last[0], theta):
            self._last = (theta.copy(), *self._evaluate(theta))
        return self._last[1], self._last[2]

    def _evaluate(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = 0.0, np.zeros(len(theta))
        with np.errstate(all="ignore"):
            self._model.theta[:] = theta
        for start in range(0, len(self._job.X), _BLOCK):
            value += self._add_block(slice(start, start + _BLOCK), gradient)
        value = value / self._divisor + 0.5 * self._weight_decay * float(theta @ theta)
        gradient = gradient / self._divisor + self._weight_decay * theta
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            raise FloatingPointError(
                f"the loss became not finite in step {len(self.history['epoch']) + 1}; theta is as it was before. "
                "Scale the columns of X"
            )
        return value, gradient

    def _add_block(self, place: slice, gradient: NDArray[np.float64]) -> float:
        """The sum of the losses of some rows; their gradient is added to `gradient`."""
        data, model = self._job, self._model
        X, weight = data.X[place], None if data.weight is None else data.weight[place]
        Z, dZ = np.empty((2, len(X), model.n_out), model.dtype)
        rows = np.empty(len(X))
        network = model.network_for(data.loss.link)
        network.forward(X, Z, self._n_threads)
        measure(model, data.loss, Z, data.Y[place], weight, rows, dZ)
        network.backward(dZ, None, self._n_threads)
        gradient += model.grad
        return float(rows.sum())

    def accept(self, intermediate_result: Any) -> None:
        """Called by SciPy after each step; it tells by the argument's name that it shall give the value too."""
        self.accepted = intermediate_result.x.copy()
        value, gradient = self(self.accepted)
        now = time.perf_counter()
        row = {
            "epoch": [len(self.history["epoch"]) + 1],
            "loss": [value],
            "gradient": [float(abs(gradient).max())],
            "seconds": [now - self._begun],
        }
        self.history.extend(cast(dict[str, list[float]], row))
        self._begun = now
