"""Each example outside the gallery runs in a process of its own, in a new folder, and saves its figure."""

import pytest

pytest.importorskip("matplotlib")

import example_runs
from example_runs import is_png, run, two_processes
from gallery_results import RESULTS

EXTRAS = {"lbfgs": "scipy", "parquet": "pyarrow"}  # requirements of an example besides matplotlib
EXAMPLES = sorted(path for path in example_runs.EXAMPLES.glob("*.py") if path.stem not in RESULTS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Futures of all examples."""
    folder = tmp_path_factory.mktemp("examples")
    with two_processes() as pool:
        yield {path.stem: (folder / path.stem, pool.submit(run, path, folder / path.stem)) for path in EXAMPLES} | {
            "other": (folder / "other", pool.submit(run, EXAMPLES[0], folder / "other", "other.png"))
        }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example, runs):
    pytest.importorskip(EXTRAS.get(example.stem, "matplotlib"))
    folder, future = runs[example.stem]
    future.result(timeout=300)
    assert is_png(folder / f"{example.stem}.png")


def test_figures_are_saved_to_the_given_path(runs):
    folder, future = runs["other"]
    future.result(timeout=300)
    assert [path.name for path in folder.iterdir()] == ["other.png"]


def test_there_are_examples():
    assert {example.stem for example in EXAMPLES} | set(RESULTS) >= {"line", "sigmoids", "digits", "overfitting"}
