"""Activations: the definitions. NumPy float64 is the reference for the C core.

To add one: a class here or in `_rectifiers.py` and its name in `ACTIVATIONS`; its twin is one row of
`csrc/activations.h`. Numbers that it takes are fields of a dataclass; they reach the C core as `parameters`.
"""

from __future__ import annotations

from .._common.registry import resolve
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


ACTIVATIONS: dict[str, type[Activation]] = {
    c.name: c
    for c in (
        *(Identity, Sigmoid, HardSigmoid, Tanh, HardTanh, ReLU, LeakyReLU, ReLU6, ELU, SELU, Softplus),
        *(SiLU, HardSwish, GELU, GELUTanh, Mish, Softmax),
    )
}


# What users of scikit-learn, of Keras and of PyTorch type.
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
    """The activation of this name, or the object itself.

    Raises
    ------
    ValueError
        Unknown name; the message lists the names.
    TypeError
        Neither a name nor an `Activation`.
    """
    return resolve("activation", activation, Activation, ACTIVATIONS, _ALIASES)  # type: ignore[type-abstract]
