"""Activations. These NumPy definitions, in float64, are the reference for the C core.

To add one, write a class in `sigmoids.py` or `rectifiers.py`, list it in `ACTIVATIONS`, and add its entry to
`csrc/tables/activations.h`. Parameters are fields of a dataclass; the C core gets them as `params`.
"""

from __future__ import annotations

from .._common.registry import registry, resolve
from .base import Activation
from .rectifiers import ELU, GELU, SELU, GELUTanh, HardSwish, LeakyReLU, Mish, ReLU, ReLU6, SiLU, Softplus
from .sigmoids import HardSigmoid, HardTanh, Identity, Sigmoid, Softmax, Tanh

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "GELUTanh",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "Identity",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "get",
]

ACTIVATIONS: dict[str, type[Activation]] = registry(
    *(Identity, Sigmoid, HardSigmoid, Tanh, HardTanh, ReLU, LeakyReLU, ReLU6, ELU, SELU, Softplus),
    *(SiLU, HardSwish, GELU, GELUTanh, Mish, Softmax),
)

# Names that scikit-learn, Keras and PyTorch use.
_ALIASES = {
    "linear": "identity",
    "logistic": "sigmoid",
    "hardsigmoid": "hard_sigmoid",
    "hardtanh": "hard_tanh",
    "leakyrelu": "leaky_relu",
    "swish": "silu",
    "hard_silu": "hard_swish",
    "hardswish": "hard_swish",
}


def get(activation: str | Activation) -> Activation:
    """Return the activation of this name, or the object itself.

    Raises
    ------
    ValueError
        The name is unknown; the message lists the names.
    TypeError
        `activation` is neither a name nor an `Activation`.

    Examples
    --------
    >>> from fastgd import activations
    >>> activations.get("elu")
    ELU()
    """
    return resolve("activation", activation, Activation, ACTIVATIONS, _ALIASES)  # type: ignore[type-abstract]


def __dir__() -> list[str]:
    return __all__
