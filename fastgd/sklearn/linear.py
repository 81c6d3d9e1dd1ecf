"""Linear models: networks without hidden layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._common.typing import Array
from ..models import Sequential
from . import networks
from .base import BaseNetwork
from .targets import Classifier, Regressor


class LinearNetwork(BaseNetwork):
    """A network of one layer, whose initial values are 0."""

    # The minimum is unique, so `tol` alone decides how close to get; a network would only be trained too long.
    _lbfgs_options: ClassVar[dict[str, float]] = {"ftol": 64 * float(np.finfo(np.float64).eps)}

    def _hidden_widths(self) -> list[int]:
        return []

    def _new_network(self, widths: list[int], dtype: Any, random_state: Any) -> Sequential:
        network = networks.build(widths, [], 0.0, dtype, seed=0, bias=bool(self.fit_intercept))
        network.theta[:] = 0
        return network


class LinearClassifier(LinearNetwork, Classifier):
    """A linear classifier: logistic regression, or with another loss a support-vector machine.

    Parameters
    ----------
    loss : str or Loss, default="log_loss"
        "log_loss" is logistic regression, "hinge" the support-vector machine (for two classes, or several labels per
        row); others as in `MLPClassifier`.
    solver : str or Optimizer, default="lbfgs"
        As in `MLPClassifier`.  "lbfgs" sees all rows in each step; "adam" or "sgd" are faster with many.
    alpha : float >= 0, default=0.0001
        L2 penalty as in `MLPClassifier`.  `sklearn.linear_model.LogisticRegression(C=C)` has alpha = 1 / C with
        "lbfgs".
    fit_intercept : bool, default=True
        Whether there are biases; they are not penalized.
    batch_size, learning_rate, learning_rate_init, power_t, shuffle, random_state, tol, verbose, warm_start, momentum
        As in `MLPClassifier`; initial values are 0.
    max_iter : int >= 1, default=1000
        Maximum number of epochs, or of steps of "lbfgs".
    nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in `MLPClassifier`.
    class_weight, scoring, callbacks, n_threads
        As in `MLPClassifier`.

    Attributes
    ----------
    coef_, intercept_ : ndarray (n_outputs, n_features) and (n_outputs,)
        Weights and biases of the outputs, of which two classes have one.
    network_, history_, ...
        As in `MLPClassifier`.

    Examples
    --------
    >>> from fastgd.sklearn import LinearClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> LinearClassifier(alpha=1.0).fit(X, y).coef_.shape
    (3, 4)
    """

    def __init__(
        self,
        loss: Any = "log_loss",
        *,
        solver: Any = "lbfgs",
        alpha: float = 0.0001,
        fit_intercept: bool = True,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 1000,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        scoring: Any = None,
        callbacks: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._store(locals())

    @property
    def coef_(self) -> Array:
        """Weights, (n_outputs, n_features)."""
        return self.coefs_[0].T

    @property
    def intercept_(self) -> Array:
        """Biases, (n_outputs,)."""
        return self.intercepts_[0]


class LinearRegressor(LinearNetwork, Regressor):
    """A linear regression: least squares, or with another loss counts, quantiles, robust regression.

    Parameters
    ----------
    loss : str, Loss or callable, default="squared_error"
        As in `MLPRegressor`.
    solver : str or Optimizer, default="lbfgs"
        As in `LinearClassifier`.
    alpha : float >= 0, default=0.0001
        L2 penalty as in `MLPClassifier`.  `sklearn.linear_model.Ridge(alpha=alpha)` is the same with "lbfgs".
    fit_intercept, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose
        As in `LinearClassifier`.
    warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon
        As in `LinearClassifier`.
    n_iter_no_change, max_fun, scoring, callbacks, n_threads
        As in `LinearClassifier`.

    Attributes
    ----------
    coef_ : ndarray (n_features,) or (n_outputs, n_features)
        Weights.
    intercept_ : float or ndarray (n_outputs,)
        Biases.
    network_, history_, ...
        As in `MLPClassifier`.

    Examples
    --------
    >>> from fastgd.sklearn import LinearRegressor
    >>> X = [[0.0], [1.0], [2.0]]
    >>> model = LinearRegressor(alpha=0, tol=1e-8).fit(X, [1.0, 3.0, 5.0])
    >>> model.coef_.round(6), round(model.intercept_, 6)
    (array([2.]), 1.0)
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        *,
        solver: Any = "lbfgs",
        alpha: float = 0.0001,
        fit_intercept: bool = True,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 1000,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        scoring: Any = None,
        callbacks: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._store(locals())

    @property
    def coef_(self) -> Array:
        """Weights: (n_features,) for one output, else (n_outputs, n_features)."""
        W = self.coefs_[0].T
        return W[0] if len(W) == 1 else W

    @property
    def intercept_(self) -> Any:
        """Biases: a number for one output, else (n_outputs,)."""
        b = self.intercepts_[0]
        return float(b[0]) if len(b) == 1 else b
