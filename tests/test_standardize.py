"""Standardization: measured on training rows, kept with the model, predictions in the user's units."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from training import EachEpoch

import fastgd as gd
from fastgd.data.scaling import Scaling
from fastgd.training.diagnostics import AdviceWarning


def diabetes():
    data = pytest.importorskip("sklearn.datasets").load_diabetes(scaled=False)
    return data.data, data.target


def regression(rows=200, dtype="float64"):
    """Columns of very different sizes, one constant, one rare; y in the hundred thousands."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 5)) * [1, 1e3, 1e-3, 0, 0] + [0, 5e4, 0, 7, 0]
    X[::50, 4] = 1
    y = 3e5 + 1e5 * X[:, 0] + 50 * (X[:, 1] - 5e4)
    return X.astype(dtype), y


def made(loss="mse", n_out=1, dtype="float32", **options):
    model = gd.MLP(5, 8, n_out, seed=0, dtype=dtype)
    return gd.Trainer(model, **{"loss": loss, "optimizer": gd.Adam(lr=0.01), "standardize": True, **options})


def test_the_scaling_is_that_of_the_training_rows(engine):
    X, y = regression()
    trainer = made()
    trainer.fit(X, y, epochs=1, validation=gd.Split(0.25, time=True), verbose=0)
    inputs, targets = trainer.model.inputs.scaling, trainer.model.head.scaling
    np.testing.assert_allclose(inputs.mean, X[:150].mean(0), rtol=1e-13)
    np.testing.assert_allclose(inputs.std, [*X[:150, :3].std(0), 1, X[:150, 4].std()], rtol=1e-11)
    np.testing.assert_allclose((targets.mean[0], targets.std[0]), (y[:150].mean(), y[:150].std()), rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_that_standardizes_is_one_of_standardized_data(engine, dtype):
    """The same bits of theta as on rows that were standardized by hand, and predictions in the units of y."""
    X, y = regression()
    trainer = made(dtype=dtype)
    history = trainer.fit(X, y, epochs=5, validation=(X[:50], y[:50]), verbose=0)
    scaling, target = trainer.model.inputs.scaling, trainer.model.head.scaling
    X_hand, y_hand = ((X - scaling.mean) / scaling.std).astype(dtype), ((y - target.mean) / target.std).astype(dtype)
    by_hand = made(dtype=dtype, standardize=False)
    expected = by_hand.fit(X_hand, y_hand, epochs=5, validation=(X_hand[:50], y_hand[:50]), verbose=0)
    np.testing.assert_array_equal(trainer.model.theta, by_hand.model.theta)
    assert history["loss"] == expected["loss"]
    assert history["validation_loss"] == expected["validation_loss"]
    assert history["validation_r2"] == pytest.approx(expected["validation_r2"], rel=1e-4)
    predicted = trainer.model.predict(X)
    assert predicted.dtype == dtype
    np.testing.assert_allclose(predicted, by_hand.model.predict(X_hand) * target.std + target.mean, rtol=1e-6)
    np.testing.assert_array_equal(trainer.model.forward(X_hand)[:, 0], by_hand.model.forward(X_hand)[:, 0])


def test_metrics_are_in_the_units_of_y(engine):
    X, y = regression()
    trainer = made(metrics=["rmse", "mae", "r2"])
    history = trainer.fit(X, y, epochs=20, validation=0.2, verbose=0)
    measured = trainer.evaluate(X, y)
    error = trainer.model.predict(X) - y
    assert measured["rmse"] == pytest.approx(np.sqrt(np.square(error).mean()), rel=1e-5)
    assert measured["mae"] == pytest.approx(abs(error).mean(), rel=1e-5)
    assert measured["loss"] == pytest.approx((measured["rmse"] / trainer.model.head.scaling.std[0]) ** 2, rel=1e-4)
    assert history["validation_rmse"][-1] > 1


def test_a_newcomers_regression_succeeds():
    X, y = diabetes()
    scores = {}
    for standardize in (False, True):
        trainer = gd.Trainer(gd.MLP(10, 16, 1, seed=0), loss="mse", standardize=standardize)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = trainer.fit(X, y, epochs=30, validation=0.25)
        texts = [str(w.message) for w in caught if issubclass(w.category, AdviceWarning)]
        assert any(text.startswith("y is not scaled: y has the mean 1") for text in texts) == (not standardize)
        scores[standardize] = history["validation_r2"][-1]
    assert scores[True] > 0.35 > scores[False]


def test_weights_count_in_the_mean():
    X, y = regression()
    weight = np.arange(200.0)
    trainer = made()
    trainer.fit(X, y, epochs=1, sample_weight=weight * 1e-50, verbose=0)
    mean = np.average(X, axis=0, weights=weight)
    std = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(trainer.model.inputs.scaling.mean, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(trainer.model.inputs.scaling.std[:3], std[:3], rtol=1e-11)
    assert trainer.model.head.scaling.mean[0] == pytest.approx(np.average(y, weights=weight))


def test_integers_far_from_0_and_constant_columns_are_exact():
    X = np.array([[2**52 - 1, 3], [2**52 + 1, 3], [2**52 - 1, 3], [2**52 + 1, 3]], np.int64)
    trainer = gd.Trainer(gd.MLP(2, 1, seed=0), loss="mse", standardize=True)
    trainer.fit(X, [5.0] * 4, epochs=2, verbose=0)
    scaling = trainer.model.inputs.scaling
    np.testing.assert_array_equal(scaling.apply(X, np.dtype("float32"))[:, 1], 0)
    assert scaling.std.tolist() == [1, 1]
    assert trainer.model.head.scaling.std.tolist() == [1]
    assert np.isfinite(trainer.model.predict(X)).all()


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_files_copies_and_pickles_keep_the_scaling(tmp_path, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    X, y = regression()
    path = tmp_path / f"model.{suffix}"
    trainer, whole = made(), made()
    trainer.fit(X, y, epochs=2, verbose=0)
    expected = trainer.model.predict(X)
    trainer.model.save(path)
    models = [gd.load(path), copy.deepcopy(trainer.model), pickle.loads(pickle.dumps(trainer.model))]
    for model in models:
        np.testing.assert_array_equal(model.predict(X), expected)
    trainer.save(path)
    loaded = gd.Trainer.load(path)
    assert loaded.standardize is True
    loaded.fit(X, y, epochs=3, verbose=0)
    whole.fit(X, y, epochs=5, verbose=0)
    np.testing.assert_array_equal(loaded.model.theta, whole.model.theta)
    np.testing.assert_array_equal(loaded.model.predict(X), whole.model.predict(X))


def test_a_later_fit_keeps_the_scaling():
    X, y = regression()
    trainer = made()
    trainer.fit(X[:100], y[:100], epochs=1, verbose=0)
    scaling = trainer.model.inputs.scaling
    trainer.fit(X[100:], y[100:], epochs=1, verbose=0)
    assert trainer.model.inputs.scaling is scaling
    other = gd.Trainer(trainer.model, loss="mse")  # also without the argument: theta expects standardized rows
    other.fit(X, y, epochs=1, verbose=0)
    assert trainer.model.inputs.scaling is scaling
    trainer.model.reset()
    assert trainer.model.inputs.scaling is trainer.model.head.scaling is None


def test_memory_maps_and_augmented_rows_are_standardized_as_they_are_read(engine, tmp_path):
    X, y = regression(1000)
    mapped = np.memmap(tmp_path / "X", X.dtype, "w+", shape=X.shape)
    mapped[:] = X
    trainers = [made(), made(), made()]
    whole = trainers[0].fit(X, y, epochs=3, validation=0.2, verbose=0)
    for trainer, arguments in ((trainers[1], {}), (trainers[2], {"augment": lambda rows, rng: rows})):
        history = trainer.fit(mapped if not arguments else X, y, epochs=3, validation=0.2, verbose=0, **arguments)
        np.testing.assert_array_equal(trainer.model.theta, trainers[0].model.theta)
        assert history["loss"] == whole["loss"]
        assert history["validation_r2"] == whole["validation_r2"]
    test = gd.lr_finder(trainers[1].model, mapped, y, loss="mse", steps=50)
    np.testing.assert_array_equal(test.losses, gd.lr_finder(trainers[0].model, X, y, loss="mse", steps=50).losses)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [(5, 2), (5, 8, 2), (5, 8, 4, 2)])
def test_folding(engine, widths, bias, dtype):
    X, y = regression()
    model = gd.MLP(*widths, seed=0, dtype=dtype, bias=bias, dropout=0.1, activation="tanh")
    gd.Trainer(model, loss="mae", standardize=True).fit(X, np.c_[y, -y], epochs=3, verbose=0)
    folded = model.fold_standardization()
    assert folded.inputs.scaling is folded.head.scaling is None
    assert folded.dtype == "float64"
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(folded.predict(X), model.predict(X), rtol=tolerance)
    np.testing.assert_allclose(folded.forward(X), model.predict(X), rtol=tolerance)
    assert model.head.scaling is not None
    assert folded.stack[-2:][0] == model.stack[-2:][0] or len(widths) == 2


def test_folding_keeps_names_and_classes():
    pandas = pytest.importorskip("pandas")
    X, y = regression()
    frame = pandas.DataFrame(X, columns=list("abcde"))
    trainer = made("cross_entropy", 2)
    trainer.fit(frame, np.where(y > 3e5, "high", "low"), epochs=5, verbose=0)
    folded = trainer.model.fold_standardization()
    assert folded.feature_names_in_.tolist() == list("abcde")
    reverse = frame[list("edcba")]
    assert folded.predict(reverse).tolist() == trainer.model.predict(frame).tolist()
    np.testing.assert_allclose(folded.predict_proba(reverse), trainer.model.predict_proba(frame), rtol=1e-3)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", "quantile", "poisson", "cross_entropy", "bce"])
def test_every_kind_of_loss(engine, loss):
    """Real targets are standardized; classes and counts are not."""
    X, y = regression()
    if loss == "quantile":
        loss = gd.Quantile((0.1, 0.9))
    targets = {"poisson": np.round(y / 1e5).clip(0), "cross_entropy": y > 3e5, "bce": y > 3e5}
    name = loss if isinstance(loss, str) else loss.name
    trainer = made(loss, 2 if name in ("cross_entropy", "quantile") else 1)
    trainer.fit(X, targets.get(name, y), epochs=30, verbose=0)
    assert trainer.model.inputs.scaling is not None
    assert (trainer.model.head.scaling is None) == (name in targets)
    predicted = trainer.model.predict(X)
    if name == "quantile":
        assert 0.6 < ((predicted[:, 0] < y) & (y < predicted[:, 1])).mean() <= 1
    elif name in ("cross_entropy", "bce"):
        assert (predicted == targets[name]).mean() > 0.85
    else:
        assert np.corrcoef(predicted, targets.get(name, y))[0, 1] > 0.7


@pytest.mark.parametrize(("standardize", "has"), [("X", (True, False)), ("y", (False, True)), (False, (False, False))])
def test_parts(standardize, has):
    X, y = regression()
    trainer = made(standardize=standardize, optimizer=gd.SGD(lr=1e-30))
    trainer.fit(X, y, epochs=1, verbose=0)
    assert (trainer.model.inputs.scaling is not None, trainer.model.head.scaling is not None) == has


def test_l_bfgs_continues_a_standardized_model():
    pytest.importorskip("scipy")
    X, y = regression()
    trainer = made(dtype="float64")
    trainer.fit(X, y, epochs=1, verbose=0)
    gd.fit_lbfgs(trainer.model, X, y, loss="mse", epochs=50)
    assert trainer.evaluate(X, y)["r2"] > 0.999


def refusals():
    X, y = regression()
    relu = gd.MLP(5, 8, 1, output="relu", seed=0)
    trained = made(standardize=False, optimizer=gd.SGD(lr=1e-30))
    trained.fit(X, y, epochs=1, verbose=0)
    scaled = made()
    scaled.fit(X, y, epochs=1, verbose=0)
    far = X.copy()
    far[3, 3] = 1e39
    return {
        "a word": (lambda: made(standardize="x"), "standardize must be"),
        "a number": (lambda: made(standardize=1), "standardize must be"),
        "y of counts": (lambda: made("poisson", standardize="y").fit(X, y), "targets of the loss 'poisson' cannot be"),
        "y of classes": (lambda: made("bce", standardize="y").fit(X, y > 3e5), 'standardize="X" scales X alone'),
        "a bounded output": (
            lambda: gd.Trainer(relu, loss="mse", standardize=True).fit(X, y),
            "'relu' cannot predict standardized targets",
        ),
        "a trained model": (
            lambda: gd.Trainer(trained.model, loss="mse", standardize=True).fit(X, y),
            r"the model was trained without standardize=True.*model\.reset\(\)",
        ),
        "another loss": (
            lambda: gd.Trainer(scaled.model, loss="poisson").fit(X, y),
            r"targets of the loss 'poisson' cannot be standardized: train model\.fold_standardization\(\) instead",
        ),
        "values far away in predict": (lambda: scaled.model.predict(far), r"X, standardized, has 1e\+39 in row 3"),
        "values far away in validation": (
            lambda: scaled.fit(X, y, validation=(far, y)),
            r"validation X has 1e\+39 in column 3 .*too far from the mean 7 ",
        ),
        "values far away in a later fit": (
            lambda: scaled.fit(far, y),
            r"X, standardized, has 1e\+39 in row 3, column 3",
        ),
        "values whose squares overflow": (
            lambda: made(dtype="float64").fit(X * 1e200, y),
            "X cannot be standardized: the values of column 0 are too large for float64",
        ),
    }


@pytest.mark.parametrize("case", refusals())
def test_what_cannot_be_standardized_is_refused(case):
    call, words = refusals()[case]
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_predictions_of_callbacks_are_in_the_units_of_y():
    X, y = regression()
    means = []
    callback = EachEpoch(lambda trainer: means.append(trainer.model.predict(X).mean()))
    made().fit(X, y, epochs=3, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(means, 3e5, rtol=0.5)


def test_a_custom_loss_reads_y_as_it_is():
    X, y = regression()

    def loss(Z, Y):
        assert Y.max() > 1e5
        return float(np.mean(Z)), np.zeros_like(Z)

    trainer = made(loss)
    trainer.fit(X, y, epochs=1, verbose=0)
    assert trainer.model.inputs.scaling is not None
    assert trainer.model.head.scaling is None


def test_formats_of_files():
    """A file without scaling can be read by earlier releases, whose files have no "inputs"; one with scaling cannot."""
    X, y = regression()
    plain, scaled = made(standardize=False, optimizer=gd.SGD(lr=1e-30)), made()
    for trainer in (plain, scaled):
        trainer.fit(X, y, epochs=1, verbose=0)
    assert plain.model.to_config()["format"] == "fastgd model 1"
    assert scaled.model.to_config()["format"] == "fastgd model 2"
    older = plain.model.to_config()
    del older["inputs"]
    loaded = gd.Sequential.from_config(older, lambda specs: plain.model.parameters())
    np.testing.assert_array_equal(loaded.predict(X), plain.model.predict(X))
    assert loaded.feature_names_in_ is None


@pytest.mark.parametrize(("part", "key", "value"), [
    ("inputs", "names", ["a"]),
    ("inputs", "names", [1, 2, 3, 4, 5]),
    ("inputs", "scaling", {"mean": [0.0] * 5, "std": [0.0] * 5}),
    ("inputs", "scaling", {"mean": [0.0] * 4, "std": [1.0] * 4}),
    ("inputs", "scaling", {"mean": [float("nan")] * 5, "std": [1.0] * 5}),
    ("head", "scaling", {"mean": [0.0, 1.0], "std": [1.0, 1.0]}),
])  # fmt: skip
def test_damaged_scalings_are_refused(part, key, value):
    X, y = regression()
    trainer = made()
    trainer.fit(X, y, epochs=1, verbose=0)
    config = trainer.model.to_config()
    config[part] = config[part] | {key: value}
    with pytest.raises(ValueError, match="its (column names|scaling)"):
        gd.Sequential.from_config(config, lambda specs: trainer.model.parameters())


@pytest.mark.parametrize("has_weight", [False, True])
@pytest.mark.parametrize("cuts", [[], [1, 30, 31, 260], [100, 200], [250], range(1, 333)])
def test_blocks_of_any_length_have_the_scaling_of_one_array(cuts, has_weight, monkeypatch):
    monkeypatch.setattr("fastgd.data.scaling._BLOCK", 100)
    rng = np.random.default_rng(0)
    values, weight = rng.normal(3, 2, (333, 5)), rng.uniform(0, 2, 333) if has_weight else None
    parts = np.split(np.arange(333), cuts)
    one = Scaling.of(values, np.arange(333), weight)
    other = Scaling.of_blocks(lambda: ((values[part], weight if weight is None else weight[part]) for part in parts))
    assert (one.mean == other.mean).all()
    assert (one.std == other.std).all()
