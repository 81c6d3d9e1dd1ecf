"""What a trained model has learned: which features it uses, and how its predictions depend on them.

Every function takes a model, a trainer, or anything with the methods of an estimator of scikit-learn, and returns a
result with a picture: `permutation_importance(model, X, y).plot()`.
"""

from .dependence import PartialDependence, partial_dependence
from .gradients import Attributions, input_gradients, integrated_gradients
from .importance import Importances, permutation_importance

__all__ = [
    "Attributions",
    "Importances",
    "PartialDependence",
    "input_gradients",
    "integrated_gradients",
    "partial_dependence",
    "permutation_importance",
]


def __dir__() -> list[str]:
    return __all__
