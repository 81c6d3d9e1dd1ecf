"""Runs of examples, in processes of their own."""

import contextlib
import io
import multiprocessing
import os
import runpy
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(path, folder, *arguments):
    """Run a script in a new folder and return what it prints.  The process may have imported matplotlib before."""
    folder.mkdir()
    os.chdir(folder)
    sys.argv[1:] = arguments
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as printed:
            warnings.simplefilter("error")
            runpy.run_path(str(path), run_name="__main__")
    finally:
        if "matplotlib.pyplot" in sys.modules:  # of many figures that are open it would warn
            sys.modules["matplotlib.pyplot"].close("all")
    return printed.getvalue()


@contextlib.contextmanager
def two_processes():
    """A pool whose processes draw without a screen, each on one thread: two teams would wait for each other's cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "Agg")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
        yield pool
        pool.shutdown(cancel_futures=True)


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG")
