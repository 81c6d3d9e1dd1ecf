"""Multilayer perceptrons: models of similar dense layers, built from their widths."""

from numpy.typing import DTypeLike

from .. import activations
from .._common.explain import explains_arguments
from ..activations import Activation
from ..initializers import Initializer
from ..layers.dense import Dense
from ..layers.noise import Dropout
from ..layers.stack import stacked
from ..schedules.base import Rate, is_scheduled
from .sequential import Sequential


@explains_arguments
def MLP(
    *widths: int,
    activation: str | Activation = "relu",
    output: str | Activation = "identity",
    bias: bool = True,
    init: str | Initializer | None = None,
    bias_init: str | Initializer | None = None,
    dropout: Rate = 0.0,
    seed: int | None = None,
    dtype: DTypeLike = "float32",
) -> Sequential:
    """A multilayer perceptron: `MLP(64, 32, 10)` has 64 inputs, 32 hidden units and 10 outputs.

    `MLP(n, 1)` is the linear model y = b + x w.

    Parameters
    ----------
    *widths : int >= 1
        Number of inputs, units of each hidden layer and outputs: at least two numbers.
    activation, output : str or Activation, default="relu", "identity"
        Activation of the hidden layers, and of the last layer.
    dropout : float in [0, 1), Schedule or callable, default=0.0
        Probability that the output of a hidden unit is dropped in training; see `Dropout`.  0: no dropout layers.
    bias, init, bias_init, seed, dtype
        As in `Dense` and `Sequential`.

    Returns
    -------
    Sequential

    Raises
    ------
    TypeError, ValueError
        Fewer than two widths, a width that is not an integer >= 1, or an unknown name.

    Examples
    --------
    >>> import fastgd as gd
    >>> gd.MLP(64, 32, 10, seed=0).layers
    (Dense(64, 32, "relu"), Dense(32, 10, "identity"))
    """
    if any(isinstance(width, str) for width in widths):
        raise TypeError(f'MLP takes its settings by name, as in MLP(64, 32, 10, activation="tanh"), not {widths}')
    if len(widths) == 1 and isinstance(widths[0], (list, tuple)):
        call = ", ".join(map(str, widths[0]))
        raise TypeError(f"MLP takes its widths one by one: write MLP({call}), not MLP({widths[0]})")
    if len(widths) < 2:
        raise ValueError(f"MLP needs at least the numbers of inputs and outputs, as in MLP(64, 10), not {widths}")
    hidden = activations.get(activation)  # refuses an unknown name even if there is no hidden layer
    functions = [hidden] * (len(widths) - 2) + [output]
    pairs = zip(widths[:-1], widths[1:], functions, strict=True)
    layers = [Dense(n_in, n_out, f, bias, init, bias_init) for n_in, n_out, f in pairs]
    noise = Dropout(dropout) if is_scheduled(dropout) or dropout != 0 else None
    return Sequential(*stacked(layers, [None] + [noise] * (len(layers) - 1)), seed=seed, dtype=dtype)
