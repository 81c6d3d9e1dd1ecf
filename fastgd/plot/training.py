"""Plots of a training: learning curves, learning-rate range test, loss surface."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics import lower_is_better
from .axes import BLUE, GREY, ORANGE, draw_path, draw_surface, legend_below, new_figure, set_up_axes, surrounding_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ratio of the largest to the smallest loss above which the axis is logarithmic.
_MAX_LINEAR_RATIO = 20


def curves(history: Mapping[str, Sequence[Any]], title: str = "Learning curves") -> "Figure":
    """Plot the loss and the validation metrics of each epoch side by side.

    Parameters
    ----------
    history : mapping of str to sequence
        As returned by `Trainer.fit`: "epoch", "loss" and, with validation, "validation_loss" and "validation_<metric>".
    title : str, default="Learning curves"

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        The history has no epochs.
    """
    metrics = [key.removeprefix("validation_") for key in history if key.startswith("validation_")]
    quantities = ["loss", *(metric for metric in metrics if metric != "loss")]
    figure = new_figure(4.6 * len(quantities), 3.9)
    figure.suptitle(title)
    for column, quantity in enumerate(quantities, start=1):
        curve(history, quantity, figure.add_subplot(1, len(quantities), column))
    return figure


def curve(
    history: Mapping[str, Sequence[Any]], quantity: str = "loss", ax: "Axes | None" = None, title: str = ""
) -> "Axes":
    """Plot one quantity of each epoch on training and validation rows, and mark the best validation epoch.

    It is not marked if the name of the quantity does not tell whether it should decrease or increase.

    Parameters
    ----------
    history : mapping of str to sequence
        As in `curves`.
    quantity : str, default="loss"
        The columns `history[quantity]` and `history["validation_" + quantity]`, or the one that exists, are drawn.
    ax : matplotlib Axes, default=None
    title : str, default=""

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        The history has no epochs, or neither of the columns.
    """
    lines = {"training": (quantity, BLUE), "validation": (f"validation_{quantity}", ORANGE)}
    drawn = {label: (_as_floats(history[key]), color) for label, (key, color) in lines.items() if key in history}
    if not drawn or not len(history["epoch"]):
        raise ValueError(f"this history of {len(history['epoch'])} epochs has no {quantity!r}: it has {list(history)}")
    ax = set_up_axes(ax, title, "epoch", quantity.replace("_", " "))
    epoch = np.asarray(history["epoch"])
    for label, (values, color) in drawn.items():
        ax.plot(epoch, values, color=color, label=label, linewidth=1.8, marker="." if len(epoch) <= 20 else None)
    lower = lower_is_better(quantity)
    if "validation" in drawn and lower is not None:
        _mark_best(ax, epoch, drawn["validation"][0], lower)
    if quantity == "loss":
        _scale_loss_axis(ax, np.concatenate([values for values, _ in drawn.values()]))
    ax.set_xlim(epoch[0] - 0.5, epoch[-1] + 0.5)
    ax.locator_params(axis="x", integer=True)
    legend_below(ax)
    return ax


def rate_test(
    rates: ArrayLike,
    losses: ArrayLike,
    suggestion: float | None = None,
    ax: "Axes | None" = None,
    title: str = "Learning-rate range test",
) -> "Axes":
    """Plot loss against learning rate, as measured by `fastgd.lr_finder`.

    Parameters
    ----------
    rates : array, shape (steps,)
        Learning rates > 0.
    losses : array, shape (steps,)
        Losses, smoothed or not.
    suggestion : float or None, default=None
        A rate to mark.
    ax : matplotlib Axes, default=None
    title : str, default="Learning-rate range test"

    Returns
    -------
    matplotlib Axes
    """
    x, y = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    ax = set_up_axes(ax, title, "learning rate", "loss")
    ax.plot(x, y, color=BLUE, linewidth=1.8, label="loss, running mean")
    ax.set_xscale("log")
    if y.min() < y[0]:
        ax.set_ylim(y.min() - 0.05 * (y[0] - y.min()), y[0] + 0.5 * (y[0] - y.min()))
    if suggestion is not None:
        ax.axvline(suggestion, color=ORANGE, linewidth=1.4, linestyle="--", label=f"suggestion: {suggestion:.2g}")
    legend_below(ax)
    return ax


def loss_surface(
    loss: Callable[[NDArray[np.float64], NDArray[np.float64]], ArrayLike],
    path: ArrayLike,
    names: tuple[str, str] = ("w", "b"),
    ax: "Axes | None" = None,
    title: str = "Loss surface and the path of gradient descent",
) -> "Axes":
    """Plot the contours of a loss over two parameters and the path of an optimizer.

    Parameters
    ----------
    loss : callable
        loss(first, second) -> losses; three arrays of the same shape.
    path : array, shape (steps, 2)
        The initial parameters and those after each step.
    names : (str, str), default=("w", "b")
        Names of the two parameters.
    ax : matplotlib Axes, default=None
    title : str, default="Loss surface and the path of gradient descent"

    Returns
    -------
    matplotlib Axes

    See Also
    --------
    landscape : The same for a network of any size, over a plane through its parameters.
    """
    points = np.asarray(path, dtype=np.float64)
    ax = set_up_axes(ax, title, *names)
    grid = surrounding_grid(points, 200)
    draw_surface(ax, grid, np.asarray(loss(*grid), dtype=np.float64))
    draw_path(ax, points)
    return ax


def _as_floats(values: Sequence[Any]) -> NDArray[np.float64]:
    """Convert to floats; None, the value of an epoch without that column, becomes NaN and thus a gap in the line."""
    return np.array(values, dtype=np.float64)


def _mark_best(ax: "Axes", epoch: NDArray[Any], values: NDArray[np.float64], is_lower_better: bool) -> None:
    if np.isnan(values).all():
        return
    best = int(np.nanargmin(values) if is_lower_better else np.nanargmax(values))
    label = f"best: {values[best]:.4g} after epoch {epoch[best]:g}"
    ax.axvline(epoch[best], color=GREY, linewidth=1, linestyle=":", label=label)


def _scale_loss_axis(ax: "Axes", values: NDArray[np.float64]) -> None:
    """Use a logarithmic axis for losses that span orders of magnitude, else one that starts at 0."""
    if np.nanmin(values) > 0 and np.nanmax(values) > _MAX_LINEAR_RATIO * np.nanmin(values):
        ax.set_yscale("log")
    elif np.nanmin(values) >= 0:
        ax.set_ylim(bottom=0)
