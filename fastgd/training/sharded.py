"""Data-parallel training: the rows of each step divided into shards, of which each process of a group has some.

A shard has its own rows, their order and their noise, and the vectors of shards are added in the order of a tree
(`parallel/tree.py`), so the result depends on the number of shards, not on the number of processes that hold them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .. import backend
from .._common import random
from .._common.typing import Array, Floats, Ints
from ..data.splits import split_rows
from ..data.targets import classes_of_parts, distinct_labels, takes_labels
from ..engine.chunk import Chunk
from ..engine.contract import Executor
from ..losses.base import Loss, LossNotFinite
from ..losses.custom import all_finite
from ..models.sequential import Sequential
from ..optimizers.bound_steps import UpdateNotFinite
from ..parallel import Group
from ..parallel.tree import total
from .chunks import EPOCH_ROWS, EpochBlock
from .state import TrainSettings, TrainState
from .stepwise import CustomLossError, measure, train_chunk


def shard_seed(seed: int, shard: int) -> int:
    """The seed of what is random in a shard; the first shard has the seed of the trainer."""
    return seed if shard == 0 else int(random.bits(seed, random.Purpose.SHARD, shard, 1)[0])


def split_shards(n: int, fraction: float, seed: int, group: Group) -> tuple[Ints, Ints]:
    """Training and validation rows of this rank's n rows: a share of each of its shards, as `split_rows`."""
    per_shard = n // len(group.own)
    parts = [split_rows(per_shard, fraction, shard_seed(seed, shard)) for shard in group.own]
    firsts = [i * per_shard for i in range(len(parts))]
    training, held_out = (
        np.concatenate([rows[side] + first for first, rows in zip(firsts, parts, strict=True)]) for side in (0, 1)
    )
    return training, held_out


def shared_classes(y: Any, loss: Loss, n_out: int, group: Group) -> Array | None:
    """The classes in the targets of all ranks; None if targets of the loss are not labels, or there is one rank."""
    if group.size == 1 or not takes_labels(loss, n_out):
        return None
    return classes_of_parts(group.exchange(distinct_labels(y)), loss, n_out)


def refuse_for_shards(group: Group, **arguments: Any) -> None:
    """ValueError if there are shards, and an argument that cannot be divided among them."""
    given = [name for name, value in arguments.items() if value]
    if given and not group.is_trivial:
        raise ValueError(
            f"{given[0]}={arguments[given[0]]!r} is not available with several shards: it would need the rows of all"
        )


def refuse_shards(settings: TrainSettings, method: str) -> None:
    """ValueError if the trainer has shards, for a method that trains without them."""
    if settings.shards > 1:
        raise ValueError(f"{method} does not support shards: use a trainer with shards=1")


def check_rows(n: int, group: Group, kind: str) -> None:
    """ValueError on all ranks unless each has the same number of rows, which its shards can share equally."""
    counts, shards = group.exchange(n), len(group.own)
    if len(set(counts)) == 1 and n % shards == 0:
        return
    shown = ", ".join(f"rank {rank}: {count}" for rank, count in enumerate(counts))
    smallest = min(counts) // shards * shards
    raise ValueError(
        f"each rank must have the same number of {kind}, a multiple of its {shards} of {group.shards} shards, not "
        f"{shown}: pass {smallest} rows on each"
    )


def check_same(what: dict[str, Any], group: Group) -> None:
    """ValueError on all ranks, which names the first of these values that differs between them."""
    everyone = group.exchange(what)
    for name, value in everyone[0].items():
        for rank, other in enumerate(everyone):
            if other[name] != value:
                raise ValueError(
                    f"{name} must be the same on all ranks, but rank 0 has {value}, and rank {rank} has {other[name]}"
                )


def fingerprint(settings: TrainSettings, state: TrainState, last_epoch: int) -> dict[str, Any]:
    """What has to be the same on all ranks before the first step, by name."""
    model, optimizer = state.model, state.optimizer
    slots = b"" if optimizer.state is None else optimizer.state.tobytes()
    return {
        "the settings of the trainer": repr(settings),
        "the optimizer": repr(optimizer),
        "the layers of the model": f"{list(model.layers)} ({model.dtype})",
        "theta (pass a seed to the model)": f"one of checksum {zlib.crc32(model.theta.tobytes()):08x}",
        "the state of the optimizer": f"one of checksum {zlib.crc32(slots):08x}",
        "the number of epochs": f"{state.epoch} done of {last_epoch}, {state.step} steps",
    }


