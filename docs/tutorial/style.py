"""The style of the pictures of all chapters, that of fastgd's plots in small panels, and where they are saved."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from fastgd.plot import BLUE, GREEN, GREY, ORANGE, STYLE

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "contours", "panels", "save", "tidy"]

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
SMALL = {"font.size": 9, "axes.titlesize": 10, "legend.frameon": True, "legend.edgecolor": "none"}  # over the curves
plt.style.use([STYLE, SMALL])


def panels(n=1, width=3.4, height=3.0, **options):
    """A figure of n panels side by side, and their axes."""
    return plt.subplots(1, n, figsize=(width * n, height), **options)


def tidy(ax, title, x, y, legend=None, **limits):
    """Name the axes of a panel, limit them, and place the legend."""
    ax.set(title=title, xlabel=x, ylabel=y, **limits)
    if legend:
        ax.legend(loc=legend)


def contours(ax, L, b_range, w_range, levels):
    """Draw the lines of equal loss L(b, w) over w (to the right) and b (upwards); returns the grid."""
    from numpy import linspace, meshgrid, vectorize

    w, b = meshgrid(linspace(*w_range, 161), linspace(*b_range, 161))
    ax.contour(w, b, vectorize(L)(b, w), levels=levels, colors="#999999", linewidths=0.7)


def save(figure, name):
    """Write the picture as SVG, the same bytes for the same curves; many points are a bitmap in it."""
    folder = FOLDER if FOLDER.is_dir() else FOLDER.parent
    figure.savefig(folder / f"{name}.svg", dpi=150, metadata={"Date": None, "Creator": None})
    plt.close(figure)
