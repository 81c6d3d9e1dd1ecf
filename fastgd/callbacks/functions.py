"""Callbacks that call functions of the user."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from .._common.checks import shown
from .base import Callback, Training, integer


def _check_callable(name: str, value: Any) -> Callable[[Any], object]:
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be a function of the trainer, not {shown(value)}")
    return value  # type: ignore[no-any-return]


_SETTING_CHECKS = MappingProxyType({"f": _check_callable, "n": integer()})


class EveryEpoch(Callback):
    """Call a function with the trainer after every n-th epoch of the training.

    Parameters
    ----------
    f : callable
        f(trainer) may read, change and stop the trainer.
    n : int >= 1, default=1
        Epochs are counted over all calls to `fit`.

    Raises
    ------
    TypeError
        `f` is not callable.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> norms = []
    >>> record = EveryEpoch(lambda trainer: norms.append(float((trainer.model.theta**2).sum())))
    >>> trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy")
    >>> history = trainer.fit(X / 16, y, epochs=3, callbacks=[record], verbose=0)
    >>> len(norms)
    3
    """

    setting_checks = _SETTING_CHECKS

    def __init__(self, f: Callable[[Any], object], n: int = 1) -> None:
        self.f, self.n = f, n

    def on_epoch_end(self, trainer: Training, logs: dict[str, float]) -> None:
        if trainer.epoch % self.n == 0:
            self.f(trainer)


class EveryStep(Callback):
    """Call a function with the trainer after every n-th step of the training.

    Parameters
    ----------
    f : callable
        As in `EveryEpoch`.
    n : int >= 1, default=1
        Steps are counted over all calls to `fit`.  Each call interrupts the engine and costs microseconds; a few
        thousand per second cost no measurable time.
    """

    setting_checks = _SETTING_CHECKS

    def __init__(self, f: Callable[[Any], object], n: int = 1) -> None:
        self.f, self.n = f, n

    def next_step(self, trainer: Training) -> float:
        return trainer.step - trainer.step % self.n + self.n

    def on_chunk_end(self, trainer: Training) -> None:
        if trainer.step % self.n == 0:
            self.f(trainer)
