"""The dense layer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .. import activations, initializers
from .._common.checks import check_bool, check_int
from .._common.explain import explains_arguments
from ..activations import Activation
from ..initializers import Initializer


@explains_arguments
class Dense:
    """The layer a = f(x W + b) with x (rows, n_in), W (n_in, n_out), b (n_out,).

    Parameters
    ----------
    n_in, n_out : int >= 1
        Number of input and output columns.
    activation : str or Activation, default="identity"
        The function f: a name in `fastgd.activations.ACTIVATIONS`, or an object. "softmax" is for the last layer only.
    bias : bool, default=True
        Whether the layer has a bias b.
    init : str, Initializer or None, default=None
        Initial values of W; None: the default for the activation (docs/activations.md). b starts at 0.

    Examples
    --------
    >>> import fastgd as gd
    >>> layer = gd.Dense(64, 10, "relu")
    >>> layer
    Dense(64, 10, "relu")
    >>> layer.shapes(), layer.size
    ({'weight': (64, 10), 'bias': (10,)}, 650)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        activation: str | Activation = "identity",
        bias: bool = True,
        init: str | Initializer | None = None,
    ) -> None:
        self.n_in = check_int("n_in", n_in)
        self.n_out = check_int("n_out", n_out)
        self.activation = activations.get(activation)
        self.bias = check_bool("bias", bias)
        self.init = initializers.default_for(self.activation) if init is None else initializers.get(init)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters by name, in their order in theta."""
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
        """A JSON-compatible description of the layer."""
        return {
            "n_in": self.n_in,
            "n_out": self.n_out,
            "activation": {"name": self.activation.name, **asdict(self.activation)},
            "bias": self.bias,
            "init": {"name": self.init.name, **asdict(self.init)},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Dense:
        """The layer that `to_config` described."""
        activation, init = dict(config["activation"]), dict(config["init"])
        return cls(
            config["n_in"],
            config["n_out"],
            activations.ACTIVATIONS[activation.pop("name")](**activation),
            config["bias"],
            initializers.INITIALIZERS[init.pop("name")](**init),
        )
