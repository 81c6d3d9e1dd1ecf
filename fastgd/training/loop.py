"""The loop over epochs: order of rows, learning rates, validation, stopping.  There is no other such loop.

Everything random or decided once per step is an array made here; an engine then does a chunk of steps in one call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..callbacks.base import Callback, looks_at_epochs
from ..losses import LossNotFinite
from . import diagnostics
from .chunks import ChunkSizer, EpochBlock, Snapshot, plan_epochs, step_coefficients
from .fit_data import FitData
from .interrupt import deferred_interrupt
from .stepwise import CustomLossError
from .stepwise import train as train_steps

if TYPE_CHECKING:
    from .trainer import Trainer


def train(trainer: Trainer, data: FitData, callbacks: Sequence[Callback]) -> None:
    optimizer, model = trainer.optimizer, trainer.model
    changed = [model.theta, optimizer.bind(model.size, model.dtype, model)]
    if optimizer.averaged_theta is not None:
        changed.append(optimizer.averaged_theta)
    last_good = Snapshot(*changed)
    trainer.model.head = data.head
    try:
        _loop(trainer, data, callbacks, last_good)
    except KeyboardInterrupt:
        trainer.stop_reason = "interrupted"
    except BaseException:
        trainer.stop_reason = "error"
        raise


def _loop(trainer: Trainer, data: FitData, callbacks: Sequence[Callback], last_good: Snapshot) -> None:
    """Chunk by chunk until the last epoch; if nobody looks at the end of an epoch, a chunk may go past it."""
    looked_at = data.validation is not None or any(map(looks_at_epochs, callbacks))
    counting = [callback for callback in callbacks if type(callback).next_step is not Callback.next_step]
    pace, started = ChunkSizer(6 * data.batch * trainer.model.size), time.perf_counter()
    while trainer.epoch < trainer.run.last_epoch and trainer.stop_reason is None:
        span = plan_epochs(data.rows, trainer.epoch, trainer.run.last_epoch, data.batch, trainer.seed, trainer.shuffle)
        span.resume(trainer.begun)
        while not span.is_done and trainer.stop_reason is None:
            with deferred_interrupt():
                limit = min((callback.next_step(trainer) - trainer.step for callback in counting), default=math.inf)
                chunk = span.next_chunk(int(max(1, min(pace.steps, limit, data.most_steps()))), looked_at)
                failure = _train_chunk(trainer, data, span, chunk, last_good, pace)
                logs = _record(trainer, data, span, started)
                if failure is not None:
                    raise failure
            if logs is not None:
                started = time.perf_counter()
                for callback in callbacks:
                    callback.on_epoch_end(trainer, logs)
            for callback in callbacks:
                callback.on_chunk_end(trainer)


def _train_chunk(
    trainer: Trainer, data: FitData, span: EpochBlock, chunk: slice, last_good: Snapshot, pace: ChunkSizer
) -> BaseException | None:
    """One call of the engine; what a loss of the user's own raised, after the steps before it."""
    optimizer, n_steps = trainer.optimizer, chunk.stop - chunk.start
    order, starts = span.read(chunk)
    wanted = data.micro_batch, trainer.measures_norm
    coefficients, regime = step_coefficients(span, chunk, optimizer, trainer.model, trainer.run.last_epoch, *wanted)
    noise = trainer.model.noise(trainer.seed, trainer.step, span.epoch_times[chunk], trainer.run.last_epoch)
    begun, failure = time.perf_counter(), None
    state = optimizer.bind(trainer.model.size, trainer.model.dtype)
    last_good.save()
    kept = time.perf_counter()
    X, Y, weight, places = data.read(order, starts, trainer.step)
    try:
        arguments = (X, Y, weight, places, starts, data.loss, optimizer, coefficients, state)
        train_steps(trainer.model, *arguments, span.losses[chunk], trainer.n_threads or 0, regime, noise)
        if not np.isfinite(trainer.model.theta).all():  # no later loss may tell: this may be the last step of all
            raise LossNotFinite(n_steps - 1)
    except LossNotFinite as problem:
        place = chunk.start + problem.step
        when = float(span.rates[place]), trainer.step + problem.step + 1, int(span.epoch_times[place]) + 1, trainer.step
        text = diagnostics.diverged(
            trainer.model, data.X[order[starts[problem.step] : starts[problem.step + 1]]], *when
        )
        last_good.restore()
        raise FloatingPointError(text) from None
    except CustomLossError as stopped:
        n_steps, failure = stopped.step, stopped.__cause__
    pace.learn(n_steps, copying=kept - begun, training=time.perf_counter() - kept)
    _count(trainer, span, n_steps, int(starts[n_steps]))
    return failure


def _count(trainer: Trainer, span: EpochBlock, n_steps: int, n_rows: int) -> None:
    """Steps that were done, and their rows."""
    if n_steps:
        trainer.run.loss = float(span.losses[span.done : span.done + n_steps].mean())
    span.done += n_steps
    trainer.begun = span.begun
    trainer.step += n_steps
    trainer.optimizer.steps += n_steps
    trainer.run.rows_done += n_rows


def _record(trainer: Trainer, data: FitData, span: EpochBlock, started: float) -> dict[str, float] | None:
    """Write the epochs that came to their end into the history; the last one's row, None if there was none."""
    first, last = trainer.epoch, span.epochs_done
    if last == first:
        return None
    columns: dict[str, list[float]] = {
        "epoch": list(range(first + 1, last + 1)),
        "loss": span.epoch_losses(first, last, data.weight),
        **({"grad_norm": span.epoch_norms(first, last)} if trainer.measures_norm else {}),
    }
    try:
        columns |= data.validation.measure(trainer.eval_model) if data.validation else {}
    finally:  # whatever a metric raises, these epochs are done
        seconds = (time.perf_counter() - started) / (last - first)
        columns |= {"lr": span.epoch_rates(first, last), "seconds": [seconds] * (last - first)}
        trainer.history.extend(columns)
        trainer.epoch = last
    return {name: column[-1] for name, column in columns.items()}
