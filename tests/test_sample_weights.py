"""Weights of rows and of classes: in training, validation and metrics."""

import numpy as np
import pytest
from training import ROWS, blobs, fit, make, problem

import fastgd as gd
from fastgd import losses
from fastgd.data import sample_weights
from fastgd.data.splits import split_rows
from fastgd.data.targets import read_targets
from fastgd.losses import LOSSES

X, KIND = blobs()
UNEVEN = np.where(np.arange(ROWS) % 10 == 0, 1, np.where(np.arange(ROWS) % 10 < 4, 2, 0))  # 5, 15 and 30 rows


def full_batch(loss="cross_entropy", n_out=3, **options):
    """One SGD step on all rows in float64, so that theta reveals the gradient."""
    model = gd.MLP(4, n_out, seed=0, dtype="float64")
    return gd.Trainer(model, loss=loss, optimizer=gd.SGD(lr=0.1), batch_size=None, shuffle=False, **options)


def theta_of(y, loss="cross_entropy", n_out=3, **options):
    trainer = full_batch(loss, n_out)
    trainer.fit(X, y, epochs=1, verbose=0, **options)
    return trainer.model.theta


# ---- classes


def test_balanced_is_scikit_learns_formula(engine):
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    weight = sklearn.compute_sample_weight("balanced", UNEVEN)
    np.testing.assert_allclose(
        theta_of(UNEVEN, class_weight="balanced"), theta_of(UNEVEN, sample_weight=weight), rtol=1e-13
    )


@pytest.mark.parametrize("kind", ["numbers", "words", "one-hot", "-1 and 1", "two words"])
def test_weights_by_label(engine, kind):
    """Keys are the user's labels; a class that is not listed has weight 1; multiplied by the weights of the rows."""
    per_row = np.array([1, 2.5, 0.5])[KIND] * (1 + np.arange(ROWS) % 2)
    y, given, loss, n_out = KIND, {1: 2.5, 2: 0.5}, "cross_entropy", 3
    if kind == "words":
        y, given = np.array(["ant", "bee", "cat"])[KIND], {"bee": 2.5, "cat": 0.5}
    if kind == "one-hot":
        y = np.eye(3)[KIND]
    if kind in ("-1 and 1", "two words"):
        names = np.array([-1, 1]) if kind == "-1 and 1" else np.array(["no", "yes"])
        y, given, loss, n_out = names[(KIND == 1).astype(int)], {names[1]: 2.5}, "hinge", 1
        per_row = np.where(KIND == 1, 2.5, 1) * (1 + np.arange(ROWS) % 2)
    got = theta_of(y, loss, n_out, class_weight=given, sample_weight=1 + np.arange(ROWS) % 2)
    np.testing.assert_allclose(got, theta_of(y, loss, n_out, sample_weight=per_row), rtol=1e-13)


@pytest.mark.parametrize("loss", [name for name, loss in LOSSES.items() if loss.target == "labels"])
def test_class_weights_in_every_loss_on_labels(engine, loss):
    weighted = theta_of(KIND, loss, class_weight={0: 0, 1: 1, 2: 1})
    some = KIND > 0
    alone = full_batch(loss)
    alone.fit(X[some], KIND[some], epochs=1, verbose=0)
    np.testing.assert_allclose(weighted, alone.model.theta, rtol=1e-12)


def test_balanced_counts_the_training_rows(engine):
    """Held-out rows do not count for balancing, and validation ignores class weights."""
    given, by_hand = full_batch(seed=1), full_batch(seed=1)
    given.fit(X, UNEVEN, epochs=1, validation=0.3, class_weight="balanced", verbose=0)
    rows, rest = split_rows(ROWS, 0.3, 1)
    counts = np.bincount(UNEVEN[rows])
    weight = len(rows) / (len(counts) * counts)
    by_hand.fit(
        *(X[rows], UNEVEN[rows]), 1, validation=(X[rest], UNEVEN[rest]), sample_weight=weight[UNEVEN[rows]], verbose=0
    )
    np.testing.assert_allclose(given.model.theta, by_hand.model.theta, rtol=1e-13)
    for name in ("loss", "validation_loss", "validation_accuracy"):
        assert given.history[name] == pytest.approx(by_hand.history[name], rel=1e-12)


