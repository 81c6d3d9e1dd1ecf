"""Plots of a trained network: loss landscape, decision regions, weights, activations."""

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import losses
from .._common.checks import check_int, check_scalar
from .._common.typing import Array, Floats
from ..data.arrays import to_array
from ..layers.stack import views
from ..losses import Loss
from ..models.layer_outputs import layer_outputs
from ..models.sequential import Sequential
from ..training.evaluation import Evaluator
from ..training.fit_data import FitData, prepare
from ..training.state import TrainSettings
from .axes import (
    BLUE,
    ORANGE,
    class_colors,
    draw_path,
    draw_surface,
    legend_below,
    new_figure,
    set_up_axes,
    surrounding_grid,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def landscape(
    model: Sequential,
    X: Any,
    y: Any,
    *,
    loss: str | Loss,
    path: Sequence[Array] | None = None,
    directions: Literal["pca", "random"] | None = None,
    span: float = 1.0,
    points: int = 41,
    seed: int = 0,
    ax: "Axes | None" = None,
    title: str = "",
) -> "Axes":
    """Plot the loss L(theta + a u + b v) over a plane through theta, and the path of the optimizer projected onto it.

    Parameters
    ----------
    model : Sequential
        Not modified.
    X, y, loss
        As in `Trainer.fit` and `Trainer`; the loss is the mean over these rows.
    path : sequence of (size,) arrays or None, default=None
        Values of theta from the initial one on, as collected by
        `callbacks.EveryStep(lambda trainer: path.append(trainer.model.theta.copy()), n=10)`.
    directions : {"pca", "random"} or None, default=None
        "random": u and v are normal random vectors, in which the weights of each unit are scaled to the norm of that
        unit's weights in theta and all other parameters are 0 (filter normalization), so that plots of different
        networks are comparable.  "pca": u and v are the first two principal components of the path.  None: "pca" if
        there is a path, else "random".
    span : float > 0, default=1.0
        a and b range from -span to span; with a path, the plot covers the path instead.
    points : int >= 2, default=41
        Grid points along each side: the loss is evaluated points^2 times.
    seed : int, default=0
        Seed of the random directions.
    ax : matplotlib Axes, default=None
    title : str, default=""

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        `directions` is "pca" and the path has fewer than three thetas or lies on a line, or the data do not fit.

    References
    ----------
    Li, Xu, Taylor, Studer & Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018, sections 4 and 7.
    """
    if directions not in (None, "pca", "random"):
        raise ValueError(f'directions must be "pca", "random" or None, not {directions!r}')
    points = check_int("points", points)
    data = prepare(TrainSettings(losses.get(loss)), model, X, y)
    thetas = np.array([model.theta] if path is None else path, np.float64)
    if thetas.ndim != 2 or thetas.shape[1] != model.size:
        raise ValueError(f"path must have the shape (steps, {model.size}), one theta per row, not {thetas.shape}")
    centre = np.asarray(model.theta if path is None else thetas[-1], np.float64)
    is_pca = directions == "pca" or (directions is None and path is not None)
    plane, names = _principal_directions(thetas - centre) if is_pca else _random_directions(model, seed)
    steps: Floats = np.linalg.lstsq(plane.T, (thetas - centre).T, rcond=None)[0].T.astype(np.float64)
    side = np.linspace(-1, 1, points) * check_scalar("span", span, "(0, inf)")
    a, b = np.meshgrid(side, side) if path is None else surrounding_grid(steps, points)
    ax = set_up_axes(ax, title, *names)
    draw_surface(ax, (a, b), _losses_on_plane(model, data, centre, plane, (a, b)))
    if path is None:
        ax.plot(0, 0, "*", color=ORANGE, markeredgecolor="white", markersize=16, linestyle="", label="theta")
        legend_below(ax)
    else:
        draw_path(ax, steps)
    return ax


def _losses_on_plane(
    model: Sequential, data: FitData, centre: Floats, plane: Floats, grid: tuple[Floats, Floats]
) -> Floats:
    """The loss at centre + a plane[0] + b plane[1] for each (a, b) of the grid."""
    model = copy.deepcopy(model)
    measure = Evaluator(model, data.loss, data.inputs(slice(None)), data.Y, metrics=[]).measure
    surface = np.empty(grid[0].shape)
    for index in np.ndindex(*surface.shape):
        with np.errstate(all="ignore"):
            model.theta[:] = centre + grid[0][index] * plane[0] + grid[1][index] * plane[1]
            surface[index] = measure()["validation_loss"][0]
    return surface


def _random_directions(model: Sequential, seed: int) -> tuple[Floats, tuple[str, str]]:
    """Two random directions (2, size), filter-normalized.  Plots need not be bitwise reproducible on all machines."""
    plane = np.random.default_rng(seed).standard_normal((2, model.size))
    parameters = model.parameters()
    for direction in plane:
        for name, part in views(model.layers, direction).items():
            if name.endswith("weight"):
                norms = np.linalg.norm(parameters[name].astype(np.float64), axis=0)
                part *= norms / np.sqrt(np.square(part).sum(axis=0))
            else:
                part *= 0.0
    return plane, ("random direction u", "random direction v")


def _principal_directions(moves: Floats) -> tuple[Floats, tuple[str, str]]:
    """The first two principal components (2, size) of a path that ends at 0."""
    if len(moves) < 3:
        raise ValueError(f"directions='pca' needs a path of 3 thetas or more, not {len(moves)}")
    _, singular_values, plane = np.linalg.svd(moves, full_matrices=False)
    if singular_values[1] <= 1e-6 * singular_values[0]:  # below the rounding errors of float32
        raise ValueError("directions='pca' needs a path that does not lie on a line; use directions='random'")
    share = np.square(singular_values[:2]) / np.square(singular_values).sum()
    names = [f"principal direction {i + 1} ({share[i]:.0%} of the movement)" for i in range(2)]
    return plane[:2], (names[0], names[1])


def decision_regions(
    model: Sequential,
    X: Any,
    y: Any,
    *,
    names: tuple[str, str] = ("x1", "x2"),
    points: int = 300,
    ax: "Axes | None" = None,
    title: str = "",
) -> "Axes":
    """Plot the class that a classifier with two inputs predicts at each point of the plane, and the rows of X as dots.

    Parameters
    ----------
    model : Sequential
        A trained classifier with two inputs.
    X : array, shape (rows, 2)
    y : array, shape (rows,)
        Labels.
    names : (str, str), default=("x1", "x2")
        Names of the columns, with their units.
    points : int >= 2, default=300
        Grid points along each side.
    ax : matplotlib Axes, default=None
    title : str, default=""

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        The model does not have two inputs, or is not a classifier.
    """
    if model.n_in != 2:
        raise ValueError(f"decision regions need a model with 2 inputs, but this model has {model.n_in} inputs")
    if model.head.classes is None:
        raise ValueError("decision regions need a classifier: train the model on labels first")
    X, y, classes = model.inputs.rows(X, 2), to_array(y, "y").reshape(-1), model.head.classes
    colors = class_colors(len(classes))
    ax = set_up_axes(ax, title, *names)
    low, high = X.min(axis=0), X.max(axis=0)
    x1, x2 = np.meshgrid(*np.linspace(low - 0.08 * (high - low), high + 0.08 * (high - low), points).T)
    predictions = model.predict(np.column_stack([x1.ravel(), x2.ravel()]))
    index = (predictions[:, np.newaxis] == classes).argmax(axis=1).reshape(x1.shape)
    levels = np.arange(len(classes) + 1) - 0.5
    ax.contourf(x1, x2, index, levels=levels, colors=colors, alpha=0.25)
    ax.contour(x1, x2, index, levels=levels[1:-1], colors="white", linewidths=1.2)
    ax.locator_params(nbins=6)
    for label, color in zip(classes.tolist(), colors, strict=True):
        rows = X[y == label]
        ax.scatter(rows[:, 0], rows[:, 1], s=22, color=color, edgecolor="white", linewidth=0.5, label=str(label))
    legend_below(ax, min(len(classes), 5))
    return ax


def weights(
    model: Sequential, shape: tuple[int, int] | None = None, *, units: int = 32, title: str = "First-layer weights"
) -> "Figure":
    """Plot the weights of each unit of the first layer as an image of the inputs; blue is negative, red positive.

    Parameters
    ----------
    model : Sequential
    shape : (int, int) or None, default=None
        Height and width of an input image; None: a square.
    units : int >= 1, default=32
        Largest number of units to plot, from the first on.
    title : str, default="First-layer weights"

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        The number of inputs does not match the shape.
    """
    n_in, first = model.dense_layers[0].n_in, len(model.layers) - len(model.dense_layers)
    side = math.isqrt(n_in)
    height, width = (side, side) if shape is None else shape
    if height * width != n_in:
        advice = "pass shape=(height, width)" if shape is None else f"{height} x {width} are {height * width}"
        raise ValueError(f"the {n_in} inputs do not form an image: {advice}")
    W = model.parameters()[f"{first}.weight"].T[: check_int("units", units)]
    columns = min(8, len(W))
    rows = -(-len(W) // columns)
    figure = new_figure(1.0 * columns + 1.2, 1.0 * rows + 0.6)
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, squeeze=False)
    largest = float(np.abs(W).max()) or 1.0
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, w in zip(axes.flat, W, strict=False):
        image = ax.imshow(w.reshape(height, width), cmap="RdBu_r", vmin=-largest, vmax=largest)
    figure.colorbar(image, ax=axes, label="weight", shrink=0.9, aspect=30)
    return figure


def activations(model: Sequential, X: Any, *, bins: int = 60, title: str = "Outputs of the layers") -> "Figure":
    """Plot a histogram of the outputs of each layer, over all its units and the rows of X.

    The outputs of a healthy layer are spread out; those of dead units pile up at 0, those of saturated units at the
    limits of the activation.  The share of zeros is given in the title and excluded from the bars.

    Parameters
    ----------
    model : Sequential
    X : array, shape (rows, n_in)
    bins : int >= 1, default=60
    title : str, default="Outputs of the layers"

    Returns
    -------
    matplotlib Figure
    """
    X = model.inputs.read(X, model.n_in, model.dtype)
    count = len(model.dense_layers)
    figure = new_figure(3.3 * count, 3.2)
    figure.suptitle(title)
    for place, (index, layer, out) in enumerate(layer_outputs(model, X), start=1):
        y_label = "share of the outputs" if place == 1 else ""
        ax = set_up_axes(figure.add_subplot(1, count, place), "", "output", y_label)
        nonzero = out[out != 0]
        ax.hist(nonzero, check_int("bins", bins), weights=np.full(nonzero.size, 1 / out.size), color=BLUE)
        zeros = f", {1 - nonzero.size / out.size:.0%} are 0" if nonzero.size < out.size else ""
        ax.set_title(f"layer {index} ({layer.activation.name}){zeros}", fontsize="medium")
    return figure
