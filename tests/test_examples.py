"""Each example runs outside this process, in a folder of its own, and saves its figure."""

import multiprocessing
import os
import runpy
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

EXTRAS = {"lbfgs": "scipy"}  # requirements of an example besides matplotlib
EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


def run(example, folder, *arguments):
    """Run in a process that may have run others before, and so has imported matplotlib already."""
    folder.mkdir()
    os.chdir(folder)
    sys.argv[1:] = arguments
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runpy.run_path(str(example), run_name="__main__")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Futures of all examples, on two processes."""
    folder, patch = tmp_path_factory.mktemp("examples"), pytest.MonkeyPatch()
    patch.setenv("MPLBACKEND", "Agg")
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    yield {path.stem: (folder / path.stem, pool.submit(run, path, folder / path.stem)) for path in EXAMPLES} | {
        "other": (folder / "other", pool.submit(run, EXAMPLES[0], folder / "other", "other.png"))
    }
    pool.shutdown(cancel_futures=True)
    patch.undo()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example, runs):
    pytest.importorskip(EXTRAS.get(example.stem, "matplotlib"))
    folder, future = runs[example.stem]
    future.result(timeout=300)
    assert (folder / f"{example.stem}.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_saved_to_the_given_path(runs):
    folder, future = runs["other"]
    future.result(timeout=300)
    assert [path.name for path in folder.iterdir()] == ["other.png"]


def test_there_are_examples():
    assert {example.stem for example in EXAMPLES} >= {"line", "sigmoids", "digits"}
