"""What the pictures show, read back from matplotlib."""

import sys

import numpy as np
import pytest

from fastgd import plot

HISTORY = {
    "epoch": [1, 2, 3, 4],
    "loss": [4.0, 1.0, 0.2, 0.1],
    "validation_loss": [5.0, 2.0, 1.5, float("nan")],
    "validation_accuracy": [0.5, 0.9, 0.8, 0.85],
    "lr": [0.1] * 4,
    "seconds": [1.0] * 4,
}


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_curves(pyplot):
    figure = plot.curves(HISTORY, "A title")
    loss, accuracy = figure.axes
    assert figure.get_suptitle() == "A title"
    assert (loss.get_xlabel(), loss.get_ylabel(), accuracy.get_ylabel()) == ("epoch", "loss", "accuracy")
    assert labels(loss) == ["training", "validation", "best: 1.5 after epoch 3"]
    assert labels(accuracy) == ["validation", "best: 0.9 after epoch 2"]
    np.testing.assert_array_equal(loss.lines[0].get_data(), [HISTORY["epoch"], HISTORY["loss"]])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), HISTORY["validation_loss"])
    assert loss.get_yscale() == "log"


def test_curve_without_validation_on_axes_of_ones_own(pyplot):
    ax = pyplot.figure().add_subplot()
    record = {"epoch": [1, 2], "loss": [1.0, 0.5]}
    assert plot.curve(record, ax=ax, title="Loss") is ax
    assert (ax.get_title(), ax.get_yscale(), ax.get_ylim()[0]) == ("Loss", "linear", 0)
    assert labels(ax) == ["training"]


def test_loss_surface(pyplot):
    path = [(2.0, 1.0), (1.0, 0.0), (0.5, 0.0)]
    ax = plot.loss_surface(lambda w, b: w**2 + 3 * b**2, path, names=("w", "b"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "b")
    assert labels(ax) == ["path", "start", "end"]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), path)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left < 0.5 < 2 < right and low < 0 < 1 < high


def test_loss_surface_of_a_path_along_one_axis(pyplot):
    ax = plot.loss_surface(lambda w, b: w**2 + b**2, [(1.0, 1.0), (0.5, 1.0)])
    low, high = ax.get_ylim()
    assert low < 1 < high


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "fastgd\[plot\]"'):
        plot.curves(HISTORY)
