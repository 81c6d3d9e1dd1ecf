"""Models: stacks of layers with one flat vector of parameters."""

from .mlp import MLP
from .sequential import Sequential

__all__ = ["MLP", "Sequential", "load"]

load = Sequential.load
