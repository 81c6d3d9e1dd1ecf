"""Estimators that take tables as they are: numbers, text, dates and gaps, from a frame, an array or a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from .._common.typing import Array
from .tabular_base import BaseTabular


class TabularClassifier(ClassifierMixin, BaseTabular):  # type: ignore[misc]
    """Predicts classes from a table as it is, by networks with the settings of RealMLP.

    Nothing has to be encoded, scaled, filled in or tuned before: `fit` finds out which columns are numbers, categories,
    booleans and dates, and holds out rows to choose the best epoch.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int >= 1, default=None
        Number of units of each hidden layer; None: three of 256.
    activation : str or Activation, default=None
        Of the hidden layers; None: "selu".
    loss : str or Loss, default=None
        None: cross-entropy with labels smoothed by 0.1; others are "cross_entropy" and "focal", or their objects.
    learning_rate : float > 0 or schedule, default=None
        Peak of the learning rate, which goes up and down in four cycles, or a schedule; None: 0.04.
    max_iter : int >= 1, default=None
        Number of epochs; None: 64, or 32 if there are fewer than 1024 training rows; of more than 65,536 rows fewer,
        but at least 16.
    batch_size : int >= 1, default=None
        Rows of a step; None: 256, or up to 1024 for large tables.
    dropout : float in [0, 1) or schedule, default=None
        Probability that the output of a hidden unit is dropped in a training step; None: 0.3, or 0.15 from 8192
        training rows on.
    weight_decay : float >= 0 or schedule, default=0.0
        Decoupled decay of the weights.
    n_ensemble : int >= 1, default=1
        Number of networks, each with other initial values and held-out rows, whose probabilities are averaged.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class; it multiplies `sample_weight`.
    validation_fraction : float in (0, 1) or None, default=0.2
        Share of the rows to hold out for the choice of the epoch; None: the last one is kept.
    n_iter_no_change : int >= 1 or None, default=None
        Number of epochs without improvement after which the training stops; None: never.
    scoring : str, callable or Metric, default=None
        What the best epoch is best at; None: the loss.
    kinds : dict of str to str, default=None
        Kinds of columns, instead of a guess: "number", "category", "boolean", "date", "text", "identifier".
    drop : list of str, default=None
        Columns to leave out.
    max_one_hot : int >= 2, default=32
        Largest number of columns for a category; one with more values is embedded as trained vectors.
    callbacks : sequence of fastgd.Callback or None, default=None
        Called during the training of each network.
    random_state : int, RandomState or None, default=None
        Determines initial values, held-out rows, order of the rows and dropout.
    verbose : bool or int >= 0, default=False
        Whether to print the progress.
    n_threads : int >= 1 or None, default=None
        Maximum number of threads; None leaves it to the engine.  The results do not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    model_ : fastgd.tables.TableModel
        Encoder and networks; `model_.save(path)` writes them to a file, which needs neither pickle nor scikit-learn.
    findings_ : tuple of Finding
        Columns that were left out, and other notable ones: identifiers, constants, duplicates, leaks.
    history_, histories_ : History, tuple of History
        What was measured in each epoch: of the first network, and of all.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if they have some.

    See Also
    --------
    fastgd.tables.TableModel : The same without scikit-learn.
    MLPClassifier : A fully configurable perceptron, for numbers.

    References
    ----------
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024.

    Examples
    --------
    >>> from fastgd.sklearn import TabularClassifier
    >>> table = {"size": [1.0, None, 4.0, 4.5] * 20, "colour": ["red", "blue", "red", None] * 20}
    >>> classifier = TabularClassifier(max_iter=20, random_state=0)
    >>> classifier.fit(table, ["small", "small", "large", "large"] * 20).predict({"size": [1.5], "colour": ["blue"]})
    array(['small'], dtype='<U5')
    """

    _task = "classification"

    def __init__(
        self,
        hidden_layer_sizes: Any = None,
        *,
        activation: Any = None,
        loss: Any = None,
        learning_rate: Any = None,
        max_iter: int | None = None,
        batch_size: int | None = None,
        dropout: Any = None,
        weight_decay: Any = 0.0,
        n_ensemble: int = 1,
        class_weight: Any = None,
        validation_fraction: float | None = 0.2,
        n_iter_no_change: int | None = None,
        scoring: Any = None,
        kinds: Any = None,
        drop: Any = None,
        max_one_hot: int = 32,
        callbacks: Any = None,
        random_state: Any = None,
        verbose: bool | int = False,
        n_threads: int | None = None,
    ) -> None:
        self._store(locals())

    @property
    def classes_(self) -> Array:
        """The labels, sorted."""
        if not hasattr(self, "model_") or self.model_.classes is None:
            raise AttributeError("the classes are known after fit")
        return self.model_.classes

    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each label.

        Parameters
        ----------
        X : table as in `predict`

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1.
        """
        rows = self._read_rows(X)
        return self.model_.predict_proba(rows)

    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of the probability of each label; arguments and shape as in `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _check_targets(self, y: Any) -> Array:
        labels: Array = column_or_1d(np.asarray(y), warn=True)
        check_classification_targets(labels)
        return labels


def _has_quantiles(estimator: Any) -> bool:
    return estimator.quantiles is not None


class TabularRegressor(RegressorMixin, BaseTabular):  # type: ignore[misc]
    """Predicts real numbers from a table as it is, by networks with the settings of RealMLP.

    Targets are scaled, and predictions are within their range.

    Parameters
    ----------
    hidden_layer_sizes, max_iter, batch_size, dropout, weight_decay, validation_fraction, n_iter_no_change
        As in `TabularClassifier`.
    kinds, drop, max_one_hot, callbacks, random_state, verbose, n_threads
        As in `TabularClassifier`.
    activation : str or Activation, default=None
        Of the hidden layers; None: "mish".
    loss : str, Loss or callable, default=None
        None: "mse"; others are losses of fastgd, such as "mae", "poisson" or `gd.Huber(delta=2)`.
    learning_rate : float > 0 or schedule, default=None
        As in `TabularClassifier`; None: 0.07.
    n_ensemble : int >= 1, default=1
        Number of networks, each with other initial values and held-out rows, whose predictions are averaged.
    quantiles : float or sequence of float, each in (0, 1), default=None
        What `predict_quantiles` returns; `predict` returns the median then.
    scoring : str, callable or Metric, default=None
        What the best epoch is best at; None: the loss.

    Attributes
    ----------
    model_, findings_, history_, histories_, n_iter_, n_features_in_, feature_names_in_
        As in `TabularClassifier`.

    See Also
    --------
    fastgd.tables.TableModel : The same without scikit-learn.
    MLPRegressor : A fully configurable perceptron, for numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.sklearn import TabularRegressor
    >>> x = np.linspace(0, 6, 300)
    >>> regressor = TabularRegressor(quantiles=(0.05, 0.95), max_iter=30, random_state=0)
    >>> regressor.fit({"x": x}, np.sin(x)).score({"x": x}, np.sin(x)) > 0.9
    True
    >>> regressor.predict_quantiles({"x": [1.0, 2.0]}).shape
    (2, 2)
    """

    _task = "regression"

    def __init__(
        self,
        hidden_layer_sizes: Any = None,
        *,
        activation: Any = None,
        loss: Any = None,
        learning_rate: Any = None,
        max_iter: int | None = None,
        batch_size: int | None = None,
        dropout: Any = None,
        weight_decay: Any = 0.0,
        n_ensemble: int = 1,
        quantiles: Any = None,
        validation_fraction: float | None = 0.2,
        n_iter_no_change: int | None = None,
        scoring: Any = None,
        kinds: Any = None,
        drop: Any = None,
        max_one_hot: int = 32,
        callbacks: Any = None,
        random_state: Any = None,
        verbose: bool | int = False,
        n_threads: int | None = None,
    ) -> None:
        self._store(locals())

    @available_if(_has_quantiles)
    def predict_quantiles(self, X: Any) -> Array:
        """Predict the quantiles of the targets of each row.

        Parameters
        ----------
        X : table as in `predict`

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles)
            In the order of `quantiles`; those of a row do not cross.
        """
        rows = self._read_rows(X)
        return self.model_.predict_quantiles(rows)

    def _check_targets(self, y: Any) -> Array:
        values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        targets: Array = column_or_1d(values, warn=True) if values.ndim == 2 and values.shape[1] == 1 else values
        return targets

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # before scikit-learn 1.6
        return super()._more_tags() | {"multioutput": True}
