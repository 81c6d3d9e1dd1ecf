"""Pictures of a trained network: its loss around theta, its decisions, weights and activations; see `plot.py`."""

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import losses
from .._common.checks import check_int, check_scalar
from .._common.typing import Array, Floats
from ..data.arrays import finite_rows, to_array
from ..layers.stack import views
from ..losses import Loss
from ..models.layer_outputs import layer_outputs
from ..models.sequential import Sequential
from ..training.evaluation import Evaluator
from ..training.fit_data import prepare
from ..training.state import TrainSettings
from .axes import BLUE, around, axes_of, colors_of, draw_path, draw_surface, legend_below, new_figure

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
    """The loss L(theta + a u + b v) over a plane through theta, and the optimiser's path in it.

    "random": u and v are normal random numbers, the weights of each unit scaled to the length of that unit's weights
    in theta, biases 0 (filter normalisation), so that pictures of different networks may be compared.
    "pca": u and v are the two directions along which the path moved most.

    Parameters
    ----------
    model : Sequential
        Left as it is.
    X, y, loss
        As in `Trainer`: the loss is the mean over these rows.
    path : sequence of (size,) arrays or None, default=None
        Values of theta, the first guess first: collect them by
        `callbacks.EveryStep(lambda trainer: path.append(trainer.model.theta.copy()), n=10)`.
    directions : {"pca", "random"} or None, default=None
        None: "pca" if there is a path, else "random".
    span : float > 0, default=1.0
        a and b go from -span to span; with a path the picture is as large as the path, whatever the span.
    points : int >= 2, default=41
        Along each side: the loss is computed points^2 times.
    seed : int, default=0
        Of the random directions.
    ax : matplotlib Axes, default=None
    title : str, default=""

    Raises
    ------
    ValueError
        Directions "pca" without a path of three thetas that do not lie on a line, or data that do not fit.

    References
    ----------
    Li, Xu, Taylor, Studer & Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018, sections 4 and 7.
    """
    if directions not in (None, "pca", "random"):
        raise ValueError(f'directions must be "pca", "random" or None, not {directions!r}')
    twin, points = copy.deepcopy(model), check_int("points", points)
    job = prepare(TrainSettings(losses.get(loss)), twin, X, y)
    thetas = np.array([model.theta] if path is None else path, np.float64)
    if thetas.ndim != 2 or thetas.shape[1] != model.size:
        raise ValueError(f"path must have the shape (steps, {model.size}), one theta in each row, not {thetas.shape}")
    kind = directions or ("random" if path is None else "pca")
    centre = np.asarray(model.theta if path is None else thetas[-1], np.float64)
    plane, names = _pca(thetas - centre) if kind == "pca" else _random(model, seed)
    steps: Floats = np.linalg.lstsq(plane.T, (thetas - centre).T, rcond=None)[0].T.astype(np.float64)
    side = np.linspace(-1, 1, points) * check_scalar("span", span, "(0, inf)")
    grid = np.meshgrid(side, side) if path is None else around(steps, points)
    measure = Evaluator(twin, job.loss, job.X, job.Y, metrics=[]).measure
    surface = np.empty(grid[0].shape)
    for place in np.ndindex(*surface.shape):
        with np.errstate(all="ignore"):
            twin.theta[:] = centre + grid[0][place] * plane[0] + grid[1][place] * plane[1]
            surface[place] = measure()["validation_loss"][0]
    ax = axes_of(ax, title, *names)
    draw_surface(ax, (grid[0], grid[1]), surface)
    if path is None:
        ax.plot(0, 0, "*", color="#D55E00", markeredgecolor="white", markersize=16, linestyle="", label="theta")
        legend_below(ax)
    else:
        draw_path(ax, steps)
    return ax


def _random(model: Sequential, seed: int) -> tuple[Floats, tuple[str, str]]:
    """Two random directions (2, size), normalised unit by unit.  Pictures need not have the same bits everywhere."""
    plane = np.random.default_rng(seed).standard_normal((2, model.size))
    own = model.parameters()
    for direction in plane:
        for name, part in views(model.layers, direction).items():
            length = np.sqrt(np.square(part).sum(axis=0))
            part *= np.linalg.norm(own[name].astype(np.float64), axis=0) / length if name.endswith("weight") else 0.0
    return plane, ("random direction u", "random direction v")


