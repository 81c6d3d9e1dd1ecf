"""The loop over epochs: order of rows, learning rates, validation, stopping.  There is no other such loop.

Everything random or decided once per step is an array made here; an engine then executes a chunk of steps in one call.

A training can end at any moment, by Ctrl-C, MemoryError, or an exception in a callback, metric or loss.  Its state is
then that after the last complete chunk, and `fit(epochs=None)` continues to the same bits as if nothing had happened:

- a chunk whose steps are not yet in the counters is undone (`savepoint.all_or_nothing`);
- an epoch whose end could not be measured keeps all of its steps as `partial_epoch`, and is measured first of all;
- every callback sees every epoch and chunk, even if one before it raises.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from .._common.typing import Array
from ..callbacks.base import CallbackList, Run
from ..engine.chunk import Chunk
from ..engine.contract import Executor
from ..losses import LossNotFinite
from ..losses.custom import all_finite
from ..parallel import Group
from . import diagnostics
from .ahead import StepsAhead
from .chunks import ChunkSizer, EpochBlock
from .fit_data import FitData
from .interrupt import DeferredInterrupt
from .savepoint import Arrays, Counters, all_or_nothing
from .sharded import ShardedSteps, plan_shards, total_weights
from .state import TrainSettings, TrainState
from .stepwise import CustomLossError, train_chunk

# Values of each epoch, by the name of their column in the history.
Columns: TypeAlias = dict[str, list[float]]


def train(
    settings: TrainSettings,
    state: TrainState,
    data: FitData,
    callbacks: CallbackList,
    last_epoch: int,
    resume: bool,
    group: Group,
) -> None:
    """Train up to epoch `last_epoch`, or until a callback or Ctrl-C stops it.

    Parameters
    ----------
    resume : bool
        Whether to restore what the run that was stopped left for its callbacks, and its theta.
    group : Group
        The processes that train together.

    Raises
    ------
    FloatingPointError
        The loss became NaN or infinite; theta and the optimizer's state are those before the last chunk of steps.
    Exception
        What `on_fit_begin` of a callback raised: nothing was changed.  What another callback, a loss, a metric or the
        engine raised: see above.
    """
    columns = data.columns + (("grad_norm",) if settings.records_norm(state.optimizer) else ())
    rows = data.n_rows * group.size
    run = Run(state.epoch, last_epoch, rows, columns, sample_inputs=data.sample_inputs)
    with DeferredInterrupt() as interrupt, state.unchanged_until_begun(run):
        try:
            with ExitStack() as on_exit, _stop_reason(state, ends_here=group.size == 1):
                on_exit.callback(state.drop_unchanged_theta)
                on_exit.callback(run.forget_data)
                callbacks.on_fit_begin(on_exit)
                if resume:
                    state.resume(callbacks)
                state.begin(last_epoch, callbacks)
                on_exit.callback(state.suspend)
                on_exit.callback(data.close)
                _Loop(settings, state, data, callbacks, interrupt, group).run()
        finally:
            with _stop_reason(state):
                interrupt.deliver()


@contextmanager
def _stop_reason(state: TrainState, ends_here: bool = True) -> Iterator[None]:
    """Set the `stop_reason` of an exception; a KeyboardInterrupt ends here once the training has begun.

    With several ranks (`ends_here` False) one in the midst of the loop has to end the others too, as any exception.
    """
    try:
        yield
    except KeyboardInterrupt:
        state.stop_reason = state.stop_reason or "interrupted"
        if not (state.has_begun and ends_here):
            raise
    except BaseException:
        state.stop_reason = "error"
        raise


class _Loop:
    """What the chunks of one `fit` share; the arguments are those of `train`."""

    def __init__(
        self,
        settings: TrainSettings,
        state: TrainState,
        data: FitData,
        callbacks: CallbackList,
        interrupt: DeferredInterrupt,
        group: Group,
    ) -> None:
        self.settings, self.state, self.data, self.callbacks = settings, state, data, callbacks
        self.interrupt, self.arrays = interrupt, Arrays()
        self.sizer = ChunkSizer(math.inf if data.calls_python else 6 * data.step_rows * state.model.size)
        # A chunk may go past the end of an epoch, and measure what there is to measure there, if nothing of the user is
        # called then.
        self.measures = bool(data.evaluators) or callbacks.see_theta
        calls_python = any(each.calls_python for each in data.evaluators) or callbacks.see_theta and data.calls_python
        self.within_epoch = callbacks.need_every_epoch or calls_python or not group.is_trivial
        self.measures_later = self.within_epoch and self.measures
        self.group = group
        self.ahead = StepsAhead(settings, state, group.is_trivial)
        self.sharded = None if group.is_trivial else ShardedSteps(group, settings.seed, settings.local_steps)
        self.epoch_began = time.perf_counter()

    def run(self) -> None:
        """Execute block after block of epochs; the memory of each serves the next."""
        self.data.describe(self.state.model)
        self._deliver()
        while self.state.epoch < self.state.run.last_epoch and self.state.stop_reason is None:
            self._run_block()

    def _run_block(self) -> None:
        """Execute chunk after chunk of the next epochs."""
        state, last = self.state, self.state.run.last_epoch
        block = self._plan(state.epoch, last)
        block.resume(state.partial_epoch)
        if block.done:
            block.rates[: block.done] = state.optimizer.schedule(block.epoch_times[: block.done], state.span)
        while state.epoch < block.last and state.stop_reason is None:
            self._advance(block)
            self._deliver()

    def _plan(self, first: int, last: int) -> EpochBlock:
        settings, data = self.settings, self.data
        if self.sharded is None:
            return data.plan(settings, first, last)
        arguments = data.rows, first, last, data.step_rows, settings.seed, settings.shuffle
        block = plan_shards(*arguments, self.group)
        block.totals = total_weights(block, data.weight, self.group)
        return block

    def _deliver(self) -> None:
        """Stop for Ctrl-C, and on all ranks if one stops.

        Several ranks leave the loop by the reason that all have: a signal that comes during the exchange waits for the
        next one, since its exception would end this rank alone.
        """
        if self.group.size == 1:
            self.interrupt.deliver()
            return
        reason = "interrupted" if self.interrupt.is_pending else self.state.stop_reason
        reasons = [found for found in self.group.exchange(reason) if found is not None]
        self.state.stop_reason = reasons[0] if reasons else None

    def _advance(self, block: EpochBlock) -> None:
        """Train a chunk of steps, measure the epoch that has ended, and tell the callbacks."""
        recorded = self.state.epoch
        if block.epochs_done == recorded:  # else the end of an epoch was left to be measured
            self._train_chunk(block)
        if block.epochs_done > self.state.epoch:
            self._measure_epoch(block)
        if self.state.epoch > recorded:
            self.epoch_began = time.perf_counter()
        n_ended = self.state.epoch - recorded if self.callbacks.see_epochs else 0
        self.callbacks.on_progress(self.state.history.last_rows(n_ended, self.state.run.columns))

    def _train_chunk(self, block: EpochBlock) -> None:
        """One call of the engine, entered into counters and history.

        What a custom loss raised is raised once the steps before it are accounted for.
        """
        self.data = self.data.at(block, self.interrupt.deliver)
        last_epoch = self.state.epoch + 1 if self.within_epoch else self.callbacks.next_epoch()
        steps = block.next_steps(self._n_steps(block), last_epoch)
        rule_state = self._bind()
        began = time.perf_counter()
        chunk, first = self.ahead.take(self.data, block, steps, rule_state)
        prepared = time.perf_counter()
        self.arrays.save()
        saved = time.perf_counter()
        with all_or_nothing(self.arrays, Counters(self.state, block)):
            n_done, measured, error = self._execute(block, steps, chunk, first)
            copying = saved - prepared
            self.sizer.update(n_done, copying, training=time.perf_counter() - began - copying)
            self._count(block, n_done)
            if not self.measures_later:
                self._record_epochs(block, measured)
        if error is not None:
            raise error

    def _n_steps(self, block: EpochBlock) -> int:
        """Maximum number of steps in the next chunk."""
        n_steps = min(self.sizer.steps, self.callbacks.max_steps(), self.data.max_steps())
        if self.sharded is None:
            return max(1, int(n_steps))
        local_steps = self.sharded.max_steps(block)
        return self.sharded.agree(max(1, int(n_steps))) if local_steps is None else local_steps

    def _bind(self) -> Array:
        """The optimizer's slots.  A callback may have replaced them, or the optimizer."""
        model, optimizer = self.state.model, self.state.optimizer
        rule_state = optimizer.bind(model.size, model.dtype, model)
        average = optimizer.averaged_theta
        self.arrays.watch(model.theta, rule_state, *(() if average is None else (average,)))
        return rule_state

    def _execute(
        self, block: EpochBlock, steps: slice, chunk: Chunk, first: int
    ) -> tuple[int, Columns, BaseException | None]:
        """Execute these steps of the block, of which `first` is the index in the chunk.

        Returns
        -------
        tuple
            The number of steps done, what was measured between them, and what a custom loss raised in the next one.

        Raises
        ------
        FloatingPointError
            A loss, or theta after the last step, is not finite.
        """
        model, last = self.state.model, first + steps.stop - steps.start
        network = model.network_for(chunk.loss.link, self.settings.precision)
        measured: Columns = {}
        try:
            if self.sharded is not None and block.totals is not None:
                n_done = self.sharded.train(model, network, chunk, block.totals[steps], self._must_stop())
            elif self.measures_later or not self.measures:
                n_done = train_chunk(network, chunk, model.n_out, self._must_stop(), first, last)
            else:
                ends = [first + end for end in block.ends_of_epochs(steps)]
                n_done, measured = last - first, self._train_and_measure(network, chunk, first, ends, last)
            if not all_finite(model.theta):  # there may be no later loss that reveals it
                raise LossNotFinite(first + n_done - 1)
        except LossNotFinite as failure:
            raise self._diverged(block, steps.start, failure.step - first) from None
        except CustomLossError as failure:
            return failure.step - first, {}, failure.__cause__
        return n_done, measured, None

    def _train_and_measure(self, network: Executor, chunk: Chunk, done: int, ends: list[int], last: int) -> Columns:
        """Execute the steps `done` to `last` - 1 of a chunk; returns what was measured at the ends of epochs."""
        rows = []
        for end in ends:
            network.train(chunk, done, end)
            rows.append(self._measure())
            done = end
        if done < last:
            network.train(chunk, done, last)
        return self._columns(rows)

    def _must_stop(self) -> Callable[[], bool]:
        """Whether a chunk that begins now is to end early, asked between steps with a custom loss."""
        began = time.perf_counter()
        return lambda: self.interrupt.is_pending or self.sizer.is_time_up(began)

    def _diverged(self, block: EpochBlock, start: int, n_done: int) -> FloatingPointError:
        """What to raise for a step of the block, after `n_done` steps from index `start` on."""
        state, index = self.state, start + n_done
        rows, _ = block.order_of(slice(index, index + 1))
        rate, epoch = float(block.rates[index]), int(block.epoch_times[index]) + 1
        step = state.step + n_done + 1
        batch = self.data.inputs(rows), self.data.Y[rows], self.data.loss
        text = diagnostics.divergence_message(state.model, *batch, rate, step, epoch, state.step)
        return FloatingPointError(text)

    def _count(self, block: EpochBlock, n_steps: int) -> None:
        """Account for the steps that were done, and their rows."""
        state = self.state
        first, last = block.done, block.done + n_steps
        if n_steps:
            state.run.loss = float(block.losses[first:last].sum() / n_steps)
        state.run.rows_done += int(block.starts[last] - block.starts[first]) * self.group.size
        block.done = last
        state.partial_epoch = block.partial_epoch(state.epoch)
        state.step += n_steps
        state.optimizer.count(n_steps)

    def _measure_epoch(self, block: EpochBlock) -> None:
        """Measure the epoch that has ended and add it to the history."""
        measured = self._columns([self._measure()])
        with all_or_nothing(Counters(self.state, block)):
            self._record_epochs(block, measured)

    def _measure(self) -> list[float]:
        """What is measured at the end of an epoch."""
        self.callbacks.on_epoch_trained(self.state.model)
        if not self.data.evaluators:
            return []
        model = self.state.eval_model
        return [value for evaluator in self.data.evaluators for value in evaluator.values(model)]

    def _columns(self, rows: list[list[float]]) -> Columns:
        """What was measured at the ends of some epochs, by column."""
        names = (name for evaluator in self.data.evaluators for name in evaluator.columns)
        return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=False)}

    def _record_epochs(self, block: EpochBlock, measured: Columns) -> None:
        """Add the epochs that have ended to the history."""
        state, data = self.state, self.data
        first, last = state.epoch, block.epochs_done
        if last == first:
            return
        seconds = (time.perf_counter() - self.epoch_began) / (last - first)
        columns: Columns = {
            "epoch": list(range(first + 1, last + 1)),
            "loss": block.epoch_losses(first, last, data.weight),
            **({"grad_norm": block.epoch_norms(first, last)} if self.settings.records_norm(state.optimizer) else {}),
            **measured,
            "lr": block.epoch_rates(first, last),
            "seconds": [seconds] * (last - first),
        }
        state.history.extend(columns)
        state.epoch, state.partial_epoch = last, block.partial_epoch(last)
