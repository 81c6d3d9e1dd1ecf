"""Figures that a notebook shows once; imported on use, since it needs matplotlib."""

from matplotlib import get_backend
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that may be the value of a cell.

    The inline backend of Jupyter shows all open figures at the end of a cell, and IPython shows the value of the cell.
    A figure that is both would be there twice.
    """

    def _ipython_display_(self) -> None:
        """Called by IPython before it shows the figure, for whatever reason: leave nothing for the other one."""
        if "inline" in get_backend():
            plt.close(self)
        raise NotImplementedError  # IPython then uses its own formats
