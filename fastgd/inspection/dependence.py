"""Partial dependence: the mean prediction as one or two features change and all others stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._common.checks import check_choice, check_int
from .._common.typing import Array, Floats
from ..data.arrays import is_missing_value
from ..plot.axes import BLUE, GREY, class_colors, legend_below, new_figure, set_up_axes
from .rows import Rows
from .subjects import Subject, subject_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the values between which a grid lies, as in scikit-learn.
_QUANTILES = (0.05, 0.95)
# Lines of single rows that a picture shows.
_MAX_LINES = 50


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """What `partial_dependence` returns.

    Attributes
    ----------
    grid_values : list of ndarray
        The values of each feature, (points,).
    average : ndarray, shape (outputs, points) or (outputs, points of the first, points of the second)
        The mean prediction: probabilities of a classifier, of two classes only that of the second; values of a
        regression.
    individual : ndarray, shape (outputs, rows, points) or (outputs, rows, points, points), or None
        The prediction of each row, with kind="both".
    feature_names : list of str
    output_names : list of str
        Labels of the classes; "prediction", or "output 0" ... of a regression.
    values : list of ndarray
        The values of each feature in X, (rows,).
    """

    grid_values: list[Array]
    average: Floats
    individual: Floats | None
    feature_names: list[str]
    output_names: list[str]
    values: list[Array]

    def plot(self, ax: Axes | None = None, output: int | None = None) -> Axes:
        """Draw the mean predictions, and thin lines of single rows; two features become a map of one output.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        output : int or None, default=None
            The output to draw; None: all of them, or for two features the last.

        Returns
        -------
        matplotlib Axes
        """
        outputs = range(len(self.output_names)) if output is None else [output]
        if len(self.grid_values) == 2:
            return _draw_map(self, ax, outputs[-1])
        label = "prediction" if self.output_names[0].startswith(("prediction", "output")) else "probability"
        if len(self.output_names) == 1 and label == "probability":
            label = f"probability of {self.output_names[0]}"
        ax = set_up_axes(ax, "Partial dependence", self.feature_names[0], label)
        draw = _draw_bars if _is_categorical(self.grid_values[0]) else _draw_lines
        draw(self, ax, list(outputs))
        return ax


def partial_dependence(model: Any, X: Any, feature: Any, *, grid: Any = 50, kind: str = "average") -> PartialDependence:
    """Predict all rows with one value in place of a feature, for each value of a grid, and average.

    Parameters
    ----------
    model : Sequential, Trainer or estimator
        Trained.
    X : array, frame or dict of columns, shape (rows, features)
        A thousand rows suffice for a smooth mean.
    feature : str, int or pair of them
        Name or number of a column; a pair shows how two act together.
    grid : int >= 2, array of values, or pair of arrays, default=50
        Number of values between the quantiles 0.05 and 0.95 of the column; a column with fewer different values gets
        each of them, one of text its most frequent ones.  Or the values themselves.
    kind : {"average", "both"}, default="average"
        "both" also keeps the predictions of each row.

    Returns
    -------
    PartialDependence

    Raises
    ------
    TypeError, ValueError
        An argument is invalid; nothing was changed.

    Notes
    -----
    The results have the names and shapes of `sklearn.inspection.partial_dependence`.  Where features are correlated,
    the mean includes rows that do not exist.

    References
    ----------
    Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29, 2001.
    Goldstein, Kapelner, Bleich & Pitkin, "Peeking inside the black box", JCGS 24, 2015 (the lines of single rows).

    Examples
    --------
    >>> from fastgd.inspection import partial_dependence
    >>> model = gd.Sequential(gd.Dense(2, 1), seed=0)
    >>> model.theta = [3, -1, 7]
    >>> partial_dependence(model, [[1.0, 10.0], [2.0, 20.0]], 0, grid=[0.0, 1.0]).average
    array([[-8., -5.]])
    """
    is_both = check_choice("kind", kind, ("average", "both")) == "both"
    subject = subject_of(model)
    rows = subject.rows(X)
    columns = [rows.index(each) for each in (feature if isinstance(feature, (tuple, list)) else [feature])]
    if len(columns) not in (1, 2) or len(set(columns)) < len(columns):
        raise ValueError(f"feature must be one feature or two different ones, not {feature!r}")
    values = [rows.values(column) for column in columns]
    grids = _grids(grid, values)
    average, individual = _sweep(subject, rows, columns, grids, is_both)
    names = [str(rows.names[column]) for column in columns]
    return PartialDependence(grids, average, individual, names, _output_names(subject, len(average)), values)


def _sweep(
    subject: Subject, rows: Rows, columns: list[int], grids: list[Array], is_both: bool
) -> tuple[Floats, Floats | None]:
    """Predictions for each point of the grid: their means (outputs, *points), and each row's."""
    means, each = [], []
    shape = tuple(len(grid) for grid in grids)
    for point in np.ndindex(shape):
        p = subject.responses(rows.filled({c: grid[i] for c, grid, i in zip(columns, grids, point, strict=True)}))
        means.append(p.mean(axis=0))
        if is_both:
            each.append(p)
    average = np.moveaxis(np.array(means).reshape(*shape, -1), -1, 0)
    if not is_both:
        return average, None
    individual = np.array(each).reshape(*shape, rows.n, -1)
    return average, np.moveaxis(individual, (-1, -2), (0, 1))


