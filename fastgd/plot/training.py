"""Plots of a training: learning curves, learning-rate test, loss surfaces."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics import lower_is_better
from .axes import BLUE, GREY, ORANGE, around, axes_of, draw_path, draw_surface, legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Losses that span more than this factor are drawn on a logarithmic axis.
_LOG_SPAN = 20


def curves(history: Mapping[str, Sequence[Any]], title: str = "Learning curves") -> "Figure":
    """Loss and, if the history has them, metrics of each epoch, side by side.

    Parameters
    ----------
    history : mapping of str to sequence
        As `Trainer.fit` returns it: "epoch", "loss", and where there was validation "validation_loss" and
        "validation_<metric>".
    title : str, default="Learning curves"

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        The history has no epoch.
    """
    metrics = [key.removeprefix("validation_") for key in history if key.startswith("validation_")]
    quantities = ["loss", *(metric for metric in metrics if metric != "loss")]
    figure = new_figure(4.6 * len(quantities), 3.9)
    figure.suptitle(title)
    for place, quantity in enumerate(quantities, start=1):
        curve(history, quantity, figure.add_subplot(1, len(quantities), place))
    return figure


def curve(
    history: Mapping[str, Sequence[Any]], quantity: str = "loss", ax: "Axes | None" = None, title: str = ""
) -> "Axes":
    """One quantity of each epoch, over training rows and validation rows; the best validation epoch is marked.

    Parameters
    ----------
    history : mapping of str to sequence
        As in `curves`.
    quantity : str, default="loss"
        Drawn are `history[quantity]` and `history["validation_" + quantity]`, those that are there.
    ax : matplotlib Axes, default=None
    title : str, default=""

    Raises
    ------
    ValueError
        The history has no epoch, or nothing of that name.
    """
    lines = {"training": (quantity, BLUE), "validation": (f"validation_{quantity}", ORANGE)}
    drawn = {label: (_numbers(history[key]), color) for label, (key, color) in lines.items() if key in history}
    if not drawn or not len(history["epoch"]):
        raise ValueError(f"this history of {len(history['epoch'])} epochs has no {quantity!r}: it has {list(history)}")
    ax = axes_of(ax, title, "epoch", quantity.replace("_", " "))
    epoch = np.asarray(history["epoch"])
    for label, (values, color) in drawn.items():
        ax.plot(epoch, values, color=color, label=label, linewidth=1.8, marker="." if len(epoch) <= 20 else None)
    if "validation" in drawn:
        _mark_best(ax, epoch, drawn["validation"][0], smallest=lower_is_better(quantity))
    if quantity == "loss":
        _widen(ax, np.concatenate([values for values, _ in drawn.values()]))
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
    """Loss against learning rate, as `fastgd.lr_finder` measures them.

    Parameters
    ----------
    rates, losses : array (steps,)
        Rates > 0; losses, smoothed or not.
    suggestion : float or None, default=None
        A rate to mark.
    ax : matplotlib Axes, default=None
    title : str
    """
    x, y = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    ax = axes_of(ax, title, "learning rate", "loss")
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
    """Contours of a loss over two parameters, and the path that an optimiser took over it.

    Parameters
    ----------
    loss : callable
        loss(first, second) -> losses; three arrays of one shape.
    path : array, shape (steps, 2)
        The parameters after each step, the first guess included.
    names : (str, str), default=("w", "b")
        Of the two parameters.
    ax : matplotlib Axes, default=None
    title : str

    See Also
    --------
    landscape : The same for a network of any size, over a plane through its parameters.
    """
    steps = np.asarray(path, dtype=np.float64)
    ax = axes_of(ax, title, *names)
    grid = around(steps, 200)
    draw_surface(ax, grid, np.asarray(loss(*grid), dtype=np.float64))
    draw_path(ax, steps)
    return ax


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    """As floats; None, an epoch without that value, becomes NaN and so a gap in the line."""
    return np.array(values, dtype=np.float64)


def _mark_best(ax: "Axes", epoch: NDArray[Any], values: NDArray[np.float64], smallest: bool) -> None:
    if np.isnan(values).all():
        return
    best = int(np.nanargmin(values) if smallest else np.nanargmax(values))
    label = f"best: {values[best]:.4g} after epoch {epoch[best]:g}"
    ax.axvline(epoch[best], color=GREY, linewidth=1, linestyle=":", label=label)


def _widen(ax: "Axes", values: NDArray[np.float64]) -> None:
    """A logarithmic axis for losses that fall by orders of magnitude, else one that starts at 0."""
    if np.nanmin(values) > 0 and np.nanmax(values) > _LOG_SPAN * np.nanmin(values):
        ax.set_yscale("log")
    elif np.nanmin(values) >= 0:
        ax.set_ylim(bottom=0)
