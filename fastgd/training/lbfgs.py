"""Training on all rows at once by L-BFGS, for small data; needs SciPy: `pip install "fastgd[lbfgs]"`."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import losses
from .._common.checks import INT_MAX, check_int, check_scalar
from .._common.explain import explains_arguments
from .._common.typing import Floats
from ..callbacks.history import History
from ..losses import Loss
from ..models.sequential import Sequential
from .exclusive import in_training
from .fit_data import FitData, prepare
from .interrupt import DeferredInterrupt
from .state import TrainSettings
from .stepwise import measure

# Rows that pass through the network at once, so that activations stay small however large the data are.
_BLOCK = 8192


@explains_arguments
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
    """Minimize the mean loss over all rows by L-BFGS, starting from the current theta.

    `scipy.optimize.minimize(method="L-BFGS-B")` minimizes f(theta) = mean loss + weight_decay |theta|^2 / 2.  There is
    no learning rate: a line search finds each step.  Use dtype="float64": float32 is too coarse for the last digits.
    The result does not depend on the number of threads, but on the version of SciPy.

    Parameters
    ----------
    model : Sequential
        Its theta is changed in place.
    X, y, sample_weight
        As in `Trainer.fit`.
    loss, n_threads
        As in `Trainer`.
    epochs : int >= 1, default=200
        Maximum number of steps; each evaluates all rows once or a few times.
    weight_decay : float >= 0, default=0.0
        L2 penalty on weights and biases, as in the optimizers.
    memory : int >= 1, default=10
        Number of past steps from which the curvature is estimated.
    tol : float >= 0, default=1e-5
        Stop when no component of the gradient is larger.

    Returns
    -------
    History
        One row per step: "epoch", "loss" (f after it), "gradient" (its largest component), "seconds".  If no step was
        needed, a single row of epoch 0.

    Raises
    ------
    ImportError
        SciPy is not installed.
    TypeError, ValueError
        An argument is invalid; nothing was changed.
    FloatingPointError
        The loss became NaN or infinite; theta is that after the last completed step.
    RuntimeError
        The model is in training, by a `fit` that called this function or in another thread.

    Notes
    -----
    Ctrl-C ends the training, not the program; theta is that after the last completed step.

    SciPy's linear algebra may use threads of its own, which do not help small models and slow down those of the
    engine.  If steps of a small model take milliseconds, set the environment variable `OPENBLAS_NUM_THREADS=1`.

    References
    ----------
    Liu & Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming 45, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> X = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> model = gd.MLP(1, 1, seed=0, dtype="float64")
    >>> history = gd.fit_lbfgs(model, X, 1 + 2 * X[:, 0], loss="mse")
    >>> model.theta.round(3)
    array([2., 1.])
    """
    try:
        import scipy.optimize  # noqa: F401
    except ImportError:
        raise ImportError('fit_lbfgs needs SciPy: pip install "fastgd[lbfgs]"') from None
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential (or made by MLP), not {model!r}")
    options = {
        "maxiter": check_int("epochs", epochs),
        "maxcor": check_int("memory", memory),
        "gtol": check_scalar("tol", tol, "[0, inf)"),
        "ftol": 0.0,
        "maxfun": INT_MAX,  # epochs is the only limit
    }
    settings = TrainSettings(losses.get(loss), n_threads=n_threads)
    penalty = check_scalar("weight_decay", weight_decay, "[0, inf)")
    return minimize_loss(model, X, y, settings, options, penalty, sample_weight)[0]


def minimize_loss(
    model: Sequential,
    X: Any,
    y: Any,
    settings: TrainSettings,
    options: dict[str, Any],
    weight_decay: float | Floats,
    sample_weight: Any = None,
    classes: Any = None,
    scale: float = 1.0,
    on_step: Callable[[History], object] | None = None,
) -> tuple[History, Any]:
    """What `fit_lbfgs` does, with any options of SciPy.

    Parameters
    ----------
    model, X, y, sample_weight
        As in `fit_lbfgs`.
    settings : TrainSettings
        Of these, loss and n_threads are used.
    options : dict
        Those of `scipy.optimize.minimize(method="L-BFGS-B")`.
    weight_decay : float or (size,) float64
        One for all parameters, or one for each.
    classes
        As in `Trainer.fit`.
    scale : float > 0, default=1.0
        Factor on the mean loss, but not on the penalty.
    on_step : callable or None, default=None
        Called with the history after each step; if what it returns is true, the training ends.

    Returns
    -------
    history : History
    result : scipy.optimize.OptimizeResult or None
        None if Ctrl-C or `on_step` ended the training.
    """
    from scipy import optimize

    if any(model.noises):
        raise ValueError(
            "L-BFGS needs a deterministic loss, but the model has "
            f"{next(filter(None, model.noises))}: train it with a Trainer, or remove the noise"
        )
    with in_training(model):
        data = prepare(settings, model, X, y, sample_weight=sample_weight, classes=classes)
        with DeferredInterrupt() as interrupt:
            objective = _Objective(model, data, weight_decay, settings.threads, interrupt, scale, on_step)
            result = objective.minimize(optimize.minimize, options)
    return objective.history, result


class _Stop(Exception):
    """What the caller of `minimize_loss` asked for."""


class _Objective:
    """f and its gradient at any theta; keeps the result of SciPy's steps."""

    def __init__(
        self,
        model: Sequential,
        data: FitData,
        weight_decay: float | Floats,
        n_threads: int,
        interrupt: DeferredInterrupt,
        scale: float,
        on_step: Callable[[History], object] | None,
    ) -> None:
        self._model, self._data, self._weight_decay, self._n_threads = model, data, weight_decay, n_threads
        self._interrupt, self._on_step = interrupt, on_step
        weight = data.weight
        self._divisor = (float(len(data.X)) if weight is None else float(weight.sum(dtype=np.float64))) / scale
        self._accepted, self._is_fixed = model.theta.copy(), model.is_frozen()
        if model.mask is not None:
            self._is_fixed |= model.mask == 0
        self.history = History()
        self.history.extend({"epoch": [], "loss": [], "gradient": [], "seconds": []})
        self._step_began = time.perf_counter()
        self._last: tuple[Floats, float, Floats] | None = None

    def minimize(self, minimize: Callable[..., Any], options: dict[str, Any]) -> Any:
        """Run SciPy's `minimize`; whatever ends it, theta is that after the last completed step."""
        start, result = self._accepted.astype(np.float64), None
        try:
            result = minimize(self, start, jac=True, method="L-BFGS-B", callback=self._accept, options=options)
        except (KeyboardInterrupt, _Stop):
            pass  # as in Trainer.fit: the model keeps what it has learned
        finally:
            self._model.theta[:] = self._accepted
        self._data.describe(self._model)
        if not self.history["epoch"] and self._last is not None:  # theta was a minimum
            self._record(0, *self._last[1:])
        return result

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """f and its gradient; the last result is cached, since SciPy accepts the point it evaluated last."""
        if self._last is None or not np.array_equal(self._last[0], theta):
            self._last = (theta.copy(), *self._evaluate(theta))
            self._interrupt.deliver()
        return self._last[1], self._last[2]

    def _evaluate(self, theta: Floats) -> tuple[float, Floats]:
        value, gradient = 0.0, np.zeros(len(theta))
        with np.errstate(all="ignore"):
            self._model.theta[:] = theta
        for start in range(0, len(self._data.X), _BLOCK):
            value += self._add_block(slice(start, start + _BLOCK), gradient)
        decay = self._weight_decay * theta
        value = value / self._divisor + 0.5 * float(decay @ theta)
        gradient = gradient / self._divisor + decay
        gradient[self._is_fixed] = 0  # then so is every direction
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            raise FloatingPointError(
                f"the loss became NaN or infinite in step {len(self.history['epoch']) + 1}; theta is as it was before. "
                "Scale the columns of X"
            )
        return value, gradient

    def _add_block(self, block: slice, gradient: Floats) -> float:
        """The sum of the losses of a block of rows; their gradient is added to `gradient`."""
        data, model = self._data, self._model
        X, weight = data.inputs(block), None if data.weight is None else data.weight[block]
        Z, dZ = np.empty((2, len(X), model.n_out), model.dtype)
        row_losses = np.empty(len(X))
        network = model.network_for(data.loss.link)
        network.forward(X, Z, self._n_threads)
        measure(network, data.loss, Z, data.Y[block], weight, row_losses, dZ)
        network.backward(dZ, None, self._n_threads)
        gradient += model.grad
        return float(row_losses.sum())

    def _accept(self, intermediate_result: Any) -> None:
        """Called by SciPy after each step; from the argument's name it infers to pass an OptimizeResult."""
        theta = intermediate_result.x.copy()
        value, gradient = self(theta)
        self._accepted = theta
        self._data.describe(self._model)
        self._record(len(self.history["epoch"]) + 1, value, gradient)
        if self._on_step is not None and self._on_step(self.history):
            raise _Stop

    def _record(self, epoch: int, value: float, gradient: Floats) -> None:
        now = time.perf_counter()
        row: dict[str, list[float]] = {
            "epoch": [epoch],
            "loss": [value],
            "gradient": [float(abs(gradient).max())],
            "seconds": [now - self._step_began],
        }
        self.history.extend(row)
        self._step_began = now