def plan_shards(
    rows: Ints, first: int, last: int, step_rows: int, seed: int, shuffle: bool, group: Group
) -> EpochBlock:
    """The next epochs, as `chunks.plan_epochs`: each step has the rows of the first shard, then of the next, ...

    Parameters
    ----------
    rows : (n,) int64
        Training rows of this rank, shard by shard.
    step_rows : int
        Rows of a step on this rank, a multiple of its shards.
    """
    shards = len(group.own)
    per_shard, epochs = len(rows) // shards, min(last - first, max(1, EPOCH_ROWS // len(rows)))
    orders = np.empty((shards, epochs, per_shard), np.int64)
    for order, of_shard, shard in zip(orders, rows.reshape(shards, -1), group.own, strict=True):
        order[:] = of_shard
        if shuffle:
            backend.choose().fill_orders(order, shard_seed(seed, shard), first, np.ascontiguousarray(of_shard))
    by_step = np.array_split(orders, range(step_rows // shards, per_shard, step_rows // shards), axis=2)
    order = np.concatenate([part.transpose(1, 0, 2).reshape(epochs, -1) for part in by_step], axis=1)
    return EpochBlock(first, epochs, order.ravel(), step_rows, ranks=group.size)


def total_weights(block: EpochBlock, weight: Array | None, group: Group) -> Floats:
    """The total weight of the rows of each step of a block, on all ranks, (steps,)."""
    rows = np.diff(block.starts)
    if weight is None:
        return rows.astype(np.float64) * group.size
    shards, ends = len(group.own), np.cumsum(rows)
    parts = np.empty((shards, len(rows)))
    for i, (end, n) in enumerate(zip(ends.tolist(), rows.tolist(), strict=True)):
        of_step = weight[block.order[end - n : end]].reshape(shards, -1)
        parts[:, i] = of_step.sum(axis=1, dtype=np.float64)
    everyone: Floats = group.concatenate(parts).sum(axis=0)
    return everyone


class ShardedSteps:
    """How the steps of a `fit` are done by the ranks of a group.

    Parameters
    ----------
    group : Group
    seed : int
        Of the trainer.
    local_steps : int >= 1
        1: the gradients of all shards are added up in each step. More: each shard makes that many steps alone, then
        theta and the optimizer's state become the means over the shards; also at the end of an epoch.
    """

    def __init__(self, group: Group, seed: int, local_steps: int) -> None:
        self.group, self.seed, self.local_steps = group, seed, local_steps

    def max_steps(self, block: EpochBlock) -> int | None:
        """Number of steps up to the next mean over the shards; None if there are none."""
        done = block.done % block.steps_per_epoch
        return None if self.local_steps == 1 else self.local_steps - done % self.local_steps

    def agree(self, n_steps: int) -> int:
        """The smallest number of all ranks."""
        return int(min(self.group.exchange(n_steps)))

    def train(
        self, model: Sequential, executor: Executor, chunk: Chunk, totals: Floats, must_stop: Callable[[], bool]
    ) -> int:
        """Execute a chunk; returns the number of steps done.  Exceptions are those of `stepwise.train_chunk`.

        Parameters
        ----------
        executor : Executor
            Of the model.
        totals : (steps,)
            See `total_weights`.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found and reported
            if self.local_steps > 1:
                return _LocalSteps(self, model, executor, chunk).run(totals)
            return _SummedSteps(self.group, model, executor, chunk).run(totals, must_stop)


class _SummedSteps:
    """The steps of a chunk, each with the gradient over all shards."""

    def __init__(self, group: Group, model: Sequential, executor: Executor, chunk: Chunk) -> None:
        self._group, self._model, self._executor, self._chunk = group, model, executor, chunk

    def run(self, totals: Floats, must_stop: Callable[[], bool]) -> int:
        chunk = self._chunk
        updates = self._executor.updates(chunk.optimizer, chunk.coefficients, chunk.state, chunk.transforms)
        for s in range(chunk.n_steps):
            has_to_stop = self._sum_gradients(s, float(totals[s]), must_stop)
            if not math.isfinite(chunk.losses[s]):
                raise LossNotFinite(s)
            try:
                updates.step(s)
            except UpdateNotFinite:
                raise LossNotFinite(s) from None
            if has_to_stop:
                return s + 1
        return chunk.n_steps

    def _sum_gradients(self, s: int, weight: float, must_stop: Callable[[], bool]) -> bool:
        """grad and the loss of step s <- those over all shards; returns whether a rank has to stop after it."""
        group, grad = self._group, self._model.grad
        losses = np.zeros(len(group.own))
        error: BaseException | None = None

        def gradient(shard: int) -> Array:
            losses[shard - group.own[0]] = self._gradient(s, shard, weight)
            return grad.copy()

        try:
            parts = {node: total(node, gradient) for node in group.nodes()}
        except Exception as problem:
            error, parts = problem, {node: np.zeros_like(grad) for node in group.nodes()}
        heads = group.sum(np.array([error is not None, must_stop(), *losses]), parts, grad)
        _raise_failure(s, error, heads, group)
        self._chunk.losses[s] = math.fsum(heads[:, 2:].flat) / weight if weight else 0.0
        return bool(heads[:, 1].any())

    def _gradient(self, s: int, shard: int, weight: float) -> float:
        """The sum of the weighted losses of a shard's rows; grad <- the gradient of this sum / weight."""
        chunk, executor = self._chunk, self._executor
        rows = _rows_of_shard(chunk.rows(s), shard, self._group)
        noise = None if chunk.noise is None else chunk.noise.of(s, shard * len(rows))
        Z = np.empty((len(rows), self._model.n_out), self._model.dtype)
        executor.forward(chunk.X.take(rows, axis=0), Z, chunk.n_threads, noise)
        losses, dZ = np.full(len(rows), np.nan), np.zeros_like(Z)
        if all_finite(Z):
            weights = None if chunk.weight is None else chunk.weight[rows]
            measure(executor, chunk.loss, Z, chunk.Y.take(rows, axis=0), weights, losses, dZ)
            dZ *= dZ.dtype.type(1 / weight if weight else 0.0)
        executor.backward(dZ, None, chunk.n_threads)
        return float(losses.sum())


class _LocalSteps:
    """The steps of a chunk, done by each shard alone; then theta, state and average of all are their means."""

    def __init__(self, sharded: ShardedSteps, model: Sequential, executor: Executor, chunk: Chunk) -> None:
        self._group, self._seed = sharded.group, sharded.seed
        self._model, self._executor, self._chunk = model, executor, chunk
        average = None if chunk.transforms is None else chunk.transforms.average
        self._vectors = [model.theta, *chunk.state, *([] if average is None else [average])]

    def run(self, totals: Floats) -> int:
        chunk, group = self._chunk, self._group
        start = np.concatenate(self._vectors)
        error: BaseException | None = None
        losses, norms = np.zeros((2, len(group.own), chunk.n_steps))
        failed_at = math.inf

        def result(shard: int) -> Array:
            self._assign(start)
            losses[shard - group.own[0]] = self._train(shard)
            if self._norm is not None:
                norms[shard - group.own[0]] = self._norm
            return np.concatenate(self._vectors)

        parts = {node: np.zeros_like(start) for node in group.nodes()}
        try:
            parts = {node: total(node, result) for node in group.nodes()}
        except LossNotFinite as failure:
            failed_at = failure.step
        except CustomLossError as failure:
            error = failure.__cause__
        except Exception as problem:
            error = problem
        mean = np.empty_like(start)
        heads = group.sum(np.array([error is not None, failed_at, *losses.flat, *norms.flat]), parts, mean)
        self._assign(start)
        _raise_failure(0, error, heads, group)
        if np.isfinite(heads[:, 1]).any():
            raise LossNotFinite(int(heads[:, 1].min()))
        mean *= mean.dtype.type(1 / group.shards)
        self._assign(mean)
        self._record(heads[:, 2:].reshape(group.size, 2, -1, chunk.n_steps), totals)
        return chunk.n_steps

    def _train(self, shard: int) -> Floats:
        """Do the steps on the rows of a shard; returns the sum of the weighted losses of each."""
        chunk = self._chunk
        rows = [_rows_of_shard(chunk.rows(s), shard, self._group) for s in range(chunk.n_steps)]
        starts = np.cumsum([0, *map(len, rows)])
        noise = None if chunk.noise is None else chunk.noise._replace(seed=shard_seed(self._seed, shard))
        own = replace(chunk, order=np.concatenate(rows), starts=starts, losses=np.empty(chunk.n_steps), noise=noise)
        train_chunk(self._executor, own, self._model.n_out)
        weights = [len(r) if chunk.weight is None else chunk.weight[r].sum(dtype=np.float64) for r in rows]
        weighted: Floats = own.losses * weights
        return weighted

    @property
    def _norm(self) -> Floats | None:
        return None if self._chunk.transforms is None else self._chunk.transforms.norm

    def _assign(self, values: Array) -> None:
        """The vectors <- these values, one vector after the other."""
        for vector, value in zip(self._vectors, np.split(values, len(self._vectors)), strict=True):
            np.copyto(vector, value)

    def _record(self, of_ranks: Floats, totals: Floats) -> None:
        """The losses of the steps, and the norms of gradients, <- the means over all shards."""
        losses, norms = of_ranks.transpose(1, 0, 2, 3).reshape(2, self._group.shards, -1)
        self._chunk.losses[:] = np.divide(losses.sum(axis=0), totals, out=np.zeros_like(totals), where=totals > 0)
        if self._norm is not None:
            self._norm[:] = norms.mean(axis=0)


def _rows_of_shard(rows: Ints, shard: int, group: Group) -> Ints:
    """The rows of a shard of this rank among those of a step."""
    of_shard: Ints = rows.reshape(len(group.own), -1)[shard - group.own[0]]
    return of_shard


def _raise_failure(step: int, error: BaseException | None, heads: Floats, group: Group) -> None:
    """CustomLossError if this rank has failed in a step, or another one, which the heads tell."""
    if error is not None:
        raise CustomLossError(step) from error
    if heads[:, 0].any():
        raise CustomLossError(step) from group.failure()