def _grids(grid: Any, values: list[Array]) -> list[Array]:
    """The values of each feature at which to predict."""
    if isinstance(grid, (int, np.integer)) and not isinstance(grid, bool):
        return [_grid_of(column, check_int("grid", grid, minimum=2)) for column in values]
    given = [grid] if len(values) == 1 else grid
    if len(given) != len(values):
        raise ValueError(f"grid must be a number or one array for each of the {len(values)} features")
    grids = [np.asarray(each) for each in given]
    if any(each.ndim != 1 or not len(each) for each in grids):
        raise ValueError("grid must be a number, or an array of values (points,)")
    return grids


def _grid_of(values: Array, n: int) -> Array:
    """Up to n values of a column."""
    present = (
        values[~np.array([is_missing_value(value) for value in values], np.bool_)] if _may_lack(values) else values
    )
    if not len(present):
        raise ValueError("the feature has no values to vary")
    distinct, counts = np.unique(present, return_counts=True)
    if _is_categorical(distinct):
        return distinct[np.sort(np.argsort(-counts, kind="stable")[:n])]
    if len(distinct) <= n:
        return distinct
    is_time = distinct.dtype.kind in "Mm"
    numbers = present.astype(np.int64) if is_time else present.astype(np.float64)
    low, high = np.quantile(numbers, _QUANTILES)
    if low == high:
        low, high = numbers.min(), numbers.max()
    points = np.linspace(low, high, n)
    return points.astype(np.int64).astype(distinct.dtype) if is_time else points


def _may_lack(values: Array) -> bool:
    return values.dtype.kind in "OfMm"


def _is_categorical(values: Array) -> bool:
    return values.dtype.kind in "OUSTb" and not all(isinstance(value, (int, float)) for value in values.tolist())


def _output_names(subject: Subject, n: int) -> list[str]:
    if subject.classes is not None:
        return [str(label) for label in subject.classes[-n:]]
    return ["prediction"] if n == 1 else [f"output {i}" for i in range(n)]


def _draw_lines(result: PartialDependence, ax: Any, outputs: list[int]) -> None:
    x = result.grid_values[0]
    x = x.astype(np.float64) if x.dtype.kind in "bO" else x
    for output, color in zip(outputs, class_colors(len(outputs)) if len(outputs) > 1 else [BLUE], strict=True):
        if result.individual is not None and len(outputs) == 1:
            lines = result.individual[output]
            ax.plot(x, lines[:: -(-len(lines) // _MAX_LINES)].T, color=GREY, linewidth=0.5, alpha=0.4)
        ax.plot(x, result.average[output], color=color, linewidth=2, label=result.output_names[output])
    if len(outputs) > 1:
        legend_below(ax, min(len(outputs), 5))
    _mark_deciles(ax, result.values[0])


def _mark_deciles(ax: Any, values: Array) -> None:
    """Short lines above the axis where tenths of the rows lie, as in scikit-learn."""
    if values.dtype.kind not in "iuf":
        return
    finite = values[np.isfinite(values)]
    low, high = ax.get_xlim()
    deciles = np.quantile(finite, np.arange(0.1, 1, 0.1))
    ax.vlines(deciles, 0, 0.04, transform=ax.get_xaxis_transform(), color="black", linewidth=0.8)
    ax.set_xlim(low, high)


def _draw_bars(result: PartialDependence, ax: Any, outputs: list[int]) -> None:
    n, places = len(outputs), np.arange(len(result.grid_values[0]))
    for i, (output, color) in enumerate(zip(outputs, class_colors(n) if n > 1 else [BLUE], strict=True)):
        offset = (i - (n - 1) / 2) * 0.8 / n
        ax.bar(places + offset, result.average[output], 0.8 / n, color=color, label=result.output_names[output])
    labels = [str(value) for value in result.grid_values[0]]
    is_long = sum(map(len, labels)) > 60
    ax.set_xticks(places, labels, rotation=45 if is_long else 0, ha="right" if is_long else "center")
    if n > 1:
        legend_below(ax, min(n, 5))


def _draw_map(result: PartialDependence, ax: Axes | None, output: int) -> Axes:
    x, y = (_coordinates(values) for values in result.grid_values)
    if ax is None:
        ax = new_figure(5.6, 4.2).add_subplot()
    x_name, y_name = result.feature_names
    ax = set_up_axes(ax, "Partial dependence", x_name, y_name)
    filled = ax.contourf(x, y, result.average[output].T, levels=12, cmap="Blues")
    ax.figure.colorbar(filled, ax=ax, label=result.output_names[output])
    for set_ticks, values in ((ax.set_xticks, result.grid_values[0]), (ax.set_yticks, result.grid_values[1])):
        if _is_categorical(values):
            set_ticks(range(len(values)), [str(value) for value in values])
    return ax


def _coordinates(values: Array) -> Array:
    return np.arange(len(values)) if _is_categorical(values) else values
