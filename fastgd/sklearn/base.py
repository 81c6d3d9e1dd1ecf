"""The base class of all estimators: a thin layer over `Sequential` and `Trainer`.

scikit-learn checks X and y, draws the initial values and splits off the validation rows, so that these are the same
for the same `random_state`; everything else is done by fastgd.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._common.checks import shown
from .._common.typing import Array, Floats
from ..data.sample_weights import row_weights
from ..models import Sequential
from ..models.predictions import network_outputs
from ..schedules.base import is_scheduled
from . import networks
from .batches import Rows, fit_batches
from .callbacks import fit_tasks
from .compat import CallbackSupportMixin, validate_data, with_callbacks
from .full_batch import fit_full_batch
from .objectives import OUT_ACTIVATIONS, Objective
from .parameters import check_parameters
from .solvers import is_stochastic

_FLOATS = (np.float64, np.float32)
_NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


class BaseNetwork(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]
    """What classifiers and regressors share; subclasses say what targets mean."""

    network_: Sequential
    coefs_: list[Array]
    intercepts_: list[Array]
    _is_classifier: bool
    _lbfgs_options: ClassVar[dict[str, float]] = {}

    def _store(self, parameters: dict[str, Any]) -> None:
        """Set the parameters, given as `locals()` of the constructor, without looking at them."""
        for name in self._get_param_names():
            setattr(self, name, parameters[name])

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Float32 values are kept, and the network computes in float32; all others become float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, or real numbers; label indicators for several labels per row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, 0 or more.
        eval_set : (X, y) or (X, y, sample_weight), default=None
            Rows that are measured after each epoch: see `history_`. With early_stopping=True they decide, and no
            training rows are held out.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, eval_set)

    def _fit(self, X: Any, y: Any, sample_weight: Any, eval_set: Any, incremental: bool = False) -> Any:
        check_parameters(self)
        self._check_combinations(eval_set, incremental)
        continues = hasattr(self, "coefs_") and (self.warm_start or incremental)
        X, y = self._check_data(X, y, reset=not continues)
        self._read_targets(y, continues, incremental)
        weight = self._row_weights(y, sample_weight)
        objective = self._make_objective(y, weight)
        random_state = check_random_state(self.random_state)
        self._prepare_network(X, objective, random_state, continues)
        held_out = self._check_eval_set(eval_set)
        tasks = None if incremental else fit_tasks(self, self.max_iter, X, y, sample_weight)
        try:
            if is_stochastic(self):
                fit_batches(self, Rows(X, y, weight, held_out), objective, random_state, incremental, tasks)
            else:
                fit_full_batch(self, X, self._encode(y), weight, objective, tasks)
        except FloatingPointError as error:
            raise ValueError(f"{_NOT_FINITE} ({error})") from error
        if tasks is not None:
            tasks.end(self.network_)
        return self

    # What subclasses say.

    def _read_targets(self, y: Array, continues: bool, incremental: bool) -> None:
        """Set the attributes that describe y, or check that y fits those of an earlier fit."""

    def _make_objective(self, y: Array, weight: Floats | None) -> Objective:
        raise NotImplementedError

    def _encode(self, y: Array) -> Array:
        """Targets as the trainer takes them."""
        return y

    def _known_classes(self) -> Array | None:
        """The labels of the classes, if the trainer is to know them."""
        return None

    def _class_weights(self, y: Array) -> Floats | None:
        """The weight of the class of each row, (n,); None: all are 1."""
        return None

    def _default_score(self, objective: Objective) -> str | None:
        """The metric of `score`; None if the loss has none."""
        return objective.loss.metric

    @property
    def _precision(self) -> str:
        """That of the training; linear models have no such parameter."""
        precision: str = getattr(self, "precision", "f32")
        return precision

    def _hidden_widths(self) -> list[int]:
        return networks.hidden_widths(self.hidden_layer_sizes)

    def _new_network(self, widths: list[int], dtype: Any, random_state: Any) -> Sequential:
        """A network with its initial values."""
        hidden = networks.hidden_activations(self.activation, len(widths) - 2)
        network = networks.build(widths, hidden, self.dropout, dtype, seed=0)
        networks.draw(network, random_state)
        return network

    # Checks.

    def _check_combinations(self, eval_set: Any, incremental: bool) -> None:
        """Raise ValueError for settings that the solver cannot have."""
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if is_stochastic(self):
            return
        for name, value in {"callbacks": self.callbacks, "eval_set": eval_set}.items():
            if value is not None:
                raise ValueError(f"solver='lbfgs' has no epochs, so {name} needs another solver, such as 'adam'")
        if is_scheduled(self.learning_rate):
            raise ValueError(f"solver='lbfgs' has no learning rate: {shown(self.learning_rate)} needs another solver")
        if self._precision != "f32":
            raise ValueError(
                f"solver='lbfgs' needs exact gradients: precision={self._precision!r} needs another solver"
            )

    def _check_data(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:
        """X (n, n_features) float64 or float32, and y (n,) or (n, outputs)."""
        dtype = _FLOATS if self._precision == "f32" else np.float32
        checks = {"multi_output": True, "y_numeric": not self._is_classifier, "dtype": dtype, "reset": reset}
        X, y = validate_data(self, X, y, **checks)
        return X, _as_targets(y)

    def _check_eval_set(self, eval_set: Any) -> tuple[Any, ...] | None:
        """The validation rows as the trainer takes them: X, encoded y, and their weights if there are any."""
        if eval_set is None:
            return None
        if not isinstance(eval_set, (tuple, list)) or len(eval_set) not in (2, 3):
            raise TypeError(f"eval_set must be (X, y) or (X, y, sample_weight), not {shown(eval_set)}")
        X, y, *weight = eval_set
        return validate_data(self, X, reset=False, dtype=_FLOATS), self._encode(_as_targets(y)), *weight

    def _row_weights(self, y: Array, sample_weight: Any) -> Floats | None:
        """The weights of rows times those of their classes, (n,)."""
        weight = None if sample_weight is None else row_weights(sample_weight, len(y))
        of_classes = self._class_weights(y)
        if weight is None or of_classes is None:
            return of_classes if weight is None else weight
        product: Floats = weight * of_classes
        return product

    # The network and its parameters.

    def _prepare_network(self, X: Array, objective: Objective, random_state: Any, continues: bool) -> None:
        """Make `network_` and the attributes that describe it, unless the fit continues an earlier one."""
        widths = [X.shape[1], *self._hidden_widths(), objective.n_outputs]
        if not continues or not hasattr(self, "network_"):
            given = (self.coefs_, self.intercepts_) if continues else None  # set by hand, before any fit
            self._trainer = None
            self._adopt(self._new_network(widths, X.dtype, random_state))
            if given is not None:
                self.coefs_, self.intercepts_ = given
            else:
                self.n_iter_ = self.t_ = 0
                self.__dict__.pop("loss_curve_", None)
        self._sync()
        held = [self.network_.n_in, *(layer.n_out for layer in self.network_.layers)]
        if held != widths:
            raise ValueError(f"a network of the widths {held} cannot be trained further with those of {widths}")
        self.n_outputs_, self.n_layers_ = objective.n_outputs, len(widths)
        self.out_activation_ = OUT_ACTIVATIONS[objective.loss.link]

    def _adopt(self, network: Sequential) -> None:
        """Make a network that of the estimator: `coefs_` and `intercepts_` are views of its parameters."""
        pairs = networks.parameters_of(network)
        self.network_, self.coefs_, self.intercepts_ = network, [W for W, _ in pairs], [b for _, b in pairs]
        self._views = [*self.coefs_, *self.intercepts_]

    def _sync(self) -> None:
        """Copy arrays that replace those in `coefs_` and `intercepts_` into the network."""
        for view, given in zip(self._views, [*self.coefs_, *self.intercepts_], strict=True):
            if given is not view:
                view[...] = given

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_views"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:  # a copy of a view is no view
            coefs, intercepts = self.coefs_, self.intercepts_
            self._adopt(self.network_)
            views = self.coefs_, self.intercepts_
            self.coefs_, self.intercepts_ = coefs, intercepts
            self._sync()
            self.coefs_, self.intercepts_ = views

    # Predictions.

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def _check_rows(self, X: Any) -> Array:
        """Rows to predict, checked like those of `fit`."""
        check_is_fitted(self)
        self._sync()
        rows: Array = validate_data(self, X, reset=False)
        return rows

    def _outputs(self, X: Any) -> Array:
        """Outputs of the network, (n, n_outputs), before the function that makes them predictions."""
        X = self._check_rows(X)
        return network_outputs(self.network_, X, self.network_.head.link, n_threads=self.n_threads)


def _as_targets(y: Any) -> Array:
    """Targets as an array, one column as a vector, with a warning."""
    y = np.asarray(y.toarray() if hasattr(y, "toarray") else y)  # label indicators may be sparse
    targets: Array = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
    return targets


# Decorator of methods that need a solver that sees a batch at a time.
if_stochastic = available_if(is_stochastic)
