"""The steps of a chunk as an engine takes them."""

from __future__ import annotations

from .._common.typing import Array, Floats
from ..engine.chunk import Chunk
from .chunks import EpochBlock, step_coefficients
from .fit_data import FitData
from .state import TrainSettings, TrainState


def make_chunk(
    settings: TrainSettings,
    state: TrainState,
    data: FitData,
    block: EpochBlock,
    steps: slice,
    rule_state: Array,
    phases: Floats | None = None,
) -> Chunk:
    """These steps of a block; their learning rates go into the block, and so will losses and norms.

    Parameters
    ----------
    rule_state : ndarray (slots, size)
        The optimizer's slots.
    phases : ndarray or None, default=None
        See `Chunk`.
    """
    model, optimizer = state.model, state.optimizer
    options = state.span, data.micro_batch, settings.records_norm(optimizer)
    coefficients, transforms = step_coefficients(block, steps, optimizer, model, *options)
    noise = model.noise(settings.seed, state.step, block.epoch_times[steps], state.span)
    order, starts = block.order_of(steps)
    X, Y, weight, rows = data.arrays_of(order, starts, state.step)
    updates = data.loss, optimizer, coefficients, rule_state, block.losses[steps]
    return Chunk(X, Y, rows, starts, *updates, weight, transforms, noise, settings.threads, phases)
