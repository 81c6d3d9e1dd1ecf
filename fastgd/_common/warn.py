"""Warnings on behalf of the user's code."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings

# Where the functions in between are defined: the package, and the context managers that it uses.
_BETWEEN = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))), contextlib.__file__)


def warn_user(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn with the line outside the package from which it was called, however many functions are in between.

    Errors of standard error are ignored.
    """
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(text, category, stacklevel=level)
    except category:  # the user's filter makes it an error
        raise
    except Exception:
        pass
