"""What the members of a population predict together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._common.checks import check_int
from .._common.typing import Array
from ..data.shared import Shared
from ..metrics import Metric
from ..models.sequential import Sequential
from ..training.trainer import Trainer
from .ensemble import Ensemble, n_rows, values_of
from .greedy import choose_greedily
from .selection import badness


class PopulationPredictions:
    """Base class of `Population`."""

    trainers: list[Trainer]
    n_threads: int | None
    _errors: Mapping[Trainer, str]

    def __len__(self) -> int:
        return len(self.trainers)

    def ensemble(self, weights: ArrayLike | None = None) -> Ensemble:
        """The members as they are now, as an ensemble; with averages of theta where optimizers keep one.

        Parameters
        ----------
        weights : array (members,), default=None
            Of the members in the mean; None: equal ones.
        """
        return _copied(self._ensemble(weights))

    def predict(self, X: Any) -> Array:
        """Predict by the mean over the members: see `Ensemble.predict`."""
        return self._ensemble().predict(X)

    def predict_proba(self, X: Any) -> Array:
        """Mean probabilities over the members: see `Ensemble.predict_proba`."""
        return self._ensemble().predict_proba(X)

    def predict_std(self, X: Any) -> Array:
        """Standard deviation over the members: see `Ensemble.predict_std`."""
        return self._ensemble().predict_std(X)

    def predict_members(self, X: Any) -> Array:
        """What each member predicts: see `Ensemble.predict_members`."""
        return self._ensemble().predict_members(X)

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None) -> list[dict[str, float]]:
        """`Trainer.evaluate` of each member; see `Ensemble.score` for their mean."""
        X, y = Shared(X), Shared(y)
        return [trainer.evaluate(X, y, sample_weight) for trainer in self.trainers]

    def select(
        self,
        X: Any,
        y: Any,
        *,
        size: int = 32,
        metric: str | Callable[..., float] | Metric | None = None,
        candidates: Ensemble | None = None,
    ) -> Ensemble:
        """Choose an ensemble greedily on rows that no member was trained on.

        Member after member is added, each time the one whose vote improves the mean most, also repeatedly: how often
        is its weight.

        Parameters
        ----------
        X, y : array-like
            Validation rows.
        size : int >= 1, default=32
            Number of votes, at most.
        metric : str, callable or Metric, default=None
            What is to be best; None: the loss of the first member.
        candidates : Ensemble, default=None
            Whose models may be chosen, too: the ensemble of an earlier round, with the members as they were then.

        Returns
        -------
        Ensemble
            Of copies of those that were chosen.

        References
        ----------
        Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble selection from libraries of models", ICML 2004.
        """
        size, shared, first = check_int("size", size), Shared(X), self.trainers[0]
        everyone = Ensemble([*self._models(), *(() if candidates is None else candidates.models)])
        head, n_out = everyone.head, everyone.models[0].n_out
        criterion = badness(first.loss, head, n_out, y, metric, n_rows(shared, everyone.models[0]))
        counts = choose_greedily(values_of(everyone.models, shared, self.n_threads), size, criterion)
        chosen = np.flatnonzero(counts)
        return _copied(Ensemble([everyone.models[i] for i in chosen], counts[chosen], n_threads=self.n_threads))

    def _models(self) -> list[Sequential]:
        """Those that take part in predictions; ValueError if the training of every member failed."""
        models = [trainer.eval_model for trainer in self.trainers if trainer not in self._errors]
        if not models:
            raise ValueError("the training of every member failed: see population.errors")
        return models

    def _ensemble(self, weights: ArrayLike | None = None) -> Ensemble:
        return Ensemble(self._models(), weights, n_threads=self.n_threads)


def _copied(ensemble: Ensemble) -> Ensemble:
    """The ensemble of copies of the models, which further training does not change."""
    return Ensemble([copy.copy(model) for model in ensemble.models], ensemble.weights, n_threads=ensemble.n_threads)
