"""What each loss takes as targets, what its outputs are read as, and what scikit-learn means by the same names."""

import numpy as np
import pytest
from training import blobs

import fastgd as gd
from fastgd import losses
from fastgd.data.outputs import OutputSpec
from fastgd.data.targets import read_targets
from fastgd.losses import LOSSES

X, KIND = blobs()


def trained(loss, y, n_out, epochs=60, **options):
    model = gd.MLP(4, 8, n_out, activation="tanh", seed=0)
    trainer = gd.Trainer(model, loss=loss, optimizer=gd.Adam(lr=0.03), batch_size=16, **options)
    trainer.fit(X, y, epochs=epochs, validation=(X, y), verbose=0)
    return trainer


# ---- scikit-learn


@pytest.mark.parametrize(("name", "theirs", "factor"), [
    ("mse", lambda of: of.HalfSquaredError(), 0.5),
    ("mae", lambda of: of.AbsoluteError(), 1),
    (losses.Quantile(0.2), lambda of: of.PinballLoss(quantile=0.2), 1),
    (losses.Huber(0.7), lambda of: of.HuberLoss(delta=0.7), 1),
    ("poisson", lambda of: of.HalfPoissonLoss(), 1),
    ("gamma", lambda of: of.HalfGammaLoss(), 1),
    ("bce", lambda of: of.HalfBinomialLoss(), 1),
])  # fmt: skip
def test_scikit_learn_means_the_same(name, theirs, factor):
    loss, theirs = losses.get(name), theirs(pytest.importorskip("sklearn._loss"))
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(50, 1))
    Y = rng.integers(1, 5, (50, 1)).astype(float) if loss.link == "log" else rng.random((50, 1))
    want, derivative = theirs.loss_gradient(y_true=Y[:, 0], raw_prediction=Z[:, 0])
    np.testing.assert_allclose(loss.per_row(Z, Y) * factor, want, rtol=1e-12)
    np.testing.assert_allclose(loss.gradient(Z, Y)[:, 0] * factor, derivative, rtol=1e-12)


def test_metrics_of_scikit_learn_are_our_losses():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    Z, Y = rng.normal(size=(2, 40, 1))
    assert losses.Quantile(0.3).per_row(Z, Y).mean() == pytest.approx(metrics.mean_pinball_loss(Y, Z, alpha=0.3))
    assert losses.Hinge().per_row(Z, np.sign(Y)).mean() == pytest.approx(metrics.hinge_loss(np.sign(Y)[:, 0], Z[:, 0]))


# ---- targets


