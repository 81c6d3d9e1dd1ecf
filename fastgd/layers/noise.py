"""What acts on the inputs of layers in training only: the definitions, and the layout of their random numbers.

The inputs of layer l in step s are one matrix A (rows, n). Element e = row n + column takes number e of stream (s, l)
of the seed, so a number depends only on its position: not on the number of threads, on how steps are grouped into
calls, or on whether the run was resumed. These definitions are the reference for `csrc/tables/noise.h`; to add a noise,
write its class here, list it in `NOISES`, and add its entry there.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._common import random
from .._common.checks import check_scalar
from .._common.exact_math import log, polynomial
from .._common.registry import Record, registry
from .._common.typing import Floats
from ..schedules.base import Rate, evaluate, is_scheduled

_LEVELS = 65536  # values of the 16 random bits that decide whether an input is dropped
_GROUP = 64  # 32-bit words that are generated together


class Noise(Record, ABC):
    """Random changes to the inputs of the layer after it in training; `predict` and validation never see them.

    Attributes
    ----------
    name : str
        The name in `NOISES` and in the C core.
    setting, interval : str
        The field that holds the strength, and its interval. It may be a number, a `Schedule` or a callable
        epoch -> number.
    multiplies : bool
        Whether inputs are multiplied by the samples; otherwise samples are added to them.
    is_backward : bool
        Whether the inputs stay as they are, and samples are factors of their gradient, even at strength 0.
    per_word : int
        Samples made from each 32-bit random word.
    """

    name: ClassVar[str]
    setting: ClassVar[str]
    interval: ClassVar[str]
    multiplies: ClassVar[bool]
    is_backward: ClassVar[bool] = False
    per_word: ClassVar[int]

    def __post_init__(self) -> None:
        if not is_scheduled(self.strength):
            check_scalar(self.setting, self.strength, self.interval)

    @property
    def strength(self) -> Rate:
        """The value of `setting`."""
        rate: Rate = getattr(self, self.setting)
        return rate

    def strengths(self, epoch_times: Floats, total_epochs: float) -> Floats:
        """The strength at these times (epochs done); ValueError if a scheduled value is outside the interval."""
        strengths = evaluate(self.setting, self.strength, self.interval, epoch_times, total_epochs)
        return np.broadcast_to(strengths, epoch_times.shape)

    def sample(self, seed: int, step: int, layer: int, shape: tuple[int, int], strength: float) -> Floats:
        """What the inputs (rows, n) of layer number `layer`, or their gradients, are changed by in a step.

        Parameters
        ----------
        seed : int in [0, 2**64)
        step : int in [0, 2**48)
            Number of the step in the whole run.
        layer : int in [0, 2**16)
        shape : (rows, n)
        strength : float
            In `interval`.
        """
        count = shape[0] * shape[1]
        groups = -(-count // (_GROUP * self.per_word))
        samples = self.from_words(random.groups(seed, step | layer << 48, groups), strength)
        return samples.reshape(-1)[:count].reshape(shape)

    @abstractmethod
    def from_words(self, words: NDArray[np.uint32], strength: float) -> Floats:
        """Samples (groups, 64 per_word) from random words (groups, 64)."""


@dataclass(eq=False, repr=False)
class Dropout(Noise):
    """Each input of the next layer is set to 0 with probability p; the others are divided by 1 - p.

    a' = a m / (1 - p) with m = 0 or 1, so the mean of a' is a and inference needs no correction ("inverted" dropout).
    As the first layer it drops elements of X.

    Parameters
    ----------
    p : float in [0, 1), Schedule or callable, default=0.5
        Probability, rounded to a multiple of 2^-16: 0.1 is 6554 / 65536. Inputs that are kept are divided by one minus
        the rounded value.

    Notes
    -----
    Each half of a random word decides about one input, which is dropped if these 16 bits are below 65536 p. In a group
    of 128 inputs the low halves of the 64 words come first.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import fastgd as gd
    >>> model = gd.Sequential(gd.Dense(64, 64, "relu"), gd.Dropout(0.5), gd.Dense(64, 10))
    >>> model.noises
    (None, Dropout())
    """

    p: Rate = 0.5

    name, setting, interval = "dropout", "p", "[0, 1)"
    multiplies, per_word = True, 2

    def from_words(self, words: NDArray[np.uint32], strength: float) -> Floats:
        below = min(int(np.floor(strength * _LEVELS + 0.5)), _LEVELS - 1)
        bits = np.concatenate([words & np.uint32(0xFFFF), words >> np.uint32(16)], axis=1)
        return np.where(bits < below, 0.0, _LEVELS / (_LEVELS - below))


@dataclass(eq=False, repr=False)
class GaussianNoise(Noise):
    """An independent sample of N(0, std^2) is added to each input of the next layer.

    As the first layer it adds noise to X; for small std that penalizes the derivatives of the network.

    Parameters
    ----------
    std : float >= 0, Schedule or callable
        Standard deviation, in the unit of the inputs.

    Notes
    -----
    The lowest bit of a word is the sign; the other 31 give the magnitude by the inverse distribution function, with a
    relative error below 2e-7. No sample is beyond 6.4 std. Engines agree up to rounding, and all instruction sets
    with fused multiply-add agree to the bit.

    References
    ----------
    Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7, 1995.
    Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988 (PPND7).
    """

    std: Rate

    name, setting, interval = "gaussian_noise", "std", "[0, inf)"
    multiplies, per_word = False, 1

    def from_words(self, words: NDArray[np.uint32], strength: float) -> Floats:
        magnitude = _quantile(((words >> np.uint32(1)).astype(np.float64) + 0.5) * 2.0**-31)
        return np.where(words & np.uint32(1), -strength, strength) * magnitude


@dataclass(eq=False, repr=False)
class GradientReversal(Noise):
    """Inputs of the next layer pass unchanged; their gradient is multiplied by -weight.

    The layers after it descend on the loss, those before it ascend. In a domain-adversarial network it lies between the
    features and the layers that tell domains apart, so that the features learn to hide the domain.

    Parameters
    ----------
    weight : float >= 0, Schedule or callable, default=1.0
        The factor, lambda in the paper. In a custom loop, schedules and functions are evaluated at the number of passes
        `forward(X, training=True)`, in `Trainer.fit` at the number of epochs.

    Notes
    -----
    It acts on each `backward`, whether its `forward` was one in training or not. `input_gradient`, `fisher_diagonal`
    and `hessian_vector_product` are derivatives of the function that the model computes, and know no reversal.

    References
    ----------
    Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016.

    Examples
    --------
    A head that tells two domains apart, for features of 32 columns:

    >>> import numpy as np
    >>> import fastgd as gd
    >>> head = gd.Sequential(gd.GradientReversal(0.5), gd.Dense(32, 16, "relu"), gd.Dense(16, 1), seed=0)
    >>> plain = gd.Sequential(*head.stack[1:], seed=0)
    >>> A, dZ = np.ones((4, 32)), np.ones((4, 1))
    >>> bool((head.forward(A) == plain.forward(A)).all())
    True
    >>> bool((head.backward(dZ) == -0.5 * plain.backward(dZ)).all())
    True
    """

    weight: Rate = 1.0

    name, setting, interval = "gradient_reversal", "weight", "[0, inf)"
    multiplies, is_backward, per_word = False, True, 2

    def from_words(self, words: NDArray[np.uint32], strength: float) -> Floats:
        return np.full((len(words), _GROUP * self.per_word), -strength)


# Numerators and denominators of PPND7, constant term first.
_CENTRE = (3.3871327179, 50.434271938, 159.29113202, 59.109374720), (1.0, 17.895169469, 78.757757664, 67.187563600)
_TAIL = (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103), (1.0, 0.73700164250, 0.12021132975)


def _quantile(v: Floats) -> Floats:
    """The x >= 0 with P(|N(0, 1)| > x) = v, for v in [2^-32, 1)."""
    q = 0.5 - v / 2
    r, t = 0.180625 - q * q, np.sqrt(-log(v / 2)) - 1.6
    centre = q * polynomial(_CENTRE[0], r) / polynomial(_CENTRE[1], r)
    tail = polynomial(_TAIL[0], t) / polynomial(_TAIL[1], t)
    return np.where(q > 0.425, tail, centre)


NOISES: dict[str, type[Any]] = registry(Dropout, GaussianNoise, GradientReversal)


class NoiseSpec(NamedTuple):
    """The noise of some steps, as an engine gets it: its strength, and which random numbers to use.

    Attributes
    ----------
    seed : int in [0, 2**64)
    step : int in [0, 2**48)
        Number of the first of these steps in the whole run.
    strengths : (steps, layers) float64
        Strength of the noise on the inputs of each layer; 0: none.
    row : int >= 0, default=0
        Index within its step of the first row of a pass: a step may take several passes.
    """

    seed: int
    step: int
    strengths: Floats
    row: int = 0

    def of(self, step: int, row: int = 0) -> NoiseSpec:
        """The noise of one of these steps, starting at a row."""
        return NoiseSpec(self.seed, self.step + step, self.strengths[step : step + 1], row)


def noise_spec(
    noises: Sequence[Noise | None], seed: int, step: int, epoch_times: Floats, total_epochs: float = math.inf
) -> NoiseSpec | None:
    """The noise of the steps starting at number `step`; None for a network without noise.

    Parameters
    ----------
    noises : sequence of Noise or None
        One for each layer.
    seed : int in [0, 2**64)
    step : int in [0, 2**48)
        Number of the first step in the whole run.
    epoch_times : (steps,) float64
        Epochs done before each step, for scheduled strengths.
    total_epochs : float, default=inf
        Epochs of the whole run; inf if unknown.

    Raises
    ------
    ValueError
        A value of a schedule is outside the interval of its setting.
    """
    if not any(noises):
        return None
    strengths = np.zeros((len(epoch_times), len(noises)))
    for layer, noise in enumerate(noises):
        if noise is not None:
            strengths[:, layer] = noise.strengths(epoch_times, total_epochs)
    return NoiseSpec(seed, step, strengths)


def check_noise_spec(spec: NoiseSpec, steps: int, layers: int) -> None:
    """An engine's own check: ValueError for strengths of another shape, or indices outside the random streams."""
    if spec.strengths.shape != (steps, layers):
        raise ValueError(f"the strengths of noise must have shape {(steps, layers)}, not {spec.strengths.shape}")
    if not (0 <= spec.seed < 2**64 and 0 <= spec.step <= 2**48 - steps and layers <= 2**16):
        raise ValueError(
            f"noise has random numbers for seeds below 2**64, 2**48 steps and 2**16 layers, not for seed {spec.seed}, "
            f"step {spec.step} and {layers} layers"
        )
