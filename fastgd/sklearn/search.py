"""Searches of hyper-parameters whose fits are a population: each trains on one core, in a Python thread."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # scikit-learn wants to be asked
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV

from .._common.checks import check_int
from ..population.workers import n_workers, threads_shared_by
from .threads import StoppableThreads


class _InThreads:
    """Base class of the searches: candidates and folds are trained in parallel, the best one with all threads."""

    n_threads: int | None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Train and score all candidates on all folds, then the best one on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        **params : dict
            For the `fit` of the estimator, `sample_weight` for example, the scorer and the splitter.  Of those with an
            element per row, each fold gets its own.

        Returns
        -------
        self : object
            The search, with its results.
        """
        with parallel_config(StoppableThreads(), n_jobs=n_workers(2**31 - 1, self.n_threads)):
            return super().fit(X, y, **params)  # type: ignore[misc]

    def _run_search(self, evaluate_candidates: Callable[..., Any], callback_ctx: Any = None) -> None:
        options = {} if callback_ctx is None else {"callback_ctx": callback_ctx}  # from scikit-learn 1.9 on
        with threads_shared_by(n_workers(2**31 - 1, self.n_threads), self.n_threads):
            self._kind()._run_search(self, evaluate_candidates, **options)

    def _kind(self) -> Any:
        """The class of scikit-learn that knows the candidates."""
        raise NotImplementedError


