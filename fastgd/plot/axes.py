"""Parts shared by all plots: the import of matplotlib, colours, axes, legends."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable by colour-blind readers and in greyscale.  Okabe & Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
# One look of the pictures of fastgd, as settings of matplotlib: `plt.style.use(plot.STYLE)`.
STYLE: dict[str, Any] = {
    "axes.prop_cycle": f"cycler('color', {list(PALETTE)})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "grid.alpha": 0.3,
    "image.cmap": "gray_r",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 150,
    "svg.hashsalt": "fastgd",  # the same picture gives the same file
}


def pyplot() -> Any:
    """Import matplotlib.pyplot, or raise an ImportError that says what to install."""
    try:
        from matplotlib import pyplot as module
    except ImportError:
        raise ImportError('plots need matplotlib: pip install "fastgd[plot]"') from None
    return module


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of the given size in inches, laid out without overlaps."""
    plt = pyplot()
    from .notebook import NotebookFigure

    figure: Figure = plt.figure(FigureClass=NotebookFigure, figsize=(width, height))
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    return figure


def set_up_axes(ax: "Axes | None", title: str, x: str, y: str, size: tuple[float, float] = (5.6, 4.2)) -> Any:
    """Set title and axis labels of `ax`, or of the axes of a new figure if it is None, and return the axes."""
    if ax is None:
        ax = new_figure(*size).add_subplot()
    ax.set(title=title, xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def legend_below(ax: "Axes", columns: int = 3) -> None:
    """Add a legend below the axes, where it hides no data."""
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=columns,
        frameon=False,
        columnspacing=1.4,
        fontsize="small",
    )


def class_colors(n: int) -> list[Any]:
    """Colours of n classes: the palette, or samples of a perceptually uniform colour map if it is too small."""
    return list(PALETTE[:n]) if n <= len(PALETTE) else list(pyplot().get_cmap("viridis")(np.linspace(0, 0.95, n)))


def draw_surface(ax: "Axes", grid: tuple[NDArray[Any], NDArray[Any]], surface: NDArray[np.float64]) -> None:
    """Draw filled contours of a loss and a colour bar."""
    # Quantiles as levels, for contour lines near the minimum as well as on steep slopes.
    finite = surface[np.isfinite(surface)]
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, 16) ** 1.5))
    if len(levels) < 2:
        levels = levels[0] + np.array([0.0, 1e-9 + abs(levels[0]) * 1e-6])
    shades = pyplot().get_cmap("Blues")(np.linspace(0.05, 0.75, len(levels) - 1))
    filled = ax.contourf(*grid, surface, levels=levels, colors=shades)
    ax.contour(*grid, surface, levels=levels, colors="white", linewidths=0.6)
    ax.figure.colorbar(filled, ax=ax, label="loss", format="%.2g")
    ax.locator_params(nbins=7)


def draw_path(ax: "Axes", points: NDArray[np.float64]) -> None:
    """Draw the path of an optimizer, shape (steps, 2)."""
    ax.plot(*points.T, color=ORANGE, linewidth=1.5, marker=".", markersize=5, label="path")
    ax.plot(*points[0], "o", color="white", markeredgecolor=ORANGE, markersize=9, label="start", linestyle="")
    ax.plot(*points[-1], "*", color=ORANGE, markeredgecolor="white", markersize=16, label="end", linestyle="")
    legend_below(ax)


def surrounding_grid(points: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates (n, n) of a grid that covers points (k, 2) with a margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.35 * np.maximum(high - low, 0.5 * (high - low).max())
    margin[margin == 0] = 1.0  # all points coincide
    x, y = np.meshgrid(*np.linspace(low - margin, high + margin, n).T)
    return x, y
