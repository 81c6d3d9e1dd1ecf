"""Many models that are trained at the same time: seeds, ensembles, folds, searches.  See docs/many-models.md.

`Population` trains them, each on one core, with the bits of training it alone; an `Ensemble` is what they predict
together.
"""

from .ensemble import Ensemble
from .population import Population

__all__ = ["Ensemble", "Population"]


def __dir__() -> list[str]:
    return __all__
