"""Networks that are trained on tables, without scikit-learn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import metrics
from .._common.checks import check_choice, check_int, check_scalar, shown
from .._common.explain import explains_arguments
from .._common.random import check_seed
from .._common.typing import Array
from ..callbacks import Callback
from ..callbacks.history import History
from ..data.arrays import as_numeric, to_array
from ..data.labels import classes_from_config, classes_to_config, factorize, label_array
from ..models import Sequential
from ..models.files import Target as File
from ..schedules import Rate
from .encoder import TableEncoder
from .member import MemberFit
from .model_files import open_members, save_members
from .recipe import Recipe

TASKS = ("classification", "regression")


@explains_arguments
class TableModel:
    """One network or several, trained on a table as it is.

    The columns are encoded by a `TableEncoder`.  The network and its training follow RealMLP, a perceptron of three
    layers whose settings have been tuned on many tables: features with trained factors, numbers with periodic features,
    categories of many values as vectors.  The epoch that is best on held-out rows is kept.

    Parameters
    ----------
    task : {"classification", "regression"}
    hidden : int or sequence of int, default=None
        Widths of the hidden layers; None: three of 256.
    activation : str or Activation, default=None
        Of the hidden layers; None: "selu" for classes, "mish" for numbers.
    loss : str, Loss or callable, default=None
        None: cross-entropy with labels smoothed by 0.1 for classes, "mse" for numbers.
    lr : float > 0 or schedule, default=None
        Peak of the learning rate, which goes up and down in four cycles (`CosineLog`), or a schedule; None: 0.04 for
        classes, 0.07 for numbers.
    epochs : int >= 1, default=None
        None: 64, or 32 if there are fewer than 1024 training rows; of more than 65,536 rows fewer, but at
        least 16.
    batch_size : int >= 1, default=None
        None: 256, or up to 1024 for large tables.
    dropout : float in [0, 1) or schedule, default=None
        Probability that the output of a hidden unit is dropped in a step; None: 0.3, or 0.15 from 8192 training rows
        on.
    weight_decay : float >= 0 or schedule, default=0.0
        Decoupled decay of the weights.
    n_ensemble : int >= 1, default=1
        Number of networks, trained at the same time with different initial values and held-out rows; predictions and
        probabilities are their means.
    quantiles : float or sequence of float, each in (0, 1), default=None
        Of a regression: what `predict_quantiles` returns.  `predict` returns the median then.
    validation : float in (0, 1) or None, default=0.2
        Share of the rows to hold out for choosing the epoch; None: the last epoch is kept.
    patience : int >= 1 or None, default=None
        Number of epochs without improvement after which the training stops; None: never.
    metric : str, callable or Metric, default=None
        What is best on the held-out rows; None: the loss.
    class_weight : {label: weight >= 0}, "balanced" or None, default=None
    kinds, drop
        As in `TableEncoder`.
    max_one_hot : int >= 2, default=32
        Largest number of columns for a category; one with more values is embedded as trained vectors.
    seed : int in [0, 2**64), default=0
    n_threads : int >= 1 or None, default=None
        Maximum number of threads; the results do not depend on it.
    callbacks : iterable of Callback, default=()
        Called during the training of each network; the networks are then trained one after the other.

    Attributes
    ----------
    encoder : TableEncoder
    members : tuple of Sequential
        The networks.
    histories : tuple of History
        Loss and what was measured on the held-out rows, by epoch, for each network.
    classes : ndarray (n_classes,) or None
        The labels in the order of the columns of `predict_proba`.
    target_range : (ndarray, ndarray) or None
        Smallest and largest value of each target of a regression; predictions are not beyond.
    metadata : dict
        Whatever the user notes about the model, as JSON can hold it; `save` keeps it.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024.

    Examples
    --------
    >>> from fastgd.tables import TableModel
    >>> table = {"size": [1.0, None, 4.0, 4.5] * 20, "colour": ["red", "blue", "red", None] * 20}
    >>> model = TableModel("classification", hidden=16, epochs=20)
    >>> model = model.fit(table, ["small", "small", "large", "large"] * 20, verbose=0)
    >>> model.predict({"colour": ["blue", "green"], "size": [1.1, 4.8]})
    array(['small', 'large'], dtype='<U5')
    """

    def __init__(
        self,
        task: str,
        *,
        hidden: int | Sequence[int] | None = None,
        activation: Any = None,
        loss: Any = None,
        lr: Rate | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        dropout: Rate | None = None,
        weight_decay: Rate = 0.0,
        n_ensemble: int = 1,
        quantiles: float | Sequence[float] | None = None,
        validation: float | None = 0.2,
        patience: int | None = None,
        metric: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        kinds: Mapping[str, str] | None = None,
        drop: Collection[str] = (),
        max_one_hot: int = 32,
        seed: int = 0,
        n_threads: int | None = None,
        callbacks: Iterable[Callback] = (),
    ) -> None:
        self.task = check_choice("task", task, TASKS)
        self.recipe = Recipe(hidden, activation, loss, lr, epochs, batch_size, dropout, weight_decay)
        self.n_ensemble = check_int("n_ensemble", n_ensemble)
        self.quantiles = _check_quantiles(quantiles, self.is_classification, loss)
        self.validation = None if validation is None else check_scalar("validation", validation, "(0, 1)")
        self.patience = None if patience is None else check_int("patience", patience)
        self.metric = None if metric is None else metrics.get(metric)
        self.class_weight, self.seed, self.n_threads = class_weight, check_seed(seed), n_threads
        self.callbacks = list(callbacks)
        self.encoder = TableEncoder(kinds=kinds, drop=drop, max_one_hot=max_one_hot, embed=True)
        self.members: tuple[Sequential, ...] = ()
        self.histories: tuple[History, ...] = ()
        self.classes: Array | None = None
        self.target_range: tuple[Array, Array] | None = None
        self.metadata: dict[str, Any] = {}

    @property
    def is_classification(self) -> bool:
        """Whether the target is one of several classes."""
        return self.task == "classification"

    def fit(
        self, table: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None, verbose: int = 1
    ) -> TableModel:
        """Train from the beginning.

        Parameters
        ----------
        table : frame, mapping, array or path
            See `TableEncoder`; without the target, or with it among those of `drop`.
        y : array-like (rows,), or (rows, targets) of a regression
        sample_weight : array-like (rows,), default=None
            Weights >= 0 of the rows.
        eval_set : (table, y) or (table, y, sample_weight), default=None
            Rows that choose the epoch; none of the training rows are held out then.
        verbose : int, default=1
            0 prints nothing.

        Returns
        -------
        TableModel
            Itself.
        """
        encoder = TableEncoder.from_config(self.encoder.to_config())
        X = encoder.fit_transform(table, y)
        Y, classes = self._read_target(y)
        held_out = _read_eval_set(eval_set, encoder)
        weights = {"sample_weight": sample_weight, "class_weight": self.class_weight}
        options: dict[str, Any] = {**weights, "verbose": verbose}
        member = MemberFit(self.recipe, encoder, self._levels(), self.metric, self.patience, self.n_threads)
        seeds = [(self.seed + i) % 2**64 for i in range(self.n_ensemble)]
        validation = self.validation if held_out is None else held_out
        if self.n_ensemble > 1 and not self.callbacks:
            trained = member.fit_all(X, Y, classes, validation, seeds, **options)
        else:  # callbacks may not be called for two networks at a time
            options["callbacks"] = self.callbacks
            trained = [member.fit(X, Y, classes, validation, seed, **options) for seed in seeds]
        self.encoder, self.classes = encoder, classes
        self.members = tuple(trainer.model for trainer in trained)
        self.histories = tuple(trainer.history for trainer in trained)
        self.target_range = None if self.is_classification else (Y.min(axis=0), Y.max(axis=0))
        return self

    def predict(self, table: Any) -> Array:
        """The most probable label of each row, (rows,), or its targets, (rows,) or (rows, targets)."""
        if self.is_classification:
            P = self.predict_proba(table)
            assert self.classes is not None
            labels: Array = self.classes[P.argmax(axis=1)]
            return labels
        levels = self._levels()
        if levels is not None:
            return self._predict_levels(table)[..., levels.index(0.5)]
        self._check_fitted()
        assert self.target_range is not None
        return np.clip(self._mean(table), *self.target_range)

    def predict_proba(self, table: Any) -> Array:
        """The probability of each class, (rows, classes) in the order of `classes`."""
        if not self.is_classification:
            raise ValueError('a regression has no probabilities: TableModel("classification", ...) has')
        X = self._encode(table)
        probabilities = [member.predict_proba(X, n_threads=self.n_threads) for member in self.members]
        return np.asarray(np.mean(probabilities, axis=0, dtype=np.float64))

    def predict_quantiles(self, table: Any) -> Array:
        """The quantiles of the targets, (rows, quantiles) or (rows, targets, quantiles), in the order of `quantiles`.

        They do not cross: those of a row are sorted.
        """
        levels = self._levels()
        if self.quantiles is None or levels is None:
            raise ValueError('quantiles must be chosen first: TableModel("regression", quantiles=(0.05, 0.95))')
        self._check_fitted()
        return self._predict_levels(table)[..., [levels.index(level) for level in self.quantiles]]

    def save(self, path: File, format: str | None = None) -> None:
        """Write encoder and networks to `path`, which ends in .npz or .safetensors; nothing in it could be executed.

        The settings of the training are not kept.
        """
        self._check_fitted()
        ranges = self.target_range
        config = {
            "task": self.task,
            "quantiles": None if self.quantiles is None else list(self.quantiles),
            "classes": None if self.classes is None else classes_to_config(self.classes),
            "target_range": None if ranges is None else [bound.tolist() for bound in ranges],
            "encoder": self.encoder.to_config(),
            "metadata": self.metadata,
        }
        save_members(path, config, self.members, format)

    @classmethod
    def load(cls, path: File) -> TableModel:
        """Load a model that `save` wrote; ValueError if the file is damaged or of another kind."""
        with open_members(path) as (config, members):
            model = cls(config["task"], quantiles=config["quantiles"], n_ensemble=len(members))
            model.encoder = TableEncoder.from_config(config["encoder"])
            if config["classes"] is not None:
                model.classes = classes_from_config(config["classes"])
            if config["target_range"] is not None:
                low, high = (np.array(bound, np.float64) for bound in config["target_range"])
                model.target_range = low, high
            model.members, model.metadata = members, dict(config.get("metadata", {}))
        return model

    def _read_target(self, y: Any) -> tuple[Array, Array | None]:
        array = to_array(y, "y")
        if self.is_classification:
            if array.ndim == 2 and array.shape[1] == 1:
                array = array[:, 0]
            if array.ndim != 1:
                raise ValueError(f"y must have one label per row, not the shape {array.shape}")
            if array.dtype == object:
                array = label_array(array.tolist())
            return array, factorize(array, "y")[0]
        if array.ndim not in (1, 2):
            raise ValueError(f"y must have the shape (rows,) or (rows, targets), not {array.shape}")
        return as_numeric(array, "y").astype(np.float64), None

    def _encode(self, table: Any) -> Array:
        self._check_fitted()
        return self.encoder.transform(table)

    def _predict_levels(self, table: Any) -> Array:
        """All quantiles that were trained, (rows, levels) or (rows, targets, levels), sorted."""
        assert self.target_range is not None
        low, high = self.target_range
        values = self._mean(table)
        values = np.sort(values.reshape(len(values), *low.shape, -1), axis=-1)
        return np.clip(values, low[..., None], high[..., None])

    def _mean(self, table: Any) -> Array:
        """The mean of what the networks predict, (rows, outputs) or (rows,)."""
        X = self._encode(table)
        predicted = [member.predict(X, n_threads=self.n_threads) for member in self.members]
        return np.asarray(np.mean(predicted, axis=0, dtype=np.float64))

    def _levels(self) -> list[float] | None:
        """The quantiles that are trained: those that were asked for, and the median, in order."""
        return None if self.quantiles is None else sorted({*self.quantiles, 0.5})

    def _check_fitted(self) -> None:
        if not self.members:
            raise RuntimeError("the model must be trained first: model.fit(table, y)")


def _check_quantiles(quantiles: Any, is_classification: bool, loss: Any) -> tuple[float, ...] | None:
    if quantiles is None:
        return None
    if is_classification:
        raise ValueError("quantiles are for a regression; a classification has predict_proba")
    if loss is not None:
        raise ValueError("quantiles have a loss of their own: leave out loss or quantiles")
    given = [quantiles] if isinstance(quantiles, (int, float)) else list(quantiles)
    return tuple(check_scalar(f"quantiles[{i}]", quantile, "(0, 1)") for i, quantile in enumerate(given))


def _read_eval_set(eval_set: Any, encoder: TableEncoder) -> tuple[Any, ...] | None:
    if eval_set is None:
        return None
    if not isinstance(eval_set, (tuple, list)) or len(eval_set) not in (2, 3):
        raise TypeError(f"eval_set must be (table, y) or (table, y, sample_weight), not {shown(eval_set)}")
    return encoder.transform(eval_set[0]), *eval_set[1:]
