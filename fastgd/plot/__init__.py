"""Pictures of training, by matplotlib, which is imported on use: `pip install "fastgd[plot]"`.

Every function draws on `ax`, or on a figure of its own if that is None, and returns what it drew on, so that all else
can be changed or saved with matplotlib's own means: `plot.curves(history).savefig("curves.png")`.
"""

from .axes import BLUE, GREEN, GREY, ORANGE, PALETTE
from .models import activations, decision_regions, landscape, weights
from .training import curve, curves, loss_surface, rate_test

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "activations",
    "curve",
    "curves",
    "decision_regions",
    "landscape",
    "loss_surface",
    "rate_test",
    "weights",
]
