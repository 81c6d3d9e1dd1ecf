"""Models: stacks of layers with one flat vector of parameters."""

from .._common.explain import explains_arguments
from .mlp import MLP
from .sequential import Sequential

__all__ = ["MLP", "Sequential", "load"]

explains_arguments(Sequential)
load = Sequential.load
