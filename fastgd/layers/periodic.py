"""The periodic embedding of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._common import random
from .._common.checks import check_float32, check_int
from .._common.explain import explains_arguments
from .._common.typing import Array
from .inputs import InputLayer, check_columns


@explains_arguments
class PeriodicEmbedding(InputLayer):
    """Features that are trained sums of cosines of each number are appended to the columns.

    From a column x it makes `dim` features, of K cosines with frequencies f and phases p, all of them trained:

        feature_d = o_d + sum_k a_kd cos(2 pi f_k x + p_k)

    A dense layer sees small differences of such features that it could hardly make of x itself: thresholds, bands and
    other irregular functions of a number, as trees find them. All columns stay in place, x too; the features follow:
    the first feature of each column, then the second of each, and so on.

    Parameters
    ----------
    n_in : int >= 1
        Number of columns.
    columns : iterable of int or None, default=None
        Columns to embed, numbered from 0; None: all.
    n_frequencies : int >= 1, default=16
        The number K of cosines for each column.
    dim : int >= 1, default=3
        Features for each column.
    std : float >= 0, default=0.1
        Standard deviation of the initial frequencies. Columns are expected at about standard scale; the larger it is,
        the finer the details that are easily learnt, noise included.

    Notes
    -----
    With C embedded columns the parameters are "frequency" (K, C) ~ N(0, std^2), "phase" (K, C), uniform in [-pi, pi),
    "amplitude" (K, dim, C) and "offset" (dim, C), both uniform in [-1, 1) / sqrt(K).

    This is PBLD (periodic, bias, linear, DenseNet), the embedding of RealMLP: `plr_hidden_1=16, plr_hidden_2=4` there
    counts x as one of 4 features, so it is n_frequencies=16, dim=3 here.

    References
    ----------
    Gorishniy, Rubachev & Babenko, "On embeddings for numerical features in tabular deep learning", NeurIPS 2022.
    Holzmüller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024.

    Examples
    --------
    >>> import fastgd as gd
    >>> layer = gd.PeriodicEmbedding(5, columns=[0, 1], n_frequencies=16, dim=3)
    >>> layer.n_out
    11
    >>> layer.shapes()
    {'frequency': (16, 2), 'phase': (16, 2), 'amplitude': (16, 3, 2), 'offset': (3, 2)}
    """

    name = "periodic_embedding"

    def __init__(
        self,
        n_in: int,
        columns: Iterable[int] | None = None,
        n_frequencies: int = 16,
        dim: int = 3,
        std: float = 0.1,
    ) -> None:
        self.n_in = check_int("n_in", n_in)
        self.columns = check_columns("columns", range(self.n_in) if columns is None else columns, self.n_in)
        self.n_frequencies = check_int("n_frequencies", n_frequencies)
        self.dim = check_int("dim", dim)
        self.std = check_float32("std", std, "[0, 1e37]")
        self.sizes = (self.n_frequencies, self.dim)
        self.n_out = self.n_in + self.dim * len(self.columns)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        K, C = self.n_frequencies, len(self.columns)
        return {"frequency": (K, C), "phase": (K, C), "amplitude": (K, self.dim, C), "offset": (self.dim, C)}

    def initial_values(self, seed: int, index: int) -> dict[str, Array]:
        bound, other = 1 / math.sqrt(self.n_frequencies), index | 1 << 32
        sizes = {name: math.prod(shape) for name, shape in self.shapes().items()}
        values = {
            "frequency": self.std * random.normal(seed, random.INIT, index, sizes["frequency"]),
            "phase": math.pi * (2 * random.uniform(seed, random.BIAS, index, sizes["phase"]) - 1),
            "amplitude": bound * (2 * random.uniform(seed, random.INIT, other, sizes["amplitude"]) - 1),
            "offset": bound * (2 * random.uniform(seed, random.BIAS, other, sizes["offset"]) - 1),
        }
        return {name: values[name].reshape(shape) for name, shape in self.shapes().items()}

    def forward(self, parameters: Mapping[str, Array], x: Array) -> Array:
        cos = np.cos(self._angles(parameters, x))
        features = parameters["offset"] + np.einsum("bkc,kdc->bdc", cos, parameters["amplitude"])
        return np.concatenate([x, features.reshape(len(x), -1)], axis=1)

    def backward(
        self, parameters: Mapping[str, Array], x: Array, da: Array, power: int = 1
    ) -> tuple[Array, dict[str, Array]]:
        angles, d_features = self._angles(parameters, x), da[:, self.n_in :].reshape(len(x), self.dim, -1)
        d_angles = -np.sin(angles) * np.einsum("bdc,kdc->bkc", d_features, parameters["amplitude"])
        turn, chosen, dx = x.dtype.type(2 * math.pi), list(self.columns), da[:, : self.n_in].copy()
        dx[:, chosen] += turn * (d_angles * parameters["frequency"]).sum(axis=1)
        return dx, {
            "frequency": ((turn * d_angles * x[:, np.newaxis, chosen]) ** power).sum(axis=0),
            "phase": (d_angles**power).sum(axis=0),
            "amplitude": np.einsum("bkc,bdc->kdc", np.cos(angles) ** power, d_features**power),
            "offset": (d_features**power).sum(axis=0),
        }

    def _angles(self, parameters: Mapping[str, Array], x: Array) -> Array:
        """2 pi f x + p less its whole turns, (B, K, C): what is left has all digits of the product."""
        turns = parameters["frequency"] * x[:, np.newaxis, list(self.columns)]
        turns += parameters["phase"] * x.dtype.type(0.5 / math.pi)
        angles: Array = x.dtype.type(2 * math.pi) * (turns - np.rint(turns))
        return angles

    def to_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "n_in": self.n_in,
            "columns": list(self.columns),
            "n_frequencies": self.n_frequencies,
            "dim": self.dim,
            "std": self.std,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PeriodicEmbedding:
        return cls(**{key: value for key, value in config.items() if key != "name"})

    def __repr__(self) -> str:
        columns = "" if self.columns == tuple(range(self.n_in)) else f", columns={list(self.columns)}"
        return (
            f"PeriodicEmbedding({self.n_in}{columns}, n_frequencies={self.n_frequencies}, dim={self.dim}, "
            f"std={self.std:g})"
        )