class PopulationSearchCV(_InThreads, BaseSearchCV):  # type: ignore[misc]
    """Search over hyper-parameters with cross-validation, all candidates and folds trained as one population.

    The results are those of `GridSearchCV` or `RandomizedSearchCV` with the same estimator, bit for bit.  Their
    processes are not needed: the engine releases the GIL, so each fit keeps one core busy, data are not copied to
    other processes, and what cannot be pickled may be searched.

    Parameters
    ----------
    estimator : estimator
        One of `fastgd.sklearn`, or a pipeline with one.
    param_distributions : dict, or list of dict
        For each parameter the values to try, or if `n_iter` is given a distribution with a method `rvs`, as those of
        `scipy.stats`.
    n_iter : int >= 1 or None, default=None
        Number of candidates that are drawn, as by `RandomizedSearchCV`; None: all combinations, as by `GridSearchCV`.
    scoring : str, callable, list, tuple or dict, default=None
        As in `GridSearchCV`; None: the `score` of the estimator.
    n_threads : int >= 1 or None, default=None
        Number of fits at a time; None: one per core that this process may use.
    refit : bool, str or callable, default=True
        Whether to train the best candidate on all rows; with several scores, the name of the one that decides.
    cv : int, splitter or iterable, default=None
        Folds, as in `GridSearchCV`; None: 5.
    verbose : int, default=0
    random_state : int, RandomState or None, default=None
        Of the candidates that are drawn.
    error_score : "raise" or float, default=nan
        Score of a fit that fails, with a warning; "raise": the search ends with the error.
    return_train_score : bool, default=False
        Whether to score training rows, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        Parameters, scores and times of each candidate; `pandas.DataFrame(search.cv_results_)` is a table of them.
    best_estimator_ : estimator
        Trained on all rows; `predict`, `score` and the like use it.
    best_params_ : dict
    best_score_ : float
        Mean of the folds.
    best_index_ : int
    scorer_, n_splits_, refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As of `GridSearchCV`.

    See Also
    --------
    HalvingPopulationSearchCV : Trains only the best candidates for long.
    fastgd.Population : Any trainers in parallel.

    Examples
    --------
    >>> import fastgd as gd
    >>> from fastgd.sklearn import MLPClassifier, PopulationSearchCV
    >>> X, y = gd.datasets.digits()
    >>> network = MLPClassifier(32, tol=0.01, random_state=0)
    >>> search = PopulationSearchCV(network, {"learning_rate_init": [1e-3, 1e-2], "alpha": [0, 100]}, cv=3)
    >>> search.fit(X / 16, y).best_params_
    {'alpha': 0, 'learning_rate_init': 0.01}
    >>> len(search.cv_results_["mean_test_score"])
    4
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int | None = None,
        scoring: Any = None,
        n_threads: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        self.param_distributions, self.n_iter = param_distributions, n_iter
        self.n_threads, self.random_state = n_threads, random_state
        options = {"verbose": verbose, "error_score": error_score, "return_train_score": return_train_score}
        super().__init__(estimator, scoring=scoring, refit=refit, cv=cv, **options)

    def _kind(self) -> Any:
        if self.n_iter is None:
            return GridSearchCV
        check_int("n_iter", self.n_iter)
        return RandomizedSearchCV

    @property
    def param_grid(self) -> Any:
        """`param_distributions`, as `GridSearchCV` calls them."""
        return self.param_distributions


class HalvingPopulationSearchCV(_InThreads, HalvingRandomSearchCV):  # type: ignore[misc]
    """Successive halving: many candidates are trained for a few epochs, the best of them for more, and so on.

    The results are those of `HalvingRandomSearchCV` with the same arguments, bit for bit; as in `PopulationSearchCV`,
    candidates and folds are trained in parallel.

    Parameters
    ----------
    estimator, param_distributions, scoring, n_threads, refit, cv, verbose, random_state, error_score
        As in `PopulationSearchCV`; `cv` must split in the same way each time.
    n_candidates : int >= 1 or "exhaust", default="exhaust"
        Number of candidates that are drawn at first; "exhaust": enough that the last round has `max_resources`.
    factor : float > 1, default=3
        Each time a share of 1 / factor of the candidates is kept, and trained with `factor` times as much.
    resource : str, default="max_iter"
        The parameter of the estimator that grows, or "n_samples", the rows.
    max_resources : int >= 1 or "auto", default="auto"
        Most that a candidate gets; "auto": the parameter of `estimator`, or all rows.
    min_resources : int >= 1, "smallest" or "exhaust", default="smallest"
        What each candidate gets at first, as in `HalvingRandomSearchCV`.
    aggressive_elimination : bool, default=False
        As in `HalvingRandomSearchCV`.
    return_train_score : bool, default=False

    Attributes
    ----------
    n_resources_, n_candidates_ : list of int
        Resources and candidates of each round.
    cv_results_ : dict of ndarray
        As of `PopulationSearchCV`, with the columns "iter" and "n_resources".
    best_estimator_, best_params_, best_score_, ...
        As of `HalvingRandomSearchCV`: the best of the last round.

    References
    ----------
    Jamieson & Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016.

    Examples
    --------
    >>> import fastgd as gd
    >>> from fastgd.sklearn import HalvingPopulationSearchCV, MLPClassifier
    >>> X, y = gd.datasets.digits()
    >>> network = MLPClassifier(16, max_iter=90, tol=0.01, random_state=0)
    >>> rates = {"learning_rate_init": [1e-5, 1e-4, 1e-3, 1e-2]}
    >>> search = HalvingPopulationSearchCV(network, rates, n_candidates=4, min_resources=30, cv=2, random_state=0)
    >>> search.fit(X / 16, y).best_params_["learning_rate_init"]
    0.01
    >>> search.n_candidates_, search.n_resources_
    ([4, 2], [30, 90])
    """

    max_resources: Any

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: int | str = "exhaust",
        factor: float = 3,
        resource: str = "max_iter",
        max_resources: int | str = "auto",
        min_resources: int | str = "smallest",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        n_threads: int | None = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "n_threads", "__class__")}
        super().__init__(**arguments)
        self.n_threads = n_threads

    def _check_input_parameters(self, *args: Any, **options: Any) -> None:
        """Check the arguments, with "auto" for any resource."""
        given, parameters = self.max_resources, self.estimator.get_params()
        if given == "auto" and self.resource in parameters:
            self.max_resources = parameters[self.resource]
        try:
            super()._check_input_parameters(*args, **options)
        finally:
            self.max_resources = given

    def _run_search(self, evaluate_candidates: Callable[..., Any], callback_ctx: Any = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the first rounds are short on purpose
            super()._run_search(evaluate_candidates, callback_ctx)

    def _kind(self) -> Any:
        return HalvingRandomSearchCV
