"""Where the time of training steps goes: `Trainer.profile`."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._common.typing import Floats
from ..engine.chunk import phase_columns
from ..losses.custom import Custom
from ..schedules.base import Span
from .chunks import ChunkSizer, EpochBlock, plan_epochs
from .exclusive import check_not_in_training
from .fit_data import FitData, prepare
from .sharded import refuse_shards
from .state import TrainSettings, TrainState
from .steps import make_chunk

# How long steps are measured, after half of that without: caches, clocks and threads then are as in a long training.
_SECONDS = 0.2


def _zero(epoch: float) -> float:
    return 0.0


@dataclass(frozen=True)
class Profile:
    """The result of `Trainer.profile`; prints as a table in microseconds.

    Attributes
    ----------
    phases : dict of {str: tuple of float}
        Seconds of a step in each phase, on each thread, in the order of a step: "gather" (rows of X and y are copied),
        "forward 0" ... by layer, "loss", "backward 1" ... (gradients of the inputs of a layer), "update 0" ...
        (gradients of its parameters, and the optimizer's rule), "transforms" (clipping, averages and the like, if there
        are any) and "wait" (for other threads).
    steps : int
        Number of steps that were measured.
    """

    phases: dict[str, tuple[float, ...]]
    steps: int

    @property
    def seconds(self) -> float:
        """Seconds of a step."""
        return max(map(sum, zip(*self.phases.values(), strict=True)))

    def __str__(self) -> str:
        totals = tuple(map(sum, zip(*self.phases.values(), strict=True)))
        names = tuple(f"thread {i}" for i in range(len(totals)))
        lines = ["microseconds" + "".join(f"{name:>12}" for name in names)]
        for phase, seconds in (*self.phases.items(), ("total", totals)):
            lines.append(f"{phase:12}" + "".join(f"{1e6 * each:12,.2f}" for each in seconds))
        return "\n".join(lines)


class Profiling:
    """The measurements of a `Trainer`."""

    _settings: TrainSettings
    _state: TrainState

    def profile(self, X: Any, y: Any, sample_weight: Any = None) -> Profile:
        """Measure where the time of the steps of `fit` goes, phase by phase, on each thread.

        It takes some tenths of a second and changes nothing: the steps are done on copies, with a learning rate of 0.
        With n_threads=None they are done by as many threads as a `fit` starts with.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Profile

        Raises
        ------
        TypeError, ValueError
            An argument is invalid, or the loss is a custom one, whose steps are not done by the engine.
        FloatingPointError
            A loss is not finite.
        RuntimeError
            The model is in training, or the engine is NumPy's, which does not measure phases.

        Examples
        --------
        >>> X, y = gd.datasets.digits()
        >>> trainer = gd.Trainer(gd.MLP(64, 64, 10), loss="cross_entropy", n_threads=1)
        >>> print(trainer.profile(X, y))  # doctest: +SKIP
        microseconds    thread 0
        gather              0.58
        forward 0           1.77
        forward 1           0.61
        loss                0.45
        backward 1          0.42
        update 0            1.98
        update 1            0.87
        wait                0.00
        total               6.68
        """
        check_not_in_training(self._state.model)
        refuse_shards(self._settings, "profile")
        model, optimizer = copy.deepcopy(self._state.model), self._state.optimizer.copy()
        data = prepare(self._settings, model, X, y, sample_weight=sample_weight)
        if isinstance(data.loss, Custom):
            raise TypeError(f"profile measures the phases of built-in losses, not of {data.loss!r}")
        optimizer.lr = _zero
        return _Measurement(self._settings, TrainState(model, optimizer, span=Span(1)), data).run()


class _Measurement:
    """Epochs of steps that change nothing: settings with a number of threads, copies of model and optimizer."""

    def __init__(self, settings: TrainSettings, state: TrainState, data: FitData) -> None:
        self.settings, self.state, self.data = settings, state, data
        self.network = state.model.network_for(data.loss.link, settings.precision)
        self.rule_state = state.optimizer.bind(state.model.size, state.model.dtype, state.model)
        if settings.threads == 0:
            self.settings = replace(settings, n_threads=self.network.plan(data.micro_batch).threads)
        self.columns = phase_columns(len(state.model.layers), len(state.model.dense_layers))

    def run(self) -> Profile:
        data, settings = self.data, self.settings
        block = plan_epochs(data.rows, 0, 1, data.step_rows, settings.seed, settings.shuffle)
        self._train(block, _SECONDS / 2)
        steps, seconds = self._train(block, _SECONDS)
        phases = {name: tuple((seconds[:, column] / steps).tolist()) for name, column in self.columns.items()}
        if not any(phases["transforms"]):
            del phases["transforms"]
        return Profile(phases, steps)

    def _train(self, block: EpochBlock, duration: float) -> tuple[int, Floats]:
        """Train for some seconds; returns the number of steps, and the seconds of their phases (threads, phases)."""
        sizer, began, done = ChunkSizer(6 * self.data.step_rows * self.state.model.size), time.perf_counter(), 0
        phases = np.zeros((self.settings.threads, 1 + max(self.columns.values())))
        while time.perf_counter() - began < duration:
            steps = block.next_steps(int(min(sizer.steps, self.data.max_steps())), last_epoch=1)
            chunk = make_chunk(self.settings, self.state, self.data, block, steps, self.rule_state, phases)
            start = time.perf_counter()
            self.network.train(chunk)
            sizer.update(chunk.n_steps, 0.0, time.perf_counter() - start)
            block.done = steps.stop % block.steps_per_epoch
            done += chunk.n_steps
        return done, phases
