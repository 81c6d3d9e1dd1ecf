"""The content of the plots, read back from matplotlib."""

import re
import sys
from typing import Any

import numpy as np
import pytest
from training import blobs

import fastgd as gd
from fastgd import plot
from fastgd.callbacks import EveryStep
from fastgd.layers.stack import views
from fastgd.plot import axes, models

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


def test_the_style_is_one_that_matplotlib_knows(pyplot):
    """`plt.style.use` ignores nothing that it contains."""
    with pyplot.style.context(plot.STYLE):
        figure, ax = pyplot.subplots()
        assert not ax.spines["top"].get_visible()
        assert [ax.plot([0, 1])[0].get_color() for _ in plot.PALETTE] == list(plot.PALETTE)
        assert figure.get_layout_engine() is not None
    assert set(plot.STYLE) <= set(pyplot.rcParams)


def test_the_axis_of_epochs_starts_at_the_first(pyplot):
    record = {"epoch": np.arange(1, 201), "loss": np.linspace(1, 0.5, 200)}
    assert plot.curve(record).get_xlim() == (0.5, 200.5)


def test_curve_without_validation_on_given_axes(pyplot):
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
    assert left < 0.5 < 2 < right
    assert low < 0 < 1 < high


def test_loss_surface_of_a_path_along_one_axis(pyplot):
    ax = plot.loss_surface(lambda w, b: w**2 + b**2, [(1.0, 1.0), (0.5, 1.0)])
    low, high = ax.get_ylim()
    assert low < 1 < high


def test_the_best_epoch_of_an_error_is_its_minimum(pyplot):
    ax = plot.curve({"epoch": [1, 2, 3], "validation_mae": [3.0, 1.0, 2.0]}, "mae")
    assert labels(ax) == ["validation", "best: 1 after epoch 2"]


@pytest.mark.parametrize("history", [gd.History(), {"epoch": [1], "lr": [0.1]}], ids=["empty", "other"])
def test_nothing_to_draw(pyplot, history):
    with pytest.raises(ValueError, match="has no 'loss'"):
        plot.curves(history)


def trained(n_in=4, **options):
    X, y = blobs(90)
    model, path = gd.MLP(n_in, 6, 3, seed=0, **options), []
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=0.01))
    keep = EveryStep(lambda trainer: path.append(trainer.model.theta.copy()))
    trainer.fit(X[:, :n_in], y, epochs=3, callbacks=[keep], verbose=0)
    return model, X[:, :n_in], y, path


def test_the_plane_of_a_path(pyplot):
    """Its axes are orthonormal, so lengths are kept up to the component outside the plane; the end is 0."""
    model, X, y, path = trained()
    before = model.theta.copy()
    ax = plot.landscape(model, X, y, loss="cross_entropy", path=path, points=5, title="A path")
    np.testing.assert_array_equal(model.theta, before)
    drawn = ax.lines[0].get_xydata()
    assert drawn.shape == (len(path), 2)
    assert labels(ax) == ["path", "start", "end"]
    np.testing.assert_allclose(drawn[-1], 0, atol=1e-6)
    moves = np.linalg.norm(np.array(path, float) - path[-1], axis=1)
    lengths = np.linalg.norm(drawn, axis=1)
    assert (lengths <= moves * (1 + 1e-6)).all()
    assert lengths[0] > 0.9 * moves[0]
    shares = [int(re.search(r"(\d+)% of the movement", text)[1]) for text in (ax.get_xlabel(), ax.get_ylabel())]
    assert 100 >= sum(shares) > 80
    assert shares[0] >= shares[1]


def test_random_directions_are_as_long_as_the_weights_of_each_unit():
    model, *_ = trained()
    plane, _ = models._random_directions(model, 0)
    own = model.parameters()
    for direction in plane:
        for name, part in views(model.layers, direction).items():
            if name.endswith("bias"):
                assert (part == 0).all()
            else:
                np.testing.assert_allclose(np.linalg.norm(part, axis=0), np.linalg.norm(own[name], axis=0), rtol=1e-5)


