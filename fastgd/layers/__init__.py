"""Layers: what a network is made of."""

from .dense import Dense
from .noise import Dropout, GaussianNoise

__all__ = ["Dense", "Dropout", "GaussianNoise"]
