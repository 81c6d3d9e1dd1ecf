"""The loop over epochs: order of rows, learning rates, validation, stopping.  There is no other such loop.

Everything random or decided once per step is an array made here; an engine then executes a chunk of steps in one call.
"""

from __future__ import annotations

import time

import numpy as np

from .._common.typing import Ints
from ..callbacks.base import CallbackList
from ..engine.chunk import Chunk
from ..losses import LossNotFinite
from . import diagnostics
from .chunks import ChunkSizer, EpochBlock, Snapshot, plan_epochs, step_coefficients
from .fit_data import FitData
from .interrupt import deferred_interrupt
from .state import TrainSettings, TrainState
from .stepwise import CustomLossError, train_chunk


def train(settings: TrainSettings, state: TrainState, data: FitData, callbacks: CallbackList) -> None:
    """Train up to epoch `state.run.last_epoch`, or until a callback or Ctrl-C stops it.

    Raises
    ------
    FloatingPointError
        The loss became NaN or infinite; theta and the optimiser's state are those before the last chunk of steps.
    """
    loop = _Loop(settings, state, data, callbacks)
    state.model.head = data.output_spec
    try:
        loop.run()
    except KeyboardInterrupt:
        state.stop_reason = "interrupted"
    except BaseException:
        state.stop_reason = "error"
        raise


class _Loop:
    """What the chunks of one `fit` share; the arguments are those of `train`."""

    def __init__(self, settings: TrainSettings, state: TrainState, data: FitData, callbacks: CallbackList) -> None:
        self.settings, self.state, self.data, self.callbacks = settings, state, data, callbacks
        model, optimizer = state.model, state.optimizer
        updated = [model.theta, optimizer.bind(model.size, model.dtype, model)]
        if optimizer.averaged_theta is not None:
            updated.append(optimizer.averaged_theta)
        self.snapshot = Snapshot(*updated)
        self.sizer = ChunkSizer(6 * data.step_rows * model.size)
        # If nothing happens at the end of an epoch, a chunk may go past it.
        self.within_epoch = data.validation is not None or callbacks.need_every_epoch
        self.epoch_began = time.perf_counter()

    def run(self) -> None:
        """Execute chunk after chunk."""
        settings, state, callbacks = self.settings, self.state, self.callbacks
        last, data = state.run.last_epoch, self.data
        while state.epoch < last and state.stop_reason is None:
            block = plan_epochs(data.rows, state.epoch, last, data.step_rows, settings.seed, settings.shuffle)
            block.resume(state.partial_epoch)
            while not block.is_done and state.stop_reason is None:
                with deferred_interrupt():
                    n_steps = max(1, min(self.sizer.steps, callbacks.max_steps(), data.max_steps()))
                    error = self._train_chunk(block, block.next_steps(int(n_steps), self.within_epoch))
                    logs = self._record_epochs(block)
                    if error is not None:
                        raise error
                if logs is not None:
                    self.epoch_began = time.perf_counter()
                    callbacks.on_epoch_end(logs)
                callbacks.on_chunk_end()

    def _train_chunk(self, block: EpochBlock, steps: slice) -> BaseException | None:
        """One call of the engine; returns what a custom loss raised, once the steps before it are accounted for."""
        data, state, model, optimizer = self.data, self.state, self.state.model, self.state.optimizer
        options = state.run.last_epoch, data.micro_batch, self.settings.records_norm(optimizer)
        coefficients, transforms = step_coefficients(block, steps, optimizer, model, *options)
        noise = model.noise(self.settings.seed, state.step, block.epoch_times[steps], state.run.last_epoch)
        rule_state, n_threads = optimizer.bind(model.size, model.dtype), self.settings.n_threads or 0
        began = time.perf_counter()
        self.snapshot.save()
        saved = time.perf_counter()
        order, starts = block.order_of(steps)
        X, Y, weight, rows = data.arrays_of(order, starts, state.step)
        updates = data.loss, optimizer, coefficients, rule_state, block.losses[steps]
        n_done, error = steps.stop - steps.start, None
        try:
            train_chunk(
                model.network_for(data.loss.link),
                Chunk(X, Y, rows, starts, *updates, weight, transforms, noise, n_threads),
                model.n_out,
            )
            if not np.isfinite(model.theta).all():  # there may be no later loss that reveals it
                raise LossNotFinite(n_done - 1)
        except LossNotFinite as failure:
            step_rows = order[starts[failure.step] : starts[failure.step + 1]]
            raise self._diverged(block, steps.start + failure.step, failure.step, step_rows) from None
        except CustomLossError as failure:
            n_done, error = failure.step, failure.__cause__
        self.sizer.update(n_done, copying=saved - began, training=time.perf_counter() - saved)
        self._count(block, n_done, int(starts[n_done]))
        return error

    def _diverged(self, block: EpochBlock, index: int, n_done: int, rows: Ints) -> FloatingPointError:
        """Restore the snapshot; returns what to raise for step `index` of the block, after `n_done` of the chunk."""
        state = self.state
        rate, epoch = float(block.rates[index]), int(block.epoch_times[index]) + 1
        message = diagnostics.divergence_message(
            state.model, self.data.X[rows], rate, state.step + n_done + 1, epoch, state.step
        )
        self.snapshot.restore()
        return FloatingPointError(message)

    def _count(self, block: EpochBlock, n_steps: int, n_rows: int) -> None:
        """Account for the steps that were done, and their rows."""
        state = self.state
        if n_steps:
            state.run.loss = float(block.losses[block.done : block.done + n_steps].mean())
        block.done += n_steps
        state.partial_epoch = block.partial_epoch
        state.step += n_steps
        state.optimizer.steps += n_steps
        state.run.rows_done += n_rows

    def _record_epochs(self, block: EpochBlock) -> dict[str, float] | None:
        """Add the epochs that have ended to the history; returns the last one's row, None if none has."""
        state, data = self.state, self.data
        first, last = state.epoch, block.epochs_done
        if last == first:
            return None
        columns: dict[str, list[float]] = {
            "epoch": list(range(first + 1, last + 1)),
            "loss": block.epoch_losses(first, last, data.weight),
            **({"grad_norm": block.epoch_norms(first, last)} if self.settings.records_norm(state.optimizer) else {}),
        }
        try:
            columns |= data.validation.measure(state.eval_model) if data.validation else {}
        finally:  # even if a metric raises, these epochs are done
            seconds = (time.perf_counter() - self.epoch_began) / (last - first)
            columns |= {"lr": block.epoch_rates(first, last), "seconds": [seconds] * (last - first)}
            state.history.extend(columns)
            state.epoch = last
        return {name: column[-1] for name, column in columns.items()}
