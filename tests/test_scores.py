"""The metrics in NumPy: their values, and what they and `metrics=` refuse."""

from functools import partial

import numpy as np
import pytest
from training import fit, make

import fastgd as gd
from fastgd import metrics
from fastgd.metrics import METRICS, Metric

RNG = np.random.default_rng(0)
LABELS, GUESSES = RNG.integers(0, 3, 40), RNG.integers(0, 3, 40)
WEIGHT = RNG.random(40)
THEIR_NAMES = {
    "accuracy": "accuracy_score",
    "balanced_accuracy": "balanced_accuracy_score",
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "rmse": "root_mean_squared_error",
    "r2": "r2_score",
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", METRICS)
def test_values_are_those_of_scikit_learn(name, weight):
    theirs = getattr(pytest.importorskip("sklearn.metrics"), THEIR_NAMES[name])
    given = (LABELS, GUESSES) if "accuracy" in name else (RNG.standard_normal(40), RNG.standard_normal(40))
    assert METRICS[name](*given, weight) == pytest.approx(theirs(*given, sample_weight=weight), rel=1e-12)
    if name in ("mse", "mae", "mape", "r2"):
        Y, P = RNG.standard_normal((2, 40, 3))
        assert METRICS[name](Y, P, weight) == pytest.approx(theirs(Y, P, sample_weight=weight), rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_shapes_that_would_broadcast_are_refused(name):
    f, y = METRICS[name], np.arange(4)
    for true, pred in (
        (y, y.reshape(4, 1)),
        (y.reshape(4, 1), y),
        (y, y[:1]),
        (y, 1),
        (1, 1),
        (np.ones((2, 2, 2)),) * 2,
    ):
        with pytest.raises(ValueError, match="y_true and y_pred must have"):
            f(true, pred)
    with pytest.raises(ValueError, match=r"did you mean y_pred.reshape\(4,\)\?"):
        f(y, y.reshape(4, 1))
    for shape in ((0,), (0, 2), (3, 0)):
        with pytest.raises(ValueError, match="there is nothing to measure"):
            f(np.ones(shape), np.ones(shape))
    for weight in (np.ones(3), np.ones((4, 1)), -np.ones(4), np.zeros(4), [1, 1, 1, np.nan]):
        with pytest.raises(ValueError, match="weight"):
            f(y, y, weight)
    for array in ([[1], [1, 2]], [[1, 2], [3]]):
        with pytest.raises(ValueError, match="y_true"):
            f(array, y)


@pytest.mark.parametrize("name", METRICS)
def test_a_target_that_is_nan_is_refused(name):
    with pytest.raises(ValueError, match="y_true .*NaN.* row 1|y_true has NaN|y_true.* row 1"):
        METRICS[name]([1.0, np.nan, 2.0], [1.0, 1.0, 2.0])


@pytest.mark.parametrize("name", ["mse", "rmse", "mae", "mape", "r2"])
def test_predictions_that_are_not_finite_give_such_values(name):
    assert np.isnan(METRICS[name]([1.0, 2.0, 3.0], [1.0, np.nan, 2.0]))
    assert abs(METRICS[name]([1.0, 2.0, 3.0], [1.0, np.inf, 2.0])) == np.inf
    with pytest.raises(TypeError, match="y_pred"):
        METRICS[name]([1.0, 2.0], ["a", "b"])


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
def test_labels_of_different_kinds_are_refused(name):
    with pytest.raises(ValueError, match="cannot equal those of dtype"):
        METRICS[name](["1", "2"], [1, 2])
    with pytest.raises(ValueError, match="cannot equal those of dtype"):
        METRICS[name]([1, 2], ["1", "2"])
    assert METRICS[name]([1, 2], [1.0, 2.0]) == METRICS[name]([True, False], [1, 0]) == 1
    assert (
        METRICS[name](np.array(["a", 1], object), np.array(["a", 2], object)[[0, 0]]) == 0.5
        if name == "accuracy"
        else 1
    )


def test_balanced_accuracy_is_the_mean_recall():
    assert metrics.balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0]) == 0.5
    assert metrics.balanced_accuracy([0, 0, 0, 1], [0, 0, 2, 1], [1, 1, 2, 0]) == 0.5  # class 1 has no weight
    with pytest.raises(ValueError, match="one label per row"):
        metrics.balanced_accuracy([[0, 1]], [[0, 1]])


def test_names_in_any_case(engine):
    trainer = make("mse", metrics=["RMSE", "Mae", "R2"])
    assert [metric.name for metric in trainer.metrics] == ["rmse", "mae", "r2"]
    assert [metric.name for metric in make(metrics=["acc", "balanced_accuracy"]).metrics][0] == "accuracy"
    history = fit(trainer, 1, validation=0.3)
    assert history["validation_rmse"][0] > history["validation_mae"][0] > 0


class Stateless:
    def __call__(self, y_true, y_pred):
        return 0.5


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (5, TypeError, r'metrics must be a sequence such as \["accuracy"\], not 5'),
        (True, TypeError, "metrics must be a sequence"),
        ([lambda y, p: 0.0], ValueError, r'write fastgd.metrics.Metric\("my_metric", lambda ...\)'),
        ([partial(lambda y, p, a: 0.0, a=1)], ValueError, "a lambda has no name"),
        ([Stateless], TypeError, "a metric must be a name"),
        ([None], TypeError, "a metric must be a name"),
        ([[]], TypeError, "a metric must be a name"),
        (["neg_log_los"], ValueError, "did you mean 'neg_log_loss'"),
        (["RSME"], ValueError, "did you mean 'mse'|did you mean 'rmse'"),
    ],
)
def test_metrics_refuse(given, error, words):
    pytest.importorskip("sklearn")
    with pytest.raises(error, match=words):
        make(metrics=given)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("loss", max), ValueError, "the name of the loss itself"),
        (("lr", max), ValueError, "the name of another column"),
        (("", max), ValueError, "printable text"),
        (("a\nb", max), ValueError, "printable text"),
        ((5, max), TypeError, "must be a str, not 5"),
        (("mine", 5), TypeError, "needs a function"),
        (("mine", Stateless), TypeError, "needs a function"),
        (("mine", max, "answer"), ValueError, 'of must be "predictions"'),
        (("mine", max, "predictions", "yes"), TypeError, "lower_is_better must be True or False"),
    ],
)
def test_a_metric_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        Metric(*arguments)


@pytest.mark.parametrize("value", [None, "0.5", [0.5], np.array([0.5]), 1j], ids=str)
def test_what_is_no_number_is_refused(value):
    trainer = make(metrics=[Metric("mine", lambda y, p: value)])
    with pytest.raises(ValueError, match="the metric 'mine' cannot be measured here"):
        fit(trainer, 1, validation=0.3)


def test_objects_may_be_metrics():
    history = fit(make(metrics=[Stateless()]), 1, validation=0.3)
    assert history["validation_Stateless"] == [0.5]
    assert isinstance(gd.metrics.get(Stateless()), Metric)
