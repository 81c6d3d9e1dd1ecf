"""Models: a stack of layers with its flat vector of parameters."""

from .mlp import MLP
from .sequential import Sequential

__all__ = ["MLP", "Sequential", "load"]

load = Sequential.load