BAD = {
    "negative counts": ("poisson", 1, [1.0, -1.0], r"\[0, inf\) for the loss 'poisson', but is -1.0 in row 1"),
    "amounts of 0": ("gamma", 1, [1.0, 0.0], r"\(0, inf\) for the loss 'gamma', but is 0.0 in row 1, column 0"),
    "three signs": ("hinge", 1, [1, 2, 3], r"loss 'hinge' takes two classes, but y has 3 classes \(1, 2, 3\)"),
    "-1, 0 and 1": ("hinge", 2, [[1, 0], [-1, 1]], r"-1 and 1, or 0 and 1 .*but has 3 classes \(-1, 0, 1\)"),
    "parts of a sign": ("squared_hinge", 2, [[0.5, 1]], "-1 and 1, or 0 and 1"),
    "probabilities as signs": ("hinge", 1, [0.2, 0.4, 0.9], "two classes, but y has 3"),
    "rows beyond 1": ("kl_div", 2, [[0.5, 0.9]], "must sum to 1"),
    "labels for rows": ("kl_div", 3, [0, 1, 2], r"shape \(rows, 3\)"),
    "one-hot for labels": ("focal", 3, np.eye(3), r"one label per row, shape \(rows,\)"),
    "one output for classes": ("focal", 1, [0, 1], "loss 'focal' needs one output per class"),
    "quantiles and outputs": (gd.Quantile((0.1, 0.9)), 3, [1.0], "2 quantiles .* but the model has 3"),
    "two targets in a row": (gd.Quantile((0.1, 0.9)), 2, [[1.0, 2.0]], "2 columns where 1 are expected"),
    "flat for two targets": (gd.Quantile((0.1, 0.9)), 4, [1.0], r"shape \(rows, 2\), one column per target"),
    "weights of classes": (gd.Focal(alpha=(1, 2)), 3, [0, 1, 2], "alpha has 2 values, but the model has 3 outputs"),
    "weights of answers": (gd.BCE(pos_weight=(1, 2)), 3, [[0, 1, 0]], "pos_weight has 2 values"),
    "words": ("huber", 1, ["a"], "for the loss 'huber', not 'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_targets(case):
    loss, n_out, y, words = BAD[case]
    with pytest.raises((ValueError, TypeError), match=words):
        read_targets(y, losses.get(loss), n_out)


@pytest.mark.parametrize(("y", "n_out", "classes", "Y"), [
    ([-1, 1, 1], 1, [-1, 1], [[0], [1], [1]]),
    ([0, 1, 1], 1, [0, 1], [[0], [1], [1]]),
    ([True, False], 1, [False, True], [[1], [0]]),
    (["no", "yes"], 1, ["no", "yes"], [[0], [1]]),
    ([0.2, 0.9], 1, [0.2, 0.9], [[0], [1]]),
    ([[-1, 1], [1, 1]], 2, [-1, 1], [[-1, 1], [1, 1]]),
    ([[0, 1], [1, 1]], 2, [0, 1], [[0, 1], [1, 1]]),
])  # fmt: skip
def test_signs(y, n_out, classes, Y):
    read = read_targets(y, losses.get("hinge"), n_out)
    assert (read.Y.tolist(), read.classes.tolist()) == (Y, classes)
    again = read_targets(y, losses.get("hinge"), n_out, read.classes)
    assert (again.Y.tolist(), again.classes.tolist()) == (Y, classes)


def test_quantiles_share_their_target():
    loss = gd.Quantile((0.1, 0.5, 0.9))
    one = read_targets([1.0, 2.0], loss, 3)
    assert one.Y.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert not one.squeeze
    assert read_targets([[1, 2]], loss, 6).Y.tolist() == [[1, 1, 1, 2, 2, 2]]
    assert read_targets([1.0, 2.0], gd.Quantile(0.5), 1).squeeze


def test_smoothing_is_kept_for_rows_of_probabilities():
    read = read_targets(np.eye(3), gd.CrossEntropy(label_smoothing=0.1), 3)
    assert read.loss == losses.SoftCrossEntropy(label_smoothing=0.1)


# ---- predictions


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_predictions_are_means_not_their_logarithms(engine, loss, tmp_path):
    y = np.exp(KIND) + 1
    trainer = trained(loss, y, 1)
    model = trainer.model
    np.testing.assert_allclose(model.predict(X), np.exp(model.forward(X)[:, 0]), rtol=1e-6)
    assert trainer.history["validation_r2"][-1] > 0.9
    assert abs(model.predict(X) - y).mean() < 0.5
    with pytest.raises(ValueError, match="real values"):
        model.predict_proba(X)
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(gd.load(tmp_path / "model.npz").predict(X), model.predict(X))


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("labels", [(-1, 1), (0, 1), ("no", "yes")])
def test_predictions_of_signs_are_labels(engine, loss, labels, tmp_path):
    y = np.array(labels)[(KIND == 1).astype(int)]
    trainer = trained(loss, y, 1)
    model = trainer.model
    assert trainer.history["validation_accuracy"][-1] == (model.predict(X) == y).mean() > 0.9
    with pytest.raises(ValueError, match="signs without probabilities"):
        model.predict_proba(X)
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(gd.load(tmp_path / "model.npz").predict(X), model.predict(X))


@pytest.mark.parametrize("labels", [(-1, 1), (0, 1)])
def test_predictions_of_several_signs(engine, labels, tmp_path):
    y = np.array(labels)[np.eye(3, dtype=int)[KIND]]
    trainer = trained("hinge", y, 3)
    model = trainer.model
    assert model.predict(X).shape == y.shape
    assert set(model.predict(X).ravel()) == set(labels)
    assert trainer.history["validation_accuracy"][-1] == (model.predict(X) == y).mean() > 0.9
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(gd.load(tmp_path / "model.npz").predict(X), model.predict(X))


def test_quantiles_are_learnt(engine):
    """A constant model: its outputs become the quantiles of y."""
    y = np.random.default_rng(0).gamma(2.0, size=2000)
    loss = gd.Quantile((0.1, 0.5, 0.9))
    trainer = gd.Trainer(gd.MLP(1, 3, seed=0), loss=loss, optimizer=gd.Adam(lr=gd.Cosine(0.05)), batch_size=50)
    history = trainer.fit(np.zeros((2000, 1)), y, epochs=30, validation=0.2, verbose=0)
    assert [name for name in history if name.startswith("validation")] == ["validation_loss"]
    guess = trainer.model.predict(np.zeros((1, 1)))
    np.testing.assert_allclose((y[:, np.newaxis] < guess).mean(axis=0), [0.1, 0.5, 0.9], atol=0.03)


@pytest.mark.parametrize("loss", ["focal", "kl_div", gd.CrossEntropy(label_smoothing=0.1), "binary_focal"])
def test_classifiers_have_probabilities(engine, loss):
    rows = loss in ("kl_div", "binary_focal")
    model = trained(loss, np.eye(3)[KIND] if rows else KIND, 3).model
    p = model.predict_proba(X)
    assert (p.argmax(axis=1) == KIND).mean() > 0.9
    assert loss == "binary_focal" or np.allclose(p.sum(axis=1), 1)


def test_metrics_see_means_and_labels(engine):
    pytest.importorskip("sklearn")
    counts = trained("poisson", KIND + 1, 1, metrics=["r2", "mean_poisson_deviance"])
    assert counts.history["validation_mean_poisson_deviance"][-1] < 0.1
    signs = trained("hinge", np.where(KIND == 1, "yes", "no"), 1, metrics=["accuracy", "balanced_accuracy_score"])
    assert signs.history["validation_balanced_accuracy_score"][-1] > 0.9
    several = trained("hinge", 2 * np.eye(3)[KIND] - 1, 3, metrics=["mean_absolute_error"])
    assert several.history["validation_mean_absolute_error"][-1] < 0.2
    spread = trained(gd.Quantile((0.2, 0.8)), KIND + X[:, 0], 2, metrics=["mae", "mean_absolute_error"])
    assert spread.history["validation_mae"] == pytest.approx(spread.history["validation_mean_absolute_error"])


def test_stratified_splits():
    y = (KIND == 0).astype(int)
    split = gd.Split(0.2, stratify=True)
    for loss in ("hinge", "binary_focal"):
        trainer = gd.Trainer(gd.MLP(4, 1), loss=loss)
        trainer.fit(X, y, epochs=1, validation=split, verbose=0)
    with pytest.raises(ValueError, match="real values"):
        gd.Trainer(gd.MLP(4, 1), loss="poisson").fit(X, y, epochs=1, validation=split, verbose=0)


@pytest.mark.parametrize(("link", "classes", "n_out"), [("log", [1, 2], 1), ("sign", [1], 1), ("logit", None, 1)])
def test_heads_that_cannot_be(link, classes, n_out):
    words = None if classes is None else {"dtype": "int64", "labels": classes}
    with pytest.raises(ValueError, match="head|classes"):
        OutputSpec.from_config({"link": link, "classes": words, "flat": False}, n_out)


@pytest.mark.parametrize("loss", [
    *LOSSES, gd.Quantile((0.1, 0.9)), gd.BCE(pos_weight=(1, 2.5)), gd.Focal(1, (1, 2, 3)), gd.BinaryFocal(1, 0.25),
    gd.Huber(0.5), gd.CrossEntropy(0.1),
], ids=str)  # fmt: skip
def test_losses_in_files(loss, tmp_path):
    trainer = gd.Trainer(gd.MLP(4, 6), loss=loss)
    trainer.save(tmp_path / "run.npz")
    assert gd.Trainer.load(tmp_path / "run.npz").loss == trainer.loss


@pytest.mark.parametrize("name", ["l1", "mean_absolute_error", "absolute_error", "pinball", "smooth_l1", "logcosh"])
def test_names_of_others(name):
    assert isinstance(losses.get(name), (losses.MAE, losses.Quantile, losses.Huber, losses.LogCosh))


def test_lbfgs_on_every_smooth_loss(engine):
    pytest.importorskip("scipy")
    model = gd.MLP(4, 1, seed=0, dtype="float64")
    history = gd.fit_lbfgs(model, X, KIND + 1, loss="poisson", epochs=50)
    assert history["loss"][-1] < history["loss"][0]
    assert abs(model.predict(X) - KIND - 1).mean() < 0.5


def test_the_old_name_of_per_row_warns():
    Z, Y = np.ones((2, 1)), np.zeros((2, 1))
    with pytest.warns(DeprecationWarning, match="Loss.rows is deprecated: use Loss.per_row"):
        np.testing.assert_array_equal(gd.MSE().rows(Z, Y), gd.MSE().per_row(Z, Y))
