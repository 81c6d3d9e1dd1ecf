"""The multilayer perceptron that predicts real numbers."""

from __future__ import annotations

from typing import Any

from .targets import Regressor


class MLPRegressor(Regressor):
    """A multilayer perceptron that predicts real numbers: `sklearn.neural_network.MLPRegressor`, trained by fastgd.

    Parameters
    ----------
    loss : str, Loss or callable, default="squared_error"
        "squared_error" and "poisson" are scikit-learn's: half the squared error, and half the deviance of counts, whose
        predictions are positive.  Others are losses of fastgd: "mae", `gd.Huber(delta=2)`,
        `gd.Quantile((0.1, 0.5, 0.9))`, which predicts as many columns, or a function (Z, Y) -> (loss, dZ).
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter
        As in `MLPClassifier`.
    shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping
        As in `MLPClassifier`.
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun, dropout, callbacks, n_threads, precision
        As in `MLPClassifier`.
    scoring : str, callable, Metric or None, default=None
        What early_stopping looks at: "loss", or a metric such as "mae" or "neg_median_absolute_error".  None: R2, or
        the loss if that is not one of the mean, such as quantiles.

    Attributes
    ----------
    network_, history_, coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_
        As in `MLPClassifier`.
    best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, n_features_in_, feature_names_in_
        As in `MLPClassifier`.
    out_activation_ : str
        What makes the outputs predictions: "identity", or "exp" for counts.

    See Also
    --------
    LinearRegressor : The same without hidden layers.
    fastgd.Trainer : What trains the network; with standardize=True it scales X and y.

    Notes
    -----
    A network learns best if X and y are of the size of 1: see `sklearn.preprocessing.StandardScaler` and
    `sklearn.compose.TransformedTargetRegressor`.

    Examples
    --------
    >>> from fastgd.sklearn import MLPRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=200, n_features=5, random_state=0)
    >>> regressor = MLPRegressor(solver="lbfgs", random_state=0, tol=0.1).fit(X, y)
    >>> regressor.score(X, y) > 0.99
    True
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
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
        dropout: Any = 0.0,
        scoring: Any = None,
        callbacks: Any = None,
        n_threads: int | None = None,
        precision: str = "f32",
    ) -> None:
        self._store(locals())
