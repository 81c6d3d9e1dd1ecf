"""Optimisers: the definitions. NumPy float64 is the reference for the C core; the semantics are PyTorch's.

Two halves. A *rule* changes theta with one gradient; it knows no time and has a twin in `csrc/optimizers.h`. An
*optimiser* turns settings, learning rates and step numbers into the numbers that its rule needs at each step, its
*coefficients*, made once per chunk of steps and shared by both engines. To add an optimiser: its class below and in
`OPTIMIZERS`; its rule, if it needs a new one, below and in `RULES`, and one row in C.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._definition import Array, find, number
from ._math import power
from .schedules import Rate, Schedule, as_schedule

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]


def sgd(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """theta <- theta - lr (g + weight_decay theta);  c = (lr, weight_decay); no slots.

    Source: Robbins & Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22, 1951.
    """
    lr, weight_decay = c
    theta -= lr * (g + weight_decay * theta)


def momentum(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """v <- momentum v + gain g;  theta <- theta - lr (g_part g + v_part v), with weight_decay theta added to g first.

    c = (lr, weight_decay, momentum, gain, g_part, v_part); slots (1, size) = v.
    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Nesterov's variant in the
    form of Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """
    lr, weight_decay, mu, gain, g_part, v_part = c
    (v,) = slots
    g = g + weight_decay * theta
    v *= mu
    v += gain * g
    theta -= lr * (g_part * g + v_part * v)


def adam(theta: Array, g: Array, slots: Array, c: Array) -> None:
    """m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
    theta <- shrink theta - step_size m / (sqrt(v) inv_sqrt_bc2 + eps), with weight_decay theta added to g first.

    c = (step_size, weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, inv_sqrt_bc2, eps, shrink) with
    step_size = lr / (1 - beta1^t) and inv_sqrt_bc2 = 1 / sqrt(1 - beta2^t); slots (2, size) = m, v.
    Source: Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; shrink:
    Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """
    step_size, weight_decay, beta1, gain1, beta2, gain2, inv_sqrt_bc2, eps, shrink = c
    m, v = slots
    g = g + weight_decay * theta
    m *= beta1
    m += gain1 * g
    v *= beta2
    v += gain2 * g * g
    theta *= shrink
    theta -= step_size * m / (np.sqrt(v) * inv_sqrt_bc2 + eps)


# theta, g (size,), slots (n_slots, size), c (n_coefficients,), all of one dtype; theta and slots are changed in place.
Rule = Callable[[Array, Array, Array, Array], None]
RULES: dict[str, Rule] = {rule.__name__: rule for rule in (sgd, momentum, adam)}


class Trainable(Protocol):
    """What `Optimizer.step` needs of a model."""

    @property
    def grad(self) -> Array: ...

    def apply(self, optimizer: Optimizer, coefficients: Floats, state: Array) -> None: ...


@dataclass(eq=False)
class Optimizer(ABC):
    """Settings and state of one training; an optimiser belongs to one model.

    Attributes
    ----------
    state : ndarray (slots, size) or None
        What the rule remembers, in the layout and dtype of theta; None before the first use.
    steps : int
        Steps done.
    """

    name: ClassVar[str]

    state: Array | None = field(default=None, init=False, repr=False)
    steps: int = field(default=0, init=False, repr=False)
    lr: Rate = field(default=0.01, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.lr, Schedule) and not callable(self.lr):
            number("lr", self.lr, "(0, inf)")

    @property
    @abstractmethod
    def rule(self) -> str:
        """The row of `RULES`."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many numbers the rule remembers for each number of theta."""

    @abstractmethod
    def coefficients(self, lr: Floats, t: Steps) -> Floats:
        """What the rule needs at each step, (k, n_coefficients) float64.

        Parameters
        ----------
        lr : (k,) float64
            Learning rates.
        t : (k,) int64
            Numbers of the steps, from 1.
        """

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of time."""
        return as_schedule(self.lr)

    def bind(self, size: int, dtype: DTypeLike) -> Array:
        """The state for a model whose theta has this size and dtype; zeros on first use.

        Raises
        ------
        ValueError
            The state belongs to a model of another size or dtype, or to other settings.
        """
        if self.state is None:
            self.state = np.zeros((self.slots, size), dtype)
        if self.state.shape != (self.slots, size) or self.state.dtype != dtype:
            raise ValueError(
                f"this optimizer holds the state of another model or of other settings, {self.state.shape} "
                f"{self.state.dtype}, but this model needs {(self.slots, size)} {np.dtype(dtype)}: "
                f"make a new {type(self).__name__} for each model"
            )
        return self.state

    def step(self, model: Trainable) -> None:
        """One update of `model.theta` with `model.grad`, in a loop of one's own.

        Such a loop has no epochs, so a schedule counts steps: its t is `steps`, the length of the run unknown (inf).

        Raises
        ------
        FloatingPointError
            The gradient has an inf or NaN. Model and optimiser are as they were.
        ValueError
            The optimiser belongs to another model; see `bind`.
        """
        if not np.isfinite(model.grad).all():
            raise FloatingPointError(
                f"the gradient of step {self.steps + 1} is not finite, theta is unchanged: "
                f"lower lr (now {self.lr}) or scale X"
            )
        state = self.bind(model.grad.size, model.grad.dtype)
        model.apply(self, self._next_coefficients(), state)
        self.steps += 1

    def _next_coefficients(self) -> Floats:
        t = np.array([self.steps])
        return self.coefficients(self.schedule(t.astype(np.float64), math.inf), t + 1).ravel()


@dataclass(eq=False)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum on request: rules `sgd` and `momentum`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.01
        Learning rate; see `fastgd.schedules`.
    momentum : float in [0, 1), default=0.0
        Share of the last velocity that is kept.
    dampening : float in [0, 1), default=0.0
        Share of a gradient that does not enter the velocity, from the second step on.
    nesterov : bool, default=False
        Look one step ahead; needs momentum > 0 and no dampening.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    """

    name = "sgd"

    lr: Rate = 0.01
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("momentum", self.momentum, "[0, 1)")
        number("dampening", self.dampening, "[0, 1)")
        number("weight_decay", self.weight_decay, "[0, inf)")
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "nesterov=True needs momentum in (0, 1) and dampening=0, "
                f"not momentum={self.momentum}, dampening={self.dampening}"
            )

    @property
    def rule(self) -> str:
        return "momentum" if self.momentum else "sgd"

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def coefficients(self, lr: Floats, t: Steps) -> Floats:
        if not self.momentum:
            return _table(lr, self.weight_decay)
        gain = np.where(t == 1, 1.0, 1.0 - self.dampening)
        g_part, v_part = (1.0, self.momentum) if self.nesterov else (0.0, 1.0)
        return _table(lr, self.weight_decay, self.momentum, gain, g_part, v_part)


