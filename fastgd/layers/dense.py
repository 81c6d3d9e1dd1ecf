"""The dense layer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .. import activations, initializers
from .._common.checks import check_bool, check_int
from .._common.explain import explains_arguments
from .._common.typing import Array
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
        Initial values of W: a name in `fastgd.initializers.INITIALIZERS`, or an object; None: the default for the
        activation (docs/activations.md).
    bias_init : str, Initializer or None, default=None
        Initial values of b; None: 0, or those that belong to `init` ("pytorch_linear" has some).

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
        bias_init: str | Initializer | None = None,
    ) -> None:
        self.n_in = check_int("n_in", n_in)
        self.n_out = check_int("n_out", n_out)
        self.activation = activations.get(activation)
        self.bias = check_bool("bias", bias)
        self.init = initializers.default_for(self.activation) if init is None else initializers.get(init)
        self.bias_init = initializers.get(self.init.bias if bias_init is None else bias_init)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters by name, in their order in theta."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.n_in, self.n_out)}
        return shapes | {"bias": (self.n_out,)} if self.bias else shapes

    def initial_values(self, seed: int, index: int) -> dict[str, Array]:
        """The initial parameters by name, if this is layer number `index` of a model with this seed."""
        values = {"weight": self.init.weights(self.n_in, self.n_out, seed, index)}
        return values | {"bias": self.bias_init.biases(self.n_in, self.n_out, seed, index)} if self.bias else values

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.n_in * self.n_out + self.n_out * self.bias

    def __repr__(self) -> str:
        activation = repr(self.activation)
        shown = f'"{self.activation.name}"' if activation.endswith("()") else activation
        settings = "" if self.bias else ", bias=False"
        if self.init != initializers.default_for(self.activation):
            settings += f", init={self.init}"
        if self.bias and self.bias_init != initializers.get(self.init.bias):
            settings += f", bias_init={self.bias_init}"
        return f"Dense({self.n_in}, {self.n_out}, {shown}{settings})"

    def to_config(self) -> dict[str, Any]:
        """A JSON-compatible description of the layer."""
        return {
            "n_in": self.n_in,
            "n_out": self.n_out,
            "activation": {"name": self.activation.name, **asdict(self.activation)},
            "bias": self.bias,
            "init": {"name": self.init.name, **asdict(self.init)},
            "bias_init": {"name": self.bias_init.name, **asdict(self.bias_init)},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Dense:
        """The layer that `to_config` described."""
        activation = dict(config["activation"])
        init, bias_init = dict(config["init"]), dict(config.get("bias_init", {"name": "zeros"}))  # before 0.3: all 0
        return cls(
            config["n_in"],
            config["n_out"],
            activations.ACTIVATIONS[activation.pop("name")](**activation),
            config["bias"],
            initializers.INITIALIZERS[init.pop("name")](**init),
            initializers.INITIALIZERS[bias_init.pop("name")](**bias_init),
        )
