"""The command line: `fastgd train | predict | evaluate | explain | info | bench`."""

from .main import main

__all__ = ["main"]