@dataclass(eq=False)
class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square: rule `adam`.

    Parameters
    ----------
    lr : float > 0, schedule or callable, default=0.001
        Learning rate: about the largest change of a weight in one step.
    betas : (float, float), each in [0, 1), default=(0.9, 0.999)
        Share of the last mean that is kept, for the gradient and for its square.
    eps : float > 0, default=1e-8
        Added to the divisor.
    weight_decay : float >= 0, default=0.0
        L2 penalty: weight_decay * theta is added to the gradient.
    """

    name = "adam"
    decoupled: ClassVar[bool] = False

    lr: Rate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    rule = "adam"
    slots = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), such as (0.9, 0.999), not {self.betas!r}")
        for i, beta in enumerate(self.betas):
            number(f"betas[{i}]", beta, "[0, 1)")
        number("eps", self.eps, "(0, inf)")
        number("weight_decay", self.weight_decay, "[0, inf)")

    def coefficients(self, lr: Floats, t: Steps) -> Floats:
        beta1, beta2 = self.betas
        step_size = lr / (1 - power(beta1, t))
        inv_sqrt_bc2 = 1 / np.sqrt(1 - power(beta2, t))
        l2, shrink = (0.0, 1 - lr * self.weight_decay) if self.decoupled else (self.weight_decay, 1.0)
        return _table(step_size, l2, beta1, 1 - beta1, beta2, 1 - beta2, inv_sqrt_bc2, self.eps, shrink)


@dataclass(eq=False)
class AdamW(Adam):
    """Adam whose weight decay does not pass through the means: each step first scales theta by 1 - lr weight_decay.

    Parameters
    ----------
    lr, betas, eps
        As in `Adam`.
    weight_decay : float >= 0, default=0.01
    """

    name = "adamw"
    decoupled = True

    weight_decay: float = 0.01


OPTIMIZERS: dict[str, type[Optimizer]] = {c.name: c for c in (SGD, Adam, AdamW)}


def get(optimizer: str | Optimizer) -> Optimizer:
    """A new optimiser of this name with its defaults, or the object itself.

    Raises
    ------
    ValueError
        Unknown name; the message lists the names.
    TypeError
        Neither a name nor an `Optimizer`.
    """
    return find("optimizer", optimizer, Optimizer, OPTIMIZERS)  # type: ignore[type-abstract]


def _table(lr: Floats, *columns: Floats | float) -> Floats:
    """The columns side by side, (k, n_columns), each an array like lr or one number for all steps."""
    table = np.empty((len(lr), 1 + len(columns)))
    for i, column in enumerate((lr, *columns)):
        table[:, i] = column
    return table
