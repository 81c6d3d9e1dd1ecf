"""Metrics of the validation rows, and which rows these are."""

from functools import partial

import numpy as np
import pytest
from training import ROWS, blobs, fit, make, problem

import fastgd as gd
from fastgd import metrics
from fastgd.data.outputs import OutputSpec
from fastgd.data.splits import Split, split_rows
from fastgd.metrics import Metric


def test_metrics_of_numpy_in_the_history(engine):
    trainer = make("mse", metrics=["mae", "rmse", "r2"])
    history = fit(trainer, 2, validation=0.3)
    assert list(history)[2:6] == ["validation_loss", "validation_mae", "validation_rmse", "validation_r2"]
    X, y, _ = problem("mse")
    rest = split_rows(ROWS, 0.3, 0)[1]
    errors = trainer.model.predict(X[rest]) - y[rest]
    assert history["validation_mae"][-1] == pytest.approx(abs(errors).mean(), rel=1e-6)
    assert history["validation_rmse"][-1] == pytest.approx(history["validation_loss"][-1] ** 0.5, rel=1e-6)


def test_no_metrics_at_all():
    assert list(fit(make(metrics=[]), 1, validation=0.3)) == ["epoch", "loss", "validation_loss", "lr", "seconds"]


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_scikit_learn(engine, weighted):
    """They see the user's labels, and probabilities where they judge these; and weights if there are any."""
    theirs = pytest.importorskip("sklearn.metrics")
    X, y, _ = problem()
    names, w = np.array(["ant", "bee", "cat"])[y], 1.0 + np.arange(ROWS) % 3
    given = ["accuracy", "balanced_accuracy_score", "log_loss", partial(theirs.f1_score, average="macro")]
    trainer = make(metrics=given)
    weights = {"sample_weight": w} if weighted else {}
    history = trainer.fit(X, names, epochs=2, validation=0.4, verbose=0, **weights)
    rest = split_rows(ROWS, 0.4, 0)[1]
    answers, p = trainer.model.predict(X[rest]), trainer.model.predict_proba(X[rest]).astype(np.float64)
    weights = {"sample_weight": w[rest]} if weighted else {}
    for name, value in (
        ("accuracy", theirs.accuracy_score(names[rest], answers, **weights)),
        ("balanced_accuracy_score", theirs.balanced_accuracy_score(names[rest], answers, **weights)),
        ("log_loss", theirs.log_loss(names[rest], p / p.sum(axis=1, keepdims=True), **weights)),
        ("f1_score", theirs.f1_score(names[rest], answers, average="macro", **weights)),
    ):
        assert history[f"validation_{name}"][-1] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(("n_out", "loss"), [(2, "cross_entropy"), (1, "bce")])
def test_a_score_of_two_classes_gets_the_probability_of_the_second(n_out, loss):
    theirs = pytest.importorskip("sklearn.metrics")
    X, y = blobs(80, 2)
    X *= 0.1
    model = gd.MLP(4, n_out, seed=0)
    trainer = gd.Trainer(model, loss=loss, metrics=["roc_auc_score"])
    history = trainer.fit(X, np.array(["no", "yes"])[y], epochs=1, validation=0.5, verbose=0)
    rest = split_rows(80, 0.5, 0)[1]
    expected = theirs.roc_auc_score(y[rest], model.predict_proba(X[rest])[:, 1])
    assert history["validation_roc_auc_score"] == [pytest.approx(expected)]


