"""The dense layer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .. import activations, initializers
from .._common.checks import check_int
from ..activations import Activation
from ..initializers import Initializer

_WIDEST = 2**31 - 1  # widths are C ints


class Dense:
    """The layer a = f(x W + b) with x (rows, n_in), W (n_in, n_out), b (n_out,).

    Parameters
    ----------
    n_in, n_out : int >= 1
        Columns that come in, and go out.
    activation : str or Activation, default="identity"
        The function f: a name of `fastgd.activations.ACTIVATIONS`, or an object.  "softmax" is for the last layer.
    bias : bool, default=True
        Whether b is there; without it, b = 0.
    init : str, Initializer or None, default=None
        First values of W; None chooses by the activation (see docs/activations.md).  b starts at 0.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        activation: str | Activation = "identity",
        bias: bool = True,
        init: str | Initializer | None = None,
    ) -> None:
        self.n_in = check_int("n_in", n_in, _WIDEST)
        self.n_out = check_int("n_out", n_out, _WIDEST)
        self.activation = activations.get(activation)
        self.bias = bool(bias)
        self.init = initializers.default_for(self.activation) if init is None else initializers.get(init)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters by name, in the order in which theta holds them."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.n_in, self.n_out)}
        return shapes | {"bias": (self.n_out,)} if self.bias else shapes

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.n_in * self.n_out + self.n_out * self.bias

    def __repr__(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f'Dense({self.n_in}, {self.n_out}, "{self.activation.name}"{bias})'

    def to_config(self) -> dict[str, Any]:
        """The layer as JSON says it."""
        return {
            "n_in": self.n_in,
            "n_out": self.n_out,
            "activation": {"name": self.activation.name, **asdict(self.activation)},
            "bias": self.bias,
            "init": {"name": self.init.name, **asdict(self.init)},
        }

    @classmethod
    def from_config(cls, words: dict[str, Any]) -> "Dense":
        """The layer of `to_config`."""
        activation, init = dict(words["activation"]), dict(words["init"])
        return cls(
            words["n_in"],
            words["n_out"],
            activations.ACTIVATIONS[activation.pop("name")](**activation),
            words["bias"],
            initializers.INITIALIZERS[init.pop("name")](**init),
        )
