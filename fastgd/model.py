"""A dense network: layers, one flat vector of parameters, and what can be asked of it.

`theta` holds the parameters layer by layer: W (n_in, n_out) row-major, then b (n_out,).  The gradient and every slot of
an optimiser have the same layout.  The arithmetic is an engine's (`backend.py`); here are shapes, views and names.
"""

import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import backend, random
from .activations import Activation
from .arrays import Array, as_numbers, as_rows, check_finite
from .head import Head
from .initializers import Initializer
from .layers import Dense, check_chain, shapes, views
from .optimizers import Optimizer

if TYPE_CHECKING:
    from .modelfile import Expected

_REALS = frozenset((np.dtype("float32"), np.dtype("float64")))
_FORMAT = "fastgd model 1"


class Sequential:
    """Dense layers, one after the other.

    Parameters
    ----------
    *layers : Dense
        At least one; each takes as many columns as the one before gives.
    seed : int or None, default=None
        Of the first weights, >= 0 and below 2**64; None draws one.  The same seed gives the same weights everywhere.
    dtype : "float32" or "float64", default="float32"
        Of the parameters and of all arithmetic.

    Attributes
    ----------
    layers : tuple of Dense
    n_in, n_out, size : int
        Columns in, columns out, number of parameters.
    dtype : numpy.dtype
    seed : int
    head : Head
        What the outputs mean; set by the trainer.

    Examples
    --------
    >>> model = Sequential(Dense(2, 3, "relu"), Dense(3, 1), seed=0)
    >>> model.predict([[1.0, 2.0]]).shape
    (1, 1)
    """

    layers: tuple[Dense, ...]
    n_in: int
    n_out: int
    size: int
    dtype: np.dtype[Any]
    seed: int
    head: Head

    def __init__(self, *layers: Dense, seed: int | None = None, dtype: DTypeLike = "float32") -> None:
        self._allocate(layers, seed, dtype)
        self.reset()

    def _allocate(self, layers: Sequence[Dense], seed: int | None, dtype: DTypeLike) -> None:
        """Everything but the values of theta."""
        check_chain(layers)
        self.layers = tuple(layers)
        self.n_in, self.n_out = layers[0].n_in, layers[-1].n_out
        self.size = sum(layer.size for layer in layers)
        self.dtype = _check_dtype(dtype)
        self.seed = random.new_seed() if seed is None else random.check_seed(seed)
        self.head = self._first_head()
        self._theta = np.zeros(self.size, self.dtype)
        self._grad = np.zeros(self.size, self.dtype)
        self._networks: dict[str, backend.Network] = {}
        self._engine: backend.Engine | None = None
        self._lock = threading.Lock()

    def reset(self, seed: int | None = None) -> None:
        """Forget all training: the first weights again, or with `seed` other ones; biases 0, no classes."""
        if seed is not None:
            self.seed = random.check_seed(seed)
        self.head = self._first_head()
        self._theta.fill(0)
        parameters = self.parameters()
        for index, layer in enumerate(self.layers):
            weights = layer.init.weights(layer.n_in, layer.n_out, self.seed, index)
            parameters[f"{index}.weight"][:] = weights

    @property
    def theta(self) -> Array:
        """All parameters (size,), by reference; assigning copies finite values of the same shape into it."""
        return self._theta

    @theta.setter
    def theta(self, values: ArrayLike) -> None:
        array = as_numbers(values, "theta")
        if array.shape != self._theta.shape:
            raise ValueError(f"theta must have shape {self._theta.shape}, not {array.shape}")
        array = self._cast(array, "theta")
        self._theta[:] = array

    @property
    def grad(self) -> Array:
        """Gradient (size,) of the last `backward`, by reference, in the layout of theta."""
        return self._grad

    def parameters(self) -> dict[str, Array]:
        """Views of theta by name: "0.weight" (n_in, n_out), "0.bias" (n_out,), "1.weight"...; writing changes theta."""
        return views(self.layers, self._theta)

    def gradients(self) -> dict[str, Array]:
        """Views of grad under the names of `parameters`."""
        return views(self.layers, self._grad)

    @property
    def network(self) -> backend.Network:
        """This model on the engine now chosen, made on first use; for loops that need no checks."""
        return self.network_for("identity")

    def network_for(self, link: str) -> backend.Network:
        """The network as a loss or a head with this link sees it.

        If the last activation is the link itself ("softmax", "sigmoid"), it ends before that activation: such a loss takes
        logits, where no digits are lost, and applies the link itself.  ValueError if the two are of different kinds.
        """
        engine = backend.choose()
        if self._engine is not engine:
            self._networks, self._engine = {}, engine
        if link not in self._networks:
            self._networks[link] = self._new_network(link, engine)
        return self._networks[link]

    def _new_network(self, link: str, engine: backend.Engine) -> backend.Network:
        last, layers = self.layers[-1], self.layers
        own = last.activation.link
        if own == link != "identity":
            layers = (*layers[:-1], Dense(last.n_in, last.n_out, "identity", last.bias))
        elif own != "identity" and link != "identity":
            raise ValueError(
                f'a loss that applies the {link} to logits does not fit a model that ends in "{last.activation.name}": end '
                f'it in "identity" or "{link}", or choose another loss'
            )
        elif link != "identity":
            return self.network
        return engine.network(layers, self._theta, self._grad, self._lock)

    def _first_head(self) -> Head:
        """Of a model without training: a softmax says by itself what the outputs mean."""
        return Head("softmax" if self.layers[-1].activation.whole_rows else "identity")

    def predict(self, X: Any) -> Array:
        """Predictions for the rows of X (rows, n_in).

        Returns
        -------
        ndarray
            Labels (rows,) of a trained classifier; yes (1) or no (0) in the shape of the targets after training with
            "bce" on numbers; otherwise outputs (rows, n_out), or (rows,) if the targets were one-dimensional.
        """
        answers = self.head.classes is not None or self.head.link == "sigmoid"
        return self.head.predict(self._outputs(X, self.head.link if answers else "identity"))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (rows, n_classes) in the order of `head.classes`; ValueError if this is no classifier."""
        return self.head.predict_proba(self._outputs(X, self.head.link))

    def forward(self, X: Any) -> Array:
        """Outputs Z (rows, n_out) for X (rows, n_in); the activations are kept for `backward`."""
        X = self._input(X)
        Z = np.empty((len(X), self.n_out), self.dtype)
        self.network.forward(X, Z)
        return Z

    def backward(self, dZ: Any) -> Array:
        """From dL/dZ (rows, n_out) of the last `forward`: fill `grad` with dL/dtheta, return dL/dX (rows, n_in).

        The gradient is summed over rows: for a mean loss, divide dZ by the number of rows.
        RuntimeError if no `forward` went before.
        """
        dZ = np.ascontiguousarray(self._cast(as_rows(dZ, self.n_out, "dZ"), "dZ"))
        dX = np.empty((len(dZ), self.n_in), self.dtype)
        self.network.backward(dZ, dX)
        return dX

    def apply(self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array) -> None:
        """One step of the optimiser's rule with `grad`; what `optimizer.step(model)` calls after its checks."""
        self.network.update(optimizer, coefficients, state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, parameters, dtype, seed and head to `path`, which ends in .npz or .safetensors.

        Arrays are stored under the names of `parameters`; an older file is replaced only by a whole new one.
        """
        from . import modelfile  # zip and JSON would double the time of `import fastgd`

        modelfile.write(path, self.to_words(), self.parameters())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Sequential":
        """The model that `save` wrote; ValueError for a file that is damaged or of another kind."""
        from . import modelfile

        with modelfile.reading(path) as file:
            return cls.from_words(file.words, file.arrays)

    def to_words(self) -> dict[str, Any]:
        """All but the parameters, as JSON says it."""
        return {
            "format": _FORMAT,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "layers": [layer.to_words() for layer in self.layers],
            "head": self.head.to_words(),
        }

    @classmethod
    def from_words(cls, words: dict[str, Any], read: "Callable[[Expected], Mapping[str, Array]]") -> "Sequential":
        """The model of `to_words`; `read` gives the arrays whose names, shapes and dtypes it is asked for."""
        if words["format"] != _FORMAT:
            raise ValueError(f"its format is {words['format']!r}, not {_FORMAT!r}")
        model = cls.__new__(cls)
        layers = [Dense.from_words(layer) for layer in words["layers"]]
        dtype = _check_dtype(words["dtype"])
        arrays = read({name: (shape, dtype) for name, shape in shapes(layers).items()})
        for name in shapes(layers):
            check_finite(arrays[name], name)
        model._allocate(layers, words["seed"], dtype)
        model.head = Head.from_words(words["head"], model.n_out)
        for name, view in model.parameters().items():
            view[:] = arrays[name]
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layers", "seed", "dtype", "head", "theta")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Also of `copy.copy`: a copy has parameters of its own.  The gradient starts at 0."""
        self._allocate(state["layers"], state["seed"], state["dtype"])
        self.head = state["head"]
        self._theta[:] = state["theta"]

    def summary(self) -> str:
        """A table of the layers and their numbers of parameters."""
        rows = [("layer", "activation", "weight", "bias", "parameters")]
        for index, layer in enumerate(self.layers):
            shapes = layer.shapes()
            bias = str(shapes.get("bias", "-"))
            rows.append((str(index), layer.activation.name, str(shapes["weight"]), bias, f"{layer.size:,}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"Sequential, {self.size:,} parameters, {self.dtype.name}", *lines])

    __repr__ = summary

    def _outputs(self, X: Any, link: str) -> Array:
        X = self._input(X)
        Z = np.empty((len(X), self.n_out), self.dtype)
        self.network_for(link).predict(X, Z)
        return Z

    def _input(self, X: Any) -> Array:
        """X as rows that an engine reads, all finite.

        Plain arrays of reals come first: a sum of squares finds NaN and infinity in a fraction of a microsecond, and
        what overflows it only takes the long way.
        """
        plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype in _REALS and X.flags.carray
        if plain and X.shape[1] == self.n_in and len(X) and math.isfinite(np.vdot(X, X)):
            return cast(Array, X)
        rows = as_rows(X, self.n_in)
        check_finite(rows, "X")
        return rows

    def _cast(self, array: Array, name: str) -> Array:
        """`array` in the model's dtype, all finite."""
        with np.errstate(over="ignore"):
            array = array.astype(self.dtype, copy=False)
        check_finite(array, name)
        return array


def MLP(
    *widths: int,
    activation: str | Activation = "relu",
    output: str | Activation = "identity",
    bias: bool = True,
    init: str | Initializer | None = None,
    seed: int | None = None,
    dtype: DTypeLike = "float32",
) -> Sequential:
    """A multilayer perceptron: `MLP(64, 32, 10)` has 64 inputs, 32 hidden units and 10 outputs.

    `MLP(n, 1)` is the linear model y = b + x w.

    Parameters
    ----------
    *widths : int >= 1
        Inputs, units of each hidden layer, outputs: two numbers at least.
    activation, output : str or Activation, default="relu", "identity"
        Of the hidden layers, and of the last one, where "softmax" is allowed, too: see docs/activations.md.
    bias, init, seed, dtype
        As in `Dense` and `Sequential`.

    Raises
    ------
    ValueError
        Fewer than two widths, a width below 1, or an unknown name.
    """
    if len(widths) < 2:
        raise ValueError(f"MLP needs the numbers of inputs and outputs at least, as in MLP(64, 10), not {widths}")
    functions = [activation] * (len(widths) - 2) + [output]
    layers = [
        Dense(n_in, n_out, f, bias, init) for n_in, n_out, f in zip(widths[:-1], widths[1:], functions, strict=True)
    ]
    return Sequential(*layers, seed=seed, dtype=dtype)


def _check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    checked = np.dtype(dtype)
    if checked not in _REALS:
        raise ValueError(f'dtype must be "float32" or "float64", not {dtype!r}')
    return checked