def _pca(moves: Floats) -> tuple[Floats, tuple[str, str]]:
    """The first two principal directions (2, size) of a path that ends at 0."""
    if len(moves) < 3:
        raise ValueError(f"directions='pca' needs a path of 3 thetas or more, not {len(moves)}")
    _, strength, plane = np.linalg.svd(moves, full_matrices=False)
    if strength[1] <= 1e-6 * strength[0]:  # what is left is the rounding of float32
        raise ValueError("directions='pca' needs a path that does not lie on a line; use directions='random'")
    share = np.square(strength[:2]) / np.square(strength).sum()
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
    """Which class a classifier of two columns gives to each point of the plane, with the rows of X as dots.

    Parameters
    ----------
    model : Sequential
        A trained classifier with two inputs.
    X : array (rows, 2)
    y : array (rows,)
        Labels.
    names : (str, str), default=("x1", "x2")
        Of the columns, with their units.
    points : int >= 2, default=300
        Points along each side.
    ax : matplotlib Axes, default=None
    title : str, default=""

    Raises
    ------
    ValueError
        The model has another number of inputs, or is no classifier.
    """
    if model.n_in != 2:
        raise ValueError(f"decision regions are drawn for 2 columns, but this model has {model.n_in} inputs")
    if model.head.classes is None:
        raise ValueError("decision regions need a classifier: train the model on labels first")
    X, y, classes = finite_rows(X, 2), to_array(y, "y").reshape(-1), model.head.classes
    colors = colors_of(len(classes))
    ax = axes_of(ax, title, *names)
    low, high = X.min(axis=0), X.max(axis=0)
    x1, x2 = np.meshgrid(*np.linspace(low - 0.08 * (high - low), high + 0.08 * (high - low), points).T)
    answers = model.predict(np.column_stack([x1.ravel(), x2.ravel()]))
    numbers = (answers[:, np.newaxis] == classes).argmax(axis=1).reshape(x1.shape)
    levels = np.arange(len(classes) + 1) - 0.5
    ax.contourf(x1, x2, numbers, levels=levels, colors=colors, alpha=0.25)
    ax.contour(x1, x2, numbers, levels=levels[1:-1], colors="white", linewidths=1.2)
    ax.locator_params(nbins=6)
    for label, color in zip(classes.tolist(), colors, strict=True):
        ax.scatter(
            X[y == label, 0], X[y == label, 1], s=22, color=color, edgecolor="white", linewidth=0.5, label=str(label)
        )
    legend_below(ax, min(len(classes), 5))
    return ax


def weights(
    model: Sequential, shape: tuple[int, int] | None = None, *, units: int = 32, title: str = "First-layer weights"
) -> "Figure":
    """The weights of each unit of the first layer, as images of the inputs; blue is negative, red positive.

    Parameters
    ----------
    model : Sequential
    shape : (int, int) or None, default=None
        Rows and columns of an input image; None: a square.
    units : int >= 1, default=32
        How many, at most: the first ones.
    title : str

    Raises
    ------
    ValueError
        The inputs do not fill such an image.
    """
    side = math.isqrt(model.n_in)
    height, width = (side, side) if shape is None else shape
    if height * width != model.n_in:
        advice = "give shape=(rows, columns)" if shape is None else f"{height} x {width} are {height * width}"
        raise ValueError(f"the {model.n_in} inputs do not fill an image: {advice}")
    W = model.parameters()["0.weight"].T[: check_int("units", units)]
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
    """A histogram of the outputs of each layer, over all its units and the rows of X.

    A healthy layer spreads its outputs; dead units pile up at 0, saturated ones at the ends of the function.  Zeros of
    a ReLU are counted in the title and left out of the bars.

    Parameters
    ----------
    model : Sequential
    X : array (rows, n_in)
    bins : int >= 1, default=60
    title : str
    """
    X = finite_rows(X, model.n_in)
    figure = new_figure(3.3 * len(model.layers), 3.2)
    figure.suptitle(title)
    for index, layer, out in layer_outputs(model, X):
        name = "share of the outputs" if index == 0 else ""
        ax = axes_of(figure.add_subplot(1, len(model.layers), index + 1), "", "output", name)
        shown = out[out != 0]
        ax.hist(shown, check_int("bins", bins), weights=np.full(shown.size, 1 / out.size), color=BLUE)
        zeros = f", {1 - shown.size / out.size:.0%} are 0" if shown.size < out.size else ""
        ax.set_title(f"layer {index} ({layer.activation.name}){zeros}", fontsize="medium")
    return figure
