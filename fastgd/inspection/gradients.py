"""Attributions by gradients: how much each feature of a row contributed to an output of the network."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._common.checks import check_int
from .._common.typing import Array, Floats, Ints
from ..data.inputs import column_names
from ..data.labels import class_index, factorize
from ..losses.link import REGRESSION_LINKS
from ..models.sequential import Sequential
from ..plot.axes import BLUE, ORANGE, set_up_axes
from .subjects import is_binary, network_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points that pass through the network at once.
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Attributions:
    """What `integrated_gradients` returns.

    Attributes
    ----------
    attributions : ndarray, shape (rows, features)
        How much each feature contributed to the output of each row.
    convergence_delta : ndarray, shape (rows,)
        The sum of a row's attributions, less the difference of its output and that of the baseline; 0 up to the error
        of the numerical integration.
    outputs, baseline_outputs : ndarray, shape (rows,)
        The output that is explained, for the rows and for their baselines.
    feature_names : ndarray, shape (features,)
    """

    attributions: Floats
    convergence_delta: Floats
    outputs: Floats
    baseline_outputs: Floats
    feature_names: Array

    def plot(self, row: int | None = None, ax: Axes | None = None, max_features: int = 20) -> Axes:
        """Draw the largest attributions of a row, or the means of their sizes over all rows; returns the axes."""
        values = np.abs(self.attributions).mean(axis=0) if row is None else self.attributions[row]
        order = np.argsort(np.abs(values), kind="stable")[-check_int("max_features", max_features) :]
        what = "mean size of the attributions" if row is None else "attribution"
        title = "Integrated gradients" if row is None else f"Integrated gradients, row {row}"
        ax = set_up_axes(ax, title, what, "", (6.4, 1.4 + 0.28 * len(order)))
        colors = [ORANGE if value < 0 else BLUE for value in values[order]]
        ax.barh(range(len(order)), values[order], color=colors, height=0.7)
        ax.set_yticks(range(len(order)), [str(name) for name in self.feature_names[order]])
        ax.axvline(0, color="black", linewidth=0.8)
        return ax


def integrated_gradients(model: Any, X: Any, baseline: Any = None, target: Any = None, steps: int = 50) -> Attributions:
    """Divide the output of a network for each row among its features, by the gradients on the way from a baseline.

    Parameters
    ----------
    model : Sequential, Trainer or estimator of fastgd
        Trained.
    X : array or data frame, shape (rows, features)
        Rows to explain.
    baseline : array (features,) or (rows, features), or data frame, default=None
        What "nothing" looks like.  None: 0, or with `standardize` the mean of the training rows, which then is 0 to the
        network.
    target : label, array of labels (rows,), or int, default=None
        The class to explain, by its label, or the number of an output if there are no classes.  None: the predicted
        class of each row, or the only output.
    steps : int >= 1, default=50
        Number of gradients along the way.

    Returns
    -------
    Attributions
        Of a regression in the units of the target (of its logarithm if the loss has the link "log"); of a classifier in
        those of the network's output: logits, or the log-odds of the second of two classes ("bce").

    Raises
    ------
    TypeError, ValueError
        An argument is invalid; nothing was changed.

    Notes
    -----
    The attributions of a row sum up to the difference between its output and that of the baseline.  As in Captum, the
    integral is a Gauss-Legendre sum.

    References
    ----------
    Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017.

    Examples
    --------
    >>> from fastgd.inspection import integrated_gradients
    >>> model = gd.Sequential(gd.Dense(2, 1), seed=0)
    >>> model.theta = [3, -1, 7]
    >>> integrated_gradients(model, [[1.0, 10.0]]).attributions
    array([[  3., -10.]])
    """
    function = _Output(model, X, target)
    x = function.rows
    start = function.baseline(baseline)
    nodes, weights = np.polynomial.legendre.leggauss(check_int("steps", steps))
    nodes, weights = (nodes + 1) / 2, weights / 2
    gradients = np.zeros(x.shape)
    block = max(1, _BLOCK // len(nodes))
    for first in range(0, len(x), block):
        some = slice(first, first + block)
        way = x[some] - start[some]
        points = start[some, None] + nodes[:, None] * way[:, None]
        columns = np.repeat(function.columns[some], len(nodes))
        g = function.gradients(points.reshape(-1, x.shape[1]), columns)
        gradients[some] = np.einsum("rsf,s->rf", g.reshape(points.shape), weights)
    attributions = gradients * (x - start)
    outputs, at_baseline = function.outputs(x), function.outputs(start)
    delta = attributions.sum(axis=1) - (outputs - at_baseline)
    return Attributions(attributions, delta, outputs, at_baseline, function.names)


def input_gradients(model: Any, X: Any, target: Any = None) -> Floats:
    """The derivative of an output with respect to each feature, in the units of X: (rows, features).

    Parameters
    ----------
    model, X, target
        As in `integrated_gradients`, whose units the output has.  Captum's `Saliency` is the absolute value.

    Examples
    --------
    >>> from fastgd.inspection import input_gradients
    >>> model = gd.Sequential(gd.Dense(2, 1), seed=0)
    >>> model.theta = [3, -1, 7]
    >>> input_gradients(model, [[1.0, 10.0]])
    array([[ 3., -1.]])
    """
    function = _Output(model, X, target)
    return function.gradients(function.rows, function.columns) / function.units


class _Output:
    """One output of a network for each row, and its gradient.

    Attributes
    ----------
    rows : ndarray (rows, features), float64
        As the network takes them.
    columns : ndarray (rows,)
        The output that is explained.
    names : ndarray (features,)
    units : ndarray (features,)
        What one unit of the network's inputs is for the user.
    """

    def __init__(self, model: Any, X: Any, target: Any) -> None:
        network = network_of(model)
        # A copy, whose passes leave the gradient and the activations of the user's model alone.
        self._network: Sequential = copy.copy(network)
        self._spec, self._head = network.inputs, network.head
        names = self._spec.names if self._spec.names is not None else column_names(X)
        self.names = np.array([f"x{i}" for i in range(network.n_in)], object) if names is None else names
        self.rows = self._read(X, "X")
        scaling = self._spec.scaling
        self.units = np.ones(network.n_in) if scaling is None else np.asarray(scaling.std, np.float64)
        self.columns = self._target_columns(target, getattr(model, "classes_", self._head.classes))
        y_scaling = self._head.scaling
        self._factors = np.ones(network.n_out) if y_scaling is None else np.asarray(y_scaling.std, np.float64)
        self._shifts = np.zeros(network.n_out) if y_scaling is None else np.asarray(y_scaling.mean, np.float64)

    def baseline(self, given: Any) -> Floats:
        """The baseline of each row, as the network takes it."""
        if given is None:
            return np.zeros_like(self.rows)
        if np.ndim(given) == 1:
            given = np.reshape(given, (1, -1))
        start = self._read(given, "baseline")
        if len(start) not in (1, len(self.rows)):
            raise ValueError(f"baseline must have 1 row or {len(self.rows):,}, as X has, not {len(start):,}")
        return np.broadcast_to(start, self.rows.shape)

    def outputs(self, rows: Floats) -> Floats:
        """The output of each row."""
        Z = np.empty((len(rows), self._network.n_out), self._network.dtype)
        self._network.network.predict(np.ascontiguousarray(rows, self._network.dtype), Z, 0)
        every: Floats = Z * self._factors + self._shifts
        return np.take_along_axis(every, self.columns[:, None], axis=1)[:, 0]

    def gradients(self, points: Floats, columns: Ints) -> Floats:
        """The gradient of an output at each point (n, features)."""
        dX = np.empty(points.shape)
        for first in range(0, len(points), _BLOCK):
            some = slice(first, first + _BLOCK)
            self._network.forward(points[some].astype(self._network.dtype))
            dZ = np.zeros((len(points[some]), self._network.n_out), self._network.dtype)
            np.put_along_axis(dZ, columns[some, None], self._factors[columns[some], None].astype(dZ.dtype), axis=1)
            dX[some] = self._network.backward(dZ)
        return dX

    def _read(self, X: Any, name: str) -> Floats:
        rows = self._spec.read(X, self._network.n_in, self._network.dtype, name)
        return np.asarray(rows, np.float64)

    def _target_columns(self, target: Any, classes: Array | None) -> Ints:
        """The number of the output that is explained, for each row."""
        n, n_out = len(self.rows), self._network.n_out
        if is_binary(self._network) or (target is None and n_out == 1):
            return self._only_output(target, classes)
        if target is None and self._head.link in REGRESSION_LINKS:
            raise ValueError(f"the model has {n_out} outputs: pass target=, the number of one of them")
        if target is None:
            Z = np.empty((n, n_out), self._network.dtype)
            self._network.network.predict(np.ascontiguousarray(self.rows, self._network.dtype), Z, 0)
            index: Ints = Z[:, : n_out if classes is None else len(classes)].argmax(axis=1)
            return index
        labels = np.atleast_1d(np.asarray(target))
        if labels.shape not in ((1,), (n,)):
            raise ValueError(f"target must be one label or one for each of the {n:,} rows, not of shape {labels.shape}")
        known = np.arange(n_out) if classes is None else np.asarray(classes)
        index = class_index(*factorize(labels, "target"), known, "target")[:, 0]
        return np.broadcast_to(index, n)

    def _only_output(self, target: Any, classes: Array | None) -> Ints:
        if target is not None and (classes is None or np.any(np.asarray(target) != classes[-1])):
            only = "the model has one output" if classes is None else f"its output is for {str(classes[-1])!r}"
            raise ValueError(f"{only}: leave out target")
        return np.zeros(len(self.rows), np.int64)
