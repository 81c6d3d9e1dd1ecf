"""Initializers: the initial weights and biases of a layer. By default biases start at 0.

The variance of the weights of a layer with n_in inputs and n_out units is chosen so that the magnitude of the signal
stays about the same from layer to layer. docs/initializers.md compares all of them.

To add one, write its class in `scaled.py` or `fixed.py` and list it in `INITIALIZERS`. Values must have the same bits
on every machine, so they are made of + - * /, sqrt and the functions of `random` and `exact_math`.
"""

from __future__ import annotations

from .._common.registry import registry, resolve
from ..activations.base import Activation
from .base import Initializer
from .fixed import Constant, Normal, Orthogonal, TruncatedNormal, Uniform, Zeros
from .scaled import GlorotNormal, GlorotUniform, HeNormal, HeUniform, LeCunNormal, LeCunUniform, PyTorchLinear

__all__ = [
    "INITIALIZERS",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LeCunNormal",
    "LeCunUniform",
    "Normal",
    "Orthogonal",
    "PyTorchLinear",
    "TruncatedNormal",
    "Uniform",
    "Zeros",
    "default_for",
    "get",
]

INITIALIZERS: dict[str, type[Initializer]] = registry(
    *(HeNormal, HeUniform, GlorotNormal, GlorotUniform, LeCunNormal, LeCunUniform, PyTorchLinear),
    *(Normal, TruncatedNormal, Uniform, Orthogonal, Zeros, Constant),
)

# Names that PyTorch, Keras and scikit-learn use.
_ALIASES = {
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "pytorch": "pytorch_linear",
    "torch": "pytorch_linear",
    "random_normal": "normal",
    "trunc_normal": "truncated_normal",
    "random_uniform": "uniform",
}


def get(initializer: str | Initializer) -> Initializer:
    """Return the initializer of this name, or the object itself.

    Raises
    ------
    ValueError
        The name is unknown (the message lists the names), or its class has a parameter without a default.
    TypeError
        `initializer` is neither a name nor an `Initializer`.
    """
    return resolve("initializer", initializer, Initializer, INITIALIZERS, _ALIASES)  # type: ignore[type-abstract]


def default_for(activation: Activation) -> Initializer:
    """The default initializer of the weights of a layer with this activation."""
    return INITIALIZERS[activation.init](**activation.init_params)


def __dir__() -> list[str]:
    return __all__
