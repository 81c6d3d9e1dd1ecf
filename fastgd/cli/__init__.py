"""The command line: `fastgd train | predict | info`."""

from .main import main

__all__ = ["main"]
