"""Importances and partial dependence: against what is known exactly, and against scikit-learn."""

import numpy as np
import pytest
from inspected import classification, regression, rows

import fastgd as gd
from fastgd.inspection import integrated_gradients, partial_dependence, permutation_importance


class Remembers:
    """An estimator that keeps what it was asked."""

    classes_ = None

    def __init__(self):
        self.asked = []

    def predict(self, X):
        self.asked.append(X)
        column = X.column("number") if hasattr(X, "column_names") else X["number"]
        return np.asarray(column, np.float64)


# -- Permutation importance


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_importance_of_a_regression(engine, dtype):
    trainer, X, y = regression(dtype)
    before = trainer.model.theta.copy()
    result = permutation_importance(trainer, X, y, n_repeats=10)
    assert result.importances.shape == (4, 10)
    assert (result.importances_mean == result.importances.mean(axis=1)).all()
    assert (result.importances_std == result.importances.std(axis=1)).all()
    assert result.metric == "r2"
    assert result.baseline == pytest.approx(trainer.evaluate(X, y)["r2"])
    # R2 drops by twice the share of the variance that the column explains: 400 of 425, and 25 of 425
    assert result.importances_mean == pytest.approx([2 * 400 / 425, 2 * 25 / 425, 0, 0], abs=0.12)
    assert (trainer.model.theta == before).all()


def test_errors_count_as_drops_too():
    trainer, X, y = regression()
    result = permutation_importance(trainer.model, X, y, metric="rmse")
    assert result.metric == "rmse"
    assert result.baseline == pytest.approx(gd.metrics.rmse(y, trainer.model.predict(X)), rel=1e-4)
    assert result.importances_mean[0] > result.importances_mean[1] > 1


@pytest.mark.parametrize(("n_classes", "loss"), [(3, "cross_entropy"), (2, "bce"), (2, "cross_entropy")])
def test_importance_of_a_classifier(engine, n_classes, loss):
    trainer, X, y = classification(n_classes, loss)
    result = permutation_importance(trainer, X, y)
    assert result.metric == "accuracy"
    assert result.importances_mean[0] > 0.2
    assert abs(result.importances_mean[[1, 3]]).max() < 0.05


def test_the_seed_determines_the_permutations():
    trainer, X, y = regression()
    first, same, other = (permutation_importance(trainer, X, y, seed=seed).importances for seed in (0, 0, 1))
    assert (first == same).all()
    assert (first != other).any()
    assert len(np.unique(first[0])) == 5  # each repeat has one of its own


def test_groups_are_permuted_together():
    X = rows()
    X[:, 3] = X[:, 0]  # either can stand in for the other
    model = gd.Sequential(gd.Dense(4, 1), seed=0)
    model.theta = [1, 1, 0, -1, 0]
    y = X[:, 1]
    alone = permutation_importance(model, X, y)
    groups = permutation_importance(model, X, y, groups={"same": ["x0", 3], "other": "x1"})
    assert alone.importances_mean[[0, 3]].min() > 1
    assert groups.feature_names.tolist() == ["same", "other"]
    assert groups.importances_mean[0] == pytest.approx(0, abs=1e-6)
    assert groups.importances_mean[1] == pytest.approx(2, abs=0.3)


def test_weights_of_rows():
    trainer, X, y = classification()
    weight = np.zeros(len(X))
    weight[:50] = 2.0
    heavy = permutation_importance(trainer, X, y, sample_weight=weight)
    assert heavy.baseline == pytest.approx(gd.metrics.accuracy(y[:50], trainer.model.predict(X[:50])))


def test_metric_of_probabilities():
    pytest.importorskip("sklearn")
    trainer, X, y = classification(2)
    result = permutation_importance(trainer, X, y, metric="roc_auc_score")
    assert result.importances_mean[0] > 0.3
    losses = permutation_importance(trainer, X, y, metric="log_loss")
    assert losses.importances_mean[0] > losses.baseline > 0


