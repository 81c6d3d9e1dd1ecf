"""Pictures of training, by matplotlib, which is imported on use: `pip install "fastgd[plot]"`.

Every function draws on `ax`, or on a figure of its own if that is None, and returns what it drew on, so that all else
can be changed or saved with matplotlib's own means: `plot.curves(history).savefig("curves.png")`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinct for colour-blind readers and in grey.  Okabe & Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"

# Losses that span more than this factor are drawn on a logarithmic axis.
_LOG_SPAN = 20


def curves(history: Mapping[str, Sequence[Any]], title: str = "Learning curves") -> "Figure":
    """Loss and, if the history has one, metric of each epoch, side by side.

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
    """
    metrics = [key.removeprefix("validation_") for key in history if key.startswith("validation_")]
    quantities = ["loss", *(metric for metric in metrics if metric != "loss")]
    figure: Figure = _pyplot().figure(figsize=(5.6 * len(quantities), 4), layout="constrained")
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
    """
    ax = _axes(ax, title, "epoch", quantity)
    epoch = np.asarray(history["epoch"])
    lines = {"training": (quantity, BLUE), "validation": (f"validation_{quantity}", ORANGE)}
    drawn = {label: (_numbers(history[key]), color) for label, (key, color) in lines.items() if key in history}
    for label, (values, color) in drawn.items():
        ax.plot(epoch, values, color=color, label=label, linewidth=1.8, marker="." if len(epoch) <= 20 else None)
    if "validation" in drawn:
        _mark_best(ax, epoch, drawn["validation"][0], smallest=quantity == "loss")
    if quantity == "loss":
        _widen(ax, np.concatenate([values for values, _ in drawn.values()]))
    ax.locator_params(axis="x", integer=True)
    ax.legend(edgecolor="none", framealpha=0.9)
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
    ax = _axes(ax, title, "learning rate", "loss")
    ax.plot(x, y, color=BLUE, linewidth=1.8)
    ax.set_xscale("log")
    ax.set_ylim(top=y[0] + 0.5 * (y[0] - y.min()) if y.min() < y[0] else None)
    if suggestion is not None:
        ax.axvline(suggestion, color=ORANGE, linewidth=1.2, linestyle="--", label=f"suggestion: {suggestion:.2g}")
        ax.legend(edgecolor="none", framealpha=0.9)
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
    """
    steps = np.asarray(path, dtype=np.float64)
    ax = _axes(ax, title, *names)
    low, high = steps.min(axis=0), steps.max(axis=0)
    margin = 0.35 * np.maximum(high - low, 0.5 * (high - low).max())
    grid = np.meshgrid(*np.linspace(low - margin, high + margin, 200).T)
    surface = np.asarray(loss(*grid), dtype=np.float64)
    # Levels as quantiles: lines near the minimum as well as on steep slopes.
    levels = np.unique(np.quantile(surface, np.linspace(0, 1, 16) ** 1.5))
    shades = _pyplot().get_cmap("Blues")(np.linspace(0.05, 0.75, len(levels) - 1))
    filled = ax.contourf(*grid, surface, levels=levels, colors=shades)
    ax.contour(*grid, surface, levels=levels, colors="white", linewidths=0.6)
    ax.figure.colorbar(filled, ax=ax, label="loss", format="%.3g")
    ax.plot(*steps.T, color=ORANGE, linewidth=1.5, marker=".", markersize=5, label="path")
    ax.plot(*steps[0], "o", color="white", markeredgecolor=ORANGE, markersize=9, label="start", linestyle="")
    ax.plot(*steps[-1], "*", color=ORANGE, markeredgecolor="white", markersize=16, label="end", linestyle="")
    ax.legend(edgecolor="none", framealpha=0.9)
    return ax


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "fastgd[plot]"') from None
    return pyplot


def _axes(ax: "Axes | None", title: str, x: str, y: str) -> Any:
    if ax is None:
        ax = _pyplot().subplots(figsize=(6.4, 4.4), layout="constrained")[1]
    ax.set(title=title, xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    """As floats; None, an epoch without that value, becomes NaN and so a gap in the line."""
    return np.array(values, dtype=np.float64)


def _mark_best(ax: "Axes", epoch: NDArray[Any], values: NDArray[np.float64], smallest: bool) -> None:
    if np.isnan(values).all():
        return
    best = int(np.nanargmin(values) if smallest else np.nanargmax(values))
    label = f"best: {values[best]:.4g} after epoch {epoch[best]}"
    ax.axvline(epoch[best], color=GREY, linewidth=1, linestyle=":", label=label)


def _widen(ax: "Axes", values: NDArray[np.float64]) -> None:
    """A logarithmic axis for losses that fall by orders of magnitude, else one that starts at 0."""
    if np.nanmin(values) > 0 and np.nanmax(values) > _LOG_SPAN * np.nanmin(values):
        ax.set_yscale("log")
    elif np.nanmin(values) >= 0:
        ax.set_ylim(bottom=0)
