"""Pictures that commands save, if matplotlib is installed, unless the user declined."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def save_picture(what: str, draw: Callable[[], Any], path: Path, options: argparse.Namespace, dpi: int = 150) -> str:
    """Save the figure that `draw` makes; return the line that reports it."""
    if options.no_plot:
        return f"no {what}, as requested"
    try:
        import matplotlib
    except ImportError:
        return f'no {what}: pip install "fastgd[plot]"'
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = draw()
    figure.savefig(path, dpi=dpi)
    pyplot.close(figure)
    return f"wrote {path}"