def test_a_function_of_ones_own():
    seen = []
    trainer = make("mse", metrics=[Metric("bias", lambda y, p: seen.append((y.shape, p.shape)) or (p - y).mean())])
    history = fit(trainer, 1, validation=0.2)
    assert seen == [((10,), (10,))]  # never before the training, on a model that has not learned yet
    assert np.isfinite(history["validation_bias"]).all()


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("f1_score", "the metric 'f1_score' cannot be measured here: Target is multiclass"),
        (Metric("mine", lambda y, p: y == p), "the metric 'mine' cannot be measured here"),
        (Metric("broken", lambda y, p: 1 / 0), "division by zero"),
    ],
    ids=["average", "array", "error"],
)
def test_a_metric_that_cannot_be_measured(metric, words):
    """A function of scikit-learn is tried before the training, one of the user's own, which may count, is not."""
    pytest.importorskip("sklearn")
    trainer = make(metrics=[metric])
    before = trainer.model.theta.copy()
    with pytest.raises(ValueError, match=words):
        fit(trainer, 3, validation=0.4)
    is_tried = metric == "f1_score"
    assert trainer.epoch == 0
    assert (trainer.step == 0) == is_tried
    assert np.array_equal(trainer.model.theta, before) == is_tried


def test_a_metric_that_fails_later_leaves_a_trainer_that_goes_on(engine):
    calls = []
    trainer, same = make(metrics=[Metric("mine", lambda y, p: calls.append(0) or 1 / (2 - len(calls)))]), make()
    with pytest.raises(ValueError, match="division by zero"):
        fit(trainer, 4, validation=0.2)
    assert trainer.epoch == len(trainer.history["validation_mine"]) == 1
    fit(trainer, None, validation=0.2)
    fit(same, 4, validation=0.2)
    np.testing.assert_array_equal(trainer.model.theta, same.model.theta)
    assert trainer.history["loss"] == same.history["loss"]


def test_weights_of_validation_rows_must_not_be_zero():
    trainer, w = make(), np.ones(ROWS)
    w[split_rows(ROWS, 0.2, 0)[1]] = 0
    with pytest.raises(ValueError, match="zero for every validation row"):
        fit(trainer, 1, validation=0.2, sample_weight=w)


def test_early_stopping_on_any_metric():
    pytest.importorskip("sklearn")
    trainer = make(metrics=["balanced_accuracy_score"])
    stopping = gd.EarlyStopping("validation_balanced_accuracy_score", patience=3)
    fit(trainer, 50, validation=0.3, callbacks=[stopping])
    assert trainer.epoch == stopping.best_epoch + 3


def test_metrics_are_saved_by_name(tmp_path):
    pytest.importorskip("sklearn")
    make(metrics=["accuracy", "balanced_accuracy_score"]).save(tmp_path / "a.npz")
    loaded = gd.Trainer.load(tmp_path / "a.npz")
    assert [metric.name for metric in loaded.metrics] == ["accuracy", "balanced_accuracy_score"]


def test_metrics_of_ones_own_are_given_again(tmp_path):
    def mine(y_true, y_pred):
        return 0.5

    make(metrics=["accuracy", mine]).save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"custom code: pass it again, Trainer.load\(path, metrics=...\)"):
        gd.Trainer.load(tmp_path / "a.npz")
    loaded = gd.Trainer.load(tmp_path / "a.npz", metrics=["accuracy", mine])
    assert [metric.name for metric in loaded.metrics] == ["accuracy", "mine"]
    make(metrics=[]).save(tmp_path / "b.npz")
    assert gd.Trainer.load(tmp_path / "b.npz").metrics == []


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("accuracy", TypeError, r"write metrics=\['accuracy'\]"),
        ([3], TypeError, "a metric must be a name"),
        (["acuracy"], ValueError, "did you mean 'accuracy'"),
        (["confusion_matrix"], ValueError, "unknown metric"),
        (["r2", "r2"], ValueError, "must have distinct names"),
        (max, TypeError, r"write metrics=\[max\]"),
    ],
)
def test_metrics_refuse(given, error, words):
    pytest.importorskip("sklearn")
    with pytest.raises(error, match=words):
        make(metrics=given)


def test_metrics_are_measured_where_there_are_rows():
    trainer = make(metrics=["accuracy"])
    assert not any(column.startswith("validation") for column in fit(trainer, 1))
    assert "validation_accuracy" in fit(make(metrics=["accuracy"]), 1, validation=0.2)


