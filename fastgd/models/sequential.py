"""A dense network: layers, one flat vector of parameters, and what can be asked of it.

`theta` holds the parameters layer by layer: W (n_in, n_out) row-major, then b (n_out,).  The gradient and every slot of
an optimiser have the same layout.  The arithmetic is an engine's (`backend.py`); here are shapes, views and names.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import backend
from .._common import random
from .._common.checks import check_int
from .._common.memory import zeros
from .._common.typing import Array, Floats
from ..data.arrays import as_numeric, as_rows, check_finite, finite_rows
from ..data.outputs import OutputSpec
from ..engine.plan import Plan
from ..layers.dense import Dense
from ..layers.noise import Noise, NoiseSpec, noise_spec
from ..layers.stack import layer_from_config, layer_to_config, shapes, split, stacked, table, views
from ..optimizers import Optimizer
from ..optimizers.transforms import Transforms
from .network_cache import Networks

if TYPE_CHECKING:
    from .files import Expected

_REALS = frozenset((np.dtype("float32"), np.dtype("float64")))
_FORMAT = "fastgd model 1"


class Sequential:
    """Dense layers, one after the other; in training, noise on the inputs of some.

    Parameters
    ----------
    *layers : Dense, Dropout or GaussianNoise
        At least one Dense; each takes as many columns as the one before gives.  Noise disturbs the inputs of the Dense
        that follows it.
    seed : int or None, default=None
        Of the first weights, >= 0 and below 2**64; None draws one.  The same seed gives the same weights everywhere.
    dtype : "float32" or "float64", default="float32"
        Of the parameters and of all arithmetic.

    Attributes
    ----------
    layers : tuple of Dense
        Those with parameters: `layers[0]` has "0.weight" and "0.bias", with noise before it or without.
    noises : tuple of Noise or None
        For each of them, what disturbs its inputs in training.
    passes : int
        Forward passes with noise done in loops of one's own.  The noise of the next is a function of `seed` and this
        number: set it to repeat or to resume one.
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
    noises: tuple[Noise | None, ...]
    passes: int
    n_in: int
    n_out: int
    size: int
    dtype: np.dtype[Any]
    seed: int
    head: OutputSpec

    def __init__(self, *layers: Dense | Noise, seed: int | None = None, dtype: DTypeLike = "float32") -> None:
        self._allocate(layers, seed, dtype)
        self.reset()

    def _allocate(self, stack: Sequence[Dense | Noise], seed: int | None, dtype: DTypeLike) -> None:
        """Everything but the values of theta."""
        layers, noises = split(stack)
        self.layers, self.noises, self.passes = layers, noises, 0
        self.n_in, self.n_out = layers[0].n_in, layers[-1].n_out
        self.size = sum(layer.size for layer in layers)
        self.dtype = _check_dtype(dtype)
        self.seed = random.new_seed() if seed is None else random.check_seed(seed)
        self.head = self._first_head()
        self._theta, self._grad = zeros(self.size, self.dtype), zeros(self.size, self.dtype)
        self._networks = Networks(layers, noises, self._theta, self._grad)

    def reset(self, seed: int | None = None) -> None:
        """Forget all training: the first weights again, or with `seed` other ones; biases 0, no classes."""
        if seed is not None:
            self.seed = random.check_seed(seed)
        self.passes = 0
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
        array = as_numeric(values, "theta")
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
        """The network as a loss or a head with this link sees it: see `fastgd.networks`."""
        return self._networks.of(link)

    def _first_head(self) -> OutputSpec:
        """Of a model without training: a softmax says by itself what the outputs mean."""
        return OutputSpec("softmax" if self.layers[-1].activation.rowwise else "identity")

    def predict(self, X: Any, out: Array | None = None) -> Array:
        """Predictions for the rows of X (rows, n_in).

        Parameters
        ----------
        X : array, nested list or frame, shape (rows, n_in)
            Numbers, all finite.
        out : ndarray (rows, n_out) of the model's dtype, default=None
            Gets the outputs, and is what is returned if they are the predictions: for loops that predict all the time.
            If it shares memory with X, X is copied.

        Returns
        -------
        ndarray
            Labels (rows,) of a trained classifier; yes (1) or no (0) in the shape of the targets after training with
            "bce" on numbers; otherwise outputs (rows, n_out), or (rows,) if the targets were one-dimensional.
        """
        answers = self.head.classes is not None or self.head.link == "sigmoid"
        return self.head.predict(self._outputs(X, self.head.link if answers else "identity", out))

    def predict_proba(self, X: Any, out: Array | None = None) -> Array:
        """Probabilities (rows, n_classes) in the order of `head.classes`; ValueError if this is no classifier.

        X and out as in `predict`.
        """
        return self.head.predict_proba(self._outputs(X, self.head.link, out))

    @property
    def stack(self) -> tuple[Dense | Noise, ...]:
        """All layers as they were given: `Sequential(*model.stack)` is a model of the same kind."""
        return stacked(self.layers, self.noises)

    def noise(self, seed: int, step: int, epoch_times: Floats, total: float = math.inf) -> NoiseSpec | None:
        """What engines are told about the noise of some steps, None if there is none; see `fastgd.noise.noise_spec`."""
        return noise_spec(self.noises, seed, step, epoch_times, total)

    def forward(self, X: Any, training: bool = False) -> Array:
        """Outputs Z (rows, n_out) for X (rows, n_in); the activations are kept for `backward`.

        Parameters
        ----------
        X : array (rows, n_in)
        training : bool, default=False
            Whether dropout and other noise take part, other numbers each time (see `passes`).  `backward` goes back
            through the same.  Such a loop has no epochs, so for a schedule t is `passes`.
        """
        X = finite_rows(X, self.n_in)
        Z = np.empty((len(X), self.n_out), self.dtype)
        noise = self.noise(self.seed, self.passes, np.array([float(self.passes)])) if training else None
        self.network.forward(X, Z, noise=noise)
        self.passes += bool(training)
        return Z

    def backward(self, dZ: Any, accumulate: bool = False) -> Array:
        """From dL/dZ (rows, n_out) of the last `forward`: fill `grad` with dL/dtheta, return dL/dX (rows, n_in).

        The gradient is summed over rows: for a mean loss, divide dZ by the number of rows.  With `accumulate` it is
        added to what `grad` holds: several passes, then one step, are one step on all their rows.
        RuntimeError if no `forward` went before.
        """
        dZ = np.ascontiguousarray(self._cast(as_rows(dZ, self.n_out, "dZ"), "dZ"))
        dX = np.empty((len(dZ), self.n_in), self.dtype)
        self.network.backward(dZ, dX, accumulate=accumulate)
        return dX

    def apply(
        self, optimizer: Optimizer, coefficients: NDArray[np.float64], state: Array, regime: Transforms | None
    ) -> None:
        """One step of the optimiser's rule with `grad`; what `optimizer.step(model)` calls after its checks."""
        self.network.update(optimizer, coefficients, state, regime)

    def plan(self, batch_size: int, n_threads: int | None = None) -> Plan:
        """What a training with steps of `batch_size` >= 1 rows would run: engine, tile, threads and why, memory, work.

        On `n_threads`, also more than there are here; None: as `fit` does.

        Examples
        --------
        >>> print(MLP(784, 128, 10).plan(batch_size=64))  # doctest: +SKIP
        engine     native (avx512), float32
        tile       14 rows x 32 columns
        threads    2 of 2: all; fewer while that is measured to be faster
        workspace  0.57 MiB for steps of 64 rows
        work       26.2 million operations a step
        """
        threads = 0 if n_threads is None else check_int("n_threads", n_threads)
        return self.network.plan(check_int("batch_size", batch_size), threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, parameters, dtype, seed and head to `path`, which ends in .npz or .safetensors.

        Arrays are stored under the names of `parameters`; an older file is replaced only by a whole new one.
        """
        from . import files  # zip and JSON would double the time of `import fastgd`

        files.write(path, self.to_config(), self.parameters())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Sequential":
        """The model that `save` wrote; ValueError for a file that is damaged or of another kind."""
        from . import files

        with files.reading(path) as file:
            return cls.from_config(file.words, file.arrays)

    def to_config(self) -> dict[str, Any]:
        """All but the parameters, as JSON says it."""
        return {
            "format": _FORMAT,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "layers": [layer_to_config(layer) for layer in self.stack],
            "head": self.head.to_config(),
        }

    @classmethod
    def from_config(cls, words: dict[str, Any], read: "Callable[[Expected], Mapping[str, Array]]") -> "Sequential":
        """The model of `to_config`; `read` gives the arrays whose names, shapes and dtypes it is asked for."""
        if words["format"] != _FORMAT:
            raise ValueError(f"its format is {words['format']!r}, not {_FORMAT!r} (gd.Trainer.load reads trainers)")
        model = cls.__new__(cls)
        stack = [layer_from_config(layer) for layer in words["layers"]]
        layers, dtype = split(stack)[0], _check_dtype(words["dtype"])
        arrays = read({name: (shape, dtype) for name, shape in shapes(layers).items()})
        for name in shapes(layers):
            check_finite(arrays[name], name)
        model._allocate(stack, words["seed"], dtype)
        model.head = OutputSpec.from_config(words["head"], model.n_out)
        for name, view in model.parameters().items():
            view[:] = arrays[name]
        return model

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stack", "seed", "dtype", "head", "theta", "passes")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Also of `copy.copy`: a copy has parameters of its own.  The gradient starts at 0."""
        self._allocate(state["stack"], state["seed"], state["dtype"])
        self.head, self.passes = state["head"], state["passes"]
        self._theta[:] = state["theta"]

    def summary(self) -> str:
        """A table of the layers and their numbers of parameters; a noise stands before the layer that it disturbs."""
        first = f"Sequential, {self.size:,} parameters, {self.dtype.name}"
        return "\n".join([first, *table(self.layers, self.noises)])

    __repr__ = summary

    def _outputs(self, X: Any, link: str, out: Array | None = None) -> Array:
        if out is not None and not isinstance(out, np.ndarray):
            raise TypeError(f"out must be an ndarray (rows, {self.n_out}) of {self.dtype}, not {type(out).__name__}")
        network = self.network_for(link)
        if type(X) is np.ndarray and X.ndim == 2 and len(X):
            Z = np.empty((len(X), self.n_out), self.dtype) if out is None else out
            try:
                network.predict(X, Z)
                return Z
            except (TypeError, ValueError):
                pass  # an engine does not read it as it is: the long way does, or says why not
        X = finite_rows(X, self.n_in)
        Z = np.empty((len(X), self.n_out), self.dtype) if out is None else out
        network.predict(X.copy() if np.may_share_memory(X, Z) else X, Z)
        return Z

    def _cast(self, array: Array, name: str) -> Array:
        """`array` in the model's dtype, all finite."""
        with np.errstate(over="ignore"):
            array = array.astype(self.dtype, copy=False)
        check_finite(array, name)
        return array


def _check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    checked = np.dtype(dtype)
    if checked not in _REALS:
        raise ValueError(f'dtype must be "float32" or "float64", not {dtype!r}')
    return checked
