"""The sequential model: layers, one flat vector of parameters, and the methods that users call.

`theta` holds the parameters layer by layer, those of a dense one as W (n_in, n_out) row-major, then b (n_out,).  The
gradient and every slot of an optimizer have the same layout.  An engine does the arithmetic; this file handles shapes,
views and names.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, DTypeLike

from .._common import random
from .._common.checks import check_int
from .._common.explain import ExplainsAttributes
from .._common.typing import Array
from ..data.arrays import as_numeric, check_finite, check_model_dtype
from ..data.inputs import InputSpec
from ..data.outputs import OutputSpec
from ..engine.contract import Executor
from ..engine.plan import Plan
from ..layers.stack import (
    AnyLayer,
    layer_from_config,
    layer_to_config,
    shapes,
    split,
    stacked,
    table,
    views,
)
from .derivatives import Derivatives
from .freezing import Freezing
from .predictions import network_outputs
from .pruning import Pruning, mask_from_config, mask_to_config

if TYPE_CHECKING:
    from .files import ArraySpecs, Target

# Models with scaling, and those with input layers, have formats of their own: releases that know neither refuse them.
_FORMAT, _FORMAT_SCALED, _FORMAT_INPUTS = "fastgd model 1", "fastgd model 2", "fastgd model 3"
_OLD_INPUTS = {"names": None, "scaling": None, "fitted": True}  # older files have none


class Sequential(Derivatives, Freezing, Pruning, ExplainsAttributes):
    """A stack of dense layers, some with noise on their inputs during training, and of input layers before them.

    Parameters
    ----------
    *layers : Dense, Dropout, GaussianNoise, GradientReversal, Embedding, PeriodicEmbedding or Scale
        At least one Dense; the widths of consecutive layers must match.  The next three act in training, on the inputs
        of the Dense that follows them.  The last three are input layers, which come before the first Dense.
    seed : int in [0, 2**64) or None, default=None
        Seed of the initial weights and biases; None draws one.  The same seed gives the same weights on every machine.
    dtype : {"float32", "float64"}, default="float32"
        The dtype of the parameters and of all arithmetic.

    Attributes
    ----------
    layers : tuple of Dense and input layers
        The layers with parameters, which have the number of their layer in their names: if `layers[0]` is a Dense, it
        has "0.weight" and "0.bias", whether noise precedes it or not.
    dense_layers : tuple of Dense
        The dense ones.
    noises : tuple of Noise or None
        For each of these layers, the noise on its inputs in training.
    passes : int
        Number of calls `forward(X, training=True)`.  The noise of the next one is a function of `seed` and this number:
        set it to repeat or to resume a custom training loop.
    n_in, n_out, size : int
        Number of inputs, outputs and parameters.
    dtype : numpy.dtype
    seed : int
    inputs : InputSpec
        Names and scaling of the columns of X; set by the trainer, as `head` is.
    head : OutputSpec
        How outputs become predictions; set by the trainer.
    frozen : tuple of str
        Patterns of the names of parameters that training does not change; see `freeze`.
    mask : ndarray (size,) or None
        Which elements of theta stay 0; see `prune`.
    identity : ModelIdentity
        By which an optimizer recognizes its model: another one in each copy.

    Examples
    --------
    >>> import fastgd as gd
    >>> model = gd.Sequential(gd.Dense(2, 3, "relu"), gd.Dense(3, 1), seed=0)
    >>> model.predict([[1.0, 2.0]]).shape
    (1, 1)
    """

    def __init__(self, *layers: AnyLayer, seed: int | None = None, dtype: DTypeLike = "float32") -> None:
        self._allocate(layers, seed, dtype)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Undo all training: initial parameters, or those of another `seed`; no classes, column names or scaling."""
        if seed is not None:
            self.seed = random.check_seed(seed)
        self.passes = 0
        self.inputs, self.head = self._initial_inputs(), self._initial_head()
        self._theta.fill(0)
        parameters = self.parameters()
        for index, layer in enumerate(self.layers):
            for name, values in layer.initial_values(self.seed, index).items():
                parameters[f"{index}.{name}"][:] = values

    @property
    def theta(self) -> Array:
        """All parameters (size,), by reference; assignment copies the values, which must be finite, into it."""
        return self._theta

    @theta.setter
    def theta(self, values: ArrayLike) -> None:
        array = as_numeric(values, "theta")
        if array.shape != self._theta.shape:
            raise ValueError(f"theta must have shape {self._theta.shape}, not {array.shape}")
        array = self._cast(array, "theta")
        self._theta[:] = array if self.mask is None else array * self.mask

    @property
    def grad(self) -> Array:
        """The gradient (size,) of the last `backward`, by reference, laid out as theta; assignment copies into it."""
        return self._grad

    @grad.setter
    def grad(self, values: ArrayLike) -> None:
        array = as_numeric(values, "grad")
        if array.shape != self._grad.shape:
            raise ValueError(f"grad must have shape {self._grad.shape}, not {array.shape}")
        self._grad[:] = array

    def parameters(self) -> dict[str, Array]:
        """Writable views of theta by name: "0.weight" (n_in, n_out), "0.bias" (n_out,), "1.weight" ..."""
        return views(self.layers, self._theta)

    def gradients(self) -> dict[str, Array]:
        """Views of grad under the names of `parameters`."""
        return views(self.layers, self._grad)

    def network_for(self, link: str, precision: str = "f32") -> Executor:
        """The network for a loss with this link; ValueError if it does not fit the last activation, or the dtype."""
        return self._executors.get(link, precision)

    @property
    def feature_names_in_(self) -> Array | None:
        """Names of the columns (n_in,) of the frame that the model was trained on; None if they had none."""
        return self.inputs.names

    def predict(self, X: Any, out: Array | None = None, n_threads: int | None = None, precision: str = "f32") -> Array:
        """Predict the rows of X.

        Parameters
        ----------
        X : array, nested list or data frame, shape (rows, n_in)
            Finite numbers.  The columns of a frame are taken by name if the model was trained on a frame.
        out : ndarray (rows, n_out) of the model's dtype, default=None
            Receives the outputs, and is returned if they are the predictions: it saves an allocation in loops.  If it
            shares memory with X, X is copied; it must share none with theta.
        n_threads : int >= 1 or None, default=None
            Maximum number of threads; None leaves it to the engine, which then divides only the rows.  Threads that are
            asked for share even a single row of a large network.  The results do not depend on it.
        precision : {"f32", "bf16"}, default="f32"
            As in `Trainer`; a model can predict in either, however it was trained.

        Returns
        -------
        ndarray
            Labels (rows,) of a trained classifier; 0 or 1 in the shape of the targets after training with "bce" on
            numbers; otherwise outputs (rows, n_out), or (rows,) if the targets were one-dimensional.

        Raises
        ------
        TypeError, ValueError
            An argument is invalid, or X lacks a column of the training.
        FloatingPointError
            An output overflows the model's dtype.
        """
        head = self.head
        Z = network_outputs(self, X, head.link_of_labels, out, n_threads, precision)
        return Z if head.predicts_outputs else head.predict(Z)

    def predict_proba(
        self, X: Any, out: Array | None = None, n_threads: int | None = None, precision: str = "f32"
    ) -> Array:
        """Probabilities (rows, n_classes) in the order of `head.classes`; arguments and errors as in `predict`.

        ValueError if the model is not a classifier.
        """
        return self.head.predict_proba(network_outputs(self, X, self.head.link, out, n_threads, precision))

    def fold_standardization(self) -> "Sequential":
        """An equal model, in float64, without scaling: its theta includes mean and std of X and y."""
        from .folding import fold

        return fold(self)  # type: ignore[no-any-return]

    @property
    def stack(self) -> tuple[AnyLayer, ...]:
        """All layers as passed to the constructor: `Sequential(*model.stack)` has the same architecture."""
        return stacked(self.layers, self.noises)

    def plan(self, batch_size: int, n_threads: int | None = None, precision: str = "f32") -> Plan:
        """How `fit` would run steps of `batch_size` >= 1 rows: engine, tile, threads and why, memory, work.

        `n_threads` may exceed the number of this machine's cores; None: as many as `fit` would use.  `precision` is
        that of the trainer; the plan says whether the other one would be faster.

        Examples
        --------
        >>> print(gd.MLP(784, 128, 10).plan(batch_size=64))  # doctest: +SKIP
        engine     native (avx512), float32
        tile       14 rows x 32 columns
        threads    2 of 2: all; fewer while that proves faster
        workspace  0.57 MiB for steps of 64 rows
        work       26.2 million operations per step
        """
        threads = 0 if n_threads is None else check_int("n_threads", n_threads)
        return self.network_for("identity", precision).plan(check_int("batch_size", batch_size), threads)

    def save(self, path: "Target", format: str | None = None) -> None:
        """Write layers, parameters, dtype, seed and head to `path`, which ends in .npz or .safetensors.

        Arrays are stored under the names of `parameters`; an older file is replaced only once the new one is complete.
        `path` may be a binary file object too, written in `format`: "npz" (the default) or "safetensors".  TypeError
        if noise depends on custom code.
        """
        from . import files  # zip and JSON would double the time of `import fastgd`

        files.save_arrays(path, self.to_config(), self.parameters(), format)

    @classmethod
    def load(cls, path: "Target") -> "Sequential":
        """Load a model that `save` wrote, from a path or a binary file object.

        Raises
        ------
        ValueError
            The file is damaged or of another kind.
        """
        from . import files

        with files.open_arrays(path) as file:
            return cls.from_config(file.config, file.arrays)

    def to_config(self) -> dict[str, Any]:
        """Everything but the parameters, JSON-serializable."""
        is_scaled, has_inputs = self.inputs.scaling or self.head.scaling, len(self.dense_layers) < len(self.layers)
        return {
            "format": _FORMAT_INPUTS if has_inputs else _FORMAT_SCALED if is_scaled else _FORMAT,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "layers": [layer_to_config(layer) for layer in self.stack],
            "inputs": self.inputs.to_config(),
            "head": self.head.to_config(),
            **({"frozen": list(self.frozen)} if self.frozen else {}),
            **({"mask": mask_to_config(self.mask)} if self.mask is not None else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], read: "Callable[[ArraySpecs], Mapping[str, Array]]") -> "Sequential":
        """Rebuild the model of `to_config`; `read` returns the arrays with given names, shapes and dtypes."""
        if config["format"] not in (_FORMAT, _FORMAT_SCALED, _FORMAT_INPUTS):
            others = "gd.Trainer.load reads trainers, gd.tables.TableModel.load models of tables"
            raise ValueError(f"its format is {config['format']!r}, not {_FORMAT!r} ({others})")
        model = cls.__new__(cls)
        stack = [layer_from_config(layer) for layer in config["layers"]]
        layers, dtype = split(stack)[0], check_model_dtype(config["dtype"])
        arrays = read({name: (shape, dtype) for name, shape in shapes(layers).items()})
        for name in shapes(layers):
            check_finite(arrays[name], name)
        model._allocate(stack, config["seed"], dtype)
        inputs = InputSpec.from_config(config.get("inputs", _OLD_INPUTS), model.n_in)
        model.inputs = replace(inputs, codes=model.inputs.codes)
        model.head = OutputSpec.from_config(config["head"], model.n_out)
        for name, view in model.parameters().items():
            view[:] = arrays[name]
        if config.get("frozen"):
            model.freeze(*config["frozen"])
        if config.get("mask"):
            model.mask = mask_from_config(config["mask"], model.size)
        return model

    def summary(self) -> str:
        """A table of the layers and their numbers of parameters; noise precedes the layer that it acts on."""
        title = f"Sequential, {self.size:,} parameters, {self.dtype.name}"
        return "\n".join([title, *table(self.layers, self.noises)])

    __repr__ = summary