def test_scikit_learn_is_named_if_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"fastgd\[metrics\]"):
        metrics.get("f1_score")


CLASSES = np.repeat([0, 1, 2], [60, 30, 11])
SOFTMAX, NUMBERS = OutputSpec("softmax"), OutputSpec("identity")


def sides(split, Y=CLASSES, head=SOFTMAX, seed=0):
    training, rest = split.rows(np.asarray(Y).reshape(len(Y), -1), head, seed)
    assert training.dtype == rest.dtype == np.int64
    assert (np.diff(training) > 0).all()
    assert (np.diff(rest) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([training, rest])), np.arange(len(Y)))
    return training, rest


def test_a_plain_split_is_that_of_a_fraction():
    for got, want in zip(sides(Split(0.3), seed=4), split_rows(101, 0.3, 4), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.77])
def test_stratified(fraction):
    _, rest = sides(Split(fraction, stratify=True))
    held = np.bincount(CLASSES[rest], minlength=3)
    assert (abs(held - fraction * np.array([60, 30, 11])) < 1).all()
    assert len(rest) == round(101 * fraction)
    assert (sides(Split(fraction, stratify=True), seed=1)[1] != rest).any()
    one_hot = sides(Split(fraction, stratify=True), np.eye(3)[CLASSES])[1]
    np.testing.assert_array_equal(rest, one_hot)


def test_stratified_by_combinations_of_yes_and_no():
    Y = np.array([[0, 0], [0, 1], [1, 1]])[CLASSES]
    np.testing.assert_array_equal(
        sides(Split(0.3, stratify=True), Y, OutputSpec("sigmoid"))[1], sides(Split(0.3, stratify=True))[1]
    )


def test_groups_stay_together():
    groups = np.array([f"patient {i % 17}" for i in range(101)])
    training, rest = sides(Split(0.3, groups=groups))
    assert not set(groups[training]) & set(groups[rest])
    assert abs(len(rest) - 30.3) <= 3
    assert (sides(Split(0.3, groups=groups), seed=1)[1] != rest[:1]).any()


def test_by_time():
    np.testing.assert_array_equal(sides(Split(0.3, time=True))[1], np.arange(71, 101))
    epoch_times = np.random.default_rng(0).permutation(101)
    training, rest = sides(Split(0.3, time=epoch_times))
    assert epoch_times[training].max() < epoch_times[rest].min()
    assert len(rest) == 30


def test_a_split_in_fit(engine):
    X, y, _ = problem()
    groups = np.arange(ROWS) // 5
    trainer = make()
    trainer.fit(X, y, epochs=1, validation=gd.Split(0.2, groups=groups), verbose=0)
    assert trainer.run.rows == 40
    with pytest.raises(ValueError, match="groups must have one value per row of X, 50, not 3"):
        trainer.fit(X, y, epochs=1, validation=gd.Split(0.2, groups=[1, 2, 3]), verbose=0)


@pytest.mark.parametrize(
    ("make_one", "words"),
    [
        (lambda: Split(1.0), r"fraction must be in \(0, 1\)"),
        (lambda: Split(0.2, stratify=True, time=True), "give only one of"),
        (lambda: Split(0.2, groups=np.ones((3, 2))), r"groups must have shape \(rows,\)"),
        (lambda: sides(Split(0.2, stratify=True), head=NUMBERS), "stratify=True needs classes"),
        (lambda: sides(Split(0.2, groups=np.ones(101))), "two different values"),
        (lambda: sides(Split(0.001, time=True)), "leaves no validation rows"),
        (lambda: sides(Split(0.999, stratify=True)), "leaves no training rows"),
        (lambda: sides(Split(0.2, time=[1, 2])), "time must have one value per row"),
    ],
)
def test_splits_refuse(make_one, words):
    with pytest.raises(ValueError, match=words):
        make_one()


def test_the_old_name_of_predictions_warns():
    with pytest.warns(DeprecationWarning, match='use of="predictions"'):
        assert Metric("worst", max, "answers") == Metric("worst", max)
