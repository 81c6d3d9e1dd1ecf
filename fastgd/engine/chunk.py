"""A chunk of training steps: everything that one call of an engine's `train` reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from .._common.typing import Array, Floats, Ints
from ..layers.noise import NoiseSpec
from ..losses.base import Loss
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms


@dataclass(eq=False, slots=True)
class Chunk:
    """Training steps to execute in one call, and where their results go; `fgd_chunk` of csrc/fastgd.h in Python.

    Step s trains on the rows `order[starts[s]:starts[s + 1]]`. Arrays are referenced, not copied. `real` is the dtype
    of theta, which like the gradient belongs to the executor.

    Attributes
    ----------
    X : (rows, n_in) bool, integer of 8 to 64 bits or float of 16 to 64
        Inputs. The values of a row are contiguous; the distance between rows is arbitrary.
    Y : (rows, n_out), or (rows, 1) class indices in [0, n_out)
        Targets, of the dtypes and the layout that X may have.
    order : (n,) int64
        Row indices in [0, rows).
    starts : (n_steps + 1,) int64
        Where each step starts in `order`, and where the last one ends; strictly increasing within [0, n].
    loss : Loss
    optimizer : Optimizer
        Its update rule; the settings are in `coefficients`.
    coefficients : (n_steps, n_groups * coefficients of the rule) float64
        Of each step, group by group; a single group without `transforms`.
    state : (slots, size) real
        The optimizer's state, updated in place; C-contiguous.
    losses : (n_steps,) float64
        Out: the mean loss of each step's rows before its update, sum of weight * loss / sum of weight.
    weight : (rows,) real or None, default=None
        Weights >= 0 of the rows; None: 1 each.
    transforms : Transforms or None, default=None
        What an update does besides the rule.
    noise : NoiseSpec or None, default=None
        Noise on the inputs of layers; None: no noise.
    n_threads : int, default=0
        Maximum number of threads; 0: the engine decides.
    phases : (n_threads, columns) float64 or None, default=None
        The seconds that each thread spends in each phase are added; see `phase_columns`.  Requires n_threads >= 1.
    """

    X: Array
    Y: Array
    order: Ints
    starts: Ints
    loss: Loss
    optimizer: Optimizer
    coefficients: Floats
    state: Array
    losses: Floats
    weight: Array | None = None
    transforms: Transforms | None = None
    noise: NoiseSpec | None = None
    n_threads: int = 0
    phases: Floats | None = None

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.losses)

    def rows(self, step: int) -> Ints:
        """Row indices of a step."""
        return self.order[self.starts[step] : self.starts[step + 1]]


def phase_columns(layers: int, dense: int | None = None) -> dict[str, int]:
    """The columns of `Chunk.phases` by the names of the phases, in the order in which a step enters them.

    The last `dense` of the layers, None: all, have phases of their own. The input layers before them count as a part of
    "gather", and of the backward pass and the update of the first dense layer.
    """
    gather, loss, transforms, wait, forward, backward, update = range(7)  # FGD_GATHER ... of csrc/fastgd.h
    inputs = 0 if dense is None else layers - dense
    firsts = {l: 3 * (l - inputs) for l in range(inputs, layers)}
    return {
        "gather": gather,
        **{f"forward {l}": forward + first for l, first in firsts.items()},
        "loss": loss,
        **{f"backward {l}": backward + firsts[l] for l in range(layers - 1, max(inputs - 1, 0), -1)},
        **{f"update {l}": update + first for l, first in firsts.items()},
        "transforms": transforms,
        "wait": wait,
    }