def test_the_middle_of_a_landscape_is_the_loss_of_the_model(pyplot, monkeypatch):
    model, X, y, _ = trained(dtype="float64")
    surfaces = []
    monkeypatch.setattr(models, "draw_surface", lambda ax, grid, surface: surfaces.append(surface))
    plot.landscape(model, X, y, loss="cross_entropy", points=3, span=0.5)
    loss = gd.CrossEntropy().per_row(model.forward(X), y.reshape(-1, 1)).mean()
    assert surfaces[0].shape == (3, 3)
    assert surfaces[0][1, 1] == pytest.approx(loss, rel=1e-12)


def test_decision_regions(pyplot):
    model, X, y, _ = trained(2)
    ax = plot.decision_regions(model, X, y, names=("length [cm]", "width [cm]"), points=20)
    assert (ax.get_xlabel(), labels(ax)) == ("length [cm]", ["0", "1", "2"])
    assert sum(len(dots.get_offsets()) for dots in ax.collections if dots.get_label() in "012") == 90


def test_weights_as_images(pyplot):
    model = gd.MLP(6, 5, 3, seed=0)
    figure = plot.weights(model, (2, 3), units=4)
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(images) == 4
    assert images[0].get_clim()[0] == -images[0].get_clim()[1]
    np.testing.assert_array_equal(images[2].get_array(), model.parameters()["0.weight"][:, 2].reshape(2, 3))


def test_activations_of_each_layer(pyplot):
    model, X, _, _ = trained()
    left, right = plot.activations(model, X, bins=10).axes
    bars: list[list[Any]] = [list(left.patches), list(right.patches)]
    hidden = np.maximum(X.astype(np.float32) @ model.parameters()["0.weight"] + model.parameters()["0.bias"], 0)
    assert left.get_title() == f"layer 0 (relu), {(hidden == 0).mean():.0%} are 0"
    assert right.get_title() == "layer 1 (identity)"
    assert sum(bar.get_height() for bar in bars[1]) == pytest.approx(1)
    assert sum(bar.get_height() for bar in bars[0]) == pytest.approx((hidden != 0).mean())


def test_more_classes_than_colours(pyplot):
    assert len(set(map(tuple, axes.class_colors(12)))) == 12


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda m, X, y, p: plot.landscape(m, X, y, loss="cross_entropy", directions="pca"), "3 thetas or more, not 1"),
        (
            lambda m, X, y, p: plot.landscape(m, X, y, loss="cross_entropy", path=[m.theta * k for k in (1, 2, 3)]),
            "line",
        ),
        (lambda m, X, y, p: plot.landscape(m, X, y, loss="cross_entropy", directions="up"), "directions must be"),
        (lambda m, X, y, p: plot.landscape(m, X, y, loss="cross_entropy", path=p[0][:3]), "path must have the shape"),
        (lambda m, X, y, p: plot.landscape(m, X, y[1:], loss="cross_entropy"), "same number of rows"),
        (lambda m, X, y, p: plot.decision_regions(m, X, y), "this model has 4 inputs"),
        (lambda m, X, y, p: plot.decision_regions(gd.MLP(2, 3, seed=0), X[:, :2], y), "train the model on labels"),
        (lambda m, X, y, p: plot.weights(m, (3, 3)), "3 x 3 are 9"),
        (lambda m, X, y, p: plot.weights(gd.MLP(6, 3, seed=0)), r"pass shape=\(height, width\)"),
        (lambda m, X, y, p: plot.activations(m, X[:, :2]), r"X must have shape \(rows, 4\)"),
    ],
)
def test_invalid_arguments(pyplot, draw, words):
    with pytest.raises(ValueError, match=words):
        draw(*trained())


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "fastgd\[plot\]"'):
        plot.curves(HISTORY)
