"""Layers: dense layers, and noise between them."""

from .dense import Dense
from .noise import Dropout, GaussianNoise

__all__ = ["Dense", "Dropout", "GaussianNoise"]
