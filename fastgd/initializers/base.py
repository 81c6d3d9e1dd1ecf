"""The base classes of initializers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .._common import random
from .._common.random import Purpose
from .._common.registry import Definition
from .._common.typing import Floats


class Initializer(Definition):
    """How the initial weights or biases of a layer are chosen.

    Attributes
    ----------
    bias : str
        Name of the initializer of the biases of a layer whose weights this one chooses, unless another is given.
    """

    bias: ClassVar[str] = "zeros"

    @abstractmethod
    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        """The weights of layer number `index`, (n_in, n_out) float64; they depend on the arguments alone."""

    def biases(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        """The biases of layer number `index`, (n_out,) float64; TypeError if the initializer is for weights only."""
        raise TypeError(f"{self} is for matrices: choose another bias_init, such as Constant(0.1)")


class Independent(Initializer):
    """Values that do not depend on each other."""

    @abstractmethod
    def values(self, n_in: int, n_out: int, n: int, seed: int, purpose: Purpose, index: int) -> Floats:
        """n values for a layer of these widths; seed, purpose and index as in `random.bits`."""

    def weights(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        return self.values(n_in, n_out, n_in * n_out, seed, random.INIT, index).reshape(n_in, n_out)

    def biases(self, n_in: int, n_out: int, seed: int, index: int) -> NDArray[np.float64]:
        return self.values(n_in, n_out, n_out, seed, random.BIAS, index)
