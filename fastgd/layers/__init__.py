"""Layers: dense layers, noise between them, and layers of inputs before them."""

from .dense import Dense
from .embedding import Embedding
from .inputs import Scale
from .noise import Dropout, GaussianNoise, GradientReversal
from .periodic import PeriodicEmbedding

__all__ = ["Dense", "Dropout", "Embedding", "GaussianNoise", "GradientReversal", "PeriodicEmbedding", "Scale"]
