"""Plots of trainings and models with matplotlib, which is imported on use: `pip install "fastgd[plot]"`.

Functions that take `ax` draw on it, or on a new figure if it is None.  All functions return the axes or figure that
they drew on, which can be changed and saved with matplotlib: `plot.curves(history).savefig("curves.png")`.
`plt.style.use(plot.STYLE)` gives other figures the same look.
"""

from .axes import BLUE, GREEN, GREY, ORANGE, PALETTE, STYLE
from .models import activations, decision_regions, landscape, weights
from .training import curve, curves, loss_surface, rate_test

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "STYLE",
    "activations",
    "curve",
    "curves",
    "decision_regions",
    "landscape",
    "loss_surface",
    "rate_test",
    "weights",
]


def __dir__() -> list[str]:
    return __all__
