"""Permutation importance: how much worse a model scores without what a feature says about each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._common import random
from .._common.checks import check_int
from .._common.typing import Array, Floats
from ..metrics import Metric
from ..plot.axes import BLUE, set_up_axes
from .rows import Rows
from .scores import Score
from .subjects import subject_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Importances:
    """What `permutation_importance` returns.

    Attributes
    ----------
    importances_mean, importances_std : ndarray, shape (features,)
        Mean and standard deviation over the repeats.
    importances : ndarray, shape (features, n_repeats)
        By how much the score became worse, in its own units; negative if it became better.
    feature_names : ndarray, shape (features,)
    baseline : float
        The score without permutation.
    metric : str
        Name of the score.
    """

    importances_mean: Floats
    importances_std: Floats
    importances: Floats
    feature_names: Array
    baseline: float
    metric: str

    def plot(self, ax: Axes | None = None, max_features: int = 20) -> Axes:
        """Draw the most important features as bars, with their standard deviations; returns the axes."""
        order = np.argsort(self.importances_mean, kind="stable")[-check_int("max_features", max_features) :]
        ax = set_up_axes(
            ax,
            "Permutation importance",
            f"by how much permuting it worsens {self.metric.replace('_', ' ')} ({self.baseline:.4g})",
            "",
            (6.4, 1.4 + 0.28 * len(order)),
        )
        ax.barh(
            range(len(order)), self.importances_mean[order], xerr=self.importances_std[order], color=BLUE, height=0.7
        )
        ax.set_yticks(range(len(order)), [str(name) for name in self.feature_names[order]])
        ax.axvline(0, color="black", linewidth=0.8)
        return ax

    def __str__(self) -> str:
        """A line for each feature, the most important first."""
        order = np.argsort(-self.importances_mean, kind="stable")
        width = max(len(str(name)) for name in self.feature_names)
        lines = [
            f"{self.feature_names[i]!s:{width}}  {self.importances_mean[i]:10.4g} +- {self.importances_std[i]:.2g}"
            for i in order
        ]
        return "\n".join([f"{self.metric} {self.baseline:.4g}; how much worse it is with a feature permuted:", *lines])


def permutation_importance(
    model: Any,
    X: Any,
    y: Any,
    *,
    metric: str | Callable[..., float] | Metric | None = None,
    n_repeats: int = 5,
    seed: int = 0,
    sample_weight: Any = None,
    groups: Mapping[Any, Iterable[Any]] | None = None,
) -> Importances:
    """Measure how much the score of a model drops when the values of a feature are permuted among the rows.

    Parameters
    ----------
    model : Sequential, Trainer or estimator
        Trained.
    X : array, frame or dict of columns, shape (rows, features)
        Rows to measure on: those held out tell what helps on new rows, those of the training what the model relies on.
    y : array or series, shape (rows,) or (rows, outputs)
        Targets as in `fit`.
    metric : str, callable or Metric, default=None
        See `fastgd.metrics.get`.  None: the first metric of a trainer, `score` of an estimator, else accuracy or R2.
    n_repeats : int >= 1, default=5
        Number of permutations of each feature.
    seed : int in [0, 2**64), default=0
        Determines the permutations.
    sample_weight : array (rows,), default=None
        Weights of the rows in the score.
    groups : mapping of a name to features, default=None
        Features, by name or number, that are permuted together: the indicators that one column was encoded as, or
        columns so similar that each can stand in for the others.  None: each feature alone.

    Returns
    -------
    Importances

    Raises
    ------
    TypeError, ValueError
        An argument is invalid; nothing was changed.

    Notes
    -----
    The arguments and results are those of `sklearn.inspection.permutation_importance`, with errors counted such
    that a feature that helps is positive here, too.  Features that carry the same information may all seem unimportant.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.inspection import permutation_importance
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> trainer = gd.Trainer(gd.MLP(3, 1, seed=0), loss="mse", optimizer=gd.SGD(lr=0.1))
    >>> history = trainer.fit(X, 2 * X[:, 0] - X[:, 2], epochs=20, verbose=0)
    >>> permutation_importance(trainer, X, 2 * X[:, 0] - X[:, 2]).importances_mean.round()
    array([2., 0., 0.])
    """
    n_repeats, seed = check_int("n_repeats", n_repeats), random.check_seed(seed)
    subject = subject_of(model)
    rows = subject.rows(X)
    named = {name: [i] for i, name in enumerate(rows.names)} if groups is None else _columns_of(groups, rows)
    score = Score(subject, y, metric, sample_weight, rows.n)
    baseline = score(rows.unchanged)
    drops = np.empty((len(named), n_repeats))
    for i, columns in enumerate(named.values()):
        for j in range(n_repeats):
            order = random.permutation(seed, i * n_repeats + j, rows.n)
            drops[i, j] = score.sign * (baseline - score(rows.permuted(columns, order)))
    names = np.array([str(name) for name in named], object)
    return Importances(drops.mean(axis=1), drops.std(axis=1), drops, names, baseline, score.name)


def _columns_of(groups: Any, rows: Rows) -> dict[Any, list[int]]:
    """The columns of each group."""
    if not isinstance(groups, Mapping) or not groups:
        raise TypeError(f"groups must map names to features, as {{'size': ['x', 'y']}}, not {type(groups).__name__}")
    named = {}
    for name, features in groups.items():
        named[name] = [rows.index(feature) for feature in ([features] if isinstance(features, str) else features)]
        if not named[name]:
            raise ValueError(f"the group {name!r} has no features")
    return named