def test_a_class_that_is_not_there_counts_for_nothing():
    read = read_targets(KIND[KIND > 0], losses.get("cross_entropy"), 3)
    every_row = np.arange(len(read.Y))
    got = sample_weights.row_weights_from_classes("balanced", read, every_row)
    counts = np.bincount(KIND[KIND > 0])
    np.testing.assert_allclose(got, (len(read.Y) / (2 * np.maximum(counts, 1)))[read.Y[:, 0]])


NO_CLASSES = "class_weight needs one class per row"
BAD = {
    "unknown label": ({3: 1.0}, KIND, "cross_entropy", 3, ValueError, r"has the label 3, but there are only 3 classes"),
    "number for a word": ({0: 1.0}, ["a", "b"] * 25, "bce", 1, ValueError, r"the label 0, .* 2 classes \('a', 'b'\)"),
    "negative": ({0: -1.0}, KIND, "cross_entropy", 3, ValueError, r"class_weight\[0\] must be in \[0, inf\), not -1.0"),
    "NaN": ({0: np.nan}, KIND, "cross_entropy", 3, ValueError, r"class_weight\[0\] must be in"),
    "a word": ({0: "2"}, KIND, "cross_entropy", 3, TypeError, r"class_weight\[0\] must be a number .* not '2'"),
    "another word": (
        "even",
        KIND,
        "cross_entropy",
        3,
        TypeError,
        "must be {label: weight} or \"balanced\", not 'even'",
    ),
    "a list": ([1, 2, 3], KIND, "cross_entropy", 3, TypeError, 'must be {label: weight} or "balanced"'),
    "all zero": (
        {0: 0, 1: 0, 2: 0},
        KIND,
        "cross_entropy",
        3,
        ValueError,
        "the weight of every training row, .* is zero",
    ),
    "numbers": (
        "balanced",
        KIND,
        "mse",
        1,
        ValueError,
        f"{NO_CLASSES}, which these targets of the loss 'mse' do not have",
    ),
    "several answers": ("balanced", np.eye(3)[KIND], "bce", 3, ValueError, NO_CLASSES + r".*BCE\(pos_weight"),
    "a loss of one's own": ("balanced", KIND, lambda Z, Y: (0, 0 * Z), 3, ValueError, f"{NO_CLASSES}, .* 'custom'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_class_weights(case):
    given, y, loss, n_out, error, words = BAD[case]
    trainer = gd.Trainer(gd.MLP(4, n_out, seed=0), loss=loss)
    before = trainer.model.theta.copy()
    with pytest.raises(error, match=words):
        trainer.fit(X, y, epochs=1, class_weight=given, verbose=0)
    assert (trainer.model.theta == before).all()
    assert trainer.model.head.classes is None


# ---- rows


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_other_validation_rows(engine, loss):
    """(X, y, sample_weight): a weight of 2 is a row twice, a weight of 0 none, in the loss and in the metric."""
    X, y, _ = problem(loss)
    weight = np.arange(ROWS) % 3
    weighted, repeated = make(loss, dtype="float64"), make(loss, dtype="float64")
    rows = np.arange(ROWS).repeat(weight)
    fit(weighted, 2, validation=(X, y, weight))
    fit(repeated, 2, validation=(X[rows], y[rows]))
    for name in set(weighted.history) - {"seconds"}:
        assert weighted.history[name] == pytest.approx(repeated.history[name], rel=1e-11), name


@pytest.mark.parametrize("name", ["f1_score", "mean_absolute_error", "log_loss"])
def test_weights_in_metrics_of_scikit_learn(engine, name):
    pytest.importorskip("sklearn")
    X, y = blobs(classes=2)
    loss, n_out = ("mse", 1) if name == "mean_absolute_error" else ("bce", 1)
    weight = np.arange(ROWS) % 3
    rows = np.arange(ROWS).repeat(weight)
    values = []
    for validation in ((X, y, weight), (X[rows], y[rows])):
        trainer = gd.Trainer(gd.MLP(4, n_out, seed=0, dtype="float64"), loss=loss, metrics=[name])
        values += trainer.fit(X, y, epochs=1, validation=validation, verbose=0)[f"validation_{name}"]
    assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize(("weight", "words"), [
    (np.ones(3), r"validation sample_weight must have shape \(50,\)"),
    (-np.ones(ROWS), "validation sample_weight must be >= 0, but is -1.0 in row 0"),
    (np.zeros(ROWS), "validation sample_weight is zero for every row"),
    (np.full(ROWS, np.inf), "validation sample_weight must be finite, but has inf in row 0"),
])  # fmt: skip
def test_bad_weights_of_validation_rows(weight, words):
    X, y, _ = problem()
    with pytest.raises(ValueError, match=words):
        make().fit(X, y, epochs=1, validation=(X, y, weight), verbose=0)


def test_validation_rows_without_weight():
    X, y, _ = problem()
    rest = split_rows(ROWS, 0.2, 0)[1]
    weight = np.ones(ROWS)
    weight[rest] = 0
    with pytest.raises(ValueError, match="sample_weight is zero for every validation row"):
        make().fit(X, y, epochs=1, validation=0.2, sample_weight=weight, verbose=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [1e-300, 1e-50, 1e-39, 1e30, 1e39, 1e300])
def test_only_ratios_of_weights_matter(engine, factor, dtype):
    """Weights that float32 cannot hold, or whose sum overflows, train as others do, up to the rounding of factor."""
    X, y, _ = problem()
    weight = 1.0 + np.arange(ROWS) % 5
    trainers = []
    for scale in (1, factor):
        trainer = make(dtype=dtype)
        trainer.fit(X, y, 3, (X, y, scale * weight), scale * weight, {0: scale, 1: 2 * scale, 2: scale}, verbose=0)
        trainers.append(trainer)
    np.testing.assert_allclose(trainers[1].model.theta, trainers[0].model.theta, rtol=1e-4, atol=1e-6)
    for name in ("loss", "validation_loss", "validation_accuracy"):
        assert trainers[1].history[name] == pytest.approx(trainers[0].history[name], rel=1e-5)
    measured = [
        trainer.evaluate(X, y, scale * weight)["loss"] for trainer, scale in zip(trainers, (1, factor), strict=True)
    ]
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)


@pytest.mark.parametrize("power", [-1000, -100, 100, 1000])
def test_powers_of_two_change_no_bit(engine, power):
    X, y, _ = problem()
    weight = 1.0 + np.arange(ROWS) % 5
    trainers = [make(), make()]
    for trainer, scale in zip(trainers, (1.0, 2.0**power), strict=True):
        trainer.fit(X, y, 3, sample_weight=scale * weight, verbose=0)
    np.testing.assert_array_equal(trainers[1].model.theta, trainers[0].model.theta)
    assert trainers[0].history["loss"] == trainers[1].history["loss"]


@pytest.mark.parametrize("labels", [
    np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[ns]"),
    np.array([b"a", b"b", b"c"]),
    np.array(["a", 1, b"c"], object),
    np.array([0.1, 0.2, 0.3], np.float16),
], ids=["dates", "bytes", "objects", "halves"])  # fmt: skip
def test_class_weights_of_every_kind_of_label(labels):
    trainers = [make(), make()]
    for trainer, y in zip(trainers, (KIND, labels[KIND]), strict=True):
        known = np.unique(KIND) if y is KIND else list(labels)
        trainer.fit(X, y, 2, class_weight=dict(zip(known, (1, 2, 3), strict=True)), verbose=0)
    np.testing.assert_array_equal(trainers[0].model.theta, trainers[1].model.theta)