def test_importances_as_text():
    trainer, X, y = regression()
    lines = str(permutation_importance(trainer, X, y)).splitlines()
    assert lines[0].startswith("r2 0.9")
    assert [line.split()[0] for line in lines[1:3]] == ["x0", "x1"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_in_the_place_of_scikit_learn():
    inspection = pytest.importorskip("sklearn.inspection")
    from fastgd.sklearn import MLPClassifier, MLPRegressor

    X = rows()
    for estimator, y in [(MLPRegressor(), X[:, 0] * 3), (MLPClassifier(), X[:, 0] > 0)]:
        estimator.set_params(max_iter=40, n_iter_no_change=40, random_state=0, learning_rate_init=0.01).fit(X, y)
        ours = permutation_importance(estimator, X, y, n_repeats=20)
        theirs = inspection.permutation_importance(estimator, X, y, n_repeats=20, random_state=0)
        assert ours.importances_mean == pytest.approx(theirs.importances_mean, abs=0.1)
        for feature, kind in [(1, "average"), (0, "both")]:
            known = inspection.partial_dependence(estimator, X, [feature], grid_resolution=12, kind=kind)
            mine = partial_dependence(estimator, X, feature, grid=known["grid_values"][0], kind=kind)
            assert mine.average == pytest.approx(known["average"], rel=1e-5)
            assert kind == "average" or mine.individual == pytest.approx(known["individual"], rel=1e-5)


# -- Columns of any kind


def frames():
    columns = {"number": [1.0, 2.0, 4.0, 8.0], "text": ["a", "b", "b", None]}
    yield "dict", lambda: columns
    yield "pandas", lambda: pytest.importorskip("pandas").DataFrame(columns, index=[3, 3, 1, 0])
    yield "polars", lambda: pytest.importorskip("polars").DataFrame(columns)
    yield "arrow", lambda: pytest.importorskip("pyarrow").table(columns)


def column(frame, name):
    values = frame.column(name) if hasattr(frame, "column_names") else frame[name]
    return np.asarray(values).tolist() if hasattr(values, "dtype") or hasattr(values, "chunks") else list(values)


@pytest.mark.parametrize("make", [make for _, make in frames()], ids=[kind for kind, _ in frames()])
def test_frames_keep_their_other_columns(make):
    frame, estimator = make(), Remembers()
    result = permutation_importance(estimator, frame, [1, 2, 4, 8], n_repeats=3)
    assert result.feature_names.tolist() == ["number", "text"]
    assert result.importances_mean[0] > 0 == result.importances_mean[1]
    for asked in estimator.asked[1:4]:
        assert sorted(column(asked, "number")) == [1, 2, 4, 8]
        assert [text in ("a", "b") for text in column(asked, "text")] == [True, True, True, False]
    assert column(frame, "number") == [1, 2, 4, 8]
    dependence = partial_dependence(estimator, frame, "number")
    assert dependence.grid_values[0].tolist() == [1, 2, 4, 8]
    assert dependence.average.tolist() == [[1, 2, 4, 8]]
    texts = partial_dependence(estimator, frame, "text")
    assert texts.grid_values[0].tolist() == ["a", "b"]
    assert [column(asked, "text") for asked in estimator.asked[-2:]] == [["a"] * 4, ["b"] * 4]


# -- Partial dependence


def test_dependence_of_a_linear_model(engine):
    model = gd.Sequential(gd.Dense(4, 2), seed=0)
    model.theta = [1, 0, 0, 2, 0, 0, 0, 0, 5, -5]
    X = rows()
    result = partial_dependence(model, X, 0, grid=11, kind="both")
    x = result.grid_values[0]
    assert x == pytest.approx(np.linspace(*np.quantile(X[:, 0], [0.05, 0.95]), 11))
    assert result.average == pytest.approx(np.array([x + 5, np.full(11, 2 * X[:, 1].mean() - 5)]), abs=1e-5)
    assert result.individual.shape == (2, 300, 11)
    assert result.individual.mean(axis=1) == pytest.approx(result.average, abs=1e-5)
    pair = partial_dependence(model, X, ("x0", 1), grid=([0.0, 1.0, 2.0], [0.0, 1.0]))
    assert pair.average[0] == pytest.approx(np.array([[5, 5], [6, 6], [7, 7]]), abs=1e-5)
    assert pair.average[1] == pytest.approx(np.array([[-5, -3]] * 3), abs=1e-5)


def test_dependence_of_standardized_models():
    trainer, X, _ = regression()
    result = partial_dependence(trainer, X, 0, grid=[-1.0, 0.0, 1.0])
    assert np.diff(result.average[0]) == pytest.approx([20, 20], rel=0.1)


def test_dependence_of_a_classifier():
    trainer, X, _ = classification()
    result = partial_dependence(trainer, X, "x0")
    assert result.average.sum(axis=0) == pytest.approx(1)
    assert result.output_names == [str(label) for label in trainer.model.head.classes]
    binary = partial_dependence(classification(2, "bce")[0], X, 0)
    assert binary.output_names == ["low"]
    assert binary.average.shape == (1, 50)
    assert binary.average[0, 0] > 0.9 > 0.1 > binary.average[0, -1]


def test_grids():
    model = gd.Sequential(gd.Dense(2, 1), seed=0)
    X = np.array([[0, 1], [1, 5], [1, 7], [0, 9]], np.uint8)
    assert partial_dependence(model, X, 0).grid_values[0].tolist() == [0, 1]
    half = partial_dependence(model, X, 1, grid=[1.5])
    assert half.average[0, 0] == pytest.approx(model.predict(np.array([[0, 1.5], [1, 1.5]])).mean(), abs=1e-6)
    skewed = np.array([[0.0, 0.0]] * 99 + [[5.0, 5.0], [6.0, 6.0], [7.0, 7.0]])
    assert partial_dependence(model, skewed, 0, grid=3).grid_values[0].tolist() == [0, 3.5, 7]


# -- Pictures


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.close("all")  # those of earlier tests, too: of many that are open matplotlib warns
    yield pyplot
    pyplot.close("all")


def test_pictures(pyplot):
    trainer, X, y = classification()
    bars = permutation_importance(trainer, X, y).plot(max_features=3)
    assert [text.get_text() for text in bars.get_yticklabels()][-1] == "x0"
    assert len(bars.patches) == 3
    attributions = integrated_gradients(trainer, X)
    assert len(attributions.plot().patches) == len(attributions.plot(row=2).patches) == 4
    lines = partial_dependence(trainer, X, 0).plot()
    assert lines.get_ylabel() == "probability"
    assert len(lines.lines) == 3
    single = partial_dependence(trainer, X, 0, kind="both").plot(output=1)
    assert len(single.lines) == 51
    square = partial_dependence(trainer, X, (0, 2), grid=4).plot()
    assert square.get_ylabel() == "x2"
    texts = partial_dependence(Remembers(), {"number": [1.0, 2.0], "text": ["a", "b"]}, "text").plot()
    assert [text.get_text() for text in texts.get_xticklabels()] == ["a", "b"]


# -- Errors


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t, X, y: permutation_importance(gd.MLP, X, y), TypeError, "expected a trained model"),
        (lambda t, X, y: permutation_importance(t, X, y[:9]), ValueError, "X has 300 rows, but y has 9"),
        (lambda t, X, y: permutation_importance(t, X[:, :3], y), ValueError, r"X must have shape \(rows, 4\)"),
        (lambda t, X, y: permutation_importance(t, X, y, metric="acuracy"), Exception, "acuracy"),
        (lambda t, X, y: permutation_importance(t, X, y, n_repeats=0), ValueError, "n_repeats must be 1 or more"),
        (lambda t, X, y: permutation_importance(t, X, y, groups={"a": []}), ValueError, "'a' has no features"),
        (lambda t, X, y: permutation_importance(t, X, y, groups=[1]), TypeError, "groups must map names"),
        (lambda t, X, y: permutation_importance(t, X, y, metric=worst), ValueError, "does not tell which values"),
        (lambda t, X, y: partial_dependence(t, X, 4), ValueError, "no feature 4, only 0 to 3"),
        (lambda t, X, y: partial_dependence(t, X, "x00"), ValueError, "did you mean 'x0'"),
        (lambda t, X, y: partial_dependence(t, X, (0, 0)), ValueError, "two different ones"),
        (lambda t, X, y: partial_dependence(t, X, 0, grid=1), ValueError, "grid must be 2 or more"),
        (lambda t, X, y: partial_dependence(t, X, 0, kind="individual"), ValueError, "kind must be one of"),
    ],
)
def test_errors(call, error, words):
    trainer, X, y = classification()
    with pytest.raises(error, match=words):
        call(trainer, X, y)


def worst(y_true, y_pred):
    return float((y_true != y_pred).max())
