"""Noise on the inputs of layers, in training only: the definitions, and the layout of its random numbers.

The inputs of layer l in step s are one matrix A (rows, n). Element e = row n + column takes number e of stream (s, l)
of the seed, so a number depends on nothing but its place: not on threads, on how steps are cut into calls, or on
whether the run was resumed. The C twin is `csrc/noise.h`; to add one: a class below, its name in `NOISES`, a row there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._common import random
from .._common.checks import check_scalar
from .._common.exact_math import log, polynomial
from .._common.registry import Record
from .._common.typing import Floats
from ..schedules.base import Rate, is_scheduled, values

_LEVELS = 65536  # of the 16 random bits that decide about an input
_GROUP = 64  # words of 32 bits that are made together


class Noise(Record, ABC):
    """What disturbs the inputs of the layer after it, in training; `predict` and validation never see it.

    Attributes
    ----------
    name : str
        Its row in `NOISES`, and in the C core.
    setting, interval : str
        The field that says how much noise there is, and where it must lie. It may be a number, a `Schedule` or a
        callable epoch -> number.
    multiplies : bool
        Whether inputs are multiplied by its numbers; else these are added.
    per_word : int
        Numbers made of each random word of 32 bits.
    """

    name: ClassVar[str]
    setting: ClassVar[str]
    interval: ClassVar[str]
    multiplies: ClassVar[bool]
    per_word: ClassVar[int]

    def __post_init__(self) -> None:
        if not is_scheduled(self.amount):
            check_scalar(self.setting, self.amount, self.interval)

    @property
    def amount(self) -> Rate:
        """The value of `setting`."""
        rate: Rate = getattr(self, self.setting)
        return rate

    def amounts(self, epoch_times: Floats, total: float) -> Floats:
        """How much noise there is at these moments (epochs done) of a run of `total` epochs; ValueError outside."""
        return np.broadcast_to(values(self.setting, self.amount, self.interval, epoch_times, total), epoch_times.shape)

    def numbers(self, seed: int, step: int, layer: int, shape: tuple[int, int], amount: float) -> Floats:
        """What the inputs (rows, n) of layer number `layer` are multiplied by, or get added, in a step.

        Parameters
        ----------
        seed : int in [0, 2**64)
        step : int in [0, 2**48)
            From the start of the whole run.
        layer : int in [0, 2**16)
        shape : (rows, n)
        amount : float
            Number in `interval`.
        """
        count = shape[0] * shape[1]
        groups = -(-count // (_GROUP * self.per_word))
        made = self.from_words(random.groups(seed, step | layer << 48, groups), amount)
        return made.reshape(-1)[:count].reshape(shape)

    @abstractmethod
    def from_words(self, words: NDArray[np.uint32], amount: float) -> Floats:
        """Numbers (groups, 64 per_word) of random words (groups, 64)."""


@dataclass(eq=False, repr=False)
class Dropout(Noise):
    """Each input of the next layer is set to 0 with probability p; the others are divided by 1 - p.

    a' = a m / (1 - p) with m = 0 or 1, so the mean of a' is a, and nothing remains to be done in inference ("inverted"
    dropout). As the first layer it drops columns of X.

    Parameters
    ----------
    p : float in [0, 1), Schedule or callable, default=0.5
        Probability, rounded to a multiple of 2^-16: 0.1 is 6554 / 65536. What is kept is divided by one minus just
        this number.

    Notes
    -----
    Of each random word, the low half decides about one input and the high half about another: an input is dropped if
    its 16 bits are below 65536 p. In a group of 128 inputs the low halves of the 64 words come first.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> model = gd.Sequential(gd.Dense(64, 64, "relu"), gd.Dropout(0.5), gd.Dense(64, 10))
    """

    p: Rate = 0.5

    name, setting, interval = "dropout", "p", "[0, 1)"
    multiplies, per_word = True, 2

    def from_words(self, words: NDArray[np.uint32], amount: float) -> Floats:
        below = min(int(np.floor(amount * _LEVELS + 0.5)), _LEVELS - 1)
        bits = np.concatenate([words & np.uint32(0xFFFF), words >> np.uint32(16)], axis=1)
        return np.where(bits < below, 0.0, _LEVELS / (_LEVELS - below))


@dataclass(eq=False, repr=False)
class GaussianNoise(Noise):
    """Each input of the next layer gets an independent number of the distribution N(0, std^2) added.

    As the first layer it disturbs X; for small std that is a penalty on the network's slopes.

    Parameters
    ----------
    std : float >= 0, Schedule or callable
        Standard deviation, in the unit of the inputs.

    Notes
    -----
    The lowest bit of a word is the sign; the other 31 choose the size, by the inverse of the distribution function with
    a relative error below 2e-7. No number is beyond 6.4 std. Engines agree up to rounding, and all instruction sets
    with fused multiply-add to the bit.

    References
    ----------
    Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7, 1995.
    Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988 (PPND7).
    """

    std: Rate

    name, setting, interval = "gaussian_noise", "std", "[0, inf)"
    multiplies, per_word = False, 1

    def from_words(self, words: NDArray[np.uint32], amount: float) -> Floats:
        size = _quantile(((words >> np.uint32(1)).astype(np.float64) + 0.5) * 2.0**-31)
        return np.where(words & np.uint32(1), -amount, amount) * size


# Numerator and denominator of PPND7, from the constant term up.
_CENTRE = (3.3871327179, 50.434271938, 159.29113202, 59.109374720), (1.0, 17.895169469, 78.757757664, 67.187563600)
_TAIL = (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103), (1.0, 0.73700164250, 0.12021132975)


def _quantile(v: Floats) -> Floats:
    """The x >= 0 with P(|N(0, 1)| > x) = v, for v in [2^-32, 1)."""
    q = 0.5 - v / 2
    r, t = 0.180625 - q * q, np.sqrt(-log(v / 2)) - 1.6
    near = q * polynomial(_CENTRE[0], r) / polynomial(_CENTRE[1], r)
    far = polynomial(_TAIL[0], t) / polynomial(_TAIL[1], t)
    return np.where(q > 0.425, far, near)


NOISES: dict[str, type[Any]] = {c.name: c for c in (Dropout, GaussianNoise)}


class NoiseSpec(NamedTuple):
    """The noise of some steps, as an engine is told: how much there is, and which random numbers make it.

    Attributes
    ----------
    seed : int in [0, 2**64)
    step : int in [0, 2**48)
        Number of the first of these steps in the whole run.
    amounts : (steps, layers) float64
        For the inputs of each layer; 0 where there is none.
    row : int >= 0, default=0
        Number in its step of the first row that passes: a step may take several passes.
    """

    seed: int
    step: int
    amounts: Floats
    row: int = 0

    def of(self, step: int, row: int = 0) -> NoiseSpec:
        """That of step number `step` of these alone, from a row on."""
        return NoiseSpec(self.seed, self.step + step, self.amounts[step : step + 1], row)


def noise_spec(
    noises: Sequence[Noise | None], seed: int, step: int, epoch_times: Floats, total: float
) -> NoiseSpec | None:
    """The noise of the steps from number `step` on; None for a network without noise.

    Parameters
    ----------
    noises : sequence of Noise or None
        Of each layer.
    seed : int in [0, 2**64)
    step : int in [0, 2**48)
        From the start of the whole run.
    moments : (steps,) float64
        Epochs done before each step, for amounts that are schedules.
    total : float
        Epochs of the whole run; inf if nobody knows.

    Raises
    ------
    ValueError
        A schedule left the interval of its setting.
    """
    if not any(noises):
        return None
    amounts = np.zeros((len(epoch_times), len(noises)))
    for layer, noise in enumerate(noises):
        if noise is not None:
            amounts[:, layer] = noise.amounts(epoch_times, total)
    return NoiseSpec(seed, step, amounts)


def check_noise_spec(draw: NoiseSpec, steps: int, layers: int) -> None:
    """The last line of defence of an engine: ValueError for amounts of another shape, or numbers beyond the streams."""
    if draw.amounts.shape != (steps, layers):
        raise ValueError(f"the amounts of noise must have shape {(steps, layers)}, not {draw.amounts.shape}")
    if not (0 <= draw.seed < 2**64 and 0 <= draw.step <= 2**48 - steps and layers <= 2**16):
        raise ValueError(
            f"noise has random numbers for seeds below 2**64, 2**48 steps and 2**16 layers, not for seed {draw.seed}, "
            f"step {draw.step} and {layers} layers"
        )
